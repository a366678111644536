"""From a source through the door into the store, all or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd
from filelock import FileLock, Timeout

from lib.market.calendar import Sessions
from lib.market.door import Checked, Context, check
from lib.market.errors import DataError, RevisionError, StoreError
from lib.market.fingerprint import fingerprint
from lib.market.folder import FolderSource
from lib.market.pointintime import Market
from lib.market.sample import SampleSource
from lib.market.schema import KEYS, KNOWN_ON, TABLES, XSHG_KINDS, Batch, Source
from lib.market.store import Store, columns_of, frame

STORES = Path(__file__).resolve().parents[2] / "store"
#: differences below this share of the value are noise of formats, not revisions
TOLERANCE = 1e-9


@dataclass
class IngestReport:
    """What an ingest did: per file the rows taken, or None for a file that was unchanged."""

    rows: dict[str, int | None] = field(default_factory=dict)
    revised: pd.DataFrame = field(default_factory=pd.DataFrame)


def ingest(
    source: Source,
    store: Store,
    *,
    accept_revisions: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> IngestReport:
    """Bring a store up to date with a source, in one transaction.

    Parameters
    ----------
    source : Source
        Its batches are skipped when their fingerprint is that of the last ingest.
    accept_revisions : bool
        Let a source change or withdraw rows that are stored; the old rows move to the ``revisions`` table.
    progress : callable
        Is told the name of each file before it is read.

    Raises
    ------
    RevisionError
        The source would change stored history and ``accept_revisions`` is False; nothing was changed.
    DataError, StoreError
        The source cannot be read or the store cannot be written; nothing was changed.
    """
    report = IngestReport()
    batches = list(source.batches())
    if store.exists():
        known = dict(
            store.query("SELECT file, last(fingerprint ORDER BY ingest) AS f FROM ingest_log GROUP BY file").values
        )
        if all(known.get(batch.file) == batch.fingerprint for batch in batches):
            report.rows = {batch.file: None for batch in batches}
            return report
    else:
        known = {}
    with store.write() as connection:
        number = connection.execute("SELECT coalesce(max(ingest), 0) + 1 FROM ingest_log").fetchone()[0]
        _note_source(connection, source)
        changes = []
        for batch in batches:
            if known.get(batch.file) == batch.fingerprint:
                report.rows[batch.file] = None
                continue
            progress(batch.file)
            checked = check(batch, batch.load(), _context(connection, batch))
            changes.append(_upsert(connection, batch, checked.rows, number))
            _record(connection, source, batch, checked, number)
            report.rows[batch.file] = len(checked.rows)
        report.revised = pd.concat(changes) if changes else pd.DataFrame()
        if len(report.revised) and not accept_revisions:
            raise _revision_error(report.revised)
        _refresh_sessions(connection)
    return report


def _note_source(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    stored = connection.execute("SELECT value FROM meta WHERE key = 'source'").fetchone()
    if stored and json.loads(stored[0]) != source.name:
        raise StoreError(
            f"the store holds data of the source {json.loads(stored[0])}, not {source.name}",
            remedy="give each source a store of its own",
        )
    for key, value in (("source", source.name), ("label", source.label), ("synthetic", source.synthetic)):
        connection.execute("DELETE FROM meta WHERE key = ?", [key])
        connection.execute("INSERT INTO meta VALUES (?, ?)", [key, json.dumps(value, ensure_ascii=False)])


def _context(connection: duckdb.DuckDBPyConnection, batch: Batch) -> Context:
    instruments = frame(connection.execute("SELECT * FROM instruments")).set_index("symbol")
    id_column = KEYS[batch.table][0]
    counts = frame(connection.execute(f'SELECT "{id_column}" AS symbol, count(*) AS n FROM {batch.table} GROUP BY 1'))
    # a symbol the store has but the file lacks is a fall to zero only if the file held it before
    return Context(Sessions.load(), instruments, counts.set_index("symbol")["n"])


def _upsert(connection: duckdb.DuckDBPyConnection, batch: Batch, rows: pd.DataFrame, number: int) -> pd.DataFrame:
    """Insert new rows, replace changed ones; return a line per symbol whose stored history changed."""
    table, keys = batch.table, KEYS[batch.table]
    columns, names = list(TABLES[table]), columns_of(table)
    connection.register("incoming_frame", rows[columns])
    connection.execute(f"CREATE OR REPLACE TEMP TABLE incoming AS SELECT {names} FROM incoming_frame")
    connection.unregister("incoming_frame")
    owner = f'"{keys[0]}"'
    stored = connection.execute(
        f"SELECT count(*) FROM {table} WHERE {owner} IN (SELECT DISTINCT {owner} FROM incoming)"
    ).fetchone()[0]
    changed = pd.DataFrame()
    if stored:
        changed = _revise(connection, table, number)
    match = " AND ".join(f't."{key}" = i."{key}"' for key in keys)
    new = f"SELECT {names} FROM incoming i"
    if stored:
        new += f" WHERE NOT EXISTS (SELECT 1 FROM {table} t WHERE {match})"
    order = ", ".join(f'"{key}"' for key in keys)
    connection.execute(f"INSERT INTO {table} ({names}) {new} ORDER BY {order}")
    connection.execute("DROP TABLE incoming")
    return changed


def _revise(connection: duckdb.DuckDBPyConnection, table: str, number: int) -> pd.DataFrame:
    """Move stored rows that the incoming ones contradict to ``revisions``; return them by symbol."""
    keys = KEYS[table]
    match = " AND ".join(f't."{key}" = i."{key}"' for key in keys)
    numbers = [column for column, kind in TABLES[table].items() if kind == "number" and column not in keys]
    others = [column for column in TABLES[table] if column not in numbers and column not in keys]
    differs = [
        f'(t."{c}" IS DISTINCT FROM i."{c}" AND coalesce(abs(t."{c}" - i."{c}") >'
        f' {TOLERANCE} * greatest(abs(t."{c}"), abs(i."{c}")), true))'
        for c in numbers
    ] + [f't."{c}" IS DISTINCT FROM i."{c}"' for c in others]
    gap = [f'coalesce(abs(i."{c}" / nullif(t."{c}", 0) - 1), 0)' for c in numbers] or ["0.0"]
    date = f't."{KNOWN_ON[table]}"::DATE' if table in KNOWN_ON else "NULL::DATE"
    # a row has vanished when the file covers its symbol and date but no longer has it
    span = KNOWN_ON.get(table)
    vanished = "false"
    if span:
        spans = f'SELECT "{keys[0]}" AS owner, min("{span}") AS lo, max("{span}") AS hi FROM incoming GROUP BY 1'
        vanished = f't."{span}" BETWEEN s.lo AND s.hi'
    else:
        spans = f'SELECT DISTINCT "{keys[0]}" AS owner FROM incoming'
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE contradicted AS
        SELECT t.rowid AS row_number, t."{keys[0]}" AS symbol, {date} AS date,
               i."{keys[0]}" IS NULL AS vanished,
               CASE WHEN i."{keys[0]}" IS NULL THEN NULL ELSE greatest({", ".join(gap)}, 0) END AS difference
        FROM {table} t JOIN ({spans}) s ON t."{keys[0]}" = s.owner LEFT JOIN incoming i ON {match}
        WHERE (i."{keys[0]}" IS NULL AND {vanished})
           OR (i."{keys[0]}" IS NOT NULL AND ({" OR ".join(differs)}))"""
    )
    fields = ", ".join(f'"{column}" := t."{column}"' for column in TABLES[table])
    content = f"to_json(struct_pack({fields}))"
    connection.execute(
        f"""INSERT INTO revisions SELECT {number}, '{table}', c.symbol, c.date, {content}
        FROM contradicted c JOIN {table} t ON t.rowid = c.row_number"""
    )
    changed = frame(
        connection.execute(
            """SELECT symbol, min(date) AS first_date, max(date) AS last_date, count(*) AS row_count,
            count(*) FILTER (vanished) AS vanished, max(difference) AS difference
            FROM contradicted GROUP BY symbol ORDER BY row_count DESC, symbol"""
        )
    )
    connection.execute(f"DELETE FROM {table} WHERE rowid IN (SELECT row_number FROM contradicted)")
    connection.execute("DROP TABLE contradicted")
    # names and dates of instruments are facts of the day, not history
    return changed if table in KNOWN_ON else pd.DataFrame()


