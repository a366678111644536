"""Checks of whole responses against the stored history, before validation.

Validation judges rows; these checks judge responses, because a faulty source is wrong for many rows
at once: a unit that changes, a column that has moved, a truncated list, a forward-filled holiday. A
response that fails is quarantined whole and the stored rows stay.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from lib.market.calendar import Sessions
from lib.market.providers.contract import isin_keys
from lib.market.schema import KEYS, KNOWN_ON, TABLES, XSHG_KINDS
from lib.market.symbols import FUND_CODE

#: relative tolerances of the fields of a stored session: prices; volume, amount and ratios more
#: loosely, because providers round and count them differently
PRICE_TOLERANCE = 2e-4
CHAINED_TOLERANCE = 4e-3
QUANTITY_TOLERANCE = 0.05
RATIO_TOLERANCE = 0.02
#: absolute tolerances: of yields in percentage points; of releases, whose revisions are a tenth and
#: whose consensus moves until the release
YIELD_TOLERANCE = 0.011
MACRO_TOLERANCE = 0.15
#: kinds whose prices are chained from rounded ones
CHAINED_KINDS = ("etf", "stock")
#: kinds that are baskets of A shares
INDEX_KINDS = ("sector", "theme", "broad_index")
#: sessions that a symbol may lack between its first and last row: suspensions, young indices.
#: Shares may lack any
MAX_MISSING_SESSIONS = {"sector": 0, "broad_index": 0, "theme": 1, "etf": 3}
#: share of the sessions that a long history may lack: validation reports such gaps
MAX_MISSING_SHARE = 0.05
#: a change between neighbouring days by more than this factor is a change of unit
MAX_PRICE_FACTOR = 5.0
#: a change of a yield between neighbouring days, percentage points, that is a change of unit
MAX_YIELD_CHANGE = 2.0
#: a change of amount over volume since the stored rows by more than this factor is a change of
#: unit; splits are smaller
MAX_UNIT_FACTOR = 20.0
#: percentage points by which weights may miss 100
WEIGHT_TOLERANCE = 3.0
#: CNY per share of an index on average, amount over volume; outside, one of them has another unit
SHARE_PRICE_RANGE = (1.0, 1000.0)
#: days at the end of a report on which it must list all of its symbols; earlier, some did not exist
REPORT_DAYS = pd.Timedelta(days=45)
#: largest median of at least this many monthly changes, percent: above, they are yearly ones
MAX_MONTHLY_CHANGE = 1.0
MIN_MONTHS = 6

#: symbol -> what is wrong with its rows
Faults = dict[str, list[str]]


def find_faults(
    table: str,
    kind: str,
    rows: pd.DataFrame,
    stored: pd.DataFrame,
    sessions: Sessions,
    is_report: bool = False,
) -> Faults:
    """Return the faults in the responses of one provider, by symbol, without the sound symbols.

    Parameters
    ----------
    table, kind : str
        Name of the table, and kind of the instruments.
    rows : DataFrame
        All responses, clipped to the requested days, with the columns and types of the table.
    stored : DataFrame
        The stored rows of the requested symbols over the requested days, with the same columns.
    sessions : Sessions
        Sessions of the exchange.
    is_report : bool
        The rows are one report that lists all of its symbols on each of its days.
    """
    faults: Faults = defaultdict(list)
    if not len(rows):
        return {}
    keys = list(KEYS[table])
    symbol_column = keys[0]
    date_column = KNOWN_ON[table]
    values = [column for column, kind_ in TABLES[table].items() if kind_ == "number"]
    without_key = rows[keys].isna().any(axis=1)
    for symbol, count in rows.loc[without_key, symbol_column].fillna("").value_counts().items():
        faults[symbol].append(f"{count} rows without a date or a symbol")
    duplicated = rows.duplicated(keys)
    for symbol, part in rows[duplicated].groupby(symbol_column):
        first = part[date_column].iloc[0]
        faults[symbol].append(f"{len(part)} rows twice, first on {first:%Y-%m-%d}")
    rows = rows[~duplicated & ~without_key]
    has_value = rows[values].notna().any(axis=1).groupby(rows[symbol_column]).any()
    for symbol in has_value.index[~has_value]:
        faults[symbol].append("every value is empty")
    if table == "bars":
        _check_bars(faults, kind, rows, sessions)
    if table == "macro":
        _check_monthly(faults, rows)
    if table == "valuation" and is_report:
        _check_truncated(faults, rows)
    if table == "constituents":
        total = rows.groupby("index_symbol")["weight"].sum()
        for symbol, weight in total[(total - 100.0).abs() > WEIGHT_TOLERANCE].items():
            faults[symbol].append(f"the weights sum to {weight:.1f} percent")
    if len(stored):
        _check_stored(faults, table, kind, rows, stored, values)
        if table == "bars":
            _check_new_unit(faults, rows, stored)
    return dict(faults)


def _check_bars(faults: Faults, kind: str, rows: pd.DataFrame, sessions: Sessions) -> None:
    """Add the faults of bars: empty or impossible closes, jumps, units, closed days, gaps."""
    rows = rows.sort_values(["symbol", "date"], kind="stable")
    symbols = rows["symbol"].to_numpy(dtype=object)
    close = rows["close"].to_numpy()
    dates = rows["date"]
    add = partial(_add, faults, symbols)
    add(np.isnan(close), lambda row, count: f"{count} rows without a close")
    if kind == "yield":
        change = _absolute_changes(close, symbols)
        message = "the yield changes {:.1f} points in a day"
        add(change > MAX_YIELD_CHANGE, lambda row, count: message.format(change[row]))
    else:
        if kind != "commodity":  # oil closed below zero in April 2020; validation handles such rows
            add(close <= 0, lambda row, count: f"{count} closes are not positive")
        with np.errstate(invalid="ignore", divide="ignore"):
            factor = np.exp(_absolute_changes(np.log(close), symbols))
        message = "the close changes {:.0f} times on {:%Y-%m-%d}"
        jumps = factor > MAX_PRICE_FACTOR
        add(jumps, lambda row, count: message.format(factor[row], dates.iloc[row]))
    if kind in INDEX_KINDS:
        _check_units(faults, rows)
    if kind in XSHG_KINDS:
        is_session = dates.isin(sessions.all).to_numpy()
        closed = ~is_session & (dates <= sessions.horizon).to_numpy()
        reason = "when the exchange was closed"
        add(closed, lambda row, count: f"a row on {dates.iloc[row]:%Y-%m-%d}, {reason}")
        if kind in MAX_MISSING_SESSIONS:
            _check_missing(faults, kind, rows.assign(is_session=is_session), sessions)


def _check_missing(faults: Faults, kind: str, rows: pd.DataFrame, sessions: Sessions) -> None:
    """Add the symbols that lack too many sessions between their first and last row."""
    groups = rows.groupby("symbol")
    span = groups.agg(first=("date", "min"), last=("date", "max"), count=("is_session", "sum"))
    first = sessions.all.searchsorted(span["first"])
    expected = sessions.all.searchsorted(span["last"], side="right") - first
    missing = expected - span["count"].to_numpy()
    allowed = np.maximum(MAX_MISSING_SESSIONS[kind], MAX_MISSING_SHARE * expected)
    for row in np.flatnonzero(missing > allowed):
        message = f"{missing[row]} of {expected[row]} sessions are missing"
        faults[span.index[row]].append(message)


def _absolute_changes(level: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """Return the absolute changes between neighbouring rows of a symbol, NaN at its first."""
    change = np.abs(np.diff(level, prepend=np.nan))
    change[np.append(True, symbols[1:] != symbols[:-1])] = np.nan
    return change


def _share_price(rows: pd.DataFrame) -> pd.Series:
    """Return the median of amount over volume by symbol."""
    rows = rows[rows["volume"] > 0]
    return (rows["amount"] / rows["volume"]).groupby(rows["symbol"]).median()


def _check_units(faults: Faults, rows: pd.DataFrame) -> None:
    """Add the indices with an impossible average share price: one field has another unit."""
    is_fund = rows["symbol"].str.match(FUND_CODE)  # a theme known by its fund has the fund's price
    price = _share_price(rows[~is_fund])
    lowest, highest = SHARE_PRICE_RANGE
    for symbol, value in price[(price < lowest) | (price > highest)].items():
        message = f"amount over volume is {value:.3g} CNY a share: one of them has another unit"
        faults[symbol].append(message)


def _check_new_unit(faults: Faults, rows: pd.DataFrame, stored: pd.DataFrame) -> None:
    """Add the symbols whose volume or amount has another unit than in the stored rows."""
    last_stored = rows["symbol"].map(stored.groupby("symbol")["date"].max())
    change = _share_price(rows[rows["date"] > last_stored]) / _share_price(stored)
    changed = change[(change > MAX_UNIT_FACTOR) | (change < 1 / MAX_UNIT_FACTOR)]
    for symbol, factor in changed.items():
        message = (
            f"amount over volume is {factor:.3g} times what it was: one of them has another unit"
        )
        faults[symbol].append(message)


def _check_truncated(faults: Faults, rows: pd.DataFrame) -> None:
    """Add the symbols that a report lacks on some of its latest days: a page was lost."""
    recent = rows[rows["date"] > rows["date"].max() - REPORT_DAYS]
    listed = pd.crosstab(recent["date"], recent["symbol"])
    days = len(listed)
    for symbol, count in listed.sum().items():
        if count < days:
            faults[symbol].append(f"not in the report on {days - count} of its last {days} days")


def _check_monthly(faults: Faults, rows: pd.DataFrame) -> None:
    """Add the monthly series whose changes are as large as yearly ones."""
    monthly = rows[rows["series"].str.endswith("_MOM")]
    changes = monthly["actual"].abs().groupby(monthly["series"])
    median = changes.median()
    too_large = (median > MAX_MONTHLY_CHANGE) & (changes.count() >= MIN_MONTHS)
    for series, value in median[too_large].items():
        message = f"half of the monthly changes exceed {value:.1f} percent, as yearly ones do"
        faults[series].append(message)


def _check_stored(
    faults: Faults,
    table: str,
    kind: str,
    rows: pd.DataFrame,
    stored: pd.DataFrame,
    values: list[str],
) -> None:
    """Add the stored rows that are missing from the new ones, or have other values there."""
    keys = list(KEYS[table])
    symbol_column = keys[0]
    stored = stored[stored[symbol_column].isin(rows[symbol_column].unique())]
    if table == "constituents":  # an earlier list need not be repeated
        stored = stored[isin_keys(stored, rows, [symbol_column, KNOWN_ON[table]])]
    new_keys = pd.MultiIndex.from_frame(rows[keys])
    position = new_keys.get_indexer(pd.MultiIndex.from_frame(stored[keys]))
    symbols = stored[symbol_column].to_numpy(dtype=object)
    dates = stored[KNOWN_ON[table]]
    missing = "{} stored rows are missing, first {:%Y-%m-%d}"
    _add(faults, symbols, position < 0, lambda row, count: missing.format(count, dates.iloc[row]))
    matched = position >= 0
    is_fund = stored[symbol_column].str.match(FUND_CODE).to_numpy(dtype=bool)[matched]
    symbols = symbols[matched]
    codes, names = pd.factorize(symbols)
    for field in values:
        old = stored[field].to_numpy()[matched]
        new = rows[field].to_numpy()[position[matched]]
        was_known = np.bincount(codes, np.isfinite(old)) > 0
        is_known = np.bincount(codes, np.isfinite(old) & np.isfinite(new)) > 0
        if field not in ("volume", "amount"):  # another provider may not have them
            for symbol in names[was_known & ~is_known]:
                faults[symbol].append(f"{field} has become empty")
        with np.errstate(invalid="ignore"):
            differs = np.abs(new - old) > _tolerance(table, kind, field, old, is_fund)
        _add(faults, symbols, differs, partial(_difference, field, old, new))


def _difference(field: str, old: np.ndarray, new: np.ndarray, row: int, count: int) -> str:
    return f"{field} was {old[row]:.6g} and is {new[row]:.6g} ({count} stored rows differ)"


def _tolerance(
    table: str, kind: str, field: str, old: np.ndarray, is_fund: np.ndarray
) -> np.ndarray:
    """Return the allowed absolute difference of each stored value, (T,)."""
    if kind == "yield":
        return np.full(len(old), YIELD_TOLERANCE)
    if table == "macro":
        return np.full(len(old), MACRO_TOLERANCE)
    if table in ("valuation", "constituents"):
        return RATIO_TOLERANCE * np.abs(old) + 1e-3
    if field in ("volume", "amount"):
        return QUANTITY_TOLERANCE * np.abs(old)
    is_chained = is_fund | (kind in CHAINED_KINDS)
    return np.where(is_chained, CHAINED_TOLERANCE, PRICE_TOLERANCE) * np.abs(old)


def _add(
    faults: Faults, symbols: np.ndarray, mask: np.ndarray, message: Callable[[int, int], str]
) -> None:
    """Add one fault per symbol in the mask: message(its first such row, number of its rows)."""
    rows = np.flatnonzero(mask)
    if len(rows):
        names = symbols[rows].astype(str)
        unique, first, counts = np.unique(names, return_index=True, return_counts=True)
        for symbol, row, count in zip(unique, rows[first], counts, strict=True):
            faults[symbol].append(message(row, count))
