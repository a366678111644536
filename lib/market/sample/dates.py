"""Dates of the synthetic market, and its independent random number generators."""

from __future__ import annotations

import zlib
from functools import cache

import exchange_calendars
import numpy as np
import pandas as pd

from lib.market.errors import DataError

FIRST_GLOBAL = pd.Timestamp("1990-01-01")
FIRST = pd.Timestamp("2012-01-04")
LAST = pd.Timestamp("2026-12-31")

#: the one historical date of the synthetic market: a common fall, so that themes have a low from
#: which gains are measured
SHOCK = pd.Timestamp("2025-04-07")

#: region -> holidays of each year (month, day), an approximation: some of the real ones move
HOLIDAYS: dict[str, tuple[tuple[int, int], ...]] = {
    "us": ((1, 1), (6, 19), (7, 4), (12, 25)),
    "uk": ((1, 1), (12, 25), (12, 26)),
    "de": ((1, 1), (5, 1), (12, 25), (12, 26)),
    "jp": ((1, 1), (1, 2), (1, 3), (2, 11), (4, 29), (5, 3), (5, 4), (5, 5), (11, 3), (11, 23)),
    "hk": ((1, 1), (5, 1), (7, 1), (10, 1), (12, 25), (12, 26)),
    "fx": ((1, 1), (12, 25)),
}


def rng_for(seed: int, *names: str) -> np.random.Generator:
    """Return the generator of a seed and a name; other names have independent generators."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


@cache
def weekdays() -> pd.DatetimeIndex:
    """Return the weekdays (G,) from 1990 to the end of the sample: the dates of global assets."""
    return pd.bdate_range(FIRST_GLOBAL, LAST)


@cache
def exchange_sessions() -> pd.DatetimeIndex:
    """Return the sessions of the Shanghai exchange since it opened in December 1990.

    Raises
    ------
    DataError
        The installed calendar does not reach the end of the sample.
    """
    bound = exchange_calendars.get_calendar("XSHG").bound_max()
    if bound is not None and bound < LAST:
        raise DataError(
            f"the XSHG calendar ends on {bound:%Y-%m-%d}, the sample needs it to {LAST:%Y-%m-%d}",
            remedy="install the exchange_calendars release of requirements.txt",
        )
    calendar = exchange_calendars.get_calendar("XSHG", start="1990-12-19", end=LAST)
    return pd.DatetimeIndex(calendar.sessions).as_unit("ns")


@cache
def sessions() -> pd.DatetimeIndex:
    """Return the sessions (T,) from 2012-01-04: the dates of everything listed in China."""
    all_sessions = exchange_sessions()
    return all_sessions[all_sessions >= FIRST]


@cache
def open_days(region: str) -> np.ndarray:
    """Return on which weekdays the region trades, (G,) bool.

    ``cn`` follows the exchange since it opened, and trades every weekday before.
    """
    days = weekdays()
    if region == "cn":
        all_sessions = exchange_sessions()
        return np.asarray((days < all_sessions[0]) | days.isin(all_sessions))
    holidays = [month * 100 + day for month, day in HOLIDAYS[region]]
    return ~np.isin(days.month * 100 + days.day, holidays)


def on_sessions(values: np.ndarray) -> np.ndarray:
    """Return the values on sessions, (T, ...), of values on weekdays, (G, ...)."""
    return values[weekdays().get_indexer(sessions())]
