import numpy as np
import pandas as pd
import pytest

from lib.market.calendar import Week
from lib.market.errors import ModelError
from lib.portfolio.metrics import METRICS, drawdown, performance


@pytest.fixture
def nav():
    dates = pd.bdate_range("2022-12-30", "2024-06-14")
    steps = 1 + np.random.default_rng(3).normal(0.0004, 0.01, len(dates))
    return pd.Series(np.cumprod(steps), dates, name="strategy")


def test_figures_by_hand():
    dates = pd.to_datetime(["2023-12-29", "2024-01-31", "2024-06-07", "2024-12-27"])
    table = performance(
        pd.Series([1.0, 1.2, 0.9, 1.1], dates, name="x"), Week(dates[3], dates[3], dates[2])
    )["x"]
    years = (dates[3] - dates[0]).days / 365.25
    assert list(table.index) == list(METRICS)
    assert table["annual_return"] == pytest.approx(1.1 ** (1 / years) - 1)
    assert table["annual_volatility"] == pytest.approx(
        np.std([0.2, -0.25, 1.1 / 0.9 - 1], ddof=1) * np.sqrt(3 / years)
    )
    assert table["max_drawdown"] == pytest.approx(-0.25)
    assert table["ytd_return"] == pytest.approx(0.1)
    assert table["week_return"] == pytest.approx(1.1 / 0.9 - 1)


def test_ratios_follow_the_published_convention(nav):
    table = performance(nav)["strategy"]
    assert table["sharpe"] == pytest.approx(table["annual_return"] / table["annual_volatility"])
    assert table["calmar"] == pytest.approx(table["annual_return"] / abs(table["max_drawdown"]))


def test_drawdown_against_a_loop(nav):
    worst = [nav.iloc[i] / nav.iloc[: i + 1].max() - 1 for i in range(len(nav))]
    np.testing.assert_allclose(drawdown(nav), worst)


def test_a_column_may_start_late_but_not_pause(nav):
    both = pd.DataFrame({"a": nav, "b": nav.where(nav.index > "2023-05-01")})
    table = performance(both)
    assert table["b"].equals(performance(nav[nav.index > "2023-05-01"].rename("b"))["b"])
    with pytest.raises(ModelError, match="without a gap"):
        performance(nav.where(nav.index != nav.index[30]))


def test_year_to_date_is_unknown_without_the_year_before(nav):
    assert np.isnan(performance(nav.loc["2024-02-01":])["strategy"]["ytd_return"])


@pytest.mark.parametrize("values", [[1.0, 1.1], [1.0, 0.0, 1.0], [1.0, -1.0, 2.0]])
def test_what_has_no_performance_is_refused(values):
    with pytest.raises(ModelError):
        performance(pd.Series(values, pd.bdate_range("2024-01-01", periods=len(values))))


def test_cash_has_no_sharpe():
    table = performance(pd.Series(1.0, pd.bdate_range("2024-01-01", periods=9), name="cash"))[
        "cash"
    ]
    assert np.isnan(table["sharpe"]) and np.isnan(table["calmar"]) and table["annual_return"] == 0


def test_a_report_made_later_in_the_next_week_has_the_same_figures():
    dates = pd.bdate_range("2024-01-01", "2024-06-21")
    nav = pd.Series(
        np.cumprod(1 + np.random.default_rng(5).normal(0, 0.01, len(dates))), dates, name="strategy"
    )
    week = Week(*pd.to_datetime(["2024-06-10", "2024-06-14", "2024-06-07"]))
    on_friday = performance(nav.loc[:"2024-06-14"], week)
    assert on_friday.loc["week_return", "strategy"] == pytest.approx(
        nav["2024-06-14"] / nav["2024-06-07"] - 1
    )
    for day in pd.bdate_range("2024-06-17", "2024-06-21"):
        pd.testing.assert_frame_equal(performance(nav.loc[:day], week), on_friday)


def test_a_week_that_the_values_do_not_reach_has_no_return(nav):
    week = Week(*pd.to_datetime(["2024-06-17", "2024-06-21", "2024-06-14"]))
    assert np.isnan(performance(nav, week)["strategy"]["week_return"])
