"""The door: nothing enters the store unchecked, nothing is turned away silently."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import pandas as pd

from lib.market.calendar import Sessions
from lib.market.checks_bars import check_bars
from lib.market.errors import DataError
from lib.market.findings import Findings
from lib.market.schema import KEYS, KINDS, KNOWN_ON, Batch

REPAIRS = ["file", "symbol", "first_date", "last_date", "check", "detail"]


@dataclass(frozen=True)
class Context:
    """What the checks know beside the file.

    Attributes
    ----------
    sessions : Sessions
    instruments : DataFrame indexed by symbol, with ``kind`` and ``group``
    previous_counts : Series
        Rows the store holds per symbol, from earlier ingests.
    """

    sessions: Sessions
    instruments: pd.DataFrame
    previous_counts: pd.Series


@dataclass(frozen=True)
class Checked:
    """A file after the checks: ``rows`` to store, ``quarantined`` rows as JSON, ``findings`` and ``repairs``."""

    rows: pd.DataFrame
    quarantined: pd.DataFrame
    findings: pd.DataFrame
    repairs: pd.DataFrame


def check(batch: Batch, rows: pd.DataFrame, context: Context) -> Checked:
    """Check one file.

    Every verdict and every repair of a row rests on rows dated up to it, so a report as of a date does not change when
    later rows do.

    Raises
    ------
    DataError
        An instrument of an unknown kind, or listed twice: nothing can be read against such a list.
    """
    findings = Findings(batch.table, batch.file)
    if batch.table == "instruments":
        return _checked(_instruments(batch, rows, findings), findings)
    rows = _known(batch, rows, context, findings)
    rows = _dated(batch, rows, findings)
    rows = _unique(batch, rows, findings)
    if batch.table in ("bars", "minute_bars"):
        rows = check_bars(batch, rows, context.sessions, context.instruments, findings)
    else:
        rows = {"valuation": _valuation, "constituents": _constituents, "macro": _macro}[batch.table](rows, findings)
    _fallen_counts(batch, rows, context, findings)
    return _checked(rows, findings)


def _checked(rows: pd.DataFrame, findings: Findings) -> Checked:
    found = findings.table_of_findings()
    repairs = found.loc[found["level"] == "repair", REPAIRS]
    return Checked(rows.reset_index(drop=True), findings.table_of_rows_aside(), found, repairs)


def _instruments(batch: Batch, rows: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    unknown = rows[~rows["kind"].isin(KINDS)]
    if len(unknown):
        row = unknown.iloc[0]
        near = difflib.get_close_matches(str(row["kind"]), KINDS, n=1)
        raise DataError(
            f"{row['kind']} is not a kind of instrument",
            file=batch.file,
            symbol=row["symbol"],
            remedy=f"did you mean {near[0]}?" if near else f"use one of {', '.join(KINDS)}",
        )
    twice = rows.loc[rows["symbol"].duplicated(), "symbol"]
    if len(twice):
        raise DataError("an instrument is listed twice", file=batch.file, symbol=twice.iloc[0], remedy="keep one row")
    nameless = rows["symbol"].isna() | rows["name"].isna()
    findings.rows("refuse", "no name", rows[nameless], "symbol or name is empty", "fill both", date="none")
    return rows[~nameless]


def _known(batch: Batch, rows: pd.DataFrame, context: Context, findings: Findings) -> pd.DataFrame:
    """Refuse rows of symbols that are not listed, or listed as another kind."""
    if batch.table in ("macro", "constituents"):
        return rows
    date = KNOWN_ON[batch.table]
    listed = rows["symbol"].isin(context.instruments.index)
    findings.rows(
        "refuse", "unknown symbol", rows[~listed], "not in instruments", "add it to the instruments file", date
    )
    rows = rows[listed]
    if batch.kind is None:
        return rows
    kinds = rows["symbol"].map(context.instruments["kind"])
    other = kinds != batch.kind
    findings.rows(
        "refuse", "wrong kind", rows[other], f"listed as another kind than {batch.kind}", "move it to its file", date
    )
    return rows[~other]


def _dated(batch: Batch, rows: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """Set aside rows that do not say when they were known."""
    date = KNOWN_ON[batch.table]
    undated = rows[date].isna()
    findings.rows(
        "quarantine",
        "no date",
        rows[undated],
        f"{date} is empty: it cannot be said when this was known",
        f"fill {date}",
        date="none",
    )
    return rows[~undated]


def _unique(batch: Batch, rows: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """Drop rows that are there twice; set aside those that contradict each other."""
    keys, date = list(KEYS[batch.table]), KNOWN_ON[batch.table]
    again = rows.duplicated(keys, keep=False)
    if not again.any():
        return rows
    same = rows.duplicated(keep="first")
    findings.rows("warn", "duplicate row", rows[same], "the same row stands twice; one was kept", "export once", date)
    rows = rows[~same]
    conflict = rows.duplicated(keys, keep=False)
    findings.rows(
        "quarantine", "conflicting rows", rows[conflict], "rows of one date contradict each other", "keep one", date
    )
    return rows[~conflict]


def _valuation(rows: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    empty = rows[["pe_ttm", "pb"]].isna().all(axis=1)
    findings.rows("quarantine", "empty valuation", rows[empty], "neither PE nor PB", "leave the row out")
    rows = rows[~empty].copy()
    for column in ("pe_ttm", "pb"):
        # a loss gives a negative PE; a ratio of exactly zero is a missing value in disguise
        zero = rows[column] == 0
        findings.rows("repair", "zero valuation", rows[zero], f"{column} of 0 stored as missing", "leave it empty")
        rows.loc[zero, column] = float("nan")
    negative = rows["pb"] < 0
    findings.rows("warn", "negative book value", rows[negative], "PB below zero", "compare with another source")
    return rows


def _constituents(rows: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    bad = rows["weight"].isna() | (rows["weight"] < 0)
    findings.rows("quarantine", "bad weight", rows[bad], "weight missing or negative", "correct it", "as_of")
    rows = rows[~bad]
    totals = rows.groupby(["index_symbol", "as_of"], as_index=False)["weight"].sum()
    off = totals[(totals["weight"] - 100).abs() > 5]
    for total in off.itertuples():
        hint = "weights are percent, these look like fractions" if abs(total.weight - 1) < 0.05 else "complete the list"
        findings.one(
            "warn",
            "weights do not sum to 100",
            f"they sum to {total.weight:.2f}",
            hint,
            total.index_symbol,
            total.as_of,
            total.as_of,
            1,
        )
    return rows


def _macro(rows: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    early = rows["release_date"] < rows["period"]
    findings.rows(
        "quarantine", "released early", rows[early], "released before its period began", "correct it", "release_date"
    )
    return rows[~early]


def _fallen_counts(batch: Batch, rows: pd.DataFrame, context: Context, findings: Findings) -> None:
    counts = rows[KEYS[batch.table][0]].value_counts()
    previous = context.previous_counts.reindex(counts.index)
    for symbol in counts.index[counts < 0.98 * previous]:
        findings.one(
            "warn",
            "fewer rows than before",
            f"{counts[symbol]} rows, the last ingest had {int(previous[symbol])}; those stored stay",
            "check whether the export was cut short",
            symbol,
            count=int(previous[symbol] - counts[symbol]),
        )
