"""Inputs over windows of months: momentum, market-relative returns, risk, volume trends and
price-volume correlations.

The operators of a formula look back 60 sessions at most. What is known about sectors beyond that,
such as twelve-month momentum or volume against its half-year mean, is therefore an input. All
functions return (T, N) and take

Parameters
----------
close, open_, high, low, volume, values : float64 array, (T, N)
    Dates x symbols; NaN gives NaN in every window that has it.
window, short, long, skip : int
    Sessions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from lib.models.gp.operators import WINDOWED, Operator

#: sessions before the slowest input has a value
SLOWEST = 250
#: sessions of the regression on the market
BETA_WINDOW = 120


def _rolling(family: str, window: int, *panels: np.ndarray) -> np.ndarray:
    arity, kernel, _ = WINDOWED[family]
    return Operator(family, arity, kernel, (window,))(*panels)


def _lag(panel: np.ndarray, sessions: int) -> np.ndarray:
    lagged = np.full(panel.shape, np.nan)
    lagged[sessions:] = panel[:-sessions] if sessions else panel
    return lagged


def daily_returns(close: np.ndarray) -> np.ndarray:
    """Return close(t) / close(t-1) - 1, (T, N); NaN on the first row."""
    return close / _lag(close, 1) - 1


def market_returns(close: np.ndarray) -> np.ndarray:
    """Return the equal-weight mean of the symbols' returns, repeated for every symbol, (T, N)."""
    returns = daily_returns(close)
    finite = np.isfinite(returns)
    mean = np.where(finite, returns, 0.0).sum(axis=1) / np.where(
        finite.any(axis=1), finite.sum(axis=1), np.nan
    )
    return np.ascontiguousarray(np.broadcast_to(mean[:, None], returns.shape))


def momentum(close: np.ndarray, window: int, skip: int = 0) -> np.ndarray:
    """Return the return from ``window`` to ``skip`` sessions ago, (T, N)."""
    return _lag(close, skip) / _lag(close, window) - 1


def beta(close: np.ndarray, window: int = BETA_WINDOW) -> np.ndarray:
    """Return the slope of each symbol's returns on the market's, (T, N)."""
    returns, market = daily_returns(close), market_returns(close)
    return _rolling("ts_cov", window, returns, market) / _rolling("ts_std", window, market) ** 2


def residual_return(close: np.ndarray, window: int) -> np.ndarray:
    r"""Return the market-residual return over its own noise.

    .. math:: \frac{\sum_{s} e_s}{\sqrt n \, \mathrm{sd}(e)}, \quad e_s = r_s - \beta_t m_s, \quad s
    = t - n + 1 \dots t

    Parameters
    ----------
    close : float64 array, (T, N)
    window : int
        :math:`n`; the slope :math:`\beta_t` is that of the last ``BETA_WINDOW`` sessions.
    """
    returns, market, slope = daily_returns(close), market_returns(close), beta(close)
    total = _rolling("ts_sum", window, returns) - slope * _rolling("ts_sum", window, market)
    variance = (
        _rolling("ts_std", window, returns) ** 2
        - 2 * slope * _rolling("ts_cov", window, returns, market)
        + (slope * _rolling("ts_std", window, market)) ** 2
    )
    noise = np.sqrt(np.where(variance > 0, variance, np.nan))
    return total / (noise * np.sqrt(window))


def volatility(close: np.ndarray, window: int) -> np.ndarray:
    """Return the standard deviation of the daily returns, (T, N)."""
    return _rolling("ts_std", window, daily_returns(close))


def volatility_ratio(close: np.ndarray, short: int, long: int) -> np.ndarray:
    """Return the short volatility over the long one, less one."""
    return volatility(close, short) / volatility(close, long) - 1


def sharpe(close: np.ndarray, window: int) -> np.ndarray:
    """Return the mean daily return over its standard deviation, (T, N)."""
    return _rolling("ts_mean", window, daily_returns(close)) / volatility(close, window)


