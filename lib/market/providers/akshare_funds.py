"""akshare: bars of exchange-traded funds and of A shares, from Eastmoney; volume in lots, amount in CNY."""

from __future__ import annotations

import re
from collections.abc import Callable

import pandas as pd

from lib.market.providers.answers import Answer, Want, bars, digits, take
from lib.market.providers.chain import chained
from lib.market.providers.client import Client, ProviderError

CHINESE = {
    "日期": "date",
    "开盘": "open",
    "最高": "high",
    "最低": "low",
    "收盘": "close",
    "成交量": "volume",
    "成交额": "amount",
}
FUND = re.compile(r"^(?:1[56]|5\d)\d{4}\.(?:SH|SZ)$")
SHARE = re.compile(r"^[036]\d{5}\.(SH|SZ)$")


def fund_code(symbol: str) -> str | None:
    """Return the code of a listed fund."""
    return digits(symbol) if FUND.match(symbol) else None


def share_code(symbol: str) -> str | None:
    """Return the code of a share listed in Shanghai or Shenzhen."""
    return digits(symbol) if SHARE.match(symbol) else None


def fund_bars(want: Want, client: Client) -> Answer:
    """Total-return bars of a fund, chained from raw prices and the days on which the adjusted ones take a step."""
    import akshare

    return _pair(akshare.fund_etf_hist_em, "fund_etf_hist_em", want, merges=True)


def share_bars(want: Want, client: Client) -> Answer:
    """Total-return bars of a share, made as those of funds."""
    import akshare

    return _pair(akshare.stock_zh_a_hist, "stock_zh_a_hist", want, merges=False)


def _pair(function: Callable, name: str, want: Want, merges: bool) -> Answer:
    asked = dict(symbol=want.code, period="daily", start_date=f"{want.start:%Y%m%d}", end_date=f"{want.end:%Y%m%d}")
    raw = bars(take(function(**asked, adjust=""), CHINESE, name), want.symbol, {"volume": 100.0})
    later = bars(take(function(**asked, adjust="hfq"), CHINESE, name), want.symbol)
    if not pd.Index(raw["date"]).equals(pd.Index(later["date"])):
        raise ProviderError(
            "raw and adjusted prices have different days", symbol=want.symbol, remedy="the next provider is asked"
        )
    return {"bars": chained(raw, later["close"], want.base, want.symbol, merges)}
