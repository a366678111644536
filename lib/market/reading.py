"""Reading of one file of a data folder, CSV or Parquet, into the columns and types of its table.

What can be read in one way only is read; what could mean two things is refused with a remedy.
"""

from __future__ import annotations

import difflib
import gzip
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from lib.market.errors import DataError
from lib.market.schema import TABLES, XSHG_KINDS

#: endings of files that are read, in lower or upper case
SUFFIXES = (".parquet", ".csv", ".csv.gz")
#: columns that a file may leave out; they are stored as empty
OPTIONAL_COLUMNS = {
    "instruments": {"name_en", "group", "first_date", "last_date", "note"},
    "bars": {"open", "high", "low", "volume", "amount"},
    "minute_bars": {"open", "high", "low", "volume", "amount"},
    "valuation": {"pe_ttm", "pb"},
    "constituents": set(),
    "macro": {"consensus", "previous"},
}
#: dates that can be read in one way only: 2025-06-13, 2025/6/13, 20250613, 2025年6月13日
DATE_FORMATS = (
    r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})",
    r"(?P<year>\d{4})/(?P<month>\d{1,2})/(?P<day>\d{1,2})",
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})",
    r"(?P<year>\d{4})年(?P<month>\d{1,2})月(?P<day>\d{1,2})日",
)
TIME_OF_DAY = r"(?:[T ](?P<time>\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?"
ZONE = r"\s*(?P<zone>Z|UTC|[+-]\d{2}:?\d{2})?"
EXCHANGE_ZONE = "Asia/Shanghai"
WRITE_DATES = "write dates as 2025-06-13, the local date of the exchange"


def suffix_of(path: Path) -> str:
    """Return the ending of a file in lower case if it is one that is read, else an empty text."""
    name = path.name.lower()
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


def stem_of(path: Path) -> str:
    """Return the name of a file without its ending."""
    return path.name[: len(path.name) - len(suffix_of(path))]


def read_table(path: Path, table: str, kind: str | None = None) -> pd.DataFrame:
    """Read one file into the columns and types of the schema.

    Parameters
    ----------
    path : Path
        A CSV or Parquet file.
    table : str
        A key of ``TABLES``.
    kind : str, optional
        The instruments' kind, for bars; it says which exchange a stamp with a time zone is of.

    Returns
    -------
    DataFrame
        Exactly the columns of ``TABLES[table]``; numbers as float64, dates as datetime64[ns], text
        as str with empty cells as NaN. Empty dates stay NaT for validation.

    Raises
    ------
    DataError
        The file cannot be read or is cut, a column is missing, doubled or renamed, a cell has text
        or a truth value instead of a number, or a date that could mean two days.
    """
    try:
        rows = _read(path)
    except (ValueError, OSError, UnicodeError, EOFError) as error:
        message = f"the file cannot be read: {str(error).splitlines()[0]}"
        raise DataError(message, file=path, remedy="export it again") from error
    rows.columns = [str(column).strip() for column in rows.columns]
    _check_doubled(list(rows.columns), path)
    columns = TABLES[table]
    for column in columns:
        if column not in rows.columns:
            _check_missing(rows, table, column, path)
            rows[column] = pd.NA
    rows = rows[list(columns)].reset_index(drop=True)
    for column, column_type in columns.items():
        if column_type == "number":
            rows[column] = _numbers(rows, column, path)
        elif column_type in ("date", "time"):
            rows[column] = _dates(rows, column, path, column_type, kind)
        else:
            rows[column] = _text(rows[column])
    return rows


def _read(path: Path) -> pd.DataFrame:
    """Return the raw rows of a file; those of a CSV as text."""
    if suffix_of(path) == ".parquet":
        return pd.read_parquet(path)
    content = path.read_bytes()
    if suffix_of(path) == ".csv.gz":
        content = gzip.decompress(content)
    if not content.strip():
        raise DataError("the file is empty", file=path, remedy="export it again, or remove it")
    header = content.decode("utf-8-sig", errors="replace").partition("\n")[0]
    _check_doubled([name.strip().strip('"') for name in header.rstrip("\r").split(",")], path)
    _check_complete(content, path)
    return pd.read_csv(path, dtype=str, encoding="utf-8-sig", compression="infer")


def _check_complete(content: bytes, path: Path) -> None:
    """Raise a DataError for a CSV that ends within a line or has lines of another length."""
    if not content.endswith((b"\n", b"\r")):
        message = "the last line does not end with a line break: the file may be cut"
        remedy = "export it again; a complete file ends with a line break"
        raise DataError(message, file=path, remedy=remedy)
    if b'"' in content:
        return  # commas inside quotes: the parser counts
    raw = np.frombuffer(content, dtype=np.uint8)
    ends = np.flatnonzero(raw == ord("\n"))
    commas = np.searchsorted(np.flatnonzero(raw == ord(",")), ends)
    per_line = np.diff(commas, prepend=0)
    lengths = np.diff(ends, prepend=-1)
    other = np.flatnonzero((per_line != per_line[0]) & (lengths > 2))
    if len(other):
        line = int(other[0])
        message = f"line {line + 1} has {per_line[line] + 1} cells, the header {per_line[0] + 1}"
        raise DataError(message, file=path, remedy="export it again, with every cell of every row")


