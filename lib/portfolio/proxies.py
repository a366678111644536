"""Proxies: a named index carries a fund's history before the fund exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.market.errors import ModelError
from lib.models.total_return import bond_total_return

#: a Chinese fund cannot move more in a day: the widest price limit is 20%
LARGEST_MOVE = 0.25


@dataclass(frozen=True)
class SplicedHistory:
    """Values of holding each fund, or before it existed its proxy.

    Attributes
    ----------
    values : DataFrame, (T, N)
        NaN before everything, after a fund's end and on days on which it did not trade.
    first_close : Series, (N,)
        First session on the fund's own closes; NaT where it has none.
    splits : DataFrame
        ``date``, ``symbol``, ``move``: changes beyond the price limit, taken for splits that the
        source did not adjust, and divided out.
    """

    values: pd.DataFrame
    first_close: pd.Series
    splits: pd.DataFrame


def splice_proxies(closes: pd.DataFrame, proxies: Mapping[str, pd.Series]) -> SplicedHistory:
    r"""Join each fund to its proxy, so that no past value is rewritten when the fund is listed.

    With the fund's first close on session :math:`s`, its closes :math:`P` and the proxy's values
    :math:`Q`,

    .. math:: V_t = \begin{cases} Q_t & t \le s \\ Q_s \, P_t / P_s & t > s. \end{cases}

    A move beyond 25% between two closes of a fund is impossible under the price limits, so it is a
    split that the source did not adjust: the series continues as if that day had not moved, and the
    day is recorded.

    Parameters
    ----------
    closes : DataFrame, (T, N)
        Total-return closes of the funds on sessions; NaN where they did not trade.
    proxies : mapping of symbol to Series (D,)
        Values of the proxies on their own dates, read at their last value on or before a session;
        NaN is skipped.

    Returns
    -------
    SplicedHistory
        A row depends on earlier rows only.

    Raises
    ------
    ModelError
        A price that is not positive.
    """
    values, first_close, splits = {}, {}, []
    for symbol, series in closes.items():
        if (series <= 0).any():
            raise ModelError(
                "a price is not positive",
                symbol=symbol,
                date=f"{series.index[series <= 0][0]:%Y-%m-%d}",
                remedy="repair the series, or take it out of the list",
            )
        adjusted, moves = _adjust_splits(series)
        splits += [(date, symbol, move) for date, move in moves.items()]
        first_close[symbol] = adjusted.first_valid_index() or pd.NaT
        values[symbol] = _spliced(adjusted, proxies.get(symbol), first_close[symbol])
    frame = pd.DataFrame(values, index=closes.index, columns=closes.columns)
    table = pd.DataFrame(splits, columns=["date", "symbol", "move"])
    return SplicedHistory(frame, pd.Series(first_close), table)


def proxy_values(
    indices: pd.DataFrame, funds: pd.DataFrame
) -> tuple[dict[str, pd.Series], pd.DataFrame]:
    """Return the values of each fund's proxy: an index as it is, or a yield as a par bond.

    Parameters
    ----------
    indices : DataFrame, (D, M)
        Closes of the indices and yields in percent that the data have, on their own dates.
    funds : DataFrame, indexed by symbol
        ``proxy``, ``maturity`` in years for a yield and else empty, and ``citic``, the index that
        carries the proxy before it exists; as the universe ``absolute_return`` explains them.

    Returns
    -------
    proxies : dict of Series, (D,)
        By fund; a fund whose proxy the data lack is left out.
    splits : DataFrame
        Of the proxies that are carried themselves, as in ``SplicedHistory``.
    """
    named = funds[funds["proxy"].isin(indices)]
    continued = named[named["citic"].isin(indices)].set_index("proxy")["citic"]
    older = {symbol: indices[citic] for symbol, citic in continued.items()}
    spliced = splice_proxies(indices[continued.index], older)
    indices = indices.assign(**spliced.values)
    proxies = {
        symbol: bond_total_return(indices[row.proxy].dropna(), float(row.maturity))
        if row.maturity
        else indices[row.proxy]
        for symbol, row in named.iterrows()
    }
    return proxies, spliced.splits


def _adjust_splits(series: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Divide out moves beyond the price limit; return the series and those moves."""
    move = series.dropna().pct_change()
    splits = move[move.abs() > LARGEST_MOVE]
    if splits.empty:
        return series, splits
    factor = (1.0 + splits).reindex(series.index).fillna(1.0).cumprod()
    return series / factor, splits


def _spliced(series: pd.Series, proxy: pd.Series | None, first_close: pd.Timestamp) -> pd.Series:
    """Return the series continued backwards by its proxy, (T,); itself where there is none."""
    before = pd.Series(dtype=float) if proxy is None else proxy.dropna()
    if before.empty:
        return series
    carried = before.reindex(series.index, method="ffill")
    if pd.isna(first_close):
        return carried
    if np.isnan(carried[first_close]):
        return series
    level = carried[first_close] / series[first_close]
    return carried.where(series.index <= first_close, series * level)
