"""Proxies: a named proxy carries a fund's history before the fund exists, and marks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.market.errors import ModelError

#: no Chinese fund may move more in a day: the widest price limit is 20%
LARGEST_MOVE = 0.25


@dataclass(frozen=True)
class History:
    """Values of holding each fund, or before it existed its proxy.

    Attributes
    ----------
    values : DataFrame, (T, N)
        NaN before everything, after a fund's end and on days on which it did not trade.
    own_from : Series, (N,)
        First session on the fund's own closes; NaT where it has none.
    jumps : DataFrame
        ``date``, ``symbol``, ``move``: changes beyond the price limit, taken for splits and
        levelled out.
    """

    values: pd.DataFrame
    own_from: pd.Series
    jumps: pd.DataFrame


def splice_proxies(closes: pd.DataFrame, proxies: Mapping[str, pd.Series]) -> History:
    r"""Join each fund to its proxy, so that no past value is rewritten when the fund is listed.

    With the fund's first close on session :math:`s`, its closes :math:`P` and the proxy's values
    :math:`Q`,

    .. math:: V_t = \begin{cases} Q_t & t \le s \\ Q_s \, P_t / P_s & t > s. \end{cases}

    A move beyond 25% between two closes of a fund is impossible under the price limits, so it is a
    split that the
    source did not adjust: the series continues as if that day had not moved, and the day is
    recorded.

    Parameters
    ----------
    closes : DataFrame, (T, N)
        Total-return closes of the funds on sessions; NaN where they did not trade.
    proxies : mapping of symbol to Series
        Values of the proxies on their own dates, read at their last value on or before a session.

    Returns
    -------
    History
        A row depends on earlier rows only.

    Raises
    ------
    ModelError
        A price that is not positive.
    """
    values, own_from, jumps = {}, {}, []
    for symbol in closes:
        own = closes[symbol]
        if (own <= 0).any():
            raise ModelError(
                "a price is not positive",
                symbol=symbol,
                date=f"{own.index[own <= 0][0]:%Y-%m-%d}",
                remedy="repair the series, or take it out of the list",
            )
        own, moved = _levelled(own)
        jumps += [(date, symbol, move) for date, move in moved.items()]
        own_from[symbol] = own.first_valid_index() or pd.NaT
        values[symbol] = _joined(own, proxies.get(symbol), own_from[symbol])
    frame = pd.DataFrame(values, index=closes.index, columns=closes.columns)
    return History(
        frame, pd.Series(own_from), pd.DataFrame(jumps, columns=["date", "symbol", "move"])
    )


def _levelled(own: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Divide out moves beyond the price limit; return the series and those moves."""
    move = own.dropna().pct_change()
    jumps = move[move.abs() > LARGEST_MOVE]
    if jumps.empty:
        return own, jumps
    factor = (1.0 + jumps).reindex(own.index).fillna(1.0).cumprod()
    return own / factor, jumps


def _joined(own: pd.Series, proxy: pd.Series | None, first: pd.Timestamp) -> pd.Series:
    if proxy is None or not proxy.notna().any():
        return own
    dates = own.index
    known = proxy.dropna()
    carried = known.reindex(dates.union(known.index)).ffill().reindex(dates)
    if pd.isna(first):
        return carried
    if np.isnan(carried[first]):
        return own
    return carried.where(dates <= first, own * (carried[first] / own[first]))
