"""Tables of exhibits as cells that a page and a PDF both draw: text, colour, bar, sort key."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from lib.exhibits.tables import shown_table
from lib.exhibits.translations import Translations

#: rows that a table shows when its columns are not chosen; its CSV has all
MAX_ROWS = 60
#: columns of performance in the same order everywhere, the others after them
ORDER = ("metric", "strategy", "net", "benchmark")
#: formats whose sign is coloured, with an arrow for changes of a score
SIGNED = ("percent", "points", "change")
ARROWS = {"up": "▲", "down": "▼"}


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes
    ----------
    text : str
    sort : float or str
        What its column is sorted by.
    tone : str
        ``up``, ``down``, ``new`` or empty.
    bar : float
        Length of the bar behind it, 0 to 1.
    """

    text: str
    sort: float | str = ""
    tone: str = ""
    bar: float = 0.0


def table_cells(
    path: Path, exhibit: dict, t: Translations, columns: list[str] | None = None
) -> dict:
    """Return an exhibit's table for a page: ``columns`` (``text``, ``number``), ``rows`` of cells,
    ``left`` (how many rows are left out).

    Parameters
    ----------
    path : Path
        Its CSV.
    exhibit : dict
        Its record.
    t : Translations
        Texts of the page's language.
    columns : list of str, optional
        The columns to show with colours and bars, all their rows; by default all columns and the
        last rows, plain.
    """
    table = pd.read_csv(path, dtype={"symbol": str})
    left = 0
    if columns is None:
        left = max(len(table) - MAX_ROWS, 0)
        table = table.tail(MAX_ROWS)
    if "metric" in table:
        table = table[sorted(table, key=_place)]
    shown = shown_table(table, exhibit, t)
    kept = [column for column in (_spoken(columns, shown.cells) if columns else shown.cells)]
    tones = _tones(table, shown.kinds, kept) if columns else {}
    bars = _bars(table, shown.kinds, kept) if columns else {}
    rows = []
    for place, label in enumerate(table.index):
        row = []
        for column in kept:
            value, text = table.loc[label, column], shown.cells.loc[label, column]
            tone = tones.get(column, {}).get(label, "")
            if tone in ARROWS and shown.kinds[column][place] == "change":
                text = f"{ARROWS[tone]} {text}"
            sort = _sort_key(value)
            row.append(asdict(Cell(text, sort, tone, bars.get(column, {}).get(label, 0.0))))
        rows.append(row)
    heads = [{"text": shown.headings[name], "number": name in shown.numeric} for name in kept]
    return {"columns": heads, "rows": rows, "left": left}


def _place(column: str) -> int:
    return ORDER.index(column) if column in ORDER else len(ORDER)


def _spoken(columns: list[str], cells: pd.DataFrame) -> list[str]:
    """Return the chosen columns that the table has, those of names in the page's language."""
    return [each for column in columns for each in (column, f"{column}_en") if each in cells]


def _sort_key(value) -> float | str:
    if pd.isna(value):
        return ""
    return round(float(value), 8) if isinstance(value, int | float) else str(value)


def _tones(table: pd.DataFrame, kinds: dict[str, list], kept: list[str]) -> dict[str, dict]:
    """Return the tone of each coloured cell by column and row: the sign of a change, the better of
    strategy and benchmark, the names that are new in a table of weeks.
    """
    tones: dict[str, dict] = {}
    if "metric" in table:
        return {
            "strategy": dict(zip(table.index, map(_better, table.to_dict("records")), strict=True))
        }
    if "week" in table:
        held = table[kept].drop(columns="week")
        before = [set()] + [set(row) for row in held.to_numpy()[:-1]]
        for column in held:
            tones[column] = {
                label: "new" if place and name not in before[place] else ""
                for place, (label, name) in enumerate(held[column].items())
            }
        return tones
    for column in kept:
        if pd.api.types.is_numeric_dtype(table[column]):
            tones[column] = {
                label: _sign(value) if kinds[column][place] in SIGNED else ""
                for place, (label, value) in enumerate(table[column].items())
            }
    return tones


def _sign(value: float) -> str:
    if pd.isna(value) or abs(value) < 1e-9:
        return ""
    return "up" if value > 0 else "down"


def _better(row: dict) -> str:
    """Return whether a strategy did better than its benchmark; volatility is better when lower."""
    gap = row.get("strategy", float("nan")) - row.get("benchmark", float("nan"))
    return _sign(-gap if row["metric"] == "annual_volatility" else gap)


def _bars(table: pd.DataFrame, kinds: dict[str, list], kept: list[str]) -> dict[str, dict]:
    """Return the lengths of the bars of weights and gains by column and row, on one scale per
    format.
    """
    bars: dict[str, dict] = {}
    if "metric" in table:
        return bars
    for kind in ("share", "percent"):
        same = [
            column
            for column in kept
            if set(kinds[column]) == {kind} and (table[column].dropna() >= 0).all()
        ]
        most = table[same].max(axis=None) if same else 0.0
        for column in same:
            lengths = (table[column] / most if most else table[column] * 0.0).fillna(0.0)
            bars[column] = {label: round(float(value), 3) for label, value in lengths.items()}
    return bars
