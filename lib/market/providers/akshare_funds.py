"""akshare: bars of exchange-traded funds and A shares from Eastmoney, in lots and CNY."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from lib.market.providers.client import Client, ProviderError
from lib.market.providers.contract import FetchRequest, Response, select_columns, to_bars
from lib.market.providers.total_return import to_total_return
from lib.market.symbols import FUND_CODE, SHARE_CODE, strip_exchange

EASTMONEY_COLUMNS = {
    "日期": "date",
    "开盘": "open",
    "最高": "high",
    "最低": "low",
    "收盘": "close",
    "成交量": "volume",
    "成交额": "amount",
}


def fund_code(symbol: str) -> str | None:
    """Return the code of a listed fund."""
    return strip_exchange(symbol) if FUND_CODE.match(symbol) else None


def share_code(symbol: str) -> str | None:
    """Return the code of a share listed in Shanghai or Shenzhen."""
    return strip_exchange(symbol) if SHARE_CODE.match(symbol) else None


def fund_bars(request: FetchRequest, client: Client) -> Response:
    """Return total-return bars of a fund, chained from raw and adjusted prices."""
    import akshare

    return _total_return(
        akshare.fund_etf_hist_em, "fund_etf_hist_em", request, allow_reverse_split=True
    )


def share_bars(request: FetchRequest, client: Client) -> Response:
    """Return total-return bars of a share, by the same method as for funds."""
    import akshare

    return _total_return(
        akshare.stock_zh_a_hist, "stock_zh_a_hist", request, allow_reverse_split=False
    )


def _total_return(
    function: Callable, name: str, request: FetchRequest, allow_reverse_split: bool
) -> Response:
    """Return total-return bars from a function of akshare that gives raw and adjusted prices."""
    query = {
        "symbol": request.code,
        "period": "daily",
        "start_date": f"{request.start:%Y%m%d}",
        "end_date": f"{request.end:%Y%m%d}",
    }
    symbol = request.symbol
    raw_rows = select_columns(function(**query, adjust=""), EASTMONEY_COLUMNS, name)
    adjusted_rows = select_columns(function(**query, adjust="hfq"), EASTMONEY_COLUMNS, name)
    raw = to_bars(raw_rows, symbol, {"volume": 100.0})
    adjusted = to_bars(adjusted_rows, symbol)
    if not pd.Index(raw["date"]).equals(pd.Index(adjusted["date"])):
        message = "raw and adjusted prices have different days"
        raise ProviderError(message, symbol=symbol)
    close = adjusted["close"]
    return {"bars": to_total_return(raw, close, request.stored, symbol, allow_reverse_split)}
