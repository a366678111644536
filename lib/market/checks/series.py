"""Checks along a symbol's history, without look-ahead."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.market.checks.findings import FindingsLog

#: rows of a symbol's history that the checks look back on
LOOKBACK_ROWS = 60
#: a change larger than this many medians of the preceding absolute changes is a jump
JUMP_MEDIANS = 20.0
#: smallest change that counts as a jump: log return, or percentage points for yields. The values
#: of the exchange's kinds are just above the widest daily price limit (20%)
MIN_JUMP = {
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
    """Return which rows are the first of their symbol, (T,) bool, for rows sorted by symbol."""
    first = np.ones(len(symbols), dtype=bool)
    first[1:] = symbols[1:] != symbols[:-1]
    return first


def rows_before(first: np.ndarray) -> np.ndarray:
    """Return how many rows of its symbol precede each row, (T,)."""
    positions = np.arange(len(first))
    return positions - np.maximum.accumulate(np.where(first, positions, 0))


def _symbol_codes(log: FindingsLog) -> np.ndarray:
    return pd.factorize(log.rows["symbol"])[0]


def check_jumps(log: FindingsLog, kind: str) -> None:
    """Warn of changes far larger than the symbol's own and than its kind can move in a day.

    The threshold at t is the larger of ``MIN_JUMP[kind]`` and ``JUMP_MEDIANS`` times the median
    absolute change of the ``LOOKBACK_ROWS`` rows before t; with fewer than 20 such rows only the
    first applies.
    """
    close = log.rows["close"].to_numpy()
    first = first_rows(_symbol_codes(log))
    level = close if kind == "yield" else np.log(close)
    change = np.full(len(level), np.nan)
    change[1:] = level[1:] - level[:-1]
    change[first] = np.nan
    is_jump = np.abs(change) > MIN_JUMP[kind]
    preceding = rows_before(first)
    # only the few large changes need the median of the preceding ones
    for row in np.flatnonzero(is_jump):
        history = np.abs(change[row - min(LOOKBACK_ROWS, preceding[row] - 1) : row])
        if len(history) >= 20 and abs(change[row]) <= JUMP_MEDIANS * np.median(history):
            is_jump[row] = False
    jumps = change[is_jump]
    if kind == "yield":
        details = [f"{jump:+.2f} percentage points in one row" for jump in jumps]
    else:
        details = [f"{np.expm1(jump):+.1%} in one row" for jump in jumps]
    remedy = "check for a split, a distribution or a wrong price; adjust the series if needed"
    log.warn(is_jump, "jump", details, remedy)


def check_open_is_close(log: FindingsLog) -> None:
    """Warn at the row that completes ``LOOKBACK_ROWS`` rows whose opens equal their closes."""
    rows = log.rows
    equal = (rows["open"] == rows["close"]).to_numpy()
    run_length = rows_before(first_rows(_symbol_codes(log)) | ~equal) + equal
    log.warn(
        equal & (run_length == LOOKBACK_ROWS),
        "open is close",
        f"the open equals the close on {LOOKBACK_ROWS} consecutive rows: it is not an opening"
        " price",
        "do not fill orders at this open",
    )


def check_scale(log: FindingsLog, kind: str | None) -> None:
    """Warn of yields that look like fractions: none so far has reached 0.3."""
    if kind != "yield":
        return
    rows = log.rows
    first = first_rows(_symbol_codes(log))
    highest = rows["close"].abs().groupby(rows["symbol"].to_numpy()).cummax().to_numpy()
    log.warn(
        (highest < 0.3) & (rows_before(first) == 20 - 1),
        "unit",
        "no yield of the first 20 rows reaches 0.3: they look like fractions",
        "give yields in percent",
    )
