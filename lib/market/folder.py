"""Folder of CSV or Parquet files as a source: how a desk plugs in its own data."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from lib.market.errors import DataError
from lib.market.fingerprint import file_fingerprint
from lib.market.schema import KINDS, TABLES, Batch

SUFFIXES = (".parquet", ".csv")
#: columns that a file may leave out; they are stored as empty
OPTIONAL_COLUMNS = {
    "instruments": {"name_en", "group", "first_date", "last_date", "note"},
    "bars": {"open", "high", "low", "volume", "amount"},
    "minute_bars": {"open", "high", "low", "volume", "amount"},
    "valuation": {"pe_ttm", "pb"},
    "constituents": set(),
    "macro": {"consensus", "previous"},
}


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
        for table in ("bars", "minute_bars"):
            for path in sorted((self.path / table).glob("*")):
                if path.suffix not in SUFFIXES:
                    continue
                if path.stem not in KINDS:
                    near = difflib.get_close_matches(path.stem, KINDS, n=1)
                    remedy = f"name it after one of {', '.join(KINDS)}"
                    if near:
                        remedy = f"rename it to {near[0]}{path.suffix}"
                    message = f"{path.stem} is not a kind of instrument"
                    raise DataError(message, file=path, remedy=remedy)
                if path.suffix == ".csv" and path.with_suffix(".parquet").exists():
                    raise _duplicate(path)
                yield self._batch(table, path, kind=path.stem)
        for table in ("valuation", "constituents", "macro"):
            if found := self._find(table):
                yield self._batch(table, found)

    def _find(self, stem: str) -> Path | None:
        """Return the file of a table, None where there is none."""
        paths = [self.path / f"{stem}{suffix}" for suffix in SUFFIXES]
        paths = [path for path in paths if path.exists()]
        if len(paths) > 1:
            raise _duplicate(paths[1])
        return paths[0] if paths else None

    def _batch(self, table: str, path: Path, kind: str | None = None) -> Batch:
        label = path.relative_to(self.path).as_posix()
        return Batch(table, label, file_fingerprint(path), lambda: read_table(path, table), kind)


def _duplicate(path: Path) -> DataError:
    message = f"{path.stem} exists twice, as CSV and as Parquet"
    return DataError(message, file=path, remedy="keep the CSV or the Parquet file")


def _read(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, dtype=str, encoding="utf-8-sig")


def read_table(path: Path, table: str) -> pd.DataFrame:
    """Read one file into the columns and types of the schema.

    Returns
    -------
    DataFrame
        Exactly the columns of ``TABLES[table]``; numbers as float64, dates as datetime64[ns], text
        as str with empty cells as NaN. Empty dates stay NaT for validation.

    Raises
    ------
    DataError
        The file cannot be read, a column is missing or renamed, a cell has text instead of a number
        or an unreadable date.
    """
    try:
        rows = _read(path)
    except (ValueError, OSError, UnicodeError) as error:
        message = f"the file cannot be read: {str(error).splitlines()[0]}"
        raise DataError(message, file=path, remedy="export it again") from error
    rows.columns = [str(column).strip() for column in rows.columns]
    kinds = TABLES[table]
    for column in kinds:
        if column not in rows.columns:
            _check_missing(rows, table, column, path)
            rows[column] = pd.NA
    rows = rows[list(kinds)].reset_index(drop=True)
    for column, kind in kinds.items():
        if kind == "number":
            rows[column] = _numbers(rows, column, path)
        elif kind in ("date", "time"):
            rows[column] = _dates(rows, column, path, kind)
        else:
            rows[column] = _text(rows[column])
    return rows


def _check_missing(rows: pd.DataFrame, table: str, column: str, path: Path) -> None:
    unknown = [name for name in rows.columns if name not in TABLES[table]]
    near = difflib.get_close_matches(column, unknown, n=1, cutoff=0.5)
    if column in OPTIONAL_COLUMNS[table] and not near:
        return
    remedy = f"add it; the columns are {', '.join(TABLES[table])}"
    if near:
        remedy = f"rename {near[0]} to {column}"
    raise DataError(f"the column {column} is missing", file=path, remedy=remedy)


def _text(column: pd.Series) -> pd.Series:
    # a symbol is repeated on thousands of rows: strip each distinct text once
    codes, distinct = pd.factorize(column)
    stripped = pd.Series(distinct, dtype="str").str.strip()
    return pd.Series(stripped.reindex(codes).to_numpy(), index=column.index, dtype="str")


def _numbers(rows: pd.DataFrame, column: str, path: Path) -> pd.Series:
    """Return a column as float64; raise a DataError for text that is not a number."""
    if pd.api.types.is_numeric_dtype(rows[column]):
        return rows[column].astype("float64")
    values = pd.to_numeric(rows[column], errors="coerce").astype("float64")
    is_text = rows[column].notna() & (rows[column].astype(str).str.strip() != "")
    wrong = values.isna() & is_text
    if wrong.any():
        row = rows[wrong].iloc[0]
        dates = [name for name in ("date", "time", "as_of", "release_date") if name in row.index]
        raise DataError(
            f"{column} has {row[column]!r}, which is not a number ({int(wrong.sum())} such cells)",
            file=path,
            symbol=row.iloc[0],
            date=row[dates[0]] if dates else None,
            remedy="correct the cell, or leave it empty where there is no value",
        )
    return values


def _dates(rows: pd.DataFrame, column: str, path: Path, kind: str) -> pd.Series:
    """Return a column as datetime64[ns]; raise a DataError for text that is not a date."""
    dates = pd.to_datetime(rows[column], errors="coerce")
    if getattr(dates.dt, "tz", None) is not None:
        dates = dates.dt.tz_localize(None)
    wrong = dates.isna() & rows[column].notna()
    if wrong.any():
        row = rows[wrong].iloc[0]
        raise DataError(
            f"{column} has {row[column]!r}, which is not a date ({int(wrong.sum())} such cells)",
            file=path,
            symbol=row.iloc[0],
            remedy="write dates as 2025-06-13",
        )
    dates = dates.astype("datetime64[ns]")
    return dates.dt.normalize() if kind == "date" else dates
