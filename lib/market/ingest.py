"""Ingest of a source into the store: validate and upsert everything, or change nothing."""

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
from lib.market.checks.findings import LEVELS
from lib.market.errors import RevisionError, StoreError
from lib.market.fingerprint import fingerprint
from lib.market.folder import FolderSource
from lib.market.pointintime import Market
from lib.market.schema import KEYS, KNOWN_ON, TABLES, XSHG_KINDS, Batch, Source
from lib.market.store import Store, append_rows, columns_of, to_frame

if TYPE_CHECKING:
    from lib.market.validation import ValidationResult

SAMPLES = ("sample", "sample-null")
#: the store that `make data` fills from live providers; opening it fetches nothing
LIVE = "store"
#: names of built-in sources; any other name is a folder
NAMED_SOURCES = (*SAMPLES, LIVE)
#: folder of the stores; the variable WEEKLY_STORE moves it, for instance to a larger disk
STORES = Path(os.environ.get("WEEKLY_STORE") or Path(__file__).resolve().parents[2] / "store")
#: relative differences below this are noise of file formats, not revisions
TOLERANCE = 1e-9
#: the code that decides which rows are stored; when it changes, files are read and validated again
RULE_FILES = ("validation.py", "checks/*.py", "adjust.py", "reading.py")
#: content in the log of a file that the source no longer has
ABSENT = "absent"
#: check of the findings on files of a folder that are not read
UNREAD = "file not read"


class IngestKey(NamedTuple):
    """Inputs that determine the stored rows of a file: an unchanged key means nothing to do."""

    table: str
    content: str
    rules: str


@dataclass(frozen=True)
class _Ingest:
    connection: duckdb.DuckDBPyConnection
    source: Source
    number: int
    rules: str


@dataclass
class IngestReport:
    """Result of an ingest.

    Attributes
    ----------
    rows : dict
        Rows accepted from each file, None for a file that was unchanged.
    revised : DataFrame
        Stored history that was changed, a row per file and symbol: ``file``, ``symbol``,
        ``first_date``, ``last_date``, ``row_count``, ``vanished`` (rows the source no longer has),
        ``difference`` (the largest, as a share of the old value).
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
    """Bring a store up to date with a source: all of it, or nothing after an error.

    A file is skipped when its content, the list of instruments and the checks are those of its last
    ingest. New rows are added. A stored row changes when the file has other values for it (beyond
    ``TOLERANCE``), or lacks it although the file covers its symbol before and after that date. Rows
    outside the span of a file stay unchanged: a shorter file removes nothing, and the checks warn
    of it. An increment is compared on its own rows only, and once: later increments may have
    changed them since. A synthetic source has no history to protect: when it changes, its store is
    rebuilt.

    Parameters
    ----------
    source : Source
        Gives the batches.
    store : Store
        Changed in one transaction.
    accept_revisions : bool
        Let the source change or withdraw stored rows; the old rows move to the ``revisions`` table.
    progress : callable, optional
        Called with the name of each file before it is read.

    Returns
    -------
    IngestReport

    Raises
    ------
    RevisionError
        The source would change stored history and ``accept_revisions`` is False; nothing was
        changed.
    DataError, StoreError
        The source cannot be read or the store cannot be written; nothing was changed.
    """
    with store.exclusive():
        batches = list(source.batches())
        instruments = [batch.fingerprint for batch in batches if batch.table == "instruments"]
        rules = fingerprint(_rules(), instruments)
        last_keys = _last_keys(store)
        due = [batch for batch in batches if last_keys.get(batch.file) != _key(batch, rules)]
        files = [batch.file for batch in batches]
        gone = {
            file: key.table
            for file, key in last_keys.items()
            if file not in files and key.content != ABSENT
        }
        report = IngestReport(dict.fromkeys(files, None))
        unread = source.unread() if isinstance(source, FolderSource) else {}
        if not due and not gone and unread == _stored_unread(store):
            return report
        if source.synthetic:
            due = batches
            gone = {}
        with store.write(truncate=source.synthetic) as connection:
            _write_meta(connection, source)
            last = connection.execute("SELECT coalesce(max(ingest), 0) FROM ingest_log").fetchall()
            run = _Ingest(connection, source, last[0][0] + 1, rules)
            changes = []
            for batch in due:
                if progress:
                    progress(batch.file)
                result = _validate(connection, batch)
                changes.append(_upsert(run, batch, result.rows))
                _write_findings(run, batch, result)
                report.rows[batch.file] = len(result.rows)
            for file, table in gone.items():
                _write_absence(run, file, table)
            _write_unread(connection, unread)
            revised = [change for change in changes if len(change)]
            if revised:
                report.revised = pd.concat(revised, ignore_index=True)
            if revised and not accept_revisions:
                unchanged = (
                    batch.file in last_keys and last_keys[batch.file].content == batch.fingerprint
                    for batch in due
                )
                checks = "the checks of the files, which have changed,"
                raise _revision_error(report.revised, checks if all(unchanged) else "the source")
            _refresh_sessions(connection)
        return report


def _key(batch: Batch, rules: str) -> IngestKey:
    return IngestKey(batch.table, batch.fingerprint, "" if batch.increment else rules)


@cache
def _rules() -> str:
    folder = Path(__file__).parent
    paths = [path for pattern in RULE_FILES for path in sorted(folder.glob(pattern))]
    return fingerprint(*(path.read_text(encoding="utf-8") for path in paths))


def _last_keys(store: Store) -> dict[str, IngestKey]:
    """Return the key of each file's last ingest."""
    if not store.exists():
        return {}
    last = store.query("""SELECT file, table_name, fingerprint, rules FROM ingest_log
        QUALIFY row_number() OVER (PARTITION BY file ORDER BY ingest DESC) = 1 ORDER BY file""")
    return {file: IngestKey(*key) for file, *key in last.itertuples(index=False)}


