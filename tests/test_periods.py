"""Returns by calendar period multiply to the whole, spells below a high have the right dates."""

import numpy as np
import pandas as pd
import pytest

from lib.portfolio.deflated import t_stat
from lib.portfolio.metrics import excess_statistics
from lib.portfolio.periods import longest_drawdowns, period_returns

DAYS = pd.bdate_range("2023-03-15", "2025-06-13")


@pytest.fixture
def nav():
    rng = np.random.default_rng(3)
    steps = 1 + rng.normal(0.0003, 0.01, (len(DAYS), 2))
    return pd.DataFrame(np.cumprod(steps, axis=0), DAYS, ["strategy", "benchmark"])


@pytest.mark.parametrize("frequency", ["Y", "M"])
def test_returns_of_periods_multiply_to_the_whole(nav, frequency):
    table = period_returns(nav, frequency)
    assert np.allclose((1 + table).prod(), nav.iloc[-1] / nav.iloc[0])
    year = nav["strategy"]
    if frequency == "Y":
        assert table.index.astype(str).tolist() == ["2023", "2024", "2025"]
        expected = year[:"2024"].iloc[-1] / year[:"2023"].iloc[-1] - 1
        assert table.loc["2024", "strategy"] == pytest.approx(expected)


def test_later_values_change_no_closed_period(nav):
    whole, early = period_returns(nav, "M"), period_returns(nav[:"2025-03-31"], "M")
    pd.testing.assert_frame_equal(whole[: len(early)], early)


def test_a_column_that_starts_late_has_no_return_before(nav):
    nav.loc[:"2024-06-28", "benchmark"] = np.nan
    assert np.isnan(period_returns(nav, "Y").loc["2023", "benchmark"])


def test_spells_below_a_high_have_dates_depth_and_length():
    days = pd.bdate_range("2025-01-01", periods=9)
    values = pd.Series([1.0, 0.9, 1.0, 1.2, 1.1, 0.9, 1.0, 1.2, 1.15], days)
    table = longest_drawdowns(values)
    assert table["days"].tolist() == sorted(table["days"], reverse=True)
    longest = table.iloc[0]
    assert (longest["peak"], longest["trough"]) == (days[3], days[5])
    assert longest["recovered"] == days[7] and longest["depth"] == pytest.approx(-0.25)
    open_spell = table[table["recovered"].isna()].iloc[0]
    assert open_spell["peak"] == days[7] and open_spell["days"] == (days[8] - days[7]).days
    assert len(longest_drawdowns(values, 1)) == 1
    assert longest_drawdowns(pd.Series([1.0, 1.1], days[:2])).empty


def test_excess_statistics_are_those_of_the_active_returns(nav):
    table = excess_statistics(nav, "benchmark")
    returns = nav.pct_change().dropna()
    active = returns["strategy"] - returns["benchmark"]
    assert table.loc["t_stat", "strategy"] == pytest.approx(t_stat(active))
    ratio = active.mean() / active.std() * np.sqrt(243)
    assert table.loc["information_ratio", "strategy"] == pytest.approx(ratio)
    assert table["benchmark"].isna().all()
