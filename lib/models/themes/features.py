"""Price-volume features of the daily, weekly and monthly bands, ranked across symbols.

Every feature at session t uses bars up to t. Ranks run from -0.5 to 0.5 within the session, so
scale, splits of the unit and the market's level drop out; NaN stays NaN.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import pandas as pd

from lib.market.panel import Panel
from lib.models.gp import kernels_cross
from lib.models.themes.bands import BANDS, Bars, columns_at, lag, panel_bars
from lib.models.themes.kernels import (
    rolling_corr_beta,
    rolling_max_min,
    rolling_mean,
    rolling_moments,
)

#: bars back whose returns are features, by band
RETURN_BARS = {"daily": 5, "weekly": 6, "monthly": 6}
#: bars back that the recurrent network reads, by band, and what it reads of each bar
GRU_BARS = {"daily": 20, "weekly": 12, "monthly": 6}
GRU_CHANNELS = ("return", "range", "volume")
#: sessions over which the features of single sessions' minute bars are averaged
INTRADAY_SESSIONS = 20
#: sessions a symbol must have traded before it has features
MIN_HISTORY = 60

Feature = tuple[str, np.ndarray]


def log_returns(bars: Bars) -> np.ndarray:
    """Return log returns since the last close before, (N, T); NaN on sessions without trade."""
    log_price = np.log(bars.filled)
    return np.where(np.isnan(bars.close), np.nan, log_price - lag(log_price, 1))


def market_return(bars: Bars) -> np.ndarray:
    """Return the mean log return of all symbols, (T,); NaN where none trades."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an all-NaN session has no market return
        return np.nanmean(log_returns(bars), axis=0)


def raw_features(bars: Bars, market: np.ndarray, at: np.ndarray) -> Iterator[Feature]:
    """Yield each feature's name and values, (N, K), one by one so that memory stays low.

    Parameters
    ----------
    bars : Bars, (N, T)
        Of all symbols or some: each row of a feature depends on its own symbol and the market.
    market : float64 array, (T,)
        ``market_return`` of all symbols.
    at : int64 array, (K,)
        Sessions at which the features are computed.
    """
    log_price, returns = np.log(bars.filled), log_returns(bars)
    yield from _bar_returns(log_price, returns, at)
    yield from _returns(bars, log_price, returns, at)
    yield from _volatility(bars, returns, at)
    yield from _volumes(bars, returns, at)
    yield from _market(returns, market, at)


def _bar_returns(log_price: np.ndarray, returns: np.ndarray, at: np.ndarray) -> Iterator[Feature]:
    """Yield returns of the last bars of each band, in units of the symbol's own volatility."""
    _, std, _ = rolling_moments(returns, 60, at)
    for band, length in BANDS.items():
        for back in range(RETURN_BARS[band]):
            end = at - back * length
            bar_return = columns_at(log_price, end) - columns_at(log_price, end - length)
            yield f"{band}_bar_{back + 1}", bar_return / (std * np.sqrt(length))


def _returns(
    bars: Bars, log_price: np.ndarray, returns: np.ndarray, at: np.ndarray
) -> Iterator[Feature]:
    """Yield returns over windows, overnight and intraday, and the close within its past range."""
    now = columns_at(log_price, at)
    for length in (3, 10, 20, 60, 120, 250):
        yield f"return_{length}", now - columns_at(log_price, at - length)
    yield (
        "return_250_skip_21",
        columns_at(log_price, at - 21) - columns_at(log_price, at - 250),
    )
    overnight = np.log(bars.open) - lag(log_price, 1)
    intraday = np.log(bars.close / bars.open)
    for length in (5, 20, 60):
        yield f"overnight_return_{length}", rolling_mean(overnight, length, at)
        yield f"intraday_return_{length}", rolling_mean(intraday, length, at)
    close = columns_at(bars.filled, at)
    for length in (20, 60, 250):
        yield f"close_to_high_{length}", close / rolling_max_min(bars.high, length, at)[0]
        yield f"close_to_low_{length}", close / rolling_max_min(bars.low, length, at)[1]
    day_range = np.where(bars.high > bars.low, bars.high - bars.low, np.nan)
    close_in_range = (bars.close - bars.low) / day_range
    for length in (5, 20):
        yield f"close_in_range_{length}", rolling_mean(close_in_range, length, at)
    highest, lowest = rolling_max_min(returns, 20, at)
    yield "max_return_20", highest
    yield "min_return_20", lowest
    for length in (20, 60):
        yield (
            f"autocorrelation_{length}",
            rolling_corr_beta(returns, lag(returns, 1), length, at)[0],
        )


