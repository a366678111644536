"""Validation of every row before it is stored, with a finding for everything that is wrong.

Four levels: *refuse* (a symbol or a file is not accepted), *quarantine* (rows are set aside and
kept), *warn* (stored and flagged), *repair* (stored changed, and recorded). A finding or a repair
of a row depends only on rows up to its date, so that a run as of a date does not change when later
rows do.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from lib.market.calendar import Sessions
from lib.market.checks.bars import check_bars
from lib.market.checks.counts import check_counts
from lib.market.checks.findings import FindingsLog
from lib.market.checks.tables import (
    check_constituents,
    check_instruments,
    check_macro,
    check_valuation,
)
from lib.market.errors import DataError
from lib.market.schema import KEYS, TABLES, Batch


@dataclass(frozen=True)
class ValidationContext:
    """What validation needs in addition to the file.

    Attributes
    ----------
    sessions : Sessions
        Of the Shanghai exchange.
    instruments : DataFrame
        Indexed by symbol, with ``kind`` and ``group``: the instruments already stored.
    previous_counts : Series
        Rows per symbol of this table in the store before this ingest; empty on the first.
    """

    sessions: Sessions
    instruments: pd.DataFrame
    previous_counts: pd.Series


@dataclass(frozen=True)
class ValidationResult:
    """A batch after validation.

    Attributes
    ----------
    rows : DataFrame
        The rows to be stored: columns of the table, unique keys.
    quarantined : DataFrame
        Rows set aside: file, table_name, symbol, date, check, content (JSON).
    findings : DataFrame
        One line per row or event: level, check, table_name, file, symbol, first_date, last_date,
        row_count, detail, remedy.
    repairs : DataFrame
        The repairs by symbol: file, symbol, first_date, last_date, check, detail.
    """

    rows: pd.DataFrame
    quarantined: pd.DataFrame
    findings: pd.DataFrame
    repairs: pd.DataFrame


def validate_batch(
    batch: Batch, frame: pd.DataFrame, context: ValidationContext
) -> ValidationResult:
    """Validate one batch.

    Parameters
    ----------
    batch : Batch
        Table, kind and file of the rows.
    frame : DataFrame
        The rows that ``batch.load()`` returned, with the columns of the table.
    context : ValidationContext
        Instruments, sessions and stored rows.

    Returns
    -------
    ValidationResult

    Raises
    ------
    DataError
        The frame lacks a column of the schema, has one of a wrong type, or has no rows.
    """
    _check_types(batch, frame)
    log = FindingsLog(batch, frame[list(TABLES[batch.table])])
    _check_keys(log)
    match batch.table:
        case "instruments":
            check_instruments(log)
        case "bars" | "minute_bars":
            check_bars(log, context.sessions, context.instruments)
        case "valuation":
            check_valuation(log, context.instruments)
        case "constituents":
            check_constituents(log)
        case "macro":
            check_macro(log)
    if not batch.increment:
        check_counts(log, context.previous_counts)
    return ValidationResult(log.rows, log.quarantined(), log.findings(), log.repairs())


def _check_types(batch: Batch, frame: pd.DataFrame) -> None:
    """Raise a DataError where the frame does not have the columns and types of its table."""
    dtype_kinds = {"number": "f", "date": "M", "time": "M"}
    for column, kind in TABLES[batch.table].items():
        if column not in frame.columns:
            raise DataError(
                f"the column {column} is missing",
                file=batch.file,
                remedy="deliver every column of the table",
            )
        expected = dtype_kinds.get(kind)
        if expected and frame[column].dtype.kind != expected:
            raise DataError(
                f"the column {column} has the type {frame[column].dtype}, not {kind}",
                file=batch.file,
                remedy="deliver numbers as float64 and dates as datetime64",
            )
    if not len(frame):
        raise DataError(
            "the file has no rows",
            file=batch.file,
            remedy="export it again, or remove it from the folder",
        )


def _check_keys(log: FindingsLog) -> None:
    """Quarantine rows without a key or with a conflicting one; drop identical duplicates."""
    keys = list(KEYS[log.batch.table])
    log.quarantine(
        log.rows[keys].isna().any(axis=1),
        "key missing",
        f"one of {', '.join(keys)} is empty",
        "complete the row; a row without a date cannot be read point in time",
    )
    duplicated = log.rows.duplicated(keys, keep=False).to_numpy()
    if not duplicated.any():
        return
    identical = duplicated.copy()
    identical[duplicated] = log.rows[duplicated].duplicated(keep="first").to_numpy()
    detail = "an identical row precedes it; one is kept"
    log.repair(identical, "duplicate row", detail, "export each row once")
    log.rows = log.rows[~identical].reset_index(drop=True)
    log.quarantine(
        log.rows.duplicated(keys, keep=False),
        "conflicting rows",
        "rows with the same key have different values",
        "keep the right one",
    )
