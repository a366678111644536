"""tushare: Shenwan sector bars with PE and PB; a token in the environment variable ``TUSHARE_TOKEN`` opens it.

``sw_daily`` gives volume in ten thousands of shares and amount in ten thousands of CNY, 4,000 rows a call: the whole
history of a sector, or one day of all sectors.
"""

from __future__ import annotations

import os

import pandas as pd

from lib.market.providers.answers import Answer, Want, bars, numbers, take
from lib.market.providers.client import Client, ProviderError

FIELDS = "ts_code,trade_date,open,high,low,close,vol,amount,pe,pb"
#: days up to which asking by day is cheaper than by sector
BY_DAY = 16


def token() -> str:
    """Return the token; ProviderError without one."""
    value = os.environ.get("TUSHARE_TOKEN", "").strip()
    if not value:
        raise ProviderError("tushare needs a token", remedy="set the environment variable TUSHARE_TOKEN")
    return value


def sector_daily(want: Want, client: Client) -> Answer:
    """Bars, PE and PB of all sectors wanted."""
    import tushare

    api = tushare.pro_api(token())
    days = pd.bdate_range(want.start, want.end)
    if len(days) <= BY_DAY:
        asked = [{"trade_date": f"{day:%Y%m%d}"} for day in days]
    else:
        span = {"start_date": f"{want.start:%Y%m%d}", "end_date": f"{want.end:%Y%m%d}"}
        asked = [{"ts_code": code} | span for code in want.codes.values()]
    tables = [table for query in asked if len(table := api.query("sw_daily", fields=FIELDS, **query))]
    columns = {"ts_code": "code", "trade_date": "date", "vol": "volume"}
    columns |= {name: name for name in ("open", "high", "low", "close", "amount", "pe", "pb")}
    rows = take(pd.concat(tables, ignore_index=True) if tables else None, columns, "sw_daily")
    rows = rows.assign(date=pd.to_datetime(rows["date"], format="%Y%m%d"))
    symbols = {code: symbol for symbol, code in want.codes.items()}
    made, values = [], []
    for code, part in rows[rows["code"].isin(symbols)].groupby("code", sort=True):
        made.append(bars(part, symbols[code], {"volume": 1e4, "amount": 1e4}))
        value = pd.DataFrame({"symbol": symbols[code], "date": part["date"]})
        value = value.assign(pe_ttm=numbers(part["pe"]), pb=numbers(part["pb"]))
        values.append(value.sort_values("date", kind="stable"))
    if not made:
        raise ProviderError("sw_daily gave none of the sectors", remedy="check the codes")
    return {"bars": pd.concat(made, ignore_index=True), "valuation": pd.concat(values, ignore_index=True)}
