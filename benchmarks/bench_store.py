"""Speed and memory of the store: filling it, filling it again, reading panels out of it.

The real folder is measured where it is next to the checkout, else only the sample. ``against`` is
the bound that the
suite sets itself, or the obvious way to do the same.
"""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import tempfile
import time

import pandas as pd

from lib.market.ingest import open_market
from lib.market.pointintime import Market

#: real market history, laid out like any data folder; measured too where it is given
MARKET_FOLDER = os.environ.get("MARKET_FOLDER", "")
AS_OF = "2025-06-13"


def measure() -> list[dict]:
    with tempfile.TemporaryDirectory() as home:
        results = _source("sample", "sample", home, seconds=20)
        if MARKET_FOLDER:
            results += _source("folder", MARKET_FOLDER, home, seconds=30)
            results += _panels(open_market(MARKET_FOLDER, AS_OF, store_dir=home))
        else:
            results += _panels(open_market("sample", AS_OF, store_dir=home))
    return results


def _source(name: str, data: str, home: str, seconds: float) -> list[dict]:
    """Fill an empty store in a process of its own, whose peak memory is then that of the ingest."""
    code = "import sys\nfrom benchmarks.bench_store import fill\nfill(*sys.argv[1:])"
    answer = subprocess.run(
        [sys.executable, "-c", code, data, home], check=True, capture_output=True, text=True
    )
    first, again, memory, rows = map(float, answer.stdout.split())
    return [
        _figure(f"{name}_ingest", first, "s", f"bound of {seconds:g} s", first / seconds),
        _figure(f"{name}_ingest_rows", rows / first, "rows/s"),
        _figure(f"{name}_ingest_memory", memory, "GB", "bound of 2 GB", memory / 2),
        _figure(f"{name}_ingest_unchanged", again, "s", "bound of 2 s", again / 2),
    ]


def fill(data: str, home: str) -> None:
    """Print seconds to fill an empty store, seconds to find it unchanged, peak GB and rows of
    bars.
    """
    start = time.perf_counter()
    market = open_market(data, AS_OF, store_dir=home)
    first = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    start = time.perf_counter()
    open_market(data, AS_OF, store_dir=home)
    again = time.perf_counter() - start
    print(first, again, memory, market.store.query("SELECT count(*) AS n FROM bars")["n"][0])


def _panels(market: Market) -> list[dict]:
    stocks = market.instruments(kind="stock").index[:787]
    market = Market(market.store, "2024-12-31")
    start = market.sessions.between("2015-01-01", market.as_of)[0]
    shape = f"{len(stocks)}x{len(market.sessions.between(start, market.as_of))}"
    close = _best(lambda: market.panel(stocks, start=start))
    bars = _best(
        lambda: market.panel(stocks, ("open", "high", "low", "close", "volume"), start=start)
    )
    pivot = _best(lambda: _pivoted(market, stocks, start))
    fresh = _best(lambda: Market(market.store, AS_OF).fingerprint())
    opened = _best(lambda: Market(market.store, AS_OF))
    return [
        _figure(f"panel_close_{shape}", close, "s", "bound of 1 s", close),
        _figure(f"panel_close_{shape}_pivot", close, "s", "DuckDB to pandas pivot", close / pivot),
        _figure(f"panel_five_fields_{shape}", bars, "s"),
        _figure("market_open", opened, "s"),
        _figure("market_fingerprint", fresh, "s"),
    ]


def _pivoted(market: Market, symbols: pd.Index, start: pd.Timestamp) -> pd.DataFrame:
    rows = market.store.query(
        "SELECT date, symbol, close FROM bars WHERE symbol IN (SELECT unnest(?)) AND date BETWEEN ?"
        " AND ?",
        [list(symbols), start.date(), market.as_of.date()],
    )
    wide = rows.set_index(["date", "symbol"])["close"].unstack()  # noqa: PD010 -- what is measured
    return wide.reindex(index=market.sessions.between(start, market.as_of), columns=symbols)


def _best(call, repeats: int = 3) -> float:
    seconds = []
    for _ in range(repeats):
        gc.collect()
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _figure(
    name: str, value: float, unit: str, against: str | None = None, ratio: float | None = None
) -> dict:
    return {
        "name": f"store.{name}",
        "value": value,
        "unit": unit,
        "against": against,
        "ratio": ratio,
    }
