"""Checks of when symbols and groups have rows.

An absence becomes known later than it happens: it is dated by the row that shows it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.market.calendar import Sessions
from lib.market.checks.ledger import Ledger

#: sessions without a row after which a symbol counts as stopped; stocks are suspended for months
PATIENCE = {"stock": 60}
PATIENCE_OTHERS = 10
#: sessions that say how many symbols of a group have rows
RECENT = 5


def check_missing_sessions(ledger: Ledger, sessions: Sessions, groups: pd.Series) -> None:
    """Warn of sessions on which a whole group, or most of it, has no rows.

    A session counts as missing when fewer than half as many symbols have rows as on the best of the ``RECENT`` sessions
    before. It is dated by the group's next session with rows, which shows it.
    """
    names, days = _groups(ledger, groups), ledger.days()
    for group in np.unique(names):
        counts = days[names == group].value_counts().sort_index()
        span = sessions.between(counts.index[0], counts.index[-1])
        present = counts.reindex(span, fill_value=0)
        usual = present.rolling(RECENT, min_periods=1).max().shift(1, fill_value=0).to_numpy()
        present = present.to_numpy()
        holes = np.flatnonzero((present < usual / 2) | (present == 0))
        known = [_next_present(present, place) for place in holes]
        ledger.event(
            "warn",
            "session missing",
            [f"{ledger.batch.kind}/{group}".rstrip("/")] * len(holes),
            span[known],
            [f"{span[place]:%Y-%m-%d}: {present[place]} symbols have a row" for place in holes],
            "export the missing days",
        )


def _next_present(present: np.ndarray, place: int) -> int:
    later = np.flatnonzero(present[place:] > 0)
    return place + int(later[0])


def check_gaps(ledger: Ledger, kind: str, groups: pd.Series) -> None:
    """Warn of symbols without rows while their group goes on, whether they resume or not."""
    patience = PATIENCE.get(kind, PATIENCE_OTHERS)
    names, days = _groups(ledger, groups), ledger.days().to_numpy()
    symbols = ledger.rows["symbol"].to_numpy()
    for group in np.unique(names):
        inside = names == group
        calendar = np.unique(days[inside])
        owners, dates = symbols[inside], days[inside]
        at = np.searchsorted(calendar, dates)
        following = np.append(at[1:], len(calendar))
        following[np.append(owners[1:] != owners[:-1], True)] = len(calendar)
        gap = np.flatnonzero(following - at > patience)
        ledger.event(
            "warn",
            "rows stop",
            owners[gap],
            calendar[at[gap] + patience],
            [
                f"no row after {last} in {patience} sessions of its group"
                for last in dates[gap].astype("datetime64[D]").astype(str)
            ],
            "refresh the export, or accept that the symbol was suspended or has ended",
        )


def _groups(ledger: Ledger, groups: pd.Series) -> np.ndarray:
    codes, symbols = pd.factorize(ledger.rows["symbol"])
    return groups.reindex(symbols).fillna("").to_numpy(dtype=object)[codes]
