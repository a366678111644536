"""Log of the findings on one file: which rows were refused, quarantined, flagged or repaired."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from lib.market.schema import KEYS, KNOWN_ON, Batch

LEVELS = ("refuse", "quarantine", "warn", "repair")
FINDING_COLUMNS = (
    "level",
    "check",
    "table_name",
    "file",
    "symbol",
    "first_date",
    "last_date",
    "row_count",
    "detail",
    "remedy",
)


class FindingsLog:
    """Collects findings on the rows of one batch and removes the rows that are not stored.

    One finding describes one row, or one event on one date. Findings are not aggregated over dates,
    because a run as of an earlier date must be able to leave out the later ones.

    Parameters
    ----------
    batch : Batch
    rows : DataFrame
        Columns of the batch's table; the log works on a copy with a fresh index.

    Attributes
    ----------
    rows : DataFrame
        The rows that are still to be stored.
    """

    def __init__(self, batch: Batch, rows: pd.DataFrame):
        self.batch = batch
        self.rows = rows.reset_index(drop=True)
        self.symbol_column = KEYS[batch.table][0]
        self.date_column = KNOWN_ON.get(batch.table)
        self._findings: list[pd.DataFrame] = []
        self._quarantined: list[pd.DataFrame] = []

    def days(self) -> pd.Series:
        """Return the day each row becomes known; NaT for timeless rows."""
        if self.date_column is None:
            return pd.Series(pd.NaT, index=self.rows.index, dtype="datetime64[ns]")
        return self.rows[self.date_column].dt.normalize()

    def refuse(self, mask, check: str, detail, remedy: str) -> None:
        """Leave rows out because their symbol or file cannot be accepted.

        Parameters
        ----------
        mask : bool array, (T,)
            The rows concerned, aligned with ``rows``.
        check : str
            Name of the check.
        detail : str or list of str
            What is wrong; a list has one entry per row in the mask.
        remedy : str
            What the owner of the data can do.
        """
        self._drop("refuse", mask, check, detail, remedy)

    def quarantine(self, mask, check: str, detail, remedy: str) -> None:
        """Set rows aside with their content; parameters as for ``refuse``.

        Parameters
        ----------
        mask : bool array, (T,)
            The rows it is about.
        check : str
            Name of the check.
        detail : str or list of str
            What was found, for all rows or for each.
        remedy : str
            What the user can do.
        """
        mask = np.asarray(mask, dtype=bool)
        if mask.any():
            removed = self.rows[mask]
            texts = removed.copy()
            for column in texts.columns[[dtype.kind == "M" for dtype in texts.dtypes]]:
                texts[column] = texts[column].astype(str)
            records = texts.to_dict("records")
            quarantined = pd.DataFrame(
                {
                    "file": self.batch.file,
                    "table_name": self.batch.table,
                    "symbol": removed[self.symbol_column].to_numpy(),
                    "date": self.days()[mask].to_numpy(),
                    "check": check,
                    "content": [
                        json.dumps(record, ensure_ascii=False, default=str) for record in records
                    ],
                }
            )
            self._quarantined.append(quarantined)
        self._drop("quarantine", mask, check, detail, remedy)

    def warn(self, mask, check: str, detail, remedy: str) -> None:
        """Flag rows that are stored unchanged; parameters as for ``refuse``.

        Parameters
        ----------
        mask : bool array, (T,)
            The rows it is about.
        check : str
            Name of the check.
        detail : str or list of str
            What was found, for all rows or for each.
        remedy : str
            What the user can do.
        """
        self._mark("warn", mask, check, detail, remedy)

    def repair(self, mask, check: str, detail, remedy: str) -> None:
        """Record rows that are stored changed; the caller changes them.

        Parameters
        ----------
        mask : bool array, (T,)
            The rows it is about.
        check : str
            Name of the check.
        detail : str or list of str
            What was found, for all rows or for each.
        remedy : str
            As for ``refuse``.
        """
        self._mark("repair", mask, check, detail, remedy)

    def add_finding(self, level: str, check: str, symbols, dates, details, remedy: str) -> None:
        """Record events that belong to no single row.

        Parameters
        ----------
        level : str
            One of ``LEVELS``.
        check : str
            Name of the check.
        symbols, dates, details : sequences, (K,)
            One entry per event.
        remedy : str
            What the owner of the data can do.
        """
        symbols = list(symbols)
        if symbols:
            self._append(level, check, symbols, pd.DatetimeIndex(dates), details, remedy)

    def findings(self) -> pd.DataFrame:
        """Return the findings so far, with the columns of the store's table ``findings``."""
        if not self._findings:
            return pd.DataFrame(columns=list(FINDING_COLUMNS))
        return pd.concat(self._findings, ignore_index=True)[list(FINDING_COLUMNS)]

    def quarantined(self) -> pd.DataFrame:
        """Return the quarantined rows: file, table_name, symbol, date, check, content as JSON."""
        columns = ["file", "table_name", "symbol", "date", "check", "content"]
        if not self._quarantined:
            return pd.DataFrame(columns=columns)
        return pd.concat(self._quarantined, ignore_index=True)[columns]

    def repairs(self) -> pd.DataFrame:
        """Return the repairs by symbol, check and detail, with their first and last dates."""
        columns = ["file", "symbol", "first_date", "last_date", "check", "detail"]
        findings = self.findings()
        repairs = findings[findings["level"] == "repair"]
        if not len(repairs):
            return pd.DataFrame(columns=columns)
        groups = repairs.groupby(["file", "symbol", "check", "detail"], sort=False, dropna=False)
        spans = groups.agg(first_date=("first_date", "min"), last_date=("last_date", "max"))
        return spans.reset_index()[columns]

    def _drop(self, level: str, mask, check: str, detail, remedy: str) -> None:
        mask = np.asarray(mask, dtype=bool)
        self._mark(level, mask, check, detail, remedy)
        if mask.any():
            self.rows = self.rows[~mask].reset_index(drop=True)

    def _mark(self, level: str, mask, check: str, detail, remedy: str) -> None:
        mask = np.asarray(mask, dtype=bool)
        if mask.any():
            symbols = self.rows[self.symbol_column].to_numpy()[mask]
            self._append(level, check, symbols, self.days().to_numpy()[mask], detail, remedy)

    def _append(self, level: str, check: str, symbols, dates, detail, remedy: str) -> None:
        """Append one finding per symbol and date; returns nothing."""
        days = pd.Series(np.asarray(dates, dtype="datetime64[ns]"))
        self._findings.append(
            pd.DataFrame(
                {
                    "level": level,
                    "check": check,
                    "table_name": self.batch.table,
                    "file": self.batch.file,
                    "symbol": pd.Series(symbols, dtype="str"),
                    "first_date": days,
                    "last_date": days,
                    "row_count": 1,
                    "detail": detail
                    if isinstance(detail, str)
                    else pd.Series(list(detail), dtype="str"),
                    "remedy": remedy,
                }
            )
        )
