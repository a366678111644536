"""Checks that look along a symbol's history, never ahead."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.market.checks.ledger import Ledger

#: rows that a judgement about a symbol's habits needs
WINDOW = 60
#: a change beyond this many medians of the preceding absolute changes is a jump
MEDIANS = 20.0
#: smallest changes worth a word: log returns, or percentage points for yields. Those of the exchange's kinds lie just
#: above the widest daily price limit (20 %)
SMALLEST = {
    "stock": 0.22,
    "etf": 0.22,
    "sector": 0.105,
    "theme": 0.21,
    "broad_index": 0.105,
    "global_index": 0.10,
    "commodity": 0.12,
    "fx": 0.06,
    "bond_index": 0.03,
    "yield": 0.75,
}


def first_rows(symbols: np.ndarray) -> np.ndarray:
    """Return where a symbol begins, (T,) bool, for rows sorted by symbol."""
    first = np.ones(len(symbols), dtype=bool)
    first[1:] = symbols[1:] != symbols[:-1]
    return first


def rows_before(first: np.ndarray) -> np.ndarray:
    """Return how many rows of its symbol precede each row, (T,)."""
    places = np.arange(len(first))
    return places - np.maximum.accumulate(np.where(first, places, 0))


def _codes(ledger: Ledger) -> np.ndarray:
    return pd.factorize(ledger.rows["symbol"])[0]


def check_jumps(ledger: Ledger, kind: str | None) -> None:
    """Warn of changes far beyond the symbol's own, and beyond what its kind can move in a day.

    The threshold at t is the larger of ``SMALLEST[kind]`` and ``MEDIANS`` times the median absolute change of the
    ``WINDOW`` rows before t; with fewer than 20 rows before it the first alone counts.
    """
    rows = ledger.rows
    close = rows["close"].to_numpy()
    first = first_rows(_codes(ledger))
    level = close if kind == "yield" else np.log(close)
    change = np.full(len(level), np.nan)
    change[1:] = level[1:] - level[:-1]
    change[first] = np.nan
    large = np.abs(change) > SMALLEST[kind]
    before = rows_before(first)
    # only the few large changes need the median of what came before
    for place in np.flatnonzero(large):
        history = np.abs(change[place - min(WINDOW, before[place] - 1) : place])
        if len(history) >= 20 and abs(change[place]) <= MEDIANS * np.median(history):
            large[place] = False
    where = np.flatnonzero(large)
    if kind == "yield":
        details = [f"{change[place]:+.2f} percentage points in a row" for place in where]
    else:
        details = [f"{np.expm1(change[place]):+.1%} in a row" for place in where]
    ledger.warn(
        large, "jump", details, "check for a split, a distribution or a wrong price; adjust the series if it is one"
    )


def check_open_is_close(ledger: Ledger) -> None:
    """Warn at the row that completes ``WINDOW`` rows in sequence whose opens equal their closes."""
    rows = ledger.rows
    equal = (rows["open"] == rows["close"]).to_numpy()
    run = rows_before(first_rows(_codes(ledger)) | ~equal) + equal
    ledger.warn(
        equal & (run == WINDOW),
        "open is close",
        f"the open equals the close on {WINDOW} rows in sequence: it is no open",
        "do not fill orders at this open",
    )


def check_scale(ledger: Ledger, kind: str | None) -> None:
    """Warn of yields that look like fractions: so far none of them has reached 0.3."""
    if kind != "yield":
        return
    rows = ledger.rows
    first = first_rows(_codes(ledger))
    highest = rows["close"].abs().groupby(rows["symbol"].to_numpy()).cummax().to_numpy()
    ledger.warn(
        (highest < 0.3) & (rows_before(first) == 20 - 1),
        "unit",
        "no yield of the first 20 rows reaches 0.3: fractions?",
        "give yields in percent",
    )
