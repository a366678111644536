"""Duration of the bond book and shocks to the present weights."""

import numpy as np
import pandas as pd
import pytest

from lib.market.errors import ModelError
from lib.portfolio.stress import bond_book, modified_duration, par_bond_change, shock_table

GROUPS = pd.Series({"long": "bond", "short": "bond", "fund": "equity", "oil": "commodity"})
WEIGHTS = pd.Series({"long": 0.4, "short": 0.3, "fund": 0.2, "oil": 0.05})
TERMS = pd.DataFrame({"percent": [2.0, 1.5], "years": [30.0, 4.0]}, index=["long", "short"])
SHOCKS = {"bond": 0.005, "equity": -0.1, "commodity": -0.2}


def price(rate, coupon, years):
    """Sum of the discounted half-yearly payments (slow oracle)."""
    steps = np.arange(1, int(2 * years) + 1)
    return (coupon / 2 / (1 + rate / 2) ** steps).sum() + (1 + rate / 2) ** -steps[-1]


@pytest.mark.parametrize(("percent", "years"), [(2.0, 30), (1.5, 4), (6.0, 10)])
def test_a_par_bond_is_repriced_payment_by_payment(percent, years):
    rate = percent / 100
    for shift in (-0.004, 0.005, 0.02):
        expected = price(rate + shift, rate, years) - price(rate, rate, years)
        assert par_bond_change(percent, years, shift) == pytest.approx(expected, rel=1e-9)
    slope = -(price(rate + 1e-6, rate, years) - price(rate - 1e-6, rate, years)) / 2e-6
    assert modified_duration(percent, years) == pytest.approx(slope, rel=1e-6)


def test_the_book_is_weighted_by_capital():
    book = bond_book(WEIGHTS, TERMS)
    assert book["percent"] == pytest.approx((0.4 * 2.0 + 0.3 * 1.5) / 0.7)
    assert book["duration"] == pytest.approx(
        (0.4 * modified_duration(2, 30) + 0.3 * modified_duration(1.5, 4)) / 0.7
    )
    assert bond_book(WEIGHTS[["fund", "oil"]], TERMS).isna().all()


def test_shocks_hit_their_class_and_add_up():
    table = shock_table(WEIGHTS, GROUPS, TERMS, SHOCKS)
    bonds = 0.4 * par_bond_change(2.0, 30, 0.005) + 0.3 * par_bond_change(1.5, 4, 0.005)
    assert table.loc["bond", "total"] == pytest.approx(bonds)
    assert table.loc["equity"].to_dict() == pytest.approx(
        {"bond": 0, "equity": -0.02, "commodity": 0, "total": -0.02}
    )
    assert table.loc["all", "total"] == pytest.approx(bonds - 0.02 - 0.01)
    assert table.loc["all", "total"] == pytest.approx(table.loc[list(SHOCKS), "total"].sum())


def test_a_bond_without_a_yield_is_not_known_unless_it_is_not_held():
    unknown = TERMS.assign(percent=[np.nan, 1.5])
    table = shock_table(WEIGHTS, GROUPS, unknown, SHOCKS)
    assert np.isnan(table.loc["bond", "total"]) and np.isnan(table.loc["all", "total"])
    assert table.loc["equity", "total"] == pytest.approx(-0.02)
    assert bond_book(WEIGHTS, unknown).isna().all()
    not_held = WEIGHTS.drop("long")
    assert shock_table(not_held, GROUPS, unknown, SHOCKS).notna().all(axis=None)
    assert bond_book(not_held, unknown)["percent"] == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("percent", "years", "shift"), [(0.0, 10, 0.01), (2.0, 0, 0.01), (1.0, 10, -0.02)]
)
def test_a_yield_or_maturity_that_is_not_positive_is_refused(percent, years, shift):
    with pytest.raises(ModelError, match=r"yield|maturity"):
        par_bond_change(percent, years, shift)
