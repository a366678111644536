"""Cycle scores: the change that a class's cycles let each asset expect for the next month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.market.errors import ModelError
from lib.models.cycles import SHORTEST_MONTHS, cycle_factors, yearly_change


@dataclass(frozen=True)
class CycleScores:
    """Expected changes at each decision.

    Attributes
    ----------
    assets : DataFrame, (K, N)
        fitted(t+1) - fitted(t) of each asset's yearly change; NaN without enough history.
    classes : DataFrame, (K, C)
        Mean over the assets of the class that have one.
    """

    assets: pd.DataFrame
    classes: pd.DataFrame


def class_index(monthly: pd.DataFrame) -> pd.Series:
    """Return the equal-weight index of a class from month-end values, (L,), rebalanced monthly.

    Each month averages the log changes of the assets that have one; leading months without any are
    left out.
    """
    log_change = np.log(monthly).diff().mean(axis=1)
    log_change = log_change[log_change.notna().cummax()]
    if log_change.isna().any():
        date = log_change.index[log_change.isna()][0]
        raise ModelError(
            "no asset of a class has a value in this month",
            date=f"{date:%Y-%m-%d}",
            remedy="complete the series of one of them, or start the class after the gap",
        )
    return np.exp(log_change.cumsum())


def expected_change(change: np.ndarray, factors: np.ndarray, window: int) -> np.ndarray:
    r"""Return the change that the next month should bring, (N,).

    Each asset's yearly change over the last ``window`` months is regressed on its class's factors,

    .. math:: y_{i,s} = \alpha_i + \sum_k \beta_{i,k} F_{k,s} + \varepsilon_{i,s}, \qquad
              \text{score}_i = \hat y_{i,t+1} - \hat y_{i,t} = \sum_k \beta_{i,k} (F_{k,t+1} -
              F_{k,t}).

    Parameters
    ----------
    change : array, (L, N)
        Yearly changes up to t; an asset with a gap in the window gets NaN.
    factors : array, one row more than ``change``, (L', K)
        Filtered series with one month of forecast.
    window : int
        Months of the regression.
    """
    if len(factors) != len(change) + 1:
        raise ModelError("factors need one month of forecast", remedy="filter with horizon = 1")
    if window <= factors.shape[1] + 1 or len(change) < window:
        raise ModelError(
            f"a window of {window} months cannot be regressed on {factors.shape[1]} factors and"
            f" {len(change)} months",
            remedy="take a window of 24 months or more, and start later",
        )
    target = change[-window:]
    complete = np.isfinite(target).all(axis=0)
    design = np.column_stack([np.ones(window), factors[-window - 1 : -1]])
    # factors of a short window are nearly collinear with each other: lstsq by SVD, as statsmodels'
    # pinv
    slopes = np.linalg.lstsq(design, np.where(complete, target, 0.0), rcond=1e-15)[0][1:]
    return np.where(complete, (factors[-1] - factors[-2]) @ slopes, np.nan)


def cycle_scores(
    monthly: pd.DataFrame,
    classes: pd.Series,
    decisions: pd.DatetimeIndex,
    periods: Sequence[int],
    width: float,
    window: int,
) -> CycleScores:
    """Filter and regress at every decision with what was known then.

    Parameters
    ----------
    monthly : DataFrame, (L, N)
        Month-end values of the assets.
    classes : Series, (N,)
        Class of each asset.
    decisions : DatetimeIndex, (K,)
        Month ends among the rows of ``monthly``.
    periods : sequence of int
        Months of the cycles.
    width : float
        Width of the Gaussian window in bins.
    window : int
        Months of the regression.

    Returns
    -------
    CycleScores
        A class without 60 months of yearly changes has NaN until then.
    """
    invalid = decisions.difference(monthly.index)
    if len(invalid):
        raise ModelError(
            "a decision is not a month end",
            date=f"{invalid[0]:%Y-%m-%d}",
            remedy="decide at month ends",
        )
    change = yearly_change(monthly)
    scores = np.full((len(decisions), monthly.shape[1]), np.nan)
    for members in (classes.index[classes == name] for name in classes.unique()):
        level_change = yearly_change(class_index(monthly[members])).dropna()
        member_change = change.loc[level_change.index, members].to_numpy()
        class_change = level_change.to_numpy()
        columns = monthly.columns.get_indexer(members)
        for row, stop in enumerate(level_change.index.searchsorted(decisions, side="right")):
            if stop >= max(SHORTEST_MONTHS, window):
                factors = cycle_factors(class_change[:stop], periods, width, horizon=1)
                scores[row, columns] = expected_change(member_change[:stop], factors, window)
    assets = pd.DataFrame(scores, decisions, monthly.columns)
    by_class = {
        name: assets[classes.index[classes == name]].mean(axis=1) for name in classes.unique()
    }
    return CycleScores(assets, pd.DataFrame(by_class))
