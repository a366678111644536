"""akshare: Shenwan sectors, CSI and CNI themes, and A-share indices.

Units: Shenwan gives hundred millions of shares and of CNY; CSI's index-perf gives ten thousands of
lots and hundred millions of CNY; Eastmoney gives lots and CNY.
"""

from __future__ import annotations

import re

import pandas as pd

from lib.market.providers.client import Client, ProviderError
from lib.market.providers.contract import (
    FetchRequest,
    Response,
    parse_numbers,
    select_columns,
    to_bars,
)
from lib.market.schema import TABLES
from lib.market.symbols import LISTED_INDEX_CODE, strip_exchange

#: days before the last one that are read from the daily report; earlier ones month by month
DAILY_REPORT = pd.Timedelta(days=45)
SHENWAN_SECTORS = "一级行业"
OHLC_COLUMNS = {"开盘": "open", "最高": "high", "最低": "low", "收盘": "close"}
#: columns of a list of constituents, with the names of its members
MEMBER_COLUMNS = [*TABLES["constituents"], "name", "name_en"]
#: codes that the CSI publishes under their number, those of the Shanghai exchange included
CSI_CODE = re.compile(r"^([0-9H]\d{5})\.CSI$|^(000\d{3})\.SH$")
CNI_CODE = re.compile(r"^(399\d{3}|98\d{4})\.(SZ|CNI)$")


def sector_code(symbol: str) -> str | None:
    """Return the Shenwan code of a sector."""
    return strip_exchange(symbol) if symbol.endswith(".SI") else None


def sector_bars(request: FetchRequest, client: Client) -> Response:
    """Return bars of a Shenwan sector; a request gives the whole history."""
    import akshare

    columns = {"日期": "date", **OHLC_COLUMNS, "成交量": "volume", "成交额": "amount"}
    rows = select_columns(
        akshare.index_hist_sw(symbol=request.code, period="day"), columns, "index_hist_sw"
    )
    return {"bars": to_bars(rows, request.symbol, {"volume": 1e8, "amount": 1e8})}


def sector_valuation(request: FetchRequest, client: Client) -> Response:
    """Return PE and PB of Shenwan sectors.

    One report lists all sectors, 50 lines a page. A day costs one page, so recent days are read
    from the daily report; earlier ones from one report per month, two requests each.
    """
    import akshare

    recent = max(request.start, request.end - DAILY_REPORT)
    frames = [_daily_report(recent, request.end)]
    stored = request.stored["date"][request.stored["date"] < recent]
    if len(stored):  # the response is compared with them
        frames.append(_daily_report(stored.min(), stored.max()))
    if request.start < recent:
        name = "index_analysis_week_month_sw"
        published = select_columns(getattr(akshare, name)("month"), {"date": "date"}, name)
        dates = pd.DatetimeIndex(pd.to_datetime(published["date"]))
        missing = (dates >= request.start) & (dates < recent) & ~dates.isin(stored)
        days = [f"{date:%Y%m%d}" for date in dates[missing].sort_values()]
        frames += [akshare.index_analysis_monthly_sw(SHENWAN_SECTORS, day) for day in days]
    columns = {"指数代码": "code", "发布日期": "date", "市盈率": "pe_ttm", "市净率": "pb"}
    report = pd.concat(frames, ignore_index=True)
    rows = select_columns(report, columns, "index_analysis_daily_sw")
    symbol_of_code = {code: symbol for symbol, code in request.codes.items()}
    rows = rows.assign(symbol=rows["code"].astype(str).map(symbol_of_code)).dropna(
        subset=["symbol"]
    )
    rows = rows.assign(
        date=pd.to_datetime(rows["date"]),
        pe_ttm=parse_numbers(rows["pe_ttm"]),
        pb=parse_numbers(rows["pb"]),
    )
    rows = rows.sort_values(["symbol", "date"], kind="stable")
    return {"valuation": rows[list(TABLES["valuation"])]}


