"""Speed of the theme scores on a made-up market of 787 stocks and 2431 sessions."""

from __future__ import annotations

import resource
import time

import numpy as np
import pandas as pd

from benchmarks.measuring import warm_notebook, with_targets
from lib.market.panel import Panel
from lib.models.themes.features import features
from lib.models.themes.learners import Boosted
from lib.models.themes.walkforward import Settings, blend, walk_forward


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


def parts() -> tuple[float, float, float, float]:
    """Seconds of features, of one fit on the longest window and of the walk-forward; GiB the
    features took.
    """
    panel = made_up()
    # compiled before the clock starts
    features(panel.until(panel.dates[299]), panel.dates[250:260])
    begin = time.perf_counter()
    x, _, _ = features(panel, panel.dates)
    built = time.perf_counter() - begin
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    weeks = panel.dates[4::5]
    settings = Settings(
        {"boosted": 0.5, "linear": 0.5}, {5: 1.0, 10: 1.0, 20: 1.0}, retrain_months=6, seeds=3
    )
    y = blend(panel, weeks, settings, None)
    x = x[4::5].copy()
    train = np.isfinite(y) & (np.isfinite(x).mean(axis=2) > 0.5)
    rows, target = x[train], y[train]
    begin = time.perf_counter()
    Boosted(seeds=1).fit(rows, target, np.ones(len(target)))
    fitted = time.perf_counter() - begin
    del x, rows, target
    begin = time.perf_counter()
    walk_forward(panel, weeks, weeks[weeks >= "2019-01-01"][0], settings)
    return built, fitted, time.perf_counter() - begin, memory


def measure() -> list[dict]:
    """Return the rows of ``outputs/benchmarks.json``."""
    built, fitted, walked, memory = parts()
    return with_targets(
        [
            ("themes.features_787x2431", built, "s", 20.0),
            ("themes.features_memory", memory, "GiB", 4.0),
            ("themes.one_boosted_fit", fitted, "s", 6.0),
            ("themes.walk_forward_2019", walked, "s", 90.0),
            ("themes.warm_notebook", warm_notebook("02_ai_themes"), "s", 10.0),
        ]
    )


if __name__ == "__main__":
    for row in measure():
        print(row)
