"""Backtest: what target weights would have earned when traded at the next session's price."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from lib.market.errors import ModelError
from lib.portfolio.conventions import MONEY_MARKET_DAYS

#: weights that differ by less are the same
WEIGHT_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Backtest:
    """The course of a portfolio from its first decision on.

    Attributes
    ----------
    gross, net : Series, (T,)
        Net asset value before and after cost, 1 at the first decision.
    weights : DataFrame, (T, N)
        Share of each symbol in the gross value at each close, drifted since the last trade; the
        rest is cash.
    turnover : Series, (F,), indexed by trading session
        Traded value, purchases and sales together, over the value of the portfolio.
    contributions : DataFrame, (T, N)
        Gross profit of each symbol on each session, in units of the starting value: all of them add
        up to ``gross - 1``, less the interest on cash.
    interest : Series, (T,)
        Interest earned on cash on each session, in units of the starting value; 0 without a rate.
    delayed : DataFrame
        Orders that could not be carried out at once: ``decision``, ``symbol``, ``due``, ``traded``
        (NaT: never, the price had not come back or a later decision took its column).
    """

    gross: pd.Series
    net: pd.Series
    weights: pd.DataFrame
    turnover: pd.Series
    contributions: pd.DataFrame
    interest: pd.Series
    delayed: pd.DataFrame


def backtest(
    closes: pd.DataFrame,
    targets: pd.DataFrame,
    fill: Literal["next_close", "next_open"] = "next_close",
    opens: pd.DataFrame | None = None,
    cost: float | pd.Series = 0.0,
    cash_rate: pd.Series | None = None,
) -> Backtest:
    """Trade target weights and follow the portfolio.

    A decision at a session's close is traded on the next session, at its close or its open. Between
    trades the weights drift. A symbol without a price on the trading session keeps its position,
    valued at its last close; the order is carried to the symbol's next priced session and recorded.
    Purchases are cut to the available cash, so a sale that cannot be made never leads to borrowing,
    and completed once the sale has brought the cash.

    Parameters
    ----------
    closes : DataFrame, (T, N)
        Total-return closes, dates x symbols; NaN where a symbol did not trade.
    targets : DataFrame, (K, N'), indexed by decision session
        Weights between 0 and 1 that sum to at most one; symbols left out get 0.
    fill : {"next_close", "next_open"}
        Price of the trade.
    opens : DataFrame, (T, N), optional
        Needed for ``next_open``.
    cost : float or Series by symbol
        Fraction of the traded value, each way. It is taken from the whole portfolio in proportion,
        so gross and net hold the same weights.
    cash_rate : Series, (D,), indexed by date, optional
        Short rate that cash earns, a fraction per year (Actual/365). The last rate known at a close
        accrues until the next session; before the first rate, and without any, cash earns nothing.

    Returns
    -------
    Backtest
        From the first decision to the last row of ``closes``. A row depends on no later price.

    Raises
    ------
    ModelError
        A decision that is not a session, an unknown symbol, a weight that is missing or negative,
        weights above one, a negative cost, or opens that are needed and missing.
    """
    targets = _checked(closes, targets)
    charge = _charges(cost, closes.columns)
    start = closes.index.get_loc(targets.index[0])
    dates = closes.index[start:]
    raw = closes.to_numpy(dtype=float)
    held = pd.DataFrame(raw).ffill().to_numpy()[start:]
    if fill == "next_open":
        if opens is None:
            raise ModelError(
                "fills at the open need opens",
                remedy="give the panel of opens or fill at the next close",
            )
        quoted = opens.reindex(index=dates, columns=closes.columns).to_numpy(dtype=float)
        # a bar without a close is broken: nothing trades on it
        quoted = np.where(np.isfinite(raw[start:]), quoted, np.nan)
        # before the trade a symbol without an open is worth its last close
        before = np.where(np.isfinite(quoted), quoted, np.vstack([held[:1], held[:-1]]))
    else:
        quoted, before = raw[start:], held
    accrual = np.ones(len(dates)) if cash_rate is None else _accrual(cash_rate, dates)
    book = _Book(dates, closes.columns, held, quoted, before, charge, accrual)
    due = dates.get_indexer(targets.index) + 1
    book.run(
        dict(zip(due.tolist(), zip(targets.index, targets.to_numpy(), strict=True), strict=True))
    )
    return book.result()


class _Book:
    """Units, cash and open orders; prices are (T, N) from the first decision on."""

    def __init__(self, dates, symbols, held, quoted, before, charge, accrual):
        self.dates, self.symbols, self.charge = dates, symbols, charge
        self.accrual, self.interest = accrual, np.zeros(len(dates))
        self.quoted = quoted
        # a symbol without a price so far is held in no units; zero keeps the sums free of NaN
        self.held = np.nan_to_num(held)
        self.before = self.held if before is held else np.nan_to_num(before)
        rows, width = held.shape
        self.units, self.cash = np.zeros(width), 1.0
        self.pending, self.target = np.zeros(width, dtype=bool), np.zeros(width)
        self.value = np.zeros((rows, width))
        self.profit = np.zeros((rows, width))
        self.gross = np.ones(rows)
        self.charged = np.zeros(rows)
        self.traded: dict[pd.Timestamp, float] = {}
        self.delayed: list[dict] = []
        self.late: dict[int, dict] = {}

    def run(self, decisions: dict[int, tuple[pd.Timestamp, np.ndarray]]) -> None:
        """Go from event to event: a due decision, or a price that an open order waits for."""
        rows = len(self.dates)
        due = sorted(row for row in decisions if row < rows)
        row = 0
        while True:
            later = bisect_right(due, row)
            stop = due[later] if later < len(due) else rows
            if self.pending.any():
                waiting = np.isfinite(self.quoted[row + 1 : stop, self.pending]).any(axis=1)
                if waiting.any():
                    stop = row + 1 + int(waiting.argmax())
            self._hold(row + 1, min(stop, rows))
            if stop >= rows:
                return
            if stop in decisions:
                self._order(stop, *decisions[stop])
            self._trade(stop)
            row = stop

    def _hold(self, first: int, stop: int) -> None:
        """Value unchanged positions on rows [first, stop)."""
        if first >= stop:
            return
        prices = self.held[first - 1 : stop]
        self.value[first:stop] = prices[1:] * self.units
        self.profit[first:stop] = np.diff(prices, axis=0) * self.units
        cash = self.cash * np.cumprod(self.accrual[first:stop])
        self.interest[first:stop] = np.diff(cash, prepend=self.cash)
        self.gross[first:stop] = self.value[first:stop].sum(axis=1) + cash
        self.cash = float(cash[-1])

    def _order(self, row: int, decision: pd.Timestamp, weights: np.ndarray) -> None:
        """Take a decision's weights as orders, and note those that wait for a price."""
        self.target, self.late = weights, {}
        self.pending = (weights > WEIGHT_TOLERANCE) | (self.units > 0)
        for column in np.flatnonzero(self.pending & ~np.isfinite(self.quoted[row])):
            note = {
                "decision": decision,
                "symbol": self.symbols[column],
                "due": self.dates[row],
                "traded": pd.NaT,
            }
            self.late[int(column)] = note
            self.delayed.append(note)

    def _trade(self, row: int) -> None:
        """Pay interest, then trade the orders that have a price on the row."""
        self.interest[row] = self.cash * (self.accrual[row] - 1.0)
        self.cash += self.interest[row]
        priced = self.pending & np.isfinite(self.quoted[row])
        prior, quote = self.held[row - 1], self.before[row]
        held_value = quote * self.units
        total = held_value.sum() + self.cash
        trades = np.where(priced, self.target * total - held_value, 0.0)
        buys, sales = np.maximum(trades, 0.0), np.minimum(trades, 0.0)
        affordable = self.cash - sales.sum()
        cut = buys.sum() > affordable * (1 + 1e-9)
        unfinished = cut & (buys > 0)
        if cut:
            buys *= max(affordable, 0.0) / buys.sum()
        trades = buys + sales
        old = self.units.copy()
        self.units[priced] += trades[priced] / self.quoted[row, priced]
        self.units[priced & (self.target <= WEIGHT_TOLERANCE)] = 0.0
        self.cash = max(self.cash - trades.sum(), 0.0)
        done = priced & ~unfinished
        self.pending[done] = False
        for column in [column for column in self.late if done[column]]:
            self.late.pop(column)["traded"] = self.dates[row]
        close = self.held[row]
        self.value[row] = close * self.units
        self.profit[row] = (quote - prior) * old + (close - quote) * self.units
        self.gross[row] = self.value[row].sum() + self.cash
        volume = np.abs(trades)
        self.traded[self.dates[row]] = float(volume.sum() / total)
        self.charged[row] = float((volume * self.charge).sum() / total)

    def result(self) -> Backtest:
        gross = pd.Series(self.gross, self.dates, name="gross")
        weights = pd.DataFrame(self.value / self.gross[:, None], self.dates, self.symbols)
        turnover = pd.Series(self.traded, name="turnover", dtype=float)
        turnover.index = pd.DatetimeIndex(turnover.index)
        return Backtest(
            gross=gross,
            net=(gross * np.cumprod(1.0 - self.charged)).rename("net"),
            weights=weights,
            turnover=turnover,
            contributions=pd.DataFrame(self.profit, self.dates, self.symbols),
            interest=pd.Series(self.interest, self.dates, name="interest"),
            delayed=pd.DataFrame(self.delayed, columns=["decision", "symbol", "due", "traded"]),
        )


def _checked(closes: pd.DataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """Return targets in the order of closes, (K, N), or raise ModelError for invalid ones."""
    if not len(targets):
        raise ModelError(
            "there is no decision to trade", remedy="give target weights for at least one session"
        )
    invalid = targets.index.difference(closes.index)
    if len(invalid):
        raise ModelError(
            "a decision is not on a session",
            date=f"{invalid[0]:%Y-%m-%d}",
            remedy="decide on sessions of the panel",
        )
    unknown = targets.columns.difference(closes.columns)
    if len(unknown):
        raise ModelError(
            "target weights for a symbol without prices", symbol=unknown[0], remedy="add its closes"
        )
    bad = targets.isna() | (targets < -WEIGHT_TOLERANCE)
    if bad.any(axis=None):
        date, symbol = bad.index[bad.any(axis=1)][0], bad.columns[bad.any()][0]
        raise ModelError(
            "a target weight is missing or negative",
            symbol=symbol,
            date=f"{date:%Y-%m-%d}",
            remedy="weights lie between 0 and 1",
        )
    total = targets.sum(axis=1)
    if (total > 1 + 1e-6).any():
        date = total.index[total > 1 + 1e-6][0]
        raise ModelError(
            f"target weights sum to {total[date]:.4f}",
            date=f"{date:%Y-%m-%d}",
            remedy="at most one: no borrowing",
        )
    return targets.sort_index().reindex(columns=closes.columns, fill_value=0.0).clip(lower=0.0)


def _accrual(cash_rate: pd.Series, dates: pd.DatetimeIndex) -> np.ndarray:
    """Return the factor by which cash grows on each session, (T,), from the rate known at the close
    before.
    """
    rate = cash_rate.dropna().sort_index()
    known_rate = rate.reindex(rate.index.union(dates)).ffill().reindex(dates).fillna(0.0).to_numpy()
    days = np.diff(dates.to_numpy()) / np.timedelta64(1, "D")
    return np.concatenate([[1.0], 1.0 + known_rate[:-1] * days / MONEY_MARKET_DAYS])


def _charges(cost: float | pd.Series, symbols: pd.Index) -> np.ndarray:
    """Return the cost of each symbol, (N,), or raise ModelError for a missing or negative one."""
    charge = (
        cost.reindex(symbols) if isinstance(cost, pd.Series) else pd.Series(float(cost), symbols)
    )
    if charge.isna().any() or (charge < 0).any():
        symbol = charge.index[charge.isna() | (charge < 0)][0]
        raise ModelError(
            "a cost is missing or negative",
            symbol=symbol,
            remedy="give a fraction of the traded value",
        )
    return charge.to_numpy(dtype=float)
