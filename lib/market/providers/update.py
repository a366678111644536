"""Bring the live store up to date: plan, fetch, judge, land, ingest, report."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout

from lib.market.calendar import Sessions
from lib.market.errors import StoreError, SuiteError
from lib.market.ingest import IngestReport, ingest
from lib.market.providers.answers import Want, among, ask, typed
from lib.market.providers.audit import faults
from lib.market.providers.client import Client, blacken
from lib.market.providers.landing import Landing, LiveSource
from lib.market.providers.routes import ROUTES, Providers
from lib.market.providers.stage import Desk, Stage, fill, refuse
from lib.market.sample.catalogue import catalogue
from lib.market.schema import KEYS, KNOWN_ON, TABLES
from lib.market.store import Store
from lib.market.universe import UNIVERSE_FOLDER

#: days after a month end by which its lists are out
PUBLISHED = pd.Timedelta(days=10)
#: how far back the first calendar reaches, and how often a history is asked for again
CALENDAR = pd.Timedelta(days=45)
#: days of the calendar that are asked for again: a page may have been empty
AGAIN = pd.Timedelta(days=10)
#: order of the stages: lists of constituents say which shares are needed
TABLE_ORDER = ("constituents", "bars", "valuation")


@dataclass
class Report:
    """What an update did.

    Attributes
    ----------
    day : Timestamp
    rows : dict
        (table, kind) -> new rows.
    providers : dict
        (table, kind) -> provider functions that gave them, with the number of symbols.
    refused : list of dict
        Notes of the answers set aside.
    failures : dict
        Symbol -> what its providers said, for symbols that got nothing.
    unserved : list of str
        Symbols of the universes that no provider in the parameters serves.
    locked : dict
        Environment variable that is not set -> symbols that only its token opens.
    unasked : list of str
        Cross-checks that could not be made.
    trading : set of str
        Symbols whose last day was not over and was left out.
    stale : DataFrame
        Symbols whose last row lies too many sessions back: symbol, last, sessions.
    requests : dict
        Host -> requests sent.
    ingest : IngestReport
    """

    day: pd.Timestamp
    rows: dict[tuple[str, str], int] = field(default_factory=dict)
    providers: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    refused: list[dict] = field(default_factory=list)
    failures: dict[str, list[str]] = field(default_factory=dict)
    unserved: list[str] = field(default_factory=list)
    locked: dict[str, list[str]] = field(default_factory=dict)
    unasked: list[str] = field(default_factory=list)
    trading: set[str] = field(default_factory=set)
    stale: pd.DataFrame = field(default_factory=pd.DataFrame)
    requests: dict[str, int] = field(default_factory=dict)
    ingest: IngestReport = field(default_factory=IngestReport)


def update(
    settings: Providers,
    home: Path,
    client: Client,
    day: pd.Timestamp,
    *,
    universes: Path = UNIVERSE_FOLDER,
    accept_revisions: bool = False,
    step: Callable[[int, str], None] = lambda left, what: None,
) -> Report:
    """Bring the live store up to date.

    Parameters
    ----------
    settings : Providers
    home : Path
        The folder of stores: ``live.duckdb`` and ``live/`` stand in it.
    client : Client
    day : Timestamp
        The last session to fetch.
    universes : Path
        The lists whose instruments are fetched.
    accept_revisions : bool
        As for ``ingest``.
    step : callable
        Is told how many calls are left and what comes next.

    Raises
    ------
    StoreError
        Another update is running, or the store cannot be written. What was fetched is kept for the next run.
    """
    home = Path(home)
    store, folder = Store(home / "live.duckdb"), home / "live"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "update.lock", timeout=0), client.attached():
            return _Update(settings, store, folder, client, day, universes, accept_revisions, step).run()
    except Timeout as error:
        raise StoreError(
            "another update is running", file=folder / "update.lock", remedy="let it finish; sources are asked in turn"
        ) from error


class _Update:
    def __init__(self, settings, store, folder, client, day, universes, accept_revisions, step):
        self.settings, self.store, self.folder, self.client = settings, store, folder, client
        self.day, self.accept_revisions, self.step = day, accept_revisions, step
        self.landing, self.report = Landing(folder, day), Report(day)
        self.sessions = Sessions.load()
        self.desk = Desk(settings, client, self.landing, self.sessions, day, self._step, accept_revisions)
        #: what was asked for when, for tables that have no row for every day
        self.asked = _read(folder / "asked.json")
        self.source = LiveSource(folder, settings.folder)
        self.known = _renamed(catalogue(universes), settings.names)
        self.instruments, self.left = self._served(self.known), 0
        #: names of the shares, as the lists of constituents tell them
        self.names = _names(folder / "instruments.csv")

    def run(self) -> Report:
        self.landing.begin()
        self._take_up()
        if self.settings.shares:
            self._fill_all(("constituents",))
            self._add_shares()
            self._fill_all(("bars", "valuation"))
        else:
            self._fill_all(TABLE_ORDER)
        self._fill_macro()
        self._write_instruments()
        self.report.ingest = self._ingest(self.landing.land(), self.accept_revisions)
        self._note_refusals()
        self.landing.done()
        _replace(self.folder / "asked.json", json.dumps(self.asked))
        self.report.stale = self._stale()
        self.report.requests = dict(self.client.requests.most_common())
        return self.report

    def _take_up(self) -> None:
        """Store what has landed and is not stored: an update was stopped at its very end, or the store is gone."""
        logged = set(self._query("SELECT DISTINCT file FROM ingest_log")["file"]) if self.store.exists() else set()
        if waiting := self.landing.waiting(logged):
            anew = not logged  # then the files tell the whole story, with what was revised in it
            self._ingest([] if anew else waiting, accept_revisions=anew or self.accept_revisions)

    def _ingest(self, landed: list[Path], accept_revisions: bool) -> IngestReport:
        try:
            return ingest(self.source, self.store, accept_revisions=accept_revisions)
        except SuiteError:
            for path in landed:
                self.landing.withdraw(path)
            raise

    def _step(self, what: str) -> None:
        self.left = max(self.left - 1, 0)
        self.step(self.left, what)

    def _open(self, route: str) -> bool:
        return ROUTES[route].open(self.day, self.client.today())

    def _served(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the instruments whose bars a provider gives; name the others."""
        kept = []
        for symbol, kind in zip(table["symbol"], table["kind"], strict=True):
            routes = self.settings.asked("bars", kind, symbol)
            kept.append(any(self._open(route) for route in routes))
            if not routes:
                self.report.unserved.append(symbol)
            elif not kept[-1]:
                self.report.locked.setdefault(ROUTES[routes[0]].token, []).append(symbol)
        table = table.loc[kept, ["symbol", "name", "name_en", "kind", "group"]]
        return table.drop_duplicates("symbol").reset_index(drop=True)

    def _add_shares(self) -> None:
        """Add the members of all lists of the kinds named, those of this update and of the user's folder included."""
        lists = [self._query("SELECT DISTINCT index_symbol, as_of, symbol FROM constituents")]
        lists += [pd.read_parquet(path) for path in sorted(self.landing.new.glob("constituents/*/*.parquet"))]
        lists += [batch.load() for batch in self.source.extra if batch.table == "constituents"]
        named = pd.concat([part[["index_symbol", "as_of", "symbol"]] for part in lists])
        kinds = named["index_symbol"].map(self.known.set_index("symbol")["kind"])
        followed = named["symbol"][kinds.isin(self.settings.shares)]
        members = sorted(set(followed) - set(self.instruments["symbol"]))
        if not members:
            return
        shares = pd.DataFrame({"symbol": members, "kind": "stock"})
        sectors = named[kinds == "sector"].sort_values("as_of").drop_duplicates("symbol", keep="last")
        names = self.names[~self.names.index.duplicated(keep="last")]
        shares = shares.join(names, on="symbol").join(
            sectors.set_index("symbol")["index_symbol"].rename("group"), on="symbol"
        )
        filled = {"name": shares["symbol"], "name_en": shares["symbol"], "group": ""}
        self.instruments = pd.concat([self.instruments, self._served(shares.fillna(filled))], ignore_index=True)

    def _fill_all(self, tables: tuple[str, ...]) -> None:
        stages = [stage for table in tables for stage in self._stages(table)]
        self.left = sum(len(stage.symbols) for stage in stages)
        for stage in stages:
            fill(stage, self.desk)
            self._land(stage)
            if stage.table == "constituents":
                answers = [answer for answers in stage.taken.values() for answer in answers]
                lists = {symbol for answer in answers for symbol in answer["constituents"]["index_symbol"].unique()}
                self.asked["lists"] = self.asked.get("lists", {}) | dict.fromkeys(sorted(lists), f"{self.day:%Y-%m-%d}")

    def _stages(self, table: str) -> list[Stage]:
        """Return what is due: a stage for all symbols of a kind that the same providers serve in the same order."""
        enough, had = self.day, set()
        if table == "constituents":
            enough = self.sessions.month_ends(until=self.day)[-1]
            # what came some days after the month end will not be newer now, whatever its date
            asked = self.asked.get("lists", {}).items()
            had = {symbol for symbol, day in asked if pd.Timestamp(day) >= enough + PUBLISHED}
        stored = self._last_rows(table, list(self.instruments["symbol"]))
        owner = KEYS[table][0]
        last = stored.groupby(owner)[KNOWN_ON[table]].max().to_dict()
        due: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for symbol, kind in zip(self.instruments["symbol"], self.instruments["kind"], strict=True):
            routes = tuple(route for route in self.settings.asked(table, kind, symbol) if self._open(route))
            if routes and symbol not in had and not last.get(symbol, pd.Timestamp.min) >= enough:
                due.setdefault((kind, routes), []).append(symbol)
        return [
            Stage(table, kind, routes, symbols, stored[stored[owner].isin(symbols)], self._since(table, kind, symbols))
            for (kind, routes), symbols in due.items()
        ]

    def _since(self, table: str, kind: str, symbols: list[str]) -> dict[str, pd.Timestamp]:
        """Return the last days of PE and PB that come with bars: another provider may have filled those alone."""
        if table != "bars" or kind in self.settings.valuation:
            return {}
        last = self._query(
            """SELECT symbol, max(date) AS last FROM valuation
            WHERE symbol IN (SELECT unnest(?)) AND date <= ? GROUP BY symbol""",
            [symbols, self.day.date()],
            "valuation",
        )
        return dict(zip(last["symbol"], last["last"], strict=True)) if len(last) else {}

    def _last_rows(self, table: str, symbols: list[str]) -> pd.DataFrame:
        owner, known_on = KEYS[table][0], KNOWN_ON[table]
        rank = "dense_rank" if table == "constituents" else "row_number"
        depth = 1 if table == "constituents" else self.settings.overlap
        return self._query(
            f"""SELECT {", ".join(f'"{column}"' for column in TABLES[table])} FROM {table}
            WHERE {owner} IN (SELECT unnest(?)) AND {known_on} <= ?
            QUALIFY {rank}() OVER (PARTITION BY {owner} ORDER BY {known_on} DESC) <= ? ORDER BY {owner}, {known_on}""",
            [symbols, self.day.date(), depth],
            table,
        )

    def _query(self, sql: str, parameters: list | None = None, table: str = "constituents") -> pd.DataFrame:
        if not self.store.exists():
            return typed(table, pd.DataFrame(columns=list(TABLES[table])))
        return self.store.query(sql, parameters)

    def _land(self, stage: Stage) -> None:
        """Write down what a stage took: the rows that are new, and for bars the stored ones they continue."""
        parts: dict[str, list[pd.DataFrame]] = {}
        for route, answers in stage.taken.items():
            counts = self.report.providers.setdefault((stage.table, stage.kind), {})
            counts[route] = counts.get(route, 0) + len(answers)
            for answer in answers:
                for table, rows in answer.items():
                    if "name" in rows:
                        told = rows.set_index("symbol")[["name", "name_en"]]
                        self.names = pd.concat([self.names, told])
                    own = table == stage.table
                    if own or stage.kind not in getattr(self.settings, table):
                        parts.setdefault(table, []).append(rows)
        for table, frames in parts.items():
            rows = typed(table, pd.concat(frames, ignore_index=True)).drop_duplicates(list(KEYS[table]))
            stored = stage.stored if table == stage.table else self._last_rows(table, sorted(set(rows["symbol"])))
            self._keep_new(table, stage.kind, rows, stored)
        self.report.refused += stage.refused
        self.report.unasked += stage.unasked
        self.report.trading |= stage.trading
        got = {symbol for frames in parts.values() for rows in frames for symbol in rows.iloc[:, 0].unique()}
        self.report.failures |= {symbol: said for symbol, said in stage.failures.items() if symbol not in got}

    def _keep_new(self, table: str, kind: str, rows: pd.DataFrame, stored: pd.DataFrame) -> None:
        keys = list(KEYS[table])
        stored = stored.iloc[:0] if self.accept_revisions else stored
        new = rows[~among(rows, stored, keys)]
        if len(stored):  # from the overlap on: what lies before the stored rows was not given then either
            first = stored.groupby(keys[0])[KNOWN_ON[table]].min()
            limit = new[keys[0]].map(first)
            new = new[limit.isna() | (new[KNOWN_ON[table]] > limit)]
        if not len(new):
            return
        self.report.rows[table, kind] = self.report.rows.get((table, kind), 0) + len(new)
        before = stored[stored[keys[0]].isin(new[keys[0]].unique())] if table == "bars" else stored.iloc[:0]
        frame = pd.concat([part for part in (before, new) if len(part)], ignore_index=True)
        self.landing.keep_new(table, kind, frame.sort_values(keys, kind="stable"))

    def _fill_macro(self) -> None:
        """Ask for releases: the calendar for the days since it last answered, a history now and then."""
        series = ["US_" + core + index + rate for core in ("", "CORE_") for index in ("CPI", "PPI") for rate in RATES]
        stored = self._query(f"SELECT {', '.join(TABLES['macro'])} FROM macro", table="macro")
        asked = self.asked.setdefault("releases", {})
        calendars, histories = [], []
        for route in (name for names in self.settings.macro.values() for name in names):
            codes = {symbol: code for symbol in series if (code := self.settings.code(route, symbol))}
            history = route == "akshare.jin10_history"
            last = pd.Timestamp(asked[route]) if route in asked else self.day - CALENDAR
            if not codes or last >= self.day or (history and last > self.day - CALENDAR):
                continue
            start = pd.Timestamp("1970-01-01") if history else last - AGAIN
            rows = self._releases(route, Want("inflation", tuple(codes), codes, start, self.day, stored), history)
            if rows is not None:
                (histories if history else calendars).append(rows)
                asked[route] = f"{self.day:%Y-%m-%d}"
        # a history does not say which month was released: the calendar does, and comes first
        keys, times = ["series", "period"], ["series", "release_date"]
        told = pd.concat([stored, *calendars])
        histories = [rows[~among(rows, told, times)] for rows in histories]
        rows = pd.concat([stored.iloc[:0], *calendars, *histories], ignore_index=True).drop_duplicates(keys)
        if not self.accept_revisions:
            rows = rows[~among(rows, stored, keys)]
        if len(rows):
            self.report.rows["macro", "inflation"] = len(rows)
            self.landing.keep_new("macro", "inflation", rows)

    def _releases(self, route: str, want: Want, history: bool) -> pd.DataFrame | None:
        """Return the releases that a provider tells; None, with the reason in the report, when they are not sound."""
        self._step("inflation")
        try:
            rows = typed("macro", ask(route, ROUTES[route].function, want, self.client)["macro"])
        except SuiteError as error:
            self.report.failures |= {symbol: [f"{route}: {blacken(error.message)}"] for symbol in want.codes}
            return None
        days = pd.to_datetime(want.base["release_date"])
        base = want.base[want.base["series"].isin(want.codes) & (days >= want.start) & (days <= want.end)]
        if history:  # what the calendar alone has told is no loss
            base = base[among(base, rows, ["series", "period", "release_date"])]
        base = base.iloc[:0] if self.accept_revisions else base
        wrong = faults("macro", "macro", rows, base, self.sessions)
        if not wrong:
            return rows
        said = [f"{symbol}: {'; '.join(lines)}" for symbol, lines in wrong.items()]
        self.report.refused.append(refuse(self.desk, route, "macro", want, {"macro": rows}, said))
        return None

    def _write_instruments(self) -> None:
        table = self.instruments.sort_values("symbol").reset_index(drop=True)
        table = table.assign(first_date="", last_date="", note="")
        _replace(self.folder / "instruments.csv", table[list(TABLES["instruments"])].to_csv(index=False))

    def _note_refusals(self) -> None:
        """List the answers set aside among the store's findings, which a run's report shows.

        They take the place of earlier ones: what those refused has been asked for again.
        """
        before = self._query("SELECT count(*) AS n FROM findings WHERE \"check\" = 'answer refused'")["n"][0]
        if not self.report.refused and not before:
            return
        lines = pd.DataFrame(
            {
                "level": "quarantine",
                "check": "answer refused",
                "table_name": [note["table"] for note in self.report.refused],
                "file": [f"live/{note['table']}/{note['kind']}" for note in self.report.refused],
                "symbol": [note["symbols"][0] for note in self.report.refused],
                "first_date": self.day,
                "last_date": self.day,
                "row_count": [note["rows"] for note in self.report.refused],
                "detail": [f"{note['provider']}: {'; '.join(note['reasons'])}" for note in self.report.refused],
                "remedy": "look into the quarantine folder of the live store; the stored rows were kept",
            }
        )
        with self.store.write() as connection:
            connection.execute("DELETE FROM findings WHERE \"check\" = 'answer refused'")
            connection.register("lines", lines)
            names = ", ".join(f'"{column}"' for column in lines.columns)
            connection.execute(f"INSERT INTO findings ({names}) SELECT {names} FROM lines")
            connection.unregister("lines")

    def _stale(self) -> pd.DataFrame:
        last = self._query(
            "SELECT symbol, max(date) AS last FROM bars JOIN instruments USING (symbol) GROUP BY symbol ORDER BY symbol"
        )
        last["sessions"] = [self.sessions.count_between(date, self.day) for date in last["last"]]
        return last[last["sessions"] > self.settings.stale_sessions].reset_index(drop=True)


RATES = ("_MOM", "_YOY")


def _read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _renamed(table: pd.DataFrame, names: dict[str, tuple[str, str]]) -> pd.DataFrame:
    """Name instruments as the list does that says who provides them: a future is not the spot of the catalogue."""
    own = zip(table["symbol"], table["name"], table["name_en"], strict=True)
    told = [names.get(symbol, (name, name_en)) for symbol, name, name_en in own]
    return table.assign(name=[name for name, _ in told], name_en=[name_en for _, name_en in told])


def _names(path: Path) -> pd.DataFrame:
    """Return the names of the shares in a list of instruments, by symbol."""
    if not path.exists():
        return pd.DataFrame(columns=["name", "name_en"])
    table = pd.read_csv(path, dtype=str, keep_default_na=False).query("kind == 'stock'")
    return table.set_index("symbol")[["name", "name_en"]]


def _replace(path: Path, text: str) -> None:
    aside = path.with_suffix(".building")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, path)
