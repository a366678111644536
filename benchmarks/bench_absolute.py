"""Speed of the absolute-return portfolio: its decisions and backtest since 2016, and the warm rerun
of its notebook.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from benchmarks.measuring import warm_notebook, with_targets
from lib.market.ingest import open_market
from lib.market.universe import read_universe
from lib.models.dividend_timing import dividend_timing
from lib.models.total_return import bond_total_return
from lib.portfolio.absolute_return import AbsoluteReturnRules, absolute_return_portfolio
from lib.portfolio.backtest import backtest
from lib.portfolio.proxies import splice_proxies

AS_OF = "2025-06-13"
#: the week's notebook, on the sample
NOTEBOOK = "04_absolute_return_etf"


def whole_backtest() -> float:
    """Seconds from closes to the net asset value, sector scores given: proxies, timing,
    decisions, trades.
    """
    market = open_market("sample", AS_OF)
    funds = read_universe("absolute_return")
    funds = funds[funds["role"] != "alternative"]
    closes = market.panel(funds.index, start="2014-12-01").frame()
    named = funds[funds["proxy"] != ""]
    lines = market.closes(named["proxy"].unique(), start="2014-12-01")
    sectors = funds.loc[funds["role"] == "sector", "tracks"]
    noise = np.random.default_rng(1).normal(size=(len(closes), len(sectors)))
    view = pd.DataFrame(noise, closes.index, sectors).loc["2022-09-30":]
    ends = market.sessions.month_ends(until=market.as_of)
    begin = time.perf_counter()
    proxies = {
        symbol: bond_total_return(lines[row.proxy].dropna(), float(row.maturity))
        if row.maturity
        else lines[row.proxy]
        for symbol, row in named.iterrows()
    }
    values = splice_proxies(closes, proxies).values
    ratio = np.log(values["515080.SH"] / values["510300.SH"])
    timing = dividend_timing({"relative_momentum": ratio}, values.index)
    portfolio = absolute_return_portfolio(
        values, funds, view, timing.hold, ends[ends >= "2016-04-29"], AbsoluteReturnRules()
    )
    backtest(values, portfolio.weights, cost=0.0005)
    return time.perf_counter() - begin


def measure() -> list[dict]:
    """Return the rows of ``outputs/benchmarks.json``."""
    return with_targets(
        [
            ("absolute.backtest_2016", whole_backtest(), "s", 10.0),
            ("absolute.notebook_warm", warm_notebook(NOTEBOOK, as_of=AS_OF), "s", 8.0),
        ]
    )


if __name__ == "__main__":
    for row in measure():
        print(row)
