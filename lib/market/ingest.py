"""From a source through the door into the store, all or nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import pandas as pd

from lib.market.calendar import Sessions
from lib.market.errors import RevisionError, StoreError
from lib.market.fingerprint import fingerprint
from lib.market.folder import FolderSource
from lib.market.pointintime import Market
from lib.market.schema import KEYS, KNOWN_ON, TABLES, XSHG_KINDS, Batch, Source
from lib.market.store import Store, columns_of, frame

if TYPE_CHECKING:
    from lib.market.door import Checked

SAMPLES = ("sample", "sample-null")
#: the store that `make data` fills from live providers; opening it fetches nothing
LIVE = "store"
#: names of data; anything else is a folder
NAMED = (*SAMPLES, LIVE)
#: where stores live; the variable WEEKLY_STORE puts them elsewhere, on a larger disk for instance
STORES = Path(os.environ.get("WEEKLY_STORE") or Path(__file__).resolve().parents[2] / "store")
#: differences below this share of the value are noise of formats, not revisions
TOLERANCE = 1e-9
#: the code whose verdicts the stored rows rest on; when it changes, files are read and judged again
RULES = ("door.py", "checks/*.py", "adjust.py", "folder.py")
#: stands in the log for a file that the source no longer has
ABSENT = "absent"
#: levels of findings, in the order of the log's columns
LEVELS = ("refuse", "quarantine", "warn", "repair")


class Stamp(NamedTuple):
    """What the rows of a file rest on."""

    table: str
    content: str
    rules: str


@dataclass
class IngestReport:
    """What an ingest did.

    Attributes
    ----------
    rows : dict
        Rows taken from each file, None for a file that was unchanged.
    revised : DataFrame
        Stored history that was changed, a row per file and symbol: ``file``, ``symbol``, ``first_date``,
        ``last_date``, ``row_count``, ``vanished`` (rows the source no longer has), ``difference`` (the largest, as a
        share of the old value).
    """

    rows: dict[str, int | None] = field(default_factory=dict)
    revised: pd.DataFrame = field(default_factory=pd.DataFrame)


def ingest(
    source: Source,
    store: Store,
    *,
    accept_revisions: bool = False,
    progress: Callable[[str], None] | None = None,
) -> IngestReport:
    """Bring a store up to date with a source: all of it, or after any error nothing.

    A file is skipped when its content, the list of instruments and the checks are those of its last ingest. Rows that
    are new are added. A stored row changes when the file gives other values for it (beyond ``TOLERANCE``), or lacks it
    although the file covers its symbol before and after that date. Rows beyond what a file covers stay as they are: a
    shorter file takes nothing away, and the checks warn of it. An increment tells of its own rows only, and once: later
    increments may have changed them since. A synthetic source has no history to protect: when it changed, its store is
    made anew.

    Parameters
    ----------
    source : Source
    accept_revisions : bool
        Let the source change or withdraw stored rows; the old rows move to the ``revisions`` table.
    progress : callable, optional
        Is told the name of each file before it is read.

    Raises
    ------
    RevisionError
        The source would change stored history and ``accept_revisions`` is False; nothing was changed.
    DataError, StoreError
        The source cannot be read or the store cannot be written; nothing was changed.
    """
    with store.exclusive():
        batches = list(source.batches())
        rules = fingerprint(_rules(), [batch.fingerprint for batch in batches if batch.table == "instruments"])
        known = _last_ingests(store)
        due = [batch for batch in batches if known.get(batch.file) != _stamp(batch, rules)]
        files = {batch.file for batch in batches}
        gone = {file: stamp.table for file, stamp in known.items() if file not in files and stamp.content != ABSENT}
        report = IngestReport(dict.fromkeys((batch.file for batch in batches), None))
        if not due and not gone:
            return report
        if source.synthetic:
            due, gone = batches, {}
        with store.write(anew=source.synthetic) as connection:
            _note_source(connection, source)
            number = connection.execute("SELECT coalesce(max(ingest), 0) + 1 FROM ingest_log").fetchall()[0][0]
            changes = []
            for batch in due:
                if progress:
                    progress(batch.file)
                checked = _checked(connection, batch)
                changes.append(_upsert(connection, batch, checked.rows, number))
                _record(connection, source, batch, checked, number, rules)
                report.rows[batch.file] = len(checked.rows)
            for file, table in gone.items():
                _note_absence(connection, source, file, table, number, rules)
            revised = [change for change in changes if len(change)]
            report.revised = pd.concat(revised, ignore_index=True) if revised else pd.DataFrame()
            if len(report.revised) and not accept_revisions:
                same = all(batch.file in known and known[batch.file].content == batch.fingerprint for batch in due)
                raise _revision_error(
                    report.revised, "the checks of the files, which have changed," if same else "the source"
                )
            _refresh_sessions(connection)
        return report


def _stamp(batch: Batch, rules: str) -> Stamp:
    return Stamp(batch.table, batch.fingerprint, "" if batch.increment else rules)


@cache
def _rules() -> str:
    here = Path(__file__).parent
    return fingerprint(*(path.read_text(encoding="utf-8") for rule in RULES for path in sorted(here.glob(rule))))


def _last_ingests(store: Store) -> dict[str, Stamp]:
    if not store.exists():
        return {}
    last = store.query(
        """SELECT file, table_name, fingerprint, rules FROM ingest_log
        QUALIFY row_number() OVER (PARTITION BY file ORDER BY ingest DESC) = 1 ORDER BY file"""
    )
    return {file: Stamp(*stamp) for file, *stamp in last.itertuples(index=False)}


def _note_source(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    stored = connection.execute("SELECT value FROM meta WHERE key = 'source'").fetchall()
    if stored and json.loads(stored[0][0]) != source.name:
        raise StoreError(
            f"the store holds data of the source {json.loads(stored[0][0])}, not {source.name}",
            remedy="give each source a store of its own",
        )
    for key, value in (("source", source.name), ("label", source.label), ("synthetic", source.synthetic)):
        connection.execute("DELETE FROM meta WHERE key = ?", [key])
        connection.execute("INSERT INTO meta VALUES (?, ?)", [key, json.dumps(value, ensure_ascii=False)])


def _checked(connection: duckdb.DuckDBPyConnection, batch: Batch) -> Checked:
    from lib.market.door import Context, check  # compiled loops: only a file that is new waits for them

    instruments = frame(connection.execute("SELECT * FROM instruments")).set_index("symbol")
    owner = KEYS[batch.table][0]
    counts = frame(connection.execute(f'SELECT "{owner}" AS symbol, count(*) AS n FROM {batch.table} GROUP BY 1'))
    context = Context(Sessions.load(), instruments, counts.set_index("symbol")["n"])
    return check(batch, batch.load(), context)


def _upsert(connection: duckdb.DuckDBPyConnection, batch: Batch, rows: pd.DataFrame, number: int) -> pd.DataFrame:
    """Insert new rows, replace contradicted ones; return a line per symbol whose stored history changed."""
    table, keys = batch.table, KEYS[batch.table]
    names, owner = columns_of(table), f'"{keys[0]}"'
    connection.register("incoming_frame", rows[list(TABLES[table])])
    connection.execute(f"CREATE OR REPLACE TEMP TABLE incoming AS SELECT {names} FROM incoming_frame")
    connection.unregister("incoming_frame")
    stored = connection.execute(
        f"SELECT count(*) FROM {table} WHERE {owner} IN (SELECT DISTINCT {owner} FROM incoming)"
    ).fetchall()[0][0]
    changed = _revise(connection, batch, number) if stored else pd.DataFrame()
    unknown = f"WHERE NOT EXISTS (SELECT 1 FROM {table} t WHERE {_match(table)})" if stored else ""
    order = ", ".join(f'"{key}"' for key in keys)
    connection.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM incoming i {unknown} ORDER BY {order}")
    connection.execute("DROP TABLE incoming")
    return changed


def _match(table: str) -> str:
    return " AND ".join(f't."{key}" = i."{key}"' for key in KEYS[table])


def _revise(connection: duckdb.DuckDBPyConnection, batch: Batch, number: int) -> pd.DataFrame:
    """Move stored rows that the incoming ones contradict to ``revisions``; return them by symbol."""
    table, columns = batch.table, TABLES[batch.table]
    values = [column for column in columns if column not in KEYS[table]]
    numbers = [column for column in values if columns[column] == "number"]
    # NULL against a number differs; NULL against NULL does not
    differs = [
        f't."{c}" IS DISTINCT FROM i."{c}" AND'
        f' coalesce(abs(t."{c}" - i."{c}") > {TOLERANCE} * greatest(abs(t."{c}"), abs(i."{c}")), true)'
        if c in numbers
        else f't."{c}" IS DISTINCT FROM i."{c}"'
        for c in values
    ]
    gaps = ", ".join(f'abs(i."{c}" / nullif(t."{c}", 0) - 1)' for c in numbers) or "NULL::DOUBLE"
    owner, known_on = f'"{KEYS[table][0]}"', KNOWN_ON.get(table)
    whole = known_on and not batch.increment
    within = f't."{known_on}" BETWEEN s.earliest AND s.latest' if whole else "false"
    span = f'min("{known_on}") AS earliest, max("{known_on}") AS latest' if known_on else "count(*)"
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE contradicted AS
        SELECT t.rowid AS place, t.{owner} AS symbol, {f't."{known_on}"::DATE' if known_on else "NULL::DATE"} AS date,
               i.{owner} IS NULL AS vanished, greatest({gaps}) AS difference
        FROM {table} t
        JOIN (SELECT {owner} AS owner, {span} FROM incoming GROUP BY 1) s ON t.{owner} = s.owner
        LEFT JOIN incoming i ON {_match(table)}
        WHERE CASE WHEN i.{owner} IS NULL THEN {within} ELSE {" OR ".join(f"({test})" for test in differs)} END"""
    )
    connection.execute(
        f"""INSERT INTO revisions
        SELECT {number}, '{table}', c.symbol, c.date, to_json(t)
        FROM contradicted c JOIN {table} t ON t.rowid = c.place ORDER BY c.symbol, c.date"""
    )
    changed = frame(
        connection.execute(
            """SELECT ? AS file, symbol, min(date) AS first_date, max(date) AS last_date, count(*) AS row_count,
            count(*) FILTER (vanished) AS vanished, max(difference) AS difference
            FROM contradicted GROUP BY symbol ORDER BY row_count DESC, symbol""",
            [batch.file],
        )
    )
    connection.execute(f"DELETE FROM {table} WHERE rowid IN (SELECT place FROM contradicted)")
    connection.execute("DROP TABLE contradicted")
    # names, groups and last dates of instruments are what is known today, not history
    return changed if known_on else pd.DataFrame()