def _write_meta(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Write name, label and kind of the source; raise a StoreError for another source's store."""
    stored = connection.execute("SELECT value FROM meta WHERE key = 'source'").fetchall()
    if stored and json.loads(stored[0][0]) != source.name:
        raise StoreError(
            f"the store holds data of the source {json.loads(stored[0][0])}, not {source.name}",
            remedy="give each source a store of its own",
        )
    meta = {"source": source.name, "label": source.label, "synthetic": source.synthetic}
    for key, value in meta.items():
        connection.execute("DELETE FROM meta WHERE key = ?", [key])
        text = json.dumps(value, ensure_ascii=False)
        connection.execute("INSERT INTO meta VALUES (?, ?)", [key, text])


def _validate(connection: duckdb.DuckDBPyConnection, batch: Batch) -> ValidationResult:
    """Validate a batch against the instruments and the number of rows stored so far."""
    # imported here because of its compiled loops: only a file that is new waits for them
    from lib.market.validation import ValidationContext, validate_batch

    instruments = to_frame(connection.execute("SELECT * FROM instruments")).set_index("symbol")
    symbol_column = KEYS[batch.table][0]
    counts = to_frame(
        connection.execute(
            f'SELECT "{symbol_column}" AS symbol, count(*) AS n FROM {batch.table} GROUP BY 1'
        )
    )
    context = ValidationContext(Sessions.load(), instruments, counts.set_index("symbol")["n"])
    return validate_batch(batch, batch.load(), context)


def _upsert(run: _Ingest, batch: Batch, rows: pd.DataFrame) -> pd.DataFrame:
    """Insert new rows and replace changed ones; return a line per symbol with revised history."""
    connection = run.connection
    table = batch.table
    keys = KEYS[table]
    names = columns_of(table)
    symbol = f'"{keys[0]}"'
    connection.register("incoming_frame", rows[list(TABLES[table])])
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE incoming AS SELECT {names} FROM incoming_frame"
    )
    connection.unregister("incoming_frame")
    stored = connection.execute(
        f"SELECT count(*) FROM {table} WHERE {symbol} IN (SELECT DISTINCT {symbol} FROM incoming)"
    ).fetchall()[0][0]
    changed = _revise(run, batch) if stored else pd.DataFrame()
    is_new = f"WHERE NOT EXISTS (SELECT 1 FROM {table} t WHERE {_match(table)})" if stored else ""
    order = ", ".join(f'"{key}"' for key in keys)
    connection.execute(
        f"INSERT INTO {table} ({names}) SELECT {names} FROM incoming i {is_new} ORDER BY {order}"
    )
    connection.execute("DROP TABLE incoming")
    return changed


def _match(table: str) -> str:
    return " AND ".join(f't."{key}" = i."{key}"' for key in KEYS[table])


def _differs(column: str, kind: str) -> str:
    """Return the SQL condition that the incoming value of a column is not the stored one."""
    # NULL against a number differs; NULL against NULL does not
    distinct = f't."{column}" IS DISTINCT FROM i."{column}"'
    if kind != "number":
        return f"({distinct})"
    gap = f'abs(t."{column}" - i."{column}")'
    scale = f'greatest(abs(t."{column}"), abs(i."{column}"))'
    return f"({distinct} AND coalesce({gap} > {TOLERANCE} * {scale}, true))"


