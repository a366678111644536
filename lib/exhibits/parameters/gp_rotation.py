"""Parameters of the sector rotation by genetic programming."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lib.exhibits.parameters.base import Cost, Day, Jobs, Parameters, Share
from lib.market.errors import DataError
from lib.market.universe import read_universe
from lib.models.gp.settings import MIN_SYMBOLS


def _sector_list(name: str) -> str:
    """Return the name of a list that exists and has enough sectors for a cross-section."""
    try:
        count = len(read_universe(name))
    except DataError as error:
        raise ValueError(str(error)) from error
    if count < MIN_SYMBOLS:
        raise ValueError(
            f"the list has {count} sectors, and a cross-section needs at least {MIN_SYMBOLS}"
        )
    return name


SectorList = Annotated[str, Field(min_length=1), AfterValidator(_sector_list)]


class GpRotation(Parameters):
    """Parameters of notebook 03.

    Attributes
    ----------
    universe : str
        Stem of a list in ``params/universe``: the sectors that are scored and held.
    mined_on : str
        Stem of a list: the sectors that formulas are mined on, where the data hold at least 15 of
        them.
    first_mined : str
        The first quarter end on or after this date whose window is long enough is the first one
        mined.
    first_quarter : str
        Scores and the backtest start on or after this date.
    population, generations, seeds : int
        Programs per generation, generations, minings per quarter.
    window, validation, horizon : int
        Sessions of the mining window, of its validation tail, of the label.
    min_train_t, min_validation_t, max_correlation, max_vif, max_factors
        Admission; the first two in standard errors of a rank IC without information.
    top : int
        Sectors held.
    fill : str
        ``next_close`` or ``next_open``.
    cost : float
        Fraction of the traded value, one way.
    null_seeds : int
        Seeds mined again on shuffled labels.
    n_jobs : int
        Minings side by side; no result depends on it.
    """

    universe: SectorList
    mined_on: SectorList
    first_mined: Day
    first_quarter: Day
    population: Annotated[int, Field(ge=10, le=20000)]
    generations: Annotated[int, Field(ge=1, le=50)]
    seeds: Annotated[int, Field(ge=1, le=50)]
    window: Annotated[int, Field(ge=250, le=5000)]
    validation: Annotated[int, Field(ge=20, le=2000)]
    horizon: Annotated[int, Field(ge=1, le=60)]
    min_train_t: Annotated[float, Field(ge=0, le=20)]
    min_validation_t: Annotated[float, Field(ge=0, le=20)]
    max_correlation: Share
    max_vif: Annotated[float, Field(ge=1)]
    max_factors: Annotated[int, Field(ge=1, le=100)]
    top: Annotated[int, Field(ge=1, le=15)]
    fill: Literal["next_close", "next_open"]
    cost: Cost
    null_seeds: Annotated[int, Field(ge=1, le=50)]
    n_jobs: Jobs