def _record(connection: duckdb.DuckDBPyConnection, source: Source, batch: Batch, checked: Checked, number: int) -> None:
    for table, content in (
        ("findings", checked.findings),
        ("quarantine", checked.quarantined),
        ("repairs", checked.repairs),
    ):
        # what was set aside or repaired before stays on record; only the findings describe the file as it is now
        if table == "findings":
            connection.execute("DELETE FROM findings WHERE file = ?", [batch.file])
        if len(content):
            connection.register("incoming_frame", content)
            names = ", ".join(f'"{column}"' for column in content.columns)
            distinct = f"SELECT {names} FROM incoming_frame"
            if table != "findings":
                distinct += f" EXCEPT SELECT {names} FROM {table}"
            connection.execute(f"INSERT INTO {table} ({names}) {distinct}")
            connection.unregister("incoming_frame")
    by_level = checked.findings.groupby("level")["row_count"].sum() if len(checked.findings) else {}
    levels = [int(by_level.get(level, 0)) for level in ("refuse", "quarantine", "warn", "repair")]
    connection.execute(
        "INSERT INTO ingest_log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            number,
            source.name,
            batch.file,
            batch.table,
            datetime.now(UTC).replace(tzinfo=None),
            len(checked.rows),
            batch.fingerprint,
            *levels,
        ],
    )


