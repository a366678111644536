"""Speed of the global allocation: one weight vector, the walk-forward since 2005, the backtest."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from benchmarks.measuring import with_targets
from lib.market.ingest import open_market
from lib.market.universe import read_universe
from lib.models.cycle_scores import cycle_scores
from lib.models.momentum import momentum
from lib.models.total_return import asof_rows, total_return_index
from lib.portfolio.allocation import AllocationRules, Allocator
from lib.portfolio.backtest import backtest
from lib.portfolio.budgets import risk_budget_weights
from lib.portfolio.covariance import shrunk_covariance


def one_vector(repeats: int = 40) -> float:
    """Median milliseconds of a solve for 24 assets, after the first."""
    rng = np.random.default_rng(1)
    returns = rng.normal(size=(104, 24)) + 0.7 * rng.normal(size=(104, 1))
    covariance = shrunk_covariance(pd.DataFrame(returns * np.geomspace(0.002, 0.05, 24))).matrix
    even = pd.Series(1 / 24, covariance.index)
    spent = []
    for turn in range(repeats):
        begin = time.perf_counter()
        risk_budget_weights(
            covariance * (1 + 0.01 * turn), even, asset_cap=0.25, target_volatility=0.05
        )
        spent.append(time.perf_counter() - begin)
    return float(np.median(spent[1:]) * 1e3)


def walk_forward() -> tuple[float, float]:
    """Seconds of the monthly walk-forward from 2005 on the sample, and of its backtest."""
    market = open_market("sample", "2025-06-13")
    assets = read_universe("allocation")
    closes = market.closes(assets.index)
    begin = time.perf_counter()
    values = total_return_index(closes, assets)
    ends = market.sessions.month_ends(until=market.as_of)
    monthly = asof_rows(values, ends)
    days = market.sessions.all
    days = days[(days >= "2001-01-01") & (days <= market.as_of)]
    decisions = ends[ends >= "2004-12-31"]
    views = cycle_scores(monthly, assets["group"], decisions)
    daily = asof_rows(values, days)
    allocator = Allocator(daily, monthly, momentum(monthly), assets["group"], decisions)
    weights = allocator.allocate(views.classes, AllocationRules()).weights
    middle = time.perf_counter()
    backtest(daily.where(closes.reindex(days).notna()), weights, cost=0.0005)
    return middle - begin, time.perf_counter() - middle


def measure() -> list[dict]:
    """Return the rows of ``outputs/benchmarks.json``."""
    walk, trade = walk_forward()
    return with_targets(
        [
            ("global.weight_vector_24", one_vector(), "ms", 5.0),
            ("global.walk_forward_2005", walk, "s", 10.0),
            ("global.backtest_2005", trade, "s", 1.0),
        ]
    )


if __name__ == "__main__":
    for row in measure():
        print(row)
