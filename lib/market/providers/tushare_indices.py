"""tushare: Shenwan and CITIC sectors and A-share indices, with a token in ``TUSHARE_TOKEN``.

Units by its documentation: ``sw_daily`` and ``ci_daily`` give ten thousands of shares and of CNY,
``index_daily`` lots and thousands of CNY. A call returns at most 4,000 rows (``index_daily``
8,000): the whole history of one index, or one day of all sectors.
"""

from __future__ import annotations

import os

import pandas as pd

from lib.market.providers.client import TOKEN, Client, ProviderError
from lib.market.providers.contract import (
    FetchRequest,
    Response,
    parse_numbers,
    select_columns,
    to_bars,
)
from lib.market.symbols import LISTED_INDEX_CODE

OHLC = ("open", "high", "low", "close")
RATIOS = ("pe", "pb")
#: days up to which one request per day is cheaper than one per sector
MAX_DAILY_REQUESTS = 16


def sector_code(symbol: str) -> str | None:
    """Return the code of a Shenwan sector."""
    return symbol if symbol.endswith(".SI") else None


def sector_daily(request: FetchRequest, client: Client) -> Response:
    """Return bars, PE and PB of the requested Shenwan sectors."""
    rows = _sectors("sw_daily", request, RATIOS)
    ratios = rows.assign(pe_ttm=parse_numbers(rows["pe"]), pb=parse_numbers(rows["pb"]))
    valuation = ratios[["symbol", "date", "pe_ttm", "pb"]]
    return {"bars": _bars(rows, 1e4, 1e4), "valuation": valuation}


def citic_code(symbol: str) -> str | None:
    """Return tushare's code of a CITIC sector, CI005001.CI for CI005001.WI."""
    return symbol[:-3] + ".CI" if symbol.startswith("CI") and symbol.endswith(".WI") else None


def citic_daily(request: FetchRequest, client: Client) -> Response:
    """Return bars of the requested CITIC sectors."""
    return {"bars": _bars(_sectors("ci_daily", request), 1e4, 1e4)}


def index_code(symbol: str) -> str | None:
    """Return tushare's code of an index of an exchange or the CSI."""
    return symbol if symbol.endswith(".CSI") or LISTED_INDEX_CODE.match(symbol) else None


def index_daily(request: FetchRequest, client: Client) -> Response:
    """Return bars of one index."""
    query = {"ts_code": request.code, **_span(request)}
    return {"bars": _bars(_query("index_daily", request, [query]), 100.0, 1e3)}


def _span(request: FetchRequest) -> dict[str, str]:
    return {"start_date": f"{request.start:%Y%m%d}", "end_date": f"{request.end:%Y%m%d}"}


def _sectors(function: str, request: FetchRequest, ratios: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return sector rows, requested day by day, or sector by sector when there are many days."""
    days = pd.bdate_range(request.start, request.end)
    if len(days) <= MAX_DAILY_REQUESTS:
        queries = [{"trade_date": f"{day:%Y%m%d}"} for day in days]
    else:
        queries = [{"ts_code": code, **_span(request)} for code in request.codes.values()]
    return _query(function, request, queries, ratios)


def _query(
    function: str,
    request: FetchRequest,
    queries: list[dict[str, str]],
    ratios: tuple[str, ...] = (),
) -> pd.DataFrame:
    """Return the rows of the requested symbols, by symbol and date."""
    import tushare

    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise ProviderError("tushare needs a token", remedy=f"set the environment variable {TOKEN}")
    columns = {"ts_code": "code", "trade_date": "date", "vol": "volume", "amount": "amount"}
    columns |= {name: name for name in (*OHLC, *ratios)}
    api = tushare.pro_api(token)
    tables = [api.query(function, fields=",".join(columns), **query) for query in queries]
    tables = [table for table in tables if len(table)]
    table = pd.concat(tables, ignore_index=True) if tables else None
    rows = select_columns(table, columns, function)
    symbol_of_code = {code: symbol for symbol, code in request.codes.items()}
    rows = rows.assign(
        symbol=rows["code"].map(symbol_of_code), date=pd.to_datetime(rows["date"], format="%Y%m%d")
    )
    rows = rows.dropna(subset=["symbol"])
    if not len(rows):
        raise ProviderError(f"{function} returned none of the indices", remedy="check the codes")
    return rows.sort_values(["symbol", "date"], kind="stable", ignore_index=True)


def _bars(rows: pd.DataFrame, volume: float, amount: float) -> pd.DataFrame:
    scale = {"volume": volume, "amount": amount}
    groups = rows.groupby("symbol", sort=True)
    parts = [to_bars(group, symbol, scale) for symbol, group in groups]
    return pd.concat(parts, ignore_index=True)
