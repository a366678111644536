"""Forecast evaluation: forward returns with an execution lag, and rank information coefficients
(IC).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

#: sessions between the close that a score rests on and the close that its return is measured from:
#: a score known after today's close can be traded at tomorrow's close, not at today's
EXECUTION_LAG = 1
#: fewest symbols with a score and a return that give a rank correlation
MIN_PAIRS = 10


def forward_returns(close: np.ndarray, horizon: int, lag: int = EXECUTION_LAG) -> np.ndarray:
    r"""Return the returns over ``horizon`` sessions that begin ``lag`` sessions after each row.

    .. math:: y_{t} = P_{t + \text{lag} + h} / P_{t + \text{lag}} - 1

    Parameters
    ----------
    close : array, (T, N)
        Dates x symbols; NaN where a symbol did not trade.
    horizon : int
        Sessions of the return.
    lag : int
        Sessions between the score and the price that it can be traded at; 0 measures from the
        score's own close.

    Returns
    -------
    array, (T, N)
        NaN on the last ``lag + horizon`` rows and where either price is missing.
    """
    returns = np.full(close.shape, np.nan)
    rows = len(close) - horizon - lag
    if rows > 0:
        returns[:rows] = close[lag + horizon :] / close[lag : lag + rows] - 1.0
    return returns


def rank_ic(scores: np.ndarray, returns: np.ndarray, min_pairs: int = MIN_PAIRS) -> np.ndarray:
    """Return Spearman's correlation across symbols on each date, ties at their mean rank.

    Parameters
    ----------
    scores, returns : array, (K, N)
        NaN where a symbol has none; only symbols with both count.
    min_pairs : int
        Fewest symbols with both.

    Returns
    -------
    array, (K,)
        NaN with fewer pairs, or where scores or returns are constant.
    """
    scores, returns = np.asarray(scores, float), np.asarray(returns, float)
    paired = np.isfinite(scores) & np.isfinite(returns)
    ranks = []
    for values in (scores, returns):
        rank = pd.DataFrame(np.where(paired, values, np.nan)).rank(axis=1).to_numpy()
        centre = (paired.sum(axis=1, keepdims=True) + 1) / 2
        ranks.append(np.where(paired, rank - centre, 0.0))
    covariance = (ranks[0] * ranks[1]).sum(axis=1)
    scale = np.sqrt((ranks[0] ** 2).sum(axis=1) * (ranks[1] ** 2).sum(axis=1))
    usable = (paired.sum(axis=1) >= min_pairs) & (scale > 0)
    return np.where(usable, covariance / np.where(scale > 0, scale, 1.0), np.nan)