def _volatility(bars: Bars, returns: np.ndarray, at: np.ndarray) -> Iterator[Feature]:
    """Yield volatility, skewness, ranges and the downside share of variance."""
    log_range = np.log(bars.high / bars.low)
    for length in (5, 10, 20, 60, 120):
        _, std, skew = rolling_moments(returns, length, at)
        yield f"volatility_{length}", std
        if length in (20, 60):
            yield f"skewness_{length}", skew
    ranges = {length: rolling_mean(log_range, length, at) for length in (5, 20, 60)}
    for length, mean_range in ranges.items():
        yield f"range_{length}", mean_range
    yield "range_5_to_60", ranges[5] / ranges[60]
    squares = returns**2
    downside = np.where(returns < 0, squares, np.where(np.isnan(returns), np.nan, 0.0))
    for length in (20, 60):
        variance = rolling_mean(squares, length, at)
        yield f"downside_share_{length}", rolling_mean(downside, length, at) / variance


def _volumes(bars: Bars, returns: np.ndarray, at: np.ndarray) -> Iterator[Feature]:
    """Yield turnover, its dispersion, and how volume goes with price and return."""
    volume = np.where(bars.volume > 0, bars.volume, np.nan)
    amount = np.where(bars.amount > 0, bars.amount, np.nan)
    means = {length: rolling_mean(volume, length, at) for length in (5, 20, 60, 250)}
    yield "volume_1_to_20", columns_at(volume, at) / means[20]
    yield "volume_5_to_20", means[5] / means[20]
    yield "volume_5_to_60", means[5] / means[60]
    yield "volume_20_to_60", means[20] / means[60]
    yield "volume_20_to_250", means[20] / means[250]
    log_volume = np.log(volume)
    change = log_volume - lag(log_volume, 1)
    for length in (20, 60):
        _, std, skew = rolling_moments(log_volume, length, at)
        yield f"volume_dispersion_{length}", std
        yield f"volume_skewness_{length}", skew
    mean, std, _ = rolling_moments(amount, 20, at)
    yield "amount_variation_20", std / mean
    amount_60 = rolling_mean(amount, 60, at)
    yield "amount_60", amount_60
    yield "amount_5_to_60", rolling_mean(amount, 5, at) / amount_60
    log_close = np.log(bars.close)
    for length in (10, 20, 60):
        by_price = rolling_corr_beta(log_close, log_volume, length, at)[0]
        yield f"price_volume_correlation_{length}", by_price
        yield (
            f"return_volume_correlation_{length}",
            rolling_corr_beta(returns, change, length, at)[0],
        )
    yield "return_after_volume_20", rolling_corr_beta(returns, lag(change, 1), 20, at)[0]
    amplitude = np.log(bars.high / bars.low)
    yield "volume_amplitude_correlation_20", rolling_corr_beta(log_volume, amplitude, 20, at)[0]
    typical_price = (bars.high + bars.low + bars.close) / 3
    close = columns_at(bars.close, at)
    for length in (20, 60):
        yield f"illiquidity_{length}", rolling_mean(np.abs(returns) / amount, length, at)
        traded_value = rolling_mean(typical_price * volume, length, at)
        yield f"close_to_vwap_{length}", close * means[length] / traded_value
    weighted_return = rolling_mean(returns * volume, 20, at) / means[20]
    yield "volume_weighted_return_20", weighted_return
    yield "volume_weighted_excess_20", weighted_return - rolling_mean(returns, 20, at)


def _market(returns: np.ndarray, market: np.ndarray, at: np.ndarray) -> Iterator[Feature]:
    """Yield beta to the equal-weight market, and idiosyncratic volatility, return and skewness."""
    market = np.broadcast_to(market, returns.shape)
    every = np.arange(returns.shape[1])
    correlation, beta = rolling_corr_beta(returns, market, 60, every)
    yield "beta_60", columns_at(beta, at)
    idiosyncratic = returns - beta * market
    for length in (20, 60):
        mean, std, skew = rolling_moments(idiosyncratic, length, at)
        yield f"idio_volatility_{length}", std
        yield f"idio_return_{length}", mean
        yield f"idio_skewness_{length}", skew
    yield "idio_return_5", rolling_mean(idiosyncratic, 5, at)
    yield "idio_return_120_skip_20", rolling_mean(idiosyncratic, 100, at - 20)
    yield "correlation_with_market_60", columns_at(correlation, at)


