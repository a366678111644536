"""akshare: US inflation with its consensus.

Two sources fit together. jin10 lists the whole history of the four monthly changes, a survey's forecast beside each.
The calendar of Wallstreetcn has monthly and yearly changes with a consensus, one day per request: it fills the weeks
since the last update.
"""

from __future__ import annotations

import re

import pandas as pd

from lib.market.providers.answers import Answer, Want, numbers, take
from lib.market.providers.client import Client, ProviderError

#: function of akshare -> series; percent against the month before
JIN10 = {
    "macro_usa_cpi_monthly": "US_CPI_MOM",
    "macro_usa_core_cpi_monthly": "US_CORE_CPI_MOM",
    "macro_usa_ppi": "US_PPI_MOM",
    "macro_usa_core_ppi": "US_CORE_PPI_MOM",
}
#: 5月核心CPI同比: month, core or not, index, against the year or the month before. The country has a column of its own;
#: a title may repeat it, and may mark yearly changes as not seasonally adjusted, which they always are
TITLE = re.compile(
    r"^(?:美国)?(?P<month>\d{1,2})月(?:未季调(?=.*同比))?(?P<core>核心)?(?P<index>CPI|PPI)(?P<rate>同比|环比)(?:\(%\))?$"
)
COUNTRY = "美国"
#: share of the calendar's days that may have no entries at all: holidays everywhere
IDLE = 0.2


def history_code(symbol: str) -> str | None:
    """Return the function that lists a series, None for yearly changes."""
    return next((function for function, series in JIN10.items() if series == symbol), None)


def jin10_history(want: Want, client: Client) -> Answer:
    """Monthly changes with forecast and previous value, whole history; released in the month after the period."""
    import akshare

    frames = []
    for symbol, function in want.codes.items():
        columns = {"日期": "release_date", "今值": "actual", "预测值": "consensus", "前值": "previous"}
        rows = take(getattr(akshare, function)(), columns, function)
        released = pd.to_datetime(rows["release_date"])
        rows = rows.assign(series=symbol, release_date=released, period=_month_before(released))
        # the calendar lists coming releases too: they have no value yet
        frames.append(rows.dropna(subset=["actual"]))
    return {"macro": pd.concat(frames, ignore_index=True).sort_values(["series", "release_date"], kind="stable")}


def calendar_code(symbol: str) -> str | None:
    """Return the name of a series in the calendar."""
    return symbol if re.match(r"^US_(CORE_)?(CPI|PPI)_(MOM|YOY)$", symbol) else None


def wallstreetcn_calendar(want: Want, client: Client) -> Answer:
    """Releases of the days wanted, on weekdays; a request each."""
    import akshare

    frames = [pd.DataFrame(columns=["series", "period", "release_date", "actual", "consensus", "previous"])]
    days, idle = pd.bdate_range(want.start, want.end), 0
    columns = {
        "时间": "time",
        "地区": "country",
        "事件": "title",
        "今值": "actual",
        "预期": "consensus",
        "前值": "previous",
    }
    for day in days:
        try:
            table = akshare.macro_info_ws(f"{day:%Y%m%d}")
        except KeyError:  # akshare names the fields before it has looked whether there is an entry
            idle += 1
            continue
        rows = take(table, columns, "macro_info_ws")
        found = rows["title"].str.extract(TITLE)
        ours = found["month"].notna() & (rows["country"] == COUNTRY) & rows["actual"].notna()
        if not ours.any():
            continue
        rows, found = rows[ours], found[ours]
        period = [_period(day, int(month)) for month in found["month"]]
        rate = found["rate"].map({"同比": "YOY", "环比": "MOM"})
        core = found["core"].map({"核心": "CORE_"}).fillna("")
        rows = rows.assign(series="US_" + core + found["index"] + "_" + rate, period=period, release_date=day)
        frames.append(rows[rows["series"].isin(want.codes)])
    if idle > max(1, IDLE * len(days)):
        raise ProviderError(
            f"the calendar has no entries on {idle} of {len(days)} weekdays",
            remedy="its fields may have changed; see make data CHECK=1",
        )
    table = pd.concat([frame for frame in frames if len(frame)] or frames, ignore_index=True)
    values = {column: numbers(table[column]) for column in ("actual", "consensus", "previous")}
    return {"macro": table.assign(**values).sort_values(["series", "release_date"], kind="stable")}


def _month_before(released: pd.Series) -> pd.Series:
    """Return the months that were released: the one before; of two in a month, the first made up for a delay."""
    months = released.dt.to_period("M") - 1
    late = released != released.groupby(months).transform("max")
    return months.where(~late, months - 1).dt.to_timestamp().astype("datetime64[ns]")


def _period(day: pd.Timestamp, month: int) -> pd.Timestamp:
    """Return the last such month before the release."""
    return pd.Timestamp(day.year if month < day.month else day.year - 1, month, 1)
