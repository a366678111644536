"""akshare: Shenwan sectors, CSI and CNI themes, and A-share indices.

Units: the Shenwan pages give volume in hundred millions of shares and amount in hundred millions of CNY; CSI's
index-perf gives ten thousands of lots and hundred millions of CNY; Eastmoney gives lots and CNY.
"""

from __future__ import annotations

import re

import pandas as pd

from lib.market.providers.akshare_funds import FUND
from lib.market.providers.answers import Answer, Want, bars, digits, numbers, take
from lib.market.providers.client import Client, ProviderError

#: days of sector PE and PB up to which the daily report is asked for; before them, month by month
DAILY_REPORT = pd.Timedelta(days=45)
OHLC = {"开盘": "open", "最高": "high", "最低": "low", "收盘": "close"}
#: indices of the two exchanges; codes of listed funds are none, and would come without their dividends
LISTED = re.compile(rf"^(?!{FUND.pattern})(\d{{6}})\.(SH|SZ)$")
#: codes that the CSI publishes under their number, those of the Shanghai exchange included
CSI = re.compile(r"^([0-9H]\d{5})\.CSI$|^(000\d{3})\.SH$")
CNI = re.compile(r"^(399\d{3}|98\d{4})\.(SZ|CNI)$")


def sector_code(symbol: str) -> str | None:
    """Return the Shenwan code of a sector."""
    return digits(symbol) if symbol.endswith(".SI") else None


def sector_bars(want: Want, client: Client) -> Answer:
    """Shenwan sector bars: the whole history in one request, cut to the days wanted."""
    import akshare

    columns = {"日期": "date", **OHLC, "成交量": "volume", "成交额": "amount"}
    rows = take(akshare.index_hist_sw(symbol=want.code, period="day"), columns, "index_hist_sw")
    return {"bars": bars(rows, want.symbol, {"volume": 1e8, "amount": 1e8})}


def sector_valuation(want: Want, client: Client) -> Answer:
    """Shenwan sector PE and PB.

    All sectors come in one report, 50 lines a page. A day costs one page, so recent days are read from the daily
    report; further back one report a month does, two requests each.
    """
    import akshare

    recent = max(want.start, want.end - DAILY_REPORT)
    frames = [akshare.index_analysis_daily_sw("一级行业", f"{recent:%Y%m%d}", f"{want.end:%Y%m%d}")]
    stored = want.base["date"][want.base["date"] < recent]
    if len(stored):  # to be compared with
        days = f"{stored.min():%Y%m%d}", f"{stored.max():%Y%m%d}"
        frames.append(akshare.index_analysis_daily_sw("一级行业", *days))
    if want.start < recent:
        known = take(akshare.index_analysis_week_month_sw("month"), {"date": "date"}, "index_analysis_week_month_sw")
        dates = pd.DatetimeIndex(pd.to_datetime(known["date"]))
        dates = dates[(dates >= want.start) & (dates < recent) & ~dates.isin(stored)].sort_values()
        frames += [akshare.index_analysis_monthly_sw("一级行业", f"{date:%Y%m%d}") for date in dates]
    columns = {"指数代码": "code", "发布日期": "date", "市盈率": "pe_ttm", "市净率": "pb"}
    rows = take(pd.concat(frames, ignore_index=True), columns, "index_analysis_daily_sw")
    symbols = {code: symbol for symbol, code in want.codes.items()}
    rows = rows[rows["code"].astype(str).isin(symbols)]
    frame = pd.DataFrame({"symbol": rows["code"].astype(str).map(symbols), "date": pd.to_datetime(rows["date"])})
    frame = frame.assign(pe_ttm=numbers(rows["pe_ttm"]), pb=numbers(rows["pb"]))
    return {"valuation": frame.sort_values(["symbol", "date"], kind="stable")}


def sector_members(want: Want, client: Client) -> Answer:
    """Members and weights of a Shenwan sector: the page knows only the day on which it is asked."""
    import akshare

    columns = {"证券代码": "code", "证券名称": "name", "最新权重": "weight"}
    rows = take(akshare.index_component_sw(want.code), columns, "index_component_sw")
    rows = rows.assign(symbol=rows["code"].astype(str).map(exchange_symbol), weight=numbers(rows["weight"]))
    rows = rows.assign(index_symbol=want.symbol, as_of=want.end, name_en=rows["name"])
    return {"constituents": rows[["index_symbol", "as_of", "symbol", "weight", "name", "name_en"]]}


