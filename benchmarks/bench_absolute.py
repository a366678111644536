"""Speed of the absolute-return portfolio: its decisions and backtest since 2016, the settings that
its notebook compares, and the warm rerun of that notebook.
"""

from __future__ import annotations

import time
from dataclasses import fields, replace

import numpy as np
import pandas as pd

from benchmarks.measuring import warm_notebook, with_targets
from lib.exhibits.parameters import load
from lib.market.ingest import open_market
from lib.market.universe import read_universe
from lib.models.dividend_timing import dividend_timing
from lib.portfolio.absolute_return import AbsoluteReturnRules, absolute_return_portfolio
from lib.portfolio.backtest import backtest
from lib.portfolio.proxies import proxy_values, splice_proxies

AS_OF = "2025-06-13"
#: the week's notebook, on the sample
NOTEBOOK = "04_absolute_return_etf"
#: how often the notebook decides a whole backtest: the portfolio and its settings
PORTFOLIOS = 15


def whole_backtest() -> tuple[float, float]:
    """Return the seconds from closes to the net asset value, sector scores given, and those of
    deciding as many backtests as the notebook does.
    """
    market = open_market("sample", AS_OF)
    funds = read_universe("absolute_return")
    funds = funds[funds["role"] != "alternative"]
    closes = market.panel(funds.index, start="2014-12-01").frame()
    indices = market.closes(sorted({*funds["proxy"]} - {""}), start="2014-12-01")
    sectors = funds.loc[funds["role"] == "sector", "tracks"]
    ends = market.sessions.month_ends(until=market.as_of)
    decisions = ends[ends >= "2016-04-29"]
    noise = np.random.default_rng(1).normal(size=(len(closes), len(sectors)))
    parameters = load(NOTEBOOK).model_dump()
    rules = AbsoluteReturnRules(
        **{field.name: parameters[field.name] for field in fields(AbsoluteReturnRules)}
    )
    begin = time.perf_counter()
    proxies, _ = proxy_values(indices, funds)
    values = splice_proxies(closes, proxies).values
    view = pd.DataFrame(noise, values.index, sectors)
    ratio = np.log(values["515080.SH"] / values["510300.SH"])
    timing = dividend_timing({"relative_momentum": ratio}, values.index, window=20, band=0.5)
    inputs = (values, funds, view.loc["2022-09-30":], timing.hold, decisions)
    portfolio = absolute_return_portfolio(*inputs, rules)
    backtest(values, portfolio.weights, cost=0.0005)
    once = time.perf_counter() - begin
    begin = time.perf_counter()
    for steepness in np.linspace(0.0, 4.0, PORTFOLIOS):
        absolute_return_portfolio(*inputs, replace(rules, steepness=float(steepness)))
    return once, time.perf_counter() - begin


def measure() -> list[dict]:
    """Return the rows of ``outputs/benchmarks.json``."""
    once, settings = whole_backtest()
    return with_targets(
        [
            ("absolute.backtest_2016", once, "s", 1.0),
            ("absolute.settings", settings, "s", 1.0),
            ("absolute.notebook_warm", warm_notebook(NOTEBOOK, as_of=AS_OF), "s", 5.0),
        ]
    )


if __name__ == "__main__":
    for row in measure():
        print(row)