def _record(
    connection: duckdb.DuckDBPyConnection, source: Source, batch: Batch, checked: Checked, number: int, rules: str
) -> None:
    """Write down what the checks said; it describes the file as it is now, so it replaces what was said before."""
    for table, content in (
        ("findings", checked.findings),
        ("quarantine", checked.quarantined),
        ("repairs", checked.repairs),
    ):
        connection.execute(f"DELETE FROM {table} WHERE file = ?", [batch.file])
        if len(content):
            connection.register("incoming_frame", content)
            names = ", ".join(f'"{column}"' for column in content.columns)
            connection.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM incoming_frame")
            connection.unregister("incoming_frame")
    counts = checked.findings.groupby("level")["row_count"].sum()
    levels = [int(counts.get(level, 0)) for level in LEVELS]
    table, content, rules = _stamp(batch, rules)
    _log(connection, source, (batch.file, table, len(checked.rows), content, *levels), number, rules)


def _note_absence(
    connection: duckdb.DuckDBPyConnection, source: Source, file: str, table: str, number: int, rules: str
) -> None:
    connection.execute("DELETE FROM findings WHERE file = ?", [file])
    connection.execute(
        """INSERT INTO findings (level, "check", table_name, file, row_count, detail, remedy)
        VALUES ('warn', 'file no longer there', ?, ?, 0, 'the source lacks the file; what it gave before is kept',
        'bring the file back, or start a new store')""",
        [table, file],
    )
    _log(connection, source, (file, table, 0, ABSENT, 0, 0, 1, 0), number, rules)


