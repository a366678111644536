"""Look-ahead reads, kept in one place: an exhibit that uses one must say so."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from lib.market.pointintime import Market
from lib.market.store import columns_of


def constituents_from_later(market: Market, index_symbols: Iterable[str]) -> pd.DataFrame:
    """Return each index's earliest list, even one dated after the market's date: look-ahead.

    For sources with a single list. Members that left before it are missing and weights that changed
    since are wrong, so the list may group symbols, and must not be shown as known.

    Returns
    -------
    DataFrame with columns ``index_symbol``, ``as_of``, ``symbol``, ``weight``.
    """
    sql = f"""SELECT {columns_of("constituents")} FROM constituents
        WHERE index_symbol IN (SELECT unnest(?))
        QUALIFY as_of = min(as_of) OVER (PARTITION BY index_symbol) ORDER BY index_symbol, symbol"""
    return market.store.query(sql, [list(index_symbols)])


def sector_members(market: Market, groups: Iterable[str]) -> tuple[pd.DataFrame, bool]:
    """Return the members of the sectors of the first classification that has lists.

    Parameters
    ----------
    market : Market
        Gives instruments and constituents.
    groups : iterable of str
        Groups of the sector indices, the preferred one first, such as ``citic1`` and ``sw1``.

    Returns
    -------
    DataFrame
        As for ``constituents_from_later``; no rows when no classification has lists.
    bool
        The lists are dated after the market's date: look-ahead.
    """
    indices = [market.instruments("sector", group).index for group in groups]
    for symbols in indices:
        members = market.constituents(symbols)
        if len(members):
            return members, False
    for symbols in indices:
        members = constituents_from_later(market, symbols)
        if len(members):
            return members, True
    return constituents_from_later(market, []), False
