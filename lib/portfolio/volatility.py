"""Volatility control without leverage: risk budgets are brought near a target from above and from below."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.market.errors import ModelError
from lib.portfolio.budgets import RiskBudget

#: relative distance from the target that counts as met
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Controlled:
    """Class weights after the control: ``weights`` (C,), ``contributions`` (C,), ``volatility`` and ``steps``."""

    weights: pd.Series
    contributions: pd.Series
    volatility: float
    steps: tuple[str, ...]


def toward_target(
    budget: RiskBudget, covariance: pd.DataFrame, trend: pd.Series, target: float, funding: str = "bond"
) -> Controlled:
    r"""Move capital from bonds to the rising classes until the target volatility is met.

    Risk-budget weights :math:`w` above the target have been scaled down before, the rest held as cash. Below it,

    .. math:: w(x) = w + x\,d, \qquad d_c = \begin{cases} w_c & c \in \mathcal U \\ -\sum_{k \in \mathcal U} w_k &
              c = \text{bond} \\ 0 & \text{otherwise} \end{cases}, \qquad
              \mathcal U = \{c \ne \text{bond} : \text{trend}_c > 0\}

    with the smallest :math:`x \ge 0` for which :math:`w(x)^\top \Sigma\, w(x) = \sigma^{*2}`, as long as bonds are
    left. Nothing is borrowed, and a class that falls is never held beyond its risk budget.

    Parameters
    ----------
    budget : RiskBudget
        Of the classes, already scaled down where it had to be.
    covariance : DataFrame, (C, C)
        In the square of the units of the target.
    trend : Series, (C,)
    target : float
    funding : str
        The class that pays.

    Returns
    -------
    Controlled
        Steps: those of the budget, and ``raised_to_target``, ``no_class_rises`` or ``no_bonds_left``; the last two
        say that the target could not be reached without leverage.

    Raises
    ------
    ModelError
        A target that is not positive.
    """
    if not target > 0:
        raise ModelError(f"the target volatility is {target}", remedy="give a fraction above zero")
    weights, steps = budget.weights, list(budget.steps)
    sigma = covariance.to_numpy()
    if budget.volatility < target * (1 - TOLERANCE):
        names = weights.index
        rising = (trend.reindex(names) > 0) & (names != funding) & (weights > 0)
        bonds = float(weights.get(funding, 0.0))
        if not rising.any() or bonds <= 0:
            steps.append("no_class_rises" if bonds > 0 else "no_bonds_left")
        else:
            direction = weights.where(rising, 0.0)
            moved = float(direction.sum())
            direction[funding] = -moved
            d, w = direction.to_numpy(), weights.to_numpy()
            a, b, c = d @ sigma @ d, w @ sigma @ d, budget.volatility**2 - target**2
            # c < 0 < a: one root is positive
            x = (-b + np.sqrt(b * b - a * c)) / a
            steps.append("raised_to_target" if x <= bonds / moved else "no_bonds_left")
            weights = (weights + min(x, bonds / moved) * direction).clip(lower=0.0)
    marginal = sigma @ weights.to_numpy()
    variance = float(weights.to_numpy() @ marginal)
    return Controlled(weights, weights * marginal / variance, float(np.sqrt(variance)), tuple(steps))
