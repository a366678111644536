"""Parameters of the market recap."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lib.report.parameters.base import Parameters, Symbol


class MarketRecap(Parameters):
    """Parameters of notebook 01.

    Attributes
    ----------
    inflation_series : list of str
        Macro series of exhibit 2, in the order shown.
    """

    inflation_series: Annotated[list[Symbol], Field(min_length=1)]
