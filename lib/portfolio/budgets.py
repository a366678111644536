"""Risk budgets: weights whose shares of the portfolio's risk are given."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from lib.market.errors import ModelError

#: a budget below this share is none
SMALLEST = 1e-9
SOLVED = ("optimal", "optimal_inaccurate")
#: caps that leave a single point are widened by this share while solving, so that the solver has
# an interior
SLACK = 1e-7


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
    status : str
        The solver's word on the solve that was used, or ``none``.
    fallbacks : tuple of str
        In order: ``scaled_to_target``, ``caps_leave_cash``, ``inverse_volatility``, ``inaccurate``,
        ``previous_weights``; empty for the plain solution.
    """

    weights: pd.Series
    contributions: pd.Series
    volatility: float
    status: str
    fallbacks: tuple[str, ...]


def risk_budget_weights(
    covariance: pd.DataFrame,
    budgets: pd.Series,
    *,
    classes: pd.Series | None = None,
    asset_cap: float = 1.0,
    class_cap: float = 1.0,
    target_volatility: float | None = None,
    previous: pd.Series | None = None,
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
    asset carries its
    budget (Spinu, 2013; Roncalli, 2013, Introduction to Risk Parity and Budgeting). The caps are
    homogeneous in y, so
    the problem stays convex and any feasible point can be scaled. What the volatility target leaves
    over is cash;
    nothing is borrowed to reach it.

    :math:`m = \min(1, \sum_k \min(n_k c, C))` is the largest share that the caps let :math:`n_k`
    assets of each class
    take together. Below one the caps hold all the same and the remainder is cash: a cap is a limit
    of risk, and a limit
    that yields when few assets are held protects least when it is needed most. Raising it to the
    least that can be
    met, :math:`1 / n`, would put everything into a single asset when only one is selected.

    When a solve fails, inverse volatility times budget, cut at the caps, takes its place; when the
    covariance has no
    positive variance, the previous weights. Every fallback is recorded.

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
    previous : Series, optional
        Weights to fall back on.

    Raises
    ------
    ModelError
        Budgets that are missing, negative or do not sum to one; caps or a target that are not
        positive; no way to
        weights and no previous ones.
    """
    budgets = _checked(covariance, budgets, asset_cap, class_cap, target_volatility)
    held = budgets.index[budgets > SMALLEST]
    sigma = covariance.loc[held, held].to_numpy(dtype=float)
    variance = np.diag(sigma)
    fallbacks: list[str] = []
    if np.isfinite(sigma).all() and (variance > 0).all():
        groups = (
            np.zeros(len(held), dtype=int) if classes is None else pd.factorize(classes[held])[0]
        )
        class_cap = 1.0 if classes is None else class_cap
        share = budgets[held].to_numpy()
        invested, status = _capped(sigma, share, groups, asset_cap, class_cap)
        if investable_share(groups, asset_cap, class_cap) < 1.0 - SLACK:
            fallbacks.append("caps_leave_cash")
        if invested is None:
            fallbacks.append("inverse_volatility")
            invested = share / np.sqrt(variance)
            invested = _cut(invested / invested.sum(), groups, asset_cap, class_cap)
        if status == "optimal_inaccurate":
            fallbacks.append("inaccurate")
        volatility = float(np.sqrt(invested @ sigma @ invested))
        if target_volatility is not None and volatility > target_volatility:
            fallbacks.insert(0, "scaled_to_target")
            invested = invested * (target_volatility / volatility)
        weights = pd.Series(0.0, budgets.index)
        weights[held] = invested
        return _result(weights, covariance, status, fallbacks)
    if previous is None:
        raise ModelError(
            "the covariance has no usable variance and there are no previous weights",
            symbol=held[int(np.argmin(np.nan_to_num(variance, nan=-1.0)))],
            remedy="leave the asset out or start later",
        )
    return _result(
        previous.reindex(budgets.index, fill_value=0.0), covariance, "none", ["previous_weights"]
    )


def _checked(covariance, budgets, asset_cap, class_cap, target) -> pd.Series:
    if not budgets.index.equals(covariance.index):
        raise ModelError("budgets and covariance are not of the same assets", remedy="align them")
    if budgets.isna().any() or (budgets < 0).any():
        symbol = budgets.index[budgets.isna() | (budgets < 0)][0]
        raise ModelError(
            "a risk budget is missing or negative",
            symbol=symbol,
            remedy="give a share of 0 or more",
        )
    if abs(budgets.sum() - 1.0) > 1e-6:
        raise ModelError(
            f"risk budgets sum to {budgets.sum():.6f}", remedy="divide them by their sum"
        )
    for name, value in (
        ("asset cap", asset_cap),
        ("class cap", class_cap),
        ("target volatility", target),
    ):
        if value is not None and not value > 0:
            raise ModelError(f"the {name} is {value}", remedy="give a share above zero")
    return budgets


def investable_share(classes: np.ndarray, asset_cap: float, class_cap: float) -> float:
    """Return the largest sum of weights that the caps allow to assets of these classes, (N,); at
    most one.
    """
    counts = np.unique(classes, return_counts=True)[1]
    return min(float(np.minimum(counts * asset_cap, class_cap).sum()), 1.0)


def _capped(sigma, share, groups, asset_cap, class_cap) -> tuple[np.ndarray | None, str]:
    """Return weights within the caps that sum to the investable share, or None, and the solver's
    status.
    """
    room = investable_share(groups, asset_cap, class_cap)
    widened = (1.0 + SLACK) / room
    shares, status = _solve(
        sigma, share, groups, min(asset_cap * widened, 1.0), min(class_cap * widened, 1.0)
    )
    if shares is None:
        return None, status
    return _cut(shares * room, groups, asset_cap, class_cap), status


def _cut(weights: np.ndarray, groups: np.ndarray, asset_cap: float, class_cap: float) -> np.ndarray:
    """Return weights cut at the asset cap, then each class scaled down to its cap; nothing is added
    elsewhere.
    """
    kept = np.minimum(weights, asset_cap)
    totals = np.bincount(groups, kept)[groups]
    return kept * np.minimum(1.0, class_cap / totals)


class _Problem:
    """The convex problem for n assets and a number of caps, compiled once; the data are parameters.

    In units of each asset's volatility, x_i = sigma_i y_i, the covariance becomes the correlation
    and the problem is
    well scaled for a bond beside oil.
    """

    def __init__(self, n: int, rows: int):
        import cvxpy as cp  # takes long to load: a run whose weights are kept does without

        self.x = cp.Variable(n)
        self.root = cp.Parameter((n, n))
        self.budgets = cp.Parameter(n, nonneg=True)
        self.caps = cp.Parameter((rows, n)) if rows else None
        objective = 0.5 * cp.sum_squares(self.root @ self.x) - self.budgets @ cp.log(self.x)
        self.problem = cp.Problem(cp.Minimize(objective), [self.caps @ self.x <= 0] if rows else [])

    def solve(self, root: np.ndarray, budgets: np.ndarray, caps: np.ndarray | None) -> str:
        import cvxpy as cp

        self.root.value, self.budgets.value = root, budgets
        if self.caps is not None:
            self.caps.value = caps
        try:
            with warnings.catch_warnings():
                # an inaccurate solution shows in the status, which becomes a recorded step
                warnings.simplefilter("ignore", UserWarning)
                # a warm start would keep the scaling of the problem before: the same data have to
                # give the same weights
                self.problem.solve(solver=cp.CLARABEL, enforce_dpp=True, warm_start=False)
        except cp.SolverError as error:
            # the caller records the step that follows
            return f"failed: {error}"
        return self.problem.status


@lru_cache(maxsize=64)
def _problem(n: int, rows: int) -> _Problem:
    return _Problem(n, rows)


def _solve(sigma, share, groups, asset_cap, class_cap) -> tuple[np.ndarray | None, str]:
    """Return weights that sum to one, or None, and the solver's status."""
    n = len(share)
    if n == 1:
        return np.ones(1), "optimal"
    deviation = np.sqrt(np.diag(sigma))
    size = 1.0 / deviation
    # x -> size * x are the weights; a cap compares them with the share of their sum
    size = size / size.max()
    member = (groups == np.unique(groups)[:, None]).astype(float)
    caps = np.vstack([np.diag(size) - asset_cap * size, member * size - class_cap * size])
    correlation = sigma / np.outer(deviation, deviation)
    try:
        root = np.linalg.cholesky(correlation).T
    except np.linalg.LinAlgError:
        return None, "covariance not positive definite"
    # caps that do not bind at the optimum without them change nothing: the smaller problem is
    # enough then
    for rows in (None, caps):
        compiled = _problem(n, 0 if rows is None else len(rows))
        status = compiled.solve(root, share, rows)
        if status not in SOLVED or compiled.x.value is None:
            return None, status
        x = np.maximum(compiled.x.value, 0.0)
        if rows is None and (caps @ x <= 1e-9 * (size @ x)).all():
            break
    weights = x * size
    return weights / weights.sum(), status


def _result(
    weights: pd.Series, covariance: pd.DataFrame, status: str, fallbacks: list[str]
) -> RiskBudget:
    values = covariance.to_numpy(dtype=float)
    marginal = np.nan_to_num(values) @ weights.to_numpy()
    variance = float(weights.to_numpy() @ marginal)
    parts = weights * marginal / variance if variance > 0 else weights * np.nan
    return RiskBudget(weights, parts, float(np.sqrt(max(variance, 0.0))), status, tuple(fallbacks))
