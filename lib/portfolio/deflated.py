"""The deflated Sharpe ratio: what is left of a Sharpe ratio after counting how many were tried."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from lib.market.errors import ParameterError

#: Euler's constant, in the expected maximum of independent normal draws
EULER = 0.5772156649015329


def expected_max_sharpe(trials: int, spread: float) -> float:
    """Return the Sharpe ratio that the best of several worthless strategies is expected to show.

    Parameters
    ----------
    trials : int
        Strategies tried, at least 1.
    spread : float
        Standard deviation of their Sharpe ratios.
    """
    if trials < 1 or not spread >= 0:
        raise ParameterError(
            f"{trials} trials with a spread of {spread}", remedy="count at least one trial"
        )
    if trials == 1:
        return 0.0
    tail = stats.norm.ppf([1 - 1 / trials, 1 - 1 / (trials * np.e)])
    return float(spread * ((1 - EULER) * tail[0] + EULER * tail[1]))


def t_stat(returns: pd.Series | np.ndarray) -> float:
    """Return the mean of returns over its standard error, NaN left out; NaN if they do not vary."""
    values = _varying(returns)
    return (
        float("nan")
        if values is None
        else float(values.mean() / values.std(ddof=1) * np.sqrt(len(values)))
    )


def probabilistic_sharpe(returns: pd.Series | np.ndarray, threshold: float = 0.0) -> float:
    """Return the probability that the true Sharpe ratio exceeds a threshold.

    Bailey and Lopez de Prado, "The Sharpe ratio efficient frontier", 2012: the standard error of
    the ratio allows for skewness and fat tails.

    Parameters
    ----------
    returns : Series or array, (T,)
        Returns per period, of the strategy less its benchmark; NaN is left out.
    threshold : float
        Sharpe ratio per period, not annualised.

    Returns
    -------
    float
        Between 0 and 1; 0.95 is the usual bar. NaN if the returns do not vary.
    """
    values = _varying(returns)
    if values is None:
        return float("nan")
    sharpe = values.mean() / values.std(ddof=1)
    skew, kurtosis = stats.skew(values), stats.kurtosis(values, fisher=False)
    error = np.sqrt((1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2) / (len(values) - 1))
    return float(stats.norm.cdf((sharpe - threshold) / error))


def deflated_sharpe(returns: pd.Series | np.ndarray, trials: int, spread: float) -> float:
    """Return the probability that the true Sharpe ratio exceeds what luck alone would have shown.

    Bailey and Lopez de Prado, "The deflated Sharpe ratio", 2014: ``probabilistic_sharpe`` with the
    expected best of ``trials`` worthless strategies as the threshold. It belongs to the returns on
    which the trials were made.

    Parameters
    ----------
    returns : Series or array, (T,)
        As for ``probabilistic_sharpe``.
    trials : int
        Strategies tried.
    spread : float
        Standard deviation of the trials' Sharpe ratios, per period and not annualised.
    """
    return probabilistic_sharpe(returns, expected_max_sharpe(trials, spread))


def _varying(returns: pd.Series | np.ndarray) -> np.ndarray | None:
    values = np.asarray(returns, float)
    values = values[np.isfinite(values)]
    return None if len(values) < 3 or values.std() == 0 else values
