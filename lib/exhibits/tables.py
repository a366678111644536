"""Exhibit tables as HTML, from their CSV and a format per column."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from great_tables import GT, loc, style

from lib.exhibits.translations import Translations, translations

#: what a column's values are; percent and points take fractions
FORMATS = {
    "percent": lambda text, value: text.percent(value),
    "share": lambda text, value: text.percent(value, signed=False),
    "points": lambda text, value: f"{value:+.1f}",
    "score": lambda text, value: f"{value:.2f}",
    "change": lambda text, value: f"{value:+.2f}",
    "number": lambda text, value: f"{value:,.2f}",
    "count": lambda text, value: f"{value:,.0f}",
}
#: what a cell is when its row says so: the unit of a change, the name of a metric
ROW_FORMATS = {"fraction": "percent", "basis points": "points", "sharpe": "score", "calmar": "score"} | dict.fromkeys(
    ("annual_return", "annual_volatility", "max_drawdown", "ytd_return", "week_return"), "percent"
)
MISSING = "–"
#: of a longer table only so many last rows are shown, a year of sessions; the CSV holds them all
LONGEST = 260


def table_html(path: Path, exhibit: dict, language: str) -> str:
    """Return an exhibit's table as HTML.

    Parameters
    ----------
    path : Path
        Its CSV.
    exhibit : dict
        Its record: ``notebook``, ``number``, ``formats``, a key of ``FORMATS`` by column, and ``words``, what stands
        for a heading or a word of the CSV before the translations are asked. A format may instead name another column
        whose words say it row by row, by ``ROW_FORMATS`` or as keys of ``FORMATS``. A table of more than ``LONGEST``
        rows shows its last ones and names the CSV.
    language : str
        Of ``name`` and ``name_en`` only the one in this language is shown; headings come from the translations.
    """
    table = pd.read_csv(path, dtype={"symbol": str}, keep_default_na=True)
    made = _great_table(table.tail(LONGEST), exhibit, translations(language))
    if len(table) > LONGEST:
        file = f"{path.parent.name}/{path.name}"
        made = made.tab_source_note(
            translations(language)("common.last_rows", shown=LONGEST, rows=len(table), file=file)
        )
    return made.as_raw_html()


def _great_table(table: pd.DataFrame, exhibit: dict, text: Translations) -> GT:
    formats, words = exhibit.get("formats", {}), exhibit.get("words", {})
    table = table.replace(words)
    shown, numeric = pd.DataFrame(index=table.index), []
    for column in table.columns:
        # a column called format only tells how the others are shown
        if column in {"format", *_other_name(table, text.language)}:
            continue
        if column in formats or pd.api.types.is_numeric_dtype(table[column]):
            numeric.append(column)
        shown[column] = _cells(table, column, formats.get(column), exhibit["notebook"], text)
    labels = {column: words.get(column) or _heading(column, exhibit["notebook"], text) for column in shown}
    textual = [column for column in shown if column not in numeric]
    return (
        GT(shown, id=f"table-{exhibit['number']}")
        .cols_label(labels)
        .cols_align("right", numeric)
        .cols_align("left", textual)
        .tab_style(style.text(weight="bold"), loc.column_labels())
        .tab_options(table_font_size="13px", data_row_padding="4px", table_margin_left="0px")
    )


def _other_name(table: pd.DataFrame, language: str) -> set[str]:
    """Return the columns in the other language: of a column and its twin with ``_en`` only one is shown."""
    twice = {column for column in table.columns if f"{column}_en" in table.columns}
    return twice if language == "en" else {f"{column}_en" for column in twice}


def _cells(table: pd.DataFrame, column: str, kind: str | None, notebook: str, text: Translations) -> list[str]:
    kinds = table[kind].replace(ROW_FORMATS) if kind in table.columns else [kind] * len(table)
    return [_cell(value, kind, notebook, text) for value, kind in zip(table[column], kinds, strict=True)]


def _cell(value, kind: str | None, notebook: str, text: Translations) -> str:
    if pd.isna(value):
        return MISSING
    if kind in FORMATS:
        return FORMATS[kind](text, value)
    if isinstance(value, float):
        return f"{value:,.4g}"
    # words that stand for themselves in tables, such as group names, are translated where the translations have them
    return _lookup(f"value.{value}", notebook, text) or str(value)


def _heading(column: str, notebook: str, text: Translations) -> str:
    return _lookup(f"column.{column}", notebook, text) or column


def _lookup(key: str, notebook: str, text: Translations) -> str | None:
    """Return a text of the notebook, else the common one, else None."""
    return next((text(f"{stem}.{key}") for stem in (notebook, "common") if text.has(f"{stem}.{key}")), None)
