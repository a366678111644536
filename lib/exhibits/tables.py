"""Tables of exhibits as HTML, from their CSV and a format per column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from great_tables import GT, loc, style

from lib.exhibits.translations import MISSING, Translations, translations

#: functions that format a column's values; percent and share take fractions
FORMATS = {
    "percent": lambda t, value: t.percent(value),
    "share": lambda t, value: t.percent(value, signed=False),
    "points": lambda t, value: f"{value:+.1f}",
    "score": lambda t, value: f"{value:.2f}",
    "change": lambda t, value: f"{value:+.2f}",
    "number": lambda t, value: f"{value:,.2f}",
    "count": lambda t, value: f"{value:,.0f}",
}
#: format of a cell by the identifier in its row: the unit of a change, the name of a metric
ROW_FORMATS = {
    "fraction": "percent",
    "basis points": "points",
    "sharpe": "score",
    "calmar": "score",
    "annual_volatility": "share",
    "information_ratio": "score",
    "t_stat": "score",
} | dict.fromkeys(("annual_return", "max_drawdown", "ytd_return", "week_return"), "percent")
#: format of a column by its name, in every table that has it; exceptions are given with the exhibit
COLUMN_FORMATS = {
    column: kind
    for kind, columns in {
        "percent": (
            "annual_return drawdown excess formula gain_cumulative gain_peak index max_drawdown"
            " mean_excess net_return return week_return ytd_return"
        ),
        "share": (
            "admission annual_volatility average_weight bonds boosted break_even budget"
            " class_moves cost coverage from_weight gru linear previous_weight return_share"
            " risk_contribution risk_share share to_weight turnover volatility votes_against"
            " votes_for weight"
        ),
        "score": (
            "actual calmar consensus latest_score previous previous_score sharpe sharpe_error"
            " training_ic validation_ic"
        ),
        "change": "change surprise trend",
        "count": "amount days decisions_asking decisions_on_proxy factors sessions trials",
        "number": "close lots previous_close",
    }.items()
    for column in columns.split()
}
#: columns that have the format of their row, for all numbers in it
ROW_FORMAT_COLUMNS = ("format", "unit", "metric")
#: last rows that are shown of a long table, about one year of sessions; the CSV has them all
MAX_ROWS = 260


def column_formats(table: pd.DataFrame, exceptions: Mapping[str, str | None]) -> dict[str, str]:
    """Return the format of each column of an exhibit's table.

    Parameters
    ----------
    table : DataFrame
        With one of ``ROW_FORMAT_COLUMNS`` its numeric columns have the format of their row;
        otherwise they have the format of their name in ``COLUMN_FORMATS``, if any.
    exceptions : mapping
        Other formats by column; None for none.
    """
    row = next((column for column in ROW_FORMAT_COLUMNS if column in table), None)
    numbers = table.dropna(axis=1, how="all").select_dtypes("number")
    defaults = {column: row or COLUMN_FORMATS.get(column) for column in numbers}
    return {column: kind for column, kind in (defaults | dict(exceptions)).items() if kind}


def table_html(path: Path, exhibit: dict, language: str) -> str:
    """Return an exhibit's table as HTML.

    Parameters
    ----------
    path : Path
        Its CSV.
    exhibit : dict
        Its record: ``notebook``, ``number``; ``formats``, a key of ``FORMATS`` by column, or the
        name of another
        column that has the format of each row, as a key of ``ROW_FORMATS`` or ``FORMATS``;
        ``words``, labels of
        headings and values, which precede the translations.
    language : str
        Of ``name`` and ``name_en`` only the one in this language is shown; headings come from the
        translations.

    Returns
    -------
    str
        The last ``MAX_ROWS`` rows; a note under a longer table names the CSV.
    """
    t = translations(language)
    table = pd.read_csv(path, dtype={"symbol": str}, keep_default_na=True)
    great_table = _great_table(table.tail(MAX_ROWS), exhibit, t)
    if len(table) > MAX_ROWS:
        file = f"{path.parent.name}/{path.name}"
        great_table = great_table.tab_source_note(
            t("common.last_rows", shown=MAX_ROWS, rows=len(table), file=file)
        )
    return great_table.as_raw_html()


@dataclass(frozen=True)
class ShownTable:
    """A table as a reader sees it.

    Attributes
    ----------
    cells : DataFrame of str
        Of the columns that are shown.
    headings : dict of str to str
        By column.
    numeric : list of str
        Columns that are aligned to the right.
    kinds : dict of str to list
        The format of each cell by column, a key of ``FORMATS`` or None.
    """

    cells: pd.DataFrame
    headings: dict[str, str]
    numeric: list[str]
    kinds: dict[str, list]


def shown_table(table: pd.DataFrame, exhibit: dict, t: Translations) -> ShownTable:
    """Return a table with formatted cells and translated headings.

    Parameters
    ----------
    table : DataFrame, (N, K)
        As in its CSV.
    exhibit : dict
        Its record.
    t : Translations
        Texts of the reader's language.
    """
    notebook = exhibit["notebook"]
    formats = exhibit.get("formats", {})
    labels = exhibit.get("words", {})
    table = table.replace(labels)
    shown = pd.DataFrame(index=table.index)
    numeric, kinds = [], {}
    # a column named format has the formats of the others
    hidden = {"format", *_other_language(table, t.language)}
    for column in [column for column in table.columns if column not in hidden]:
        if column in formats or pd.api.types.is_numeric_dtype(table[column]):
            numeric.append(column)
        kinds[column] = _kinds(table, formats.get(column))
        shown[column] = [
            _cell(value, kind, notebook, t)
            for value, kind in zip(table[column], kinds[column], strict=True)
        ]
    headings = {
        column: labels.get(column) or _lookup(f"column.{column}", notebook, t) or column
        for column in shown
    }
    return ShownTable(shown, headings, numeric, kinds)


def _great_table(table: pd.DataFrame, exhibit: dict, t: Translations) -> GT:
    """Return a table with formatted cells and translated headings, numbers to the right."""
    shown = shown_table(table, exhibit, t)
    textual = [column for column in shown.cells if column not in shown.numeric]
    return (
        GT(shown.cells, id=f"table-{exhibit['number']}")
        .cols_label(dict(shown.headings))
        .cols_align("right", shown.numeric)
        .cols_align("left", textual)
        .tab_style(style.text(weight="bold"), loc.column_labels())
        .tab_options(table_font_size="13px", data_row_padding="4px", table_margin_left="0px")
    )


def _other_language(table: pd.DataFrame, language: str) -> set[str]:
    """Return the columns in the other language: of a column and the same with ``_en`` only one is
    shown.
    """
    chinese = {column for column in table.columns if f"{column}_en" in table.columns}
    return chinese if language == "en" else {f"{column}_en" for column in chinese}


def _kinds(table: pd.DataFrame, kind: str | None) -> list:
    """Return the format of each cell of a column; ``kind`` may name a column of formats."""
    if kind in table.columns and kind not in FORMATS:
        return [ROW_FORMATS.get(each, each) for each in table[kind]]
    return [kind] * len(table)


def _cell(value, kind: str | None, notebook: str, t: Translations) -> str:
    if pd.isna(value):
        return MISSING
    if kind in FORMATS:
        return FORMATS[kind](t, value)
    if isinstance(value, float):
        return f"{value:,.4g}"
    # text values such as group names are translated where the translations have them
    return _lookup(f"value.{value}", notebook, t) or str(value)


def _lookup(key: str, notebook: str, t: Translations) -> str | None:
    """Return a text of the notebook, else the common one, else None."""
    return next(
        (t(f"{stem}.{key}") for stem in (notebook, "common") if t.has(f"{stem}.{key}")), None
    )
