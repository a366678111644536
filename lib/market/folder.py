"""Folder of CSV or Parquet files as a source: how a desk plugs in its own data."""

from __future__ import annotations

import difflib
import glob
from collections.abc import Iterator
from pathlib import Path

from lib.market.errors import DataError
from lib.market.fingerprint import file_fingerprint
from lib.market.reading import SUFFIXES, read_table, stem_of, suffix_of
from lib.market.schema import KINDS, TABLES, Batch

#: folders with one file per kind, and tables with one file each
BARS = ("bars", "minute_bars")
SINGLE = ("valuation", "constituents", "macro")


class FolderSource:
    """Source for a folder with the layout of the README.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    DataError
        The folder or its ``instruments`` file is missing, or a file in ``bars`` is not named after
        a kind.
    """

    name = "folder"
    synthetic = False

    def __init__(self, path: str | Path):
        self.path = Path(path).expanduser()
        if not self.path.is_dir():
            raise DataError(
                "the data folder does not exist",
                file=self.path,
                remedy="pass an existing folder, or DATA=sample for the synthetic market",
            )
        folder = self.path.resolve().name
        self.label = {"en": f"data folder “{folder}”", "zh": f"数据目录“{folder}”"}

    def batches(self) -> Iterator[Batch]:
        """Yield one batch per file, instruments first."""
        instruments = self._find("instruments")
        if instruments is None:
            raise DataError(
                "the data folder has no instruments.csv",
                file=self.path,
                remedy=f"add instruments.csv with the columns {', '.join(TABLES['instruments'])}",
            )
        yield self._batch("instruments", instruments)
        for table in BARS:
            for path in sorted((self.path / table).glob("*")):
                if suffix_of(path):
                    _check_kind(path)
                    yield self._batch(table, self._only(path), kind=stem_of(path))
        for table in SINGLE:
            single = self._find(table)
            if single is not None:
                yield self._batch(table, single)

    def unread(self) -> dict[str, str]:
        """Return the files of the folder that are not read, with what to do about each."""
        known = {batch.file for batch in self.batches()}
        files = [path for path in self.path.glob("*") if path.is_file()]
        files += [path for table in BARS for path in (self.path / table).glob("*")]
        names = {path.relative_to(self.path).as_posix(): path for path in sorted(files)}
        return {
            name: _remedy(path)
            for name, path in names.items()
            if name not in known and not path.name.startswith((".", "README"))
        }

    def _find(self, stem: str) -> Path | None:
        """Return the file of a table, None where there is none."""
        paths = [path for path in sorted(self.path.glob("*")) if suffix_of(path)]
        paths = [path for path in paths if stem_of(path) == stem]
        return self._only(paths[0]) if paths else None

    def _only(self, path: Path) -> Path:
        """Return the path of a file; raise a DataError where it is not one or exists twice."""
        if path.is_symlink() and not path.exists():
            message = "the link leads to a file that does not exist"
            raise DataError(message, file=path, remedy="bring the file, or remove the link")
        if not path.is_file():
            message = "this is a folder, not a file"
            raise DataError(message, file=path, remedy="put one CSV or Parquet file in its place")
        twins = [
            other
            for other in sorted(path.parent.glob(f"{glob.escape(stem_of(path))}.*"))
            if suffix_of(other) and stem_of(other) == stem_of(path)
        ]
        if len(twins) > 1:
            names = " and ".join(other.name for other in twins)
            message = f"{stem_of(path)} exists twice, as {names}"
            raise DataError(message, file=path, remedy="keep one of them")
        return path

    def _batch(self, table: str, path: Path, kind: str | None = None) -> Batch:
        label = path.relative_to(self.path).as_posix()
        content = file_fingerprint(path)
        return Batch(table, label, content, lambda: read_table(path, table, kind), kind)


def _check_kind(path: Path) -> None:
    """Raise a DataError for a file of bars that is not named after a kind."""
    stem = stem_of(path)
    if stem in KINDS:
        return
    near = difflib.get_close_matches(stem, KINDS, n=1)
    remedy = f"name it after one of {', '.join(KINDS)}"
    if near:
        remedy = f"rename it to {near[0]}{suffix_of(path)}"
    raise DataError(f"{stem} is not a kind of instrument", file=path, remedy=remedy)


def _remedy(path: Path) -> str:
    """Return how a file that is not read has to be named or saved to be read."""
    if not suffix_of(path):
        return f"save it as CSV or Parquet: the endings {', '.join(SUFFIXES)} are read"
    if stem_of(path) in KINDS:
        return f"move it to bars/{path.name}"
    near = difflib.get_close_matches(stem_of(path), SINGLE, n=1)
    if near:
        return f"rename it to {near[0]}{suffix_of(path)}"
    return "remove it, or put its rows into the file of their table"
