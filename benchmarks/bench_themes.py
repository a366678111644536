"""Speed of the theme scores on a made-up market of 787 stocks and 2431 sessions."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

import lightgbm
import numpy as np
import pandas as pd

from benchmarks.measuring import warm_notebook, with_targets
from lib.exhibits.parameters import load
from lib.market.panel import Panel
from lib.models.themes import scores
from lib.models.themes.features import features
from lib.models.themes.labels import blended_labels
from lib.models.themes.learners import BoostedTrainer, RidgeTrainer, TrainingData, ridge_design
from lib.models.themes.walkforward import ThemeSettings, walk_forward_scores


def made_up(stocks: int = 787, sessions: int = 2431, seed: int = 5) -> Panel:
    """Random walks with bars and volumes of the usual size, a tenth of the bars missing; not market
    data.
    """
    rng = np.random.default_rng(seed)
    shape = (sessions, stocks)
    close = 10 * np.exp((0.02 * rng.standard_normal(shape)).cumsum(axis=0))
    opening = close * np.exp(0.004 * rng.standard_normal(shape))
    fields = {
        "open": opening,
        "high": np.maximum(opening, close) * 1.01,
        "low": np.minimum(opening, close) * 0.99,
        "close": close,
        "volume": np.exp(15 + 0.5 * rng.standard_normal(shape)),
    }
    fields["amount"] = fields["volume"] * close
    symbols = pd.Index([f"{number:06d}.SZ" for number in range(stocks)])
    return Panel(
        pd.bdate_range("2015-01-05", periods=sessions), symbols, fields, rng.random(shape) > 0.1
    )


def settings() -> ThemeSettings:
    """Production settings, as the notebook takes them from its parameters."""
    values = load("02_ai_themes").model_dump()
    kept = {name: values[name] for name in ThemeSettings.__dataclass_fields__}
    return ThemeSettings(**kept | {"horizons": tuple(kept["horizons"])})


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds of some work."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def refit_before(data: TrainingData, dates: np.ndarray, seeds: int) -> None:
    """One refit as it was up to commit d8a84b9: bins of its own, weights of one, 150 trees on two
    fifths of the columns, normal equations from all rows.
    """
    rows = data.rows(dates)
    x, y = data.x[rows], data.y[rows]
    fixed = BoostedTrainer.SHARED
    before = {"learning_rate": 0.05, "feature_fraction": 0.4}
    bins = {"max_bin": 63, "bin_construct_sample_cnt": 20_000}
    binned = lightgbm.Dataset(x, y, weight=np.ones(len(y)), params=bins | fixed)
    for seed in range(seeds):
        lightgbm.train(
            fixed | BoostedTrainer.PARAMETERS | before | {"seed": 1000 + seed}, binned, 150
        )
    design = ridge_design(x)
    np.linalg.solve(design.T @ design + np.eye(design.shape[1]), design.T @ y)


def constituent_lists(indices: int = 133, dates: int = 42, members: int = 60) -> pd.DataFrame:
    """Made-up dated lists, as many as the sample has."""
    rng = np.random.default_rng(1)
    days = pd.date_range("2015-01-31", periods=dates, freq="2ME")
    picks = np.concatenate(
        [rng.choice(787, members, replace=False) for _ in range(indices * dates)]
    )
    return pd.DataFrame(
        {
            "index_symbol": np.repeat([f"I{i:03d}" for i in range(indices)], dates * members),
            "as_of": np.tile(np.repeat(days, members), indices),
            "symbol": [f"{number:06d}.SZ" for number in picks],
            "weight": 100.0 / members,
        }
    )


def measure() -> list[dict]:
    """Return the rows of ``outputs/benchmarks.json``."""
    panel, chosen = made_up(), settings()
    weeks = panel.dates[4::5]
    # compiled before the clock starts
    features(panel.until(panel.dates[299]), panel.dates[250:260], chosen.threads)
    built, _ = seconds(lambda: features(panel, weeks, chosen.threads))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    x, names, _ = features(panel, weeks, chosen.threads)
    y = blended_labels(panel, weeks, chosen.horizons, None, chosen.neutral)
    data = TrainingData(x, y, np.isfinite(y) & (np.isfinite(x).mean(axis=2) > 0.5), names)
    every, weights = np.ones(len(weeks), bool), np.ones(len(weeks))
    boosted, ridge = BoostedTrainer(data, chosen.seeds), RidgeTrainer(data)
    _, shared = seconds(lambda: (boosted.prepare(), ridge.prepare()))
    _, refit = seconds(lambda: (boosted.fit(every, weights), ridge.fit(every, weights)))
    _, before = seconds(lambda: refit_before(data, every, chosen.seeds))
    del x
    first = weeks[weeks >= "2019-01-01"][0]
    walked = seconds(lambda: walk_forward_scores(panel, weeks, first, chosen))
    lists, z = constituent_lists(), pd.DataFrame(1.0, weeks, panel.symbols)
    themes = pd.Index(lists["index_symbol"].unique())

    def group() -> None:
        scores.check_constituents(lists, panel.symbols, panel.dates[-1])
        scores.member_means(z, lists, themes, weeks)

    grouped, _ = seconds(group)
    return [
        *with_targets(
            [
                ("themes.features_787x486", built, "s", 5.0),
                ("themes.features_memory", memory, "GiB", 2.0),
                ("themes.shared_by_refits", shared, "s", 5.0),
                ("themes.walk_forward_2019", walked[0], "s", 40.0),
                ("themes.walk_forward_2019_processor", walked[1], "s", 70.0),
                ("themes.constituent_lists", grouped, "s", 2.0),
                ("themes.warm_notebook", warm_notebook("02_ai_themes"), "s", 10.0),
            ]
        ),
        {
            "name": "themes.refit",
            "value": refit,
            "unit": "s",
            "against": f"as of commit d8a84b9, {before:.1f} s",
            "ratio": refit / before,
        },
    ]


if __name__ == "__main__":
    for row in measure():
        print(row)
