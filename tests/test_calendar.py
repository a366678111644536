"""Sessions and the weeks they make."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.market.calendar import Sessions
from lib.market.errors import DataError

SESSIONS = Sessions.load()


@pytest.mark.parametrize(
    ("date", "session"),
    [
        ("2025-06-13", "2025-06-13"),
        ("2025-06-15", "2025-06-13"),
        ("2025-02-03", "2025-01-27"),  # Spring Festival
        ("2025-10-05", "2025-09-30"),  # National Day
    ],
)
def test_the_last_session_on_or_before_a_date(date, session):
    assert SESSIONS.on_or_before(date) == pd.Timestamp(session)


@pytest.mark.parametrize(
    ("as_of", "first", "last", "previous"),
    [
        ("2025-06-13", "2025-06-09", "2025-06-13", "2025-06-06"),
        # mid-week: the week before; 2 June was a holiday
        ("2025-06-11", "2025-06-03", "2025-06-06", "2025-05-30"),
        ("2025-09-30", "2025-09-29", "2025-09-30", "2025-09-26"),  # a week that ends on a Tuesday
        ("2025-09-29", "2025-09-22", "2025-09-26", "2025-09-19"),
        ("2025-10-10", "2025-10-09", "2025-10-10", "2025-09-30"),  # the week between had no session
        # a week of holidays, the Spring Festival's
        ("2024-02-14", "2024-02-05", "2024-02-08", "2024-02-02"),
        ("2023-10-04", "2023-09-25", "2023-09-28", "2023-09-22"),  # the National Day's
        # one session before the Spring Festival
        ("2025-01-27", "2025-01-27", "2025-01-27", "2025-01-24"),
        ("2025-02-07", "2025-02-05", "2025-02-07", "2025-01-27"),
    ],
)
def test_the_last_completed_week(as_of, first, last, previous):
    week = SESSIONS.week(as_of)
    assert [f"{day:%Y-%m-%d}" for day in (week.first, week.last, week.previous_last)] == [
        first,
        last,
        previous,
    ]


@given(
    st.dates(
        min_value=pd.Timestamp("2012-01-01").date(), max_value=pd.Timestamp("2026-12-31").date()
    )
)
def test_weeks_cover_every_session_once_and_end_in_the_past(day):
    weeks = SESSIONS.weeks(until=day)
    assert (weeks["last"] <= pd.Timestamp(day)).all()
    assert (weeks["first"].iloc[1:].to_numpy() > weeks["last"].iloc[:-1].to_numpy()).all()
    covered = sum(len(SESSIONS.between(*row)) for row in weeks.tail(60).itertuples(index=False))
    assert covered == len(SESSIONS.between(weeks["first"].iloc[-60], weeks["last"].iloc[-1]))
    open_sessions = SESSIONS.count_between(weeks["last"].iloc[-1], day)
    assert open_sessions <= 5


def test_the_calendar_extends_by_the_sessions_of_the_data():
    after = pd.DatetimeIndex(["2027-01-04", "2027-01-05", "2027-01-08", "2027-01-11"])
    longer = Sessions.load(after)
    assert longer.on_or_before("2027-01-20") == after[-1]
    assert longer.week("2027-01-12").last == after[2], "the week of the last, a Monday, may go on"
    assert len(longer.all) == len(SESSIONS.all) + 4
    assert Sessions.load(SESSIONS.all[-10:]).all.equals(SESSIONS.all)


def test_past_the_last_known_session_weekdays_may_be_sessions():
    last = SESSIONS.all[-1]
    assert SESSIONS.count_between("2025-06-13", "2025-06-20") == 5
    assert SESSIONS.count_between("2025-09-30", "2025-10-08") == 0, "a week of holidays"
    assert SESSIONS.count_between(last, last) == 0
    monday = last + pd.offsets.Week(weekday=0)
    assert SESSIONS.count_between(monday, monday + pd.Timedelta(days=7)) == 5
    assert SESSIONS.count_between(last, "2040-01-01") > 3000


def test_the_horizon_is_checked():
    with pytest.raises(DataError, match=r"calendar ends on(.|\n)*remedy"):
        SESSIONS.on_or_before("2031-01-01")
    with pytest.raises(DataError, match="no session yet"):
        SESSIONS.on_or_before("1980-01-01")
    with pytest.raises(DataError, match="no later session"):
        SESSIONS.next(SESSIONS.all[-1])


def test_period_ends_are_over():
    assert SESSIONS.quarter_ends(until="2025-06-29")[-1] == pd.Timestamp("2025-03-31")
    assert SESSIONS.quarter_ends(until="2025-06-30")[-1] == pd.Timestamp("2025-06-30")
    ends = SESSIONS.month_ends(start="2025-01-01", until="2025-06-13")
    assert [f"{day:%m-%d}" for day in ends] == ["01-27", "02-28", "03-31", "04-30", "05-30"]
