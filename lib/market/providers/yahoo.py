"""yfinance: global indices, futures, currencies and, as a second opinion, Chinese ETFs.

Yahoo turns away clients that do not look like a browser, so yfinance speaks through curl_cffi, which does not pass the
adapter of requests. A session of its own brings the same manners to it.
"""

from __future__ import annotations

import logging
import tempfile
from functools import cache

import pandas as pd

from lib.market.providers.akshare_funds import FUND
from lib.market.providers.answers import Answer, Want, bars, digits, take
from lib.market.providers.chain import chained
from lib.market.providers.client import Client, ProviderError

#: what the address of prices holds. The others, which give a cookie (from a page that answers 404) and a key to it, are
#: not needed for prices: yfinance does without when they fail
PRICES = "/v8/finance/chart"
COLUMNS = {"Date": "date", "Open": "open", "High": "high", "Low": "low", "Close": "close"}


def fund_code(symbol: str) -> str | None:
    """Return Yahoo's name of a Chinese listed fund."""
    if not FUND.match(symbol):
        return None
    return digits(symbol) + (".SS" if symbol.endswith(".SH") else ".SZ")


def index_bars(want: Want, client: Client) -> Answer:
    """Bars of an index, a future or a currency, by the exchange's own dates; volume is left out."""
    return {"bars": bars(_history(want, client), want.symbol)}


def fund_bars(want: Want, client: Client) -> Answer:
    """Total-return bars of a fund, chained from Yahoo's proportionally adjusted closes; no amount."""
    rows = _history(want, client, {"Adj Close": "adjusted", "Volume": "volume"})
    made = bars(rows, want.symbol)
    adjusted = rows.sort_values("date", kind="stable")["adjusted"].reset_index(drop=True)
    return {"bars": chained(made, adjusted, want.base, want.symbol)}


def _history(want: Want, client: Client, more: dict[str, str] | None = None) -> pd.DataFrame:
    ticker = _library().Ticker(want.code, session=_session(client))
    after = want.end + pd.Timedelta(days=1)  # Yahoo's end is exclusive
    table = ticker.history(
        start=f"{want.start:%Y-%m-%d}",
        end=f"{after:%Y-%m-%d}",
        auto_adjust=False,
        actions=False,
        raise_errors=True,
        timeout=client.timeout,
    )
    table = table.rename_axis("Date").reset_index()
    table["Date"] = table["Date"].dt.tz_localize(None).dt.normalize()
    rows = take(table, COLUMNS | (more or {}), "Ticker.history")
    rows = rows.dropna(subset=["close"])
    if not len(rows):
        raise ProviderError("Yahoo gave only empty rows", symbol=want.symbol, remedy="the next provider is asked")
    return rows


@cache
def _library():
    import yfinance

    # its caches of time zones and cookies: for this process only, not in the user's home
    yfinance.set_tz_cache_location(tempfile.mkdtemp(prefix="yfinance-"))
    logging.getLogger("yfinance").setLevel(logging.CRITICAL)  # its errors are raised, and told once
    return yfinance


@cache
def _polite_type():
    from curl_cffi.requests import Session

    class Polite(Session):
        """A session of curl_cffi whose requests pass the client."""

        client: Client

        def request(self, method, url, *args, **options):
            options["timeout"] = options.get("timeout") or self.client.timeout
            prices = PRICES in url
            try:
                return self.client.send(
                    url, None, lambda: super(Polite, self).request(method, url, *args, **options), judged=prices
                )
            except ProviderError as error:
                if prices:
                    raise
                raise ConnectionError(error.message) from error  # which yfinance knows to do without

    return Polite


def _session(client: Client):
    if "yahoo" not in client.sessions:
        session = _polite_type()(impersonate="chrome")
        session.client = client
        client.sessions["yahoo"] = session
    return client.sessions["yahoo"]
