"""Parameters of the absolute-return portfolio."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lib.exhibits.parameters.base import Cost, Day, Jobs, Parameters, Symbol
from lib.exhibits.parameters.gp_rotation import SectorList

Share = Annotated[float, Field(gt=0, le=1)]
Ratio = Annotated[float, Field(ge=0, le=1)]
Errors = Annotated[float, Field(ge=0, le=20)]
Fall = Annotated[float, Field(ge=-1, le=0)]


class Costs(Parameters):
    """Fraction of the traded value by class, one way."""

    equity: Cost
    bond: Cost
    commodity: Cost


class Rotation(Parameters):
    """Settings of the sector rotation, as in ``GpRotation``."""

    mined_on: SectorList
    first_mined: Day
    first_quarter: Day
    seeds: Annotated[int, Field(ge=1, le=50)]
    population: Annotated[int, Field(ge=10, le=20000)]
    generations: Annotated[int, Field(ge=1, le=50)]
    window: Annotated[int, Field(ge=250, le=5000)]
    validation: Annotated[int, Field(ge=20, le=2000)]
    horizon: Annotated[int, Field(ge=1, le=60)]
    min_train_t: Errors
    min_validation_t: Errors
    max_correlation: Ratio
    max_vif: Annotated[float, Field(ge=1)]
    max_factors: Annotated[int, Field(ge=1, le=100)]


class Shocks(Parameters):
    """Shocks to the present weights: a rise of all yields and changes of price, fractions."""

    bond: Annotated[float, Field(ge=0, le=0.1)]
    equity: Fall
    commodity: Fall


class AbsoluteReturnEtf(Parameters):
    """Parameters of notebook 04.

    Attributes
    ----------
    universe, sectors : str
        Stems of lists in ``params/universe``: the funds, and the sectors of the rotation.
    start : str
        The first decision is the month end on or after this date.
    trend_windows : list of int
        Sessions.
    steepness : float
        How strongly a trend tilts a risk budget.
    covariance_window : int
        Sessions.
    target_volatility : float
    volatility_rule : str
        ``cap``, or ``ray``: below the target capital moves from bonds to the other classes too.
    slots, dividend_slots : int
    timing_window : int
        Sessions.
    timing_band : float
        Standard deviations.
    costs : Costs
    bond_share : float
        Of the mixed benchmark.
    cash_rate : str
        Symbol of the yield that idle cash earns, where the data have it.
    shocks : Shocks
    rotation : Rotation
    n_jobs : int
        Minings side by side, where the cache has no libraries.
    """

    universe: Annotated[str, Field(min_length=1)]
    sectors: SectorList
    start: Day
    trend_windows: Annotated[
        list[Annotated[int, Field(ge=2, le=1000)]], Field(min_length=1, max_length=8)
    ]
    steepness: Annotated[float, Field(ge=0, le=10)]
    covariance_window: Annotated[int, Field(ge=20, le=1000)]
    target_volatility: Share
    volatility_rule: Literal["cap", "ray"]
    slots: Annotated[int, Field(ge=1, le=15)]
    dividend_slots: Annotated[int, Field(ge=1, le=15)]
    timing_window: Annotated[int, Field(ge=2, le=500)]
    timing_band: Annotated[float, Field(ge=0, le=5)]
    costs: Costs
    bond_share: Share
    cash_rate: Symbol
    shocks: Shocks
    rotation: Rotation
    n_jobs: Jobs
