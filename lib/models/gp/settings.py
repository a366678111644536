"""Settings of the search, the admission and the walk-forward, checked when they are made."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from lib.market.errors import ParameterError

#: fewer symbols make a rank correlation of a week noise
MIN_SYMBOLS = 15


@dataclass(frozen=True)
class MiningSettings:
    """What decides a library of factors, next to the data and the code.

    What a run chooses has no default here: it is set in ``params/03_gp_rotation.yaml``.

    Attributes
    ----------
    population, generations : int
        Programs per generation; generations, the random first one included.
    window : int
        Sessions a quarter's mining sees, validation tail and purges included.
    validation : int
        Sessions of the validation tail.
    horizon : int
        Sessions the label looks ahead, from the next close on.
    min_train_t, min_validation_t : float
        Least mean rank IC, in standard errors of the mean rank IC of a factor without information
        (see ``objectives.Target.null_standard_error``); the second in the direction of training.
    max_correlation : float
        Cap on the absolute mean cross-sectional correlation with every factor already admitted.
    max_vif : float
        Cap on the variance inflation of every admitted factor.
    max_factors : int
        Most factors of one library.
    init_depth : tuple of int
        Least and greatest depth of random trees.
    max_depth, max_length : int
        Offspring beyond are hoisted until they fit, or given up.
    p_crossover, p_subtree, p_hoist, p_point, p_point_replace : float
        gplearn's probabilities; what is left to one is reproduction.
    tournament : int
        Contenders for each parent.
    parsimony : float
        Taken off both objectives per node.
    min_coverage : float
        Share of training days on which a factor must vary.
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
    init_depth: tuple[int, int] = (1, 3)
    max_depth: int = 5
    max_length: int = 24
    p_crossover: float = 0.5
    p_subtree: float = 0.2
    p_hoist: float = 0.05
    p_point: float = 0.2
    p_point_replace: float = 0.15
    tournament: int = 2
    parsimony: float = 0.0003
    min_coverage: float = 0.8

    def __post_init__(self):
        # JSON and YAML bring lists
        object.__setattr__(self, "init_depth", tuple(self.init_depth))
        least = {
            "population": 10,
            "generations": 1,
            "max_depth": 1,
            "max_length": 2,
            "tournament": 1,
            "parsimony": 0,
            "window": 250,
            "validation": 20,
            "horizon": 1,
            "min_train_t": 0,
            "min_validation_t": 0,
            "max_vif": 1,
            "max_factors": 1,
        }
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ParameterError(
                    f"{name} is {getattr(self, name)}", remedy=f"{name} starts at {bound}"
                )
        shares = [name for name in self.__dataclass_fields__ if name.startswith("p_")]
        shares += ["min_coverage", "max_correlation"]
        for name in shares:
            if not 0 <= getattr(self, name) <= 1:
                raise ParameterError(
                    f"{name} is {getattr(self, name)}", remedy=f"{name} lies between 0 and 1"
                )
        if self.p_crossover + self.p_subtree + self.p_hoist + self.p_point > 1 + 1e-12:
            raise ParameterError(
                "the probabilities of variation exceed one",
                remedy="lower p_crossover or a mutation",
            )
        if not 1 <= self.init_depth[0] <= self.init_depth[1] <= self.max_depth:
            raise ParameterError(
                f"init_depth is {tuple(self.init_depth)}",
                remedy=f"two numbers, rising, from 1 to {self.max_depth}",
            )
        if self.window - self.validation - 2 * (self.horizon + 1) < 100:
            raise ParameterError(
                f"a window of {self.window} sessions leaves less than 100 for training",
                remedy="lengthen window, or shorten validation or horizon",
            )

    def asdict(self) -> dict:
        """Return the settings as JSON writes them."""
        return {**asdict(self), "init_depth": list(self.init_depth)}
