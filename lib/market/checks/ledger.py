"""The ledger of one file at the door: which rows were refused, set aside, flagged or changed, and why."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from lib.market.schema import KEYS, KNOWN_ON, Batch

LEVELS = ("refuse", "quarantine", "warn", "repair")
FINDINGS = (
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


class Ledger:
    """Collects verdicts on the rows of one batch and takes the lost ones out.

    A finding stands for one row, or for one event on one date: aggregates over dates would have to be taken apart
    again by a reader who stands between them.

    Parameters
    ----------
    batch : Batch
    rows : DataFrame
        Columns of the batch's table; the ledger works on its own copy, with a fresh index.

    Attributes
    ----------
    rows : DataFrame
        The rows that are still taken.
    """

    def __init__(self, batch: Batch, rows: pd.DataFrame):
        self.batch = batch
        self.rows = rows.reset_index(drop=True)
        self.owner = KEYS[batch.table][0]
        self.dated = KNOWN_ON.get(batch.table)
        self._findings: list[pd.DataFrame] = []
        self._quarantined: list[pd.DataFrame] = []

    def days(self) -> pd.Series:
        """Return the day each row becomes known; NaT for timeless rows."""
        if self.dated is None:
            return pd.Series(pd.NaT, index=self.rows.index, dtype="datetime64[ns]")
        return self.rows[self.dated].dt.normalize()

    def refuse(self, mask, check: str, detail, remedy: str) -> None:
        """Leave rows out: their symbol or file cannot be taken."""
        self._drop("refuse", mask, check, detail, remedy)

    def quarantine(self, mask, check: str, detail, remedy: str) -> None:
        """Set rows aside, content and all."""
        mask = np.asarray(mask, dtype=bool)
        if mask.any():
            lost = self.rows[mask]
            texts = lost.copy()
            for column in texts.columns[[kind.kind == "M" for kind in texts.dtypes]]:
                texts[column] = texts[column].astype(str)
            records = texts.to_dict("records")
            aside = pd.DataFrame(
                {
                    "file": self.batch.file,
                    "table_name": self.batch.table,
                    "symbol": lost[self.owner].to_numpy(),
                    "date": self.days()[mask].to_numpy(),
                    "check": check,
                    "content": [json.dumps(record, ensure_ascii=False, default=str) for record in records],
                }
            )
            self._quarantined.append(aside)
        self._drop("quarantine", mask, check, detail, remedy)

    def warn(self, mask, check: str, detail, remedy: str) -> None:
        """Flag rows that are stored as they are."""
        self._mark("warn", mask, check, detail, remedy)

    def repair(self, mask, check: str, detail, remedy: str) -> None:
        """Record rows that are stored changed; the caller changes them."""
        self._mark("repair", mask, check, detail, remedy)

    def event(self, level: str, check: str, symbol, date, detail, remedy: str) -> None:
        """Record something that belongs to no row: equally long lists of symbols, dates and details."""
        symbol = list(symbol)
        if symbol:
            self._add(level, check, symbol, pd.DatetimeIndex(date), detail, remedy)

    def findings(self) -> pd.DataFrame:
        """Return the findings so far, in the columns of the store's ledger."""
        if not self._findings:
            return pd.DataFrame(columns=list(FINDINGS))
        return pd.concat(self._findings, ignore_index=True)[list(FINDINGS)]

    def quarantined(self) -> pd.DataFrame:
        """Return the rows set aside: file, table_name, symbol, date, check and their content as JSON."""
        columns = ["file", "table_name", "symbol", "date", "check", "content"]
        if not self._quarantined:
            return pd.DataFrame(columns=columns)
        return pd.concat(self._quarantined, ignore_index=True)[columns]

    def repairs(self) -> pd.DataFrame:
        """Return the repairs by symbol, check and detail, with their first and last dates."""
        columns = ["file", "symbol", "first_date", "last_date", "check", "detail"]
        found = self.findings()
        found = found[found["level"] == "repair"]
        if not len(found):
            return pd.DataFrame(columns=columns)
        spans = found.groupby(["file", "symbol", "check", "detail"], sort=False, dropna=False)
        return spans.agg(first_date=("first_date", "min"), last_date=("last_date", "max")).reset_index()[columns]

    def _drop(self, level: str, mask, check: str, detail, remedy: str) -> None:
        mask = np.asarray(mask, dtype=bool)
        self._mark(level, mask, check, detail, remedy)
        if mask.any():
            self.rows = self.rows[~mask].reset_index(drop=True)

    def _mark(self, level: str, mask, check: str, detail, remedy: str) -> None:
        mask = np.asarray(mask, dtype=bool)
        if mask.any():
            self._add(
                level, check, self.rows[self.owner].to_numpy()[mask], self.days().to_numpy()[mask], detail, remedy
            )

    def _add(self, level: str, check: str, symbol, date, detail, remedy: str) -> None:
        self._findings.append(
            pd.DataFrame(
                {
                    "level": level,
                    "check": check,
                    "table_name": self.batch.table,
                    "file": self.batch.file,
                    "symbol": pd.Series(symbol, dtype="str"),
                    "first_date": pd.Series(np.asarray(date, dtype="datetime64[ns]")),
                    "last_date": pd.Series(np.asarray(date, dtype="datetime64[ns]")),
                    "row_count": 1,
                    "detail": detail if isinstance(detail, str) else pd.Series(list(detail), dtype="str"),
                    "remedy": remedy,
                }
            )
        )
