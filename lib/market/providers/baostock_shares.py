"""baostock: A shares and A-share indices, over a TCP connection of its own; all values come as text.

Its back-adjusted prices are scaled and start at the listing, so a dividend of today leaves yesterday's prices alone.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pandas as pd

from lib.market.providers.akshare_funds import SHARE
from lib.market.providers.akshare_indices import LISTED
from lib.market.providers.answers import Answer, Want, bars, digits, take
from lib.market.providers.chain import continued
from lib.market.providers.client import Client, ProviderError

FIELDS = "date,code,open,high,low,close,volume,amount,tradestatus"
BACK_ADJUSTED, RAW = "1", "3"
#: error codes of baostock that speak of the connection; the library turns what it caught there into them
NETWORK = "10002"


def share_code(symbol: str) -> str | None:
    """Return baostock's name of a share."""
    return _dotted(symbol) if SHARE.match(symbol) else None


def index_code(symbol: str) -> str | None:
    """Return baostock's name of an index listed in Shanghai or Shenzhen."""
    return _dotted(symbol) if LISTED.match(symbol) else None


def share_bars(want: Want, client: Client) -> Answer:
    """Total-return bars of a share; days without trade are left out."""
    rows = _query(want, client, BACK_ADJUSTED)
    rows = rows[rows["tradestatus"] == "1"]
    if not len(rows):
        return {"bars": bars(rows, want.symbol)}
    # scaled by the provider itself: only the level has to meet the stored one
    return {"bars": continued(bars(rows, want.symbol), want.base)}


def index_bars(want: Want, client: Client) -> Answer:
    """Bars of an A-share index; volume in shares, amount in CNY."""
    return {"bars": bars(_query(want, client, RAW), want.symbol)}


def _dotted(symbol: str) -> str:
    return f"{symbol[-2:].lower()}.{digits(symbol)}"


def _query(want: Want, client: Client, adjustment: str) -> pd.DataFrame:
    import baostock
    from baostock.common import contants, context
    from baostock.util import socketutil

    # the library reads for ever from a connection that the other side has closed
    socketutil.socket = SimpleNamespace(socket=_Careful, AF_INET=socket.AF_INET, SOCK_STREAM=socket.SOCK_STREAM)
    host = contants.BAOSTOCK_SERVER_IP
    asked = (want.code, FIELDS, f"{want.start:%Y-%m-%d}", f"{want.end:%Y-%m-%d}", "d", adjustment)

    def call():
        with _limited(client.timeout):
            try:
                if not client.sessions.get("baostock"):
                    _succeeded(baostock.login())
                    client.sessions["baostock"] = context.default_socket
                result, rows = _succeeded(baostock.query_history_k_data_plus(*asked)), []
                while result.next():
                    rows.append(result.get_row_data())
                _succeeded(result)  # a further page may have failed
            except OSError:
                client.sessions.pop("baostock", None)  # the next try logs in anew
                raise
        return pd.DataFrame(rows, columns=result.fields)

    address = f"tcp://{host}/{'/'.join(asked)}"
    table = client.send(address, None, call)
    lines = [",".join(row) for row in (table.columns, *table.itertuples(index=False))]
    client.record(host, address, None, 200, "\n".join(lines).encode("utf-8"))
    columns = {name: name for name in FIELDS.split(",") if name != "code"}
    return take(table, columns, "query_history_k_data_plus")


def _succeeded(result):
    """Return a result; its error as the kind of fault it is."""
    if result is None or result.error_code.startswith(NETWORK):
        raise ConnectionError(getattr(result, "error_msg", "no answer"))
    if result.error_code != "0":
        raise ProviderError(
            f"baostock answered {result.error_code}: {result.error_msg}",
            remedy="try again later; it bars addresses that ask in parallel",
        )
    return result


class _Careful(socket.socket):
    """A socket that raises when the other side has hung up."""

    def recv(self, size: int, flags: int = 0) -> bytes:
        data = super().recv(size, flags)
        if not data:
            raise ConnectionResetError("the connection was closed")
        return data


@contextmanager
def _limited(timeout: float) -> Iterator[None]:
    """Give sockets made meanwhile a time-out: the library sets none."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(timeout)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
