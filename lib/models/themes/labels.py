"""What the learners learn: forward returns ranked within the cross-section."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtri

from lib.market.panel import Panel
from lib.models.forecast_evaluation import forward_returns
from lib.models.themes.features import cs_rank


def blended_labels(
    panel: Panel,
    dates: pd.DatetimeIndex,
    horizons: Sequence[int],
    groups: np.ndarray | None,
    neutral: float,
) -> np.ndarray:
    """Return the mean of the labels of all horizons.

    Labels are returns from the date's own close (lag 0); evidence measures returns from the next
    close on instead, as they can be traded.

    Parameters
    ----------
    panel : Panel, (T, N)
        Gives closes.
    dates : DatetimeIndex, (K,)
        Sessions of the panel.
    horizons : sequence of int
        Sessions of the returns.
    groups, neutral
        As for ``rank_labels``.

    Returns
    -------
    float64 array, (K, N)
        NaN until the returns of all horizons are over, and where the symbol does not trade at
        either end of one.
    """
    close = np.where(panel.mask, panel.fields["close"], np.nan)
    at = panel.dates.get_indexer(dates)
    share = 1.0 / len(horizons)
    return np.sum(
        [
            share * rank_labels(forward_returns(close, horizon, lag=0)[at], groups, neutral)
            for horizon in horizons
        ],
        axis=0,
    )


def rank_labels(returns: np.ndarray, groups: np.ndarray | None, neutral: float) -> np.ndarray:
    """Return normal scores of the ranks of forward returns, (K, N).

    Parameters
    ----------
    returns : float64 array, (K, N)
        NaN where a return is not known.
    groups : int array, (N,), or None
        Sector of each symbol, -1 where unknown.
    neutral : float
        Share of the sector's mean taken from each label: 1 ranks within sectors only.
    """
    scores = ndtri(np.clip(cs_rank(returns).astype(float) + 0.5, 1e-4, 1 - 1e-4))
    if groups is None or not neutral:
        return scores
    out = scores.copy()
    for group in np.unique(groups[groups >= 0]):
        members = scores[:, groups == group]
        count = np.isfinite(members).sum(axis=1, keepdims=True)
        total = np.nansum(members, axis=1, keepdims=True)
        out[:, groups == group] = members - neutral * np.where(
            count > 0, total / np.maximum(count, 1), 0.0
        )
    return out
