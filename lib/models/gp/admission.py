"""Admission: which candidates of a mining enter its library."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lib.models.gp.evaluation import Evaluator
from lib.models.gp.fitness import Fitness, evaluate_fitness
from lib.models.gp.kernels_cross import cs_rank
from lib.models.gp.mining import Candidate, Window
from lib.models.gp.programs import Tree
from lib.models.gp.settings import MiningSettings

#: candidates looked at: the strongest in training
SHORTLIST = 300


@dataclass(frozen=True)
class Factor:
    """An admitted program.

    Attributes
    ----------
    tree : list
    sign : int
        +1 if high values were followed by high returns in training, else -1.
    training, validation : Fitness
    vif : float
        Variance inflation among the factors of its library, when it was admitted.
    """

    tree: Tree
    sign: int
    training: Fitness
    validation: Fitness
    vif: float


@dataclass(frozen=True)
class Admission:
    """What a mining's candidates came to.

    Attributes
    ----------
    factors : list of Factor
        Possibly empty.
    examined, passed : int
        Candidates looked at, and those of them that reach both bars, before collinearity is looked
        at.
    """

    factors: list[Factor]
    examined: int
    passed: int


def admit(candidates: list[Candidate], window: Window, settings: MiningSettings) -> Admission:
    """Choose factors greedily, the strongest of training and validation together first.

    A candidate passes if its training rank IC reaches ``min_train_t`` standard errors of the
    training weeks and its validation rank IC ``min_validation_t`` of the validation weeks in the
    same direction. It enters if its absolute mean cross-sectional rank correlation with every
    factor already in is at most ``max_correlation`` and no factor's variance inflation, the
    diagonal of the inverse of the factors' mean cross-sectional correlation matrix, rises above
    ``max_vif``.
    """
    evaluator = Evaluator(list(window.inputs.values.values()))
    rows = np.concatenate([window.training.rows, window.validation.rows])
    least_training = settings.min_train_t * window.training.null_standard_error
    least_validation = settings.min_validation_t * window.validation.null_standard_error
    shortlist = []
    examined = candidates[:SHORTLIST]
    for candidate in examined:
        training = candidate.training
        if abs(training.ic) < least_training:
            break
        value = evaluator(candidate.tree)
        validation = evaluate_fitness(value, window.validation, settings.min_coverage)
        sign = 1 if training.ic > 0 else -1
        if sign * validation.ic >= least_validation and validation.ic != 0:
            shortlist.append(
                (abs(training.ic) + abs(validation.ic), sign, candidate, validation, value[rows])
            )
    # a stable sort: equals stay in the order of training
    shortlist.sort(key=lambda entry: -entry[0])
    factors: list[Factor] = []
    profiles = np.empty((0, rows.size * len(window.inputs.symbols)))
    for _, sign, candidate, validation, value in shortlist:
        if len(factors) == settings.max_factors:
            break
        profile = sign * _profile(value)
        trial = np.vstack([profiles, profile])
        correlation = trial @ trial.T
        scale = np.sqrt(np.diag(correlation))
        correlation /= np.outer(scale, scale)
        if len(factors) and np.abs(correlation[-1, :-1]).max() > settings.max_correlation:
            continue
        inflation = np.diag(np.linalg.pinv(correlation, hermitian=True))
        if inflation.max() > settings.max_vif:
            continue
        profiles = trial
        factors.append(
            Factor(candidate.tree, sign, candidate.training, validation, float(inflation[-1]))
        )
    return Admission(factors, len(examined), len(shortlist))


def _profile(value: np.ndarray) -> np.ndarray:
    """Return centred unit-length ranks of each row, (W * N,), zero where missing: their products
    are correlations.
    """
    value = np.ascontiguousarray(value)
    ranks = np.empty_like(value)
    cs_rank(value, ranks)
    centred = np.nan_to_num(ranks - 0.5)
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    return np.divide(centred, length, out=np.zeros_like(centred), where=length > 0).ravel()
