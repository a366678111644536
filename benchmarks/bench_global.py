"""Speed of the global allocation: one weight vector, the walk-forward since 2005, the evidence."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from benchmarks.measuring import with_targets
from lib.exhibits.parameters import load
from lib.market.ingest import open_market
from lib.market.universe import read_universe
from lib.models.cycle_scores import cycle_scores
from lib.models.momentum import momentum
from lib.models.total_return import asof_rows, total_return_index
from lib.portfolio.allocation import AllocationRules, Allocator
from lib.portfolio.backtest import backtest
from lib.portfolio.budgets import risk_budget_weights
from lib.portfolio.comparisons import placebos
from lib.portfolio.conventions import WEEKS_PER_YEAR
from lib.portfolio.covariance import shrunk_covariance


def one_vector(repeats: int = 200, **limits: float) -> float:
    """Median milliseconds of a risk budget of 24 assets, after the first."""
    rng = np.random.default_rng(1)
    returns = rng.normal(size=(104, 24)) + 0.7 * rng.normal(size=(104, 1))
    returns = pd.DataFrame(returns * np.geomspace(0.002, 0.05, 24))
    covariance = shrunk_covariance(returns, WEEKS_PER_YEAR).matrix
    even = pd.Series(1 / 24, covariance.index)
    spent = []
    for turn in range(repeats):
        scaled = covariance * (1 + 0.01 * turn)
        begin = time.perf_counter()
        risk_budget_weights(scaled, even, target_volatility=0.05, **limits)
        spent.append(time.perf_counter() - begin)
    return float(np.median(spent[1:]) * 1e3)


def walk_forward() -> dict[str, float]:
    """Seconds on the sample since 2005: the monthly walk-forward, its placebos, its backtest."""
    parameters = load("05_global_allocation")
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
    cycle = (parameters.periods, parameters.filter_width, parameters.regression_window)
    scores = cycle_scores(monthly, assets["group"], decisions, *cycle).classes
    daily = asof_rows(values, days)
    strength = momentum(monthly, parameters.momentum_window)
    allocator = Allocator(daily, monthly, strength, assets["group"], decisions)
    names = ("variant", "asset_cap", "class_cap", "target_volatility", "covariance_weeks")
    rules = AllocationRules(**{name: getattr(parameters, name) for name in names})
    weights = allocator.allocate(scores, rules).weights
    allocated = time.perf_counter()
    placebos(allocator, scores, rules, parameters.placebo_draws)
    compared = time.perf_counter()
    backtest(daily.where(closes.reindex(days).notna()), weights, cost=parameters.cost)
    return {
        "walk_forward": allocated - begin,
        "placebos": compared - allocated,
        "backtest": time.perf_counter() - compared,
    }


def measure() -> list[dict]:
    """Return the rows of ``outputs/benchmarks.json``."""
    spent = walk_forward()
    return with_targets(
        [
            ("global.weight_vector_24", one_vector(), "ms", 0.3),
            ("global.weight_vector_24_capped", one_vector(asset_cap=0.06), "ms", 2.0),
            ("global.walk_forward_2005", spent["walk_forward"], "s", 1.5),
            ("global.placebos_2005", spent["placebos"], "s", 2.0),
            ("global.backtest_2005", spent["backtest"], "s", 1.0),
        ]
    )


if __name__ == "__main__":
    for row in measure():
        print(row)
