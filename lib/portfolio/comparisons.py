"""Evidence on the global allocation: benchmarks, placebos, standard errors and realised risk."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lib.market.calendar import Week
from lib.market.errors import ModelError
from lib.portfolio.allocation import Allocation, AllocationRules, Allocator, normalised_rows
from lib.portfolio.backtest import Backtest
from lib.portfolio.conventions import DAYS_PER_YEAR, SESSIONS_PER_YEAR
from lib.portfolio.metrics import performance

#: one fund of Chinese equity, one of Chinese bonds
SIXTY_FORTY = {"000300.SH": 0.6, "CN10Y": 0.4}
#: sessions of a quarter
SESSIONS_PER_QUARTER = round(SESSIONS_PER_YEAR / 4)


#: months by which a shifted score lags or leads at least: a yearly change; a yearly change and a
#: regression window
MIN_LAG, MIN_LEAD = 12, 62


def benchmark_portfolios(allocator: Allocator, rules: AllocationRules) -> dict[str, pd.DataFrame]:
    """Return target weights (K, N) of equal weight, inverse volatility and 60/40, rebalanced at the
    same month ends.

    The first two hold the assets that the strategy could hold on the date, the third drops a leg
    that has no value yet; nothing is held before any asset is usable.
    """
    estimates = allocator.estimates(rules.covariance_weeks)
    variances = np.diagonal(estimates.covariances, axis1=1, axis2=2)
    inverse = np.where(estimates.usable, 1.0 / np.sqrt(variances), 0.0)
    values = allocator.values.loc[allocator.decisions]
    legs = pd.Series(SIXTY_FORTY).reindex(values.columns, fill_value=0.0).to_numpy()
    fixed = np.where(values.notna() & estimates.usable.any(axis=1, keepdims=True), legs, 0.0)
    weights = {
        "equal_weight": normalised_rows(estimates.usable.astype(float)),
        "inverse_volatility": normalised_rows(inverse),
        "sixty_forty": fixed,
    }
    return {
        name: pd.DataFrame(rows, values.index, values.columns) for name, rows in weights.items()
    }


def circular_shifts(scores: pd.DataFrame, draws: int) -> dict[int, pd.DataFrame]:
    """Return the scores of the classes moved along time in a circle, keyed by the months of the
    shift.

    A shift keeps what an independent random order loses: how long a class stays on top and how the
    classes move together. Only the dates are wrong: rows after the seam lag by the shift, rows
    before it lead by the rest of the circle. A score holds the yearly change and the regression of
    the months before it, so a short lead would know the coming returns; where the history is long
    enough the shortest lag is twelve months and the shortest lead ``MIN_LEAD`` months. The shifts
    are
    spread evenly between.

    Parameters
    ----------
    scores : DataFrame, (K, C)
        Rows before all classes have a score stay where they are.
    draws : int
        Number of shifts; fewer than the months that can be shifted.

    Raises
    ------
    ModelError
        More shifts than months.
    """
    complete = scores.notna().all(axis=1)
    first = int(complete.argmax()) if complete.any() else len(scores)
    months = len(scores) - first
    lag = min(MIN_LAG, (months - draws) // 2)
    lead = min(MIN_LEAD, months - draws - lag)
    if lag < 1 or lead < 1:
        raise ModelError(
            f"{months} months of scores cannot be shifted in {draws} ways",
            remedy="start earlier or lower placebo_draws",
        )
    shifts = {}
    for shift in np.linspace(lag, months - lead, draws).round().astype(int):
        moved = np.vstack(
            [scores.to_numpy()[:first], np.roll(scores.to_numpy()[first:], shift, axis=0)]
        )
        shifts[int(shift)] = pd.DataFrame(moved, scores.index, scores.columns)
    return shifts


def placebos(
    allocator: Allocator, scores: pd.DataFrame, rules: AllocationRules, draws: int
) -> dict[str, Allocation]:
    """Return allocations whose cycle is wrong: reversed, and shifted in time, ``shifted_<months>``,
    ``draws`` times.

    Parameters
    ----------
    allocator : Allocator
        Assets and decisions.
    scores : DataFrame, (K, C)
        Class scores of the real cycle.
    rules : AllocationRules
        The same for all.
    draws : int
        Circular shifts.
    """
    moved = {
        f"shifted_{months}": shifted for months, shifted in circular_shifts(scores, draws).items()
    }
    return {
        name: allocator.allocate(wrong, rules)
        for name, wrong in ({"reversed": -scores} | moved).items()
    }


def performance_table(runs: Mapping[str, Backtest], week: Week) -> pd.DataFrame:
    """Return one row of performance per backtest up to a week's end, gross.

    ``net_return`` is the annualised return after cost; ``sharpe_error`` the standard error of the
    Sharpe ratio for independent returns (Lo, 2002, The Statistics of Sharpe Ratios).
    """
    rows = {}
    for name, run in runs.items():
        row = performance(run.gross, week)["gross"].drop("week_return")
        returns = run.gross.loc[: week.last].pct_change().iloc[1:]
        years = (returns.index[-1] - run.gross.index[0]).days / DAYS_PER_YEAR
        per_session = returns.mean() / returns.std()
        row["net_return"] = performance(run.net, week).loc["annual_return", "net"]
        row["sharpe_error"] = np.sqrt((1.0 + per_session**2 / 2.0) / years)
        rows[name] = row
    return pd.DataFrame(rows).T


def paired_difference(
    nav: pd.Series,
    other: pd.Series,
    block: int = SESSIONS_PER_QUARTER,
    draws: int = 1000,
    seed: int = 1,
) -> pd.DataFrame:
    """Return by how much one net asset value beats another, with bootstrapped standard errors.

    Blocks of sessions are drawn from both at once, in a circle, so that what the two share cancels
    out and autocorrelation within a block stays (Ledoit and Wolf, 2008, Robust performance
    hypothesis testing with the Sharpe ratio).

    Parameters
    ----------
    nav, other : Series, (T,)
        On the same sessions, without NaN.
    block : int
        Sessions; a quarter spans three rebalancings.
    draws : int
        Bootstrap samples.
    seed : int
        Of the random blocks.

    Returns
    -------
    DataFrame
        Rows ``annual_return`` and ``sharpe``; columns ``difference`` and ``standard_error``.
    """
    pair = pd.concat([nav, other], axis=1)
    years = (pair.index[-1] - pair.index[0]).days / DAYS_PER_YEAR
    returns = pair.pct_change().iloc[1:].to_numpy()
    length = len(returns)
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, length, (draws, -(-length // block)))
    rows = (starts[:, :, None] + np.arange(block)).reshape(draws, -1)[:, :length] % length
    observed = _differences(returns[None], years)[0]
    error = _differences(returns[rows], years).std(axis=0, ddof=1)
    return pd.DataFrame(
        {"difference": observed, "standard_error": error}, ["annual_return", "sharpe"]
    )


def _differences(returns: np.ndarray, years: float) -> np.ndarray:
    """Return differences of annual return and Sharpe ratio between the two columns of each sample,
    (S, T, 2).
    """
    annual = np.expm1(np.log1p(returns).sum(axis=1) / years)
    volatility = returns.std(axis=1, ddof=1) * np.sqrt(returns.shape[1] / years)
    sharpe = annual / volatility
    return np.column_stack([annual[:, 0] - annual[:, 1], sharpe[:, 0] - sharpe[:, 1]])


def realised_risk(
    run: Backtest, classes: pd.Series, since: pd.Timestamp, until: pd.Timestamp
) -> pd.Series:
    r"""Return the share of each class in the variance of the portfolio's returns, (C,).

    .. math:: \frac{\operatorname{cov}(r_k, \sum_j r_j)}{\operatorname{var}(\sum_j r_j)}, \qquad
              r_{k,t} = \frac{\text{profit of class } k \text{ on session } t}{V_{t-1}}

    Parameters
    ----------
    run : Backtest
        The portfolio.
    classes : Series, (N,)
        Class of each symbol.
    since, until : date
        First and last session of the window.
    """
    returns = run.contributions.div(run.gross.shift(1), axis=0).loc[since:until]
    by_class = returns.T.groupby(classes).sum().T
    total = by_class.sum(axis=1)
    return by_class.apply(lambda one: one.cov(total)) / total.var()
