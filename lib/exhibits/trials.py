"""Trials: the settings that were tried before a notebook's defaults were fixed, one CSV per
notebook.

Every trial is a chance to be lucky, so an evaluation counts them. The file is the only place that
says how many there were; a notebook reads, counts and shows it. Trials belong to the market history
they were made on: on another one, such as the synthetic sample, they say nothing and are not
charged.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from lib.exhibits.parameters import PARAMS
from lib.market.errors import ParameterError
from lib.market.fingerprint import fingerprint
from lib.market.pointintime import Market

TRIALS = PARAMS / "trials"
#: text columns of every file: the setting in both languages, the first and last decision it was
#: judged on, the data it was judged on and the key of their history, and whether it became the
#: default (yes or no)
TEXT_COLUMNS = ("setting", "setting_zh", "window_start", "window_end", "data", "history", "chosen")
#: those and how many trials a row counts
REQUIRED_COLUMNS = (*TEXT_COLUMNS, "trials")
#: its month-end closes identify a history of the Chinese market, whichever vendor they come from
IDENTIFYING_INDEX = "000300.SH"


def history_key(market: Market, start, end) -> str | None:
    """Return what identifies the market history of a window: a hash of the CSI 300's month-end
    closes, to the point.

    None where the market lacks the index, or its closes do not span the window.

    Parameters
    ----------
    market : Market
        The market that is identified.
    start : date
        First day of the window.
    end : date
        Last day of the window.
    """
    start, end = pd.Timestamp(start), pd.Timestamp(end)
    if IDENTIFYING_INDEX not in market.instruments().index or market.as_of < end:
        return None
    closes = market.closes([IDENTIFYING_INDEX], start=start)[IDENTIFYING_INDEX].dropna().loc[:end]
    if (
        closes.empty
        or closes.index[0] - start > pd.Timedelta(days=15)
        or end - closes.index[-1] > pd.Timedelta(days=15)
    ):
        return None
    return fingerprint(closes.groupby(closes.index.to_period("M")).last().round().to_numpy())


def applicable_trials(market: Market, notebook: str, folder: Path = TRIALS) -> pd.DataFrame:
    """Return the trials that were made on this market's own history, as ``read_trials`` does; none
    on another one.

    Parameters
    ----------
    market : Market
        The market of the run.
    notebook : str
        Stem of the notebook whose trials are read.
    folder : Path
        Of the files of trials.
    """
    table = read_trials(notebook, folder)
    windows = table[["window_start", "window_end"]].drop_duplicates().itertuples(index=False)
    keys = {tuple(window): history_key(market, *window) for window in windows}
    here = [
        keys[start, end]
        for start, end in zip(table["window_start"], table["window_end"], strict=True)
    ]
    return table[table["history"] == pd.Series(here, table.index)].reset_index(drop=True)


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
        ``setting`` and ``setting_zh``, ``window_start`` and ``window_end`` (Timestamps), ``data``
        (where the trial was run), ``history`` (see ``history_key``), ``chosen`` (bool), ``trials``
        (how many the row counts), and the notebook's own measures as numbers (NaN where a cell is
        empty).

    Raises
    ------
    ParameterError
        No such file, no trial in it, a missing column, a date or a number that cannot be read, or
        no or several chosen trials; with file, line and remedy.
    """
    path = Path(folder) / f"{notebook}.csv"
    try:
        table = pd.read_csv(
            path, dtype=str, keep_default_na=False, comment="#", encoding="utf-8-sig"
        )
    except FileNotFoundError as error:
        raise ParameterError(
            "the file of trials is missing",
            file=path,
            remedy="restore it: results are judged by the number of trials",
        ) from error
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ParameterError(
            f"the file of trials cannot be read: {error}",
            file=path,
            remedy="save it as a CSV in UTF-8",
        ) from error
    missing = [column for column in REQUIRED_COLUMNS if column not in table]
    if missing:
        raise ParameterError(
            f"the file of trials has no column {missing[0]}",
            file=path,
            remedy=f"its columns are {', '.join(REQUIRED_COLUMNS)} and the notebook's measures",
        )
    if not len(table):
        raise ParameterError(
            "the file of trials is empty", file=path, remedy="list at least the setting in use"
        )
    for column in ("window_start", "window_end"):
        table[column] = _parsed(
            table[column], path, lambda texts: pd.to_datetime(texts, format="%Y-%m-%d")
        )
    for column in table.columns.difference(TEXT_COLUMNS):
        table[column] = _parsed(
            table[column], path, lambda texts: pd.to_numeric(texts.where(texts.ne("")))
        )
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
