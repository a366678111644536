"""The store: one DuckDB file that holds the market, opened for as short as a query takes."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd
from filelock import FileLock, Timeout

from lib.market.errors import StoreError
from lib.market.schema import SCHEMA_VERSION, TABLES

SQL_TYPES = {"text": "VARCHAR", "date": "DATE", "time": "TIMESTAMP", "number": "DOUBLE"}

#: what the store knows about its own content, beside the tables of the schema
LEDGERS = {
    "meta": "key VARCHAR, value VARCHAR",
    "sessions": "date DATE, symbols INTEGER",
    "ingest_log": "ingest INTEGER, source VARCHAR, file VARCHAR, table_name VARCHAR, finished TIMESTAMP,"
    " row_count BIGINT, fingerprint VARCHAR, rules VARCHAR, refused BIGINT, quarantined BIGINT,"
    " warned BIGINT, repaired BIGINT",
    "findings": 'level VARCHAR, "check" VARCHAR, table_name VARCHAR, file VARCHAR, symbol VARCHAR, first_date DATE,'
    " last_date DATE, row_count BIGINT, detail VARCHAR, remedy VARCHAR",
    "quarantine": 'file VARCHAR, table_name VARCHAR, symbol VARCHAR, date DATE, "check" VARCHAR, content VARCHAR',
    "repairs": 'file VARCHAR, symbol VARCHAR, first_date DATE, last_date DATE, "check" VARCHAR, detail VARCHAR',
    "revisions": "ingest INTEGER, table_name VARCHAR, symbol VARCHAR, date DATE, content VARCHAR",
}


#: what DuckDB may keep in memory while it writes; more goes to disk
MEMORY = "1GB"

#: how a full disk, a full quota or a file-size limit shows
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
UNWRITTEN = ("no space", "could not write", "file too large", "disk quota", "fsync", "could not truncate")


def columns_of(table: str) -> str:
    """Return the quoted column list of a schema table."""
    return ", ".join(f'"{column}"' for column in TABLES[table])


class Store:
    """One DuckDB file.

    No connection outlives a call, so that an open notebook never locks the file. A write works on a copy that takes
    the file's place when it is complete: an error, Ctrl-C, a kill or a full disk leaves every byte of the store as it
    was, and other processes read the earlier state meanwhile.

    Parameters
    ----------
    path : str or Path
        The file; it is created by the first ``write``.
    patience : float
        Seconds to wait for a foreign process that has the file open for writing.
    queue : float
        Seconds to wait for another process of the suite that is filling the store.

    Raises
    ------
    StoreError
        From every method: the file is locked by another process, was made by a newer schema, is damaged, or the disk
        is full.
    """

    def __init__(self, path: str | Path, patience: float = 5.0, queue: float = 600.0):
        self.path = Path(path)
        self.patience, self.queue = patience, queue

    def exists(self) -> bool:
        """Tell whether there is a store with content."""
        return self.path.exists()

    def query(self, sql: str, parameters: list | None = None) -> pd.DataFrame:
        """Run a query and return its rows; dates come as datetime64[ns]."""
        with self.read() as connection:
            return frame(connection.execute(sql, parameters or []))

    @contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the store for reading."""
        if not self.exists():
            raise StoreError("there is no store yet", file=self.path, remedy="ingest a source first: make report")
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
    def write(self, anew: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a copy of the store for writing; it replaces the store at the end of the block, unless that raises.

        With ``anew`` the copy starts empty.
        """
        aside = self.path.with_suffix(".building")
        with self.exclusive():
            try:
                _remove(aside)
                if self.exists() and not anew:
                    with self.read():  # refuses a newer schema, and a file that a foreign process is writing to
                        shutil.copyfile(self.path, aside)
                        if _log_of(self.path).exists():  # left by a foreign writer that was killed; it counts
                            shutil.copyfile(_log_of(self.path), _log_of(aside))
                connection = self._connect(aside, read_only=False)
                try:
                    with _interrupts():
                        connection.execute(f"SET memory_limit = '{MEMORY}'")
                        self._create(connection)
                        yield connection
                        connection.execute("CHECKPOINT")
                finally:
                    connection.close()
                _log_of(self.path).unlink(missing_ok=True)
                os.replace(aside, self.path)
            except duckdb.Error as error:
                raise self._explain(error) from error
            except OSError as error:
                if error.errno not in FULL:
                    raise
                raise self._explain(error) from error
            finally:
                _remove(aside)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other processes of the suite from writing; the same thread may enter again."""
        lock = FileLock(self.path.with_suffix(".lock"), timeout=self.queue, is_singleton=True)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise StoreError(
                f"another process has been filling the store for {self.queue:.0f} seconds",
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
        """Return what the store says of itself: schema version, source name and label, whether it is synthetic."""
        table = self.query("SELECT key, value FROM meta")
        return {key: json.loads(value) for key, value in zip(table["key"], table["value"], strict=True)}

    def _connect(self, path: Path, read_only: bool) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + self.patience
        while True:
            try:
                return duckdb.connect(str(path), read_only=read_only)
            except (duckdb.IOException, duckdb.ConnectionException) as error:
                if not _held(error) or time.monotonic() > deadline:
                    raise self._explain(error) from error
                time.sleep(0.1)
            except duckdb.Error as error:
                raise self._explain(error) from error

    def _explain(self, error: Exception) -> StoreError:
        text = str(error).strip().splitlines()[0]
        if _held(error):
            return StoreError(
                f"the store is in use by another process: {text}",
                file=self.path,
                remedy="let the other run finish, or end that process, then try again",
            )
        if getattr(error, "errno", None) in FULL or any(words in text.lower() for words in UNWRITTEN):
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
            body = ", ".join(f'"{column}" {SQL_TYPES[kind]}' for column, kind in columns.items())
            connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({body})")
        for table, body in LEDGERS.items():
            connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({body})")
        if not connection.execute("SELECT count(*) FROM meta WHERE key = 'schema_version'").fetchall()[0][0]:
            connection.execute("INSERT INTO meta VALUES ('schema_version', ?)", [json.dumps(SCHEMA_VERSION)])

    def _check_version(self, connection: duckdb.DuckDBPyConnection) -> None:
        rows = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchall()
        version = json.loads(rows[0][0]) if rows else None
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"the store has schema version {version}, this suite reads version {SCHEMA_VERSION}",
                file=self.path,
                remedy="update the suite" if (version or 0) > SCHEMA_VERSION else "move the file away and ingest again",
            )


def frame(result: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return a query's rows with every date as datetime64[ns]."""
    table = result.df()
    for column in table.columns[[kind.kind == "M" for kind in table.dtypes]]:
        table[column] = table[column].astype("datetime64[ns]")
    return table


@contextmanager
def _interrupts() -> Iterator[None]:
    """Turn Ctrl-C within a query, a plain RuntimeError to DuckDB, into the KeyboardInterrupt that it is elsewhere."""
    try:
        yield
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        raise KeyboardInterrupt from error


def _held(error: Exception) -> bool:
    """Tell whether a file could not be opened because somebody else has it open."""
    return any(words in str(error) for words in ("Could not set lock", "different configuration"))


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + ".wal")


def _remove(path: Path) -> None:
    for file in (path, _log_of(path)):
        file.unlink(missing_ok=True)
