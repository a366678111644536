"""Slow studies of the sector rotation: seeds and nulls on the sample, and a folder of real history
when one is given.

python benchmarks/study_gp.py                     the sample with its effects, and the null sample
python benchmarks/study_gp.py <folder> [n_jobs]   the seeds of a data folder, and its null of twenty
seeds, which is
                                                  kept in params/studies and noted in docs/research
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from lib.exhibits.parameters import load
from lib.market.atomic import atomic_write
from lib.market.ingest import STORES, open_market
from lib.models.forecast_evaluation import EXECUTION_LAG
from lib.models.gp.composite import average_seeds, rotation_scores
from lib.models.gp.inputs import Inputs, factor_inputs, join_panels
from lib.models.gp.null_study import NULL_STUDY, study_key
from lib.models.gp.settings import MiningSettings
from lib.models.gp.walkforward import mine_with_null
from lib.models.sector_view import sector_panels
from lib.portfolio.rotation_evidence import ALL_SEEDS, WEEK, Rotation, seed_study

NOTE = Path(__file__).resolve().parents[1] / "docs" / "research" / "03_gp_rotation.md"
#: seeds of the null study
NULL_SEEDS = 20


def production():
    """Return the parameters of notebook 03 and its settings of the search."""
    parameters = load("03_gp_rotation")
    values = parameters.model_dump()
    return parameters, MiningSettings(
        **{name: values[name] for name in values if name in MiningSettings.__dataclass_fields__}
    )


def sector_inputs(market, name: str) -> Inputs:
    """Return the inputs of a list of sectors."""
    panels = sector_panels(market, name)
    if panels is None:
        raise SystemExit(f"the data hold fewer than 15 sectors of the list {name}")
    return factor_inputs(join_panels(*panels))


def mine(market, seeds: int, null_seeds: int = 0, n_jobs: int = 2):
    """Return the inputs of the mined sectors, the libraries of production and those of the null."""
    parameters, settings = production()
    mined = sector_inputs(market, parameters.mined_on)
    libraries, null = mine_with_null(
        mined,
        settings,
        range(seeds),
        range(null_seeds),
        first=parameters.first_mined,
        n_jobs=n_jobs,
        cache_dir=STORES / "cache",
        report=print,
    )
    return mined, libraries, null


def judge(scored: Inputs, libraries, first: str, until, whole: bool = True) -> pd.DataFrame:
    """Return the study of each seed and, where wanted, of all together.

    Parameters
    ----------
    scored : Inputs
    libraries : list of Library
    first, until : date
        Scores of the weeks that end from the first to the last one.
    whole : bool
        Add the row of all seeds together.
    """
    parameters, _ = production()
    closes = pd.DataFrame(scored.close, index=scored.dates, columns=scored.symbols).loc[:until]
    rotation = Rotation.since(closes, first, parameters.top)
    frames = rotation_scores(scored, libraries, by_seed=True, since=first)
    if whole:
        frames = {**frames, ALL_SEEDS: average_seeds(frames)}
    span = {"first_week": rotation.weeks[0], "last_week": rotation.weeks[-1]}
    return seed_study(rotation, frames, libraries).assign(**span).set_index("seed")


def null_study(folder: str, n_jobs: int = 2, seeds: int = NULL_SEEDS) -> pd.DataFrame:
    """Mine shuffled labels with many seeds, keep the result of each as a CSV and add a dated
    note.
    """
    parameters, settings = production()
    market = open_market(folder, "latest")
    scored = sector_inputs(market, parameters.universe)
    mined, _, libraries = mine(market, 0, seeds, n_jobs=n_jobs)
    table = judge(scored, libraries, parameters.first_quarter, market.week.last, whole=False)
    rules = {name: getattr(parameters, name) for name in ("first_mined", "top", "fill")}
    table["key"] = study_key(mined, scored, settings, parameters.first_quarter, **rules)
    kept = (
        table[["rank_ic", "excess", "factors", "admission", "first_week", "last_week", "key"]]
        .round(6)
        .reset_index()
    )
    if NULL_STUDY.exists():
        # studies of other data or settings stay
        earlier = pd.read_csv(NULL_STUDY, comment="#", parse_dates=["first_week", "last_week"])
        kept = pd.concat([earlier[~earlier["key"].isin(kept["key"])], kept], ignore_index=True)
    head = "# rotation mined on shuffled labels, one row per seed; written by make study\n"
    text = head + kept.to_csv(index=False, date_format="%Y-%m-%d", lineterminator="\n")
    atomic_write(NULL_STUDY, text)
    note = null_note(
        table, len({library.mined_on for library in libraries}), parameters, market.fingerprint()
    )
    before, heading, after = NOTE.read_text(encoding="utf-8").partition("\n## ")
    atomic_write(NOTE, before + note + heading + after)
    return table


def null_note(table: pd.DataFrame, quarters: int, parameters, data: str) -> str:
    """Return the dated note of a null study, Markdown."""
    lines = [
        "| | mean | standard deviation of one seed | lowest | highest |",
        "|---|---|---|---|---|",
        _row("rank IC", table["rank_ic"], "{:.4f}"),
        _row("annualised excess, points", 100 * table["excess"], "{:.1f}"),
        _row("factors per library", table["factors"], "{:.1f}"),
        _row("candidates that reach the bars, percent", 100 * table["admission"], "{:.0f}"),
    ]
    one = table.iloc[0]
    return f"""
## Null of the rotation, {datetime.now(UTC):%Y-%m-%d}

{len(table)} seeds mined on shuffled labels at {quarters} quarter ends ({parameters.mined_on}),
scored on {parameters.universe}, weeks {one["first_week"]:%Y-%m-%d} to
{one["last_week"]:%Y-%m-%d}. Rank IC against the return of {WEEK} sessions from
{EXECUTION_LAG} session after the score. Data: fingerprint `{data}`; key of data and settings
`{one["key"]}`.

{chr(10).join(lines)}
"""


def _row(name: str, values: pd.Series, form: str) -> str:
    cells = [
        form.format(value) for value in (values.mean(), values.std(), values.min(), values.max())
    ]
    return f"| {name} | {' | '.join(cells)} |"


def show(title: str, table: pd.DataFrame) -> None:
    print(f"\n{title}\n{table.round(4)}", flush=True)


def main() -> None:
    pd.set_option("display.width", 160, "display.max_columns", 20)
    parameters, _ = production()
    first = parameters.first_quarter
    if len(sys.argv) > 1:
        folder, n_jobs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2
        market = open_market(folder, "latest")
        mined, libraries, _ = mine(market, parameters.seeds, n_jobs=n_jobs)
        show(
            "mined sectors, before the scored window",
            judge(mined, libraries, parameters.first_mined, first),
        )
        show(
            "scored sectors",
            judge(sector_inputs(market, parameters.universe), libraries, first, None),
        )
        show("scored sectors, shuffled labels", null_study(folder, n_jobs))
        return
    for data in ("sample", "sample-null"):
        market = open_market(data, "latest")
        scored = sector_inputs(market, parameters.universe)
        _, libraries, null = mine(market, parameters.seeds, parameters.seeds)
        for title, mined in ((data, libraries), (f"{data}, shuffled labels", null)):
            show(title, judge(scored, mined, first, None))


if __name__ == "__main__":
    main()
