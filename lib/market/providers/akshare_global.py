"""akshare: global indices, currencies, futures and metals, government yields, ChinaBond indices."""

from __future__ import annotations

import pandas as pd

from lib.market.providers.client import Client
from lib.market.providers.contract import FetchRequest, Response, select_columns, to_bars

#: symbol -> akshare's column of bond_zh_us_rate, in percent
YIELD_COLUMNS = {
    "CN2Y": "中国国债收益率2年",
    "CN5Y": "中国国债收益率5年",
    "CN10Y": "中国国债收益率10年",
    "CN30Y": "中国国债收益率30年",
    "US2Y": "美国国债收益率2年",
    "US5Y": "美国国债收益率5年",
    "US10Y": "美国国债收益率10年",
    "US30Y": "美国国债收益率30年",
}
EASTMONEY_COLUMNS = {
    "日期": "date",
    "今开": "open",
    "最新价": "close",
    "最高": "high",
    "最低": "low",
}


def index_bars(request: FetchRequest, client: Client) -> Response:
    """Return bars of a global index or the dollar index from Eastmoney, without volume."""
    import akshare

    rows = select_columns(
        akshare.index_global_hist_em(symbol=request.code), EASTMONEY_COLUMNS, "index_global_hist_em"
    )
    return {"bars": to_bars(rows, request.symbol)}


def currency_bars(request: FetchRequest, client: Client) -> Response:
    """Return bars of an exchange rate from Eastmoney, without volume."""
    import akshare

    rows = select_columns(
        akshare.forex_hist_em(symbol=request.code), EASTMONEY_COLUMNS, "forex_hist_em"
    )
    return {"bars": to_bars(rows, request.symbol)}


def foreign_futures_bars(request: FetchRequest, client: Client) -> Response:
    """Return bars of a foreign future or spot metal from Sina, without volume in contracts."""
    import akshare

    columns = {name: name for name in ("date", "open", "high", "low", "close")}
    rows = select_columns(
        akshare.futures_foreign_hist(symbol=request.code), columns, "futures_foreign_hist"
    )
    return {"bars": to_bars(rows, request.symbol)}


def domestic_futures_bars(request: FetchRequest, client: Client) -> Response:
    """Return bars of a Chinese main contract, spliced by Sina, without volume in contracts."""
    import akshare

    columns = {
        "日期": "date",
        "开盘价": "open",
        "最高价": "high",
        "最低价": "low",
        "收盘价": "close",
    }
    rows = select_columns(
        akshare.futures_main_sina(symbol=request.code), columns, "futures_main_sina"
    )
    return {"bars": to_bars(rows, request.symbol)}


def yield_code(symbol: str) -> str | None:
    """Return akshare's column of a yield."""
    return YIELD_COLUMNS.get(symbol)


def yield_bars(request: FetchRequest, client: Client) -> Response:
    """Return Chinese and US government yields; a request gives 500 days of all maturities."""
    import akshare

    table = akshare.bond_zh_us_rate(start_date=f"{request.start:%Y%m%d}")
    frames = []
    for symbol, column in request.codes.items():
        rows = select_columns(table, {"日期": "date", column: "close"}, "bond_zh_us_rate")
        # a yield is empty on the holidays of its country
        frames.append(to_bars(rows, symbol).dropna(subset=["close"]))
    return {"bars": pd.concat(frames, ignore_index=True)}


def treasury_index_bars(request: FetchRequest, client: Client) -> Response:
    """Return bars of a ChinaBond total-return treasury index; a request gives the whole history."""
    import akshare

    table = akshare.bond_treasury_index_cbond(indicator="财富", period=request.code)
    rows = select_columns(table, {"date": "date", "value": "close"}, "bond_treasury_index_cbond")
    return {"bars": to_bars(rows, request.symbol)}
