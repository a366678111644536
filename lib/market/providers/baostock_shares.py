"""baostock: A shares and A-share indices, over a TCP connection of its own; all values are text.

Its back-adjusted prices are scaled and start at the listing, so a new dividend does not change
earlier prices.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pandas as pd

from lib.market.providers.client import Client, ProviderError
from lib.market.providers.contract import FetchRequest, Response, select_columns, to_bars
from lib.market.providers.total_return import rescale_to_stored
from lib.market.symbols import LISTED_INDEX_CODE, SHARE_CODE, strip_exchange

FIELDS = "date,code,open,high,low,close,volume,amount,tradestatus"
#: values of the parameter adjustflag
BACK_ADJUSTED = "1"
UNADJUSTED = "3"
#: first digits of baostock's error codes for the connection
NETWORK_ERRORS = "10002"


def share_code(symbol: str) -> str | None:
    """Return baostock's name of a share."""
    return _dotted(symbol) if SHARE_CODE.match(symbol) else None


def index_code(symbol: str) -> str | None:
    """Return baostock's name of an index listed in Shanghai or Shenzhen."""
    return _dotted(symbol) if LISTED_INDEX_CODE.match(symbol) else None


def share_bars(request: FetchRequest, client: Client) -> Response:
    """Return total-return bars of a share, without the days on which it did not trade."""
    rows = _query(request, client, BACK_ADJUSTED)
    rows = rows[rows["tradestatus"] == "1"]
    if not len(rows):
        return {"bars": to_bars(rows, request.symbol)}
    # the provider scales the prices: only their level has to match the stored one
    return {"bars": rescale_to_stored(to_bars(rows, request.symbol), request.stored)}


def index_bars(request: FetchRequest, client: Client) -> Response:
    """Return bars of an A-share index, in shares and CNY."""
    return {"bars": to_bars(_query(request, client, UNADJUSTED), request.symbol)}


def _dotted(symbol: str) -> str:
    return f"{symbol[-2:].lower()}.{strip_exchange(symbol)}"


def _query(request: FetchRequest, client: Client, adjustment: str) -> pd.DataFrame:
    """Return the rows of ``FIELDS`` without the code, as text."""
    import baostock
    from baostock.common import contants, context
    from baostock.util import socketutil

    # the library would read forever from a connection that the host has closed
    socketutil.socket = SimpleNamespace(
        socket=_ClosingSocket, AF_INET=socket.AF_INET, SOCK_STREAM=socket.SOCK_STREAM
    )
    host = contants.BAOSTOCK_SERVER_IP
    span = (f"{request.start:%Y-%m-%d}", f"{request.end:%Y-%m-%d}")
    query = (request.code, FIELDS, *span, "d", adjustment)

    def call():
        with _socket_timeout(client.timeout):
            try:
                if not client.sessions.get("baostock"):
                    _succeeded(baostock.login())
                    client.sessions["baostock"] = context.default_socket
                result = _succeeded(baostock.query_history_k_data_plus(*query))
                rows = []
                while result.next():
                    rows.append(result.get_row_data())
                _succeeded(result)  # a further page may have failed
            except OSError:
                client.sessions.pop("baostock", None)  # the next attempt logs in again
                raise
        return pd.DataFrame(rows, columns=result.fields)

    address = f"tcp://{host}/{'/'.join(query)}"
    table = client.send(address, None, call)
    lines = [",".join(row) for row in (table.columns, *table.itertuples(index=False))]
    client.record(host, address, None, 200, "\n".join(lines).encode("utf-8"))
    columns = {name: name for name in FIELDS.split(",") if name != "code"}
    return select_columns(table, columns, "query_history_k_data_plus")


def _succeeded(result):
    """Return a result of baostock, or raise the error that it reports."""
    if result is None or result.error_code.startswith(NETWORK_ERRORS):
        raise ConnectionError(getattr(result, "error_msg", "no response"))
    if result.error_code != "0":
        raise ProviderError(
            f"baostock responded {result.error_code}: {result.error_msg}",
            remedy="try again later; it blocks addresses that send requests in parallel",
        )
    return result


class _ClosingSocket(socket.socket):
    """A socket that raises when the host has closed the connection."""

    def recv(self, size: int, flags: int = 0) -> bytes:
        data = super().recv(size, flags)
        if not data:
            raise ConnectionResetError("the connection was closed")
        return data


@contextmanager
def _socket_timeout(timeout: float) -> Iterator[None]:
    """Set the time-out of new sockets within the block: the library sets none."""
    default = socket.getdefaulttimeout()
    socket.setdefaulttimeout(timeout)
    try:
        yield
    finally:
        socket.setdefaulttimeout(default)
