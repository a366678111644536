"""Dividend timing: when the equity sleeve holds the dividend slot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.market.errors import ModelError

#: signal -> sign: +1 where a rising input speaks for dividend shares
SIGNS = {"relative_momentum": 1, "term_spread": -1, "repo_volume": 1}
#: sessions of moves that define the usual size of one, twelve months; half of it is enough to start
NOISE_WINDOW, FEWEST_MOVES = 250, 125


@dataclass(frozen=True)
class DividendTiming:
    """The timing of the dividend slot on each session.

    Attributes
    ----------
    hold : Series of bool, (T,)
        True where the sum of the signals is positive.
    signals : DataFrame, (T, K)
        Each used signal as -1, 0 or 1; 0 until its window is full.
    missing : tuple of str
        Documented signals for which there were no data.
    """

    hold: pd.Series
    signals: pd.DataFrame
    missing: tuple[str, ...]


def dividend_timing(
    inputs: Mapping[str, pd.Series | None], dates: pd.DatetimeIndex, window: int, band: float
) -> DividendTiming:
    r"""Add up the three published signals; those without data are left out and named.

    Each input :math:`x` (log ratio of dividend to all-share index; 10-year minus 1-year yield;
    interbank repo volume) votes with the direction of its last move, measured against its own
    noise:

    .. math:: s_t = \pm\operatorname{sign}\!\left(m_t\right)\,[\,|m_t| > \text{band}\,], \qquad
              m_t = \frac{x_t - x_{t-L}}{\operatorname{sd}_{250}(x_t - x_{t-L})}

    The published record gives the three signals, their signs and the rule "hold when the sum is
    positive"; window and band are our choice.

    Parameters
    ----------
    inputs : mapping of Series (D,) or None
        ``relative_momentum``, ``term_spread``, ``repo_volume``, each on its own dates; None or
        empty: no data. NaN is skipped.
    dates : DatetimeIndex, (T,)
        Sessions of the timing; an input is read at its last value on or before each.
    window : int
        Look-back :math:`L` in sessions.
    band : float
        Moves within this many standard deviations count as no vote.

    Returns
    -------
    DividendTiming
        Uses data up to each date only.

    Raises
    ------
    ModelError
        An unknown signal, or no input at all.
    """
    unknown = sorted(set(inputs) - set(SIGNS))
    if unknown:
        raise ModelError(
            f"there is no dividend signal {unknown[0]}", remedy=f"use {', '.join(SIGNS)}"
        )
    available = {name: series.dropna() for name, series in inputs.items() if series is not None}
    votes = {
        name: sign * _vote(available[name], dates, window, band)
        for name, sign in SIGNS.items()
        if name in available and len(available[name])
    }
    if not votes:
        raise ModelError(
            "none of the three dividend signals has data", remedy="switch the dividend slot off"
        )
    signals = pd.DataFrame(votes, index=dates)
    missing = tuple(name for name in SIGNS if name not in votes)
    return DividendTiming(signals.sum(axis=1) > 0, signals, missing)


def _vote(series: pd.Series, dates: pd.DatetimeIndex, window: int, band: float) -> pd.Series:
    """Return the direction of the last move, (T,): -1, 0 or 1."""
    move = series.reindex(dates, method="ffill").diff(window)
    scaled = move / move.rolling(NOISE_WINDOW, min_periods=FEWEST_MOVES).std()
    return np.sign(scaled).where(scaled.abs() > band, 0.0)
