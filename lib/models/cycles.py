"""Cycles: slow waves in yearly changes, filtered by Gaussian windows in the frequency domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from statsmodels.regression.linear_model import OLS
from statsmodels.tools.tools import add_constant

from lib.market.errors import ModelError

#: Kitchin, Juglar and Kuznets cycles, in months
CYCLE_PERIODS = (42, 100, 200)
TRANSFORM_LENGTH = 4096
#: fewer months of yearly changes hold too little of a cycle
SHORTEST_MONTHS = 60


def yearly_change(monthly: pd.DataFrame | pd.Series) -> pd.DataFrame | pd.Series:
    """Return ln(P_t / P_{t-12}) of month-end values, (L, N); NaN where either end is missing."""
    return np.log(monthly / monthly.shift(12))


@lru_cache(maxsize=64)
def gaussian_window(period: float, width: float, size: int = TRANSFORM_LENGTH) -> np.ndarray:
    r"""Return the filter's gain at each bin of the Fourier transform, (size,), symmetric.

    .. math:: g_k = \exp\!\left(-\frac{(k - (N/T + 1))^2}{a^2}\right), \quad k = 1 \dots N/2 + 1,

    bins counted from 1, so that bin 1 is the mean and :math:`N / T + 1` the bin of period
    :math:`T`; the upper half mirrors the lower.

    Parameters
    ----------
    period : float
        Months :math:`T` of the cycle.
    width : float
        Bins :math:`a`.
    size : int
        Length :math:`N` of the transform.
    """
    bins = np.arange(1, size // 2 + 2)
    half = np.exp(-((bins - (size / period + 1)) ** 2) / width**2)
    window = np.concatenate([half, half[-2:0:-1]])
    window.flags.writeable = False
    return window


def cycle_factors(
    change: np.ndarray,
    periods: Sequence[float] = CYCLE_PERIODS,
    width: float = 10.0,
    horizon: int = 0,
    size: int = TRANSFORM_LENGTH,
) -> np.ndarray:
    """Filter a series around each period and continue it.

    Zeros are padded in front to ``size``, the transform is multiplied by each window and inverted.
    The last L points are the filtered series; the first ``horizon`` points, where the circle
    closes, are its forecast.

    Parameters
    ----------
    change : array, (L,)
        Yearly changes, oldest first, no NaN.
    periods : sequence of float
        Months.
    width : float
        Width a of the window in bins. In time the filter fades to 1/e after N / (pi a) months: 130
        for a = 10, 1304 for a = 1, with N = 4096.
    horizon : int
        Months of forecast.
    size : int
        Length of the transform, at least that of the series.

    Returns
    -------
    array, (L + horizon, len(periods))

    Raises
    ------
    ModelError
        Fewer than 60 months, more than ``size``, a missing value, or a width or period that is not
        positive.
    """
    length = len(change)
    if length < SHORTEST_MONTHS or length + horizon > size:
        raise ModelError(
            f"{length} months of yearly changes cannot be filtered",
            remedy=f"give {SHORTEST_MONTHS} to {size - horizon}, or leave the asset out until then",
        )
    if not np.isfinite(change).all():
        raise ModelError(
            "the series of yearly changes has a gap", remedy="start after the gap or fill the month"
        )
    if width <= 0 or min(periods) <= 2:
        raise ModelError(
            "the window needs a width above 0 and periods above 2 months", remedy="set width = 10"
        )
    padded = np.concatenate([np.zeros(size - length), change])
    spectrum = np.fft.rfft(padded)
    windows = np.stack(
        [gaussian_window(period, width, size)[: size // 2 + 1] for period in periods]
    )
    filtered = np.fft.irfft(spectrum * windows, size, axis=1)
    return np.concatenate([filtered[:, size - length :], filtered[:, :horizon]], axis=1).T


@dataclass(frozen=True)
class Decomposition:
    """A series as the sum of its cycles.

    Attributes
    ----------
    factors : DataFrame, (L + h, K)
        Filtered series and forecast, one column per period.
    fitted : Series, (L + h,)
        Constant plus factors times coefficients.
    ols : statsmodels results
        Regression of the yearly change on the factors.
    phase : Series, (K,)
        Present angle of each wave, radians: 0 at its crest, pi at its trough, between them falling.
    share : Series, (K,)
        Variance of each wave over the variance of the series, over the months observed.
    """

    factors: pd.DataFrame
    fitted: pd.Series
    ols: object
    phase: pd.Series
    share: pd.Series


def decompose(
    change: pd.Series,
    periods: Sequence[int] = CYCLE_PERIODS,
    width: float = 10.0,
    horizon: int = 12,
) -> Decomposition:
    """Filter a monthly series, regress it on its waves and read their phases.

    Parameters
    ----------
    change : Series, (L,), indexed by month end
        Yearly changes; leading NaN are dropped.
    periods : sequence of int
        Months of the cycles.
    width : float
        Width of the window in bins.
    horizon : int
        Months of forecast.
    """
    observed = change.loc[change.first_valid_index() :] if change.notna().any() else change.dropna()
    values = cycle_factors(observed.to_numpy(), periods, width, horizon)
    months = observed.index.append(
        pd.date_range(observed.index[-1], periods=horizon + 1, freq="ME")[-horizon:]
    )
    months = months if horizon else observed.index
    factors = pd.DataFrame(values, months, [str(period) for period in periods])
    ols = OLS(observed, add_constant(factors.iloc[: len(observed)])).fit()
    fitted = ols.params["const"] + factors @ ols.params.drop("const")
    waves = factors * ols.params.drop("const")
    share = waves.iloc[: len(observed)].var() / observed.var()
    return Decomposition(
        factors, fitted, ols, _phases(observed.to_numpy(), periods, width, waves), share
    )


def harmonic_f_test(base: pd.Series, periods: Sequence[int] = CYCLE_PERIODS) -> float:
    r"""Return the p-value of waves of these periods in a series whose monthly changes may have no
    cycle.

    .. math:: \Delta \ln P_t = c + \sum_T \left(a_T \cos\tfrac{2\pi t}{T} + b_T \sin\tfrac{2\pi
    t}{T}\right) + e_t

    and the F test that all :math:`a_T` and :math:`b_T` are zero. Yearly changes cannot be tested
    so: they overlap, and overlap alone makes slow waves (Slutzky, 1937).

    Parameters
    ----------
    base : Series, (L,)
        Monthly values without gaps.
    periods : sequence of int
        Months.

    Returns
    -------
    float
        The p-value, if monthly changes are independent with equal variance otherwise.

    Raises
    ------
    ModelError
        Fewer than 60 changes, or a missing one.
    """
    changes = np.log(base).diff().iloc[1:]
    if len(changes) < SHORTEST_MONTHS or changes.isna().any():
        raise ModelError(
            f"waves cannot be tested on {len(changes)} monthly changes",
            remedy="give 60 without a gap",
        )
    angles = 2 * np.pi * np.outer(np.arange(len(changes)), 1 / np.asarray(periods, float))
    fit = OLS(
        changes.to_numpy(), add_constant(np.column_stack([np.cos(angles), np.sin(angles)]))
    ).fit()
    return float(fit.f_pvalue)


def _phases(
    change: np.ndarray, periods: Sequence[int], width: float, waves: pd.DataFrame
) -> pd.Series:
    """Return the angle of the analytic signal at the last observed month; a negative coefficient
    turns it by pi.
    """
    spectrum = np.fft.fft(np.concatenate([np.zeros(TRANSFORM_LENGTH - len(change)), change]))
    angles = []
    for period in periods:
        window = gaussian_window(period, width).copy()
        window[TRANSFORM_LENGTH // 2 + 1 :] = 0.0
        angles.append(np.angle(np.fft.ifft(spectrum * window)[-1]))
    factors = cycle_factors(change, periods, width)[-1]
    turned = np.where(np.sign(waves.iloc[len(change) - 1]) == np.sign(factors), 0.0, np.pi)
    return pd.Series(np.mod(np.array(angles) + turned, 2 * np.pi), waves.columns)
