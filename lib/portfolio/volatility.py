"""Volatility control without leverage: a target volatility reached from below along the ray of the
risk budgets.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lib.market.errors import ModelError
from lib.portfolio.budgets import BudgetSolutions

#: relative distance from the target that counts as met
TARGET_TOLERANCE = 1e-6


def raise_along_ray(
    solutions: BudgetSolutions, covariances: np.ndarray, target: float, funding: int
) -> BudgetSolutions:
    r"""Move capital from bonds to all other classes, in the proportions of the risk budget, up to a
    target volatility.

    Risk-budget weights :math:`w` above the target have been scaled down before, with the remainder
    in cash. Below it,

    .. math:: w(x) = w + x\,d, \qquad d_c = \begin{cases} w_c & c \ne \text{bond} \\
              -\sum_{k \ne \text{bond}} w_k & c = \text{bond} \end{cases}

    with the smallest :math:`x \ge 0` for which :math:`w(x)^\top \Sigma\, w(x) = \sigma^{*2}`, as
    long as bonds are left. The other classes keep their proportions, so no class is switched on or
    off; nothing is borrowed.

    Parameters
    ----------
    solutions : BudgetSolutions, (K, C)
        Risk budgets of the classes, already scaled down where they had to be.
    covariances : array, (K, C, C)
        In the square of the units of the target; NaN where a class has no weight.
    target : float
        Annualised volatility, a fraction.
    funding : int
        Column of the class that capital is taken from.

    Returns
    -------
    BudgetSolutions
        With ``raised_to_target`` after the other fallbacks, or ``no_bonds_left`` where the target
        cannot be reached without leverage.

    Raises
    ------
    ModelError
        A target that is not positive.
    """
    if not target > 0:
        raise ModelError(f"the target volatility is {target}", remedy="give a fraction above zero")
    below = solutions.volatility < target * (1 - TARGET_TOLERANCE)
    others = np.arange(solutions.weights.shape[1]) != funding
    moved = solutions.weights[:, others].sum(axis=1)
    rows = np.flatnonzero(below & (solutions.weights[:, funding] > 0) & (moved > 0))
    weights, sigma = solutions.weights[rows], np.nan_to_num(covariances[rows])
    direction = np.where(others, weights, -moved[rows, None])
    limit = weights[:, funding] / moved[rows]
    move = _move_to_target(target, weights, direction, sigma)
    fallbacks = list(solutions.fallbacks)
    reached = rows[move <= limit]
    for row in np.flatnonzero(below):
        name = "raised_to_target" if row in reached else "no_bonds_left"
        fallbacks[row] = (*fallbacks[row], name)
    raised = np.maximum(weights + np.minimum(move, limit)[:, None] * direction, 0.0)
    marginal = np.matmul(sigma, raised[:, :, None])[:, :, 0]
    variance = (raised * marginal).sum(axis=1)
    controlled = replace(
        solutions,
        weights=solutions.weights.copy(),
        contributions=solutions.contributions.copy(),
        volatility=solutions.volatility.copy(),
        fallbacks=fallbacks,
    )
    controlled.weights[rows] = raised
    controlled.contributions[rows] = raised * marginal / variance[:, None]
    controlled.volatility[rows] = np.sqrt(variance)
    return controlled


def _move_to_target(
    target: float, weights: np.ndarray, direction: np.ndarray, sigma: np.ndarray
) -> np.ndarray:
    """Return the positive x for which w + x d has the target volatility, from weights below it,
    (K,).
    """
    a, b, c = (
        np.einsum("ki,kij,kj->k", left, sigma, right)
        for left, right in ((direction, direction), (weights, direction), (weights, weights))
    )
    # c - target^2 < 0 < a: one root is positive
    return (-b + np.sqrt(b * b - a * (c - target**2))) / a
