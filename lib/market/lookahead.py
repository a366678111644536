"""The one door to what was not known at the time; whoever uses it must say so on the exhibit."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from lib.market.pointintime import Market
from lib.market.store import columns_of


def constituents_from_later(market: Market, index_symbols: Iterable[str]) -> pd.DataFrame:
    """Return each index's earliest list, also when it is dated after the market's date: look-ahead.

    For sources with a single list. Members that left before it and weights that changed since are wrong in the past,
    so it may group symbols, and never be shown as known.

    Returns
    -------
    DataFrame with columns ``index_symbol``, ``as_of``, ``symbol``, ``weight``.
    """
    sql = f"""SELECT {columns_of("constituents")} FROM constituents WHERE index_symbol IN (SELECT unnest(?))
        QUALIFY as_of = min(as_of) OVER (PARTITION BY index_symbol) ORDER BY index_symbol, symbol"""
    return market.store.query(sql, [list(index_symbols)])
