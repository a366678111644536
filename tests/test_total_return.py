import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from lib.market.errors import ModelError
from lib.models.cycle_scores import class_index, cycle_scores, expected_change
from lib.models.cycles import cycle_factors, yearly_change
from lib.models.momentum import momentum, stronger_half
from lib.models.total_return import (
    asof_rows,
    bond_total_return,
    compare_bond_returns,
    total_return_index,
)


@pytest.fixture
def monthly():
    steps = np.random.default_rng(5).normal(0.003, 0.04, (300, 4))
    dates = pd.date_range("2000-01-31", periods=300, freq="ME")
    return pd.DataFrame(np.exp(steps.cumsum(axis=0)), dates, list("abcd"))


def test_scores_against_statsmodels(monthly):
    base = yearly_change(class_index(monthly)).dropna()
    factors = cycle_factors(base.to_numpy(), horizon=1)
    own = yearly_change(monthly).loc[base.index]
    scores = expected_change(own.to_numpy(), factors, 50)
    for place, name in enumerate(own):
        fit = sm.OLS(own[name].to_numpy()[-50:], sm.add_constant(factors[-51:-1])).fit()
        expected = fit.predict(np.r_[1, factors[-1]]) - fit.predict(np.r_[1, factors[-2]])
        assert scores[place] == pytest.approx(expected[0], abs=1e-8)


def test_the_future_changes_no_view(monthly):
    classes = pd.Series(["x", "x", "y", "y"], monthly.columns)
    decisions = monthly.index[150:200:10]
    before = cycle_scores(monthly, classes, decisions, (42, 100, 200), 10.0, 50)
    monthly.iloc[200:] *= 5
    pd.testing.assert_frame_equal(
        before.classes, cycle_scores(monthly, classes, decisions, (42, 100, 200), 10.0, 50).classes
    )


def test_an_asset_with_a_gap_has_no_score(monthly):
    monthly.iloc[250, 0] = np.nan
    views = cycle_scores(
        monthly, pd.Series("x", monthly.columns), monthly.index[-1:], (42, 100, 200), 10.0, 50
    )
    assert views.assets.isna().iloc[0].tolist() == [True, False, False, False]


def test_a_class_without_any_value_in_a_month_is_refused(monthly):
    monthly.iloc[250] = np.nan
    with pytest.raises(ModelError, match="no asset of a class"):
        class_index(monthly)


def test_a_bond_against_repricing():
    dates = pd.date_range("2024-01-01", periods=50)
    percent = pd.Series(3 + np.random.default_rng(1).normal(0, 0.05, 50).cumsum(), dates, name="Y")
    value, expected = bond_total_return(percent, 10), 1.0
    for before, after in zip(percent.iloc[:-1] / 100, percent.iloc[1:] / 100, strict=True):
        coupons = sum(before / 2 / (1 + after / 2) ** k for k in range(1, 21))
        expected *= coupons + (1 + after / 2) ** -20 + before / 365
    assert value.iloc[-1] == pytest.approx(expected, abs=1e-4)


def test_yields_as_fractions_are_refused():
    percent = pd.Series([0.031, 0.032], pd.date_range("2024-01-01", periods=2), name="CN10Y")
    with pytest.raises(ModelError, match="look like fractions"):
        bond_total_return(percent, 10)


def test_hedging_and_gaps():
    dates = pd.bdate_range("2024-01-01", periods=60)
    closes = pd.DataFrame({"SPX": 100.0, "USDCNY": np.linspace(7, 8, 60)}, dates)
    closes.loc[dates[20:50], "SPX"] = np.nan
    columns = {
        "rule": ["price", "currency"],
        "maturity": "",
        "currency": ["USD", "CNY"],
        "quote": ["", "direct"],
    }
    assets = pd.DataFrame(columns, ["SPX", "USDCNY"])
    local = total_return_index(closes, assets, "hedged")
    assert local["SPX"].dropna().eq(100).all()
    # carried over closed days, not over a month
    assert local["SPX"].notna().sum() == 30 + ((dates[20:50] - dates[19]).days <= 16).sum()
    abroad = total_return_index(closes, assets, "unhedged")
    np.testing.assert_allclose(
        abroad["SPX"].dropna(), 100 * closes["USDCNY"][abroad["SPX"].notna()]
    )
    with pytest.raises(ModelError, match="no series"):
        total_return_index(closes[["SPX"]], assets)


