"""Features of the minute bars of one session, those of the published high-frequency branch that
need bars alone.

Each is a number per symbol and session, from that session's minutes: how returns, volume and their
interplay are spread
over the day. Huatai's published list names them; ticks and orders, which the rest of that list
needs, are not free.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

#: sessions with fewer minutes tell too little
LEAST_MINUTES = 120
#: an A-share day, 9:30 to 11:30 and 13:00 to 15:00, by the half hour that a minute ends in
HALF_HOURS = (600, 630, 660, 690, 810, 840, 870, 900)
NAMES = (
    "last_half_hour_skewness",
    "downside_share",
    "autocorrelation",
    "close_next_open_correlation",
    "volume_return_correlation_to_10",
    "volume_amplitude_correlation",
    *(f"volume_share_{place}" for place in range(1, len(HALF_HOURS) + 1)),
)


def session_features(minutes: pd.DataFrame) -> dict[str, float]:
    """Return the features of one symbol's session.

    Parameters
    ----------
    minutes : DataFrame, (M, ...)
        ``time``, ``open``, ``high``, ``low``, ``close``, ``volume`` in the order of time; a time is
        a minute's end.

    Returns
    -------
    dict of name to float
        ``NAMES``; NaN where a statistic is not defined, all NaN with fewer than ``LEAST_MINUTES``
        minutes.
    """
    minutes = minutes[minutes["close"] > 0]
    if len(minutes) < LEAST_MINUTES:
        return dict.fromkeys(NAMES, np.nan)
    clock = (minutes["time"].dt.hour * 60 + minutes["time"].dt.minute).to_numpy()
    close, volume = minutes["close"].to_numpy(), minutes["volume"].fillna(0.0).to_numpy()
    step = np.diff(np.log(close))
    amplitude = (minutes["high"] / minutes["low"] - 1).to_numpy()
    late, early = clock[1:] > HALF_HOURS[-2], clock[1:] <= HALF_HOURS[0]
    squares, total = step**2, volume.sum()
    half_hour = np.searchsorted(HALF_HOURS, clock)
    shares = [
        volume[half_hour == place].sum() / total if total > 0 else np.nan
        for place in range(len(HALF_HOURS))
    ]
    found = (
        _skewness(step[late]),
        squares[step < 0].sum() / squares.sum() if squares.sum() > 0 else np.nan,
        _correlation(step[1:], step[:-1]),
        _correlation(close[:-1], minutes["open"].to_numpy()[1:]),
        _correlation(volume[1:][early], step[early]),
        _correlation(volume, amplitude),
        *shares,
    )
    return dict(zip(NAMES, map(float, found), strict=True))


def intraday_band(
    bars: Iterable[tuple[str, pd.DataFrame]], symbols: pd.Index, dates: pd.DatetimeIndex
) -> dict[str, np.ndarray]:
    """Return each feature by symbol and session, (N, T); NaN where a symbol has no minute bars.

    Parameters
    ----------
    bars : iterable of (symbol, DataFrame)
        One symbol after the other, so that only one symbol's minutes are in memory.
    symbols : Index, (N,)
    dates : DatetimeIndex, (T,)

    Returns
    -------
    dict of name to float64 array
        Empty when there are no minute bars at all.
    """
    band: dict[str, np.ndarray] = {}
    for symbol, minutes in bars:
        row = symbols.get_loc(symbol)
        for day, session in minutes.groupby(minutes["time"].dt.normalize()):
            at = dates.get_indexer([day])[0]
            if at < 0:
                continue
            for name, value in session_features(session).items():
                values = band.setdefault(name, np.full((len(symbols), len(dates)), np.nan))
                values[row, at] = value
    return band


def _skewness(values: np.ndarray) -> float:
    if len(values) < 3:
        return np.nan
    off = values - values.mean()
    spread = np.sqrt((off**2).mean())
    return (off**3).mean() / spread**3 if spread > 1e-12 else np.nan


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < 3:
        return np.nan
    x, y = x[both] - x[both].mean(), y[both] - y[both].mean()
    size = np.sqrt((x**2).sum() * (y**2).sum())
    return (x * y).sum() / size if size > 0 else np.nan
