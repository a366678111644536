"""The door of the store: every row is checked before it is taken, and what is wrong with it is written down.

Four levels: *refuse* (a symbol or a file is not taken), *quarantine* (rows are set aside and kept), *warn* (stored and
flagged), *repair* (stored changed, and recorded). A verdict or a repair of a row rests on rows up to its date alone, so
that a run as of a date does not change when later rows do.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from lib.market.calendar import Sessions
from lib.market.checks.bars import check_bars
from lib.market.checks.counts import check_counts
from lib.market.checks.ledger import Ledger
from lib.market.checks.tables import check_constituents, check_instruments, check_macro, check_valuation
from lib.market.errors import DataError
from lib.market.schema import KEYS, TABLES, Batch


@dataclass(frozen=True)
class Context:
    """What the door knows besides the file.

    Attributes
    ----------
    sessions : Sessions
        Of the Shanghai exchange.
    instruments : DataFrame
        Indexed by symbol, with ``kind`` and ``group``: the instruments already taken.
    previous_counts : Series
        Rows per symbol of this table in the store before this ingest; empty on the first.
    """

    sessions: Sessions
    instruments: pd.DataFrame
    previous_counts: pd.Series


@dataclass(frozen=True)
class Checked:
    """A batch after the door.

    Attributes
    ----------
    rows : DataFrame
        What the store takes: columns of the table, unique keys.
    quarantined : DataFrame
        Rows set aside: file, table_name, symbol, date, check, content (JSON).
    findings : DataFrame
        One line per row or event: level, check, table_name, file, symbol, first_date, last_date, row_count, detail,
        remedy.
    repairs : DataFrame
        The repairs by symbol: file, symbol, first_date, last_date, check, detail.
    """

    rows: pd.DataFrame
    quarantined: pd.DataFrame
    findings: pd.DataFrame
    repairs: pd.DataFrame


def check(batch: Batch, frame: pd.DataFrame, context: Context) -> Checked:
    """Check one batch.

    Parameters
    ----------
    batch : Batch
    frame : DataFrame
        What ``batch.load()`` returned.
    context : Context

    Raises
    ------
    DataError
        The frame lacks a column of the schema, has one of a wrong type, or has no rows.
    """
    _check_types(batch, frame)
    ledger = Ledger(batch, frame[list(TABLES[batch.table])])
    _check_keys(ledger)
    match batch.table:
        case "instruments":
            check_instruments(ledger)
        case "bars" | "minute_bars":
            check_bars(ledger, context.sessions, context.instruments)
        case "valuation":
            check_valuation(ledger, context.instruments)
        case "constituents":
            check_constituents(ledger)
        case "macro":
            check_macro(ledger)
    if not batch.increment:
        check_counts(ledger, context.previous_counts)
    return Checked(ledger.rows, ledger.quarantined(), ledger.findings(), ledger.repairs())


def _check_types(batch: Batch, frame: pd.DataFrame) -> None:
    letters = {"number": "f", "date": "M", "time": "M"}
    for column, kind in TABLES[batch.table].items():
        if column not in frame.columns:
            raise DataError(
                f"the column {column} is missing", file=batch.file, remedy="deliver every column of the table"
            )
        expected = letters.get(kind)
        if expected and frame[column].dtype.kind != expected:
            raise DataError(
                f"the column {column} has the type {frame[column].dtype}, not {kind}",
                file=batch.file,
                remedy="deliver numbers as float64 and dates as datetime64",
            )
    if not len(frame):
        raise DataError("the file has no rows", file=batch.file, remedy="export it again, or remove it from the folder")


def _check_keys(ledger: Ledger) -> None:
    """Set aside rows without a key, and rows that share one."""
    keys = list(KEYS[ledger.batch.table])
    ledger.quarantine(
        ledger.rows[keys].isna().any(axis=1),
        "key missing",
        f"one of {', '.join(keys)} is empty",
        "complete the row; a row without a date cannot be read point in time",
    )
    doubled = ledger.rows.duplicated(keys, keep=False).to_numpy()
    if not doubled.any():
        return
    again = ledger.rows[doubled].duplicated(keep="first")
    mask = doubled.copy()
    mask[doubled] = again.to_numpy()
    ledger.repair(mask, "duplicate row", "an identical row came before; one is kept", "export each row once")
    ledger.rows = ledger.rows[~mask].reset_index(drop=True)
    ledger.quarantine(
        ledger.rows.duplicated(keys, keep=False),
        "conflicting rows",
        "rows with the same key hold different values",
        "keep the right one",
    )
