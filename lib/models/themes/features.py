"""Price-volume features of the daily, weekly and monthly bands, ranked across symbols.

Every feature at session t uses bars up to t. Ranks run from -0.5 to 0.5 within the session, so
scale, splits of the
unit and the market's level drop out; NaN stays NaN.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import pandas as pd

from lib.market.panel import Panel
from lib.models.gp.kernels_cross import cs_rank
from lib.models.themes.bands import BANDS, Bars, bars, shifted
from lib.models.themes.kernels import average, co_moments, extremes, moments

#: bars back in each band's normalised window
WINDOW = {"daily": 5, "weekly": 6, "monthly": 6}
#: bars of each band that the recurrent network reads, and what it reads of each bar
SEQUENCE = {"daily": 20, "weekly": 12, "monthly": 6}
CHANNELS = ("return", "range", "volume")
#: sessions over which the numbers of single sessions are averaged
INTRADAY = 20
#: sessions a symbol must have before its features are taken seriously
HISTORY = 60


def log_returns(b: Bars) -> np.ndarray:
    """Return log returns since the last close before, (N, T); NaN on sessions without trade."""
    price = np.log(b.filled)
    return np.where(np.isnan(b.close), np.nan, price - shifted(price, 1))


def market_return(b: Bars) -> np.ndarray:
    """Return the mean log return of all symbols, (T,); NaN where none trades."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an all-NaN session has no market return
        return np.nanmean(log_returns(b), axis=0)