def _log(connection: duckdb.DuckDBPyConnection, source: Source, entry: tuple, number: int, rules: str) -> None:
    file, table, rows, content, *levels = entry
    finished = datetime.now(UTC).replace(tzinfo=None)
    connection.execute(
        f"INSERT INTO ingest_log VALUES ({', '.join('?' * 12)})",
        [number, source.name, file, table, finished, rows, content, rules, *levels],
    )


def _refresh_sessions(connection: duckdb.DuckDBPyConnection) -> None:
    """List the dates the store can answer for.

    Stocks and themes may stop early: sectors, ETFs and indices say how far the market's data reach, and stocks and
    themes only up to the date on which the first of those appears. A date counts when at least half as many of them
    have a bar as is usual, by the median of the twenty dates before, so a few series that run ahead make no session.
    Each verdict rests on dates up to its own.
    """
    leaders = [kind for kind in XSHG_KINDS if kind not in ("stock", "theme")]
    connection.execute("DELETE FROM sessions")
    connection.execute(
        f"""INSERT INTO sessions
        WITH daily AS (
            SELECT date, count(*) AS everything, count(*) FILTER (kind IN ({", ".join("?" * len(leaders))})) AS leaders
            FROM bars JOIN instruments USING (symbol)
            WHERE kind IN ({", ".join("?" * len(XSHG_KINDS))}) AND close IS NOT NULL AND isodow(date) < 6
            GROUP BY date),
        told AS (SELECT *, sum(leaders) OVER (ORDER BY date) > 0 AS led FROM daily),
        counted AS (SELECT date, led, CASE WHEN led THEN leaders ELSE everything END AS symbols FROM told),
        usual AS (SELECT *, median(symbols) OVER (
            PARTITION BY led ORDER BY date ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING) AS expected FROM counted)
        SELECT date, symbols FROM usual WHERE symbols > 0 AND symbols >= 0.5 * coalesce(expected, 0) ORDER BY date""",
        [*leaders, *XSHG_KINDS],
    )


