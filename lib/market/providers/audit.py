"""Is an answer to be believed? Checks before the door, on what only the stored history can tell.

The door judges rows; here whole answers are judged, since a source that goes wrong does so for many rows at once: a
unit that jumps, a column that has moved, a list cut short, a holiday filled in. A refused answer is set aside whole and
the stored rows stay.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.market.calendar import Sessions
from lib.market.providers.answers import Want
from lib.market.schema import KEYS, TABLES, XSHG_KINDS

#: how far a field of a stored session may differ: prices as a share; volume, amount and ratios more loosely, since
#: providers round and count them differently
PRICE, CHAINED, QUANTITY, RATIO = 2e-4, 4e-3, 0.05, 0.02
#: yields in percentage points
YIELD = 0.011
#: kinds whose prices are chained from rounded ones
CHAINED_KINDS = ("etf", "stock")
#: kinds that have a row on every session once they have begun
DAILY = ("sector", "broad_index")
#: sessions that themes and funds may miss among the new ones: suspensions, young indices
MISSES = {"theme": 1, "etf": 3}
#: a change between neighbouring days by more than this factor is a change of unit
JUMP = 5.0


def faults(table: str, rows: pd.DataFrame, want: Want, sessions: Sessions) -> list[str]:
    """Return what is wrong with an answer for one table; an empty list means that it can be taken.

    Parameters
    ----------
    table : str
    rows : DataFrame
        Cut to the days wanted, typed as the table.
    want : Want
        ``base`` holds the table's stored rows of these days.
    sessions : Sessions
    """
    found = []
    if not len(rows):
        return ["no rows"]
    keys = list(KEYS[table])
    if rows[keys].isna().any(axis=None):
        found.append("rows without a date or a symbol")
    doubled = int(rows.duplicated(keys).sum())
    if doubled:
        found.append(f"{doubled} rows twice, {_first(rows[rows.duplicated(keys)], table)}")
        rows = rows.drop_duplicates(keys)
    values = [column for column, kind in TABLES[table].items() if kind == "number"]
    if table == "bars":
        found += _bars(rows, want, sessions)
    if not rows[values].notna().any(axis=None):
        found.append("every value is empty")
    found += _disagreements(table, rows, want, values)
    if table == "constituents":
        total = rows.groupby("index_symbol")["weight"].sum()
        off = total[(total - 100.0).abs() > 3.0]
        if len(off):
            found.append(f"the weights of {off.index[0]} sum to {off.iloc[0]:.1f} percent")
    return found


def _bars(rows: pd.DataFrame, want: Want, sessions: Sessions) -> list[str]:
    found = []
    if rows["close"].isna().any():
        found.append(f"{int(rows['close'].isna().sum())} rows without a close")
    for symbol, part in rows.groupby("symbol", sort=True):
        close = part.sort_values("date")["close"].to_numpy()
        if want.kind != "yield":
            if (close <= 0).any():
                found.append(f"{symbol}: a close is not positive")
                continue
            step = np.abs(np.diff(np.log(close)))
            if (step > np.log(JUMP)).any():
                date = part.sort_values("date")["date"].iloc[1 + int(np.argmax(step))]
                found.append(f"{symbol}: the close changes {np.exp(step.max()):.0f} times on {date:%Y-%m-%d}")
    if want.kind in XSHG_KINDS:
        days = rows["date"][rows["date"] <= sessions.horizon]
        closed = days[~days.isin(sessions.all)]
        if len(closed):
            found.append(f"a row on {closed.iloc[0]:%Y-%m-%d}, when the exchange was closed")
        if want.kind in DAILY or want.kind in MISSES:
            for symbol, part in rows.groupby("symbol", sort=True):
                expected = sessions.between(part["date"].min(), part["date"].max())
                missing = expected.difference(pd.DatetimeIndex(part["date"]))
                # long histories have holes of their own, which the door reports
                if len(missing) > max(MISSES.get(want.kind, 0), 0.05 * len(expected)):
                    found.append(f"{symbol}: {len(missing)} of {len(expected)} sessions are missing")
    return found


def _disagreements(table: str, rows: pd.DataFrame, want: Want, values: list[str]) -> list[str]:
    """Compare with the stored rows: each must be there again, with the same values."""
    if not len(want.base):
        return []
    keys = list(KEYS[table])
    both = want.base.merge(rows, on=keys, how="left", suffixes=("", "_new"), indicator=True)
    found = []
    lost = both[both["_merge"] == "left_only"]
    if len(lost):
        found.append(f"{len(lost)} of {len(both)} stored rows are not there again, {_first(lost, table)}")
    both = both[both["_merge"] == "both"]
    for field in values:
        old, new = both[field].to_numpy(), both[f"{field}_new"].to_numpy()
        known = np.isfinite(old)
        if known.any() and not np.isfinite(new[known]).any():
            if field not in ("volume", "amount"):  # a fallback may not know them
                found.append(f"{field} has become empty")
            continue
        with np.errstate(invalid="ignore"):
            off = np.abs(new - old) > _slack(table, want.kind, field, old)
        if off.any():
            worst = both[off].iloc[0]
            found.append(
                f"{field} of {worst[keys[0]]} was {worst[field]:.6g} and is {worst[f'{field}_new']:.6g}"
                f" ({int(off.sum())} of {len(both)} stored rows differ)"
            )
    return found


def _slack(table: str, kind: str, field: str, old: np.ndarray) -> np.ndarray:
    if kind == "yield":
        return np.full(len(old), YIELD)
    if table == "macro":
        return np.full(len(old), 0.15)  # revisions by a tenth; a consensus moves until the release
    if table in ("valuation", "constituents"):
        return RATIO * np.abs(old) + 1e-3
    if field in ("volume", "amount"):
        return QUANTITY * np.abs(old)
    return (CHAINED if kind in CHAINED_KINDS else PRICE) * np.abs(old)


def _first(rows: pd.DataFrame, table: str) -> str:
    row = rows.iloc[0]
    date = next(row[column] for column in ("date", "as_of", "release_date") if column in row.index)
    return f"first {row[KEYS[table][0]]} on {date:%Y-%m-%d}"
