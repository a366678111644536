"""Trades add up to their targets, never need a loan, and say what cannot be traded."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.market.errors import ModelError
from lib.portfolio.trades import LOT, SMALLEST_TRADE, trades, turnover

SYMBOLS = [f"F{number}" for number in range(6)]


@st.composite
def weights(draw):
    """Weights of some of the symbols that sum to at most one."""
    chosen = draw(st.lists(st.sampled_from(SYMBOLS), unique=True, max_size=6))
    raw = np.array([draw(st.floats(0, 1)) for _ in chosen])
    invested = draw(st.floats(0, 1))
    return pd.Series(raw / max(raw.sum(), 1.0) * invested, index=chosen, dtype=float)


prices_of = st.fixed_dictionaries(
    {}, optional={symbol: st.one_of(st.floats(0.5, 200), st.just(np.nan)) for symbol in SYMBOLS}
).map(lambda quoted: pd.Series(quoted, dtype=float))


@given(weights(), weights())
def test_trades_add_up_to_the_targets(held, target):
    table = trades(held, target)
    reached = table["from_weight"] + table["change"]
    wanted = target.reindex(table.index, fill_value=0.0)
    assert np.allclose(reached, wanted, atol=1e-12)
    assert target[target > 1e-9].index.isin(table.index).all()
    assert held[held > 1e-9].index.isin(table.index).all()
    traded = table[table["side"] != "hold"]
    assert (np.sign(traded["change"]) == traded["side"].map({"buy": 1, "sell": -1})).all()
    assert turnover(table) == pytest.approx(traded["change"].abs().sum())


@given(weights(), weights(), prices_of, st.floats(1e3, 1e9), st.sampled_from([0.0, 0.001]))
def test_lots_come_within_one_lot_of_the_targets_and_need_no_loan(
    held, target, prices, capital, cost
):
    table = trades(held, target, prices, capital=capital, cost=cost)
    value = LOT * prices.reindex(table.index)
    ordered = table["lots"].notna() & (table["side"] != "hold")
    gap = (table["lots"] * value - table["amount"]).abs()
    whole = ordered & ~table["status"].isin(["cut", "below_lot"])
    slack = capital * (cost + 1e-9) * 2 + 0.01 * table["amount"].abs()
    assert (gap[whole] <= (value + slack)[whole]).all()
    position = table["from_weight"] * capital / value
    assert (-table["lots"][ordered] <= position[ordered] * (1 + 1e-9) + 1e-9).all()
    bought = table.loc[ordered & (table["lots"] > 0), "lots"]
    assert np.allclose(bought, bought.round())
    flow = (table["lots"] * value).where(ordered, 0.0)
    flow = flow.where(table["status"] != "no_fund", table["amount"].clip(upper=0.0)).fillna(0.0)
    cash = (1 - table["from_weight"].sum()) * capital
    assert (flow + flow.abs() * cost).sum() <= cash + 1e-6 * capital


def test_a_held_position_is_closed_with_its_odd_units():
    table = trades(
        pd.Series({"A": 0.5}), pd.Series({"B": 0.5}), pd.Series({"A": 3.0, "B": 2.0}), capital=1000
    )
    assert table.loc["A", ["side", "lots"]].tolist() == ["sell", pytest.approx(-1.66)]
    assert table.loc["B", ["side", "lots"]].tolist() == ["buy", 2]


def test_what_cannot_be_traded_says_so():
    prices = pd.Series({"dear": 90.0, "halted": np.nan, "cheap": 1.0})
    target = pd.Series({"dear": 0.1, "halted": 0.2, "cheap": 0.3, "unlisted": 0.4})
    table = trades(pd.Series(dtype=float), target, prices, capital=10_000)
    assert table["status"].to_dict() == {
        "dear": "below_lot",
        "halted": "no_price",
        "cheap": "",
        "unlisted": "no_fund",
    }
    assert table.loc["cheap", "lots"] == 30 and table.loc["dear", "lots"] == 0
    assert table.loc[["halted", "unlisted"], "lots"].isna().all()
    assert table.loc["unlisted", "amount"] == pytest.approx(4000)
    without_capital = trades(pd.Series(dtype=float), target, prices)
    assert "lots" not in without_capital and without_capital.loc["halted", "status"] == "no_price"


def test_purchases_are_cut_when_a_sale_cannot_be_made():
    prices = pd.Series({"halted": np.nan, "new": 1.0})
    table = trades(
        pd.Series({"halted": 0.9}), pd.Series({"new": 0.9}), prices, capital=100_000, cost=0.001
    )
    assert table.loc["new", "status"] == "cut" and table.loc["halted", "status"] == "no_price"
    assert table.loc["new", "lots"] == np.floor(10_000 / 1.001 / 100)


def test_drift_below_the_smallest_trade_is_held_and_costs_nothing():
    half = SMALLEST_TRADE / 2
    table = trades(
        pd.Series({"A": 0.5, "B": half}), pd.Series({"A": 0.5 + half}), cost=0.01, capital=1e6
    )
    assert table["side"].to_dict() == {"A": "hold", "B": "sell"}
    assert table.loc["A", ["cost", "amount"]].tolist() == [0.0, 0.0]
    assert turnover(table) == pytest.approx(half)


@pytest.mark.parametrize(
    ("held", "target", "options"),
    [
        ({"A": -0.1}, {"A": 0.5}, {}),
        ({"A": np.nan}, {"A": 0.5}, {}),
        ({"A": 0.5}, {"A": 0.7, "B": 0.4}, {}),
        ({"A": 0.5}, {"A": 0.5}, {"capital": -1.0}),
        ({"A": 0.5}, {"A": 0.5}, {"capital": np.nan}),
        ({"A": 0.5}, {"A": 0.5}, {"prices": pd.Series({"A": 0.0})}),
    ],
)
def test_weights_capital_and_prices_are_checked(held, target, options):
    with pytest.raises(ModelError, match="remedy"):
        trades(pd.Series(held), pd.Series(target), **options)
