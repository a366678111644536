"""Store of the market data: one DuckDB file, opened only for the duration of a query."""

from __future__ import annotations

import errno
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd
from filelock import FileLock, Timeout

from lib.market.atomic import TEMPORARY_SUFFIX, atomic_path
from lib.market.errors import StoreError
from lib.market.schema import SCHEMA_VERSION, TABLES

SQL_TYPES = {"text": "VARCHAR", "date": "DATE", "time": "TIMESTAMP", "number": "DOUBLE"}

#: tables about the store's own content, in addition to those of the schema
BOOKKEEPING_TABLES = {
    "meta": "key VARCHAR, value VARCHAR",
    "sessions": "date DATE, symbols INTEGER",
    "ingest_log": (
        "ingest INTEGER, source VARCHAR, file VARCHAR, table_name VARCHAR, finished TIMESTAMP,"
        " row_count BIGINT, fingerprint VARCHAR, rules VARCHAR, refused BIGINT, quarantined BIGINT,"
        " warned BIGINT, repaired BIGINT"
    ),
    "findings": (
        'level VARCHAR, "check" VARCHAR, table_name VARCHAR, file VARCHAR, symbol VARCHAR,'
        " first_date DATE, last_date DATE, row_count BIGINT, detail VARCHAR, remedy VARCHAR"
    ),
    "quarantine": (
        'file VARCHAR, table_name VARCHAR, symbol VARCHAR, date DATE, "check" VARCHAR, content'
        " VARCHAR"
    ),
    "repairs": (
        'file VARCHAR, symbol VARCHAR, first_date DATE, last_date DATE, "check" VARCHAR, detail'
        " VARCHAR"
    ),
    "revisions": "ingest INTEGER, table_name VARCHAR, symbol VARCHAR, date DATE, content VARCHAR",
}

#: memory limit of DuckDB while it writes; more is spilled to disk
WRITE_MEMORY_LIMIT = "1GB"

#: error numbers and messages of a full disk, a full quota or a file-size limit
DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DISK_FULL_MESSAGES = (
    "no space",
    "could not write",
    "file too large",
    "disk quota",
    "fsync",
    "could not truncate",
)


def columns_of(table: str) -> str:
    """Return the quoted column list of a schema table."""
    return ", ".join(f'"{column}"' for column in TABLES[table])