def raw_features(b: Bars, market: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each feature's name and values, (N, T), one after the other so that memory stays low.

    ``market`` is the ``market_return`` of all symbols, (T,), of which ``b`` may be a part: each row
    of a feature
    depends on its own symbol and on the market alone.
    """
    price, step = np.log(b.filled), log_returns(b)
    yield from _windows(price, step)
    yield from _returns(b, price, step)
    yield from _volatility(b, step)
    yield from _volumes(b, step)
    yield from _market(step, market)


def _windows(price, step):
    """Returns of the last bars of each band, in units of the symbol's own volatility."""
    _, spread, _ = moments(step, 60)
    for band, length in BANDS.items():
        for back in range(WINDOW[band]):
            move = shifted(price, back * length) - shifted(price, (back + 1) * length)
            yield f"{band}_bar_{back + 1}", move / (spread * np.sqrt(length))


def _returns(b: Bars, price, step):
    for length in (3, 10, 20, 60, 120, 250):
        yield f"return_{length}", price - shifted(price, length)
    yield "return_250_skip_21", shifted(price, 21) - shifted(price, 250)
    gap = np.log(b.open) - shifted(price, 1)
    inside = np.log(b.close / b.open)
    for length in (5, 20, 60):
        yield f"gap_{length}", average(gap, length)
        yield f"inside_{length}", average(inside, length)
    for length in (20, 60, 250):
        top, _ = extremes(b.high, length)
        _, bottom = extremes(b.low, length)
        yield f"below_high_{length}", b.filled / top
        yield f"above_low_{length}", b.filled / bottom
    place = (b.close - b.low) / np.where(b.high > b.low, b.high - b.low, np.nan)
    for length in (5, 20):
        yield f"close_in_range_{length}", average(place, length)
    top, bottom = extremes(step, 20)
    yield "best_day_20", top
    yield "worst_day_20", bottom
    for length in (20, 60):
        yield f"autocorrelation_{length}", co_moments(step, shifted(step, 1), length)[0]


def _volatility(b: Bars, step):
    reach = np.log(b.high / b.low)
    for length in (5, 10, 20, 60, 120):
        _, spread, skew = moments(step, length)
        yield f"volatility_{length}", spread
        if length in (20, 60):
            yield f"skewness_{length}", skew
    for length in (5, 20, 60):
        yield f"range_{length}", average(reach, length)
    short, long = average(reach, 5), average(reach, 60)
    yield "range_5_to_60", short / long
    down = np.where(step < 0, step**2, np.where(np.isnan(step), np.nan, 0.0))
    for length in (20, 60):
        yield f"downside_share_{length}", average(down, length) / average(step**2, length)


def _volumes(b: Bars, step):
    volume, amount = (
        np.where(b.volume > 0, b.volume, np.nan),
        np.where(b.amount > 0, b.amount, np.nan),
    )
    means = {length: average(volume, length) for length in (5, 20, 60, 250)}
    yield "volume_1_to_20", volume / means[20]
    yield "volume_5_to_20", means[5] / means[20]
    yield "volume_5_to_60", means[5] / means[60]
    yield "volume_20_to_60", means[20] / means[60]
    yield "volume_20_to_250", means[20] / means[250]
    logs = np.log(volume)
    change = logs - shifted(logs, 1)
    for length in (20, 60):
        _, spread, skew = moments(logs, length)
        yield f"volume_dispersion_{length}", spread
        yield f"volume_skewness_{length}", skew
    mean, spread, _ = moments(amount, 20)
    yield "amount_variation_20", spread / mean
    yield "amount_60", average(amount, 60)
    yield "amount_5_to_60", average(amount, 5) / average(amount, 60)
    for length in (10, 20, 60):
        yield f"price_volume_correlation_{length}", co_moments(np.log(b.close), logs, length)[0]
        yield f"return_volume_correlation_{length}", co_moments(step, change, length)[0]
    yield "return_after_volume_20", co_moments(step, shifted(change, 1), 20)[0]
    yield "volume_amplitude_correlation_20", co_moments(logs, np.log(b.high / b.low), 20)[0]
    for length in (20, 60):
        yield f"illiquidity_{length}", average(np.abs(step) / amount, length)
        typical = (b.high + b.low + b.close) / 3
        yield (
            f"above_volume_price_{length}",
            b.close * average(volume, length) / average(typical * volume, length),
        )
    weighed = average(step * volume, 20) / means[20]
    yield "volume_weighted_return_20", weighed
    yield "volume_weighting_gap_20", weighed - average(step, 20)


def _market(step, market):
    """Against the equal-weight market: sensitivity, own volatility, own momentum."""
    market = np.broadcast_to(market, step.shape)
    _, slope = co_moments(step, market, 60)
    yield "beta_60", slope
    own = step - slope * market
    for length in (20, 60):
        mean, spread, skew = moments(own, length)
        yield f"own_volatility_{length}", spread
        yield f"own_return_{length}", mean
        yield f"own_skewness_{length}", skew
    yield "own_return_5", average(own, 5)
    yield "own_return_120_skip_20", shifted(average(own, 100), 20)
    yield "correlation_with_market_60", co_moments(step, market, 60)[0]


def bar_windows(b: Bars) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the bars the recurrent network reads, as ``window_<band>_<channel>_<bars back>``, each
    (N, T).

    Return of the bar, its range over its close, its volume over the mean of 60 sessions.
    """
    price, volume = np.log(b.filled), np.where(b.volume > 0, b.volume, np.nan)
    usual = average(volume, 60)
    for band, length in BANDS.items():
        top, bottom = extremes(b.high, length)[0], extremes(b.low, length)[1]
        values = (
            price - shifted(price, length),
            (top - bottom) / b.filled,
            average(volume, length) / usual,
        )
        for channel, value in zip(CHANNELS, values, strict=True):
            for back in range(1, SEQUENCE[band] + 1):
                yield f"window_{band}_{channel}_{back}", shifted(value, (back - 1) * length)


def ranked(values: np.ndarray) -> np.ndarray:
    """Rank each row to -0.5 .. 0.5, ties by their mean, NaN left out, (K, N) to float32 (K, N)."""
    places = np.empty(values.shape)
    cs_rank(np.where(np.isfinite(values), values, np.nan), places)
    return (places - 0.5).astype(np.float32)


def features(
    panel: Panel,
    dates: pd.DatetimeIndex,
    threads: int = 2,
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
    intraday : mapping of name to array (N, T), optional
        Numbers per symbol and session from minute bars; their means over ``INTRADAY`` sessions come
        first.

    Returns
    -------
    values : float32, (K, N, F)
        Ranks; NaN where a feature is unknown, and for a symbol with fewer than ``HISTORY`` traded
        sessions.
    names : list of str, (F,)
    bars : Bars
    """
    b = bars(panel)
    rows = panel.dates.get_indexer(dates)
    traded = (~np.isnan(b.close)).cumsum(axis=1)[:, rows].T >= HISTORY
    # a share that stood still for four weeks is not scored: its last bars say nothing about now
    lately = np.isfinite(average(b.close, 20)[:, rows].T)
    market = market_return(b)
    parts = []
    for rows_of in np.array_split(np.arange(len(b.close)), threads):
        own = b.of(rows_of)
        parts.append(chain(raw_features(own, market), bar_windows(own) if windows else ()))
    names, columns = [], []
    for name, values in (intraday or {}).items():
        names.append(f"intraday_{name}")
        mean = average(np.ascontiguousarray(values), INTRADAY)[:, rows].T
        columns.append(ranked(np.where(traded & lately, mean, np.nan)))
    with ThreadPoolExecutor(threads) as pool:
        while len(made := [one for one in pool.map(_next, parts) if one]) == len(parts):
            names.append(made[0][0])
            values = np.concatenate([part[:, rows] for _, part in made])
            columns.append(ranked(np.where(traded & lately, values.T, np.nan)))
    return np.stack(columns, axis=2), names, b


def _next(part: Iterator) -> tuple[str, np.ndarray] | None:
    """Return a part's next feature, None after the last; kernels and array arithmetic leave other
    threads running.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return next(part, None)
