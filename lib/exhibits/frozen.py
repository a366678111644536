"""Frozen rules: since when a model's rules are unchanged, so that what follows is live."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from pydantic import BaseModel, ConfigDict, Field

from lib.exhibits.parameters import PARAMS, checked, read_yaml
from lib.market.errors import ParameterError


class Frozen(BaseModel):
    """Date and commit of the last change of a model's rules and defaults."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,40}$")]


def read_frozen(params: Path = PARAMS) -> dict[str, Frozen]:
    """Read ``frozen.yaml``: by notebook, since when its rules are frozen.

    Raises
    ------
    ParameterError
        An entry that is not a date and a commit.
    """
    path = Path(params) / "frozen.yaml"
    content = read_yaml(path)
    for notebook, entry in content.items():
        if not isinstance(entry, dict):
            raise ParameterError(
                f"{notebook} is {entry!r}", file=path, remedy="write date and commit"
            )
    frozen = {name: checked(Frozen, entry, path) for name, entry in content.items()}
    for name, each in frozen.items():
        if pd.isna(pd.to_datetime(each.date, errors="coerce")):
            raise ParameterError(
                f"the date of {name} is {each.date!r}", file=path, remedy="write it as 2026-11-24"
            )
    return frozen


def draw_frozen(figure: Figure, date: pd.Timestamp, label: str) -> bool:
    """Draw a line where live begins through every plot that reaches past it.

    Parameters
    ----------
    figure : Figure
        Its axes are dates.
    date : Timestamp
        The last day of the backtest.
    label : str
        Written at the line, in the first plot.

    Returns
    -------
    bool
        Whether any plot reaches past the date.
    """
    place = date2num(date)
    reached = False
    for axes in figure.axes:
        if not axes.dataLim.x0 < place < axes.dataLim.x1:
            continue
        axes.axvline(place, color="#444444", linewidth=0.9, linestyle=(0, (2, 2)))
        if not reached:
            axes.annotate(
                label,
                (place, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(-3, -3),
                textcoords="offset points",
                ha="right",
                va="top",
                fontsize=7.5,
            )
        reached = True
    return reached
