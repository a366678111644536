"""The deflated Sharpe ratio: what is left of a Sharpe ratio after counting how many were tried."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from lib.market.errors import ParameterError

#: Euler's constant, in the expected maximum of independent normal draws
EULER = 0.5772156649015329


def expected_best(trials: int, spread: float) -> float:
    """Return the Sharpe ratio that the best of several worthless strategies is expected to show.

    Parameters
    ----------
    trials : int
        Strategies tried, at least 1.
    spread : float
        Standard deviation of their Sharpe ratios.
    """
    if trials < 1 or not spread >= 0:
        raise ParameterError(f"{trials} trials with a spread of {spread}", remedy="count at least one trial")
    if trials == 1:
        return 0.0
    tail = stats.norm.ppf([1 - 1 / trials, 1 - 1 / (trials * np.e)])
    return float(spread * ((1 - EULER) * tail[0] + EULER * tail[1]))


def deflated_sharpe(returns: pd.Series | np.ndarray, trials: int, spread: float) -> float:
    """Return the probability that the true Sharpe ratio exceeds what luck alone would have shown.

    Bailey and Lopez de Prado, "The deflated Sharpe ratio", 2014: the Sharpe ratio per period is compared with the
    expected best of ``trials`` worthless ones, with a standard error that allows for skewness and fat tails.

    Parameters
    ----------
    returns : Series or array, (T,)
        Returns per period, of the strategy less its benchmark; NaN is left out.
    trials : int
        Strategies tried.
    spread : float
        Standard deviation of the trials' Sharpe ratios, per period and not annualised.

    Returns
    -------
    float
        Between 0 and 1; 0.95 is the usual bar. NaN if the returns do not vary.
    """
    values = np.asarray(returns, float)
    values = values[np.isfinite(values)]
    if len(values) < 3 or values.std() == 0:
        return float("nan")
    sharpe = values.mean() / values.std(ddof=1)
    skew, kurtosis = stats.skew(values), stats.kurtosis(values, fisher=False)
    error = np.sqrt((1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2) / (len(values) - 1))
    return float(stats.norm.cdf((sharpe - expected_best(trials, spread)) / error))