class Store:
    """One DuckDB file.

    No connection outlives a call, so that an open notebook never locks the file. A write works on a
    copy that replaces the file when it is complete: an error, Ctrl-C, a kill or a full disk leaves
    every byte of the store unchanged, and other processes read the earlier state meanwhile.

    Parameters
    ----------
    path : str or Path
        The file; it is created by the first ``write``.
    lock_timeout : float
        Seconds to wait for a foreign process that has the file open for writing.
    writer_timeout : float
        Seconds to wait for another process of the suite that is writing to the store.

    Raises
    ------
    StoreError
        From every method: the file is locked by another process, has another schema version, is
        damaged, or the disk is full.
    """

    def __init__(self, path: str | Path, lock_timeout: float = 5.0, writer_timeout: float = 600.0):
        self.path = Path(path)
        self.lock_timeout = lock_timeout
        self.writer_timeout = writer_timeout

    def exists(self) -> bool:
        """Return whether the file exists."""
        return self.path.exists()

    def query(self, sql: str, parameters: list | None = None) -> pd.DataFrame:
        """Run a query and return its rows; dates come as datetime64[ns]."""
        with self.read() as connection:
            return to_frame(connection.execute(sql, parameters or []))

    @contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the store for reading."""
        if not self.exists():
            raise StoreError(
                "the store does not exist yet",
                file=self.path,
                remedy="ingest a source first: make report",
            )
        connection = self._connect(self.path, read_only=True)
        try:
            with _interrupts():
                self._check_version(connection)
                yield connection
        except duckdb.Error as error:
            raise self._explain(error) from error
        finally:
            connection.close()

    @contextmanager
    def write(self, truncate: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a copy of the store for writing; it replaces the store unless the block raises.

        With ``truncate`` the copy starts empty.
        """
        with self.exclusive():
            try:
                self._remove_leftovers()
                with atomic_path(self.path) as copy:
                    if self.exists() and not truncate:
                        self._copy_to(copy)
                    connection = self._connect(copy, read_only=False)
                    try:
                        with _interrupts():
                            connection.execute(f"SET memory_limit = '{WRITE_MEMORY_LIMIT}'")
                            self._create(connection)
                            yield connection
                            connection.execute("CHECKPOINT")
                    finally:
                        connection.close()
                    _wal_of(self.path).unlink(missing_ok=True)
            except duckdb.Error as error:
                raise self._explain(error) from error
            except OSError as error:
                if error.errno not in DISK_FULL_ERRNOS:
                    raise
                raise self._explain(error) from error
            finally:
                self._remove_leftovers()

    def _copy_to(self, copy: Path) -> None:
        # the read raises for another schema version and while a foreign process writes
        with self.read():
            shutil.copyfile(self.path, copy)
            # the log of a foreign writer that was killed is part of the content
            if _wal_of(self.path).exists():
                shutil.copyfile(_wal_of(self.path), _wal_of(copy))

    def _remove_leftovers(self) -> None:
        for leftover in self.path.parent.glob(f"{self.path.name}.*{TEMPORARY_SUFFIX}*"):
            leftover.unlink(missing_ok=True)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the write lock between processes of the suite; the same thread may enter again."""
        lock = FileLock(
            self.path.with_suffix(".lock"), timeout=self.writer_timeout, is_singleton=True
        )
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise StoreError(
                f"another process has been filling the store for {self.writer_timeout:.0f} seconds",
                file=self.path,
                remedy="let it finish, or end it, then try again",
            ) from error
        except OSError as error:
            raise StoreError(
                f"the folder of the store cannot be written: {error.strerror or error}",
                file=self.path,
                remedy="make the folder writable, or free some disk space",
            ) from error
        try:
            yield
        finally:
            lock.release()

    def meta(self) -> dict:
        """Return the metadata: schema version, source name and label, whether it is synthetic."""
        table = self.query("SELECT key, value FROM meta")
        return {
            key: json.loads(value) for key, value in zip(table["key"], table["value"], strict=True)
        }

    def _connect(self, path: Path, read_only: bool) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + self.lock_timeout
        while True:
            try:
                return duckdb.connect(str(path), read_only=read_only)
            except (duckdb.IOException, duckdb.ConnectionException) as error:
                if not _is_locked(error) or time.monotonic() > deadline:
                    raise self._explain(error) from error
                time.sleep(0.1)
            except duckdb.Error as error:
                raise self._explain(error) from error

    def _explain(self, error: Exception) -> StoreError:
        """Return a StoreError with the cause and remedy of a DuckDB or system error."""
        text = str(error).strip().splitlines()[0]
        if _is_locked(error):
            return StoreError(
                f"the store is in use by another process: {text}",
                file=self.path,
                remedy="let the other run finish, or end that process, then try again",
            )
        disk_full = any(message in text.lower() for message in DISK_FULL_MESSAGES)
        if disk_full or getattr(error, "errno", None) in DISK_FULL_ERRNOS:
            return StoreError(
                f"the store could not be written: {text}",
                file=self.path,
                remedy="free some disk space and run again; what was stored before is unchanged",
            )
        return StoreError(
            f"the store cannot be used: {text}",
            file=self.path,
            remedy="restore the file from a backup, or move it away and ingest again",
        )

    def _create(self, connection: duckdb.DuckDBPyConnection) -> None:
        for table, columns in TABLES.items():
            definition = ", ".join(
                f'"{column}" {SQL_TYPES[kind]}' for column, kind in columns.items()
            )
            connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({definition})")
        for table, definition in BOOKKEEPING_TABLES.items():
            connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({definition})")
        if _schema_version(connection) is None:
            value = json.dumps(SCHEMA_VERSION)
            connection.execute("INSERT INTO meta VALUES ('schema_version', ?)", [value])

    def _check_version(self, connection: duckdb.DuckDBPyConnection) -> None:
        version = _schema_version(connection)
        if version != SCHEMA_VERSION:
            newer = (version or 0) > SCHEMA_VERSION
            raise StoreError(
                f"the store has schema version {version}, this suite reads version"
                f" {SCHEMA_VERSION}",
                file=self.path,
                remedy="update the suite" if newer else "move the file away and ingest again",
            )


def _schema_version(connection: duckdb.DuckDBPyConnection) -> int | None:
    rows = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchall()
    return json.loads(rows[0][0]) if rows else None


def to_frame(result: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return a query's rows with every date as datetime64[ns]."""
    table = result.df()
    for column in table.columns[[dtype.kind == "M" for dtype in table.dtypes]]:
        table[column] = table[column].astype("datetime64[ns]")
    return table


def append_rows(connection: duckdb.DuckDBPyConnection, table: str, rows: pd.DataFrame) -> None:
    """Append the rows of a frame to a table, matched by column name.

    Parameters
    ----------
    connection : DuckDBPyConnection
        An open transaction.
    table : str
        Name of the table.
    rows : DataFrame
        Columns of the table, one row per record.
    """
    if not len(rows):
        return
    connection.register("appended_rows", rows)
    names = ", ".join(f'"{column}"' for column in rows.columns)
    connection.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM appended_rows")
    connection.unregister("appended_rows")


@contextmanager
def _interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt for Ctrl-C within a query, which DuckDB reports as a RuntimeError."""
    try:
        yield
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        raise KeyboardInterrupt from error


def _is_locked(error: Exception) -> bool:
    """Return whether a file could not be opened because another process has it open."""
    messages = ("Could not set lock", "different configuration")
    return any(message in str(error) for message in messages)


def _wal_of(path: Path) -> Path:
    """Return the path of DuckDB's write-ahead log."""
    return path.with_name(path.name + ".wal")
