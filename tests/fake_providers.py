"""Simulated hosts of the live providers: documented shapes, filled with rows of the sample market.

The real libraries run; their transport ends here. Requests that go through requests are answered at
its adapter, those
of curl_cffi at its session, those of baostock by a server on the loopback. Faults are switched on
by host.
"""

import json
import re
import socket
import struct
import threading
import zlib
from contextlib import contextmanager
from urllib.parse import parse_qs, unquote, urlsplit

import pandas as pd
import requests
from requests.adapters import HTTPAdapter

from lib.market.providers.registry import read_providers

CODES = read_providers().codes
EASTMONEY_GLOBAL = {
    "100.SPX": "SPX",
    "100.NDX": "NDX",
    "100.DJIA": "DJI",
    "100.FTSE": "FTSE",
    "100.GDAXI": "DAX",
    "100.N225": "N225",
    "100.HSI": "HSI",
    "100.UDI": "DXY",
    "119.EURUSD": "EURUSD",
    "119.GBPUSD": "GBPUSD",
    "119.USDJPY": "USDJPY",
    "120.USDCNYC": "USDCNY",
}
SINA = {code: symbol for symbol, code in CODES["akshare.foreign_futures_bars"].items()}
YAHOO = {code: symbol for symbol, code in CODES["yfinance.bars"].items()}
CHINABOND = {
    "8a8b2ca04bf69582014c10b60f376c77": "CBA00652.CS",
    "8a8b2cef77b239980177b485d20a6379": "CBA21801.CS",
}
JIN10 = {"9": "US_CPI_MOM", "6": "US_CORE_CPI_MOM", "37": "US_PPI_MOM", "7": "US_CORE_PPI_MOM"}
YIELD_FIELDS = {
    "EMM00166466": "CN10Y",
    "EMM00166469": "CN30Y",
    "EMG00001306": "US2Y",
    "EMG00001310": "US10Y",
}
OTHER_YIELDS = (
    "EMM00588704",
    "EMM00166462",
    "EMM01276014",
    "EMG00001308",
    "EMG00001312",
    "EMG01339436",
)
EXCHANGES = {"SH": "上海证券交易所", "SZ": "深圳证券交易所", "BJ": "北京证券交易所"}


def listed(symbol):
    """Return a code that an exchange could have given to a share of the sample; the order of the
    shares stays.
    """
    return f"6{symbol[1:6]}.SH" if symbol.endswith(".SM") else symbol


def hosts_of(store, today):
    """Return the hosts of the sample's market, and what no free source has, as tables of a folder.

    The shares go by codes that an exchange could have given them.
    """
    instruments = store.query("SELECT * FROM instruments")
    bars = store.query("SELECT * FROM bars WHERE date <= ?", [today])
    valuation = store.query("SELECT * FROM valuation WHERE date <= ?", [today])
    lists = store.query("SELECT * FROM constituents WHERE as_of <= ?", [today])
    macro = store.query("SELECT * FROM macro")
    for frame in (instruments, bars, lists):
        names = pd.Series({symbol: listed(symbol) for symbol in frame["symbol"].unique()})
        frame["symbol"] = frame["symbol"].map(names).astype(frame["symbol"].dtype)
    citic = instruments[instruments["symbol"].str.endswith(".WI")]
    own = bars.merge(citic[["symbol", "kind"]], on="symbol")
    shares = instruments[instruments["kind"] == "stock"]
    extra = {f"bars/{kind}": part.drop(columns="kind") for kind, part in own.groupby("kind")}
    extra |= {"valuation": valuation, "constituents": lists, "macro": macro}
    return Fake(bars, valuation, lists, macro, today), extra | {
        "instruments": pd.concat([citic, shares])
    }


