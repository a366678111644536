"""Slow studies of the sector rotation: seeds and nulls on the sample, and a folder of real history when one is given.

python benchmarks/study_gp.py                     the sample with its effects, and the null sample
python benchmarks/study_gp.py <folder> [n_jobs]   the Shenwan and CITIC sectors of a data folder
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from lib.market.ingest import open_market
from lib.market.universe import read_universe
from lib.models.gp.composite import average, rotation_scores, top_weights
from lib.models.gp.inputs import factor_inputs, forward_returns, week_ends
from lib.models.gp.objectives import rank_ic
from lib.models.gp.settings import Settings
from lib.models.gp.walkforward import walk_forward
from lib.portfolio.backtest import backtest
from lib.report.parameters import load

FIELDS = ("open", "high", "low", "close", "volume", "amount")


def production() -> tuple[Settings, int]:
    """Return the settings and the number of seeds of ``params/03_gp_rotation.yaml``."""
    values = load("03_gp_rotation").model_dump()
    settings = Settings(**{name: values[name] for name in values if name in Settings.__dataclass_fields__})
    return settings, values["seeds"]


def study(market, name: str, first: str, until=None, shuffled: bool = False, n_jobs: int = 2) -> pd.DataFrame:
    """Return rank IC, yearly return, excess, turnover and factors of each seed and of their average."""
    settings, seeds = production()
    inputs = factor_inputs(market.panel(read_universe(name).index, FIELDS))
    libraries = walk_forward(
        inputs, settings, tuple(range(seeds)), first=first, shuffled=shuffled, n_jobs=n_jobs, report=print
    )
    closes = pd.DataFrame(inputs.close, index=inputs.dates, columns=inputs.symbols).loc[:until]
    weeks = inputs.dates[week_ends(inputs.dates)]
    weeks = weeks[(weeks >= libraries[0].mined_on) & (weeks <= closes.index[-1])]
    labels = forward_returns(inputs.close, 5)[inputs.dates.get_indexer(weeks)]
    frames = rotation_scores(inputs, libraries, by_seed=True)
    rows = []
    for seed, frame in {**frames, "all": average(frames)}.items():
        targets = top_weights(frame, weeks)
        run = backtest(closes, targets)
        base = backtest(closes, targets * 0 + 1 / targets.shape[1]).gross
        ic = rank_ic(frame.loc[weeks].to_numpy(), labels)
        own, even = (nav.pct_change().dropna() for nav in (run.gross, base))
        rows.append(
            {
                "seed": seed,
                "rank_ic": np.nanmean(ic) if np.isfinite(ic).any() else np.nan,
                "return": (1 + own).prod() ** (252 / len(own)) - 1,
                "benchmark": (1 + even).prod() ** (252 / len(even)) - 1,
                "volatility": own.std() * np.sqrt(252),
                "turnover": run.turnover.mean(),
                "factors": np.mean([len(entry.entries) for entry in libraries if seed in ("all", entry.seed)]),
                "weeks": int(np.isfinite(ic).sum()),
            }
        )
    table = pd.DataFrame(rows).set_index("seed")
    table.insert(3, "excess", table["return"] - table["benchmark"])
    table.insert(5, "sharpe", table["return"] / table["volatility"])
    return table


def main() -> None:
    pd.set_option("display.width", 160, "display.max_columns", 20)
    if len(sys.argv) > 1:
        folder, n_jobs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2
        cases = [
            ("sectors_citic32, selection window", folder, "sectors_citic32", "2018-12-20", "2022-09-30", False),
            ("sectors_sw", folder, "sectors_sw", "2022-09-30", "2025-06-13", False),
            ("sectors_citic32", folder, "sectors_citic32", "2022-09-30", "2024-12-31", False),
            ("sectors_sw, shuffled labels", folder, "sectors_sw", "2022-09-30", "2025-06-13", True),
        ]
    else:
        n_jobs = 2
        cases = [
            ("sample", "sample", "sectors_sw", "2022-09-30", None, False),
            ("sample, shuffled labels", "sample", "sectors_sw", "2022-09-30", None, True),
            ("sample without effects", "sample-null", "sectors_sw", "2022-09-30", None, False),
        ]
    for title, data, name, first, until, shuffled in cases:
        market = open_market(data, until or "latest")
        print(f"\n{title}\n{study(market, name, first, until, shuffled, n_jobs).round(4)}", flush=True)


if __name__ == "__main__":
    main()
