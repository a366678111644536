"""Fetch of US inflation releases: a calendar of the last weeks, and a history now and then."""

from __future__ import annotations

import pandas as pd

from lib.market.errors import SuiteError
from lib.market.providers.client import redact
from lib.market.providers.contract import FetchRequest, call_provider, isin_keys
from lib.market.providers.fetch_task import UpdateContext, set_aside
from lib.market.providers.registry import ENDPOINTS
from lib.market.providers.response_checks import find_faults
from lib.market.schema import KEYS, cast_to_schema

#: days that the first calendar looks back, and days between two requests for a history
CALENDAR_DAYS = pd.Timedelta(days=45)
#: days of the calendar that are fetched again: a page may have been empty
CALENDAR_OVERLAP = pd.Timedelta(days=10)
HISTORY_ENDPOINT = "akshare.jin10_history"
INDICES = ("US_CPI", "US_PPI", "US_CORE_CPI", "US_CORE_PPI")
SERIES = [f"{index}_{rate}" for index in INDICES for rate in ("MOM", "YOY")]


def fetch_inflation(
    context: UpdateContext, stored: pd.DataFrame, last_asked: dict[str, str]
) -> None:
    """Fetch the releases that are due and stage the new ones.

    Parameters
    ----------
    context : UpdateContext
        Gives settings, client and staging.
    stored : DataFrame
        All releases in the store, one row per release.
    last_asked : dict
        Endpoint -> day of its last response; updated here.
    """
    calendars: list[pd.DataFrame] = []
    histories: list[pd.DataFrame] = []
    for endpoint in (name for names in context.settings.macro.values() for name in names):
        codes = context.settings.codes_of(endpoint, SERIES)
        is_history = endpoint == HISTORY_ENDPOINT
        last = context.day - CALENDAR_DAYS
        if endpoint in last_asked:
            last = pd.Timestamp(last_asked[endpoint])
        recent = is_history and last > context.day - CALENDAR_DAYS
        if not codes or recent or last >= context.day:
            continue
        start = pd.Timestamp("1970-01-01") if is_history else last - CALENDAR_OVERLAP
        request = FetchRequest("inflation", tuple(codes), codes, start, context.day, stored)
        rows = _fetch(endpoint, request, context)
        if rows is not None:
            (histories if is_history else calendars).append(rows)
            last_asked[endpoint] = f"{context.day:%Y-%m-%d}"
    # a history does not say which month was released: the calendar does, and has precedence
    dated = pd.concat([stored, *calendars])
    histories = [rows[~isin_keys(rows, dated, ["series", "release_date"])] for rows in histories]
    rows = pd.concat([stored.iloc[:0], *calendars, *histories], ignore_index=True)
    rows = rows.drop_duplicates(["series", "period"])
    if not context.accept_revisions:
        rows = rows[~isin_keys(rows, stored, ["series", "period"])]
    if len(rows):
        context.report.rows["macro", "inflation"] = len(rows)
        context.staging.add_new_rows("macro", "inflation", rows)


def _fetch(endpoint: str, request: FetchRequest, context: UpdateContext) -> pd.DataFrame | None:
    """Return a provider's releases; None, with the reason in the report, if they are faulty."""
    context.on_progress("inflation")
    try:
        response = call_provider(endpoint, ENDPOINTS[endpoint].function, request, context.client)
    except SuiteError as error:
        message = f"{endpoint}: {redact(error.message)}"
        context.report.failures |= {series: [message] for series in request.codes}
        return None
    rows = cast_to_schema("macro", response["macro"])
    stored = request.stored.iloc[:0]
    if not context.accept_revisions:
        days = pd.to_datetime(request.stored["release_date"])
        requested = (days >= request.start) & (days <= request.end)
        stored = request.stored[requested & request.stored["series"].isin(request.codes)]
    if endpoint == HISTORY_ENDPOINT:  # releases that only the calendar has are not a loss
        stored = stored[isin_keys(stored, rows, list(KEYS["macro"]))]
    faults = find_faults("macro", "macro", rows, stored, context.sessions)
    if not faults:
        return rows
    reasons = [f"{series}: {'; '.join(messages)}" for series, messages in faults.items()]
    set_aside(context, endpoint, "macro", (request, {"macro": rows}), reasons)
    return None
