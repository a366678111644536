"""Trend: how strongly an asset has been rising, on one bounded scale for all assets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.market.errors import ModelError

#: sessions of the volatility that a trend is measured in: a quarter, long enough for a stable
#: estimate and short enough to follow a change of regime
VOLATILITY_WINDOW = 60
#: daily log returns that scatter by less do not move: the rest is rounding
SMALLEST_VOLATILITY = 1e-12


def trend_strength(closes: pd.DataFrame, windows: Sequence[int]) -> pd.DataFrame:
    r"""Return the trend of each asset as the mean of bounded, volatility-scaled log returns.

    For a window of :math:`L` sessions the log return is measured in standard deviations of a random
    walk without drift,

    .. math:: z_{t,L} = \frac{\ln P_t - \ln P_{t-L}}{\sigma_t \sqrt L}, \qquad
              \text{trend}_t = \frac1{|\mathcal L_t|} \sum_{L \in \mathcal L_t} \tanh z_{t,L},

    with :math:`\sigma_t` the standard deviation of 60 daily log returns and :math:`\mathcal L_t`
    the windows that the asset's own history fills at t: a young asset has a trend from the shortest
    window on, and longer windows join as they fill. A bond and a stock index have one scale, and no
    single window or jump dominates (time-series momentum scaled by volatility: Moskowitz, Ooi and
    Pedersen, 2012, Journal of Financial Economics 104).

    Parameters
    ----------
    closes : DataFrame, (T, N)
        Total-return closes, dates x symbols; NaN before an asset exists or where it did not trade.
    windows : sequence of int
        Look-backs in sessions.

    Returns
    -------
    DataFrame, (T, N)
        Between -1 and 1. NaN until the shortest window and the volatility's are full, on days
        without a price, and where the price has not moved at all (no volatility, no trend). Uses
        data up to each date only.

    Raises
    ------
    ModelError
        No window, a window below two sessions, or a price that is not positive.
    """
    if not len(windows) or min(windows) < 2:
        raise ModelError(
            "trend windows must be two sessions or more",
            remedy="set windows such as [20, 60, 120, 250]",
        )
    prices = closes.to_numpy(dtype=float)
    if (prices <= 0).any():
        row, column = np.argwhere(prices <= 0)[0]
        raise ModelError(
            "a price is not positive",
            symbol=closes.columns[column],
            date=f"{closes.index[row]:%Y-%m-%d}",
            remedy="repair the series",
        )
    # a suspended day has no return of its own: the price is carried so that windows count sessions,
    # not quotes
    filled = np.log(closes.ffill())
    volatility = filled.diff().rolling(VOLATILITY_WINDOW).std().to_numpy()
    volatility = np.where(volatility > SMALLEST_VOLATILITY, volatility, np.nan)
    log_price = filled.to_numpy()
    total, count = np.zeros(prices.shape), np.zeros(prices.shape)
    for window in windows:
        change = log_price[window:] - log_price[:-window]
        bounded = np.tanh(change / (volatility[window:] * np.sqrt(window)))
        finite = np.isfinite(bounded)
        total[window:] += np.where(finite, bounded, 0.0)
        count[window:] += finite
    trend = np.where((count > 0) & np.isfinite(prices), total / np.maximum(count, 1), np.nan)
    return pd.DataFrame(trend, closes.index, closes.columns)


def trend_budgets(trend: np.ndarray, steepness: float) -> np.ndarray:
    r"""Map the trends of classes to risk budgets, monotone and never zero.

    .. math:: b_c = \frac{e^{\kappa\,\text{trend}_c}}{\sum_k e^{\kappa\,\text{trend}_k}}

    A class at full uptrend carries :math:`e^{2\kappa}` times the risk of one at full downtrend;
    with :math:`\kappa = 0` all classes carry the same.

    Parameters
    ----------
    trend : array, (..., C)
        Trend of each class between -1 and 1, such as one row per decision; NaN where unknown.
    steepness : float
        :math:`\kappa \ge 0`.

    Returns
    -------
    array, (..., C)
        Risk budgets that sum to one over the classes; zero where the trend is unknown.

    Raises
    ------
    ModelError
        A negative steepness, or a row in which no class has a trend.
    """
    if steepness < 0:
        raise ModelError(
            f"steepness is {steepness}, a stronger trend would get less",
            remedy="set steepness >= 0",
        )
    if np.isnan(trend).all(axis=-1).any():
        raise ModelError("no class has a trend", remedy="start later or shorten the trend windows")
    tilt = np.nan_to_num(np.exp(steepness * (trend - np.nanmax(trend, axis=-1, keepdims=True))))
    return tilt / tilt.sum(axis=-1, keepdims=True)