def _revise(run: _Ingest, batch: Batch) -> pd.DataFrame:
    """Move contradicted rows to the table ``revisions``; return them by symbol."""
    connection = run.connection
    table = batch.table
    columns = TABLES[table]
    values = [column for column in columns if column not in KEYS[table]]
    differs = " OR ".join(_differs(column, columns[column]) for column in values)
    gaps = [
        f'abs(i."{column}" / nullif(t."{column}", 0) - 1)'
        for column in values
        if columns[column] == "number"
    ]
    difference = ", ".join(gaps) or "NULL::DOUBLE"
    symbol = f'"{KEYS[table][0]}"'
    known_on = KNOWN_ON.get(table)
    date = f't."{known_on}"::DATE' if known_on else "NULL::DATE"
    covers_span = known_on and not batch.increment
    vanished = f't."{known_on}" BETWEEN s.earliest AND s.latest' if covers_span else "false"
    span = f'min("{known_on}") AS earliest, max("{known_on}") AS latest' if known_on else "count(*)"
    connection.execute(f"""CREATE OR REPLACE TEMP TABLE contradicted AS
        SELECT t.rowid AS row_id, t.{symbol} AS symbol, {date} AS date,
               i.{symbol} IS NULL AS vanished, greatest({difference}) AS difference
        FROM {table} t
        JOIN (SELECT {symbol} AS symbol, {span} FROM incoming GROUP BY 1) s ON t.{symbol} = s.symbol
        LEFT JOIN incoming i ON {_match(table)}
        WHERE CASE WHEN i.{symbol} IS NULL THEN {vanished} ELSE {differs} END""")
    connection.execute(f"""INSERT INTO revisions
        SELECT {run.number}, '{table}', c.symbol, c.date, to_json(t)
        FROM contradicted c JOIN {table} t ON t.rowid = c.row_id ORDER BY c.symbol, c.date""")
    changed = to_frame(
        connection.execute(
            """SELECT ? AS file, symbol, min(date) AS first_date, max(date) AS last_date,
            count(*) AS row_count, count(*) FILTER (vanished) AS vanished,
            max(difference) AS difference
            FROM contradicted GROUP BY symbol ORDER BY row_count DESC, symbol""",
            [batch.file],
        )
    )
    connection.execute(f"DELETE FROM {table} WHERE rowid IN (SELECT row_id FROM contradicted)")
    connection.execute("DROP TABLE contradicted")
    # names, groups and last dates of instruments describe today and are not history
    return changed if known_on else pd.DataFrame()


def _write_findings(run: _Ingest, batch: Batch, result: ValidationResult) -> None:
    """Replace the findings on a file, which describe it as it is now, and log the ingest."""
    contents = {
        "findings": result.findings,
        "quarantine": result.quarantined,
        "repairs": result.repairs,
    }
    for table, content in contents.items():
        run.connection.execute(f"DELETE FROM {table} WHERE file = ?", [batch.file])
        append_rows(run.connection, table, content)
    counts = result.findings.groupby("level")["row_count"].sum()
    levels = [int(counts.get(level, 0)) for level in LEVELS]
    _log(run, batch.file, _key(batch, run.rules), len(result.rows), levels)


def _write_absence(run: _Ingest, file: str, table: str) -> None:
    """Replace the findings on a file that is gone by a warning, and log it."""
    run.connection.execute("DELETE FROM findings WHERE file = ?", [file])
    run.connection.execute(
        """INSERT INTO findings (level, "check", table_name, file, row_count, detail, remedy)
        VALUES ('warn', 'file no longer there', ?, ?, 0,
        'the source no longer has the file; its stored rows are kept',
        'bring the file back, or start a new store')""",
        [table, file],
    )
    _log(run, file, IngestKey(table, ABSENT, run.rules), 0, [0, 0, 1, 0])


def _stored_unread(store: Store) -> dict[str, str]:
    """Return the files that the last ingest did not read, with what to do about each."""
    stored = store.query('SELECT file, remedy FROM findings WHERE "check" = ?', [UNREAD])
    return dict(stored.itertuples(index=False))


def _write_unread(connection: duckdb.DuckDBPyConnection, unread: dict[str, str]) -> None:
    """Replace the findings on files of a folder that are not read."""
    connection.execute('DELETE FROM findings WHERE "check" = ?', [UNREAD])
    for file, remedy in unread.items():
        connection.execute(
            """INSERT INTO findings (level, "check", table_name, file, row_count, detail, remedy)
            VALUES ('warn', ?, '', ?, 0, 'the file was passed over', ?)""",
            [UNREAD, file, remedy],
        )


def _log(run: _Ingest, file: str, key: IngestKey, row_count: int, levels: list[int]) -> None:
    """Write the entry of a file into ``ingest_log``, with its number of findings by level."""
    finished = datetime.now(UTC).replace(tzinfo=None)
    entry = [
        run.number,
        run.source.name,
        file,
        key.table,
        finished,
        row_count,
        key.content,
        key.rules,
    ]
    run.connection.execute(f"INSERT INTO ingest_log VALUES ({', '.join('?' * 12)})", entry + levels)


