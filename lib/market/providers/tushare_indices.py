"""tushare: Shenwan and CITIC sectors and A-share indices; a token in ``TUSHARE_TOKEN`` opens it.

Units as its documentation gives them: ``sw_daily`` and ``ci_daily`` ten thousands of shares and of CNY, ``index_daily``
lots and thousands of CNY. A call gives at most 4,000 rows (``index_daily`` 8,000): the whole history of one index, or
one day of all sectors.
"""

from __future__ import annotations

import os

import pandas as pd

from lib.market.providers.akshare_indices import LISTED
from lib.market.providers.answers import Answer, Want, bars, numbers, take
from lib.market.providers.client import TOKEN, Client, ProviderError

OHLC = ("open", "high", "low", "close")
VALUES = ("pe", "pb")
#: days up to which asking by day is cheaper than by sector
BY_DAY = 16


def sector_code(symbol: str) -> str | None:
    """Return the code of a Shenwan sector."""
    return symbol if symbol.endswith(".SI") else None


def sector_daily(want: Want, client: Client) -> Answer:
    """Bars, PE and PB of all Shenwan sectors wanted."""
    rows = _sectors("sw_daily", want, VALUES)
    values = rows.assign(pe_ttm=numbers(rows["pe"]), pb=numbers(rows["pb"]))[["symbol", "date", "pe_ttm", "pb"]]
    return {"bars": _bars(rows, 1e4, 1e4), "valuation": values}


def citic_code(symbol: str) -> str | None:
    """Return tushare's code of a CITIC sector, CI005001.CI for CI005001.WI."""
    return symbol[:-3] + ".CI" if symbol.startswith("CI") and symbol.endswith(".WI") else None


def citic_daily(want: Want, client: Client) -> Answer:
    """Bars of all CITIC sectors wanted."""
    return {"bars": _bars(_sectors("ci_daily", want), 1e4, 1e4)}


def index_code(symbol: str) -> str | None:
    """Return tushare's code of an index of an exchange or the CSI."""
    return symbol if symbol.endswith(".CSI") or LISTED.match(symbol) else None


def index_daily(want: Want, client: Client) -> Answer:
    """Bars of one index."""
    asked = {"ts_code": want.code, "start_date": f"{want.start:%Y%m%d}", "end_date": f"{want.end:%Y%m%d}"}
    return {"bars": _bars(_ask("index_daily", want, [asked]), 100.0, 1e3)}


def _sectors(function: str, want: Want, more: tuple[str, ...] = ()) -> pd.DataFrame:
    """Ask day by day, or sector by sector when there are many days."""
    days = pd.bdate_range(want.start, want.end)
    if len(days) <= BY_DAY:
        asked = [{"trade_date": f"{day:%Y%m%d}"} for day in days]
    else:
        span = {"start_date": f"{want.start:%Y%m%d}", "end_date": f"{want.end:%Y%m%d}"}
        asked = [{"ts_code": code} | span for code in want.codes.values()]
    return _ask(function, want, asked, more)


def _ask(function: str, want: Want, asked: list[dict[str, str]], more: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return the rows of the symbols wanted, by symbol and date."""
    import tushare

    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise ProviderError("tushare needs a token", remedy=f"set the environment variable {TOKEN}")
    columns = {"ts_code": "code", "trade_date": "date", "vol": "volume", "amount": "amount"}
    columns |= {name: name for name in (*OHLC, *more)}
    api = tushare.pro_api(token)
    tables = [table for query in asked if len(table := api.query(function, fields=",".join(columns), **query))]
    rows = take(pd.concat(tables, ignore_index=True) if tables else None, columns, function)
    symbols = {code: symbol for symbol, code in want.codes.items()}
    rows = rows.assign(symbol=rows["code"].map(symbols), date=pd.to_datetime(rows["date"], format="%Y%m%d"))
    rows = rows.dropna(subset=["symbol"])
    if not len(rows):
        raise ProviderError(f"{function} gave none of the indices", remedy="check the codes")
    return rows.sort_values(["symbol", "date"], kind="stable", ignore_index=True)


def _bars(rows: pd.DataFrame, volume: float, amount: float) -> pd.DataFrame:
    scale = {"volume": volume, "amount": amount}
    parts = [bars(part, symbol, scale) for symbol, part in rows.groupby("symbol", sort=True)]
    return pd.concat(parts, ignore_index=True)
