"""Volatility control without leverage: a target volatility as a cap, or reached along the ray of
the risk budgets.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from lib.market.errors import ModelError
from lib.portfolio.budgets import RiskBudget

#: relative distance from the target that counts as met
TOLERANCE = 1e-6


def raise_along_ray(
    budget: RiskBudget, covariance: pd.DataFrame, target: float, funding: str = "bond"
) -> RiskBudget:
    r"""Move capital from bonds to all other classes, in the proportions of the risk budget, up to a
    target volatility.

    Risk-budget weights :math:`w` above the target have been scaled down before, with the remainder
    in cash. Below it,

    .. math:: w(x) = w + x\,d, \qquad d_c = \begin{cases} w_c & c \ne \text{bond} \\
              -\sum_{k \ne \text{bond}} w_k & c = \text{bond} \end{cases}

    with the smallest :math:`x \ge 0` for which :math:`w(x)^\top \Sigma\, w(x) = \sigma^{*2}`, as
    long as bonds are
    left. The other classes keep their proportions, so no class is switched on or off; nothing is
    borrowed.

    Parameters
    ----------
    budget : RiskBudget
        Of the classes, already scaled down where it had to be.
    covariance : DataFrame, (C, C)
        In the square of the units of the target.
    target : float
    funding : str
        The class that capital is taken from.

    Returns
    -------
    RiskBudget
        With the fallbacks of the budget, then ``raised_to_target``, or ``no_bonds_left`` where
        the target cannot be reached without leverage.

    Raises
    ------
    ModelError
        A target that is not positive.
    """
    if not target > 0:
        raise ModelError(f"the target volatility is {target}", remedy="give a fraction above zero")
    weights, fallbacks = budget.weights, list(budget.fallbacks)
    sigma = covariance.to_numpy()
    if budget.volatility < target * (1 - TOLERANCE):
        bonds = float(weights.get(funding, 0.0))
        direction = weights.where(weights.index != funding, 0.0)
        moved = float(direction.sum())
        if not (bonds > 0 and moved > 0):
            fallbacks.append("no_bonds_left")
        else:
            direction[funding] = -moved
            step = _step_to(target, weights.to_numpy(), direction.to_numpy(), sigma)
            fallbacks.append("raised_to_target" if step <= bonds / moved else "no_bonds_left")
            weights = (weights + min(step, bonds / moved) * direction).clip(lower=0.0)
    marginal = sigma @ weights.to_numpy()
    variance = float(weights.to_numpy() @ marginal)
    return replace(
        budget,
        weights=weights,
        contributions=weights * marginal / variance,
        volatility=float(np.sqrt(variance)),
        fallbacks=tuple(fallbacks),
    )


def _step_to(target: float, weights: np.ndarray, direction: np.ndarray, sigma: np.ndarray) -> float:
    """Return the positive x for which w + x d has the target volatility, from weights below it."""
    a = direction @ sigma @ direction
    b = weights @ sigma @ direction
    c = weights @ sigma @ weights - target**2
    # c < 0 < a: one root is positive
    return (-b + np.sqrt(b * b - a * c)) / a
