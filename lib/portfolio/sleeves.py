"""Sleeves: how the capital of one class is split inside it, at all decisions at once.

Axes: K decisions, N funds, T sessions. A sleeve is a (K, N) array of weights that sum to one at
each decision, or are all zero where the class has no fund to hold.
"""

from __future__ import annotations

import numpy as np

from lib.models.trend import trend_budgets
from lib.portfolio.budgets import BudgetSolutions, solve_risk_budgets
from lib.portfolio.conventions import SESSIONS_PER_YEAR
from lib.portfolio.covariance import shrunk_covariances
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
        Whether the timing holds dividends.
    slots, dividend_slots : int
        Equal slots, and how many of them dividends may fill.

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
    filled += equal_weights(dividend) * (dividend_slots * holding)[:, None]
    filled += equal_weights(broad) * empty[:, None]
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
        Funds that can be held.

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
    return _normalised(equal_weights(long) + equal_weights(short)), events


def commodity_weights(
    returns: np.ndarray, trend: np.ndarray, available: np.ndarray, steepness: float
) -> tuple[np.ndarray, Events]:
    r"""Split the commodities by risk, the budgets tilted by trend as those of the classes are.

    .. math:: w_i (\Sigma w)_i \propto b_i = \frac{e^{\kappa\,\text{trend}_i}}{\sum_j
    e^{\kappa\,\text{trend}_j}}

    The published weights are neither equal nor in the order of inverse volatility: of two
    commodities of like volatility the one with the better trend weighs more.

    Parameters
    ----------
    returns : array, (K, N, W)
        Daily returns of the covariance window; no NaN where a fund is available.
    trend : array, (K, N)
        Known where a fund is available.
    available : array of bool, (K, N)
        Whether a commodity can be held.
    steepness : float
        :math:`\kappa`.

    Returns
    -------
    weights : array, (K, N)
    events : list of tuple
        Of ``budget_risk``.
    """
    weights = available.astype(float)
    rows = np.flatnonzero(available.sum(axis=1) > 1)
    columns = np.flatnonzero(available.any(axis=0))
    cells = np.ix_(rows, columns)
    if not len(rows):
        return weights, []
    held = available[cells]
    budgets = trend_budgets(np.where(held, trend[cells], np.nan), steepness)
    solutions, events = budget_risk(returns[cells], held, budgets)
    weights[cells] = solutions.weights
    return weights, [(int(rows[row]), event, detail) for row, event, detail in events]


def budget_risk(
    returns: np.ndarray,
    held: np.ndarray,
    budgets: np.ndarray,
    *,
    target_volatility: float | None = None,
    funding: int | None = None,
) -> tuple[BudgetSolutions, Events]:
    """Return the weights of risk budgets under the shrunk covariance of daily returns.

    Parameters
    ----------
    returns : array, (K, M, W)
        Of the funds or classes that share the risk; where one is held it moves and has no NaN.
    held : array of bool, (K, M)
        Assets that may have weight.
    budgets : array, (K, M)
        Each row sums to one over what is held.
    target_volatility : float, optional
        Annualised; weights above it are scaled down.
    funding : int, optional
        Weights below the target take capital from this column, see ``raise_along_ray``.

    Returns
    -------
    solutions : BudgetSolutions, (K, M)
    events : list of tuple
        ``covariance_repaired`` and the fallbacks of the solutions.
    """
    covariances, repaired = shrunk_covariances(np.swapaxes(returns, 1, 2), held, SESSIONS_PER_YEAR)
    solutions = solve_risk_budgets(
        covariances,
        budgets,
        np.zeros(held.shape[1], dtype=int),
        asset_cap=1.0,
        class_cap=1.0,
        target_volatility=target_volatility,
    )
    if funding is not None and target_volatility is not None:
        solutions = raise_along_ray(solutions, covariances, target_volatility, funding)
    named = [(row, name, "") for row, names in enumerate(solutions.fallbacks) for name in names]
    return solutions, _events(repaired, "covariance_repaired") + named


def equal_weights(held: np.ndarray) -> np.ndarray:
    """Return equal weights of the held funds, (K, N); zero where none is held."""
    return held / np.maximum(held.sum(axis=1, keepdims=True), 1)


def _normalised(filled: np.ndarray) -> np.ndarray:
    """Return weights that sum to one, (K, N), zero where nothing is filled."""
    total = filled.sum(axis=1, keepdims=True)
    return np.divide(filled, total, out=np.zeros_like(filled), where=total > 0)


def _events(happened: np.ndarray, event: str, detail: str = "") -> Events:
    """Return an event for each decision at which it happened, (K,)."""
    return [(int(row), event, detail) for row in np.flatnonzero(happened)]
