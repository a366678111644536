"""What the learners learn: forward returns ranked within the cross-section."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtri

from lib.market.panel import Panel
from lib.models import forecast_evaluation
from lib.models.themes.features import ranked


def forward_returns(panel: Panel, dates: pd.DatetimeIndex, horizon: int) -> np.ndarray:
    """Return returns over the next ``horizon`` sessions from the date's own close, (K, N): labels
    to learn from.

    Evidence measures returns from the next close on instead, as they can be traded. NaN where a
    return is not over, or
    where the symbol does not trade at either end.
    """
    close = np.where(panel.mask, panel.fields["close"], np.nan)
    return forecast_evaluation.forward_returns(close, horizon, lag=0)[
        panel.dates.get_indexer(dates)
    ]


def labels(
    returns: np.ndarray, groups: np.ndarray | None = None, neutral: float = 0.0
) -> np.ndarray:
    """Turn forward returns into normal scores of their ranks, (K, N).

    Parameters
    ----------
    returns : (K, N)
    groups : int array, (N,), optional
        Sector of each symbol, -1 where unknown.
    neutral : float
        Share of the sector's mean taken from each label: 1 ranks within sectors only.
    """
    scores = ndtri(np.clip(ranked(returns).astype(float) + 0.5, 1e-4, 1 - 1e-4))
    if groups is None or not neutral:
        return scores
    out = scores.copy()
    for group in np.unique(groups[groups >= 0]):
        inside = scores[:, groups == group]
        count = np.isfinite(inside).sum(axis=1, keepdims=True)
        mean = np.where(
            count > 0, np.nansum(inside, axis=1, keepdims=True) / np.maximum(count, 1), 0.0
        )
        out[:, groups == group] = inside - neutral * mean
    return out
