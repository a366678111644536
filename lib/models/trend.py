"""Trend: how strongly an asset has been rising, on one bounded scale for all assets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.market.errors import ModelError


def trend_strength(
    closes: pd.DataFrame, windows: Sequence[int] = (20, 60, 120, 250), volatility_window: int = 60
) -> pd.DataFrame:
    r"""Return the trend of each asset as the mean of bounded, volatility-scaled log returns.

    For a window of :math:`L` sessions the log return is measured in standard deviations of a random
    walk without drift,

    .. math:: z_{t,L} = \frac{\ln P_t - \ln P_{t-L}}{\sigma_t \sqrt L}, \qquad
              \text{trend}_t = \frac1{|\mathcal L_t|} \sum_{L \in \mathcal L_t} \tanh z_{t,L},

    with :math:`\mathcal L_t` the windows that the asset's own history fills at t: a young asset has
    a trend from the
    shortest window on, and longer windows join as they fill. A bond and a stock index have one
    scale, and no single
    window or jump dominates (time-series momentum scaled by volatility: Moskowitz, Ooi and
    Pedersen, 2012, Journal of
    Financial Economics 104).

    Parameters
    ----------
    closes : DataFrame, (T, N)
        Total-return closes, dates x symbols; NaN before an asset exists or where it did not trade.
    windows : sequence of int
        Look-backs in sessions.
    volatility_window : int
        Sessions of the rolling standard deviation :math:`\sigma_t` of daily log returns.

    Returns
    -------
    DataFrame, (T, N)
        Between -1 and 1. NaN until the shortest window and the volatility's are full, on days
        without a price, and
        where the price has not moved at all (no volatility, no trend). Uses data up to each date
        only.

    Raises
    ------
    ModelError
        No window, a window below two sessions, or a price that is not positive.
    """
    if not len(windows) or min(*windows, volatility_window, volatility_window) < 2:
        raise ModelError(
            "trend windows must be two sessions or more",
            remedy="set windows such as [20, 60, 120, 250]",
        )
    if (closes <= 0).any(axis=None):
        symbol = closes.columns[(closes <= 0).any()][0]
        date = closes.index[closes[symbol] <= 0][0]
        raise ModelError(
            "a price is not positive",
            symbol=symbol,
            date=f"{date:%Y-%m-%d}",
            remedy="repair the series",
        )
    # a suspended day has no return of its own: the price is carried so that windows count sessions,
    # not quotes
    log_price = np.log(closes.ffill().where(closes.notna().cumsum() > 0))
    volatility = log_price.diff().rolling(volatility_window).std()
    volatility = volatility.where(volatility > 1e-12)
    total = pd.DataFrame(0.0, closes.index, closes.columns)
    filled = total.copy()
    for window in windows:
        bounded = np.tanh((log_price - log_price.shift(window)) / (volatility * np.sqrt(window)))
        total += bounded.fillna(0.0)
        filled += bounded.notna()
    return (total / filled.where(filled > 0)).where(closes.notna())


def trend_budgets(trend: pd.Series, steepness: float = 1.0) -> pd.Series:
    r"""Map class trends to class risk budgets, monotone and never zero.

    .. math:: b_c = \frac{e^{\kappa\,\text{trend}_c}}{\sum_k e^{\kappa\,\text{trend}_k}}

    A class at full uptrend carries :math:`e^{2\kappa}` times the risk of one at full downtrend;
    with
    :math:`\kappa = 0` all classes carry the same.

    Parameters
    ----------
    trend : Series, (C,)
        Trend of each class between -1 and 1; classes with NaN get no budget.
    steepness : float
        :math:`\kappa \ge 0`.

    Returns
    -------
    Series, (C,)
        Risk budgets that sum to one; zero where the trend is unknown.

    Raises
    ------
    ModelError
        A negative steepness, or no class with a known trend.
    """
    if steepness < 0:
        raise ModelError(
            f"steepness is {steepness}, a stronger trend would get less",
            remedy="set steepness >= 0",
        )
    if trend.isna().all():
        raise ModelError("no class has a trend", remedy="start later or shorten the trend windows")
    weight = np.exp(steepness * (trend - trend.max()))
    return (weight / weight.sum()).fillna(0.0)
