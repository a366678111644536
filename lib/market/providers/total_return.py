"""Total-return prices from raw and adjusted prices, for either method of adjustment.

Eastmoney adds past dividends to the prices instead of scaling them, so percentage changes of its
adjusted prices are wrong; Yahoo scales. With both, the difference or the ratio of the two prices
jumps on the day of a payment. A factor is chained forward from these jumps alone, so a later
payment never rewrites an earlier price.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.market.providers.client import ProviderError
from lib.market.schema import PRICES

#: rounding of a price, in its own unit
TICK = 0.001
#: number of days, or share of the days, that may have an event
MAX_EVENTS = 2
MAX_EVENT_SHARE = 0.05
#: a jump larger than this (log) is not a dividend
MAX_DIVIDEND = 0.2
#: a raw price that moves by more than this share without an adjustment was split
MIN_SPLIT = 0.45


def to_total_return(
    raw: pd.DataFrame,
    adjusted: pd.Series,
    stored: pd.DataFrame,
    symbol: str,
    allow_reverse_split: bool = True,
) -> pd.DataFrame:
    r"""Turn raw bars into total-return bars that continue the stored ones.

    With raw closes :math:`P_t`, adjusted closes :math:`A_t` and jumps
    :math:`D_t = \Delta(A_t - P_t)` (additive) or
    :math:`G_t = \frac{A_t / P_t}{A_{t-1} / P_{t-1}}` (proportional), the factor grows by
    :math:`(P_t + D_t) / P_t` or :math:`G_t`. Differences that rounding explains are ignored.

    Parameters
    ----------
    raw : DataFrame, (T, ...)
        Bars of one symbol, oldest first.
    adjusted : Series, (T,)
        Adjusted closes of the same rows; NaN only where the raw close is NaN.
    stored : DataFrame
        Stored bars of the symbol, with the columns of ``bars``; the factor is set so that the
        closes agree with them, or to 1 at the first row.
    symbol : str
        Named in errors.
    allow_reverse_split : bool
        Units may be merged, so that a rise without an adjustment may be a reverse split that was
        left out. Shares are not merged, and rise by as much when trading resumes without a limit.

    Raises
    ------
    ProviderError
        The adjustment is neither additive nor proportional, leaves out a split, or lacks a day.
    """
    close = raw["close"].to_numpy()
    adjusted_close = adjusted.to_numpy()
    is_adjusted = np.isfinite(adjusted_close) & (adjusted_close > 0)
    unknown = np.isfinite(close) & ~is_adjusted
    if unknown.any():  # a payment on such a day would be lost
        day = raw["date"].iloc[int(np.argmax(unknown))]
        raise ProviderError("an adjusted price is missing", symbol=symbol, date=f"{day:%Y-%m-%d}")
    growth = np.ones(len(close))
    if len(close) > 1:
        growth[1:] = _growth(close, adjusted_close, symbol)
    change = close[1:] * growth[1:] / close[:-1] - 1.0
    if not allow_reverse_split:
        change = np.minimum(change, 0.0)
    is_split = np.abs(change) > MIN_SPLIT
    if is_split.any():
        day = raw["date"].iloc[1 + int(np.argmax(is_split))]
        raise ProviderError(
            "the price jumps as in a split that the adjustment leaves out",
            symbol=symbol,
            date=f"{day:%Y-%m-%d}",
            remedy="the next provider is asked; or bring the series through a folder",
        )
    factor = np.cumprod(growth)
    return rescale_to_stored(_scaled(raw, factor), stored)


def rescale_to_stored(bars: pd.DataFrame, stored: pd.DataFrame) -> pd.DataFrame:
    """Scale bars of a symbol to the level of the stored ones, by the median over common days."""
    return _scaled(bars, _level(bars, stored))


def _scaled(bars: pd.DataFrame, factor: np.ndarray | float) -> pd.DataFrame:
    return bars.assign(**{field: bars[field] * factor for field in PRICES})


def _growth(close: np.ndarray, adjusted: np.ndarray, symbol: str) -> np.ndarray:
    """Return the growth of the factor on each row after the first, (T - 1,)."""
    difference = np.diff(adjusted - close)
    log_ratio = np.diff(np.log(adjusted / close))
    lowest = np.minimum(close, adjusted)
    rounding = 2.0 * TICK / np.minimum(lowest[1:], lowest[:-1])
    added = np.abs(difference) > 1.5 * TICK
    scaled = np.abs(log_ratio) > rounding
    max_events = max(MAX_EVENTS, MAX_EVENT_SHARE * len(close))
    # a jump on few days by either reading is a dividend, on which the two readings agree, or a
    # split, which is a factor
    split = added.sum() <= max_events and np.abs(log_ratio).max() > MAX_DIVIDEND
    if scaled.sum() <= max_events and (added.sum() > max_events or split):
        return np.where(scaled, np.exp(log_ratio), 1.0)
    if added.sum() <= max(scaled.sum(), max_events):
        return np.where(added, 1.0 + difference / close[1:], 1.0)
    message = "raw and adjusted prices differ neither by a sum nor by a factor"
    raise ProviderError(message, symbol=symbol)


def _level(bars: pd.DataFrame, stored: pd.DataFrame) -> float:
    """Return the factor from bars to stored ones; 1 without common days or a difference."""
    if not len(stored):
        return 1.0
    dates = bars["date"].to_numpy()
    _, rows, stored_rows = np.intersect1d(dates, stored["date"].to_numpy(), return_indices=True)
    ratio = stored["close"].to_numpy()[stored_rows] / bars["close"].to_numpy()[rows]
    ratio = ratio[np.isfinite(ratio)]
    if not len(ratio):
        return 1.0
    level = float(np.median(ratio))
    return 1.0 if abs(level - 1.0) < 1e-9 else level