def _check_doubled(names: list[str], path: Path) -> None:
    """Raise a DataError where a column is there twice: which one is meant cannot be known."""
    doubled = [name for name in names if name and names.count(name) > 1]
    if doubled:
        message = f"the column {doubled[0]} is there {names.count(doubled[0])} times"
        raise DataError(message, file=path, remedy="keep one of them")


def _check_missing(rows: pd.DataFrame, table: str, column: str, path: Path) -> None:
    """Raise a DataError where a column that is needed, or one spelt differently, is missing."""
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
    """Return a column as float64; raise a DataError for text or truth values."""
    cells = rows[column]
    if pd.api.types.is_bool_dtype(cells):
        message = f"{column} has truth values, not numbers"
        raise DataError(message, file=path, symbol=rows.iloc[0, 0], remedy="export the numbers")
    if pd.api.types.is_numeric_dtype(cells):
        return cells.astype("float64")
    truth = cells.map(lambda cell: isinstance(cell, bool | np.bool_))
    values = pd.to_numeric(cells.mask(truth), errors="coerce").astype("float64")
    is_text = cells.notna() & (cells.astype(str).str.strip() != "")
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


def _dates(
    rows: pd.DataFrame, column: str, path: Path, column_type: str, kind: str | None
) -> pd.Series:
    """Return a column as datetime64[ns], in exchange local time.

    Each distinct cell is read once. Raises a DataError for a cell that is not a date, that could
    mean two days, or whose time of day or time zone does not show the exchange's day.
    """
    codes, distinct = pd.factorize(rows[column])
    cells = pd.Series(distinct)
    parsed, reason = _parse_stamps(cells, column_type, kind)
    if reason.notna().any():
        position = int(np.flatnonzero(reason.notna())[0])
        rows_of_cell = np.flatnonzero(codes == position)
        bad = int(np.isin(codes, np.flatnonzero(reason.notna())).sum())
        raise DataError(
            f"{column} has {_shown(cells[position])}, {reason[position]} ({bad} such cells)",
            file=path,
            symbol=rows.iloc[rows_of_cell[0], 0],
            remedy=WRITE_DATES,
        )
    values = np.append(parsed.to_numpy(dtype="datetime64[ns]"), np.datetime64("NaT", "ns"))
    return pd.Series(values[codes], index=rows.index)


def _shown(cell: object) -> str:
    return repr(str(cell)) if isinstance(cell, date | pd.Timestamp) else repr(cell)


def _parse_stamps(
    cells: pd.Series, column_type: str, kind: str | None
) -> tuple[pd.Series, pd.Series]:
    """Return the stamp of each distinct cell and why it cannot be read, NaN where it can."""
    texts = pd.Series([_as_text(cell) for cell in cells], index=cells.index, dtype="object")
    parts = pd.DataFrame(index=cells.index, columns=["year", "month", "day", "time", "zone"])
    for pattern in DATE_FORMATS:
        found = texts.str.extract(rf"^\s*{pattern}{TIME_OF_DAY}{ZONE}\s*$")
        parts = parts.where(parts["year"].notna(), found)
    reason = pd.Series(np.nan, index=cells.index, dtype="object")
    unread = parts["year"].isna()
    day_number = texts.str.fullmatch(r"\d{5}(\.0)?").fillna(False).astype(bool)
    two_ways = texts.str.fullmatch(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}.*").fillna(False).astype(bool)
    reason[unread] = "which is not a date"
    reason[unread & day_number] = "a day number of a spreadsheet, not a date"
    reason[unread & two_ways] = "which could be two days"
    iso = parts["year"] + "-" + parts["month"] + "-" + parts["day"]
    iso = iso + " " + parts["time"].fillna("00:00")
    stamps = pd.to_datetime(iso, errors="coerce", format="%Y-%m-%d %H:%M")
    stamps = stamps.fillna(pd.to_datetime(iso, errors="coerce", format="ISO8601"))
    # nanoseconds since 1970 end in 2262
    stamps = stamps.where(parts["year"].astype(float).between(1700, 2200))
    reason[~unread & stamps.isna()] = "which is not a day of the calendar, or is out of range"
    zoned = parts["zone"].notna() & stamps.notna()
    if zoned.any():
        if kind in XSHG_KINDS:
            local = pd.to_datetime(
                stamps[zoned].astype(str) + parts.loc[zoned, "zone"].replace("UTC", "Z"), utc=True
            ).dt.tz_convert(EXCHANGE_ZONE)
            stamps[zoned] = local.dt.tz_localize(None)
        else:
            reason[zoned] = "whose time zone does not show the exchange's day"
    if column_type == "date":
        timed = stamps.notna() & (stamps != stamps.dt.normalize()) & reason.isna()
        at_close = zoned & (kind in XSHG_KINDS)
        reason[timed & ~at_close] = "a time of day that does not show the exchange's day"
        stamps = stamps.dt.normalize()
    return stamps, reason


def _as_text(cell: object) -> object:
    """Return a cell of a date column as text; numbers without decimals as their digits."""
    if cell is None or cell is pd.NaT:
        return np.nan
    if isinstance(cell, datetime | pd.Timestamp):
        return cell.isoformat(sep=" ")
    if isinstance(cell, float | np.floating):
        return str(int(cell)) if float(cell).is_integer() else str(cell)
    return str(cell)
