"""The week against its history, checked by pandas on the sample."""

import numpy as np
import pandas as pd
import pytest

from lib.exhibits import recap_history
from lib.exhibits.recap import week_changes
from lib.exhibits.recap_history import longer_changes
from lib.market.pointintime import Market
from lib.market.universe import read_universe


@pytest.fixture(scope="module")
def changes(sample_market):
    return week_changes(sample_market, read_universe("recap_assets"))


def test_month_year_and_percentile_are_those_of_the_closes(sample_market, changes):
    table = longer_changes(sample_market, changes).set_index(changes["symbol"])
    closes = sample_market.closes(["000300.SH", "US10Y"])[: sample_market.week.last].ffill()
    stock, bond = closes["000300.SH"], closes["US10Y"]
    row = table.loc["000300.SH"]
    assert row["month_change"] == pytest.approx(stock.iloc[-1] / stock[:"2025-05"].iloc[-1] - 1)
    assert row["ytd_change"] == pytest.approx(stock.iloc[-1] / stock[:"2024"].iloc[-1] - 1)
    expected = (bond.iloc[-1] - bond[:"2024"].iloc[-1]) * 100
    assert table.loc["US10Y", "ytd_change"] == pytest.approx(expected)
    weekly = stock.groupby(stock.index.to_period("W-SUN")).last().pct_change().dropna()
    share = (weekly.iloc[:-1] < weekly.iloc[-1]).mean()
    assert row["percentile"] == pytest.approx(share, abs=0.01)


def test_later_closes_change_nothing(sample_market, changes):
    later = Market(sample_market.store, "2025-06-13")
    early = Market(sample_market.store, "2025-06-15")
    first, second = (longer_changes(market, changes) for market in (later, early))
    pd.testing.assert_frame_equal(first, second)


def test_without_a_change_or_a_history_there_is_a_dash(sample_market, changes, monkeypatch):
    missing = changes.assign(change=np.nan)
    assert longer_changes(sample_market, missing).isna().all(axis=None)
    monkeypatch.setattr(recap_history, "FEWEST_WEEKS", 10**6)
    table = longer_changes(sample_market, changes)
    assert table["percentile"].isna().all() and table["ytd_change"].notna().any()
