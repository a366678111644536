"""Valuations of indices: price against earnings and book value that follow it slowly."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from lib.market.sample.dates import rng_for, sessions
from lib.market.sample.processes import autoregression, decay


def valuation(symbol: str, close: np.ndarray, seed: int) -> pd.DataFrame:
    """Return daily PE and PB of one index, with the columns of the table ``valuation``.

    Log earnings are the price's exponential mean with a half-life of three years plus slow noise, log book value that
    of five years; so both ratios move one for one with the day's price and return over years. Only prices up to the
    day count.
    """
    rng = rng_for(seed, "valuation", symbol)
    log_price = np.log(close)
    columns = {}
    for field, centre, spread, years, noise in (("pe_ttm", 18.0, 0.4, 3.0, 0.06), ("pb", 1.9, 0.4, 5.0, 0.03)):
        factor = decay(244.0 * years)
        base = lfilter([1.0 - factor], [1.0, -factor], log_price, zi=[factor * log_price[0]])[0]
        usual = np.log(centre) + spread * rng.standard_normal()
        wobble = noise * autoregression(rng.standard_normal(len(close)), decay(120.0))
        columns[field] = np.round(np.exp(usual + log_price - base + wobble), 3)
    return pd.DataFrame({"symbol": symbol, "date": sessions(), **columns})
