"""akshare: global indices, currencies, futures and metals, government yields, ChinaBond indices."""

from __future__ import annotations

import pandas as pd

from lib.market.providers.answers import Answer, Want, bars, take
from lib.market.providers.client import Client

#: our symbol -> akshare's column of bond_zh_us_rate; percent a year
YIELDS = {
    "CN2Y": "中国国债收益率2年",
    "CN5Y": "中国国债收益率5年",
    "CN10Y": "中国国债收益率10年",
    "CN30Y": "中国国债收益率30年",
    "US2Y": "美国国债收益率2年",
    "US5Y": "美国国债收益率5年",
    "US10Y": "美国国债收益率10年",
    "US30Y": "美国国债收益率30年",
}
EASTMONEY = {"日期": "date", "今开": "open", "最新价": "close", "最高": "high", "最低": "low"}


def index_bars(want: Want, client: Client) -> Answer:
    """Global indices and the dollar index, from Eastmoney; no volume."""
    import akshare

    rows = take(akshare.index_global_hist_em(symbol=want.code), EASTMONEY, "index_global_hist_em")
    return {"bars": bars(rows, want.symbol)}


def currency_bars(want: Want, client: Client) -> Answer:
    """Exchange rates, from Eastmoney; no volume."""
    import akshare

    rows = take(akshare.forex_hist_em(symbol=want.code), EASTMONEY, "forex_hist_em")
    return {"bars": bars(rows, want.symbol)}


def foreign_futures_bars(want: Want, client: Client) -> Answer:
    """Futures and spot metals traded abroad, from Sina; volume in contracts is left out."""
    import akshare

    columns = {name: name for name in ("date", "open", "high", "low", "close")}
    rows = take(akshare.futures_foreign_hist(symbol=want.code), columns, "futures_foreign_hist")
    return {"bars": bars(rows, want.symbol)}


def domestic_futures_bars(want: Want, client: Client) -> Answer:
    """Main contracts of Chinese futures, spliced by Sina; volume in contracts is left out."""
    import akshare

    columns = {"日期": "date", "开盘价": "open", "最高价": "high", "最低价": "low", "收盘价": "close"}
    rows = take(akshare.futures_main_sina(symbol=want.code), columns, "futures_main_sina")
    return {"bars": bars(rows, want.symbol)}


def yield_code(symbol: str) -> str | None:
    """Return akshare's column of a yield."""
    return YIELDS.get(symbol)


def yield_bars(want: Want, client: Client) -> Answer:
    """Chinese and American government yields: one request for 500 days of all maturities, newest first."""
    import akshare

    table = akshare.bond_zh_us_rate(start_date=f"{want.start:%Y%m%d}")
    frames = []
    for symbol, column in want.codes.items():
        rows = take(table, {"日期": "date", column: "close"}, "bond_zh_us_rate")
        frames.append(bars(rows, symbol).dropna(subset=["close"]))  # one of the two countries had a holiday
    return {"bars": pd.concat(frames, ignore_index=True)}


def treasury_index_bars(want: Want, client: Client) -> Answer:
    """ChinaBond treasury indices of total wealth, by maturity bucket; the whole history in one request."""
    import akshare

    table = akshare.bond_treasury_index_cbond(indicator="财富", period=want.code)
    rows = take(table, {"date": "date", "value": "close"}, "bond_treasury_index_cbond")
    return {"bars": bars(rows, want.symbol)}