class Fake:
    """The hosts, answering with the rows of a market up to ``today``."""

    def __init__(self, bars, valuation, constituents, macro, today):
        self.bars = {
            symbol: part.set_index("date").sort_index() for symbol, part in bars.groupby("symbol")
        }
        self.valuation, self.constituents, self.macro = valuation, constituents, macro
        self.today = pd.Timestamp(today)
        self.hits: list[str] = []
        #: ending of a host -> function(url, body bytes) that returns a body, a (status, body)
        # pair, or raises
        self.faults: dict = {}
        #: host ending -> function(symbol, rows) that falsifies the rows before they are put into
        # shape
        self.falsified: dict = {}

    def rows(self, symbol, host, start=None, end=None):
        frame = self.bars.get(symbol)
        if frame is None:
            return pd.DataFrame(columns=["open", "high", "low", "close", "volume", "amount"])
        frame = frame[: min(self.today, pd.Timestamp(end or self.today))]
        frame = frame[pd.Timestamp(start) :] if start else frame
        for ending, falsify in self.falsified.items():
            if host.endswith(ending):
                frame = falsify(symbol, frame.copy())
        return frame

    def answer(self, url, body=None):
        """Return status and body of one request."""
        parts = urlsplit(url)
        query = {
            key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()
        }
        self.hits.append(parts.netloc + parts.path)
        content, status = self._route(parts.netloc, parts.path, query, body), 200
        if isinstance(content, tuple):
            status, content = content
        if not isinstance(content, bytes):  # JSON knows no NaN
            content = json.dumps(content, ensure_ascii=False).replace("NaN", "null").encode()
        for ending, fault in self.faults.items():
            if parts.netloc.endswith(ending):
                content = fault(url, content)
                return content if isinstance(content, tuple) else (200, content)
        return status, content

    def _route(self, host, path, query, body):
        if path == "/api/qt/stock/kline/get":
            return self._kline(host, query)
        if path.endswith("/index_publish/trend/"):
            return {"data": self._shenwan(host, query["swindexcode"])}
        if path.endswith("/component_stocks/"):
            return {"data": {"results": self._members(f"{query['swindexcode']}.SI")}}
        if path.endswith("/index_analysis_report/"):
            return self._report(query, query["start_date"], query["end_date"])
        if path.endswith("/index_analysis_reports/"):
            return self._report(query, query["bargaindate"], query["bargaindate"])
        if path.endswith("/week_month_datetime/"):
            days = self.valuation["date"][self.valuation["date"] <= self.today].drop_duplicates()
            ends = days.groupby(days.dt.to_period("M")).max()
            return {"data": [{"bargaindate": f"{day:%Y-%m-%d}"} for day in ends]}
        if path.endswith("/perf/index-perf"):
            return self._csindex(host, query)
        if path.endswith("closeweight.xls"):
            return self._weights(re.search(r"/(\w+)closeweight.xls", path)[1])
        if path.endswith("/getIndexDailyDataWithDataFormat"):
            return self._cnindex(host, query)
        if path.endswith("/reports/list_v2"):
            return self._jin10(query)
        if path.endswith("/finance/macrodatas"):
            return self._calendar(query)
        if host == "datacenter.eastmoney.com":
            return self._yields(host, query)
        if "getGlobalFuturesDailyKLine" in path:
            return self._sina(host, SINA[query["symbol"]], False)
        if "InnerFuturesNewService" in path:
            return self._sina(host, "CU.SHF", True)
        if path.endswith("/singleIndexQueryResult"):
            rows = self.rows(CHINABOND[query["indexid"]], host)
            stamps = (rows.index.tz_localize("Asia/Shanghai").view("int64") // 10**6).astype(str)
            return {
                "dqcName": {"00": "总值"},
                "CFZS_00": dict(zip(stamps, rows["close"], strict=True)),
            }
        if host == "api.waditu.com":
            return self._tushare(host, json.loads(body))
        if "/v8/finance/chart/" in path:
            return self._yahoo(host, unquote(path.rsplit("/", 1)[1]), query)
        if host == "fc.yahoo.com":  # it only gives a cookie
            return 404, b"not found"
        if host.endswith("yahoo.com"):
            return b"crumb"
        raise AssertionError(f"nothing answers {host}{path}")

    def _kline(self, host, query):
        market, code = query["secid"].split(".")
        symbol = EASTMONEY_GLOBAL.get(query["secid"])
        candidates = [
            f"{code}.SH" if market == "1" else f"{code}.SZ" if market == "0" else f"{code}.CSI"
        ]
        symbol = symbol or candidates[0]
        count = len([field for field in query["fields2"].split(",") if field != "f116"])
        rows = self.rows(
            symbol, host, query.get("beg"), query["end"].replace("20500000", "20500101")
        )
        lots = rows["volume"].fillna(0.0) / 100.0
        amount = rows["amount"].fillna(0.0)
        lines = []
        for row, lot, value in zip(rows.itertuples(), lots, amount, strict=True):
            shown = [
                f"{row.Index:%Y-%m-%d}",
                _text(row.open),
                repr(row.close),
                _text(row.high),
                _text(row.low),
            ]
            shown += [repr(lot), repr(value), *["0"] * 10]
            lines.append(",".join(shown[:count]))
        if not lines:
            return {"rc": 0, "data": None}
        return {
            "rc": 0,
            "data": {"code": code, "market": int(market), "name": symbol, "klines": lines},
        }

    def _shenwan(self, host, code):
        return [
            {
                "swindexcode": code,
                "bargaindate": f"{row.Index:%Y-%m-%d}",
                "openindex": row.open,
                "maxindex": row.high,
                "minindex": row.low,
                "closeindex": row.close,
                "hike": 0.0,
                "markup": 0.0,
                "bargainamount": row.volume / 1e8,
                "bargainsum": row.amount / 1e8,
            }
            for row in self.rows(f"{code}.SI", host).itertuples()
        ]

    def _report(self, query, start, end):
        frame = self.valuation[self.valuation["symbol"].str.endswith(".SI")]
        frame = frame[
            (frame["date"] >= start) & (frame["date"] <= min(pd.Timestamp(end), self.today))
        ]
        frame = frame.sort_values(["date", "symbol"])
        first = (int(query["page"]) - 1) * int(query["page_size"])
        lines = []
        for row in frame.iloc[first : first + int(query["page_size"])].itertuples():
            line = dict.fromkeys(
                (
                    "closeindex",
                    "bargainamount",
                    "markup",
                    "turnoverrate",
                    "meanprice",
                    "bargainsumrate",
                ),
                "1.0",
            )
            line |= dict.fromkeys(("negotiablessharesum1", "negotiablessharesum2", "dp"), "1.0")
            line |= {
                "swindexcode": row.symbol[:6],
                "swindexname": "x",
                "bargaindate": f"{row.date:%Y-%m-%d}",
            }
            lines.append(line | {"pe": str(row.pe_ttm), "pb": str(row.pb)})
        return {"data": {"count": len(frame), "next": None, "previous": None, "results": lines}}

    def _csindex(self, host, query):
        code = query["indexCode"]
        symbol = next(name for name in (f"{code}.CSI", f"{code}.SH") if name in self.bars)
        lines = []
        for row in self.rows(symbol, host, query["startDate"], query["endDate"]).itertuples():
            line = {"tradeDate": f"{row.Index:%Y%m%d}", "indexCode": code}
            line |= dict.fromkeys(
                ("indexNameCnAll", "indexNameCn", "indexNameEnAll", "indexNameEn"), "x"
            )
            line |= {"open": row.open, "high": row.high, "low": row.low, "close": row.close}
            line |= {
                "change": 0.0,
                "changePct": 0.0,
                "tradingVol": row.volume / 1e6,
                "tradingValue": row.amount / 1e8,
            }
            lines.append(line | {"consNumber": 50.0, "peg": None})
        return {"code": "200", "msg": "Success", "success": True, "data": lines}

    def _list(self, *symbols):
        frame = self.constituents
        frame = frame[frame["index_symbol"].isin(symbols) & (frame["as_of"] <= self.today)]
        return frame[frame["as_of"] == frame["as_of"].max()]

    def _members(self, symbol):
        return [
            {
                "stockcode": row.symbol[:6],
                "stockname": f"股{row.symbol[:6]}",
                "newweight": row.weight,
            }
            | {"beginningdate": f"{row.as_of:%Y-%m-%d} 00:00:00", "innercode": "x"}
            for row in self._list(symbol).itertuples()
        ]

    def _weights(self, code):
        heads = [
            "日期Date",
            "指数代码 Index Code",
            "指数名称",
            "指数英文名称",
            "成份券代码",
            "成份券名称",
            "英文名称",
        ]
        rows = [[*heads, "交易所", "交易所英文名称", "权重(%)weight"]]
        for row in self._list(f"{code}.CSI", f"{code}.SH").itertuples():
            share = [
                row.symbol[:6],
                f"股{row.symbol[:6]}",
                f"Share {row.symbol[:6]}",
                EXCHANGES[row.symbol[-2:]],
            ]
            rows.append(
                [int(f"{row.as_of:%Y%m%d}"), code, "指数", "Index", *share, "x", row.weight]
            )
        return workbook(rows)

    def _cnindex(self, host, query):
        symbol = next(
            name
            for name in (f"{query['indexCode']}.SZ", f"{query['indexCode']}.CNI")
            if name in self.bars
        )
        rows = self.rows(symbol, host, query["startDate"], query["endDate"])
        lines = [
            [
                f"{row.Index:%Y-%m-%d}",
                "1",
                *map(str, (row.high, row.open, row.low, row.close)),
                "0",
                "0.0%",
            ]
            + [repr(value) for value in (row.amount / 1e8, row.volume / 1e6)]
            + ["x"]
            for row in rows.itertuples()
        ]
        return {"code": 200, "data": {"data": lines[::-1]}}

    def _jin10(self, query):
        frame = self.macro[self.macro["series"] == JIN10[query["attr_id"]]].sort_values(
            "release_date", ascending=False
        )
        frame = frame[
            frame["release_date"] <= min(pd.Timestamp(query["max_date"] or self.today), self.today)
        ]
        values = [
            [f"{row.release_date:%Y-%m-%d}", row.actual, row.consensus, row.previous]
            for row in frame.head(200).itertuples()
        ]
        return {"status": 200, "data": {"keys": [], "values": values}}

    def _calendar(self, query):
        day = (
            pd.Timestamp(int(query["start"]), unit="s", tz="UTC")
            .tz_convert("Asia/Shanghai")
            .tz_localize(None)
        )
        frame = self.macro[
            (self.macro["release_date"] == day.normalize()) & (day.normalize() <= self.today)
        ]
        # the country is not part of the title, and other countries publish the same
        items = [
            {
                "country": "英国",
                "title": "5月CPI同比",
                "actual": "9.9",
                "forecast": "9.9",
                "previous": "9.9",
            }
        ]
        for row in frame.itertuples():
            found = re.match(r"US_(CORE_)?(CPI|PPI)_(MOM|YOY)$", row.series)
            if found:
                rate = {"YOY": "同比", "MOM": "环比"}[found[3]]
                title = f"{row.period.month}月{'核心' if found[1] else ''}{found[2]}{rate}"
                item = {
                    "actual": str(row.actual),
                    "forecast": str(row.consensus),
                    "previous": str(row.previous),
                }
                items.append({"country": "美国", "title": title} | item)
        stamp = int(
            (day + pd.Timedelta(hours=20, minutes=30)).tz_localize("Asia/Shanghai").timestamp()
        )
        more = {"public_date": stamp, "importance": 3, "revised": "", "uri": "x"}
        return {"code": 20000, "data": {"items": [more | item for item in items]}}

    def _yields(self, host, query):
        wide = pd.DataFrame(
            {field: self.rows(symbol, host)["close"] for field, symbol in YIELD_FIELDS.items()}
        )
        wide = wide.sort_index(ascending=False)
        size = int(query["ps"])
        page = wide.iloc[(int(query["p"]) - 1) * size : int(query["p"]) * size]
        lines = []
        for day, row in page.iterrows():
            line = {
                "SOLAR_DATE": f"{day:%Y-%m-%d} 00:00:00",
                "EMM00000024": None,
                "EMG00159635": None,
            }
            line |= dict.fromkeys(OTHER_YIELDS, 1.0)
            lines.append(
                line | {field: None if pd.isna(value) else value for field, value in row.items()}
            )
        return {"result": {"pages": -(-len(wide) // size), "data": lines}}

    def _sina(self, host, symbol, domestic):
        lines = []
        for row in self.rows(symbol, host).itertuples():
            prices = [_text(row.open), _text(row.high), _text(row.low), repr(row.close)]
            if domestic:
                names = ("d", "o", "h", "l", "c", "v", "p", "s")
                lines.append(
                    dict(zip(names, [f"{row.Index:%Y-%m-%d}", *prices, "1", "1", "0"], strict=True))
                )
            else:
                names = ("date", "open", "high", "low", "close", "volume", "position", "s")
                lines.append(
                    dict(zip(names, [f"{row.Index:%Y-%m-%d}", *prices, "1", "0", "0"], strict=True))
                )
        return f"/*<script>location.href='//sina.com';</script>*/\nvar _S=({json.dumps(lines)});".encode()

    def _tushare(self, host, asked):
        if asked["token"] != "a-secret-token":
            return {"code": 40101, "msg": f"your token {asked['token']} is wrong", "data": None}
        parameters, fields = asked["params"], asked["fields"].split(",")
        # (ending of its codes, shares in a unit of volume, CNY in one of amount)
        ending, volume, amount = {
            "sw_daily": (".SI", 1e4, 1e4),
            "ci_daily": (".CI", 1e4, 1e4),
            "index_daily": ("", 100.0, 1e3),
        }[asked["api_name"]]
        if "trade_date" in parameters:
            ours = [symbol.replace(".WI", ".CI") for symbol in self.bars]
            codes = sorted(symbol for symbol in ours if symbol.endswith(ending))
            start = end = parameters["trade_date"]
        else:
            codes, start, end = (
                [parameters["ts_code"]],
                parameters["start_date"],
                parameters["end_date"],
            )
        items = []
        for code in codes:
            value = self.valuation[self.valuation["symbol"] == code].set_index("date")
            rows = self.rows(code.replace(".CI", ".WI"), host, start, end).join(
                value[["pe_ttm", "pb"]]
            )
            for row in rows.iloc[::-1].itertuples():
                line = {
                    "ts_code": code,
                    "trade_date": f"{row.Index:%Y%m%d}",
                    "open": row.open,
                    "high": row.high,
                }
                line |= {
                    "low": row.low,
                    "close": row.close,
                    "vol": row.volume / volume,
                    "amount": row.amount / amount,
                }
                line |= {"pe": row.pe_ttm, "pb": row.pb}
                items.append([line[field] for field in fields])
        return {"code": 0, "msg": "", "data": {"fields": fields, "items": items}}

    def _yahoo(self, host, ticker, query):
        symbol = YAHOO.get(ticker) or ticker.replace(".SS", ".SH")
        start, end = (
            pd.Timestamp(int(query.get(name, 0)), unit="s").normalize()
            for name in ("period1", "period2")
        )
        if "period1" not in query:
            start, end = self.today - pd.Timedelta(days=5), self.today + pd.Timedelta(days=1)
        zone = "Asia/Shanghai" if symbol.endswith((".SH", ".SZ")) else "UTC"
        rows = self.rows(symbol, host, start, end)
        rows = rows[rows.index < end.normalize() + pd.Timedelta(days=1)]
        stamps = [
            int((day + pd.Timedelta(hours=9)).tz_localize(zone).timestamp()) for day in rows.index
        ]
        lists = {
            field: [None if pd.isna(x) else x for x in rows[field]]
            for field in ("open", "high", "low", "close")
        }
        volume = [0 if pd.isna(x) else int(x) for x in rows["volume"]]
        meta = {
            "currency": "USD",
            "symbol": ticker,
            "exchangeTimezoneName": zone,
            "timezone": zone,
            "gmtoffset": 0,
        }
        meta |= {"dataGranularity": "1d", "range": "", "instrumentType": "INDEX", "priceHint": 12}
        meta |= {"validRanges": ["1d", "max"], "regularMarketPrice": 1.0, "exchangeName": "X"}
        quotes = {"quote": [lists | {"volume": volume}], "adjclose": [{"adjclose": lists["close"]}]}
        return {
            "chart": {
                "result": [{"meta": meta, "timestamp": stamps, "indicators": quotes}],
                "error": None,
            }
        }

    @contextmanager
    def listening(self, monkeypatch):
        """Stand in for the network while the block runs."""

        def adapter(_, request, **options):
            assert options.get("timeout"), "a request without a time-out"
            status, content = self.answer(request.url, request.body)
            response = requests.Response()
            response.status_code, response._content = status, content
            response.url, response.request, response.encoding = request.url, request, "utf-8"
            return response

        def session(_, method, url, *args, params=None, **options):
            assert options.get("timeout"), "a request without a time-out"
            asked = requests.Request("GET", url, params=params).prepare().url
            status, content = self.answer(asked)
            from curl_cffi.requests import Response

            response = Response()
            response.status_code, response.content, response.url = status, content, asked
            return response

        from baostock.common import contants
        from curl_cffi.requests import Session

        monkeypatch.setattr(HTTPAdapter, "send", adapter)
        monkeypatch.setattr(Session, "request", session)
        with baostock_server(self) as port:
            monkeypatch.setattr(contants, "BAOSTOCK_SERVER_IP", "127.0.0.1")
            monkeypatch.setattr(contants, "BAOSTOCK_SERVER_PORT", port)
            yield self


@contextmanager
def baostock_server(fake):
    """Speak baostock's protocol on a free port of the loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()

    def serve():
        while not stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_converse, args=(fake, connection), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        stopping.set()
        listener.close()


def _converse(fake, connection):
    connection.settimeout(None)
    with connection, connection.makefile("rb") as lines:
        for line in lines:
            text = line.decode().rstrip("\n")
            kind, body = text.split("\1")[1], text[21:].split("\1")
            fake.hits.append(f"baostock/{body[0]}")
            fault = fake.faults.get("baostock.com")
            if fault and not fault("", b""):
                return
            connection.sendall(_reply(fake, kind, body))


def _reply(fake, kind, body):
    if kind == "00":
        return _message("01", "\1".join(["0", "success", "login", body[1], ""])) + b"<![CDATA[]]>\n"
    _, user, page, size, code, fields, start, end, frequency, adjust = body[:10]
    symbol = f"{code[3:]}.{code[:2].upper()}"
    rows = fake.rows(symbol, "baostock.com", start, end)
    first = (int(page) - 1) * int(size)
    record = []
    for row in rows.iloc[first : first + int(size)].itertuples():
        line = {"date": f"{row.Index:%Y-%m-%d}", "code": code, "tradestatus": "1"}
        for field in ("open", "high", "low", "close", "volume", "amount"):
            line[field] = _text(getattr(row, field))
        record.append([line[field] for field in fields.split(",")])
    parts = [
        "0",
        "success",
        "query_history_k_data_plus",
        user,
        page,
        size,
        json.dumps({"record": record}),
    ]
    parts += [code, fields, start, end, frequency, adjust, ""]
    return _message("96", "\1".join(parts), packed=True) + b"<![CDATA[]]>\n"


def _message(kind, body, packed=False):
    content = zlib.compress(body.encode()) if packed else body.encode()
    return f"00.9.40\1{kind}\1{len(content):010d}".encode() + content


def workbook(rows):
    """Write an old Excel file (BIFF2: one sheet of numbers and texts), which is what the CSI hands
    out.
    """

    def record(kind, data=b""):
        return struct.pack("<HH", kind, len(data)) + data

    # Chinese code page
    parts = [record(0x09, struct.pack("<HH", 7, 0x10)), record(0x42, struct.pack("<H", 936))]
    for place, row in enumerate(rows):
        for column, value in enumerate(row):
            cell = struct.pack("<HH", place, column) + bytes(3)
            if isinstance(value, str):
                text = value.encode("gbk")
                parts.append(record(0x04, cell + bytes([len(text)]) + text))
            else:
                parts.append(record(0x03, cell + struct.pack("<d", value)))
    return b"".join(parts) + record(0x0A)


def _text(value):
    return "" if pd.isna(value) else repr(float(value))