def skewness(close: np.ndarray, window: int) -> np.ndarray:
    """Return the skewness of the daily returns, (T, N)."""
    return _rolling("ts_skew", window, daily_returns(close))


def mean_ratio(values: np.ndarray, short: int, long: int) -> np.ndarray:
    """Return the short mean over the long one, less one."""
    return _rolling("ts_mean", short, values) / _rolling("ts_mean", long, values) - 1


def amplitude_ratio(
    high: np.ndarray, low: np.ndarray, close: np.ndarray, short: int, long: int
) -> np.ndarray:
    """Return the mean daily range, as a share of the previous close, over its longer mean, less
    one.
    """
    return mean_ratio((high - low) / _lag(close, 1), short, long)


def price_volume_corr(close: np.ndarray, volume: np.ndarray, window: int) -> np.ndarray:
    """Return the correlation of close and volume, (T, N)."""
    return _rolling("ts_corr", window, close, volume)


def return_volume_corr(close: np.ndarray, volume: np.ndarray, window: int) -> np.ndarray:
    """Return the correlation of the daily return and the relative change of volume, (T, N)."""
    return _rolling("ts_corr", window, daily_returns(close), volume / _lag(volume, 1) - 1)


def high_distance(close: np.ndarray, window: int) -> np.ndarray:
    """Return the close over its highest close, less one, (T, N): zero at a new high."""
    return close / _rolling("ts_max", window, close) - 1


def overnight_return(open_: np.ndarray, close: np.ndarray, window: int) -> np.ndarray:
    """Return the mean return from the previous close to the open, (T, N)."""
    return _rolling("ts_mean", window, open_ / _lag(close, 1) - 1)


def close_in_range(high: np.ndarray, low: np.ndarray, close: np.ndarray, window: int) -> np.ndarray:
    """Return the mean position of the close in the day's range, (T, N): 0 at the low, 1 at the
    high.
    """
    height = high - low
    return _rolling("ts_mean", window, (close - low) / np.where(height > 0, height, np.nan))


#: input -> (fields it needs, how it is made)
SLOW_RECIPES: dict[str, tuple[tuple[str, ...], Callable]] = {
    "momentum_20": (("close",), partial(momentum, window=20)),
    "momentum_60": (("close",), partial(momentum, window=60)),
    "momentum_120_20": (("close",), partial(momentum, window=120, skip=20)),
    "momentum_250_20": (("close",), partial(momentum, window=250, skip=20)),
    "residual_return_20": (("close",), partial(residual_return, window=20)),
    "residual_return_120": (("close",), partial(residual_return, window=120)),
    "beta_120": (("close",), beta),
    "sharpe_250": (("close",), partial(sharpe, window=250)),
    "volatility_20": (("close",), partial(volatility, window=20)),
    "volatility_120": (("close",), partial(volatility, window=120)),
    "volatility_20_120": (("close",), partial(volatility_ratio, short=20, long=120)),
    "skew_60": (("close",), partial(skewness, window=60)),
    "volume_5_60": (("volume",), partial(mean_ratio, short=5, long=60)),
    "volume_20_120": (("volume",), partial(mean_ratio, short=20, long=120)),
    "volume_60_250": (("volume",), partial(mean_ratio, short=60, long=250)),
    "amplitude_20_60": (("high", "low", "close"), partial(amplitude_ratio, short=20, long=60)),
    "price_volume_corr_20": (("close", "volume"), partial(price_volume_corr, window=20)),
    "return_volume_corr_20": (("close", "volume"), partial(return_volume_corr, window=20)),
    "return_volume_corr_60": (("close", "volume"), partial(return_volume_corr, window=60)),
    "high_distance_60": (("close",), partial(high_distance, window=60)),
    "high_distance_250": (("close",), partial(high_distance, window=250)),
    "overnight_return_20": (("open", "close"), partial(overnight_return, window=20)),
    "close_in_range_20": (("high", "low", "close"), partial(close_in_range, window=20)),
}
