"""Textbook signals on sectors, without any search: the baseline that a mined score has to beat."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.models.gp.inputs import Inputs
from lib.models.gp.kernels_cross import cs_rank

#: input -> which side is good
TEXTBOOK = {
    "momentum_250_20": 1,
    "residual_return_120": 1,
    "volume_20_120": -1,
    "return_volume_corr_20": -1,
}
#: share of the signals that must have a value for a symbol to be scored
MIN_SIGNALS = 0.5


def textbook_ranks(inputs: Inputs) -> np.ndarray:
    """Return the signed centred ranks across symbols of the signals that the inputs have, (S, T,
    N), NaN where unknown.

    A signal whose field the data lack is left out, as any input is.
    """
    ranks = []
    for name, sign in TEXTBOOK.items():
        if name in inputs.values:
            rank = np.empty_like(inputs.close)
            cs_rank(inputs.values[name], rank)
            ranks.append(sign * (rank - 0.5))
    return np.array(ranks).reshape(-1, *inputs.close.shape)


def textbook_scores(inputs: Inputs) -> pd.DataFrame:
    """Return the equal-weight mean of the signals' ranks.

    Parameters
    ----------
    inputs : Inputs

    Returns
    -------
    DataFrame, (T, N)
        -0.5 worst, 0.5 best; NaN where fewer than half of the four signals have a value.
    """
    ranks = textbook_ranks(inputs)
    valid = np.isfinite(ranks).sum(axis=0)
    mean = np.nan_to_num(ranks).sum(axis=0) / np.maximum(valid, 1)
    enough = valid >= MIN_SIGNALS * len(TEXTBOOK)
    return pd.DataFrame(np.where(enough, mean, np.nan), index=inputs.dates, columns=inputs.symbols)


def residual_scores(scores: pd.DataFrame, inputs: Inputs) -> pd.DataFrame:
    """Return what a score adds to the textbook signals.

    Parameters
    ----------
    scores : DataFrame, (K, N)
        On sessions of the inputs, for their symbols.
    inputs : Inputs

    Returns
    -------
    DataFrame, (K, N)
        Residuals of each session's cross-sectional regression, with a constant, of the score's
        ranks on the signals' ranks; NaN for a symbol that lacks the score or a signal, and on
        sessions with fewer than twice as many symbols as coefficients.
    """
    signals = textbook_ranks(inputs)[:, inputs.dates.get_indexer(scores.index)]
    ranks = scores.rank(axis=1, pct=True).to_numpy() - 0.5
    residuals = np.full(ranks.shape, np.nan)
    for row, rank in enumerate(ranks):
        regressors = np.vstack([np.ones(len(rank)), signals[:, row]])
        complete = np.isfinite(rank) & np.isfinite(regressors).all(axis=0)
        if complete.sum() >= 2 * len(regressors):
            design = regressors[:, complete].T
            slopes = np.linalg.lstsq(design, rank[complete], rcond=None)[0]
            residuals[row, complete] = rank[complete] - design @ slopes
    return pd.DataFrame(residuals, index=scores.index, columns=scores.columns)
