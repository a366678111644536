"""The study of the null: many seeds mined on shuffled labels once, kept as a CSV that a weekly run
compares with.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from lib.market.errors import ParameterError
from lib.market.fingerprint import fingerprint
from lib.models.gp.inputs import Inputs
from lib.models.gp.settings import MiningSettings

NULL_STUDY = Path(__file__).resolve().parents[3] / "params" / "studies" / "03_gp_rotation_null.csv"


def study_key(mined: Inputs, scored: Inputs, settings: MiningSettings, until, **rules) -> str:
    """Return what identifies the data and settings of a study: a longer history of the same data
    has the same key.

    Parameters
    ----------
    mined, scored : Inputs
        Of the mined and of the scored sectors.
    settings : MiningSettings
    until : date
        The first session that is scored: closes up to it enter the key.
    **rules
        What else decides the numbers: ``first_mined``, ``top``, ``fill``. The engine's code does
        not enter; another rounding of its kernels acts like another set of seeds, which is what the
        study measures.
    """
    parts = []
    for inputs in (mined, scored):
        stop = int(inputs.dates.searchsorted(pd.Timestamp(until), side="right"))
        parts += [inputs.dates[:stop], inputs.symbols, inputs.close[:stop]]
    return fingerprint(*parts, settings.asdict(), rules)


def read_null_study(key: str, path: Path = NULL_STUDY) -> pd.DataFrame:
    """Return the study's rows for a key, one per null seed; none where it was made on other data or
    settings.

    Returns
    -------
    DataFrame
        ``seed``, ``rank_ic`` (mean, weekly), ``excess`` (annualised, fraction), ``factors`` (mean
        per library), ``admission`` (share of the candidates that reach the bars), ``first_week``,
        ``last_week``, ``key``.
    """
    if not path.exists():
        raise ParameterError(
            "the null study is missing",
            file=path,
            remedy="restore it, or run make study DATA=<folder>",
        )
    table = pd.read_csv(path, comment="#", parse_dates=["first_week", "last_week"])
    return table[table["key"] == key].reset_index(drop=True)


def null_summary(rows: pd.DataFrame) -> dict[str, object]:
    """Return the figures of a study's rows: ``seeds``, mean and standard deviation of rank IC
    (``ic``, ``ic_error``) and excess, ``factors``, ``until``; empty without rows.
    """
    if not len(rows):
        return {}
    return {
        "seeds": len(rows),
        "ic": rows["rank_ic"].mean(),
        "ic_error": rows["rank_ic"].std(),
        "excess": rows["excess"].mean(),
        "excess_error": rows["excess"].std(),
        "factors": rows["factors"].mean(),
        "until": rows["last_week"].max(),
    }
