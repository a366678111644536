"""Features of one session's minute bars, those of the published high-frequency branch that need
bars alone.

Each is a number per symbol and session: how returns, volume and their interplay are spread over the
day. Huatai's published list names them; ticks and orders, which the rest of that list needs, are
not free.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

#: minutes with a close below which a session has no features: half a day
MIN_MINUTES = 120
#: an A-share day, 9:30 to 11:30 and 13:00 to 15:00, by the half hour that a minute ends in
HALF_HOURS = (600, 630, 660, 690, 810, 840, 870, 900)
#: fewest pairs or values of a correlation or a skewness
MIN_VALUES = 3
INTRADAY_FEATURES = (
    "last_half_hour_skewness",
    "downside_share",
    "autocorrelation",
    "close_next_open_correlation",
    "volume_return_correlation_to_10",
    "volume_amplitude_correlation",
    *(f"volume_share_{number}" for number in range(1, len(HALF_HOURS) + 1)),
)


def session_features(minutes: pd.DataFrame) -> pd.DataFrame:
    """Return the features of one symbol's sessions.

    Parameters
    ----------
    minutes : DataFrame, (M, ...)
        ``time``, ``open``, ``high``, ``low``, ``close``, ``volume`` in the order of time; a time is
        a minute's end.

    Returns
    -------
    DataFrame, (D, 14), indexed by day
        ``INTRADAY_FEATURES``; NaN where a statistic is not defined, all NaN with fewer than
        ``MIN_MINUTES`` minutes.
    """
    minutes = minutes[minutes["close"] > 0]
    days, day = np.unique(minutes["time"].dt.normalize().to_numpy(), return_inverse=True)
    if not len(days):
        return pd.DataFrame(columns=list(INTRADAY_FEATURES), index=pd.DatetimeIndex(days))
    groups = _Groups(day, len(days))
    clock = (minutes["time"].dt.hour * 60 + minutes["time"].dt.minute).to_numpy()
    close, volume = minutes["close"].to_numpy(), minutes["volume"].fillna(0.0).to_numpy()
    returns = np.full(len(day), np.nan)
    returns[1:] = np.where(day[1:] == day[:-1], np.diff(np.log(close)), np.nan)
    amplitude = (minutes["high"] / minutes["low"] - 1).to_numpy()
    is_late, is_early = clock > HALF_HOURS[-2], clock <= HALF_HOURS[0]
    squares = np.nan_to_num(returns) ** 2
    downside = groups.sum(np.where(returns < 0, squares, 0.0))
    features = {
        "last_half_hour_skewness": groups.skewness(np.where(is_late, returns, np.nan)),
        "downside_share": _ratio(downside, groups.sum(squares)),
        "autocorrelation": groups.correlation(returns, groups.previous(returns)),
        "close_next_open_correlation": groups.correlation(
            groups.previous(close), minutes["open"].to_numpy()
        ),
        "volume_return_correlation_to_10": groups.correlation(
            volume, np.where(is_early, returns, np.nan)
        ),
        "volume_amplitude_correlation": groups.correlation(volume, amplitude),
    }
    half_hour, total = np.searchsorted(HALF_HOURS, clock), groups.sum(volume)
    for number in range(len(HALF_HOURS)):
        traded = groups.sum(np.where(half_hour == number, volume, 0.0))
        features[f"volume_share_{number + 1}"] = _ratio(traded, total)
    table = pd.DataFrame(features, index=pd.DatetimeIndex(days))
    table.loc[np.bincount(day, minlength=len(days)) < MIN_MINUTES] = np.nan
    return table


def intraday_band(
    bars: Iterable[tuple[str, pd.DataFrame]], symbols: pd.Index, dates: pd.DatetimeIndex
) -> dict[str, np.ndarray]:
    """Return each feature by symbol and session.

    Parameters
    ----------
    bars : iterable of (symbol, DataFrame)
        Minute bars, one row per minute; one symbol after the other, so that only the minutes of one
        are in memory.
    symbols : Index, (N,)
        Rows of the result.
    dates : DatetimeIndex, (T,)
        Columns of the result.

    Returns
    -------
    dict of name to float64 array, (N, T)
        NaN where a symbol has no minute bars; empty when there are no minute bars at all.
    """
    band: dict[str, np.ndarray] = {}
    for symbol, minutes in bars:
        table = session_features(minutes)
        at = dates.get_indexer(table.index)
        if not (at >= 0).any():
            continue
        for name in INTRADAY_FEATURES:
            values = band.setdefault(name, np.full((len(symbols), len(dates)), np.nan))
            values[symbols.get_loc(symbol), at[at >= 0]] = table[name].to_numpy()[at >= 0]
    return band


class _Groups:
    """Statistics by group of rows; ``codes`` are the groups of the rows, (M,), in order."""

    def __init__(self, codes: np.ndarray, count: int):
        self.codes, self.count = codes, count

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Return the sum of each group."""
        return np.bincount(self.codes, values, self.count)

    def previous(self, values: np.ndarray) -> np.ndarray:
        """Return the value of the row before in the same group, NaN for the first."""
        out = np.full(len(values), np.nan)
        out[1:] = np.where(self.codes[1:] == self.codes[:-1], values[:-1], np.nan)
        return out

    def deviations(self, values: np.ndarray, use: np.ndarray) -> np.ndarray:
        """Return the deviations from the group's mean over the rows in use, 0 elsewhere."""
        count = self.sum(use.astype(float))
        mean = self.sum(np.where(use, values, 0.0)) / np.maximum(count, 1)
        return np.where(use, values - mean[self.codes], 0.0)

    def skewness(self, values: np.ndarray) -> np.ndarray:
        """Return the skewness of each group's finite values, NaN for fewer than three."""
        use = np.isfinite(values)
        count = self.sum(use.astype(float))
        deviation = self.deviations(values, use)
        std = np.sqrt(self.sum(deviation**2) / np.maximum(count, 1))
        third = self.sum(deviation**3) / np.maximum(count, 1)
        is_defined = (count >= MIN_VALUES) & (std > 1e-12)
        return np.where(is_defined, third / np.where(is_defined, std, 1.0) ** 3, np.nan)

    def correlation(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the correlation over each group's rows with both, NaN for fewer than three."""
        use = np.isfinite(x) & np.isfinite(y)
        dx, dy = self.deviations(x, use), self.deviations(y, use)
        scale = np.sqrt(self.sum(dx**2) * self.sum(dy**2))
        is_defined = (self.sum(use.astype(float)) >= MIN_VALUES) & (scale > 0)
        return np.where(is_defined, self.sum(dx * dy) / np.where(is_defined, scale, 1.0), np.nan)


def _ratio(part: np.ndarray, total: np.ndarray) -> np.ndarray:
    return np.where(total > 0, part / np.where(total > 0, total, 1.0), np.nan)