def exchange_symbol(code: str) -> str:
    """Add the exchange to the code of a share: 6 and 9 are Shanghai's, 4 and 8 Beijing's, and 92 too."""
    if code.startswith(("4", "8", "92")):
        return f"{code}.BJ"
    return f"{code}.SH" if code.startswith(("6", "9")) else f"{code}.SZ"


def csi_code(symbol: str) -> str | None:
    """Return the CSI's number of an index, None for those it does not publish."""
    found = CSI.match(symbol)
    return found and (found[1] or found[2])


def csi_bars(want: Want, client: Client) -> Answer:
    """CSI index bars, and their PE from the same answer; the CSI gives no PB."""
    import akshare

    table = akshare.stock_zh_index_hist_csindex(want.code, f"{want.start:%Y%m%d}", f"{want.end:%Y%m%d}")
    columns = {
        "日期": "date",
        **OHLC,
        "成交量": "volume",
        "成交金额": "amount",
        "滚动市盈率": "pe_ttm",
        "指数代码": "code",
    }
    rows = take(table, columns, "stock_zh_index_hist_csindex")
    # akshare names the sixteen fields by position: the code in its place shows that none was added or dropped
    if set(rows["code"].astype(str)) != {want.code}:
        raise ProviderError(
            f"the fields of index-perf have moved: {rows['code'].iloc[0]!r} stands where the code was",
            symbol=want.symbol,
            remedy="update akshare",
        )
    valuation = pd.DataFrame({"symbol": want.symbol, "date": pd.to_datetime(rows["date"])})
    valuation = valuation.assign(pe_ttm=numbers(rows["pe_ttm"]), pb=float("nan")).dropna(subset=["pe_ttm"])
    answer = {"bars": bars(rows, want.symbol, {"volume": 1e6, "amount": 1e8})}
    return answer | ({"valuation": valuation.sort_values("date")} if len(valuation) else {})


def csi_weights(want: Want, client: Client) -> Answer:
    """Constituents and weights of an index of the CSI at the last month end."""
    import akshare

    exchanges = {"上海证券交易所": ".SH", "深圳证券交易所": ".SZ", "北京证券交易所": ".BJ"}
    columns = {"日期": "as_of", "成分券代码": "code", "交易所": "exchange", "权重": "weight"}
    columns |= {"成分券名称": "name", "成分券英文名称": "name_en"}
    rows = take(akshare.index_stock_cons_weight_csindex(want.code), columns, "index_stock_cons_weight_csindex")
    ending = rows["exchange"].map(exchanges)
    kept = ending.notna()  # members listed in Hong Kong are outside the suite's exchanges
    frame = pd.DataFrame({"index_symbol": want.symbol, "as_of": pd.to_datetime(rows["as_of"])[kept]})
    frame = frame.assign(symbol=rows["code"].astype(str)[kept] + ending[kept], weight=numbers(rows["weight"])[kept])
    return {"constituents": frame.assign(name=rows["name"][kept], name_en=rows["name_en"][kept])}


def cni_code(symbol: str) -> str | None:
    """Return the CNI's number of a Shenzhen or CNI index."""
    found = CNI.match(symbol)
    return found and found[1]


def cni_bars(want: Want, client: Client) -> Answer:
    """Shenzhen and CNI index bars; volume in ten thousands of lots, amount in hundred millions of CNY."""
    import akshare

    table = akshare.index_hist_cni(want.code, f"{want.start:%Y%m%d}", f"{want.end:%Y%m%d}")
    columns = {
        "日期": "date",
        "开盘价": "open",
        "最高价": "high",
        "最低价": "low",
        "收盘价": "close",
        "成交量": "volume",
        "成交额": "amount",
    }
    return {"bars": bars(take(table, columns, "index_hist_cni"), want.symbol, {"volume": 1e6, "amount": 1e8})}


def eastmoney_code(symbol: str) -> str | None:
    """Return Eastmoney's name of an index listed in Shanghai or Shenzhen, or published by the CSI."""
    found = LISTED.match(symbol)
    if found:
        return found[2].lower() + found[1]
    return f"csi{digits(symbol)}" if symbol.endswith(".CSI") else None


def eastmoney_bars(want: Want, client: Client) -> Answer:
    """A-share index bars from Eastmoney, by the call that needs no list of codes."""
    import akshare

    table = akshare.stock_zh_index_daily_em(want.code, f"{want.start:%Y%m%d}", f"{want.end:%Y%m%d}")
    columns = {name: name for name in ("date", "open", "high", "low", "close", "volume", "amount")}
    return {"bars": bars(take(table, columns, "stock_zh_index_daily_em"), want.symbol, {"volume": 100.0})}
