"""What the checks find, and where the rows they reject go."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

LEVELS = ("refuse", "quarantine", "warn", "repair")
COLUMNS = [
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
]


@dataclass
class Findings:
    """Collects findings about one file.

    Findings about rows are split by symbol and month, so that a report as of a date can leave out what was found on
    later rows. Levels: ``refuse`` (not taken), ``quarantine`` (set aside, kept), ``warn`` (stored, flagged), ``repair``
    (stored changed, recorded).
    """

    table: str
    file: str
    lines: list[pd.DataFrame] = field(default_factory=list)
    aside: list[pd.DataFrame] = field(default_factory=list)

    def rows(self, level: str, check: str, rows: pd.DataFrame, detail: str, remedy: str, date: str = "date") -> None:
        """Note the same finding about many rows, which have a ``symbol`` and a date column."""
        if not len(rows):
            return
        owner = rows.columns[0]
        month = rows[date].dt.to_period("M") if date in rows else pd.Series(pd.NaT, index=rows.index)
        grouped = rows.groupby([rows[owner].rename("symbol"), month.rename("month")], dropna=False, sort=True)
        if date in rows:
            line = grouped[date].agg(["min", "max", "size"])
        else:
            line = grouped.size().to_frame("size").assign(min=pd.NaT, max=pd.NaT)
        line = line.rename(columns={"min": "first_date", "max": "last_date", "size": "row_count"}).reset_index()
        self.lines.append(
            line.drop(columns="month").assign(
                level=level, check=check, table_name=self.table, file=self.file, detail=detail, remedy=remedy
            )
        )
        if level in ("quarantine", "refuse"):
            self._set_aside(check, rows, date)

    def one(self, level: str, check: str, detail: str, remedy: str, symbol=None, first=pd.NaT, last=pd.NaT, count=0):
        """Note a finding about a symbol or a whole file."""
        line = dict(level=level, check=check, table_name=self.table, file=self.file, symbol=symbol, first_date=first)
        line |= dict(last_date=last, row_count=count, detail=detail, remedy=remedy)
        self.lines.append(pd.DataFrame([line]))

    def _set_aside(self, check: str, rows: pd.DataFrame, date: str) -> None:
        content = rows.to_json(orient="records", lines=True, date_format="iso", force_ascii=False).splitlines()
        self.aside.append(
            pd.DataFrame(
                {
                    "file": self.file,
                    "table_name": self.table,
                    "symbol": rows.iloc[:, 0].to_numpy(),
                    "date": rows[date].to_numpy() if date in rows else np.datetime64("NaT"),
                    "check": check,
                    "content": content,
                }
            )
        )

    def table_of_findings(self) -> pd.DataFrame:
        """Return all findings in one table."""
        if not self.lines:
            return pd.DataFrame(columns=COLUMNS)
        lines = [line.astype({"first_date": "datetime64[ns]", "last_date": "datetime64[ns]"}) for line in self.lines]
        return pd.concat([line[COLUMNS].astype({"symbol": object}) for line in lines], ignore_index=True)

    def table_of_rows_aside(self) -> pd.DataFrame:
        """Return the rows set aside, each as JSON."""
        columns = ["file", "table_name", "symbol", "date", "check", "content"]
        if not self.aside:
            return pd.DataFrame(columns=columns)
        return pd.concat([rows.astype({"date": "datetime64[ns]"}) for rows in self.aside], ignore_index=True)
