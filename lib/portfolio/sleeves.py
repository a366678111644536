"""Sleeves: how the capital of one class is split inside it, at all decisions at once.

Axes: K decisions, N funds, T sessions. A sleeve is a (K, N) array of weights that sum to one at
each decision, or are all zero where the class has no fund to hold.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.models.trend import trend_budgets
from lib.portfolio.budgets import RiskBudget, risk_budget_weights
from lib.portfolio.conventions import SESSIONS_PER_YEAR
from lib.portfolio.covariance import shrunk_covariance
from lib.portfolio.volatility import raise_along_ray

#: fallbacks and exclusions: (row of the decision, event, detail)
Events = list[tuple[int, str, str]]


def equity_slots(
    scores: np.ndarray,
    roles: np.ndarray,
    available: np.ndarray,
    hold_dividend: np.ndarray,
    slots: int,
    dividend_slots: int,
) -> tuple[np.ndarray, Events]:
    r"""Fill equal slots from the sector view and the dividend timing.

    .. math:: w_i = n_i / n, \qquad n_{\text{dividend}} = d \cdot [\text{timing holds}], \qquad
              n_s = 1 \text{ for the } n - n_{\text{dividend}} \text{ sectors of the highest score}

    Published weights show five equal slots of which dividends hold two. Slots that no sector fills
    go to the broad fund.

    Parameters
    ----------
    scores : array, (K, N)
        Score of the sector that a fund carries; NaN for other funds and without a view. Of equal
        scores the first is taken.
    roles : array of str, (N,)
        ``broad``, ``dividend`` and ``sector`` fill slots; other funds get none.
    available : array of bool, (K, N)
        Whether a fund can be held.
    hold_dividend : array of bool, (K,)
    slots, dividend_slots : int

    Returns
    -------
    weights : array, (K, N)
    events : list of tuple
        ``no_view``, ``dividend_missing``, ``slots_empty``.
    """
    dividend, broad = (available & (roles == role) for role in ("dividend", "broad"))
    holding = hold_dividend & dividend.any(axis=1)
    free = slots - dividend_slots * holding
    ranked = np.where(available & (roles == "sector"), scores, np.nan)
    rank = np.argsort(np.argsort(-ranked, axis=1, kind="stable"), axis=1)
    chosen = np.isfinite(ranked) & (rank < free[:, None])
    empty = free - chosen.sum(axis=1)
    filled = chosen.astype(float)
    filled += _shared(dividend) * (dividend_slots * holding)[:, None]
    filled += _shared(broad) * empty[:, None]
    left = empty * ~broad.any(axis=1)
    events = [
        *_events(hold_dividend & ~holding, "dividend_missing"),
        *_events(~chosen.any(axis=1) & (free > 0), "no_view"),
        *((int(row), "slots_empty", str(left[row])) for row in np.flatnonzero(left)),
    ]
    return _normalised(filled), events


def bond_legs(roles: np.ndarray, available: np.ndarray) -> tuple[np.ndarray, Events]:
    r"""Give the long and the short leg equal capital, shared equally by the funds of a leg.

    .. math:: w_i = \frac{1}{|\mathcal L|\,|\ell(i)|}

    with :math:`\mathcal L` the legs that exist and :math:`\ell(i)` the funds of the leg of fund i.
    Published weights show the two legs equal to the last digit.

    Parameters
    ----------
    roles : array of str, (N,)
        ``long`` and ``short`` are legs; other funds get no capital.
    available : array of bool, (K, N)

    Returns
    -------
    weights : array, (K, N)
    events : list of tuple
        ``leg_missing`` with the name of the leg.
    """
    long, short = (available & (roles == leg) for leg in ("long", "short"))
    events = [
        *_events(~long.any(axis=1), "leg_missing", "long"),
        *_events(~short.any(axis=1), "leg_missing", "short"),
    ]
    return _normalised(_shared(long) + _shared(short)), events


def commodity_weights(
    returns: np.ndarray,
    trend: np.ndarray,
    available: np.ndarray,
    names: np.ndarray,
    steepness: float,
) -> tuple[np.ndarray, Events]:
    r"""Split the commodities by risk, the budgets tilted by trend as those of the classes are.

    .. math:: w_i (\Sigma w)_i \propto b_i = \frac{e^{\kappa\,\text{trend}_i}}{\sum_j
    e^{\kappa\,\text{trend}_j}}

    The published weights are neither equal nor in the order of inverse volatility: of two
    commodities of like volatility the one with the better trend weighs more.

    Parameters
    ----------
    returns : array, (K, N, W)
        Daily returns of the covariance window; NaN at most where a fund is not available.
    trend : array, (K, N)
        Known where a fund is available.
    available : array of bool, (K, N)
        Whether a commodity can be held.
    names : array of str, (N,)
        Symbols, for errors.
    steepness : float
        :math:`\kappa`.

    Returns
    -------
    weights : array, (K, N)
    events : list of tuple
        Of ``budget_risk``.
    """
    weights = available.astype(float)
    events: Events = []
    for row in np.flatnonzero(available.sum(axis=1) > 1):
        held = available[row]
        budgets = trend_budgets(trend[row, held], steepness)
        solved, fallbacks = budget_risk(returns[row, held].T, budgets, names[held])
        weights[row, held] = solved.weights
        events += [(int(row), fallback, "") for fallback in fallbacks]
    return weights, events


def budget_risk(
    returns: np.ndarray,
    budgets: np.ndarray,
    names: np.ndarray,
    *,
    target_volatility: float | None = None,
    raised: bool = False,
) -> tuple[RiskBudget, list[str]]:
    """Return the weights of a risk budget under the shrunk covariance of daily returns.

    Parameters
    ----------
    returns : array, (W, M)
        Of the assets or classes that share the risk; no NaN.
    budgets : array, (M,)
        Positive, summing to one.
    names : array of str, (M,)
        For errors, and to tell which class is ``bond``.
    target_volatility : float, optional
        Annualised; weights above it are scaled down.
    raised : bool
        Weights below the target take capital from bonds, see ``raise_along_ray``.

    Returns
    -------
    solved : RiskBudget
    fallbacks : list of str
        Those of the solver, and ``covariance_repaired``.
    """
    estimate = shrunk_covariance(pd.DataFrame(returns, columns=names), periods=SESSIONS_PER_YEAR)
    solved = risk_budget_weights(
        estimate.matrix, pd.Series(budgets, names), target_volatility=target_volatility
    )
    if raised and target_volatility is not None:
        solved = raise_along_ray(solved, estimate.matrix, target_volatility)
    repaired = ["covariance_repaired"] if estimate.repaired else []
    return solved, [*repaired, *solved.fallbacks]


def _shared(held: np.ndarray) -> np.ndarray:
    """Return equal weights of the held funds, (K, N); zero where none is held."""
    return held / np.maximum(held.sum(axis=1, keepdims=True), 1)


def _normalised(filled: np.ndarray) -> np.ndarray:
    """Return weights that sum to one, (K, N), zero where nothing is filled."""
    total = filled.sum(axis=1, keepdims=True)
    return np.divide(filled, total, out=np.zeros_like(filled), where=total > 0)


def _events(happened: np.ndarray, event: str, detail: str = "") -> Events:
    """Return an event for each decision at which it happened, (K,)."""
    return [(int(row), event, detail) for row in np.flatnonzero(happened)]
