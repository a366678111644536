"""The weights of the absolute-return portfolio as of an earlier date, from the store on: nothing
later may count.
"""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from lib.exhibits.parameters import load
from lib.market.pointintime import Market
from lib.market.universe import read_universe
from lib.models.dividend_timing import dividend_timing
from lib.portfolio.absolute_return import AbsoluteReturnRules, absolute_return_portfolio
from lib.portfolio.proxies import proxy_values, splice_proxies


def rules():
    """The rules of the report."""
    values = load("04_absolute_return_etf").model_dump()
    chosen = {field.name: values[field.name] for field in fields(AbsoluteReturnRules)}
    return AbsoluteReturnRules(**chosen | {"trend_windows": tuple(chosen["trend_windows"])})


def weights(market, start="2023-12-29"):
    funds = read_universe("absolute_return").query("role != 'alternative'")
    closes = market.panel(funds.index, start="2022-01-04").frame()
    indices = market.closes(sorted({*funds["proxy"]} - {""}), start="2022-01-04")
    proxies, _ = proxy_values(indices, funds)
    values = splice_proxies(closes, proxies).values
    ratio = np.log(values["515080.SH"] / values["510300.SH"])
    timing = dividend_timing({"relative_momentum": ratio}, values.index, window=20, band=0.5)
    sectors = funds.loc[funds["role"] == "sector", "tracks"]
    # any point-in-time view will do: last month's change
    view = values[sectors.index].pct_change(20, fill_method=None).set_axis(sectors, axis=1)
    ends = market.sessions.month_ends(until=market.as_of)
    return absolute_return_portfolio(values, funds, view, timing.hold, ends[ends >= start], rules())


def check(market, earlier="2025-01-15"):
    now, then = weights(market), weights(Market(market.store, earlier, allow_stale=True))
    last = then.weights.index[-1]
    assert last == pd.Timestamp("2024-12-31") and len(then.weights) == 13
    pd.testing.assert_frame_equal(now.weights.loc[:last], then.weights)
    pd.testing.assert_series_equal(now.volatility.loc[:last], then.volatility)
    return now


def test_an_earlier_date_gives_the_same_weights_on_the_sample(sample_market):
    check(sample_market)


def test_an_earlier_date_gives_the_same_weights_on_real_data(real_market):
    portfolio = check(real_market)
    assert (portfolio.weights[["511090.SH", "511220.SH"]] > 0.1).all(axis=None)
    assert portfolio.volatility.between(0.005, 0.0385).all()
    assert set(portfolio.events["event"]) <= {"scaled_to_target", "inaccurate"}


@pytest.mark.parametrize("role", ["long", "commodity"])
def test_the_sample_carries_every_role_at_the_published_week(sample_market, role):
    held = weights(sample_market, "2025-03-31").weights.iloc[-1]
    assert (held[read_universe("absolute_return").query("role == @role").index] > 0).all()
