"""Parameters of the market recap."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lib.exhibits.parameters.base import Parameters, Symbol


class MarketRecap(Parameters):
    """Parameters of notebook 01.

    Attributes
    ----------
    inflation_series : list of str
        Macro series of exhibit 2, in the order shown.
    rise_colour : str
        ``red`` (falls are green), ``blue`` (falls are orange), or ``auto``: red in the Chinese
        edition.
    """

    inflation_series: Annotated[list[Symbol], Field(min_length=1)]
    rise_colour: Literal["auto", "red", "blue"]
