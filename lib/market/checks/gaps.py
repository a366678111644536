"""Checks for missing sessions and for symbols whose rows stop.

A gap becomes known later than it happens: it is dated by the row that reveals it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.market.calendar import Sessions
from lib.market.checks.findings import FindingsLog

#: sessions without a row after which a symbol counts as stopped; stocks are suspended for months
MAX_GAP_SESSIONS = {"stock": 60}
MAX_GAP_SESSIONS_OTHERS = 10
#: previous sessions that define how many symbols of a group usually have rows
USUAL_WINDOW = 5


def check_missing_sessions(log: FindingsLog, sessions: Sessions, groups: pd.Series) -> None:
    """Warn of sessions on which a group has no rows, or rows for few of its symbols.

    A session counts as missing when fewer than half as many symbols have rows as on the best of the
    previous ``USUAL_WINDOW`` sessions. The finding is dated by the group's next session with rows,
    which reveals the gap.

    Parameters
    ----------
    log : FindingsLog
        Bars sorted by symbol and date.
    sessions : Sessions
        Sessions of the exchange.
    groups : Series of str
        Group of each symbol, indexed by symbol.
    """
    group_of_row = _group_of_row(log, groups)
    days = log.days()
    for group in np.unique(group_of_row):
        counts = days[group_of_row == group].value_counts().sort_index()
        # past the horizon of the calendar only the data say which days are sessions
        known = sessions.all.union(counts.index[counts.index > sessions.horizon])
        span = known[(known >= counts.index[0]) & (known <= counts.index[-1])]
        present = counts.reindex(span, fill_value=0)
        usual = present.rolling(USUAL_WINDOW, min_periods=1).max().shift(1, fill_value=0).to_numpy()
        present = present.to_numpy()
        missing = np.flatnonzero((present < usual / 2) | (present == 0))
        revealed_on = [_next_present(present, position) for position in missing.tolist()]
        log.add_finding(
            "warn",
            "session missing",
            [f"{log.batch.kind}/{group}".rstrip("/")] * len(missing),
            span[revealed_on],
            [
                f"{span[position]:%Y-%m-%d}: {present[position]} symbols have a row"
                for position in missing
            ],
            "export the missing days",
        )


def _next_present(present: np.ndarray, position: int) -> int:
    later = np.flatnonzero(present[position:] > 0)
    return position + int(later[0])


def check_gaps(log: FindingsLog, kind: str, groups: pd.Series) -> None:
    """Warn of symbols without rows while their group goes on, whether they resume or not.

    Parameters
    ----------
    log : FindingsLog
        Bars sorted by symbol and date.
    kind : str
        Kind of the instruments.
    groups : Series of str
        Group of each symbol, indexed by symbol.
    """
    max_gap = MAX_GAP_SESSIONS.get(kind, MAX_GAP_SESSIONS_OTHERS)
    group_of_row = _group_of_row(log, groups)
    days = log.days().to_numpy()
    symbols = log.rows["symbol"].to_numpy()
    for group in np.unique(group_of_row):
        in_group = group_of_row == group
        calendar = np.unique(days[in_group])
        group_symbols = symbols[in_group]
        group_days = days[in_group]
        position = np.searchsorted(calendar, group_days)
        next_position = np.append(position[1:], len(calendar))
        next_position[np.append(group_symbols[1:] != group_symbols[:-1], True)] = len(calendar)
        gaps = np.flatnonzero(next_position - position > max_gap)
        last_days = group_days[gaps].astype("datetime64[D]").astype(str)
        log.add_finding(
            "warn",
            "rows stop",
            group_symbols[gaps],
            calendar[position[gaps] + max_gap],
            [f"no row after {day} in {max_gap} sessions of its group" for day in last_days],
            "refresh the export, or accept that the symbol was suspended or has ended",
        )


def _group_of_row(log: FindingsLog, groups: pd.Series) -> np.ndarray:
    codes, symbols = pd.factorize(log.rows["symbol"])
    return groups.reindex(symbols).fillna("").to_numpy(dtype=object)[codes]
