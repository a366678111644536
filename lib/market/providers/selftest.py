"""Which provider functions still answer as documented? For a user with a network; one small call each."""

from __future__ import annotations

import pandas as pd

from lib.market.calendar import Sessions
from lib.market.errors import SuiteError
from lib.market.providers.answers import Want, ask, typed
from lib.market.providers.audit import faults
from lib.market.providers.client import Client, blacken
from lib.market.providers.routes import ROUTES, Providers
from lib.market.schema import KNOWN_ON, TABLES

#: function -> (table, kind, symbol) of its test call
CALLS = {
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
#: how far back a test call looks, by table; releases and lists come once a month
DAYS = {"bars": 20, "valuation": 5, "constituents": 70, "macro": 45}


def self_test(settings: Providers, client: Client, day: pd.Timestamp) -> pd.DataFrame:
    """Call every function once.

    Returns
    -------
    DataFrame
        ``function``, ``verdict`` (``answers``, ``refused`` by the checks, or ``fails``), ``rows``, ``last`` (day of
        the newest row) and ``detail``. Left out are functions whose token is not set, and those that know only the
        present when the day is past.
    """
    lines = []
    with client.attached():
        for name, (table, kind, symbol) in CALLS.items():
            if not ROUTES[name].open(day, client.today()):
                continue
            lines.append({"function": name, **_call(name, table, kind, symbol, settings, client, day)})
    return pd.DataFrame(lines, columns=["function", "verdict", "rows", "last", "detail"])


def _call(name, table, kind, symbol, settings, client, day) -> dict:
    base = typed(table, pd.DataFrame(columns=list(TABLES[table])))
    start = day - pd.Timedelta(days=DAYS[table])
    want = Want(kind, (symbol,), {symbol: settings.code(name, symbol)}, start, day, base)
    try:
        rows = ask(name, ROUTES[name].function, want, client)[table]
    except SuiteError as error:
        return {"verdict": "fails", "rows": 0, "last": "", "detail": blacken(error.message)}
    rows = typed(table, rows)
    wrong = faults(table, kind, rows, base, Sessions.load()).get(symbol, []) if len(rows) else ["no rows"]
    last = f"{rows[KNOWN_ON[table]].max():%Y-%m-%d}" if len(rows) else ""
    return {"verdict": "refused" if wrong else "answers", "rows": len(rows), "last": last, "detail": "; ".join(wrong)}
