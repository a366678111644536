"""Trend and its map to budgets."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.market.errors import ModelError
from lib.models.trend import trend_budgets, trend_strength

WINDOWS = (20, 60, 120, 250)


def walk(seed=0, sessions=400, assets=3, drift=0.0):
    rng = np.random.default_rng(seed)
    dates = pd.bdate_range("2020-01-01", periods=sessions)
    returns = rng.normal(drift, 0.01, (sessions, assets))
    return pd.DataFrame(
        100 * np.exp(returns.cumsum(axis=0)), index=dates, columns=list("abc")[:assets]
    )


def test_trend_equals_its_formula_at_one_date():
    closes = walk()
    date = closes.index[300]
    log_price = np.log(closes["b"].loc[:date])
    sigma = log_price.diff().tail(60).std()
    expected = np.mean(
        [
            np.tanh((log_price.iloc[-1] - log_price.iloc[-1 - n]) / (sigma * np.sqrt(n)))
            for n in WINDOWS
        ]
    )
    assert trend_strength(closes, WINDOWS).loc[date, "b"] == pytest.approx(expected, rel=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(255, 398))
def test_the_future_does_not_change_the_past(seed, cut):
    closes = walk(seed)
    altered = closes.copy()
    altered.iloc[cut:] *= np.random.default_rng(seed + 1).uniform(0.5, 2, altered.iloc[cut:].shape)
    altered.iloc[-1, 0] = np.nan
    before, after = (
        trend_strength(closes, WINDOWS).iloc[:cut],
        trend_strength(altered, WINDOWS).iloc[:cut],
    )
    pd.testing.assert_frame_equal(before, after)


def test_trend_is_bounded_scale_free_and_odd():
    closes = walk(drift=0.01)
    trend = trend_strength(closes, WINDOWS)
    assert trend.abs().max().max() < 1
    assert trend.iloc[-1].min() > 0.9, "a steady rise is near the upper bound"
    pd.testing.assert_frame_equal(trend, trend_strength(closes * 1000, WINDOWS))
    pd.testing.assert_frame_equal(trend, -trend_strength(1 / closes, WINDOWS))
    bond = closes**0.1  # the same path at a tenth of the volatility
    pd.testing.assert_frame_equal(trend, trend_strength(bond, WINDOWS))


def test_trend_is_missing_where_it_cannot_be_known():
    closes = walk()
    closes.iloc[:100, 0] = np.nan
    closes.iloc[320, 1] = np.nan
    closes["c"] = 1.0
    trend = trend_strength(closes, WINDOWS)
    # the sixty daily returns of the volatility fill after the shortest window
    assert trend["a"].first_valid_index() == closes.index[160]
    assert np.isnan(trend["b"].iloc[320]) and not np.isnan(trend["b"].iloc[321])
    assert trend["c"].isna().all(), "a price that never moves has no trend"


def test_a_young_asset_uses_the_windows_that_its_history_fills():
    closes = walk()
    closes.iloc[:100, 0] = np.nan
    trend = trend_strength(closes, WINDOWS)
    for row, windows in (
        (165, (20, 60)),
        (230, (20, 60, 120)),
        (349, (20, 60, 120)),
        (350, (20, 60, 120, 250)),
    ):
        expected = trend_strength(closes, windows).iloc[row]["a"]
        assert trend.iloc[row]["a"] == pytest.approx(expected, rel=1e-12)
    long_only = trend_strength(closes, (250,))["a"]
    assert long_only.first_valid_index() == closes.index[350], "a longer window is never shortened"


@given(
    st.lists(st.floats(-1, 1), min_size=2, max_size=5),
    st.floats(0, 5),
    st.data(),
)
def test_budgets_sum_to_one_and_grow_with_the_trend(values, steepness, data):
    trend = np.array(values)
    budgets = trend_budgets(trend, steepness)
    assert budgets.sum() == pytest.approx(1)
    assert (budgets > 0).all()
    raised = trend.copy()
    chosen = data.draw(st.integers(0, len(trend) - 1))
    raised[chosen] += 0.5
    assert trend_budgets(raised, steepness)[chosen] >= budgets[chosen] - 1e-12


def test_a_class_without_trend_gets_no_budget():
    budgets = trend_budgets(np.array([[np.nan, 0.2, 0.2], [0.1, 0.1, np.nan]]), 1.0)
    assert budgets.tolist() == [[0.0, 0.5, 0.5], [0.5, 0.5, 0.0]]


def test_bad_input_is_refused_with_its_remedy():
    closes = walk()
    closes.loc["2020-03-02", "b"] = -1.0
    with pytest.raises(ModelError, match="b\n  date: 2020-03-02"):
        trend_strength(closes, WINDOWS)
    with pytest.raises(ModelError, match="two sessions"):
        trend_strength(walk(), windows=())
    with pytest.raises(ModelError, match="two sessions"):
        trend_strength(walk(), windows=(1,))
    with pytest.raises(ModelError, match="steepness"):
        trend_budgets(np.array([0.1]), -1)
    with pytest.raises(ModelError, match="no class"):
        trend_budgets(np.array([[0.1], [np.nan]]), 1.0)