def _revision_error(revised: pd.DataFrame, cause: str) -> RevisionError:
    lines = [
        f"{row.symbol}: {row.row_count} rows from {row.first_date:%Y-%m-%d} to {row.last_date:%Y-%m-%d}"
        + (f", {row.vanished} of them gone" if row.vanished else "")
        + (f", largest difference {row.difference:.4%}" if pd.notna(row.difference) else "")
        for row in revised.head(8).itertuples()
    ]
    if len(revised) > 8:
        lines.append(f"and {len(revised) - 8} more")
    first = revised.iloc[0]
    return RevisionError(
        f"{cause} would change {revised['row_count'].sum()} stored rows of {len(revised)} symbols:\n    "
        + "\n    ".join(lines),
        file=first["file"],
        symbol=first["symbol"],
        date=f"{first['first_date']:%Y-%m-%d}",
        remedy="check the source; to take the new values (the old ones are kept aside) run with --accept-revisions",
    )


def store_path(data: str, store_dir: str | Path | None = None) -> Path:
    """Return the file of a source's store: ``sample``, ``sample-null``, ``store``, or one per folder."""
    home = Path(store_dir) if store_dir else STORES
    if data == LIVE:
        return home / "live.duckdb"
    if data in SAMPLES:
        return home / f"{data}.duckdb"
    folder = Path(data).expanduser().resolve()
    return home / f"folder-{folder.name}-{fingerprint(str(folder))[:8]}.duckdb"


def open_source(data: str) -> Source:
    """Return the source of a name: ``sample``, ``sample-null`` (without planted effects) or a folder."""
    if data in SAMPLES:
        from lib.market.sample import SampleSource  # a whole simulator: only those who ask for it wait for it

        return SampleSource(effects=data == "sample")
    return FolderSource(data)


def open_market(
    data: str = "sample",
    as_of="latest",
    *,
    store_dir: str | Path | None = None,
    allow_stale: bool = False,
    max_stale_sessions: int = 5,
    accept_revisions: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Market:
    """Bring the store of a source up to date and open it as of a date.

    Two processes may call this at once: one fills the store, the other waits for it.

    Parameters
    ----------
    data : str
        ``sample``, ``sample-null`` (the sample without its planted effects), ``store`` (what ``make data`` has
        fetched) or a folder.
    as_of : date, text or "latest"
        The run sees the last stored session on or before it; "latest" is the last session that is over by now.
    store_dir : path, optional
        Where stores live; the suite's ``store`` folder by default.
    allow_stale, max_stale_sessions
        Data that end more sessions than this before ``as_of`` are refused unless allowed.
    accept_revisions, progress
        As for ``ingest``.

    Raises
    ------
    DataError, StaleDataError, StoreError, RevisionError
        As for ``ingest`` and ``Market``.
    """
    store = Store(store_path(str(data), store_dir))
    if data == LIVE:
        if not store.exists():
            raise StoreError("the live store is empty", file=store.path, remedy="fill it first: make data")
        return Market(store, as_of, allow_stale=allow_stale, max_stale_sessions=max_stale_sessions)
    source = open_source(str(data))
    ingest(source, store, accept_revisions=accept_revisions, progress=progress)
    return Market(store, as_of, allow_stale=allow_stale, max_stale_sessions=max_stale_sessions)
