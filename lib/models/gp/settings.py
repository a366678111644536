"""Settings of the search and the admission."""

from __future__ import annotations

from dataclasses import asdict, dataclass

#: fewer symbols make a rank correlation of a week noise
MIN_SYMBOLS = 15


@dataclass(frozen=True)
class MiningSettings:
    """What decides a library of factors, next to the data and the code.

    Nothing has a default: production values are in ``params/03_gp_rotation.yaml``; what they mean,
    why they were chosen and their bounds are in ``lib/exhibits/parameters/gp_rotation.py``.
    """

    population: int
    generations: int
    window: int
    validation: int
    horizon: int
    min_train_t: float
    min_validation_t: float
    max_correlation: float
    max_vif: float
    max_factors: int
    init_depth: tuple[int, int]
    max_depth: int
    max_length: int
    p_crossover: float
    p_subtree: float
    p_hoist: float
    p_point: float
    p_point_replace: float
    tournament: int
    parsimony: float
    min_coverage: float

    def asdict(self) -> dict:
        """Return the settings as JSON writes them."""
        return {**asdict(self), "init_depth": list(self.init_depth)}
