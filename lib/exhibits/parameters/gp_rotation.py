"""Parameters of the sector rotation by genetic programming."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from lib.exhibits.parameters.base import Cost, Day, Jobs, Parameters, Share
from lib.market.errors import DataError
from lib.market.universe import read_universe
from lib.models.gp.settings import MIN_SYMBOLS

#: fewer sessions of training are about twenty labels
LEAST_TRAINING = 100


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

    Where a reason names trials, they are those of ``params/trials/03_gp_rotation.csv``, all on data
    to 30 September 2022.

    Attributes
    ----------
    universe : str
        Stem of a list in ``params/universe``: the sectors that are scored and held. The published
        rotation holds the 31 Shenwan level-1 sectors.
    mined_on : str
        Stem of a list: the sectors that formulas are mined on, where the data hold at least 15 of
        them. CITIC level 1 has the longer history of opens, ranges and volumes.
    first_mined : str
        The first quarter end on or after this date whose window is long enough is the first one
        mined. The window of the trials starts here.
    first_quarter : str
        Scores and the backtest start on or after this date: the day after which no trial looked.
    population, generations : int
        Programs per generation; generations, the random first one included. A larger search (1000
        programs, 5 generations) did not help in the trials.
    seeds : int
        Minings per quarter, averaged. A single seed scatters by more than the rotation earns.
    window : int
        Sessions a mining sees, validation and gaps included. By rank IC four years did better than
        two in every pairing of the trials; five were no better.
    validation : int
        Sessions of the validation tail, half a year; trials with 60 to 240 could not be
        distinguished.
    horizon : int
        Sessions the label looks ahead. Ten did better than 5 and 20 with this window.
    min_train_t, min_validation_t : float
        Least mean rank IC of training and validation, in standard errors of a rank IC without
        information, so that a bar means the same in a short window. In a full window of 30 sectors
        2.15 and 0.52 are rank ICs of 0.03 and 0.02.
    max_correlation : float
        Cap on the absolute mean cross-sectional rank correlation between factors of one library;
        above 0.7 two factors are half the same.
    max_vif : float
        Cap on the variance inflation within one library. Ten admits more factors than five, and
        their average did better in the trials.
    max_factors : int
        Most factors of one library; forty averaged more noise away than twenty.
    init_depth : list of int
        Least and greatest depth of random trees: shallow ones, because evolution only deepens.
    max_depth, max_length : int
        Offspring beyond are hoisted until they fit, or given up; a deeper formula cannot be read.
    p_crossover, p_subtree, p_hoist, p_point, p_point_replace : float
        gplearn's probabilities of variation; the rest to one is reproduction. Set beforehand, with
        more mutation than gplearn's own defaults, so that a small population keeps its variety.
    tournament : int
        Contenders for each parent; NSGA-II has two.
    parsimony : float
        Taken off both objectives per node: a node has to earn a hundredth of a usual rank IC.
    min_coverage : float
        Share of the training days on which a factor must vary across the sectors; below it the
        search finds formulas that exist on a handful of lucky days.
    top : int
        Sectors held, as published.
    fill : str
        ``next_close`` or ``next_open``. Scores need the close, so nothing trades before the next
        session.
    cost : float
        Fraction of the traded value, one way: 5 bp, commission and half the spread of an ETF.
    null_seeds : int
        Seeds mined again on shuffled labels, with every run; the study of twenty is on file.
    n_jobs : int
        Quarters mined side by side; no result depends on it.
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
    init_depth: Annotated[
        list[Annotated[int, Field(ge=1, le=10)]], Field(min_length=2, max_length=2)
    ]
    max_depth: Annotated[int, Field(ge=1, le=20)]
    max_length: Annotated[int, Field(ge=2, le=200)]
    p_crossover: Share
    p_subtree: Share
    p_hoist: Share
    p_point: Share
    p_point_replace: Share
    tournament: Annotated[int, Field(ge=1, le=20)]
    parsimony: Annotated[float, Field(ge=0, le=0.1)]
    min_coverage: Share
    top: Annotated[int, Field(ge=1, le=15)]
    fill: Literal["next_close", "next_open"]
    cost: Cost
    null_seeds: Annotated[int, Field(ge=1, le=50)]
    n_jobs: Jobs

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        """Refuse parameters that contradict each other."""
        variation = self.p_crossover + self.p_subtree + self.p_hoist + self.p_point
        if variation > 1 + 1e-12:
            raise ValueError("the probabilities of variation exceed one")
        least, greatest = self.init_depth
        if not least <= greatest <= self.max_depth:
            raise ValueError("init_depth must rise and stay within max_depth")
        if self.window - self.validation - 2 * (self.horizon + 1) < LEAST_TRAINING:
            raise ValueError(
                f"a window of {self.window} sessions leaves less than {LEAST_TRAINING} for training"
            )
        return self
