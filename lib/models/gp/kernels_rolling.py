"""Rolling kernels whose cost per cell does not grow with the window.

A window of d rows always spans the end of one block of d rows and the start of the next. Sums,
extremes and centred moments of block ends (suffixes) and block starts (prefixes) are therefore
enough, and nothing is ever subtracted from a running total: the usual one-pass moments lose all
digits on price levels, and a NaN would poison every later row of them. Two groups' moments merge by
the formula of Chan, Golub and LeVeque (1979).

The result is NaN unless all d values of the window are there, as in pandas' ``rolling(d)``. Rows
after t never matter for row t. All kernels take

Parameters
----------
x, y : float64 array, (T, N)
    Inputs; kernels of one input take ``x`` alone.
d : int
    Rows of the window, at least 2.
out : float64 array, (T, N)
    The result is written here.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

#: a standard deviation below this share of the mean's size is rounding, not variation
FLAT = 1e-12


@njit(cache=True, error_model="numpy")
def ts_sum(x, d, out):
    """Write the sum over the last d rows."""
    rows, columns = x.shape
    suffix = np.full((d + 1, columns), np.nan)
    prefix = np.empty(columns)
    for start in range(0, rows, d):
        stop = min(start + d, rows)
        prefix[:] = 0.0
        suffix[d, :] = 0.0
        for t in range(start, stop):
            older = t - start + 1
            for j in range(columns):
                prefix[j] += x[t, j]
                out[t, j] = prefix[j] + suffix[older, j]
        if stop - start == d:
            for k in range(d - 1, 0, -1):
                for j in range(columns):
                    suffix[k, j] = suffix[k + 1, j] + x[start + k, j]
    out[: min(d - 1, rows), :] = np.nan


@njit(cache=True, error_model="numpy")
def ts_mean(x, d, out):
    """Write the mean over the last d rows."""
    ts_sum(x, d, out)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] /= d


@njit(cache=True, error_model="numpy")
def decay_linear(x, d, out):
    """Write the mean over the last d rows with weights d, d-1, ..., 1 from the latest row back."""
    rows, columns = x.shape
    total = d * (d + 1) / 2
    # level: plain sum; linear: sum weighted 1, 2, ... from the group's own oldest row
    level_s = np.full((d + 1, columns), np.nan)
    linear_s = np.full((d + 1, columns), np.nan)
    level = np.empty(columns)
    linear = np.empty(columns)
    for start in range(0, rows, d):
        stop = min(start + d, rows)
        level[:] = 0.0
        linear[:] = 0.0
        linear_s[d, :] = 0.0
        level_s[d, :] = 0.0
        for t in range(start, stop):
            newer = t - start + 1
            older = d - newer
            for j in range(columns):
                level[j] += x[t, j]
                linear[j] += newer * x[t, j]
                out[t, j] = (linear_s[newer, j] + linear[j] + older * level[j]) / total
        if stop - start == d:
            for k in range(d - 1, 0, -1):
                for j in range(columns):
                    level_s[k, j] = level_s[k + 1, j] + x[start + k, j]
                    linear_s[k, j] = linear_s[k + 1, j] + level_s[k, j]
    out[: min(d - 1, rows), :] = np.nan


@njit(cache=True, error_model="numpy")
def sub_pos_decay_linear(x, y, d, out):
    """Write the linearly decaying mean of max(x - y, 0) over the last d rows."""
    excess = np.empty_like(x)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            difference = x[i, j] - y[i, j]
            excess[i, j] = 0.0 if difference < 0 else difference
    decay_linear(excess, d, out)


@njit(cache=True, error_model="numpy")
def ts_max(x, d, out):
    """Write the largest of the last d rows (van Herk's two passes)."""
    rows, columns = x.shape
    suffix = np.full((d, columns), np.nan)
    prefix = np.empty(columns)
    for start in range(0, rows, d):
        stop = min(start + d, rows)
        for t in range(start, stop):
            newer = t - start + 1
            for j in range(columns):
                value = x[t, j]
                if newer > 1 and not (value > prefix[j]) and value == value:
                    value = prefix[j]
                prefix[j] = value
                if newer < d:
                    old = suffix[newer, j]
                    if old != old:
                        value = np.nan
                    elif value == value and not value > old:
                        value = old
                out[t, j] = value
        if stop - start == d:
            for j in range(columns):
                suffix[d - 1, j] = x[stop - 1, j]
            for k in range(d - 2, 0, -1):
                for j in range(columns):
                    value, after = x[start + k, j], suffix[k + 1, j]
                    larger = value if value > after else after
                    suffix[k, j] = larger if value == value and after == after else np.nan


@njit(cache=True, error_model="numpy")
def ts_min(x, d, out):
    """Write the smallest of the last d rows."""
    ts_max(-x, d, out)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = -out[i, j]


@njit(cache=True, error_model="numpy", inline="always")
def _moments(x, d, standardise, out):
    """Write the standard deviation of the last d rows, or the latest row's distance from their mean
    in such units.
    """
    rows, columns = x.shape
    mean_s = np.full((d + 1, columns), np.nan)
    squares_s = np.full((d + 1, columns), np.nan)
    mean_s[d] = 0.0
    squares_s[d] = 0.0
    per_row = 1.0 / (d - 1)
    mean_p = np.empty(columns)
    squares_p = np.empty(columns)
    for start in range(0, rows, d):
        stop = min(start + d, rows)
        mean_p[:] = 0.0
        squares_p[:] = 0.0
        for t in range(start, stop):
            newer = t - start + 1
            share = (d - newer) / d
            weight = newer * share
            # one division a row instead of one a cell
            inverse = 1.0 / newer
            # zeros once the window is one whole block, whose share and weight are zero too
            older_mean, older_squares = mean_s[newer], squares_s[newer]
            for j in range(columns):
                step = x[t, j] - mean_p[j]
                mean_p[j] += step * inverse
                squares_p[j] += step * (x[t, j] - mean_p[j])
                gap = older_mean[j] - mean_p[j]
                mean = mean_p[j] + gap * share
                deviation = math.sqrt(
                    (squares_p[j] + older_squares[j] + gap * gap * weight) * per_row
                )
                flat = deviation <= FLAT * abs(mean)
                if standardise:
                    score = (x[t, j] - mean) / (1.0 if flat else deviation)
                    out[t, j] = np.nan if flat else score
                else:
                    out[t, j] = 0.0 if flat else deviation
        if stop - start == d:
            for k in range(d - 1, 0, -1):
                inverse = 1.0 / (d - k)
                for j in range(columns):
                    step = x[start + k, j] - mean_s[k + 1, j]
                    mean_s[k, j] = mean_s[k + 1, j] + step * inverse
                    squares_s[k, j] = squares_s[k + 1, j] + step * (x[start + k, j] - mean_s[k, j])
    out[: min(d - 1, rows), :] = np.nan


@njit(cache=True, error_model="numpy")
def ts_std(x, d, out):
    """Write the sample standard deviation (d - 1 degrees of freedom) of the last d rows; exactly 0
    if constant.
    """
    _moments(x, d, False, out)


@njit(cache=True, error_model="numpy")
def ts_zscore(x, d, out):
    """Write (x - mean) / standard deviation over the last d rows, NaN where they do not vary."""
    _moments(x, d, True, out)


@njit(cache=True, error_model="numpy")
def ts_skew(x, d, out):
    """Write the bias-corrected skewness of the last d rows, NaN where they do not vary (Pebay's
    third moments).
    """
    rows, columns = x.shape
    suffix = np.full((d + 1, 3, columns), np.nan)
    mean, second, third = np.empty(columns), np.empty(columns), np.empty(columns)
    bias = d * math.sqrt(d - 1.0) / (d - 2)
    for start in range(0, rows, d):
        stop = min(start + d, rows)
        mean[:], second[:], third[:] = 0.0, 0.0, 0.0
        for t in range(start, stop):
            n = t - start + 1
            older = d - n
            inverse = 1.0 / n
            mean_s, second_s, third_s = suffix[n % d, 0], suffix[n % d, 1], suffix[n % d, 2]
            for j in range(columns):
                gap = x[t, j] - mean[j]
                step = gap * inverse
                change = gap * step * (n - 1)
                third[j] += change * step * (n - 2) - 3.0 * step * second[j]
                second[j] += change
                mean[j] += step
                m, s, k = mean[j], second[j], third[j]
                if older > 0:
                    gap = mean_s[j] - m
                    k += third_s[j] + gap * gap * gap * n * older * (n - older) / (d * d)
                    k += 3.0 * gap * (n * second_s[j] - older * s) / d
                    s += second_s[j] + gap * gap * n * older / d
                    m += gap * older / d
                flat = not (s > d * (FLAT * m) * (FLAT * m))
                value = bias * k / (1.0 if flat else s * math.sqrt(s))
                out[t, j] = np.nan if flat else value
        if stop - start == d:
            for k in range(d - 1, 0, -1):
                n = d - k
                for j in range(columns):
                    before = k < d - 1
                    m = suffix[k + 1, 0, j] if before else 0.0
                    s = suffix[k + 1, 1, j] if before else 0.0
                    c = suffix[k + 1, 2, j] if before else 0.0
                    gap = x[start + k, j] - m
                    step = gap / n
                    change = gap * step * (n - 1)
                    suffix[k, 2, j] = c + change * step * (n - 2) - 3.0 * step * s
                    suffix[k, 1, j] = s + change
                    suffix[k, 0, j] = m + step


@njit(cache=True, error_model="numpy", inline="always")
def _co_moments(x, y, d, correlate, out):
    """Write the sample covariance of the last d rows, or their correlation."""
    rows, columns = x.shape
    suffix = np.full((d + 1, 5, columns), np.nan)
    suffix[d] = 0.0
    per_row = 1.0 / (d - 1)
    mean_x, mean_y = np.empty(columns), np.empty(columns)
    xx, yy, xy = np.empty(columns), np.empty(columns), np.empty(columns)
    for start in range(0, rows, d):
        stop = min(start + d, rows)
        mean_x[:], mean_y[:], xx[:], yy[:], xy[:] = 0.0, 0.0, 0.0, 0.0, 0.0
        for t in range(start, stop):
            newer = t - start + 1
            share = (d - newer) / d
            weight = newer * share
            inverse = 1.0 / newer
            # zeros once the window is one whole block, whose share and weight are zero too
            part = suffix[newer]
            for j in range(columns):
                step_x = x[t, j] - mean_x[j]
                step_y = y[t, j] - mean_y[j]
                mean_x[j] += step_x * inverse
                mean_y[j] += step_y * inverse
                rest_y = y[t, j] - mean_y[j]
                xx[j] += step_x * (x[t, j] - mean_x[j])
                yy[j] += step_y * rest_y
                xy[j] += step_x * rest_y
                gap_x = part[0, j] - mean_x[j]
                gap_y = part[1, j] - mean_y[j]
                both = xy[j] + part[4, j] + gap_x * gap_y * weight
                if not correlate:
                    out[t, j] = both * per_row
                    continue
                own_x = xx[j] + part[2, j] + gap_x * gap_x * weight
                own_y = yy[j] + part[3, j] + gap_y * gap_y * weight
                floor_x = FLAT * (mean_x[j] + gap_x * share)
                floor_y = FLAT * (mean_y[j] + gap_y * share)
                size = math.sqrt(own_x) * math.sqrt(own_y)
                varies = (
                    own_x > d * floor_x * floor_x and own_y > d * floor_y * floor_y and size > 0.0
                )
                value = both / (size if varies else 1.0)
                # rounding may leave a perfect correlation an ulp above one
                if value > 1.0:
                    value = 1.0
                elif value < -1.0:
                    value = -1.0
                out[t, j] = value if varies else np.nan
        if stop - start == d:
            for k in range(d - 1, 0, -1):
                inverse = 1.0 / (d - k)
                part, rest = suffix[k], suffix[k + 1]
                for j in range(columns):
                    step_x = x[start + k, j] - rest[0, j]
                    step_y = y[start + k, j] - rest[1, j]
                    part[0, j] = rest[0, j] + step_x * inverse
                    part[1, j] = rest[1, j] + step_y * inverse
                    rest_y = y[start + k, j] - part[1, j]
                    part[2, j] = rest[2, j] + step_x * (x[start + k, j] - part[0, j])
                    part[3, j] = rest[3, j] + step_y * rest_y
                    part[4, j] = rest[4, j] + step_x * rest_y
    out[: min(d - 1, rows), :] = np.nan


@njit(cache=True, error_model="numpy")
def ts_cov(x, y, d, out):
    """Write the sample covariance of the last d rows."""
    _co_moments(x, y, d, False, out)


@njit(cache=True, error_model="numpy")
def ts_corr(x, y, d, out):
    """Write the correlation of the last d rows, NaN where one side does not vary."""
    _co_moments(x, y, d, True, out)
