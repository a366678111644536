"""Target weights made from scores."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd


def top_weights(
    scores: pd.DataFrame,
    top: int,
    *,
    too_few: Literal["equal_weight", "hold_fewer"],
    tradable: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return equal weights of the highest scores at each decision.

    Parameters
    ----------
    scores : DataFrame, (K, N)
        Decisions x symbols; a NaN is never held, and of equal scores the first column is.
    top : int
        Symbols held, ``1 / top`` each.
    too_few : {"equal_weight", "hold_fewer"}
        With fewer than ``top`` scores: hold all N symbols in equal weights, scored or not, or share
        the capital among those scored, nothing at all without any.
    tradable : DataFrame of bool, (K', N'), optional
        Symbols that may be held; what it does not list may not.

    Returns
    -------
    DataFrame, (K, N)
        Each row sums to one, or to zero where nothing is held.
    """
    if tradable is not None:
        allowed = tradable.reindex(index=scores.index, columns=scores.columns, fill_value=False)
        scores = scores.where(allowed)
    values = scores.to_numpy(float)
    scored = np.isfinite(values)
    order = np.where(scored, -values, np.inf).argsort(axis=1, kind="stable")
    held = (order.argsort(axis=1) < top) & scored
    weights = held / np.maximum(held.sum(axis=1, keepdims=True), 1)
    if too_few == "equal_weight":
        weights[scored.sum(axis=1) < top] = 1 / values.shape[1]
    return pd.DataFrame(weights, index=scores.index, columns=scores.columns)