def _refresh_sessions(connection: duckdb.DuckDBPyConnection) -> None:
    """List the dates that the store has data for.

    Exports of stocks and themes may end early. So sectors, ETFs and indices determine how far the
    market's data reach, and stocks and themes only up to the first date of those. A date counts
    when at least half as many of them have a bar as usual, by the median of the twenty dates
    before, so that a few series that run ahead do not make a session. Only dates up to its own
    decide about a date.
    """
    leaders = [kind for kind in XSHG_KINDS if kind not in ("stock", "theme")]
    leader_marks = ", ".join("?" * len(leaders))
    kind_marks = ", ".join("?" * len(XSHG_KINDS))
    connection.execute("DELETE FROM sessions")
    connection.execute(
        f"""INSERT INTO sessions
        WITH daily AS (
            SELECT date, count(*) AS everything,
                count(*) FILTER (kind IN ({leader_marks})) AS leaders
            FROM bars JOIN instruments USING (symbol)
            WHERE kind IN ({kind_marks}) AND close IS NOT NULL AND isodow(date) < 6
            GROUP BY date),
        phased AS (SELECT *, sum(leaders) OVER (ORDER BY date) > 0 AS led FROM daily),
        counted AS (
            SELECT date, led, CASE WHEN led THEN leaders ELSE everything END AS symbols
            FROM phased),
        usual AS (SELECT *, median(symbols) OVER (
            PARTITION BY led ORDER BY date ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING) AS expected
            FROM counted)
        SELECT date, symbols FROM usual
        WHERE symbols > 0 AND symbols >= 0.5 * coalesce(expected, 0) ORDER BY date""",
        [*leaders, *XSHG_KINDS],
    )


def _revision_error(revised: pd.DataFrame, cause: str) -> RevisionError:
    """Return the error that lists the symbols whose stored rows would change."""
    lines = []
    for row in revised.head(8).itertuples():
        line = f"{row.symbol}: {row.row_count} rows from {row.first_date:%Y-%m-%d}"
        line += f" to {row.last_date:%Y-%m-%d}"
        if row.vanished:
            line += f", {row.vanished} of them gone"
        if pd.notna(row.difference):
            line += f", largest difference {row.difference:.4%}"
        lines.append(line)
    if len(revised) > 8:
        lines.append(f"and {len(revised) - 8} more")
    count = revised["row_count"].sum()
    first = revised.iloc[0]
    return RevisionError(
        f"{cause} would change {count} stored rows of {len(revised)} symbols:\n    "
        + "\n    ".join(lines),
        file=first["file"],
        symbol=first["symbol"],
        date=f"{first['first_date']:%Y-%m-%d}",
        remedy=(
            "check the source; to accept the new values (the old ones are archived) run with"
            " --accept-revisions"
        ),
    )


def store_path(data: str, store_dir: str | Path | None = None) -> Path:
    """Return the file of a store: ``sample``, ``sample-null``, ``store``, or one per folder."""
    stores = Path(store_dir) if store_dir else STORES
    if data == LIVE:
        return stores / "live.duckdb"
    if data in SAMPLES:
        return stores / f"{data}.duckdb"
    folder = Path(data).expanduser().resolve()
    return stores / f"folder-{folder.name}-{fingerprint(str(folder))[:8]}.duckdb"


def open_source(data: str) -> Source:
    """Return the source ``sample``, ``sample-null`` (without planted effects) or a folder."""
    if data in SAMPLES:
        # imported here because it is a whole simulator: only those who ask for it wait for it
        from lib.market.sample import SampleSource

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
    as_stored: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Market:
    """Bring the store of a source up to date and open it as of a date.

    Two processes may call this at once: one fills the store, the other waits for it.

    Parameters
    ----------
    data : str
        ``sample``, ``sample-null`` (the sample without its planted effects), ``store`` (the data
        that ``make data`` has fetched) or a folder.
    as_of : date, text or "latest"
        The run sees the last stored session on or before it; "latest" is the last closed session.
    store_dir : path, optional
        Folder of the stores; the suite's ``store`` folder by default.
    allow_stale : bool
        Accept data that end more than ``max_stale_sessions`` before ``as_of``.
    max_stale_sessions : int
        Sessions by which the data may end before ``as_of``.
    as_stored : bool
        Open the store as it is, without a look at the source.
    accept_revisions, progress
        As for ``ingest``.

    Raises
    ------
    DataError, StaleDataError, StoreError, RevisionError
        As for ``ingest`` and ``Market``.
    """
    store = Store(store_path(str(data), store_dir))
    if data != LIVE and not as_stored:
        source = open_source(str(data))
        ingest(source, store, accept_revisions=accept_revisions, progress=progress)
    elif data == LIVE and not store.exists():
        raise StoreError(
            "the live store is empty", file=store.path, remedy="fill it first: make data"
        )
    return Market(store, as_of, allow_stale=allow_stale, max_stale_sessions=max_stale_sessions)
