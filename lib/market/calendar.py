"""Sessions of the Shanghai exchange, and the weeks, months and quarters they make."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import exchange_calendars
import pandas as pd
from exchange_calendars.exchange_calendar_xshg import XSHGExchangeCalendar

from lib.market.errors import DataError


@dataclass(frozen=True)
class Week:
    """A completed week of sessions.

    Attributes
    ----------
    first, last : Timestamp
        Its first and last session.
    previous_last : Timestamp
        The last session of the week before; weekly returns run from here to ``last``, by close.
    """

    first: pd.Timestamp
    last: pd.Timestamp
    previous_last: pd.Timestamp


@lru_cache(maxsize=1)
def _exchange_sessions() -> pd.DatetimeIndex:
    # both ends explicit: the package's defaults move with today's date
    end = XSHGExchangeCalendar.bound_max()
    return exchange_calendars.get_calendar("XSHG", start="1990-12-19", end=end).sessions.as_unit("ns")


@dataclass(frozen=True)
class Sessions:
    """All sessions known: those the exchange has published, then those the data show.

    Attributes
    ----------
    all : DatetimeIndex
        Sorted sessions.
    horizon : Timestamp
        The last session the exchange calendar knows; later ones come from the data alone.
    """

    all: pd.DatetimeIndex
    horizon: pd.Timestamp

    @classmethod
    def load(cls, extra: pd.DatetimeIndex | None = None) -> Sessions:
        """Read the exchange calendar and extend it past its horizon by the dates in ``extra``."""
        known = _exchange_sessions()
        if extra is not None and len(extra):
            later = pd.DatetimeIndex(extra).as_unit("ns")
            known = known.append(later[later > known[-1]].unique().sort_values())
        return cls(known, _exchange_sessions()[-1])

    def on_or_before(self, date) -> pd.Timestamp:
        """Return the last session on or before ``date``; DataError before the first one or past the horizon."""
        date = pd.Timestamp(date)
        position = self.all.searchsorted(date, side="right") - 1
        if position < 0:
            raise DataError(
                "there was no session yet", date=f"{date:%Y-%m-%d}", remedy=f"start at {self.all[0]:%Y-%m-%d}"
            )
        if date > self.all[-1] + pd.Timedelta(days=31):
            raise DataError(
                f"the exchange calendar ends on {self.all[-1]:%Y-%m-%d}",
                date=f"{date:%Y-%m-%d}",
                remedy="update the exchange_calendars package, or bring data that reach further",
            )
        return self.all[position]

    def next(self, date) -> pd.Timestamp:
        """Return the first session after ``date``; DataError when none is known."""
        position = self.all.searchsorted(pd.Timestamp(date), side="right")
        if position == len(self.all):
            raise DataError(
                "no later session is known",
                date=f"{pd.Timestamp(date):%Y-%m-%d}",
                remedy="update the exchange_calendars package",
            )
        return self.all[position]

    def between(self, first, last) -> pd.DatetimeIndex:
        """Return the sessions from ``first`` to ``last``, both included."""
        return self.all[self.all.searchsorted(pd.Timestamp(first)) : self.all.searchsorted(pd.Timestamp(last), "right")]

    def count_between(self, earlier, later) -> int:
        """Count the sessions after ``earlier``, up to and including ``later``.

        After the last session known every weekday counts, since it may be one: the count is an upper bound there.
        """
        earlier, later = pd.Timestamp(earlier), pd.Timestamp(later)
        ends = self.all.searchsorted([earlier, later], side="right")
        unknown = pd.bdate_range(max(self.all[-1], earlier) + pd.Timedelta(days=1), later)
        return int(ends[1] - ends[0]) + len(unknown)

    @cached_property
    def _all_weeks(self) -> pd.DataFrame:
        dates = self.all.to_series()
        weeks = dates.groupby(dates.dt.to_period("W-SUN")).agg(["first", "last"])
        if self.all[-1] > self.horizon and self.all[-1].day_of_week < 4:
            weeks = weeks.iloc[:-1]  # past the horizon only a Friday shows that a week is over
        return weeks.reset_index(drop=True)

    def weeks(self, start=None, until=None) -> pd.DataFrame:
        """Return the completed weeks, one row each.

        A week is the sessions between a Monday and its Sunday, completed on ``until`` when none of them lies after
        that date. Weeks without a session, such as the Spring Festival's, do not exist.

        Returns
        -------
        DataFrame with columns ``first`` and ``last``, both Timestamps.
        """
        weeks = self._all_weeks
        if start is not None:
            weeks = weeks[weeks["first"] >= pd.Timestamp(start)]
        if until is not None:
            weeks = weeks[weeks["last"] <= pd.Timestamp(until)]
        return weeks.reset_index(drop=True)

    def week(self, as_of) -> Week:
        """Return the last week completed on ``as_of``."""
        done = self.weeks(until=as_of)
        if len(done) < 2:
            raise DataError(
                "no two weeks were completed yet", date=f"{pd.Timestamp(as_of):%Y-%m-%d}", remedy="take a later date"
            )
        return Week(done["first"].iloc[-1], done["last"].iloc[-1], done["last"].iloc[-2])

    def month_ends(self, start=None, until=None) -> pd.DatetimeIndex:
        """Return the last session of each month that is over on ``until``."""
        return self._period_ends("M", start, until)

    def quarter_ends(self, start=None, until=None) -> pd.DatetimeIndex:
        """Return the last session of each quarter that is over on ``until``."""
        return self._period_ends("Q", start, until)

    def _period_ends(self, frequency: str, start, until) -> pd.DatetimeIndex:
        dates = self.all.to_series()
        last = pd.DatetimeIndex(dates.groupby(dates.dt.to_period(frequency)).max())
        if self.all[-1] > self.horizon:
            last = last[:-1]
        return last[(last >= pd.Timestamp(start or last[0])) & (last <= pd.Timestamp(until or last[-1]))]
