"""Parameters of the weekly report: from which size on its commentary says something."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lib.exhibits.parameters.base import Parameters, Share


class WeeklyReport(Parameters):
    """Parameters of notebook 06.

    Attributes
    ----------
    little_changed : float
        Weekly return, as a fraction, below which something is called little changed.
    large_move : float
        Weekly return from which a commodity is named.
    yield_move : float
        Change of a yield from which it is named, in basis points.
    majority : float
        Share from which most of a group are said to have risen or fallen.
    score_change : float
        Change of an AI score from which it is said to rise or fall.
    named : int
        Largest number of instruments that one sentence names.
    weight_change : float
        Change of a weight from which it is named.
    large_weight : float
        Weight of one asset from which the risk paragraph names it.
    large_class : float
        Weight of one class from which the risk paragraph names it.
    near_low : float
        Share of the largest drawdown from which the present one is named as a risk.
    large_drawdown : float
        Largest drawdown from which the risk paragraph names it.
    cost_drag : float
        What costs take off the annual return, from which the risk paragraph names it.
    confidence : float
        Probability below which an excess return is said to be indistinguishable from luck.
    """

    little_changed: Share
    large_move: Share
    yield_move: Annotated[float, Field(ge=0, le=500)]
    majority: Annotated[float, Field(gt=0.5, le=1)]
    score_change: Annotated[float, Field(ge=0, le=10)]
    named: Annotated[int, Field(ge=1, le=5)]
    weight_change: Share
    large_weight: Share
    large_class: Share
    near_low: Share
    large_drawdown: Share
    cost_drag: Share
    confidence: Annotated[float, Field(gt=0, lt=1)]