def _daily_report(start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    import akshare

    return akshare.index_analysis_daily_sw(SHENWAN_SECTORS, f"{start:%Y%m%d}", f"{end:%Y%m%d}")


def sector_members(request: FetchRequest, client: Client) -> Response:
    """Return members and weights of a Shenwan sector; the page has only those of today."""
    import akshare

    columns = {"证券代码": "code", "证券名称": "name", "最新权重": "weight"}
    table = akshare.index_component_sw(request.code)
    rows = select_columns(table, columns, "index_component_sw")
    symbols = rows["code"].astype(str).map(exchange_symbol)
    rows = rows.assign(symbol=symbols, weight=parse_numbers(rows["weight"]), name_en=rows["name"])
    rows = rows.assign(index_symbol=request.symbol, as_of=request.end)
    return {"constituents": rows[MEMBER_COLUMNS]}


def exchange_symbol(code: str) -> str:
    """Add the exchange to the code of a share: 6 and 9 in Shanghai; 4, 8 and 92 in Beijing."""
    if code.startswith(("4", "8", "92")):
        return f"{code}.BJ"
    return f"{code}.SH" if code.startswith(("6", "9")) else f"{code}.SZ"


def csi_code(symbol: str) -> str | None:
    """Return the CSI's number of an index, None for those it does not publish."""
    match = CSI_CODE.match(symbol)
    return match and (match[1] or match[2])


def csi_bars(request: FetchRequest, client: Client) -> Response:
    """Return bars of a CSI index, and its PE from the same response; the CSI gives no PB."""
    import akshare

    table = akshare.stock_zh_index_hist_csindex(
        request.code, f"{request.start:%Y%m%d}", f"{request.end:%Y%m%d}"
    )
    columns = {"日期": "date", **OHLC_COLUMNS, "成交量": "volume", "成交金额": "amount"}
    columns |= {"滚动市盈率": "pe_ttm", "指数代码": "code"}
    rows = select_columns(table, columns, "stock_zh_index_hist_csindex")
    # akshare names the sixteen fields by position: the code in its place shows that the fields are
    # still the same
    if set(rows["code"].astype(str)) != {request.code}:
        raise ProviderError(
            f"the fields of index-perf have moved: {rows['code'].iloc[0]!r} in place of the code",
            symbol=request.symbol,
            remedy="update akshare",
        )
    response = {"bars": to_bars(rows, request.symbol, {"volume": 1e6, "amount": 1e8})}
    valuation = pd.DataFrame({"symbol": request.symbol, "date": pd.to_datetime(rows["date"])})
    valuation = valuation.assign(pe_ttm=parse_numbers(rows["pe_ttm"]), pb=float("nan"))
    valuation = valuation.dropna(subset=["pe_ttm"])
    if len(valuation):
        response["valuation"] = valuation.sort_values("date")
    return response


def csi_weights(request: FetchRequest, client: Client) -> Response:
    """Return constituents and weights of a CSI index at the last month end."""
    import akshare

    exchanges = {"上海证券交易所": ".SH", "深圳证券交易所": ".SZ", "北京证券交易所": ".BJ"}
    columns = {"日期": "as_of", "成分券代码": "code", "交易所": "exchange", "权重": "weight"}
    columns |= {"成分券名称": "name", "成分券英文名称": "name_en"}
    table = akshare.index_stock_cons_weight_csindex(request.code)
    rows = select_columns(table, columns, "index_stock_cons_weight_csindex")
    suffix = rows["exchange"].map(exchanges)
    rows = rows.assign(
        index_symbol=request.symbol,
        as_of=pd.to_datetime(rows["as_of"]),
        symbol=rows["code"].astype(str) + suffix,
        weight=parse_numbers(rows["weight"]),
    )
    # members listed in Hong Kong are outside the suite's exchanges
    return {"constituents": rows.loc[suffix.notna(), MEMBER_COLUMNS]}


def cni_code(symbol: str) -> str | None:
    """Return the CNI's number of a Shenzhen or CNI index."""
    match = CNI_CODE.match(symbol)
    return match and match[1]


def cni_bars(request: FetchRequest, client: Client) -> Response:
    """Return bars of a Shenzhen or CNI index; in ten thousands of lots, hundred millions of CNY."""
    import akshare

    table = akshare.index_hist_cni(request.code, f"{request.start:%Y%m%d}", f"{request.end:%Y%m%d}")
    columns = {"日期": "date", "开盘价": "open", "最高价": "high", "最低价": "low"}
    columns |= {"收盘价": "close", "成交量": "volume", "成交额": "amount"}
    rows = select_columns(table, columns, "index_hist_cni")
    return {"bars": to_bars(rows, request.symbol, {"volume": 1e6, "amount": 1e8})}


def eastmoney_code(symbol: str) -> str | None:
    """Return Eastmoney's name of an index listed on an exchange or published by the CSI."""
    match = LISTED_INDEX_CODE.match(symbol)
    if match:
        return match[2].lower() + match[1]
    return f"csi{strip_exchange(symbol)}" if symbol.endswith(".CSI") else None


def eastmoney_bars(request: FetchRequest, client: Client) -> Response:
    """Return bars of an A-share index from Eastmoney, by the call that needs no list of codes."""
    import akshare

    table = akshare.stock_zh_index_daily_em(
        request.code, f"{request.start:%Y%m%d}", f"{request.end:%Y%m%d}"
    )
    columns = {name: name for name in ("date", "open", "high", "low", "close", "volume", "amount")}
    rows = select_columns(table, columns, "stock_zh_index_daily_em")
    return {"bars": to_bars(rows, request.symbol, {"volume": 100.0})}
