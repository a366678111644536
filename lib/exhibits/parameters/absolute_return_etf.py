"""Parameters of the absolute-return portfolio."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lib.exhibits.parameters.base import Cost, Day, Parameters, PositiveShare, Symbol, Universe
from lib.exhibits.parameters.gp_rotation import SectorList

Fall = Annotated[float, Field(ge=-1, le=0)]
Slots = Annotated[int, Field(ge=1, le=15)]
TrendWindow = Annotated[int, Field(ge=2, le=1000)]


class Costs(Parameters):
    """Fraction of the traded value by class, one way."""

    equity: Cost
    bond: Cost
    commodity: Cost


class Shocks(Parameters):
    """Shocks to the present weights: a rise of all yields and changes of price, fractions."""

    bond: Annotated[float, Field(ge=0, le=0.1)]
    equity: Fall
    commodity: Fall


class AbsoluteReturnEtf(Parameters):
    """Parameters of notebook 04; those of the sector rotation are read from notebook 03's file.

    Attributes
    ----------
    universe, sectors : str
        Stems of lists in ``params/universe``: the funds, and the sectors that they track.
    start : str
        The first decision is the month end on or after this date: the earliest at which every class
        has a fund or proxy with enough history.
    trend_windows : list of int
        Sessions. A month to a year, as in the literature on time-series momentum.
    steepness : float
        How strongly a trend tilts a risk budget; the published record only says that stronger
        trends get more risk. At 1 a full uptrend has 7.4 times the risk of a full downtrend.
    covariance_window : int
        Sessions. Half a year: long enough for three classes, short enough to follow a regime.
    target_volatility : float
        Annualised; the volatility of the published portfolio.
    volatility_rule : str
        ``cap``, or ``ray``: below the target capital moves from bonds to the other classes too. The
        published weights fit a cap, see supplement 38.
    slots, dividend_slots : int
        The published weights show five equal slots, two of them for dividends.
    timing_window : int
        Sessions; a month, the horizon of the decisions.
    timing_band : float
        Standard deviations; half of one keeps noise from voting.
    costs : Costs
        Commission and half the spread of a liquid fund; bonds trade closer.
    bond_share : float
        Of the mixed benchmark; the published share.
    cash_rate : str
        Symbol of the yield that idle cash earns, where the data have it.
    shocks : Shocks
        Of the size of a bad quarter.
    """

    universe: Universe
    sectors: SectorList
    start: Day
    trend_windows: Annotated[list[TrendWindow], Field(min_length=1, max_length=8)]
    steepness: Annotated[float, Field(ge=0, le=10)]
    covariance_window: Annotated[int, Field(ge=20, le=1000)]
    target_volatility: PositiveShare
    volatility_rule: Literal["cap", "ray"]
    slots: Slots
    dividend_slots: Slots
    timing_window: Annotated[int, Field(ge=2, le=500)]
    timing_band: Annotated[float, Field(ge=0, le=5)]
    costs: Costs
    bond_share: PositiveShare
    cash_rate: Symbol
    shocks: Shocks

    @model_validator(mode="after")
    def _dividends_fit(self) -> Self:
        """Refuse more slots for dividends than there are."""
        if self.dividend_slots > self.slots:
            raise ValueError(f"{self.dividend_slots} dividend slots of {self.slots} slots")
        return self
