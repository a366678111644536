"""Checks along a symbol's history, without look-ahead."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.market.checks.findings import FindingsLog

#: rows of a symbol's history that the checks look back on
LOOKBACK_ROWS = 60
#: a change larger than this many medians of the preceding absolute changes is a jump
JUMP_MEDIANS = 20.0
#: smallest change that counts as a jump: log return, or percentage points for yields. The values of
#: the exchange's kinds are just above the widest daily price limit (20%)
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


#: check of a change beyond what the instrument can move in a day, and of one that is large for it
JUMP = "jump"
UNUSUAL = "unusual move"
#: check of closes that do not change over so many rows
UNCHANGED = "unchanged"
UNCHANGED_ROWS = 5
#: share of a jump from which a change counts as unusual, if it also exceeds ``JUMP_MEDIANS``
UNUSUAL_SHARE = 0.25


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
    first applies. A change above the second and above ``UNUSUAL_SHARE`` of the first is unusual.
    """
    close = log.rows["close"].to_numpy()
    first = first_rows(_symbol_codes(log))
    level = close if kind == "yield" else np.log(close)
    change = np.full(len(level), np.nan)
    change[1:] = level[1:] - level[:-1]
    change[first] = np.nan
    is_jump = np.abs(change) > MIN_JUMP[kind]
    is_unusual = np.abs(change) > UNUSUAL_SHARE * MIN_JUMP[kind]
    preceding = rows_before(first)
    # only the few large changes need the median of the preceding ones
    for row in np.flatnonzero(is_unusual):
        history = np.abs(change[row - min(LOOKBACK_ROWS, preceding[row] - 1) : row])
        is_known = len(history) >= 20
        if is_known and abs(change[row]) <= JUMP_MEDIANS * np.median(history):
            is_jump[row] = False
            is_unusual[row] = False
        is_unusual[row] &= is_known
    remedy = "check for a split, a distribution or a wrong price; adjust the series if needed"
    log.warn(is_jump, JUMP, _describe_changes(change[is_jump], kind), remedy)
    is_unusual &= ~is_jump
    remedy = "compare the price with another source"
    log.warn(is_unusual, UNUSUAL, _describe_changes(change[is_unusual], kind), remedy)


def _describe_changes(changes: np.ndarray, kind: str) -> list[str]:
    if kind == "yield":
        return [f"{change:+.2f} percentage points in one row" for change in changes]
    return [f"{np.expm1(change):+.1%} in one row" for change in changes]


def check_unchanged(log: FindingsLog) -> None:
    """Warn at the row that completes ``UNCHANGED_ROWS`` rows without a change of the close."""
    close = log.rows["close"].to_numpy()
    first = first_rows(_symbol_codes(log))
    same = np.zeros(len(close), dtype=bool)
    same[1:] = close[1:] == close[:-1]
    run_length = rows_before(first | ~same)
    log.warn(
        same & ~first & (run_length == UNCHANGED_ROWS),
        UNCHANGED,
        f"the close is the same on {UNCHANGED_ROWS + 1} consecutive rows",
        "check whether the source repeats its last price",
    )


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
