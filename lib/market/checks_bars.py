"""The checks of price bars."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.market.adjust import repair_adjustment
from lib.market.calendar import Sessions
from lib.market.findings import Findings
from lib.market.schema import PRICES, XSHG_KINDS, Batch

#: below this a daily move of a kind is never called a jump (fraction; percentage points for yields)
JUMP_FLOOR = {
    "stock": 0.25,
    "etf": 0.22,
    "sector": 0.12,
    "theme": 0.15,
    "broad_index": 0.15,
    "global_index": 0.15,
    "commodity": 0.20,
    "fx": 0.08,
    "yield": 0.60,
    "bond_index": 0.03,
}
#: ... and above it only when it exceeds this many times the usual daily move of the year before
JUMP_MULTIPLE = 12.0
USUAL_WINDOW = 250
#: sessions without a bar that make a gap
GAP = 5


def check_bars(
    batch: Batch, rows: pd.DataFrame, sessions: Sessions, instruments: pd.DataFrame, findings: Findings
) -> pd.DataFrame:
    """Check bars of one kind; return those to store, sorted by symbol and date.

    Prices are checked for presence, sign and OHLC order, dates against the sessions, returns against the symbol's own
    past; additively adjusted ETF prices are repaired. Verdicts use rows up to their date only.
    """
    date = "time" if batch.table == "minute_bars" else "date"
    rows = rows.sort_values(["symbol", date], kind="stable", ignore_index=True)
    if batch.kind in XSHG_KINDS:
        rows = _on_sessions(rows, sessions, findings, date)
    if batch.kind == "etf" and batch.table == "bars":
        rows = repair_adjustment(rows, findings)
    rows = _priced(batch, rows, findings, date)
    rows = _ordered(rows, findings, date)
    if batch.table == "minute_bars":
        return rows
    rows = _in_one_unit(batch, rows, findings)
    _jumps(batch, rows, findings)
    _flat_bars(rows, findings)
    _units(batch, rows, findings)
    if batch.kind in XSHG_KINDS:
        _gaps(rows, sessions, findings)
        _missing_sessions(rows, sessions, instruments, findings)
    return rows


def _on_sessions(rows: pd.DataFrame, sessions: Sessions, findings: Findings, date: str) -> pd.DataFrame:
    day = rows[date].dt.normalize()
    off = ~day.isin(sessions.all) & (day <= sessions.horizon) & (day >= sessions.all[0])
    findings.rows(
        "quarantine", "not a session", rows[off], "the exchange was closed", "drop the row at the source", date
    )
    return rows[~off]


def _priced(batch: Batch, rows: pd.DataFrame, findings: Findings, date: str) -> pd.DataFrame:
    missing = rows["close"].isna()
    findings.rows("quarantine", "no close", rows[missing], "the close is empty", "leave the row out", date)
    rows = rows[~missing].copy()
    if batch.kind == "yield":
        return rows
    bad = rows["close"] <= 0
    findings.rows(
        "quarantine", "close not positive", rows[bad], "a price is zero or below", "bring unadjusted prices", date
    )
    rows = rows[~bad].copy()
    # many sources write 0 where they have no open, high or low
    zero = (rows[["open", "high", "low"]] <= 0).any(axis=1)
    findings.rows(
        "repair", "zero open, high or low", rows[zero], "stored as missing; the close stays", "leave them empty", date
    )
    rows.loc[zero, ["open", "high", "low"]] = np.nan
    negative = (rows[["volume", "amount"]] < 0).any(axis=1)
    findings.rows("quarantine", "negative volume", rows[negative], "volume or amount below zero", "correct it", date)
    return rows[~negative]


def _ordered(rows: pd.DataFrame, findings: Findings, date: str) -> pd.DataFrame:
    values = rows[list(PRICES)].to_numpy()
    body = values[:, [0, 3]]
    slack = 1e-6 * np.abs(values[:, 3])
    with np.errstate(invalid="ignore"):
        broken = (values[:, 1] < np.fmax(body[:, 0], body[:, 1]) - slack) | (
            values[:, 2] > np.fmin(body[:, 0], body[:, 1]) + slack
        )
    findings.rows(
        "quarantine", "OHLC order", rows[broken], "high below or low above open or close", "correct the bar", date
    )
    return rows[~broken]


def _returns(batch: Batch, rows: pd.DataFrame) -> np.ndarray:
    """Return each row's move since the symbol's row before: log return, or difference for yields; NaN on the first."""
    close = rows["close"].to_numpy()
    move = np.diff(close if batch.kind == "yield" else np.log(close), prepend=np.nan)
    codes = pd.factorize(rows["symbol"])[0]
    move[np.diff(codes, prepend=-1) != 0] = np.nan
    return move


def _in_one_unit(batch: Batch, rows: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """Set aside rows whose level is a hundred times, or a hundredth of, the last good one."""
    if batch.kind == "yield":
        return rows
    move = np.abs(_returns(batch, rows))
    suspects = rows["symbol"][(move > np.log(50)) & (move < np.log(200))].unique()
    if not len(suspects):
        return rows
    bad = np.zeros(len(rows), dtype=bool)
    for symbol in suspects:
        places = np.flatnonzero(rows["symbol"] == symbol)
        close = rows["close"].to_numpy()[places]
        good = close[0]
        for place, price in zip(places, close, strict=True):
            if 50 < max(price / good, good / price) < 200:
                bad[place] = True
            else:
                good = price
    findings.rows(
        "quarantine", "unit changed", rows[bad], "the price is off by about a factor of 100", "bring one unit"
    )
    return rows[~bad]


def _jumps(batch: Batch, rows: pd.DataFrame, findings: Findings) -> None:
    move = np.abs(_returns(batch, rows))
    floor = JUMP_FLOOR[batch.kind]
    # the usual move is a mean of the year before, each day capped so that one jump does not hide the next
    capped = np.where(np.isnan(move), 0.0, np.minimum(move, floor))
    codes = pd.factorize(rows["symbol"])[0]
    position = np.arange(len(rows))
    begin = np.maximum.accumulate(np.where(np.diff(codes, prepend=-1) != 0, position, 0))
    first = np.maximum(position - USUAL_WINDOW, begin)
    total = np.concatenate([[0.0], np.cumsum(capped)])
    usual = (total[position] - total[first]) / np.maximum(position - first, 1)
    jump = (move > floor) & (move > JUMP_MULTIPLE * usual)
    findings.rows(
        "warn",
        "jump",
        rows[jump],
        f"a move beyond {floor:.0%} and {JUMP_MULTIPLE:.0f} times the usual one"
        if batch.kind != "yield"
        else f"a move beyond {floor} points and {JUMP_MULTIPLE:.0f} times the usual one",
        "check for a split or a change of unit; returns over this date are doubtful",
    )


def _flat_bars(rows: pd.DataFrame, findings: Findings) -> None:
    """Flag months in which every bar opens where it closes: the source has no opens."""
    flat = rows["open"] == rows["close"]
    month = rows["date"].dt.year * 12 + rows["date"].dt.month
    # only up to the row itself: the month counts from its first session on
    keys = [rows["symbol"], month]
    seen = flat.groupby(keys).cumcount() + 1
    hits = flat.groupby(keys).cumsum()
    findings.rows(
        "warn",
        "open equals close",
        rows[(seen >= 15) & (hits == seen)],
        "every bar of the month opens at its close",
        "do not use the opens of this series",
    )


def _units(batch: Batch, rows: pd.DataFrame, findings: Findings) -> None:
    known = rows["volume"].gt(0) & rows["amount"].gt(0)
    price = rows["amount"].where(known) / rows["volume"].where(known)
    if batch.kind in ("stock", "etf"):
        ratio = price / rows["close"]
        findings.rows(
            "warn",
            "volume in lots",
            rows[ratio.between(80, 125)],
            "amount / volume is about 100 times the price",
            "deliver volume in shares",
        )
    if batch.kind == "yield":
        small = rows["close"].abs().groupby(rows["symbol"]).cummax() < 0.2
        late = rows.groupby("symbol").cumcount() >= USUAL_WINDOW
        findings.rows(
            "warn", "yield in fractions", rows[small & late], "never above 0.2 in a year", "deliver yields in percent"
        )


def _gaps(rows: pd.DataFrame, sessions: Sessions, findings: Findings) -> None:
    """Flag symbols without a bar for more than ``GAP`` sessions, suspended or ended; how long is for later to show."""
    place = sessions.all.searchsorted(rows["date"].to_numpy())
    codes = pd.factorize(rows["symbol"])[0]
    following = np.append(place[1:], -1)
    last = np.append(codes[1:] != codes[:-1], True) if len(rows) else np.array([], dtype=bool)
    following[last] = place.max() if len(rows) else 0
    gap = following - place > GAP
    gaps = rows.loc[gap, ["symbol", "date"]].assign(noticed=sessions.all[place[gap] + GAP + 1])
    findings.rows(
        "warn",
        "gap or end",
        gaps[["symbol", "noticed"]],
        f"no bar for more than {GAP} sessions",
        "a suspension is fine; otherwise bring the missing bars",
        date="noticed",
    )


def _missing_sessions(rows: pd.DataFrame, sessions: Sessions, instruments: pd.DataFrame, findings: Findings) -> None:
    """Flag sessions on which no symbol of a group has a bar."""
    groups = rows["symbol"].map(instruments["group"]).fillna("all")
    for group, days in rows["date"].groupby(groups):
        present = pd.DatetimeIndex(days.unique())
        missing = sessions.between(present.min(), present.max()).difference(present)
        # noticed when the group has bars again
        noticed = present.sort_values()[present.sort_values().searchsorted(missing)]
        table = pd.DataFrame({"symbol": f"group {group}", "date": noticed})
        findings.rows(
            "warn", "session missing", table, "no symbol of the group has a bar", "bring the bars of these days"
        )
