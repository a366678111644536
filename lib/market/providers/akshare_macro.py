"""akshare: US inflation with its consensus.

Two sources complement each other. jin10 has the whole history of the four monthly changes, each
with a survey's forecast. The calendar of Wallstreetcn has monthly and yearly changes with a
consensus, one day per request: it covers the weeks since the last update.
"""

from __future__ import annotations

import re

import pandas as pd

from lib.market.providers.client import Client, ProviderError
from lib.market.providers.contract import FetchRequest, Response, parse_numbers, select_columns

#: function of akshare -> series; percent against the month before
JIN10 = {
    "macro_usa_cpi_monthly": "US_CPI_MOM",
    "macro_usa_core_cpi_monthly": "US_CORE_CPI_MOM",
    "macro_usa_ppi": "US_PPI_MOM",
    "macro_usa_core_ppi": "US_CORE_PPI_MOM",
}
#: 5月核心CPI同比: month, core or not, index, change over the year or the month. The country has a
#: column of its own; a title may repeat it, and may mark yearly changes as not seasonally adjusted,
#: which they always are
TITLE = re.compile(
    r"^(?:美国)?(?P<month>\d{1,2})月(?:未季调(?=.*同比))?"
    r"(?P<core>核心)?(?P<index>CPI|PPI)(?P<rate>同比|环比)(?:\(%\))?$"
)
COUNTRY = "美国"
#: share of the calendar's days that may have no entries at all: holidays everywhere
MAX_EMPTY_SHARE = 0.2
VALUES = ["actual", "consensus", "previous"]


def history_code(symbol: str) -> str | None:
    """Return the function that lists a series, None for yearly changes."""
    functions = {series: function for function, series in JIN10.items()}
    return functions.get(symbol)


def jin10_history(request: FetchRequest, client: Client) -> Response:
    """Return the whole history of monthly changes, each released in the month after its period."""
    import akshare

    frames = []
    for symbol, function in request.codes.items():
        columns = {
            "日期": "release_date",
            "今值": "actual",
            "预测值": "consensus",
            "前值": "previous",
        }
        rows = select_columns(getattr(akshare, function)(), columns, function)
        released = pd.to_datetime(rows["release_date"])
        rows = rows.assign(series=symbol, release_date=released, period=_month_before(released))
        # coming releases are listed too, without a value
        frames.append(rows.dropna(subset=["actual"]))
    releases = pd.concat(frames, ignore_index=True)
    return {"macro": releases.sort_values(["series", "release_date"], kind="stable")}


def calendar_code(symbol: str) -> str | None:
    """Return the name of a series in the calendar."""
    return symbol if re.match(r"^US_(CORE_)?(CPI|PPI)_(MOM|YOY)$", symbol) else None


def wallstreetcn_calendar(request: FetchRequest, client: Client) -> Response:
    """Return the releases of the requested weekdays; a request each."""
    import akshare

    frames = [pd.DataFrame(columns=["series", "period", "release_date", *VALUES])]
    days = pd.bdate_range(request.start, request.end)
    empty_days = 0
    for day in days:
        try:
            table = akshare.macro_info_ws(f"{day:%Y%m%d}")
        except KeyError:  # akshare renames the fields before it checks for entries
            empty_days += 1
            continue
        releases = _releases_of_day(table, day)
        frames.append(releases[releases["series"].isin(request.codes)])
    if empty_days > max(1, MAX_EMPTY_SHARE * len(days)):
        raise ProviderError(
            f"the calendar has no entries on {empty_days} of {len(days)} weekdays",
            remedy="its fields may have changed; see make data CHECK=1",
        )
    table = pd.concat([frame for frame in frames if len(frame)] or frames, ignore_index=True)
    table = table.assign(**{column: parse_numbers(table[column]) for column in VALUES})
    return {"macro": table.sort_values(["series", "release_date"], kind="stable")}


def _releases_of_day(table: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """Return US inflation among the calendar's entries of a day, values as they come."""
    columns = {"时间": "time", "地区": "country", "事件": "title"}
    columns |= {"今值": "actual", "预期": "consensus", "前值": "previous"}
    rows = select_columns(table, columns, "macro_info_ws")
    parts = rows["title"].str.extract(TITLE)
    is_release = parts["month"].notna() & (rows["country"] == COUNTRY) & rows["actual"].notna()
    rows = rows[is_release]
    parts = parts[is_release]
    if not len(rows):
        return rows.assign(series="")
    core = parts["core"].map({"核心": "CORE_"}).fillna("")
    rate = parts["rate"].map({"同比": "YOY", "环比": "MOM"})
    return rows.assign(
        series="US_" + core + parts["index"] + "_" + rate,
        period=[_period(day, int(month)) for month in parts["month"]],
        release_date=day,
    )


def _month_before(released: pd.Series) -> pd.Series:
    """Return the periods: the month before; of two in a month, the first was delayed."""
    months = released.dt.to_period("M") - 1
    late = released != released.groupby(months).transform("max")
    return months.where(~late, months - 1).dt.to_timestamp().astype("datetime64[ns]")


def _period(day: pd.Timestamp, month: int) -> pd.Timestamp:
    """Return the last month of that number before the release."""
    year = day.year if month < day.month else day.year - 1
    return pd.Timestamp(year, month, 1)
