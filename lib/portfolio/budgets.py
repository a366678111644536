"""Risk budgets: weights whose shares of the portfolio's risk are given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.market.errors import ModelError
from lib.portfolio.budget_solver import conic, newton

#: a smaller budget counts as zero
SMALLEST_BUDGET = 1e-9
#: weights that sum to less than one by no more than this are fully invested
CASH_TOLERANCE = 1e-7
#: share of the capital by which weights may exceed a cap before the caps count as binding
BINDING = 1e-9


@dataclass(frozen=True)
class RiskBudget:
    """Weights and how they came about.

    Attributes
    ----------
    weights : Series, (N,)
        Between 0 and the caps; their sum falls short of one by the cash that caps and volatility
        target ask for.
    contributions : Series, (N,)
        Shares of the portfolio's variance, summing to one.
    volatility : float
        Of the weights under the covariance, in the units of the covariance.
    fallbacks : tuple of str
        As in ``BudgetSolutions``.
    """

    weights: pd.Series
    contributions: pd.Series
    volatility: float
    fallbacks: tuple[str, ...]


@dataclass(frozen=True)
class BudgetSolutions:
    """Weights of several problems.

    Attributes
    ----------
    weights, contributions : array, (K, N)
        As in ``RiskBudget``; rows without a positive budget are zero.
    volatility : array, (K,)
    fallbacks : list of tuple of str, (K,)
        In this order: ``scaled_to_target``, ``caps_leave_cash``, ``conic_solver`` (Newton's method
        did not converge), ``inaccurate`` (the conic solver's accuracy is reduced) or
        ``inverse_volatility`` (it failed too). Empty for the plain solution.
    """

    weights: np.ndarray
    contributions: np.ndarray
    volatility: np.ndarray
    fallbacks: list[tuple[str, ...]]


def risk_budget_weights(
    covariance: pd.DataFrame,
    budgets: pd.Series,
    *,
    classes: pd.Series | None = None,
    asset_cap: float = 1.0,
    class_cap: float = 1.0,
    target_volatility: float | None = None,
) -> RiskBudget:
    r"""Return long-only weights whose risk contributions follow the budgets, as far as the caps
    allow.

    .. math:: \min_{y > 0}\ \tfrac12 y^\top \Sigma y - \sum_i b_i \ln y_i \quad\text{subject
    to}\quad
              y_i \le \frac{c}{m} \sum_j y_j, \qquad \sum_{i \in k} y_i \le \frac{C}{m} \sum_j y_j,
              \qquad
              w = m\,\frac{y}{\sum_j y_j} \min\!\left(1, \frac{\sigma^*}{\sigma(m\,y / \sum_j
              y_j)}\right)

    Without binding caps the first-order condition :math:`y_i (\Sigma y)_i = b_i` says that each
    asset carries its budget (Spinu, 2013; Roncalli, 2013, Introduction to Risk Parity and
    Budgeting). The caps are homogeneous in y, so the problem stays convex and any feasible point
    can be scaled. What the volatility target leaves over is cash; nothing is borrowed to reach it.

    :math:`m = \min(1, \sum_k \min(n_k c, C))` is the largest share that the caps let :math:`n_k`
    assets of each class take together. Below one the caps hold all the same and the remainder is
    cash: a cap is a limit of risk, and a limit that yields when few assets are held protects least
    when it is needed most. Raising it to the least that can be met, :math:`1 / n`, would put
    everything into a single asset when only one is selected.

    When both solvers fail, inverse volatility times budget, cut at the caps, takes their place.
    Every fallback is recorded.

    Parameters
    ----------
    covariance : DataFrame, (N, N)
        Positive definite.
    budgets : Series, (N,)
        Not negative, summing to one; a zero budget gives a zero weight.
    classes : Series, (N,), optional
        Class of each asset, for ``class_cap``.
    asset_cap, class_cap : float
        Largest weight of one asset and of one class, fractions; the class cap needs ``classes``.
    target_volatility : float, optional
        In the units of the covariance.

    Raises
    ------
    ModelError
        Budgets that are missing, negative or do not sum to one; caps or a target that are not
        positive; an asset with a budget and without a positive variance.
    """
    groups = np.zeros(len(budgets), dtype=int) if classes is None else _codes(budgets, classes)
    _check(covariance, budgets, asset_cap, class_cap, target_volatility)
    solution = solve_risk_budgets(
        covariance.to_numpy(dtype=float)[None],
        budgets.to_numpy(dtype=float)[None],
        groups,
        asset_cap=asset_cap,
        class_cap=1.0 if classes is None else class_cap,
        target_volatility=target_volatility,
    )
    return RiskBudget(
        weights=pd.Series(solution.weights[0], budgets.index),
        contributions=pd.Series(solution.contributions[0], budgets.index),
        volatility=float(solution.volatility[0]),
        fallbacks=solution.fallbacks[0],
    )


def solve_risk_budgets(
    covariances: np.ndarray,
    budgets: np.ndarray,
    groups: np.ndarray,
    *,
    asset_cap: float,
    class_cap: float,
    target_volatility: float | None,
) -> BudgetSolutions:
    """Solve the problem of ``risk_budget_weights`` for several decisions at once.

    Parameters
    ----------
    covariances : array, (K, N, N)
        Positive definite among the assets with a budget; anything elsewhere, NaN too.
    budgets : array, (K, N)
        Not negative, each row summing to one, or to zero where nothing is held.
    groups : int array, (N,)
        Class of each asset, counted from 0.
    asset_cap, class_cap, target_volatility
        As in ``risk_budget_weights``.
    """
    held = budgets > SMALLEST_BUDGET
    members = np.eye(groups.max() + 1)[groups]
    weights = np.zeros(budgets.shape)
    contributions = np.zeros(budgets.shape)
    volatility = np.zeros(len(budgets))
    fallbacks: list[tuple[str, ...]] = [()] * len(budgets)
    counts = held.sum(axis=1)
    for size in sorted(set(counts.tolist()) - {0}):
        rows = np.flatnonzero(counts == size)
        columns = np.nonzero(held[rows])[1].reshape(len(rows), size)
        cells = (rows[:, None], columns)
        covariance = covariances[rows[:, None, None], columns[:, :, None], columns[:, None, :]]
        invested, names = _invested(
            covariance, budgets[cells], members[columns], asset_cap, class_cap
        )
        marginal = np.matmul(covariance, invested[:, :, None])[:, :, 0]
        variance = (invested * marginal).sum(axis=1)
        contributions[cells] = invested * marginal / variance[:, None]
        deviation = np.sqrt(variance)
        scale = np.ones(len(rows))
        if target_volatility is not None:
            scale = np.minimum(1.0, target_volatility / deviation)
        weights[cells] = invested * scale[:, None]
        volatility[rows] = deviation * scale
        for row, solving, factor in zip(rows, names, scale, strict=True):
            fallbacks[row] = ("scaled_to_target", *solving) if factor < 1.0 else solving
    return BudgetSolutions(weights, contributions, volatility, fallbacks)


def investable_share(held: np.ndarray, asset_cap: float, class_cap: float) -> np.ndarray:
    """Return the largest sum of weights that the caps allow, at most one, (K,), from the number of
    assets held in each class, (K, C).

    Parameters
    ----------
    held : int array, (K, C)
        Assets held in each class.
    asset_cap : float
        Largest weight of one asset.
    class_cap : float
        Largest weight of one class.
    """
    return np.minimum(np.minimum(held * asset_cap, class_cap).sum(axis=1), 1.0)


def _codes(budgets: pd.Series, classes: pd.Series) -> np.ndarray:
    """Return the class of each asset as a number from 0 on, (N,)."""
    return pd.factorize(classes.loc[budgets.index])[0]


def _check(covariance, budgets, asset_cap, class_cap, target_volatility) -> None:
    """Raise ModelError for input that has no solution; see ``risk_budget_weights``."""
    if not budgets.index.equals(covariance.index):
        raise ModelError("budgets and covariance are not of the same assets", remedy="align them")
    values = budgets.to_numpy(dtype=float)
    invalid = np.isnan(values) | (values < 0)
    if invalid.any():
        raise ModelError(
            "a risk budget is missing or negative",
            symbol=budgets.index[invalid][0],
            remedy="give a share of 0 or more",
        )
    if abs(values.sum() - 1.0) > 1e-6:
        raise ModelError(
            f"risk budgets sum to {values.sum():.6f}", remedy="divide them by their sum"
        )
    limits = (
        ("asset cap", asset_cap),
        ("class cap", class_cap),
        ("target volatility", target_volatility),
    )
    for name, limit in limits:
        if limit is not None and not limit > 0:
            raise ModelError(f"the {name} is {limit}", remedy="give a share above zero")
    held = values > SMALLEST_BUDGET
    variance = np.diag(covariance.to_numpy(dtype=float))
    unusable = held & ~(np.isfinite(variance) & (variance > 0))
    if unusable.any():
        raise ModelError(
            "an asset with a risk budget has no usable variance",
            symbol=budgets.index[unusable][0],
            remedy="leave the asset out or start later",
        )


def _invested(covariance, budgets, members, asset_cap, class_cap):
    """Return weights (B, n) within the caps that sum to the investable share, and the fallbacks of
    each problem; ``members`` (B, n, C) is 1 where an asset is of a class and 0 elsewhere.
    """
    room = investable_share(members.sum(axis=1), asset_cap, class_cap)
    deviation = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    correlation = covariance / (deviation[:, :, None] * deviation[:, None, :])
    size = deviation.min(axis=1, keepdims=True) / deviation
    # the same caps for weights that sum to one
    limits = np.minimum(np.array([asset_cap, class_cap]) / room[:, None], 1.0)
    x, names = _solved(correlation, budgets, members, size, limits)
    weights = x * size
    weights *= (room / weights.sum(axis=1))[:, None]
    # the solution keeps the caps up to rounding, inverse volatility does not
    weights = np.minimum(weights, asset_cap)
    totals = np.matmul(members, np.matmul(weights[:, None, :], members)[:, 0, :, None])[:, :, 0]
    weights *= np.minimum(1.0, class_cap / totals)
    cash = room < 1.0 - CASH_TOLERANCE
    return weights, [
        ("caps_leave_cash", *solving) if left else solving
        for left, solving in zip(cash, names, strict=True)
    ]


def _solved(
    correlation, budgets, members, size, limits
) -> tuple[np.ndarray, list[tuple[str, ...]]]:
    """Return the variables (B, n) of each problem and the fallbacks that led to them; ``size * x``
    are proportions of the weights, and ``limits`` (B, 2) cap those of an asset and of a class.
    """
    names: list[tuple[str, ...]] = [()] * len(budgets)
    try:
        np.linalg.cholesky(correlation)
        x, solved = newton(correlation, budgets, np.empty((len(budgets), 0, budgets.shape[1])))
        # caps that do not bind at the optimum without them change nothing
        binding = _exceeds(x * size, members, limits)
        if binding.any():
            caps = _cap_rows(members[binding], size[binding], limits[binding])
            x[binding], solved[binding] = newton(
                correlation[binding], budgets[binding], caps, x[binding]
            )
    except np.linalg.LinAlgError:
        # one singular matrix stops the whole stack: each problem is then solved by itself
        x, solved = np.ones(budgets.shape), np.zeros(len(budgets), dtype=bool)
    for row in np.flatnonzero(~solved):
        caps = _cap_rows(members[row][None], size[row][None], limits[row][None])
        x[row], names[row] = _by_fallback(correlation[row], budgets[row], caps[0])
    return x, names


def _exceeds(proportions: np.ndarray, members: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Return which problems have an asset or a class above its limit, bool (B,)."""
    total = proportions.sum(axis=1, keepdims=True)
    by_class = np.matmul(proportions[:, None, :], members)[:, 0]
    asset = proportions.max(axis=1) - limits[:, 0] * total[:, 0]
    group = by_class.max(axis=1) - limits[:, 1] * total[:, 0]
    return np.maximum(asset, group) > BINDING * total[:, 0]


def _cap_rows(members: np.ndarray, size: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Return the caps as rows A of A x <= 0, one per asset and per class, (B, n + C, n)."""
    sizes = size[:, None, :]
    each = np.eye(size.shape[1]) * sizes - limits[:, :1, None] * sizes
    whole = np.swapaxes(members, 1, 2) * sizes - limits[:, 1:, None] * sizes
    return np.concatenate([each, whole], axis=1)


def _by_fallback(correlation, budgets, caps) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the variables (n,) of a problem that Newton's method did not solve, and the fallbacks:
    the conic solver, or where it fails the budgets, which are inverse volatility times budget.
    """
    try:
        x, status = conic(correlation, budgets, caps)
    except np.linalg.LinAlgError:
        x, status = None, "covariance not positive definite"
    if x is None:
        return budgets, ("inverse_volatility",)
    inaccurate = ("inaccurate",) if status == "optimal_inaccurate" else ()
    return x, ("conic_solver", *inaccurate)
