"""Update of the live store: plan, fetch, check, stage, ingest, report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout

from lib.market.atomic import atomic_write
from lib.market.calendar import Sessions
from lib.market.catalogue import read_catalogue
from lib.market.errors import StoreError, SuiteError
from lib.market.ingest import IngestReport, ingest
from lib.market.providers.client import Client
from lib.market.providers.contract import Response, isin_keys
from lib.market.providers.fetch_task import FetchTask, UpdateContext, run_task
from lib.market.providers.inflation import fetch_inflation
from lib.market.providers.registry import ENDPOINTS, ProviderSettings
from lib.market.providers.staging import LiveSource, Staging
from lib.market.providers.summary import UpdateReport
from lib.market.schema import KEYS, KNOWN_ON, TABLES, cast_to_schema, empty_table
from lib.market.store import Store, append_rows, columns_of
from lib.market.universe import UNIVERSE_FOLDER

#: days after a month end by which its lists are published
PUBLICATION_LAG = pd.Timedelta(days=10)
#: order of the tasks: lists of constituents determine which shares are needed
TABLE_ORDER = ("constituents", "bars", "valuation")
#: name in the findings of responses that were set aside, and its name in older stores
REJECTED_CHECKS = ("response rejected", "answer refused")


def update(
    settings: ProviderSettings,
    home: Path,
    client: Client,
    day: pd.Timestamp,
    *,
    universes: Path = UNIVERSE_FOLDER,
    accept_revisions: bool = False,
    on_progress: Callable[[int, str], None] = lambda calls_left, description: None,
) -> UpdateReport:
    """Bring the live store up to date.

    Parameters
    ----------
    settings : ProviderSettings
        Endpoints, codes and first dates.
    home : Path
        The folder of the stores, with ``live.duckdb`` and ``live/``.
    client : Client
        Sends the requests.
    day : Timestamp
        The last session to fetch.
    universes : Path
        The lists whose instruments are fetched.
    accept_revisions : bool
        As for ``ingest``.
    on_progress : callable
        Called before each call with the number of calls left and a description of the call.

    Raises
    ------
    StoreError
        Another update is running, or the store cannot be written. The responses fetched so far are
        kept for the next run.
    """
    home = Path(home)
    store = Store(home / "live.duckdb")
    folder = home / "live"
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / "update.lock"
    try:
        with FileLock(lock, timeout=0), client.attached():
            run = _Update(
                settings, store, folder, client, day, universes, accept_revisions, on_progress
            )
            return run.run()
    except Timeout as error:
        remedy = "let it finish; providers are asked one at a time"
        raise StoreError("another update is running", file=lock, remedy=remedy) from error


class _Update:
    def __init__(
        self, settings, store, folder, client, day, universes, accept_revisions, on_progress
    ):
        self.settings = settings
        self.store = store
        self.folder = folder
        self.client = client
        self.day = day
        self.accept_revisions = accept_revisions
        self.on_progress = on_progress
        self.staging = Staging(folder, day)
        self.report = UpdateReport(day)
        self.sessions = Sessions.load()
        self.context = UpdateContext(
            settings=settings,
            client=client,
            staging=self.staging,
            sessions=self.sessions,
            day=day,
            on_progress=self._progress,
            report=self.report,
            accept_revisions=accept_revisions,
        )
        #: day of the last request for the tables that do not have a row for every day
        self.last_asked = _read_json(folder / "asked.json")
        self.source = LiveSource(folder, settings.folder)
        self.catalogue = _renamed(read_catalogue(universes), settings.names)
        self.instruments = self._served(self.catalogue)
        self.calls_left = 0
        #: names of the shares, from the lists of constituents
        self.share_names = _share_names(folder / "instruments.csv")

    def run(self) -> UpdateReport:
        self.staging.discard_new_rows()
        self._ingest_uncommitted()
        if self.settings.shares:
            self._run_tasks(("constituents",))
            self._add_shares()
            self._run_tasks(("bars", "valuation"))
        else:
            self._run_tasks(TABLE_ORDER)
        releases = self._query(f"SELECT {columns_of('macro')} FROM macro", table="macro")
        fetch_inflation(self.context, releases, self.last_asked.setdefault("releases", {}))
        self._write_instruments()
        self.report.ingest = self._ingest(self.staging.commit(), self.accept_revisions)
        self._write_rejections()
        self.staging.clear()
        atomic_write(self.folder / "asked.json", json.dumps(self.last_asked))
        self.report.stale = self._stale()
        self.report.requests = dict(self.client.requests.most_common())
        return self.report

    def _ingest_uncommitted(self) -> None:
        """Ingest landed files that are not stored: an update was stopped, or the store is gone."""
        logged = set()
        if self.store.exists():
            logged = set(self._query("SELECT DISTINCT file FROM ingest_log")["file"])
        uncommitted = self.staging.uncommitted(logged)
        if not uncommitted:
            return
        if logged:
            self._ingest(uncommitted, self.accept_revisions)
        else:  # a rebuild from all files, accepted revisions included
            self._ingest([], accept_revisions=True)

    def _ingest(self, landed: list[Path], accept_revisions: bool) -> IngestReport:
        try:
            return ingest(self.source, self.store, accept_revisions=accept_revisions)
        except SuiteError:
            for path in landed:
                self.staging.reject(path)
            raise

    def _progress(self, description: str) -> None:
        self.calls_left = max(self.calls_left - 1, 0)
        self.on_progress(self.calls_left, description)

    def _available(self, table: str, kind: str, symbol: str) -> tuple[str, ...]:
        today = self.client.today()
        endpoints = self.settings.endpoints(table, kind, symbol)
        return tuple(name for name in endpoints if ENDPOINTS[name].available(self.day, today))

    def _served(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the instruments whose bars a provider gives; add the others to the report."""
        is_served = []
        for symbol, kind in zip(table["symbol"], table["kind"], strict=True):
            endpoints = self.settings.endpoints("bars", kind, symbol)
            is_served.append(bool(self._available("bars", kind, symbol)))
            if not endpoints:
                self.report.unsupported.append(symbol)
            elif not is_served[-1]:
                token = ENDPOINTS[endpoints[0]].token
                self.report.missing_token.setdefault(token, []).append(symbol)
        table = table.loc[is_served, ["symbol", "name", "name_en", "kind", "group"]]
        return table.drop_duplicates("symbol").reset_index(drop=True)

    def _add_shares(self) -> None:
        """Add the members of all lists of the kinds in the settings to the instruments.

        The lists of this update and of the user's folder are included.
        """
        columns = ["index_symbol", "as_of", "symbol"]
        new_lists = sorted(self.staging.new_rows.glob("constituents/*/*.parquet"))
        lists = [self._query(f"SELECT DISTINCT {', '.join(columns)} FROM constituents")]
        lists += [pd.read_parquet(path) for path in new_lists]
        folder_batches = self.source.folder_batches
        lists += [batch.load() for batch in folder_batches if batch.table == "constituents"]
        members = pd.concat([part[columns] for part in lists])
        kinds = members["index_symbol"].map(self.catalogue.set_index("symbol")["kind"])
        followed = members["symbol"][kinds.isin(self.settings.shares)]
        symbols = sorted(set(followed) - set(self.instruments["symbol"]))
        if not symbols:
            return
        in_sectors = members[kinds == "sector"].sort_values("as_of")
        sectors = in_sectors.drop_duplicates("symbol", keep="last").set_index("symbol")
        names = self.share_names[~self.share_names.index.duplicated(keep="last")]
        shares = pd.DataFrame({"symbol": symbols, "kind": "stock"})
        shares = shares.join(names, on="symbol")
        shares = shares.join(sectors["index_symbol"].rename("group"), on="symbol")
        defaults = {"name": shares["symbol"], "name_en": shares["symbol"], "group": ""}
        served = self._served(shares.fillna(defaults))
        self.instruments = pd.concat([self.instruments, served], ignore_index=True)

    def _run_tasks(self, tables: tuple[str, ...]) -> None:
        """Run the tasks of some tables in order, and remember which constituents were asked for."""
        tasks = [task for table in tables for task in self._tasks(table)]
        self.calls_left = sum(len(task.symbols) for task in tasks)
        for task in tasks:
            run_task(task)
            self._stage(task)
            if task.table == "constituents":
                responses = [part for parts in task.accepted.values() for part in parts]
                symbols = {
                    symbol for part in responses for symbol in part["constituents"]["index_symbol"]
                }
                last_lists = self.last_asked.setdefault("lists", {})
                last_lists.update(dict.fromkeys(sorted(symbols), f"{self.day:%Y-%m-%d}"))

    def _tasks(self, table: str) -> list[FetchTask]:
        """Return what is due: a task per kind and order of providers."""
        needed = self.day
        published = set()
        if table == "constituents":
            needed = self.sessions.month_ends(until=self.day)[-1]
            # a list fetched some days after the month end is final, whatever its date
            final = needed + PUBLICATION_LAG
            last_lists = self.last_asked.get("lists", {})
            published = {symbol for symbol, day in last_lists.items() if pd.Timestamp(day) >= final}
        stored = self._last_rows(table, list(self.instruments["symbol"]))
        symbol_column = KEYS[table][0]
        last = stored.groupby(symbol_column)[KNOWN_ON[table]].max()
        up_to_date = published | set(last.index[last >= needed])
        due: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for symbol, kind in zip(self.instruments["symbol"], self.instruments["kind"], strict=True):
            endpoints = self._available(table, kind, symbol)
            if endpoints and symbol not in up_to_date:
                due.setdefault((kind, endpoints), []).append(symbol)
        return [
            FetchTask(
                self.context,
                table,
                kind,
                endpoints,
                symbols,
                stored[stored[symbol_column].isin(symbols)],
                self._last_ratios(table, kind, symbols),
            )
            for (kind, endpoints), symbols in due.items()
        ]

    def _last_ratios(self, table: str, kind: str, symbols: list[str]) -> dict[str, pd.Timestamp]:
        """Return the last days of PE and PB that come with bars; bars alone may reach further."""
        if table != "bars" or kind in self.settings.valuation:
            return {}
        last = self._query(
            """SELECT symbol, max(date) AS date FROM valuation
            WHERE symbol IN (SELECT unnest(?)) AND date <= ? GROUP BY symbol""",
            [symbols, self.day.date()],
            "valuation",
        )
        return dict(zip(last["symbol"], last["date"], strict=True))

    def _last_rows(self, table: str, symbols: list[str]) -> pd.DataFrame:
        """Return the last stored rows of each symbol: a list of constituents, or the overlap."""
        symbol_column = KEYS[table][0]
        known_on = KNOWN_ON[table]
        rank = "dense_rank" if table == "constituents" else "row_number"
        depth = 1 if table == "constituents" else self.settings.overlap
        return self._query(
            f"""SELECT {columns_of(table)} FROM {table}
            WHERE {symbol_column} IN (SELECT unnest(?)) AND {known_on} <= ?
            QUALIFY {rank}() OVER (PARTITION BY {symbol_column} ORDER BY {known_on} DESC) <= ?
            ORDER BY {symbol_column}, {known_on}""",
            [symbols, self.day.date(), depth],
            table,
        )

    def _query(
        self, sql: str, parameters: list | None = None, table: str = "constituents"
    ) -> pd.DataFrame:
        return self.store.query(sql, parameters) if self.store.exists() else empty_table(table)

    def _stage(self, task: FetchTask) -> None:
        """Stage the new rows of a task, for bars with the stored ones that they continue."""
        parts: dict[str, list[pd.DataFrame]] = {}
        for endpoint, responses in task.accepted.items():
            counts = self.report.providers.setdefault((task.table, task.kind), {})
            counts[endpoint] = counts.get(endpoint, 0) + len(responses)
            for response in responses:
                self._collect(task, response, parts)
        for table, frames in parts.items():
            rows = cast_to_schema(table, pd.concat(frames, ignore_index=True))
            rows = rows.drop_duplicates(list(KEYS[table]))
            stored = task.stored
            if table != task.table:
                stored = self._last_rows(table, sorted(set(rows["symbol"])))
            self._stage_rows(table, task.kind, rows, stored)
        fetched = {
            symbol for frames in parts.values() for rows in frames for symbol in rows.iloc[:, 0]
        }
        for symbol, errors in task.failures.items():
            if symbol not in fetched:
                self.report.failures[symbol] = errors

    def _collect(
        self, task: FetchTask, response: Response, parts: dict[str, list[pd.DataFrame]]
    ) -> None:
        """Add the rows of a response to the parts by table, and its names to the share names."""
        for table, rows in response.items():
            if "name" in rows:
                names = rows.set_index("symbol")[["name", "name_en"]]
                self.share_names = pd.concat([self.share_names, names])
            # a further table counts where it has no task of its own
            if table == task.table or task.kind not in getattr(self.settings, table):
                parts.setdefault(table, []).append(rows)

    def _stage_rows(self, table: str, kind: str, rows: pd.DataFrame, stored: pd.DataFrame) -> None:
        """Stage the rows that are not stored, for bars after the stored ones that they continue."""
        keys = list(KEYS[table])
        symbol_column = keys[0]
        if self.accept_revisions:
            stored = stored.iloc[:0]
        new = rows[~isin_keys(rows, stored, keys)]
        if len(stored):  # a row before the overlap was missing in earlier responses too
            overlap_start = stored.groupby(symbol_column)[KNOWN_ON[table]].min()
            start = new[symbol_column].map(overlap_start)
            new = new[start.isna() | (new[KNOWN_ON[table]] > start)]
        if not len(new):
            return
        self.report.rows[table, kind] = self.report.rows.get((table, kind), 0) + len(new)
        frames = [new]
        if table == "bars" and len(stored):
            frames.insert(0, stored[stored[symbol_column].isin(new[symbol_column].unique())])
        staged = pd.concat([part for part in frames if len(part)], ignore_index=True)
        self.staging.add_new_rows(table, kind, staged.sort_values(keys, kind="stable"))

    def _write_instruments(self) -> None:
        table = self.instruments.sort_values("symbol").reset_index(drop=True)
        table = table.assign(first_date="", last_date="", note="")
        text = table[list(TABLES["instruments"])].to_csv(index=False)
        atomic_write(self.folder / "instruments.csv", text)

    def _write_rejections(self) -> None:
        """List the responses set aside among the store's findings, which a run's report shows.

        They replace earlier ones, whose responses have been fetched again.
        """
        condition = f'"check" IN {REJECTED_CHECKS}'
        count = self._query(f"SELECT count(*) AS n FROM findings WHERE {condition}")["n"][0]
        notes = self.report.rejected
        if not notes and not count:
            return
        findings = pd.DataFrame(
            {
                "level": "quarantine",
                "check": REJECTED_CHECKS[0],
                "table_name": [note["table"] for note in notes],
                "file": [f"live/{note['table']}/{note['kind']}" for note in notes],
                "symbol": [note["symbols"][0] for note in notes],
                "first_date": self.day,
                "last_date": self.day,
                "row_count": [note["rows"] for note in notes],
                "detail": [f"{note['provider']}: {'; '.join(note['reasons'])}" for note in notes],
                "remedy": "see the quarantine folder of the live store; the stored rows were kept",
            }
        )
        with self.store.write() as connection:
            connection.execute(f"DELETE FROM findings WHERE {condition}")
            append_rows(connection, "findings", findings)

    def _stale(self) -> pd.DataFrame:
        last = self._query(
            """SELECT symbol, max(date) AS last FROM bars JOIN instruments USING (symbol)
            GROUP BY symbol ORDER BY symbol"""
        )
        last["sessions"] = [self.sessions.count_between(date, self.day) for date in last["last"]]
        return last[last["sessions"] > self.settings.stale_sessions].reset_index(drop=True)


def _read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _renamed(table: pd.DataFrame, names: dict[str, tuple[str, str]]) -> pd.DataFrame:
    """Replace names by those of the list that sets the providers: a future is not the spot."""
    rows = zip(table["symbol"], table["name"], table["name_en"], strict=True)
    pairs = [names.get(symbol, (name, name_en)) for symbol, name, name_en in rows]
    renamed = pd.DataFrame(pairs, columns=["name", "name_en"], index=table.index)
    return table.assign(name=renamed["name"], name_en=renamed["name_en"])


def _share_names(path: Path) -> pd.DataFrame:
    """Return the names of the shares in a list of instruments, by symbol."""
    if not path.exists():
        return pd.DataFrame(columns=["name", "name_en"])
    table = pd.read_csv(path, dtype=str, keep_default_na=False).query("kind == 'stock'")
    return table.set_index("symbol")[["name", "name_en"]]
