"""Valuations of indices, from earnings and book values that follow the price slowly."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from lib.market.sample.dates import rng_for, sessions
from lib.market.sample.processes import autoregression, decay


def valuation(symbol: str, close: np.ndarray, seed: int) -> pd.DataFrame:
    """Return daily PE and PB of one index, with the columns of the table ``valuation``.

    Log earnings are the price's exponential mean with a half-life of three years plus slow noise,
    log book value that of five years; so both ratios move one for one with the day's price and
    revert over years. Only prices up to the day are used.

    Parameters
    ----------
    symbol : str
        Of the index.
    close : array, (T,)
        On the sessions; not NaN.
    seed : int
        Of the sample.
    """
    rng = rng_for(seed, "valuation", symbol)
    log_price = np.log(close)
    columns = {}
    for field, centre, dispersion, years, noise in (
        ("pe_ttm", 18.0, 0.4, 3.0, 0.06),
        ("pb", 1.9, 0.4, 5.0, 0.03),
    ):
        factor = decay(244.0 * years)
        start = [factor * log_price[0]]
        fundamental = lfilter([1.0 - factor], [1.0, -factor], log_price, zi=start)[0]
        level = np.log(centre) + dispersion * rng.standard_normal()
        slow_noise = noise * autoregression(rng.standard_normal(len(close)), decay(120.0))
        columns[field] = np.round(np.exp(level + log_price - fundamental + slow_noise), 3)
    return pd.DataFrame({"symbol": symbol, "date": sessions(), **columns})
