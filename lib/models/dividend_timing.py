"""Dividend timing: when the equity sleeve holds the dividend slot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.market.errors import ModelError

#: signal -> sign: +1 where a rising input speaks for dividend shares
SIGNS = {"relative_momentum": 1, "term_spread": -1, "repo_volume": 1}


@dataclass(frozen=True)
class DividendTiming:
    """The daily view and what it rests on.

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
    inputs: dict[str, pd.Series | None],
    dates: pd.DatetimeIndex,
    window: int = 20,
    band: float = 0.5,
) -> DividendTiming:
    r"""Add up the three published signals, those without data left out by name.

    Each input :math:`x` (log ratio of dividend to all-share index; 10-year minus 1-year yield;
    interbank repo volume)
    votes with the direction of its last move, measured against its own noise:

    .. math:: s_t = \pm\operatorname{sign}\!\left(m_t\right)\,[\,|m_t| > \text{band}\,], \qquad
              m_t = \frac{x_t - x_{t-L}}{\operatorname{sd}_{250}(x_t - x_{t-L})}

    The published record gives the three signals, their signs and the rule "hold when the sum is
    positive"; window and
    band are our choice.

    Parameters
    ----------
    inputs : dict of Series or None
        ``relative_momentum``, ``term_spread``, ``repo_volume``, each on its own dates; None or
        empty: no data.
    dates : DatetimeIndex, (T,)
        Sessions of the view; an input is read at its last value on or before each.
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
    present = {name: x for name in SIGNS if (x := inputs.get(name)) is not None and x.notna().any()}
    if not present:
        raise ModelError(
            "none of the three dividend signals has data", remedy="switch the dividend slot off"
        )
    votes = {
        name: SIGNS[name] * _vote(x.dropna(), dates, window, band) for name, x in present.items()
    }
    signals = pd.DataFrame(votes, index=dates)
    return DividendTiming(
        signals.sum(axis=1) > 0, signals, tuple(name for name in SIGNS if name not in present)
    )


def _vote(x: pd.Series, dates: pd.DatetimeIndex, window: int, band: float) -> pd.Series:
    on_sessions = x.reindex(dates.union(x.index)).ffill().reindex(dates)
    move = on_sessions - on_sessions.shift(window)
    # a year of moves says what is usual; half a year is enough to start
    scaled = move / move.rolling(250, min_periods=125).std()
    return np.sign(scaled).where(scaled.abs() > band, 0.0)
