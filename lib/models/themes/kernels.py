"""Rolling statistics of series with gaps, exact per window.

Arrays have one symbol a row, so that a window is contiguous in memory. Every kernel computes only
the columns asked for and returns (N, K). A statistic is NaN unless two thirds of the window's
sessions have a value (a share suspended through the window has none) and where the window begins
before the data. The value at column t depends on columns up to t alone. All kernels take

Parameters
----------
x, y : float64 array, (N, T)
    Inputs; kernels of one input take ``x`` alone.
window : int
    Sessions.
at : int64 array, (K,)
    Columns to compute, ascending.
"""

from __future__ import annotations

import numpy as np
from numba import njit

#: standard deviation and variance below which a series counts as constant
CONSTANT_STD = 1e-12
CONSTANT_VARIANCE = 1e-20


@njit(cache=True, nogil=True)
def rolling_moments(x, window, at):
    """Return rolling mean, standard deviation (divided by n) and skewness of x, each (N, K).

    Parameters
    ----------
    x : float64 array, (N, T)
        NaN where there is no value.
    window : int
        Sessions.
    at : int64 array, (K,)
        Columns; one before the start gives NaN.
    """
    shape = (x.shape[0], len(at))
    mean, std, skew = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
    required = (2 * window + 2) // 3
    for i in range(shape[0]):
        for k in range(shape[1]):
            start, stop = at[k] - window + 1, at[k] + 1
            if start < 0:
                continue
            count, total = 0, 0.0
            for j in range(start, stop):
                if not np.isnan(x[i, j]):
                    count += 1
                    total += x[i, j]
            if count < required:
                continue
            centre = total / count
            second, third = 0.0, 0.0
            for j in range(start, stop):
                if not np.isnan(x[i, j]):
                    deviation = x[i, j] - centre
                    second += deviation * deviation
                    third += deviation * deviation * deviation
            mean[i, k] = centre
            std[i, k] = np.sqrt(second / count)
            if std[i, k] > CONSTANT_STD:
                skew[i, k] = third / count / std[i, k] ** 3
    return mean, std, skew


@njit(cache=True, nogil=True)
def rolling_mean(x, window, at):
    """Return the rolling mean of x, (N, K).

    Parameters
    ----------
    x : float64 array, (N, T)
        NaN where there is no value.
    window : int
        Sessions.
    at : int64 array, (K,)
        Columns; one before the start gives NaN.
    """
    out = np.full((x.shape[0], len(at)), np.nan)
    required = (2 * window + 2) // 3
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            start, stop = at[k] - window + 1, at[k] + 1
            if start < 0:
                continue
            count, total = 0, 0.0
            for j in range(start, stop):
                if not np.isnan(x[i, j]):
                    count += 1
                    total += x[i, j]
            if count >= required:
                out[i, k] = total / count
    return out


@njit(cache=True, nogil=True)
def rolling_max_min(x, window, at):
    """Return the rolling maximum and minimum of x, each (N, K).

    Parameters
    ----------
    x : float64 array, (N, T)
        NaN where there is no value.
    window : int
        Sessions.
    at : int64 array, (K,)
        Columns; one before the start gives NaN.
    """
    shape = (x.shape[0], len(at))
    high, low = np.full(shape, np.nan), np.full(shape, np.nan)
    required = (2 * window + 2) // 3
    for i in range(shape[0]):
        for k in range(shape[1]):
            start, stop = at[k] - window + 1, at[k] + 1
            if start < 0:
                continue
            count, top, bottom = 0, -np.inf, np.inf
            for j in range(start, stop):
                if not np.isnan(x[i, j]):
                    count += 1
                    top = max(top, x[i, j])
                    bottom = min(bottom, x[i, j])
            if count >= required:
                high[i, k], low[i, k] = top, bottom
    return high, low


@njit(cache=True, nogil=True)
def rolling_corr_beta(x, y, window, at):
    """Return the rolling correlation of x and y and the slope of x on y, each (N, K).

    Both are over the sessions on which x and y have a value.

    Parameters
    ----------
    x, y : float64 array, (N, T)
        NaN where there is no value.
    window : int
        Sessions.
    at : int64 array, (K,)
        Columns; one before the start gives NaN.
    """
    shape = (x.shape[0], len(at))
    correlation, slope = np.full(shape, np.nan), np.full(shape, np.nan)
    required = (2 * window + 2) // 3
    for i in range(shape[0]):
        for k in range(shape[1]):
            start, stop = at[k] - window + 1, at[k] + 1
            if start < 0:
                continue
            count, sum_x, sum_y = 0, 0.0, 0.0
            for j in range(start, stop):
                if not (np.isnan(x[i, j]) or np.isnan(y[i, j])):
                    count += 1
                    sum_x += x[i, j]
                    sum_y += y[i, j]
            if count < required:
                continue
            mean_x, mean_y = sum_x / count, sum_y / count
            var_x, var_y, cov = 0.0, 0.0, 0.0
            for j in range(start, stop):
                if not (np.isnan(x[i, j]) or np.isnan(y[i, j])):
                    dx, dy = x[i, j] - mean_x, y[i, j] - mean_y
                    var_x += dx * dx
                    var_y += dy * dy
                    cov += dx * dy
            if var_y > CONSTANT_VARIANCE:
                slope[i, k] = cov / var_y
                if var_x > CONSTANT_VARIANCE:
                    correlation[i, k] = cov / np.sqrt(var_x * var_y)
    return correlation, slope