def bar_windows(bars: Bars, at: np.ndarray) -> Iterator[Feature]:
    """Yield the bars that the recurrent network reads, ``window_<band>_<channel>_<bars back>``.

    Return of the bar, its range over its close, its volume over the mean of 60 sessions, (N, K)
    each.
    """
    log_price, volume = np.log(bars.filled), np.where(bars.volume > 0, bars.volume, np.nan)
    for band, length in BANDS.items():
        for channel in GRU_CHANNELS:
            for back in range(1, GRU_BARS[band] + 1):
                end = at - (back - 1) * length
                match channel:
                    case "return":
                        value = columns_at(log_price, end) - columns_at(log_price, end - length)
                    case "range":
                        high = rolling_max_min(bars.high, length, end)[0]
                        low = rolling_max_min(bars.low, length, end)[1]
                        value = (high - low) / columns_at(bars.filled, end)
                    case "volume":
                        usual = rolling_mean(volume, 60, end)
                        value = rolling_mean(volume, length, end) / usual
                yield f"window_{band}_{channel}_{back}", value


def cs_rank(values: np.ndarray) -> np.ndarray:
    """Return ranks across each row from -0.5 to 0.5, (K, N) to float32 (K, N).

    Ties have their mean rank; NaN and infinite values are left out and stay NaN.
    """
    ranks = np.empty(values.shape)
    kernels_cross.cs_rank(np.where(np.isfinite(values), values, np.nan), ranks)
    return (ranks - 0.5).astype(np.float32)


def features(
    panel: Panel,
    dates: pd.DatetimeIndex,
    threads: int,
    windows: bool = False,
    intraday: Mapping[str, np.ndarray] | None = None,
) -> tuple[np.ndarray, list[str], Bars]:
    """Compute all features on some sessions.

    Parameters
    ----------
    panel : Panel, (T, N)
        All six fields.
    dates : DatetimeIndex, (K,)
        Sessions of the panel.
    threads : int
        Each takes a share of the symbols; no result depends on it.
    windows : bool
        Whether to add the bars of ``bar_windows`` after the features.
    intraday : mapping of name to float64 array (N, T), optional
        Numbers per symbol and session from minute bars; their means over ``INTRADAY_SESSIONS``
        come first.

    Returns
    -------
    values : float32 array, (K, N, F)
        Ranks; NaN where a feature is unknown, and for a symbol with fewer than ``MIN_HISTORY``
        traded sessions or none in the last four weeks.
    names : list of str, (F,)
    bars : Bars, (N, T)
    """
    bars = panel_bars(panel)
    at = panel.dates.get_indexer(dates).astype(np.int64)
    has_history = (~np.isnan(bars.close)).cumsum(axis=1)[:, at].T >= MIN_HISTORY
    # a share suspended for four weeks is not scored: its last bars say nothing about now
    is_scored = has_history & np.isfinite(rolling_mean(bars.close, 20, at).T)
    market = market_return(bars)
    generators = []
    for rows in np.array_split(np.arange(len(bars.close)), threads):
        part = bars.take(rows)
        generators.append(
            chain(raw_features(part, market, at), bar_windows(part, at) if windows else ())
        )
    names, columns = [], []
    for name, values in (intraday or {}).items():
        names.append(f"intraday_{name}")
        mean = rolling_mean(np.ascontiguousarray(values), INTRADAY_SESSIONS, at).T
        columns.append(cs_rank(np.where(is_scored, mean, np.nan)))
    with ThreadPoolExecutor(threads) as pool:
        while True:
            parts = [part for part in pool.map(_next, generators) if part is not None]
            if not parts:
                break
            names.append(parts[0][0])
            values = np.concatenate([part[1] for part in parts])
            columns.append(cs_rank(np.where(is_scored, values.T, np.nan)))
    return np.stack(columns, axis=2), names, bars


def _next(generator: Iterator[Feature]) -> Feature | None:
    """Return a generator's next feature, None after the last."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return next(generator, None)
