"""Momentum: which assets have been the stronger ones, each measured against its own noise."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.market.errors import ModelError


def momentum(monthly: pd.DataFrame, window: int = 12) -> pd.DataFrame:
    r"""Return each asset's log change over ``window`` months over its volatility, (L, N).

    .. math:: m_{i,t} = \frac{\ln P_{i,t} - \ln P_{i,t-W}}{\sqrt W \operatorname{sd}_W(\Delta \ln
    P_i)}

    Twelve months is the window of Asness, Moskowitz and Pedersen (2013, Value and Momentum
    Everywhere); the scaling
    lets bonds and oil be ranked together. NaN until the window is full, in gaps, and where the
    price never moved.
    """
    if window < 3:
        raise ModelError(
            f"a momentum of {window} months has no volatility", remedy="take 3 months or more"
        )
    log_price = np.log(monthly)
    noise = log_price.diff().rolling(window).std()
    return (log_price - log_price.shift(window)) / (noise.where(noise > 1e-9) * np.sqrt(window))


def stronger_half(scores: pd.Series) -> pd.Index:
    """Return the better half of the assets that have a score, best first; of an odd number the
    middle one too.
    """
    known = scores.dropna().sort_values(ascending=False, kind="stable")
    return known.index[: (len(known) + 1) // 2]
