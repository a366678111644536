"""Are answers to be believed? Checks before the door, on what only the stored history can tell.

The door judges rows; here whole answers are judged, since a source that goes wrong does so for many rows at once: a
unit that jumps, a column that has moved, a list cut short, a holiday filled in. A refused answer is set aside whole and
the stored rows stay.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pandas as pd

from lib.market.calendar import Sessions
from lib.market.providers.akshare_funds import FUND
from lib.market.providers.answers import among
from lib.market.schema import KEYS, KNOWN_ON, TABLES, XSHG_KINDS

#: how far a field of a stored session may differ: prices as a share; volume, amount and ratios more loosely, since
#: providers round and count them differently
PRICE, CHAINED, QUANTITY, RATIO = 2e-4, 4e-3, 0.05, 0.02
#: yields in percentage points
YIELD = 0.011
#: kinds whose prices are chained from rounded ones
CHAINED_KINDS = ("etf", "stock")
#: kinds that are baskets of A shares
INDICES = ("sector", "theme", "broad_index")
#: sessions that a symbol may miss between its first and last row: suspensions, young indices. Shares may miss any
MISSES = {"sector": 0, "broad_index": 0, "theme": 1, "etf": 3}
#: share of the sessions that a long history may miss: such holes are its own, and the door reports them
HOLES = 0.05
#: a change between neighbouring days by more than this factor is a change of unit
JUMP = 5.0
#: a change of a yield between neighbouring days, percentage points, that is a change of unit
LEAP = 2.0
#: a change of amount over volume since the stored rows by more than this factor is one too; splits stay below
UNIT = 20.0
#: percentage points by which weights may miss 100
WEIGHTS = 3.0
#: CNY that a share of an index costs on average: amount over volume. Beyond, one of the two is in another unit
SHARE_PRICE = (1.0, 1000.0)
#: days at the end of a report on which all of its symbols must be there; further back some did not exist yet
LATEST = pd.Timedelta(days=45)
#: largest median of so many monthly changes, percent: beyond, they are yearly ones
MONTHLY, MONTHS = 1.0, 6

#: symbol -> what is wrong with its rows
Faults = dict[str, list[str]]


def faults(
    table: str, kind: str, rows: pd.DataFrame, base: pd.DataFrame, sessions: Sessions, report: bool = False
) -> Faults:
    """Return what is wrong with the answers of one provider, by symbol; symbols that are sound are not in it.

    Parameters
    ----------
    table, kind : str
    rows : DataFrame
        All answers, cut to the days wanted and typed as the table.
    base : DataFrame
        The stored rows of the symbols asked for, over the days asked for.
    sessions : Sessions
    report : bool
        The rows are one report that lists all of its symbols on each of its days.
    """
    found: Faults = defaultdict(list)
    if not len(rows):
        return {}
    keys, owner = list(KEYS[table]), KEYS[table][0]
    values = [column for column, form in TABLES[table].items() if form == "number"]
    nameless = rows[keys].isna().any(axis=1)
    for symbol, count in rows.loc[nameless, owner].fillna("").value_counts().items():
        found[symbol].append(f"{count} rows without a date or a symbol")
    doubled = rows.duplicated(keys)
    for symbol, part in rows[doubled].groupby(owner):
        found[symbol].append(f"{len(part)} rows twice, first on {part[KNOWN_ON[table]].iloc[0]:%Y-%m-%d}")
    rows = rows[~doubled & ~nameless]
    said = rows[values].notna().any(axis=1).groupby(rows[owner]).any()
    for symbol in said.index[~said]:
        found[symbol].append("every value is empty")
    if table == "bars":
        _bars(found, kind, rows, sessions)
    if table == "macro":
        _monthly(found, rows)
    if table == "valuation" and report:
        _truncated(found, rows)
    if table == "constituents":
        total = rows.groupby("index_symbol")["weight"].sum()
        for symbol, weight in total[(total - 100.0).abs() > WEIGHTS].items():
            found[symbol].append(f"the weights sum to {weight:.1f} percent")
    if len(base):
        _disagreements(found, table, kind, rows, base, values)
        if table == "bars":
            _new_units(found, rows, base)
    return dict(found)


def _bars(found: Faults, kind: str, rows: pd.DataFrame, sessions: Sessions) -> None:
    rows = rows.sort_values(["symbol", "date"], kind="stable")
    symbols, close = rows["symbol"].to_numpy(dtype=object), rows["close"].to_numpy()
    _tell(found, symbols, np.isnan(close), lambda at, count: f"{count} rows without a close")
    if kind != "yield":
        if kind != "commodity":  # oil closed below zero in April 2020; the door sets such rows aside
            _tell(found, symbols, close <= 0, lambda at, count: f"{count} closes are not positive")
        with np.errstate(invalid="ignore", divide="ignore"):
            step = _steps(np.log(close), symbols)
        dates = rows["date"]
        _tell(
            found,
            symbols,
            step > np.log(JUMP),
            lambda at, count: f"the close changes {np.exp(step[at]):.0f} times on {dates.iloc[at]:%Y-%m-%d}",
        )
    if kind == "yield":
        leap = _steps(close, symbols)
        _tell(found, symbols, leap > LEAP, lambda at, count: f"the yield changes {leap[at]:.1f} points in a day")
    if kind in INDICES:
        _units(found, rows)
    if kind in XSHG_KINDS:
        days = rows["date"]
        open_ = days.isin(sessions.all).to_numpy()
        closed = ~open_ & (days <= sessions.horizon).to_numpy()
        _tell(
            found, symbols, closed, lambda at, count: f"a row on {days.iloc[at]:%Y-%m-%d}, when the exchange was closed"
        )
        if kind in MISSES:
            span = (
                rows.assign(open=open_)
                .groupby("symbol")
                .agg(first=("date", "min"), last=("date", "max"), n=("open", "sum"))
            )
            ends = [sessions.all.searchsorted(span["first"]), sessions.all.searchsorted(span["last"], side="right")]
            expected = ends[1] - ends[0]
            missing = expected - span["n"].to_numpy()
            for place in np.flatnonzero(missing > np.maximum(MISSES[kind], HOLES * expected)):
                found[span.index[place]].append(f"{missing[place]} of {expected[place]} sessions are missing")


def _steps(level: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """Return the size of the changes between neighbouring rows of a symbol, NaN at its first."""
    step = np.abs(np.diff(level, prepend=np.nan))
    step[np.append(True, symbols[1:] != symbols[:-1])] = np.nan
    return step


def _share_price(rows: pd.DataFrame) -> pd.Series:
    """Return what a share costs on a usual day, by symbol: amount over volume."""
    rows = rows[rows["volume"] > 0]
    return (rows["amount"] / rows["volume"]).groupby(rows["symbol"]).median()


def _units(found: Faults, rows: pd.DataFrame) -> None:
    """Refuse indices whose average share costs what no share does: volume or amount has another unit than thought."""
    price = _share_price(rows[~rows["symbol"].str.match(FUND)])  # themes known by their fund cost what a unit does
    for symbol, value in price[(price < SHARE_PRICE[0]) | (price > SHARE_PRICE[1])].items():
        found[symbol].append(f"amount over volume is {value:.3g} CNY a share: one of them has another unit")


def _new_units(found: Faults, rows: pd.DataFrame, base: pd.DataFrame) -> None:
    """Refuse symbols whose volume or amount has another unit in the new rows than in the stored ones."""
    last = rows["symbol"].map(base.groupby("symbol")["date"].max())
    change = _share_price(rows[rows["date"] > last]) / _share_price(base)
    for symbol, factor in change[(change > UNIT) | (change < 1 / UNIT)].items():
        found[symbol].append(f"amount over volume is {factor:.3g} times what it was: one of them has another unit")


def _truncated(found: Faults, rows: pd.DataFrame) -> None:
    """Refuse the symbols that a report of all of them lacks on some of its latest days: a page was lost."""
    recent = rows[rows["date"] > rows["date"].max() - LATEST]
    listed = pd.crosstab(recent["date"], recent["symbol"])
    for symbol, count in listed.sum().items():
        if count < len(listed):
            found[symbol].append(f"not in the report on {len(listed) - count} of its last {len(listed)} days")


def _monthly(found: Faults, rows: pd.DataFrame) -> None:
    """Refuse monthly changes that are as large as yearly ones."""
    size = rows.loc[rows["series"].str.endswith("_MOM")].groupby("series")["actual"]
    median = size.agg(lambda values: values.abs().median())
    for series, value in median[(median > MONTHLY) & (size.count() >= MONTHS)].items():
        found[series].append(f"half of the monthly changes exceed {value:.1f} percent, as yearly ones do")


def _disagreements(
    found: Faults, table: str, kind: str, rows: pd.DataFrame, base: pd.DataFrame, values: list[str]
) -> None:
    """Compare with the stored rows: each must be there again, with the same values."""
    keys, owner = list(KEYS[table]), KEYS[table][0]
    base = base[base[owner].isin(rows[owner].unique())]
    if table == "constituents":  # an earlier list need not come again
        base = base[among(base, rows, [owner, KNOWN_ON[table]])]
    place = pd.MultiIndex.from_frame(rows[keys]).get_indexer(pd.MultiIndex.from_frame(base[keys]))
    symbols, dates = base[owner].to_numpy(dtype=object), base[KNOWN_ON[table]]
    _tell(
        found,
        symbols,
        place < 0,
        lambda at, count: f"{count} stored rows are not there again, first {dates.iloc[at]:%Y-%m-%d}",
    )
    kept, funds = place >= 0, base[owner].str.match(FUND).to_numpy(dtype=bool)
    symbols, place = symbols[kept], place[kept]
    codes, names = pd.factorize(symbols)
    for field in values:
        old, new = base[field].to_numpy()[kept], rows[field].to_numpy()[place]
        both, known = np.isfinite(old) & np.isfinite(new), np.isfinite(old)
        emptied = (np.bincount(codes, known) > 0) & (np.bincount(codes, both) == 0)
        if field not in ("volume", "amount"):  # another provider may not know them
            for symbol in names[emptied]:
                found[symbol].append(f"{field} has become empty")
        with np.errstate(invalid="ignore"):
            off = np.abs(new - old) > _slack(table, kind, field, old, funds[kept])
        _tell(
            found,
            symbols,
            off,
            lambda at, count, field=field, old=old, new=new: (
                f"{field} was {old[at]:.6g} and is {new[at]:.6g} ({count} stored rows differ)"
            ),
        )


def _slack(table: str, kind: str, field: str, old: np.ndarray, funds: np.ndarray) -> np.ndarray:
    if kind == "yield":
        return np.full(len(old), YIELD)
    if table == "macro":
        return np.full(len(old), 0.15)  # revisions by a tenth; a consensus moves until the release
    if table in ("valuation", "constituents"):
        return RATIO * np.abs(old) + 1e-3
    if field in ("volume", "amount"):
        return QUANTITY * np.abs(old)
    return np.where(funds | (kind in CHAINED_KINDS), CHAINED, PRICE) * np.abs(old)


def _tell(found: Faults, symbols: np.ndarray, mask: np.ndarray, words) -> None:
    """Add a line for each symbol in the mask: words(place of its first such row, how many)."""
    places = np.flatnonzero(mask)
    if len(places):
        names, first, counts = np.unique(symbols[places].astype(str), return_index=True, return_counts=True)
        for name, at, count in zip(names, first, counts, strict=True):
            found[name].append(words(places[at], count))
