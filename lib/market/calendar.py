"""Sessions of the Shanghai exchange, and their weeks, months and quarters."""

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
        The last session of the week before; weekly returns are from its close to that of ``last``.
    """

    first: pd.Timestamp
    last: pd.Timestamp
    previous_last: pd.Timestamp


@lru_cache(maxsize=1)
def _exchange_sessions() -> pd.DatetimeIndex:
    # both ends explicit, because the package's defaults move with today's date
    end = XSHGExchangeCalendar.bound_max()
    return exchange_calendars.get_calendar("XSHG", start="1990-12-19", end=end).sessions.as_unit(
        "ns"
    )


@dataclass(frozen=True)
class Sessions:
    """All known sessions: those that the exchange has published, then those in the data.

    Attributes
    ----------
    all : DatetimeIndex
        Sorted sessions.
    horizon : Timestamp
        The last session of the exchange calendar; later ones come from the data alone.
    """

    all: pd.DatetimeIndex
    horizon: pd.Timestamp

    @classmethod
    def load(cls, extra: pd.DatetimeIndex | None = None) -> Sessions:
        """Read the exchange calendar and extend it past its horizon by the dates in ``extra``."""
        sessions = _exchange_sessions()
        horizon = sessions[-1]
        if extra is not None and len(extra):
            later = pd.DatetimeIndex(extra).as_unit("ns")
            sessions = sessions.append(later[later > horizon].unique().sort_values())
        return cls(sessions, horizon)

    def on_or_before(self, date) -> pd.Timestamp:
        """Return the last session on or before ``date``.

        Raises
        ------
        DataError
            The date is before the first session, or too far past the last one.
        """
        date = pd.Timestamp(date)
        position = self.all.searchsorted(date, side="right") - 1
        if position < 0:
            remedy = f"start at {self.all[0]:%Y-%m-%d}"
            raise DataError("there was no session yet", date=f"{date:%Y-%m-%d}", remedy=remedy)
        if date > self.all[-1] + pd.Timedelta(days=31):
            raise DataError(
                f"the exchange calendar ends on {self.all[-1]:%Y-%m-%d}",
                date=f"{date:%Y-%m-%d}",
                remedy="update the exchange_calendars package, or bring newer data",
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
        start = self.all.searchsorted(pd.Timestamp(first))
        stop = self.all.searchsorted(pd.Timestamp(last), side="right")
        return self.all[start:stop]

    def count_between(self, earlier, later) -> int:
        """Count the sessions after ``earlier``, up to and including ``later``.

        After the last known session every weekday counts as one: the count is an upper bound there.
        """
        earlier = pd.Timestamp(earlier)
        later = pd.Timestamp(later)
        ends = self.all.searchsorted([earlier, later], side="right")
        first_unknown = max(self.all[-1], earlier) + pd.Timedelta(days=1)
        return int(ends[1] - ends[0]) + len(pd.bdate_range(first_unknown, later))

    @cached_property
    def _all_weeks(self) -> pd.DataFrame:
        dates = self.all.to_series()
        weeks = dates.groupby(dates.dt.to_period("W-SUN")).agg(["first", "last"])
        if self.all[-1] > self.horizon and self.all[-1].day_of_week < 4:
            weeks = weeks.iloc[:-1]  # past the horizon only a Friday shows that a week is complete
        return weeks.reset_index(drop=True)

    def weeks(self, start=None, until=None) -> pd.DataFrame:
        """Return the completed weeks, one row each.

        A week is the sessions from a Monday to the next Sunday; it is completed on ``until`` when
        none of them is later. A week without a session, such as the Spring Festival's, is left out.

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
        completed = self.weeks(until=as_of)
        if len(completed) < 2:
            raise DataError(
                "fewer than two weeks are completed",
                date=f"{pd.Timestamp(as_of):%Y-%m-%d}",
                remedy="take a later date",
            )
        last = completed["last"]
        return Week(completed["first"].iloc[-1], last.iloc[-1], last.iloc[-2])

    def month_ends(self, start=None, until=None) -> pd.DatetimeIndex:
        """Return the last session of each month that is complete on ``until``."""
        return self._period_ends("M", start, until)

    def quarter_ends(self, start=None, until=None) -> pd.DatetimeIndex:
        """Return the last session of each quarter that is complete on ``until``."""
        return self._period_ends("Q", start, until)

    def _period_ends(self, frequency: str, start, until) -> pd.DatetimeIndex:
        dates = self.all.to_series()
        last = pd.DatetimeIndex(dates.groupby(dates.dt.to_period(frequency)).max())
        if self.all[-1] > self.horizon:
            last = last[:-1]
        start = pd.Timestamp(start or last[0])
        until = pd.Timestamp(until or last[-1])
        return last[(last >= start) & (last <= until)]
