"""Solvers of the risk-budget problem: Newton's method with an active set, and cvxpy as its reserve.

All functions take problems of one size n at once, stacked along the first axis B, in units of each
asset's volatility: the variables are x = volatility * y and the matrix is the correlation, which
keeps a bond and oil on one scale.
"""

from __future__ import annotations

import warnings

import numpy as np

#: relative change of a variable below which a step is the last one: the error is about its square
STEP_TOLERANCE = 1e-6
#: Newton steps before a problem counts as unsolved; capped problems need 6 on average
MAX_STEPS = 60
#: a step that moves a variable by more than this share is damped (Spinu, 2013)
DAMPED_ABOVE = 0.4
#: a cap counts as exceeded by this share of the capital
CAP_TOLERANCE = 1e-12
#: keeps the equations solvable where active caps imply one another, as four caps of a quarter do
REGULARISATION = 1e-13


def newton(
    correlation: np.ndarray, budgets: np.ndarray, caps: np.ndarray, start: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    r"""Minimise the barrier form of each problem under homogeneous caps.

    .. math:: \min_{x > 0}\ \tfrac12 x^\top C x - \sum_i b_i \ln x_i \quad\text{s.t.}\quad A x \le 0

    Damped Newton steps (Spinu, 2013, An Algorithm for Computing Risk Parity Weights) on the
    equations of an active set of caps. After each step a cap that it exceeds joins the set and one
    whose multiplier is negative leaves. A problem is solved when its set stays and the step is
    tiny; the conditions of Karush, Kuhn and Tucker then hold, and the problem is convex.

    Parameters
    ----------
    correlation : array, (B, n, n)
        Positive definite.
    budgets : array, (B, n)
        Positive, summing to one.
    caps : array, (B, m, n)
        One row per cap; m may be 0.
    start : array, (B, n), optional
        Positive; the square roots of the budgets by default.

    Returns
    -------
    x : array, (B, n)
    solved : bool array, (B,)
    """
    count = len(budgets)
    limits = caps.shape[1]
    x = np.sqrt(budgets) if start is None else start.copy()
    if start is None:
        x /= np.sqrt(np.matmul(np.matmul(x[:, None, :], correlation), x[:, :, None]))[:, :, 0]
    active = _exceeded(caps, x)
    solved = np.zeros(count, dtype=bool)
    remaining: slice | np.ndarray = slice(None)
    for _ in range(MAX_STEPS):
        rows, now, held = caps[remaining], x[remaining], active[remaining]
        step, multipliers = _step(correlation[remaining], budgets[remaining], rows, now, held)
        change = np.abs(step / now).max(axis=1)
        if change.max() > DAMPED_ABOVE:
            step *= np.where(change > DAMPED_ABOVE, 1.0 / (1.0 + change), 1.0)[:, None]
        now = now + step
        x[remaining] = now
        done = change < STEP_TOLERANCE
        if limits:
            updated = np.where(held, multipliers > 0.0, _exceeded(rows, now))
            active[remaining] = updated
            done &= (updated == held).all(axis=1)
        solved[remaining] = done
        if done.all():
            break
        if done.any():
            remaining = np.flatnonzero(~solved)
    return x, solved


def _exceeded(caps: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return which caps (B, m, n) the variables (B, n) exceed, (B, m)."""
    return np.matmul(caps, x[:, :, None])[:, :, 0] > CAP_TOLERANCE


def _step(correlation, budgets, caps, x, active) -> tuple[np.ndarray, np.ndarray]:
    """Return Newton's step (B, n) with the active caps as equations, and their multipliers (B, m);
    the multiplier of a cap that is not active is 0.
    """
    n, limits = x.shape[1], caps.shape[1]
    ratio = budgets / x
    residual = ratio - np.matmul(correlation, x[:, :, None])[:, :, 0]
    if not limits:
        hessian = correlation.copy()
        hessian.reshape(len(x), n * n)[:, :: n + 1] += ratio / x
        return np.linalg.solve(hessian, residual[:, :, None])[:, :, 0], active.astype(float)
    assets = np.arange(n)
    rows = caps * active[:, :, None]
    system = np.zeros((len(x), n + limits, n + limits))
    system[:, :n, :n] = correlation
    system[:, assets, assets] += ratio / x
    system[:, n:, :n] = rows
    system[:, :n, n:] = np.swapaxes(rows, 1, 2)
    border = np.arange(n, n + limits)
    system[:, border, border] = np.where(active, -REGULARISATION, 1.0)
    right = np.concatenate([residual, -np.matmul(rows, x[:, :, None])[:, :, 0]], axis=1)
    solution = np.linalg.solve(system, right[:, :, None])[:, :, 0]
    return solution[:, :n], solution[:, n:]


def conic(
    correlation: np.ndarray, budgets: np.ndarray, caps: np.ndarray, tolerance: float = 1e-10
) -> tuple[np.ndarray | None, str]:
    """Solve one problem by cvxpy and Clarabel.

    Parameters
    ----------
    correlation : array, (n, n)
        Positive definite.
    budgets : array, (n,)
        Positive, sum to one.
    caps : array, (m, n)
        Rows whose product with x may not be positive.
    tolerance : float
        Of feasibility and duality gap.

    Returns
    -------
    x : array, (n,), or None
        None where there is no solution.
    status : str
        ``optimal``, ``optimal_inaccurate``, or why there is none.
    """
    import cvxpy as cp  # takes a second to load, and a report rarely needs it

    x = cp.Variable(len(budgets))
    root = np.linalg.cholesky(correlation).T
    objective = 0.5 * cp.sum_squares(root @ x) - budgets @ cp.log(x)
    problem = cp.Problem(cp.Minimize(objective), [caps @ x <= 0] if len(caps) else [])
    precision = dict.fromkeys(["tol_gap_abs", "tol_gap_rel", "tol_feas"], tolerance)
    try:
        with warnings.catch_warnings():
            # an inaccurate solution shows in the status, which the caller records
            warnings.simplefilter("ignore", UserWarning)
            problem.solve(solver=cp.CLARABEL, **precision)
    except cp.SolverError as error:
        return None, f"failed: {error}"
    if x.value is None or problem.status not in ("optimal", "optimal_inaccurate"):
        return None, problem.status
    return np.maximum(x.value, 0.0), problem.status
