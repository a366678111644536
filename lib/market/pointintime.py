"""Point-in-time reads: a market without any row dated or released after its date."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from lib.market.calendar import Sessions, Week
from lib.market.errors import DataError, StaleDataError
from lib.market.fingerprint import fingerprint
from lib.market.panel import Panel
from lib.market.schema import KNOWN_ON, TABLES
from lib.market.store import Store, columns_of

#: time of day at which the Shanghai close is final, China time
CLOSE_PUBLISHED_AT = pd.Timedelta(hours=15, minutes=30)


@dataclass(frozen=True)
class SourceLabel:
    """Source of a store's data: ``name``, ``label`` by language, ``synthetic``."""

    name: str
    label: dict[str, str]
    synthetic: bool


def read_date(as_of) -> pd.Timestamp:
    """Return the date that a user has given; raise a DataError for what is not a date."""
    try:
        if isinstance(as_of, int | float):
            raise ValueError("a number is not a date")
        date = pd.Timestamp(as_of)
        if date is pd.NaT:
            raise ValueError("empty")
        return date.tz_localize(None).normalize()
    except (ValueError, TypeError) as error:
        raise DataError(
            f"as_of is {as_of!r}, which is not a date",
            remedy="write it as 2025-06-13, or latest",
        ) from error


class Market:
    """The market as it was known at the close of one session.

    Parameters
    ----------
    store : Store
    as_of : date, text or "latest"
        The market is seen at the last stored session on or before it.
    allow_stale : bool
        Accept data that end more than ``max_stale_sessions`` sessions before ``as_of``.
    max_stale_sessions : int

    Attributes
    ----------
    as_of : Timestamp
        The session; no method returns a row dated or released after it.
    requested : Timestamp
        The requested date.
    stale_sessions : int
        Sessions between the last stored one and the requested one; 0 when the data are up to date.
    sessions : Sessions
        The exchange calendar; it is published in advance, so it also has later sessions.
    week : Week
        The last completed week.
    source : SourceLabel

    Raises
    ------
    DataError
        ``as_of`` is not a date or is before the data.
    StaleDataError
        The data end too many sessions before ``as_of``.
    """

    def __init__(
        self,
        store: Store,
        as_of="latest",
        *,
        allow_stale: bool = False,
        max_stale_sessions: int = 5,
    ):
        self.store = store
        stored = pd.DatetimeIndex(store.query("SELECT date FROM sessions ORDER BY date")["date"])
        stored = stored.intersection(Sessions.load(stored).all)
        if not len(stored):
            raise DataError(
                "the store has no session",
                file=store.path,
                remedy="ingest bars of Chinese indices, sectors, ETFs or stocks",
            )
        self.requested = self._parse(as_of, stored)
        if self.requested < stored[0]:
            raise DataError(
                "the date is before the data",
                date=f"{self.requested:%Y-%m-%d}",
                file=store.path,
                remedy=f"take a date from {stored[0]:%Y-%m-%d} to {stored[-1]:%Y-%m-%d}",
            )
        self.as_of = stored[stored.searchsorted(self.requested, side="right") - 1]
        # past the calendar's horizon only the sessions seen so far are known
        self.sessions = Sessions.load(stored[stored <= self.as_of])
        self.stale_sessions = self.sessions.count_between(self.as_of, self.requested)
        if self.stale_sessions > max_stale_sessions and not allow_stale:
            raise StaleDataError(
                f"the data end on {self.as_of:%Y-%m-%d}, {self.stale_sessions} sessions before the"
                " requested date",
                date=f"{self.requested:%Y-%m-%d}",
                file=store.path,
                remedy=(
                    "bring newer data, take an earlier date, or allow stale data with --allow-stale"
                ),
            )
        self.week: Week = self.sessions.week(self.as_of)
        meta = store.meta()
        self.source = SourceLabel(meta["source"], meta["label"], meta["synthetic"])

    def _parse(self, as_of, stored: pd.DatetimeIndex) -> pd.Timestamp:
        if isinstance(as_of, str) and as_of == "latest":
            return min(last_closed_day(), stored[-1])
        return read_date(as_of)

    def instruments(self, kind: str | None = None, group: str | None = None) -> pd.DataFrame:
        """Return the instruments with a bar up to ``as_of``, indexed by symbol.

        Columns ``name``, ``name_en``, ``kind``, ``group``, ``note``, and ``first_date`` and
        ``last_date`` of those bars.
        """
        sql = """SELECT symbol, name, name_en, kind, "group", note,
            min(date) AS first_date, max(date) AS last_date
            FROM instruments JOIN bars USING (symbol) WHERE date <= ?"""
        parameters = [self.as_of.date()]
        for column, value in (("kind", kind), ('"group"', group)):
            if value is not None:
                sql += f" AND instruments.{column} = ?"
                parameters.append(value)
        columns = 'symbol, name, name_en, kind, "group", note'
        return self.store.query(
            f"{sql} GROUP BY {columns} ORDER BY kind, symbol", parameters
        ).set_index("symbol")

    def panel(
        self, symbols: Iterable[str], fields: Sequence[str] = ("close",), start=None
    ) -> Panel:
        """Return bars on the exchange's sessions.

        Parameters
        ----------
        symbols : iterable of str, (N,)
            In this order in the panel; each must be in the store.
        fields : sequence of str
            Of open, high, low, close, volume, amount.
        start : date, optional
            First session; by default that of the earliest bar.

        Returns
        -------
        Panel, (T, N)
            Sessions from ``start`` to ``as_of``; NaN where a symbol has no bar.
        """
        self._check_fields("bars", fields)
        needed = list(dict.fromkeys([*fields, "close", "volume"]))
        index, rows = self._rows("bars", symbols, needed, start)
        dates = self._dates(rows["day"], start)
        arrays = _scatter(rows, dates, len(index), needed)
        mask = ~np.isnan(arrays["close"]) & ~(arrays["volume"] == 0)
        return Panel(dates, index, {name: arrays[name] for name in fields}, mask)

    def valuation(
        self, symbols: Iterable[str], fields: Sequence[str] = ("pe_ttm", "pb"), start=None
    ) -> Panel:
        """Return valuations on the exchange's sessions.

        Parameters
        ----------
        symbols : iterable of str, (N,)
            Instruments with valuations.
        fields : sequence of str
            Of pe_ttm and pb.
        start : date, optional
            First session; by default that of the earliest valuation.

        Returns
        -------
        Panel, (T, N)
            NaN where a symbol has no valuation; the mask is True where any field is known.
        """
        self._check_fields("valuation", fields)
        index, rows = self._rows("valuation", symbols, list(fields), start)
        dates = self._dates(rows["day"], start)
        arrays = _scatter(rows, dates, len(index), list(fields))
        mask = ~np.all([np.isnan(values) for values in arrays.values()], axis=0)
        return Panel(dates, index, arrays, mask)

    def closes(self, symbols: Iterable[str], start=None) -> pd.DataFrame:
        """Return closes on the symbols' own dates, (T, N), for global assets.

        T are the dates on which any of the symbols has a close; NaN where a symbol has none.
        """
        index, rows = self._rows("bars", symbols, ["close"], start)
        dates = pd.DatetimeIndex(np.unique(rows["day"]).astype("datetime64[D]")).as_unit("ns")
        arrays = _scatter(rows, dates, len(index), ["close"])
        closes = pd.DataFrame(arrays["close"], index=dates, columns=index)
        return closes.dropna(how="all")

    def with_minute_bars(self, symbols: Iterable[str]) -> pd.Index:
        """Return those of the symbols that have minute bars up to ``as_of``, in the given order."""
        index = self._checked(symbols)
        present = self.store.query(
            "SELECT DISTINCT symbol FROM minute_bars WHERE time < ? AND symbol IN (SELECT"
            " unnest(?))",
            [self.as_of + pd.Timedelta(days=1), list(index)],
        )
        return index[index.isin(present["symbol"])]

    def minute_bars(self, symbol: str, start=None) -> pd.DataFrame:
        """Return one symbol's minute bars up to the close of ``as_of``, in the order of time.

        Columns ``time`` (the minute's end, exchange local), open, high, low, close, volume, amount.
        One symbol at a time, because a year of one share is 58,000 rows.
        """
        (symbol,) = self._checked([symbol])
        first = pd.Timestamp(start) if start is not None else pd.Timestamp("1900-01-01")
        return self.store.query(
            """SELECT time, open, high, low, close, volume, amount FROM minute_bars
            WHERE symbol = ? AND time >= ? AND time < ? ORDER BY time""",
            [symbol, first, self.as_of + pd.Timedelta(days=1)],
        )

    def constituents(self, index_symbols: Iterable[str] | None = None, on=None) -> pd.DataFrame:
        """Return each index's latest list as of ``on`` (default and at most ``as_of``).

        Returns
        -------
        DataFrame with columns ``index_symbol``, ``as_of``, ``symbol``, ``weight`` (percent).
            No rows for an index whose lists are all later.
        """
        on = min(pd.Timestamp(on) if on is not None else self.as_of, self.as_of)
        sql = f"SELECT {columns_of('constituents')} FROM constituents WHERE as_of <= ?"
        parameters: list = [on.date()]
        if index_symbols is not None:
            sql += " AND index_symbol IN (SELECT unnest(?))"
            parameters.append(list(index_symbols))
        sql += (
            " QUALIFY as_of = max(as_of) OVER (PARTITION BY index_symbol) ORDER BY index_symbol,"
            " symbol"
        )
        return self.store.query(sql, parameters)

    def constituent_history(self, index_symbols: Iterable[str]) -> pd.DataFrame:
        """Return every list dated up to ``as_of``, columns as in ``constituents``."""
        return self.store.query(
            f"""SELECT {columns_of("constituents")} FROM constituents
            WHERE as_of <= ? AND index_symbol IN (SELECT unnest(?))
            ORDER BY index_symbol, as_of, symbol""",
            [self.as_of.date(), list(index_symbols)],
        )

    def macro(self, series: Iterable[str] | None = None) -> pd.DataFrame:
        """Return the macro releases up to ``as_of``, sorted by series, period and release."""
        sql = f"SELECT {columns_of('macro')} FROM macro WHERE release_date <= ?"
        parameters: list = [self.as_of.date()]
        if series is not None:
            sql += " AND series IN (SELECT unnest(?))"
            parameters.append(list(series))
        return self.store.query(sql + " ORDER BY series, period, release_date", parameters)

    def last_dates(self, symbols: Iterable[str]) -> pd.Series:
        """Return the date of each symbol's last bar up to ``as_of``, NaT where there is none."""
        symbols = self._checked(symbols)
        last = self.store.query(
            """SELECT symbol, max(date) AS date FROM bars
            WHERE date <= ? AND close IS NOT NULL AND symbol IN (SELECT unnest(?))
            GROUP BY symbol""",
            [self.as_of.date(), list(symbols)],
        )
        return last.set_index("symbol")["date"].reindex(symbols)

    def quality(self) -> pd.DataFrame:
        """Return the findings of the data-quality checks up to ``as_of``, the gravest first.

        One row per level, check and file, with columns ``level``, ``check``, ``file``, ``symbols``
        (how many), ``example``, ``first_date``, ``last_date``, ``row_count``, ``detail`` and
        ``remedy`` (of the example).
        """
        return self.store.query(
            """SELECT level, "check", file, count(DISTINCT symbol) AS symbols,
            first(symbol ORDER BY first_date, symbol) AS example, min(first_date) AS first_date,
            max(last_date) AS last_date, sum(row_count)::BIGINT AS row_count,
            first(detail ORDER BY first_date, symbol) AS detail,
            first(remedy ORDER BY first_date, symbol) AS remedy
            FROM findings WHERE last_date IS NULL OR last_date <= ?
            GROUP BY level, "check", file
            ORDER BY list_position(['refuse', 'quarantine', 'repair', 'warn'], level), "check",
                file""",
            [self.as_of.date()],
        )

    def findings(self, symbols: Iterable[str], first, last) -> pd.DataFrame:
        """Return the findings on the bars of some symbols.

        Parameters
        ----------
        symbols : iterable of str
            Instruments with bars.
        first, last : date
            Both included; nothing after ``as_of`` is returned.

        Returns
        -------
        DataFrame
            Columns ``symbol``, ``check``, ``date`` and ``detail``, by date.
        """
        until = min(pd.Timestamp(last), self.as_of)
        return self.store.query(
            """SELECT symbol, "check", last_date AS date, detail FROM findings
            WHERE table_name = 'bars' AND last_date BETWEEN ? AND ?
            AND symbol IN (SELECT unnest(?::VARCHAR[])) ORDER BY last_date, symbol""",
            [pd.Timestamp(first).date(), until.date(), list(symbols)],
        )

    def fingerprint(self, symbols: Iterable[str] | None = None) -> str:
        """Return a hash of all rows up to ``as_of``, or of the bars and valuations of some symbols.

        It depends only on the content, not on the order of rows, the day or the machine.
        """
        if symbols is None:
            return self._everything
        symbols = sorted(self._checked(symbols))
        return fingerprint(
            f"{self.as_of:%Y-%m-%d}", symbols, self._hashes(("bars", "valuation"), symbols)
        )

    @cached_property
    def _everything(self) -> str:
        return fingerprint(f"{self.as_of:%Y-%m-%d}", self._hashes(tuple(KNOWN_ON), None))

    def _hashes(self, tables: tuple[str, ...], symbols: list[str] | None) -> list:
        """Return table, number of rows and order-free hash of the rows up to ``as_of``."""
        queries = {
            table: f"SELECT * FROM {table} WHERE {KNOWN_ON[table]}::DATE <= $as_of"
            for table in tables
        }
        # the stated first and last dates of an instrument may refer to later bars
        queries["instruments"] = """SELECT * EXCLUDE (first_date, last_date) FROM instruments
            SEMI JOIN (SELECT symbol FROM bars WHERE date <= $as_of) USING (symbol)"""
        values: dict = {"as_of": self.as_of.date()}
        condition = ""
        if symbols is not None:
            values["symbols"] = symbols
            condition = "WHERE symbol IN (SELECT unnest($symbols))"
        hashes = []
        with self.store.read() as connection:
            for table, query in queries.items():
                sql = f"SELECT count(*), bit_xor(hash(r)) FROM (FROM ({query}) {condition}) r"
                hashes.append((table, *connection.execute(sql, values).fetchall()[0]))
        return hashes

    @cached_property
    def _symbols(self) -> pd.Index:
        return pd.Index(
            self.store.query("SELECT symbol FROM instruments ORDER BY symbol")["symbol"]
        )

    def _checked(self, symbols: Iterable[str]) -> pd.Index:
        """Return the symbols as an index; raise a DataError for unknown ones."""
        index = pd.Index(list(symbols), dtype=object, name="symbol")
        unknown = index.difference(self._symbols)
        if len(unknown):
            near = difflib.get_close_matches(str(unknown[0]), list(self._symbols), n=1)
            remedy = "take the symbol out of the universe, or bring its data"
            raise DataError(
                f"{len(unknown)} of {len(index)} symbols are not in the store",
                symbol=", ".join(map(str, unknown[:5])),
                file=self.store.path,
                remedy=f"did you mean {near[0]}?" if near else remedy,
            )
        return index

    @staticmethod
    def _check_fields(table: str, fields: Sequence[str]) -> None:
        allowed = [column for column, kind in TABLES[table].items() if kind == "number"]
        unknown = [name for name in fields if name not in allowed]
        if unknown:
            remedy = f"choose from {', '.join(allowed)}"
            raise DataError(f"{table} have no field {unknown[0]}", remedy=remedy)

    def _rows(self, table: str, symbols: Iterable[str], fields: list[str], start):
        """Return the symbols, and their rows as arrays: column of the symbol, day, fields."""
        index = self._checked(symbols)
        columns = np.arange(len(index), dtype=np.int32)
        symbol_columns = pd.DataFrame({"symbol": index.astype(str), "symbol_column": columns})
        first = pd.Timestamp(start) if start is not None else pd.Timestamp("1900-01-01")
        names = ", ".join(f'"{name}"' for name in fields)
        with self.store.read() as connection:
            connection.register("symbol_columns", symbol_columns)
            rows = connection.execute(
                f"""SELECT symbol_column, date - DATE '1970-01-01' AS day, {names}
                FROM {table} JOIN symbol_columns USING (symbol) WHERE date BETWEEN ? AND ?""",
                [first.date(), self.as_of.date()],
            ).fetchnumpy()
        return index, rows

    def _dates(self, days: np.ndarray, start) -> pd.DatetimeIndex:
        if start is None:
            start = np.datetime64(int(days.min()), "D") if len(days) else self.as_of
        return self.sessions.between(start, self.as_of)


def last_closed_day() -> pd.Timestamp:
    """Return the last day whose Shanghai close is final by now; it need not be a session."""
    now = pd.Timestamp.now(tz="Asia/Shanghai").tz_localize(None)
    return (now - CLOSE_PUBLISHED_AT).normalize()


def _scatter(
    rows: dict, dates: pd.DatetimeIndex, width: int, fields: list[str]
) -> dict[str, np.ndarray]:
    """Return long rows as (T, N) arrays by field; rows on other dates are dropped."""
    days = dates.to_numpy().astype("datetime64[D]").astype(np.int64)
    row_days = np.ma.getdata(rows["day"])
    position = np.searchsorted(days, row_days)
    is_kept = position < len(days)
    is_kept[is_kept] = days[position[is_kept]] == row_days[is_kept]
    position = position[is_kept]
    column = np.ma.getdata(rows["symbol_column"])[is_kept]
    arrays = {}
    for name in fields:
        # DuckDB marks NULL in a mask; here it becomes NaN
        values: np.ndarray = np.ma.filled(np.ma.asarray(rows[name], dtype=float), np.nan)
        array = np.full((len(days), width), np.nan)
        array[position, column] = values[is_kept]
        arrays[name] = array
    return arrays
