"""Orders of the week: the trades of all systems, in the funds that carry their assets."""

from __future__ import annotations

import pandas as pd

from lib.market.pointintime import Market
from lib.portfolio.trades import trades, turnover
from lib.report.calls import Call

FILE = "tables/trades.csv"
ORDER_COLUMNS = [
    *("system", "symbol", "name", "name_en", "side", "from_weight", "to_weight", "change"),
    *("cost", "fund", "fund_name", "fund_name_en", "price", "status", "held_on", "due"),
]
#: columns of the exhibit
SHOWN = (
    *("system", "name", "name_en", "side", "from_weight", "to_weight", "change", "amount", "lots"),
    *("fund", "status"),
)
#: the average price of a session may be so far outside the low and high of the same scale
SAME_SCALE = 0.002


def fund_prices(market: Market, funds: list[str]) -> pd.Series:
    """Return what a unit of each fund costs at the last close, in CNY.

    Stored closes are total returns, so that a close before a later distribution is below the price
    that was paid. Amount over volume is not adjusted: where it is outside the session's low and
    high, it takes the close's place.

    Parameters
    ----------
    market : Market
        Gives the last closes.
    funds : list of str
        Symbols; those without a bar on the last session get NaN.

    Returns
    -------
    Series, (N,), indexed by symbol
    """
    stored = [fund for fund in funds if fund in market.instruments().index]
    if not stored:
        return pd.Series(float("nan"), index=pd.Index(funds, dtype=object))
    fields = ("low", "high", "close", "volume", "amount")
    panel = market.panel(stored, fields, start=market.as_of)
    last = pd.DataFrame({name: panel.frame(name).iloc[-1] for name in fields})
    average = last["amount"] / last["volume"].where(last["volume"] > 0)
    low, high = last["low"] * (1 - SAME_SCALE), last["high"] * (1 + SAME_SCALE)
    adjusted = (average < low) | (average > high)
    price = last["close"].where(~adjusted, average).where(panel.mask[-1])
    return price.reindex(funds)


def orders(calls: list[Call], market: Market, capital: float = 0.0) -> pd.DataFrame:
    """Return the trades of every system that holds weights.

    Parameters
    ----------
    calls : list of Call
        Of this run; those without ``held_on`` trade nothing.
    market : Market
        Gives names and last closes.
    capital : float
        CNY in each system; 0: no amounts and lots.

    Returns
    -------
    DataFrame
        ``system``, ``symbol``, ``name``, ``name_en``, then as ``trades`` returns them ``side`` to
        ``status`` and, with capital, ``amount`` and ``lots``; ``fund`` with its names and
        ``price``; ``held_on``, the session of ``from_weight``; ``due``, the session on which the
        rule trades next. Rows by system, purchases first, the largest first.
    """
    funds = sorted({row.fund for call in calls for row in call.rows if row.fund})
    prices = fund_prices(market, funds)
    stored = market.instruments()[["name", "name_en"]]
    tables = []
    for call in calls:
        if call.held_on is None:
            continue
        rows = pd.DataFrame([row.model_dump() for row in call.rows]).set_index("symbol")
        fund = rows["fund"].dropna()
        quoted = pd.Series(prices.reindex(fund).to_numpy(), fund.index)
        held, cost = rows["held"].fillna(0.0).astype(float), rows["cost"].astype(float)
        table = trades(held, rows["weight"], quoted, cost=cost, capital=capital)
        table = table.join(rows[["name", "name_en", "fund"]])
        named = stored.reindex(table["fund"]).set_axis(table.index).fillna("")
        table[["fund_name", "fund_name_en"]] = named.to_numpy()
        table["price"] = quoted.reindex(table.index)
        table = table.assign(system=call.system, held_on=call.held_on, due=call.due)
        table["order"] = table["side"].map({"buy": 0, "sell": 1, "hold": 2})
        table["size"] = -table["change"].abs()
        tables.append(table.sort_values(["order", "size"], kind="stable").reset_index())
    extra = ["amount", "lots"] if capital else []
    if not tables:
        return pd.DataFrame(columns=[*ORDER_COLUMNS, *extra])
    return pd.concat(tables, ignore_index=True)[[*ORDER_COLUMNS, *extra]]


def totals(table: pd.DataFrame) -> list[dict]:
    """Return each system's ``turnover`` and ``cost``, fractions of the portfolio, with ``system``,
    ``held_on`` and ``due``.
    """
    return [
        {
            "system": system,
            "held_on": rows["held_on"].iloc[0],
            "due": rows["due"].iloc[0] if rows["due"].notna().all() else None,
            "turnover": turnover(rows),
            "cost": float(rows["cost"].sum()),
        }
        for system, rows in table.groupby("system", sort=False)
    ]
