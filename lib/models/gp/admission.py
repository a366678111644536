"""Admission: which candidates of a mining enter its library."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lib.models.gp.fitness import Fitness, Target, evaluate_fitness
from lib.models.gp.kernels_cross import cs_rank
from lib.models.gp.mining import Window
from lib.models.gp.programs import Tree
from lib.models.gp.search import Candidate
from lib.models.gp.settings import MiningSettings

#: candidates looked at: the strongest in training
SHORTLIST = 300
#: a share of the variance below this is rounding: the factor is a combination of the others
SINGULAR = 1e-10


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
    factor already in is at most ``max_correlation`` and the variance inflation of no factor, the
    diagonal of the inverse of the factors' mean cross-sectional correlation matrix, rises above
    ``max_vif``.

    Parameters
    ----------
    candidates : list of Candidate
        By falling absolute rank IC in training.
    window : Window
    settings : MiningSettings

    Returns
    -------
    Admission
    """
    weeks = len(window.training.rows)
    # the days of the validation come after the weeks of the training in a candidate's values
    shift = weeks - window.validation.first
    days = slice(window.validation.first, window.validation.stop)
    listed = np.concatenate([np.zeros(weeks, int), window.validation.listed[days]])
    rows = window.validation.rows + shift
    validation_target = Target(rows, window.validation.labels, listed, weeks, len(listed))
    rows = np.concatenate([np.arange(weeks), rows])
    least_training = settings.min_train_t * window.training.null_standard_error
    least_validation = settings.min_validation_t * window.validation.null_standard_error
    shortlist = []
    examined = candidates[:SHORTLIST]
    for candidate in examined:
        training, values = candidate.training, candidate.values
        if abs(training.ic) < least_training or values is None:
            break
        validation = evaluate_fitness(values, validation_target, settings.min_coverage)
        sign = 1 if training.ic > 0 else -1
        if sign * validation.ic >= least_validation and validation.ic != 0:
            strength = abs(training.ic) + abs(validation.ic)
            shortlist.append((strength, sign, candidate, validation, values))
    # a stable sort: equals stay in the order of training
    shortlist.sort(key=lambda entry: -entry[0])
    factors: list[Factor] = []
    profiles = np.empty((settings.max_factors, rows.size * len(window.inputs.symbols)))
    inverse = np.empty((0, 0))
    for _, sign, candidate, validation, values in shortlist:
        if len(factors) == settings.max_factors:
            break
        profile = sign * _profile(values[rows])
        profile /= np.sqrt(profile @ profile)
        # not by BLAS, which would start threads in each of the processes side by side
        correlation = np.einsum("fw,w->f", profiles[: len(factors)], profile)
        if np.abs(correlation).max(initial=0.0) > settings.max_correlation:
            continue
        extended = _extended_inverse(inverse, correlation)
        if extended is None or np.diag(extended).max() > settings.max_vif:
            continue
        inverse = extended
        profiles[len(factors)] = profile
        vif = float(inverse[-1, -1])
        factors.append(Factor(candidate.tree, sign, candidate.training, validation, vif))
    return Admission(factors, len(examined), len(shortlist))


def _extended_inverse(inverse: np.ndarray, correlation: np.ndarray) -> np.ndarray | None:
    """Return the inverse of a correlation matrix with one more row, (F + 1, F + 1).

    Parameters
    ----------
    inverse : float64 array, (F, F)
        Of the matrix so far.
    correlation : float64 array, (F,)
        Of the new factor with the others.

    Returns
    -------
    float64 array or None
        None where the new factor is a combination of the others.
    """
    loadings = inverse @ correlation
    unexplained = 1.0 - correlation @ loadings
    if unexplained < SINGULAR:
        return None
    column = np.append(-loadings, 1.0)
    extended = np.outer(column, column) / unexplained
    extended[:-1, :-1] += inverse
    return extended


def _profile(values: np.ndarray) -> np.ndarray:
    """Return centred unit-length ranks of each row, (W * N,), zero where missing: their products
    are correlations.
    """
    values = np.ascontiguousarray(values)
    ranks = np.empty_like(values)
    cs_rank(values, ranks)
    centred = np.nan_to_num(ranks - 0.5)
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    return np.divide(centred, length, out=np.zeros_like(centred), where=length > 0).ravel()
