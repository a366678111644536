"""yfinance: global indices, futures, currencies and, for cross-checks, Chinese ETFs.

Yahoo rejects clients that do not look like a browser, so yfinance uses curl_cffi, which bypasses
the adapter of requests. A session of its own sends those requests through the client too.
"""

from __future__ import annotations

import logging
import tempfile
from functools import cache

import pandas as pd

from lib.market.providers.client import Client, ProviderError
from lib.market.providers.contract import FetchRequest, Response, select_columns, to_bars
from lib.market.providers.total_return import to_total_return
from lib.market.symbols import FUND_CODE, strip_exchange

#: part of the address of prices. The other addresses give a cookie (from a page that responds 404)
#: and a key for it; both are optional: yfinance fetches prices without them
PRICE_PATH = "/v8/finance/chart"
BAR_COLUMNS = {"Date": "date", "Open": "open", "High": "high", "Low": "low", "Close": "close"}


def fund_code(symbol: str) -> str | None:
    """Return Yahoo's name of a Chinese listed fund."""
    if not FUND_CODE.match(symbol):
        return None
    return strip_exchange(symbol) + (".SS" if symbol.endswith(".SH") else ".SZ")


def index_bars(request: FetchRequest, client: Client) -> Response:
    """Return bars of an index, a future or a currency on the exchange's dates, without volume."""
    return {"bars": to_bars(_history(request, client), request.symbol)}


def fund_bars(request: FetchRequest, client: Client) -> Response:
    """Return total-return bars of a fund from proportionally adjusted closes, without amount."""
    rows = _history(request, client, {"Adj Close": "adjusted", "Volume": "volume"})
    raw = to_bars(rows, request.symbol)
    adjusted = rows.sort_values("date", kind="stable")["adjusted"].reset_index(drop=True)
    return {"bars": to_total_return(raw, adjusted, request.stored, request.symbol)}


def _history(
    request: FetchRequest, client: Client, more_columns: dict[str, str] | None = None
) -> pd.DataFrame:
    """Return the rows of ``BAR_COLUMNS`` and some more that have a close."""
    ticker = _library().Ticker(request.code, session=_session(client))
    day_after = request.end + pd.Timedelta(days=1)  # Yahoo's end is exclusive
    table = ticker.history(
        start=f"{request.start:%Y-%m-%d}",
        end=f"{day_after:%Y-%m-%d}",
        auto_adjust=False,
        actions=False,
        raise_errors=True,
        timeout=client.timeout,
    )
    table = table.rename_axis("Date").reset_index()
    table["Date"] = table["Date"].dt.tz_localize(None).dt.normalize()
    rows = select_columns(table, BAR_COLUMNS | (more_columns or {}), "Ticker.history")
    rows = rows.dropna(subset=["close"])
    if not len(rows):
        raise ProviderError("Yahoo returned only empty rows", symbol=request.symbol)
    return rows


@cache
def _library():
    import yfinance

    # its caches of time zones and cookies: for this process only, not in the user's home
    yfinance.set_tz_cache_location(tempfile.mkdtemp(prefix="yfinance-"))
    logging.getLogger("yfinance").setLevel(logging.CRITICAL)  # its errors are raised and reported
    return yfinance


@cache
def _session_type():
    """Return a session class of curl_cffi whose requests go through the client."""
    from curl_cffi.requests import Session

    class ThrottledSession(Session):
        client: Client

        def request(self, method, url, *args, **options):
            options["timeout"] = options.get("timeout") or self.client.timeout
            is_price = PRICE_PATH in url

            def call():
                return super(ThrottledSession, self).request(method, url, *args, **options)

            try:
                return self.client.send(url, None, call, check_status=is_price)
            except ProviderError as error:
                if is_price:
                    raise
                raise ConnectionError(error.message) from error  # yfinance handles this one

    return ThrottledSession


def _session(client: Client):
    if "yahoo" not in client.sessions:
        session = _session_type()(impersonate="chrome")
        session.client = client
        client.sessions["yahoo"] = session
    return client.sessions["yahoo"]
