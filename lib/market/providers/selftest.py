"""Self-test of the provider functions: one small call each, for a user with a network."""

from __future__ import annotations

import pandas as pd

from lib.market.calendar import Sessions
from lib.market.errors import SuiteError
from lib.market.providers.client import Client, redact
from lib.market.providers.contract import FetchRequest, call_provider
from lib.market.providers.registry import ENDPOINTS, ProviderSettings
from lib.market.providers.response_checks import find_faults
from lib.market.schema import KNOWN_ON, cast_to_schema, empty_table

#: function -> (table, kind, symbol) of its test call
TEST_CALLS = {
    "akshare.sector_bars": ("bars", "sector", "801050.SI"),
    "akshare.sector_members": ("constituents", "sector", "801050.SI"),
    "akshare.sector_valuation": ("valuation", "sector", "801050.SI"),
    "akshare.csi_bars": ("bars", "theme", "930713.CSI"),
    "akshare.csi_weights": ("constituents", "broad_index", "000300.SH"),
    "akshare.cni_bars": ("bars", "theme", "399441.SZ"),
    "akshare.eastmoney_bars": ("bars", "broad_index", "000300.SH"),
    "akshare.fund_bars": ("bars", "etf", "510300.SH"),
    "akshare.share_bars": ("bars", "stock", "600519.SH"),
    "akshare.global_index_bars": ("bars", "global_index", "SPX"),
    "akshare.currency_bars": ("bars", "fx", "USDJPY"),
    "akshare.foreign_futures_bars": ("bars", "commodity", "GC"),
    "akshare.domestic_futures_bars": ("bars", "commodity", "CU.SHF"),
    "akshare.yield_bars": ("bars", "yield", "US10Y"),
    "akshare.treasury_index_bars": ("bars", "bond_index", "CBA00652.CS"),
    "akshare.jin10_history": ("macro", "macro", "US_CPI_MOM"),
    "akshare.wallstreetcn_calendar": ("macro", "macro", "US_CPI_YOY"),
    "yfinance.bars": ("bars", "global_index", "SPX"),
    "yfinance.fund_bars": ("bars", "etf", "510300.SH"),
    "baostock.share_bars": ("bars", "stock", "600519.SH"),
    "baostock.index_bars": ("bars", "broad_index", "000300.SH"),
    "tushare.sector_daily": ("bars", "sector", "801050.SI"),
    "tushare.citic_daily": ("bars", "sector", "CI005001.WI"),
    "tushare.index_daily": ("bars", "broad_index", "000300.SH"),
}
#: days that a test call looks back, by table; releases and lists come once a month
LOOKBACK_DAYS = {"bars": 20, "valuation": 5, "constituents": 70, "macro": 45}


def self_test(settings: ProviderSettings, client: Client, day: pd.Timestamp) -> pd.DataFrame:
    """Call every function once.

    Parameters
    ----------
    settings : ProviderSettings
        Endpoints and codes.
    client : Client
        Sends the requests.
    day : Timestamp
        Last day to ask for.

    Returns
    -------
    DataFrame
        ``function``, ``verdict`` (``responds``, ``rejected`` by the checks, or ``fails``),
        ``rows``, ``last`` (day of the newest row) and ``detail``. Functions without their token are
        left out, and those that serve only the present when the day is past.
    """
    lines = []
    with client.attached():
        for name, (table, kind, symbol) in TEST_CALLS.items():
            if not ENDPOINTS[name].available(day, client.today()):
                continue
            code = settings.code(name, symbol)
            if code is None:
                detail = f"no universe list names {symbol} for it"
                lines.append(
                    {"function": name, "verdict": "fails", "rows": 0, "last": "", "detail": detail}
                )
                continue
            start = day - pd.Timedelta(days=LOOKBACK_DAYS[table])
            stored = empty_table(table)
            request = FetchRequest(kind, (symbol,), {symbol: code}, start, day, stored)
            lines.append({"function": name, **_call(name, table, request, client)})
    return pd.DataFrame(lines, columns=["function", "verdict", "rows", "last", "detail"])


def _call(name: str, table: str, request: FetchRequest, client: Client) -> dict:
    """Return verdict, rows, last day and detail of one call."""
    try:
        response = call_provider(name, ENDPOINTS[name].function, request, client)
    except SuiteError as error:
        return {"verdict": "fails", "rows": 0, "last": "", "detail": redact(error.message)}
    rows = cast_to_schema(table, response[table])
    if not len(rows):
        return {"verdict": "rejected", "rows": 0, "last": "", "detail": "no rows"}
    found = find_faults(table, request.kind, rows, request.stored, Sessions.load())
    faults = found.get(request.symbol, [])
    return {
        "verdict": "rejected" if faults else "responds",
        "rows": len(rows),
        "last": f"{rows[KNOWN_ON[table]].max():%Y-%m-%d}",
        "detail": "; ".join(faults),
    }
