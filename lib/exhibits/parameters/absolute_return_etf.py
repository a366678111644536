"""Parameters of the absolute-return portfolio."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lib.exhibits.parameters.base import Parameters

Cost = Annotated[float, Field(ge=0, le=0.05)]
Share = Annotated[float, Field(gt=0, le=1)]
Ratio = Annotated[float, Field(ge=0, le=1)]


class Costs(Parameters):
    """Fraction of the traded value by class, one way."""

    equity: Cost
    bond: Cost
    commodity: Cost


class Rotation(Parameters):
    """Settings of the sector rotation, as in ``GpRotation``."""

    first_quarter: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    seeds: Annotated[int, Field(ge=1, le=50)]
    population: Annotated[int, Field(ge=10, le=20000)]
    generations: Annotated[int, Field(ge=1, le=50)]
    window: Annotated[int, Field(ge=250, le=5000)]
    validation: Annotated[int, Field(ge=20, le=2000)]
    horizon: Annotated[int, Field(ge=1, le=60)]
    min_train_ic: Ratio
    min_validation_ic: Ratio
    max_correlation: Ratio
    max_vif: Annotated[float, Field(ge=1)]
    max_factors: Annotated[int, Field(ge=1, le=100)]


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
    raise_volatility : bool
        Below the target bonds give capital to rising classes.
    slots, dividend_slots : int
    timing_window : int
        Sessions.
    timing_band : float
        Standard deviations.
    costs : Costs
    bond_share : float
        Of the mixed benchmark.
    rotation : Rotation
    n_jobs : int
        Minings side by side, where the cache has no libraries.
    """

    universe: Annotated[str, Field(min_length=1)]
    sectors: Annotated[str, Field(min_length=1)]
    start: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    trend_windows: Annotated[list[Annotated[int, Field(ge=2, le=1000)]], Field(min_length=1, max_length=8)]
    steepness: Annotated[float, Field(ge=0, le=10)]
    covariance_window: Annotated[int, Field(ge=20, le=1000)]
    target_volatility: Share
    raise_volatility: bool
    slots: Annotated[int, Field(ge=1, le=15)]
    dividend_slots: Annotated[int, Field(ge=1, le=15)]
    timing_window: Annotated[int, Field(ge=2, le=500)]
    timing_band: Annotated[float, Field(ge=0, le=5)]
    costs: Costs
    bond_share: Share
    rotation: Rotation
    n_jobs: Annotated[int, Field(ge=1, le=64)]
