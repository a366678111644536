"""Where answers lie before and after they are taken.

``pending/<day>/`` holds what this update has fetched so far: a run that was stopped goes on from it. ``landed/`` holds
Parquet files by update, table and kind, all of an update put there at its end and never changed afterwards; the live
store can be made anew from them.
``quarantine/<day>/`` holds what was refused, with the reason beside it. ``raw/<day>/`` holds the answers as they came.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import pandas as pd

from lib.market.fingerprint import file_fingerprint
from lib.market.folder import FolderSource, read_table
from lib.market.schema import Batch

SAFE = re.compile(r"[^\w.-]+")


class Landing:
    """The folder of the live store's files.

    Parameters
    ----------
    home : Path
    day : Timestamp
        The day up to which the update reaches.
    """

    def __init__(self, home: Path, day: pd.Timestamp):
        self.home, self.day = Path(home), day
        self.pending = self.home / "pending" / f"{day:%Y-%m-%d}"
        self.quarantine = self.home / "quarantine" / f"{day:%Y-%m-%d}"
        self.new = self.pending / "new"

    def keep(self, stage: str, symbols: tuple[str, ...], answer: dict[str, pd.DataFrame]) -> None:
        """Append one answer to those that a stage has from a provider."""
        self.pending.mkdir(parents=True, exist_ok=True)
        with open(self.pending / f"{_safe(stage)}.pickle", "ab") as file:
            file.write(pickle.dumps((symbols, answer)))

    def kept(self, stage: str) -> dict[tuple[str, ...], dict[str, pd.DataFrame]]:
        """Return the answers that a stage has from a provider; one that a kill cut short is not there."""
        path, answers = self.pending / f"{_safe(stage)}.pickle", {}
        if path.exists():
            with open(path, "rb") as file, suppress(EOFError, pickle.UnpicklingError):
                while True:
                    symbols, answer = pickle.load(file)
                    answers[symbols] = answer
        return answers

    def refuse(self, name: str, answer: dict[str, pd.DataFrame], note: dict) -> None:
        """Set an answer aside, whole, with the reasons."""
        folder = self.quarantine / _safe(f"{name}-{note['provider']}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for table, rows in answer.items():
            rows.to_parquet(folder / f"{table}.parquet", index=False)
        _write(folder / "note.json", note)

    def begin(self) -> None:
        """Forget the new rows of an update that was stopped: its answers are kept, and judged again together."""
        shutil.rmtree(self.new, ignore_errors=True)

    def keep_new(self, table: str, kind: str, rows: pd.DataFrame) -> None:
        """Write new rows of this update aside, in ``new/<table>/<kind>/``."""
        folder = self.new / table / kind
        folder.mkdir(parents=True, exist_ok=True)
        rows.to_parquet(folder / f"{1 + len(list(folder.iterdir())):02d}.parquet", index=False)

    def land(self) -> list[Path]:
        """Put the new rows of this update where they stay; a file's name carries the update's day and a number."""
        landed = []
        for path in sorted(self.new.glob("*/*/*.parquet")):
            folder = self.home / "landed" / path.parent.relative_to(self.new)
            folder.mkdir(parents=True, exist_ok=True)
            number = 1 + len(list(folder.glob(f"{self.day:%Y-%m-%d}-*.parquet")))
            landed.append(folder / f"{self.day:%Y-%m-%d}-{number:02d}.parquet")
            os.replace(path, landed[-1])
        return landed

    def waiting(self, stored: set[str]) -> list[Path]:
        """Return the landed files that are not among the labels of those stored."""
        landed = self.home / "landed"
        return [path for path in sorted(landed.glob("*/*/*.parquet")) if _label(path, landed) not in stored]

    def withdraw(self, path: Path) -> None:
        """Move a landed file that the store refused to the quarantine."""
        self.quarantine.mkdir(parents=True, exist_ok=True)
        os.replace(path, self.quarantine / f"{path.parent.parent.name}-{path.parent.name}-{path.name}")

    def done(self) -> None:
        """Forget the pending answers of this and of earlier updates: they have landed, or are out of date."""
        for folder in (self.home / "pending").glob("*"):
            if folder.name <= f"{self.day:%Y-%m-%d}":
                shutil.rmtree(folder)


class LiveSource:
    """What has landed, as a source for the store.

    Parameters
    ----------
    home : Path
    folder : str
        A further data folder whose files go into the store too; empty for none.
    """

    name = "live"
    synthetic = False

    def __init__(self, home: Path, folder: str = ""):
        self.label = {"en": "public data providers (live store)", "zh": "公开数据源(实时库)"}
        self.home, self.folder = Path(home), folder

    @cached_property
    def extra(self) -> list[Batch]:
        """Return the batches of the further folder."""
        return list(FolderSource(self.folder).batches()) if self.folder else []

    def batches(self) -> Iterator[Batch]:
        """Yield one batch per landed file, instruments first, oldest first."""
        landed = self.home / "landed"
        instruments = self.home / "instruments.csv"
        yield Batch("instruments", "live/instruments.csv", file_fingerprint(instruments), _reader(instruments))
        yield from (batch for batch in self.extra if batch.table == "instruments")
        for table in ("bars", "valuation", "constituents", "macro"):
            for path in sorted(landed.glob(f"{table}/*/*.parquet"), key=lambda path: (path.name, path.parent.name)):
                kind = path.parent.name if table == "bars" else None
                content, read = file_fingerprint(path), _reader(path, table)
                yield Batch(table, _label(path, landed), content, read, kind, increment=True)
        yield from (batch for batch in self.extra if batch.table != "instruments")


def _reader(path: Path, table: str = "instruments"):
    return lambda: read_table(path, table)


def _label(path: Path, landed: Path) -> str:
    """Return what the store calls a landed file."""
    return f"live/{path.relative_to(landed).as_posix()}"


def _safe(name: str) -> str:
    return SAFE.sub("_", name)


def _write(path: Path, note: dict) -> None:
    aside = path.with_suffix(".building")
    aside.write_text(json.dumps(note, ensure_ascii=False, indent=1, default=str), encoding="utf-8")
    os.replace(aside, path)