def test_carry_adds_the_difference_of_short_rates():
    dates = pd.bdate_range("2024-01-01", periods=262)
    closes = pd.DataFrame({"SPX": 100.0, "DAX": 100.0, "CSI": 100.0, "USDCNY": 7.0}, dates)
    columns = {"rule": "price", "maturity": "", "currency": ["USD", "EUR", "CNY"], "quote": ""}
    assets = pd.DataFrame(columns, ["SPX", "DAX", "CSI"])
    rates = {"CNY": pd.Series(2.0, dates), "USD": pd.Series(5.0, dates[60:])}
    carried = total_return_index(closes, assets, "hedged_with_carry", rates)
    assert carried["DAX"].eq(100).all() and carried["CSI"].eq(100).all()
    assert carried["SPX"].iloc[:61].eq(100).all()
    years = (dates[-1] - dates[60]).days / 365
    assert carried["SPX"].iloc[-1] == pytest.approx(100 * np.exp(-0.03 * years), rel=1e-4)
    # a rate is known a session before it is earned
    rates["USD"].iloc[-1] = 50.0
    pd.testing.assert_frame_equal(
        carried, total_return_index(closes, assets, "hedged_with_carry", rates)
    )
    with pytest.raises(ModelError, match="short rate of CNY"):
        total_return_index(closes, assets, "hedged_with_carry", {"USD": rates["USD"]})


def test_values_on_takes_the_last_row_before():
    frame = pd.DataFrame({"a": [1.0, 2.0]}, pd.to_datetime(["2024-01-02", "2024-01-05"]))
    taken = asof_rows(
        frame, pd.to_datetime(["2024-01-01", "2024-01-04", "2024-01-06", "2024-01-07"])
    )["a"]
    assert np.isnan(taken.iloc[0]) and taken.iloc[1:].tolist() == [1, 2, 2]


def test_momentum_by_hand(monthly):
    log_price = np.log(monthly["a"])
    expected = (log_price.iloc[-1] - log_price.iloc[-13]) / (
        log_price.diff().iloc[-12:].std() * 12**0.5
    )
    assert momentum(monthly, 12)["a"].iloc[-1] == pytest.approx(expected)
    scores = pd.DataFrame({"a": [1.0, 1.0], "b": np.nan, "c": [3.0, 1.0], "d": [2.0, np.nan]})
    assert stronger_half(scores).to_numpy().tolist() == [
        [False, False, True, True],
        [True, False, False, False],
    ]


def test_the_bond_formula_beside_an_index_by_hand():
    dates = pd.to_datetime(["2022-12-30", "2023-06-30", "2023-12-29", "2024-12-31", "2025-01-02"])
    percent = pd.Series([3.0, np.nan, 3.0, 2.5, np.nan], dates, name="Y")
    index = pd.Series([np.nan, 50.0, 100.0, 110.0, 111.0], dates, name="I")
    table = compare_bond_returns(percent, index, 10)
    assert table["year"].tolist() == [2024] and table["index"].tolist() == pytest.approx([0.1])
    assert table["formula"][0] == pytest.approx(
        0.03 * 368 / 365 + 0.005 * 8.58 + 0.5 * 86.8 * 0.005**2, abs=2e-4
    )
    with pytest.raises(ModelError, match="share no two dates"):
        compare_bond_returns(percent, index.iloc[:2], 10)


def test_an_exchange_rate_is_used_from_its_start_only():
    dates = pd.bdate_range("2003-01-01", periods=400)
    closes = pd.DataFrame({"SPX": 100.0, "USDCNY": 8.0}, dates)
    assets = pd.DataFrame(
        {
            "rule": ["price", "currency"],
            "maturity": "",
            "currency": ["USD", "CNY"],
            "quote": ["", "direct"],
        },
        ["SPX", "USDCNY"],
    ).assign(start=["", "2003-06-02"])
    values = total_return_index(closes, assets, "unhedged")
    assert (
        values["SPX"].first_valid_index()
        == values["USDCNY"].first_valid_index()
        == pd.Timestamp("2003-06-02")
    )


def test_the_formula_follows_the_published_index_of_the_same_bonds(real_market):
    both = real_market.closes(["CN30Y", "CBA21801.CS"], start="2011-01-01")
    table = compare_bond_returns(both["CN30Y"], both["CBA21801.CS"], 30.0)
    assert len(table) >= 13 and table[["formula", "index"]].corr().iloc[0, 1] > 0.98
    assert (table["formula"] - table["index"]).abs().median() < 0.01
