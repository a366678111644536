"""Trades: what takes a portfolio from the weights it holds to its targets."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.market.errors import ModelError
from lib.portfolio.backtest import WEIGHT_TOLERANCE

#: units in one lot of an exchange-traded fund in Shanghai and Shenzhen
LOT = 100
#: a smaller change of weight is not worth an order, unless it opens or closes a position
SMALLEST_TRADE = 0.0005
#: purchases cut by more than this share are marked
CUT = 0.01


def trades(
    held: pd.Series,
    target: pd.Series,
    prices: pd.Series | None = None,
    *,
    cost: float | pd.Series = 0.0,
    capital: float = 0.0,
    lot: int = LOT,
    smallest: float = SMALLEST_TRADE,
) -> pd.DataFrame:
    """Return the orders from the weights held to the targets.

    Parameters
    ----------
    held, target : Series, (N,), indexed by symbol
        Fractions of the portfolio, at least 0, that sum to at most one; the rest is cash. A symbol
        that one of them lacks has weight 0 there.
    prices : Series, indexed by symbol, optional
        Price today of the fund that is traded for a symbol, in CNY per unit; NaN: it has none
        today. A symbol that is not in the index has no fund. None: every symbol can be traded.
    cost : float or Series by symbol
        Fraction of the traded value, each way.
    capital : float
        Value of the portfolio in CNY; 0: no amounts and lots.
    lot : int
        Units in one lot.
    smallest : float
        A change of weight below it is held, unless it opens or closes a position.

    Returns
    -------
    DataFrame, indexed by symbol, of those that are held or targeted
        ``side`` (buy, sell, hold), ``from_weight``, ``to_weight``, ``change`` (the second less the
        first), ``cost`` (fraction of the portfolio), ``status``: empty, ``no_fund``, ``no_price``
        (cannot be traded today), ``below_lot`` (capital too small for one lot), ``cut`` (purchase
        cut to the available cash). With capital also ``amount`` (CNY of the change, negative for a
        sale) and ``lots`` (to order, negative for a sale; NaN where there is no fund or price).

        Sales are rounded up to whole lots, but never beyond the position, so that a position is
        closed with its odd units; purchases are rounded down and paid by cash and sales, so that
        the orders never need a loan.

    Raises
    ------
    ModelError
        A negative or missing weight, weights above one, a negative capital or a price that is not
        positive.
    """
    weights = pd.DataFrame({"from_weight": held, "to_weight": target}).fillna(0.0)
    order = target.index.union(held.index, sort=False)
    _check(held, target, prices, capital)
    table = weights.loc[order]
    table = table[(table > WEIGHT_TOLERANCE).any(axis=1)]
    table["change"] = table["to_weight"] - table["from_weight"]
    at_zero = table[["from_weight", "to_weight"]].le(WEIGHT_TOLERANCE).any(axis=1)
    small = (table["change"].abs() < smallest) & ~at_zero
    side = np.select([small, table["change"] > 0], ["hold", "buy"], "sell")
    table.insert(0, "side", side)
    charge = cost.reindex(table.index) if isinstance(cost, pd.Series) else cost
    table["cost"] = (table["change"].abs() * charge).where(table["side"] != "hold", 0.0)
    table["status"] = _status(table, prices)
    return _with_lots(table, prices, charge, capital, lot) if capital else table


def turnover(table: pd.DataFrame) -> float:
    """Return purchases and sales together over the value of the portfolio; what is held counts
    nothing.
    """
    return float(table.loc[table["side"] != "hold", "change"].abs().sum())


def _status(table: pd.DataFrame, prices: pd.Series | None) -> pd.Series:
    """Return why an order cannot be carried out as it is, an empty text where it can."""
    status = pd.Series("", index=table.index)
    if prices is not None:
        ordered = table["side"] != "hold"
        has_fund = table.index.isin(prices.index)
        status[ordered & ~has_fund] = "no_fund"
        status[ordered & has_fund & prices.reindex(table.index).isna()] = "no_price"
    return status


def _with_lots(
    table: pd.DataFrame,
    prices: pd.Series | None,
    charge: float | pd.Series,
    capital: float,
    lot: int,
) -> pd.DataFrame:
    """Return the table with amounts and lots."""
    table["amount"] = table["change"].where(table["side"] != "hold", 0.0) * capital
    table["lots"] = np.nan
    if prices is None:
        return table
    price = prices.reindex(table.index)
    value = lot * price
    position = np.floor(table["from_weight"] * capital / price + 1e-9) / lot
    wanted = -table["amount"] / value
    sold = np.minimum(np.ceil(wanted - 1e-9), position).where(table["side"] == "sell", 0.0)
    sold = sold.where(table["to_weight"] > WEIGHT_TOLERANCE, position).where(
        table["side"] == "sell", 0.0
    )
    elsewhere = table["status"] == "no_fund"
    proceeds = (sold * value).where(~elsewhere, table["amount"].clip(upper=0.0).abs())
    cash = max(1.0 - table["from_weight"].sum(), 0.0) * capital
    cash += (proceeds.fillna(0.0) * (1.0 - charge)).sum()
    purchases = table["amount"].clip(lower=0.0).where(price.notna() | elsewhere, 0.0)
    needed = float((purchases * (1.0 + charge)).sum())
    share = min(1.0, cash / needed) if needed > 0 else 1.0
    bought = np.floor(purchases * share / value + 1e-9)
    table["lots"] = (bought - sold).where(price.notna())
    buys = (table["side"] == "buy") & price.notna()
    if share < 1.0 - CUT:
        table.loc[buys, "status"] = "cut"
    table.loc[buys & (bought == 0), "status"] = "below_lot"
    return table


def _check(held: pd.Series, target: pd.Series, prices: pd.Series | None, capital: float) -> None:
    """Raise ModelError for weights, prices or a capital that cannot be traded."""
    for weights in (held, target):
        bad = weights.isna() | (weights < -WEIGHT_TOLERANCE)
        if bad.any():
            raise ModelError(
                "a weight is missing or negative",
                symbol=weights.index[bad][0],
                remedy="weights lie between 0 and 1",
            )
        if weights.sum() > 1 + 1e-6:
            raise ModelError(
                f"weights sum to {weights.sum():.4f}", remedy="at most one: no borrowing"
            )
    if not capital >= 0:
        raise ModelError(f"the capital is {capital}", remedy="give CNY, or 0 for none")
    if prices is not None and (prices <= 0).any():
        raise ModelError(
            "a price is not positive",
            symbol=prices.index[prices <= 0][0],
            remedy="repair the series",
        )