def _refresh_sessions(connection: duckdb.DuckDBPyConnection) -> None:
    # stocks and themes may stop early; sectors, ETFs and indices say how far the market's data reach
    kinds = [kind for kind in XSHG_KINDS if kind not in ("stock", "theme")]
    connection.execute("DELETE FROM sessions")
    connection.execute(
        f"""INSERT INTO sessions SELECT date, count(*) FROM bars JOIN instruments USING (symbol)
        WHERE kind IN ({", ".join("?" * len(kinds))}) AND close IS NOT NULL GROUP BY date ORDER BY date""",
        kinds,
    )


def _revision_error(revised: pd.DataFrame) -> RevisionError:
    lines = [
        f"{row.symbol}: {row.row_count} rows from {row.first_date:%Y-%m-%d} to {row.last_date:%Y-%m-%d}"
        + (f", {row.vanished} of them gone" if row.vanished else "")
        + (f", largest difference {row.difference:.4%}" if pd.notna(row.difference) else "")
        for row in revised.head(8).itertuples()
    ]
    more = f"\n    and {len(revised) - 8} more" if len(revised) > 8 else ""
    return RevisionError(
        f"the source would change history that is stored, of {len(revised)} symbols:\n    "
        + "\n    ".join(lines)
        + more,
        symbol=revised["symbol"].iloc[0],
        remedy="check the source; to take the new values (the old ones are kept aside) run with --accept-revisions",
    )


def store_path(data: str, store_dir: str | Path | None = None) -> Path:
    """Return the file of a source's store: ``sample``, ``sample-null``, or one per folder."""
    home = Path(store_dir) if store_dir else STORES
    if data in ("sample", "sample-null"):
        return home / f"{data}.duckdb"
    folder = Path(data).expanduser().resolve()
    return home / f"folder-{folder.name}-{fingerprint(str(folder))[:8]}.duckdb"


def open_market(
    data: str = "sample",
    as_of="latest",
    *,
    store_dir: str | Path | None = None,
    allow_stale: bool = False,
    max_stale_sessions: int = 5,
    accept_revisions: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Market:
    """Bring the store of a source up to date and open it as of a date.

    Parameters
    ----------
    data : str
        ``sample``, ``sample-null`` (the sample without its planted effects) or a folder.
    as_of : date, text or "latest"
        The run sees the last stored session on or before it; "latest" is the last session that is over by now.
    store_dir : path, optional
        Where stores live; the suite's ``store`` folder by default.
    allow_stale, max_stale_sessions
        Data that end more sessions than this before ``as_of`` are refused unless allowed.
    """
    path = store_path(data, store_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    store = Store(path)
    try:
        # two notebooks opened at once: one builds, the other waits
        with FileLock(path.with_suffix(".lock"), timeout=300):
            if data in ("sample", "sample-null"):
                source = SampleSource(effects=data == "sample")
                _drop_outdated_sample(store, source)
            else:
                source = FolderSource(data)
            ingest(source, store, accept_revisions=accept_revisions, progress=progress)
    except Timeout as error:
        raise StoreError(
            "another process has been filling the store for five minutes",
            file=path,
            remedy="let it finish, or end it, then try again",
        ) from error
    return Market(store, as_of, allow_stale=allow_stale, max_stale_sessions=max_stale_sessions)


def _drop_outdated_sample(store: Store, source: SampleSource) -> None:
    """Remove a sample made by other code: it is derived, and its history would differ everywhere."""
    if not store.exists():
        return
    known = dict(
        store.query("SELECT file, last(fingerprint ORDER BY ingest) AS f FROM ingest_log GROUP BY file").values
    )
    if known != {batch.file: batch.fingerprint for batch in source.batches()}:
        store.path.unlink()
        store.path.with_suffix(".duckdb.wal").unlink(missing_ok=True)


__all__ = ["DataError", "IngestReport", "ingest", "open_market", "store_path"]
