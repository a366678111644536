"""The tables of a run, and what is quoted from them: every quotation knows the cells it comes
from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lib.exhibits.translations import Translations

#: columns that name a row, the first that a table has
ROW_KEYS = ("symbol", "series", "metric", "measure", "date", "week", "name", "asset_class", "score")
#: how a quotation is written; size, gap, points and step are for words that name the direction
#: themselves; gap is in percentage points
WRITTEN: dict[str, Callable[[Translations, float], str]] = {
    "percent": lambda text, value: text.percent(value),
    "size": lambda text, value: text.percent(abs(value), signed=False),
    "share": lambda text, value: text.percent(value, decimals=1, signed=False),
    "plain": lambda text, value: text.percent(value, signed=False),
    "gap": lambda text, value: f"{abs(value) * 100:.2f}",
    "points": lambda text, value: f"{abs(value):.1f}",
    "score": lambda text, value: f"{value:.2f}",
    "step": lambda text, value: f"{abs(value):.2f}",
    "level": lambda text, value: f"{value:.1f}",
    "count": lambda text, value: f"{value:.0f}",
    "date": lambda text, value: text.date(value),
    "word": lambda text, value: str(value),
}


@dataclass(frozen=True)
class Cell:
    """Position of a value: file within the run's folder, name of the row, column."""

    file: str
    row: str
    column: str


@dataclass(frozen=True)
class Quotation:
    """A number or a name in a sentence, and where it comes from.

    Attributes
    ----------
    how : str
        ``cell``: as the cell says; ``difference``: the first cell less the second; ``sum``;
        ``count``: how many cells there are; ``heading``: the instrument that heads the cell's
        column; ``word``: the cell's word in the language.
    cells : tuple of Cell
    value : float or str
    format : str
        A key of ``WRITTEN``.
    text : str
        As written in the sentence.
    """

    how: str
    cells: tuple[Cell, ...]
    value: float | str
    format: str
    text: str

    def __str__(self) -> str:
        return self.text


class Table:
    """One exhibit's table, its rows by name.

    Attributes
    ----------
    number : str
        Of the exhibit.
    file : str
        Relative to the run's folder.
    frame : DataFrame
        Indexed by what names the rows, as text, in the order of the file.
    """

    def __init__(self, number: str, folder: Path, file: Path, text: Translations):
        self.number = number
        self.text = text
        self.file = file.relative_to(folder).as_posix()
        table = pd.read_csv(file, dtype=dict.fromkeys(("symbol", "date", "week"), str))
        self.key = next((column for column in ROW_KEYS if column in table), table.columns[0])
        self.frame = table.set_index(table[self.key].astype(str).rename("row"))

    def cell(self, row: str, column: str) -> Cell:
        """Return the position of a value."""
        return Cell(self.file, row, column)

    def value(self, row: str, column: str):
        """Return a value."""
        return self.frame.loc[row, column]

    def quote(self, row: str, column: str, how: str) -> Quotation:
        """Quote one cell, written as ``how`` of ``WRITTEN`` says.

        Parameters
        ----------
        row : str
            Key of the row.
        column : str
            Name of the column.
        how : str
            A key of ``WRITTEN``.
        """
        return self._quotation("cell", [(row, column)], self.value(row, column), how)

    def name(self, row: str) -> Quotation:
        """Quote the name of a row in the language of the text."""
        column = "name_en" if self.text.language == "en" and "name_en" in self.frame else "name"
        return self.quote(row, column, "word")

    def word(self, row: str, column: str) -> Quotation:
        """Quote a word that the translations have, such as the name of a class."""
        value = self.value(row, column)
        return Quotation(
            "word", (self.cell(row, column),), value, "word", self.text(f"common.value.{value}")
        )

    def difference(self, row: str, column: str, other: str, how: str) -> Quotation:
        """Quote one column less another.

        Parameters
        ----------
        row : str
            Key of the row.
        column : str
            The column that is reduced.
        other : str
            The column that is subtracted.
        how : str
            A key of ``WRITTEN``.
        """
        value = self.value(row, column) - self.value(row, other)
        return self._quotation("difference", [(row, column), (row, other)], value, how)

    def step(self, rows: tuple[str, str], column: str, how: str) -> Quotation:
        """Quote how much a column changes from the first row to the second.

        Parameters
        ----------
        rows : tuple of str
            Keys of the earlier and of the later row.
        column : str
            Name of the column.
        how : str
            A key of ``WRITTEN``.
        """
        before, now = rows
        value = self.value(now, column) - self.value(before, column)
        return self._quotation("difference", [(now, column), (before, column)], value, how)

    def total(self, rows: Iterable[str], column: str, how: str) -> Quotation:
        """Quote a column's sum over rows.

        Parameters
        ----------
        rows : iterable of str
            Keys of the rows.
        column : str
            Name of the column.
        how : str
            A key of ``WRITTEN``.
        """
        rows = list(rows)
        value = float(self.frame.loc[rows, column].sum())
        return self._quotation("sum", [(row, column) for row in rows], value, how)

    def count(self, rows: Iterable[str], column: str) -> Quotation:
        """Quote how many rows there are, by the column that was looked at."""
        cells = tuple(self.cell(row, column) for row in rows)
        return Quotation("count", cells, len(cells), "count", str(len(cells)))

    def _quotation(self, kind: str, places: list[tuple[str, str]], value, how: str) -> Quotation:
        """Return a quotation of the cells at some rows and columns."""
        cells = tuple(self.cell(row, column) for row, column in places)
        return Quotation(kind, cells, value, how, WRITTEN[how](self.text, value))

    def heading(self, row: str, column: str, name: str) -> Quotation:
        """Quote the name of the instrument that heads a column.

        Parameters
        ----------
        row : str
            Key of the row.
        column : str
            Symbol that heads the column.
        name : str
            Name of the instrument.
        """
        return Quotation("heading", (self.cell(row, column),), column, "word", name)


class Tables:
    """The tables of a run's folder by the number of their exhibit.

    Parameters
    ----------
    folder : Path
    text : Translations
        Of the language that is quoted in.
    """

    def __init__(self, folder: Path, text: Translations):
        self.folder = Path(folder)
        self.text = text
        self._read: dict[str, Table | None] = {}

    def __call__(self, number: str) -> Table | None:
        """Return an exhibit's table; None when the run did not make it, or made it without a
        row.
        """
        if number not in self._read:
            stem = f"{'' if number.startswith('s') else 'fig'}{number}"
            file = next(iter(sorted((self.folder / "tables").glob(f"{stem}_*.csv"))), None)
            table = Table(number, self.folder, file, self.text) if file else None
            self._read[number] = table if table is not None and len(table.frame) else None
        return self._read[number]
