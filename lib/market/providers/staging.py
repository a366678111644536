"""Staging of the responses of an update, before and after they are accepted.

``pending/<day>/`` holds what the update of a day has fetched so far: an update that was stopped
continues from it. ``landed/`` holds Parquet files by update, table and kind; an update puts all of
its files there at its end and never changes them afterwards, so that the live store can be rebuilt
from them. ``quarantine/<day>/`` holds rejected responses with the reasons. ``raw/<day>/`` holds the
responses as they came.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import pandas as pd

from lib.market.atomic import atomic_path
from lib.market.fingerprint import file_fingerprint, fingerprint
from lib.market.folder import FolderSource, read_table
from lib.market.providers.contract import Response
from lib.market.schema import Batch

UNSAFE_CHARACTERS = re.compile(r"[^\w.-]+")


class Staging:
    """The folder of the live store's files.

    Parameters
    ----------
    home : Path
    day : Timestamp
        The last day of the update.
    """

    def __init__(self, home: Path, day: pd.Timestamp):
        self.home = Path(home)
        self.day = day
        self.landed = self.home / "landed"
        self.pending = self.home / "pending" / f"{day:%Y-%m-%d}"
        self.quarantine = self.home / "quarantine" / f"{day:%Y-%m-%d}"
        self.new_rows = self.pending / "new"

    def append_response(self, task: str, symbols: tuple[str, ...], response: Response) -> None:
        """Store the response of a task for some symbols until the update ends.

        Parameters
        ----------
        task : str
            Name of the table, kind and endpoint.
        symbols : tuple of str
            The symbols that were requested together.
        response : dict of str to DataFrame
            Rows by table, one row per record.
        """
        folder = self._response_folder(task, symbols)
        folder.parent.mkdir(parents=True, exist_ok=True)
        _write_response(folder, response)

    def response(self, task: str, symbols: tuple[str, ...]) -> Response | None:
        """Return the stored response of a task for some symbols, None where there is none."""
        folder = self._response_folder(task, symbols)
        if not folder.exists():
            return None
        return {path.stem: pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))}

    def _response_folder(self, task: str, symbols: tuple[str, ...]) -> Path:
        return self.pending / _safe(task) / fingerprint(symbols)

    def set_aside(self, name: str, response: Response, note: dict) -> None:
        """Move a response to the quarantine, with a note of the reasons.

        Parameters
        ----------
        name : str
            Start of the folder's name.
        response : dict of str to DataFrame
            Rows by table, one row per record.
        note : dict
            Content of ``note.json``, with the endpoint as ``provider``.
        """
        self.quarantine.mkdir(parents=True, exist_ok=True)
        _write_response(self.quarantine / _safe(f"{name}-{note['provider']}"), response, note)

    def discard_new_rows(self) -> None:
        """Delete the new rows of an update that was stopped; its responses are checked again."""
        shutil.rmtree(self.new_rows, ignore_errors=True)

    def add_new_rows(self, table: str, kind: str, rows: pd.DataFrame) -> None:
        """Store new rows of this update until they are committed, in ``new/<table>/<kind>/``.

        Parameters
        ----------
        table, kind : str
            Name of the table, and kind of the instruments.
        rows : DataFrame
            Columns and types of the table.
        """
        folder = self.new_rows / table / kind
        folder.mkdir(parents=True, exist_ok=True)
        number = 1 + len(list(folder.iterdir()))
        rows.to_parquet(folder / f"{number:02d}.parquet", index=False)

    def commit(self) -> list[Path]:
        """Move the new rows of this update to ``landed/``, in files named by day and number."""
        landed = []
        for path in sorted(self.new_rows.glob("*/*/*.parquet")):
            folder = self.landed / path.parent.relative_to(self.new_rows)
            folder.mkdir(parents=True, exist_ok=True)
            number = 1 + len(list(folder.glob(f"{self.day:%Y-%m-%d}-*.parquet")))
            landed.append(folder / f"{self.day:%Y-%m-%d}-{number:02d}.parquet")
            os.replace(path, landed[-1])
        return landed

    def uncommitted(self, stored: set[str]) -> list[Path]:
        """Return the landed files whose labels are not among those stored."""
        paths = sorted(self.landed.glob("*/*/*.parquet"))
        return [path for path in paths if _label(path, self.landed) not in stored]

    def reject(self, path: Path) -> None:
        """Move a landed file that the store refused to the quarantine."""
        self.quarantine.mkdir(parents=True, exist_ok=True)
        name = f"{path.parent.parent.name}-{path.parent.name}-{path.name}"
        os.replace(path, self.quarantine / name)

    def clear(self) -> None:
        """Delete the pending responses of this and of earlier updates."""
        for folder in (self.home / "pending").glob("*"):
            if folder.name <= f"{self.day:%Y-%m-%d}":
                shutil.rmtree(folder)


class LiveSource:
    """The landed files as a source for the store.

    Parameters
    ----------
    home : Path
    folder : str
        Another data folder whose files are stored too; empty for none.
    """

    name = "live"
    synthetic = False

    def __init__(self, home: Path, folder: str = ""):
        self.label = {"en": "public data providers (live store)", "zh": "公开数据源(实时库)"}
        self.home = Path(home)
        self.folder = folder

    @cached_property
    def folder_batches(self) -> list[Batch]:
        """Return the batches of the other folder."""
        return list(FolderSource(self.folder).batches()) if self.folder else []

    def batches(self) -> Iterator[Batch]:
        """Yield one batch per landed file, instruments first, oldest first."""
        landed = self.home / "landed"
        instruments = self.home / "instruments.csv"
        content = file_fingerprint(instruments)
        load = _loader(instruments, "instruments")
        yield Batch("instruments", "live/instruments.csv", content, load)
        yield from (batch for batch in self.folder_batches if batch.table == "instruments")
        for table in ("bars", "valuation", "constituents", "macro"):
            paths = landed.glob(f"{table}/*/*.parquet")
            for path in sorted(paths, key=lambda path: (path.name, path.parent.name)):
                kind = path.parent.name if table == "bars" else None
                content = file_fingerprint(path)
                label = _label(path, landed)
                yield Batch(table, label, content, _loader(path, table), kind, increment=True)
        yield from (batch for batch in self.folder_batches if batch.table != "instruments")


def _loader(path: Path, table: str) -> Callable[[], pd.DataFrame]:
    return lambda: read_table(path, table)


def _label(path: Path, landed: Path) -> str:
    """Return the name of a landed file in the store."""
    return f"live/{path.relative_to(landed).as_posix()}"


def _safe(name: str) -> str:
    return UNSAFE_CHARACTERS.sub("_", name)


def _write_response(folder: Path, response: Response, note: dict | None = None) -> None:
    """Write the tables of a response, and a note, into a folder that appears when complete."""
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        for table, rows in response.items():
            rows.to_parquet(temporary / f"{table}.parquet", index=False)
        if note is not None:
            text = json.dumps(note, ensure_ascii=False, indent=1, default=str)
            (temporary / "note.json").write_text(text, encoding="utf-8")
