"""gplearn's own search on the same operators: one objective, flat vectors, its own evaluator.

It is the yardstick for the two-objective search, in results and in speed.
"""

from __future__ import annotations

import numpy as np
from gplearn.fitness import _Fitness
from gplearn.functions import _Function
from gplearn.genetic import SymbolicTransformer

from lib.models.forecast_evaluation import forward_returns
from lib.models.gp.fitness import evaluate_fitness
from lib.models.gp.mining import Window
from lib.models.gp.operators import Operator, operator_set
from lib.models.gp.settings import MiningSettings


class FlatOperator:
    """An operator on the flat vectors gplearn works with: a panel's rows one behind the other, NaN
    as zero.

    Parameters
    ----------
    operator : Operator
    shape : (T, N)
    """

    def __init__(self, operator: Operator, shape: tuple[int, int]):
        self.operator, self.shape = operator, shape

    def __call__(self, *vectors: np.ndarray) -> np.ndarray:
        """Return the operator's value, (T * N,); gplearn demands that it be finite."""
        return np.nan_to_num(
            self.operator(*(vector.reshape(self.shape) for vector in vectors)).ravel()
        )


class FlatRankIC:
    """|mean rank IC| over the training weeks, of a flat vector.

    Parameters
    ----------
    window : Window
    settings : MiningSettings
    """

    def __init__(self, window: Window, settings: MiningSettings):
        self.window, self.settings = window, settings

    def __call__(self, labels: np.ndarray, factor: np.ndarray, weights: np.ndarray) -> float:
        """Return the fitness; the labels are the window's own, and weights are not used."""
        panel = factor.reshape(self.window.inputs.close.shape)
        return abs(evaluate_fitness(panel, self.window.training, self.settings.min_coverage).ic)


def symbolic_transformer(
    window: Window, settings: MiningSettings, seed: int, families=None, metric: str = "rank ic"
) -> SymbolicTransformer:
    """Return gplearn's transformer, fitted to a window with our operators and settings.

    Parameters
    ----------
    window : Window
    settings : MiningSettings
        Population, generations, depth of the first trees, probabilities, parsimony.
    seed : int
    families : iterable of str or None
        Operator families; None for all.
    metric : str
        ``rank ic``: ours, over the training weeks. ``spearman``: gplearn's own, one rank
        correlation of all cells.

    Returns
    -------
    SymbolicTransformer
        Its ``_best_programs`` are the ten least correlated of the fifty best; ``transform`` takes
        ``flat(window)``.
    """
    shape = window.inputs.close.shape
    functions = [
        _Function(function=FlatOperator(operator, shape), name=operator.name, arity=operator.arity)
        for operator in operator_set(families)
    ]
    transformer = SymbolicTransformer(
        population_size=settings.population,
        generations=settings.generations,
        hall_of_fame=min(50, settings.population),
        n_components=min(10, settings.population),
        tournament_size=max(settings.tournament, 2),
        function_set=functions,
        metric=metric
        if metric == "spearman"
        else _Fitness(FlatRankIC(window, settings), greater_is_better=True),
        init_depth=settings.init_depth,
        const_range=None,
        parsimony_coefficient=settings.parsimony,
        p_crossover=settings.p_crossover,
        p_subtree_mutation=settings.p_subtree,
        p_hoist_mutation=settings.p_hoist,
        p_point_mutation=settings.p_point,
        p_point_replace=settings.p_point_replace,
        stopping_criteria=1.0,
        feature_names=window.inputs.names,
        random_state=seed,
    )
    labels = forward_returns(window.inputs.close, settings.horizon)
    # labels that look past the training days stay out; our metric reads its own
    labels[window.training.stop :] = np.nan
    return transformer.fit(flat(window), np.nan_to_num(labels).ravel())


def flat(window: Window) -> np.ndarray:
    """Return the window's inputs as gplearn's design matrix, (T * N, K), NaN as zero."""
    return np.nan_to_num(
        np.column_stack([panel.ravel() for panel in window.inputs.values.values()])
    )
