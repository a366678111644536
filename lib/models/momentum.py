"""Momentum: which assets have been the stronger ones, each measured against its own noise."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.market.errors import ModelError


def momentum(monthly: pd.DataFrame, window: int) -> pd.DataFrame:
    r"""Return each asset's log change over ``window`` months over its volatility, (L, N).

    .. math:: m_{i,t} = \frac{\ln P_{i,t} - \ln P_{i,t-W}}{\sqrt W \operatorname{sd}_W(\Delta \ln
    P_i)}

    Twelve months is the window of Asness, Moskowitz and Pedersen (2013, Value and Momentum
    Everywhere); the scaling lets bonds and oil be ranked together. NaN until the window is full, in
    gaps, and where the price never moved.
    """
    if window < 3:
        raise ModelError(
            f"a momentum of {window} months has no volatility", remedy="take 3 months or more"
        )
    log_price = np.log(monthly)
    noise = log_price.diff().rolling(window).std()
    return (log_price - log_price.shift(window)) / (noise.where(noise > 1e-9) * np.sqrt(window))


def stronger_half(scores: pd.DataFrame) -> pd.DataFrame:
    """Return which assets are in the better half on each date, bool, (K, N).

    Parameters
    ----------
    scores : DataFrame, (K, N)
        Assets with NaN do not count; of an odd number the middle one is in the better half too, and
        of two equal scores the first column ranks higher.
    """
    ranks = scores.rank(axis=1, ascending=False, method="first")
    return ranks.le((scores.notna().sum(axis=1) + 1) // 2, axis=0)
