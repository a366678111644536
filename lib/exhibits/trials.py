"""Trials: the settings that were tried before a notebook's defaults were fixed, one CSV per notebook.

Every trial is a chance to be lucky, so whoever judges a result counts them. The file is the only place that says how
many there were; a notebook reads, counts and shows it.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from lib.exhibits.parameters import PARAMS
from lib.market.errors import ParameterError

TRIALS = PARAMS / "trials"
#: what every file has: the setting in both languages, the first and last decision it was judged on, the data it was
#: judged on, and whether it became the default (yes or no)
REQUIRED_COLUMNS = ("setting", "setting_zh", "window_start", "window_end", "data", "chosen")


def read_trials(notebook: str, folder: Path = TRIALS) -> pd.DataFrame:
    """Read the trials of a notebook.

    Parameters
    ----------
    notebook : str
        The notebook's stem, such as ``03_gp_rotation``.
    folder : path
        ``params/trials``.

    Returns
    -------
    DataFrame, one row per trial
        ``setting`` and ``setting_zh``, ``window_start`` and ``window_end`` (Timestamps), ``data`` (where the trial
        was run), ``chosen`` (bool), and the notebook's own measures as numbers (NaN where a cell is empty).

    Raises
    ------
    ParameterError
        No such file, no trial in it, a missing column, a date or a number that cannot be read, or no or several chosen
        trials; with file, line and remedy.
    """
    path = Path(folder) / f"{notebook}.csv"
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, comment="#", encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ParameterError(
            "the file of trials is missing", file=path, remedy="restore it: results are judged by the number of trials"
        ) from error
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ParameterError(
            f"the file of trials cannot be read: {error}", file=path, remedy="save it as a CSV in UTF-8"
        ) from error
    missing = [column for column in REQUIRED_COLUMNS if column not in table]
    if missing:
        raise ParameterError(
            f"the file of trials has no column {missing[0]}",
            file=path,
            remedy=f"its columns are {', '.join(REQUIRED_COLUMNS)} and the notebook's measures",
        )
    if not len(table):
        raise ParameterError("the file of trials is empty", file=path, remedy="list at least the setting in use")
    for column in ("window_start", "window_end"):
        table[column] = _parsed(table[column], path, lambda texts: pd.to_datetime(texts, format="%Y-%m-%d"))
    for column in table.columns.difference(REQUIRED_COLUMNS):
        table[column] = _parsed(table[column], path, lambda texts: pd.to_numeric(texts.where(texts.ne(""))))
    chosen = table["chosen"].str.strip().str.lower()
    if not chosen.isin(["yes", "no"]).all() or chosen.eq("yes").sum() != 1:
        raise ParameterError(
            f"{int(chosen.eq('yes').sum())} trials are marked as chosen",
            file=path,
            remedy="one says yes, all others no",
        )
    return table.assign(chosen=chosen.eq("yes"))


def _parsed(texts: pd.Series, path: Path, parse) -> pd.Series:
    """Return a column as dates or numbers; an error names the first row that is neither."""
    try:
        return parse(texts)
    except ValueError:
        for row, text in texts.items():
            try:
                parse(texts.loc[[row]])
            except ValueError as error:
                raise ParameterError(
                    f"trial {row + 1} says {text!r} for {texts.name}",
                    file=path,
                    remedy="write dates as 2022-09-30 and measures as plain numbers",
                ) from error
        raise
