"""Rolling kernels whose cost per cell does not grow with the window.

A window of d rows always spans the end of one block of d rows and the start of the next. Sums, extremes and centred
moments of block ends (suffixes) and block starts (prefixes) are therefore enough, and nothing is ever subtracted from
a running total: the usual one-pass moments lose all digits on price levels, and a NaN would poison every later row
of them. Two groups' moments merge by the formula of Chan, Golub and LeVeque (1979).

Every kernel takes (T, N) float64 arrays and a window of d >= 2 rows and writes ``out``, (T, N). The result is NaN
unless all d values of the window are there, as in pandas' ``rolling(d)``. Rows after t never matter for row t.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

#: a standard deviation below this share of the mean's size is rounding, not variation
FLAT = 1e-12


@njit(cache=True)
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


@njit(cache=True)
def ts_mean(x, d, out):
    """Write the mean over the last d rows."""
    ts_sum(x, d, out)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] /= d


@njit(cache=True)
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


@njit(cache=True)
def sub_pos_decay_linear(x, y, d, out):
    """Write the linearly decaying mean of max(x - y, 0) over the last d rows."""
    excess = np.empty_like(x)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            difference = x[i, j] - y[i, j]
            excess[i, j] = 0.0 if difference < 0 else difference
    decay_linear(excess, d, out)


@njit(cache=True)
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
                    value = value if value > old else (old if value == value else value)
                    value = np.nan if old != old else value
                out[t, j] = value
        if stop - start == d:
            suffix[d - 1, :] = x[stop - 1, :]
            for k in range(d - 2, 0, -1):
                for j in range(columns):
                    value, after = x[start + k, j], suffix[k + 1, j]
                    larger = value if value > after else after
                    suffix[k, j] = larger if value == value and after == after else np.nan


@njit(cache=True)
def ts_min(x, d, out):
    """Write the smallest of the last d rows."""
    ts_max(-x, d, out)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = -out[i, j]


@njit(cache=True)
def _moments(x, d, mean, squares):
    """Write mean and centred sum of squares of the last d rows."""
    rows, columns = x.shape
    mean_s = np.full((d + 1, columns), np.nan)
    squares_s = np.full((d + 1, columns), np.nan)
    mean_p = np.empty(columns)
    squares_p = np.empty(columns)
    for start in range(0, rows, d):
        stop = min(start + d, rows)
        mean_p[:] = 0.0
        squares_p[:] = 0.0
        for t in range(start, stop):
            newer = t - start + 1
            older = d - newer
            share = older / d
            for j in range(columns):
                step = x[t, j] - mean_p[j]
                mean_p[j] += step / newer
                squares_p[j] += step * (x[t, j] - mean_p[j])
            if older == 0:
                mean[t, :] = mean_p
                squares[t, :] = squares_p
            else:
                for j in range(columns):
                    gap = mean_s[newer, j] - mean_p[j]
                    mean[t, j] = mean_p[j] + gap * share
                    squares[t, j] = squares_p[j] + squares_s[newer, j] + gap * gap * newer * share
        if stop - start == d:
            mean_s[d, :] = 0.0
            squares_s[d, :] = 0.0
            for k in range(d - 1, 0, -1):
                for j in range(columns):
                    step = x[start + k, j] - mean_s[k + 1, j]
                    mean_s[k, j] = mean_s[k + 1, j] + step / (d - k)
                    squares_s[k, j] = squares_s[k + 1, j] + step * (x[start + k, j] - mean_s[k, j])


@njit(cache=True)
def ts_std(x, d, out):
    """Write the sample standard deviation (d - 1 degrees of freedom) of the last d rows; exactly 0 if constant."""
    mean = np.empty_like(x)
    _moments(x, d, mean, out)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            deviation = math.sqrt(out[i, j] / (d - 1))
            out[i, j] = 0.0 if deviation <= FLAT * abs(mean[i, j]) else deviation


@njit(cache=True)
def ts_zscore(x, d, out):
    """Write (x - mean) / standard deviation over the last d rows, NaN where they do not vary."""
    mean = np.empty_like(x)
    _moments(x, d, mean, out)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            deviation = math.sqrt(out[i, j] / (d - 1))
            flat = not (deviation > FLAT * abs(mean[i, j]))
            score = (x[i, j] - mean[i, j]) / (1.0 if flat else deviation)
            out[i, j] = np.nan if flat else score


@njit(cache=True)
def _co_moments(x, y, d, xx, yy, xy, mean_x, mean_y):
    """Write means, centred squares and centred cross products of the last d rows."""
    rows, columns = x.shape
    suffix = np.full((d + 1, 5, columns), np.nan)
    prefix = np.empty((5, columns))
    for start in range(0, rows, d):
        stop = min(start + d, rows)
        prefix[:] = 0.0
        for t in range(start, stop):
            newer = t - start + 1
            older = d - newer
            share = older / d
            for j in range(columns):
                step_x = x[t, j] - prefix[0, j]
                step_y = y[t, j] - prefix[1, j]
                prefix[0, j] += step_x / newer
                prefix[1, j] += step_y / newer
                rest_y = y[t, j] - prefix[1, j]
                prefix[2, j] += step_x * (x[t, j] - prefix[0, j])
                prefix[3, j] += step_y * rest_y
                prefix[4, j] += step_x * rest_y
            if older == 0:
                for j in range(columns):
                    mean_x[t, j], mean_y[t, j] = prefix[0, j], prefix[1, j]
                    xx[t, j], yy[t, j], xy[t, j] = prefix[2, j], prefix[3, j], prefix[4, j]
            else:
                weight = newer * share
                for j in range(columns):
                    gap_x = suffix[newer, 0, j] - prefix[0, j]
                    gap_y = suffix[newer, 1, j] - prefix[1, j]
                    mean_x[t, j] = prefix[0, j] + gap_x * share
                    mean_y[t, j] = prefix[1, j] + gap_y * share
                    xx[t, j] = prefix[2, j] + suffix[newer, 2, j] + gap_x * gap_x * weight
                    yy[t, j] = prefix[3, j] + suffix[newer, 3, j] + gap_y * gap_y * weight
                    xy[t, j] = prefix[4, j] + suffix[newer, 4, j] + gap_x * gap_y * weight
        if stop - start == d:
            suffix[d, :, :] = 0.0
            for k in range(d - 1, 0, -1):
                count = d - k
                for j in range(columns):
                    step_x = x[start + k, j] - suffix[k + 1, 0, j]
                    step_y = y[start + k, j] - suffix[k + 1, 1, j]
                    suffix[k, 0, j] = suffix[k + 1, 0, j] + step_x / count
                    suffix[k, 1, j] = suffix[k + 1, 1, j] + step_y / count
                    rest_y = y[start + k, j] - suffix[k, 1, j]
                    suffix[k, 2, j] = suffix[k + 1, 2, j] + step_x * (x[start + k, j] - suffix[k, 0, j])
                    suffix[k, 3, j] = suffix[k + 1, 3, j] + step_y * rest_y
                    suffix[k, 4, j] = suffix[k + 1, 4, j] + step_x * rest_y


@njit(cache=True)
def ts_cov(x, y, d, out):
    """Write the sample covariance of the last d rows."""
    xx, yy, mean_x, mean_y = np.empty_like(x), np.empty_like(x), np.empty_like(x), np.empty_like(x)
    _co_moments(x, y, d, xx, yy, out, mean_x, mean_y)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] /= d - 1


@njit(cache=True)
def ts_corr(x, y, d, out):
    """Write the correlation of the last d rows, NaN where one side does not vary."""
    xx, yy, mean_x, mean_y = np.empty_like(x), np.empty_like(x), np.empty_like(x), np.empty_like(x)
    _co_moments(x, y, d, xx, yy, out, mean_x, mean_y)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            floor_x, floor_y = FLAT * mean_x[i, j], FLAT * mean_y[i, j]
            varies = xx[i, j] > d * floor_x * floor_x and yy[i, j] > d * floor_y * floor_y
            size = math.sqrt(xx[i, j]) * math.sqrt(yy[i, j])
            varies = varies and size > 0.0
            value = out[i, j] / (size if varies else 1.0)
            # rounding may leave a perfect correlation an ulp above one
            value = 1.0 if value > 1.0 else (-1.0 if value < -1.0 else value)
            out[i, j] = value if varies else np.nan
