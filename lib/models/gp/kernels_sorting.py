"""Rolling kernels that need the order of the last d rows, and the two that only look back.

Every kernel takes (T, N) float64 arrays and a window of d rows and writes ``out``, (T, N); the result is NaN unless
all d values are there. Equal values share the mean of their ranks, or, where one row must be chosen, the older row
comes first, so that results do not depend on how a sort treats ties.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from lib.models.gp.kernels_elementwise import HUGE, TINY


@njit(cache=True)
def delay(x, d, out):
    """Write the value d rows ago."""
    out[:d, :] = np.nan
    for t in range(d, x.shape[0]):
        for j in range(x.shape[1]):
            out[t, j] = x[t - d, j]


@njit(cache=True)
def delta(x, d, out):
    """Write the change over d rows."""
    out[:d, :] = np.nan
    for t in range(d, x.shape[0]):
        for j in range(x.shape[1]):
            out[t, j] = x[t, j] - x[t - d, j]


@njit(cache=True)
def pct_change(x, d, out):
    """Write the change over d rows as a share of the absolute value then, NaN where that is zero."""
    out[:d, :] = np.nan
    for t in range(d, x.shape[0]):
        for j in range(x.shape[1]):
            base = abs(x[t - d, j])
            zero = base < TINY
            change = (x[t, j] - x[t - d, j]) / (1.0 if zero else base)
            out[t, j] = np.nan if zero or not abs(change) < HUGE else change


@njit(cache=True)
def ts_rank(x, d, out):
    """Write the rank of the latest value among the last d, from 1/d to 1, ties at their mean rank."""
    rows, columns = x.shape
    ranks = np.empty(columns)
    for t in range(d - 1, rows):
        ranks[:] = 0.0
        for k in range(d):
            for j in range(columns):
                now, then = x[t, j], x[t - k, j]
                # +1 for a smaller value, +1/2 for an equal one (itself included), NaN for a missing one
                score = 1.0 if then < now else (0.5 if then == now else 0.0)
                ranks[j] += score if then == then and now == now else np.nan
        for j in range(columns):
            out[t, j] = (ranks[j] + 0.5) / d
    out[: min(d - 1, rows), :] = np.nan


@njit(cache=True)
def ts_argmax(x, d, out):
    """Write how many rows ago the largest of the last d values was, as a share of d; the older one of equals."""
    rows, columns = x.shape
    best = np.empty(columns)
    for t in range(d - 1, rows):
        best[:] = -np.inf
        for k in range(d - 1, -1, -1):
            for j in range(columns):
                value = x[t - k, j]
                if value != value:
                    best[j] = np.nan
                if value > best[j]:
                    best[j] = value
                    out[t, j] = k / d
        for j in range(columns):
            if best[j] != best[j]:
                out[t, j] = np.nan
    out[: min(d - 1, rows), :] = np.nan


@njit(cache=True)
def ts_argmin(x, d, out):
    """Write how many rows ago the smallest of the last d values was, as a share of d; the older one of equals."""
    ts_argmax(-x, d, out)


@njit(cache=True)
def ts_skew(x, d, out):
    """Write the bias-corrected skewness of the last d rows, NaN where they do not vary."""
    rows, columns = x.shape
    mean, second, third = np.empty(columns), np.empty(columns), np.empty(columns)
    scale = math.sqrt(d * (d - 1)) / (d - 2)
    for t in range(d - 1, rows):
        mean[:] = 0.0
        second[:] = 0.0
        third[:] = 0.0
        for k in range(d):
            for j in range(columns):
                mean[j] += x[t - k, j] / d
        for k in range(d):
            for j in range(columns):
                deviation = x[t - k, j] - mean[j]
                second[j] += deviation * deviation / d
                third[j] += deviation * deviation * deviation / d
        for j in range(columns):
            flat = not (second[j] > (1e-12 * mean[j]) ** 2)
            value = scale * third[j] / (1.0 if flat else second[j] * math.sqrt(second[j]))
            out[t, j] = np.nan if flat else value
    out[: min(d - 1, rows), :] = np.nan


@njit(cache=True)
def ts_rank_corr(x, y, d, out):
    """Write the rank correlation of the last d rows of x and y, ties at their mean rank, NaN where one is constant."""
    rows, columns = x.shape
    rank_x, rank_y = np.empty((d, columns)), np.empty((d, columns))
    xx, yy, xy = np.empty(columns), np.empty(columns), np.empty(columns)
    for t in range(d - 1, rows):
        rank_x[:] = 0.0
        rank_y[:] = 0.0
        first = t - d + 1
        for a in range(d):
            for b in range(a):
                for j in range(columns):
                    # +1/2 for the larger of a pair and -1/2 for the smaller: centred mean ranks
                    u, v = x[first + a, j], x[first + b, j]
                    order = 0.5 if u > v else (-0.5 if u < v else 0.0 * (u + v))
                    rank_x[a, j] += order
                    rank_x[b, j] -= order
                    u, v = y[first + a, j], y[first + b, j]
                    order = 0.5 if u > v else (-0.5 if u < v else 0.0 * (u + v))
                    rank_y[a, j] += order
                    rank_y[b, j] -= order
        xx[:] = 0.0
        yy[:] = 0.0
        xy[:] = 0.0
        for a in range(d):
            for j in range(columns):
                xx[j] += rank_x[a, j] * rank_x[a, j]
                yy[j] += rank_y[a, j] * rank_y[a, j]
                xy[j] += rank_x[a, j] * rank_y[a, j]
        for j in range(columns):
            size = xx[j] * yy[j]
            out[t, j] = xy[j] / math.sqrt(size) if size > 0 else np.nan
    out[: min(d - 1, rows), :] = np.nan


@njit(cache=True)
def _group_mean(x, y, d, n, low, high, out):
    """Write low * mean of x where y is lowest + high * mean of x where y is highest, n of the last d rows each."""
    rows, columns = x.shape
    keys = np.empty(d)
    born = np.empty(d, np.int64)
    for j in range(columns):
        held = 0
        for t in range(rows):
            key = y[t, j]
            if key != key or x[t, j] != x[t, j]:
                held = 0
                out[t, j] = np.nan
                continue
            if held == d:
                # the row that leaves is the only one born at t - d
                at = 0
                while born[at] != t - d:
                    at += 1
                for k in range(at, d - 1):
                    keys[k] = keys[k + 1]
                    born[k] = born[k + 1]
                held -= 1
            # equal keys keep their age order: the new one goes behind them
            at = held
            while at > 0 and keys[at - 1] > key:
                keys[at] = keys[at - 1]
                born[at] = born[at - 1]
                at -= 1
            keys[at] = key
            born[at] = t
            held += 1
            if held < d:
                out[t, j] = np.nan
                continue
            total = 0.0
            for k in range(n):
                total += low * x[born[k], j] + high * x[born[d - 1 - k], j]
            out[t, j] = total / n


@njit(cache=True)
def group_asc_sort_avg(x, y, d, n, out):
    """Write the mean of x over those n of the last d rows whose y is lowest."""
    _group_mean(x, y, d, n, 1.0, 0.0, out)


@njit(cache=True)
def group_desc_sort_avg(x, y, d, n, out):
    """Write the mean of x over those n of the last d rows whose y is highest."""
    _group_mean(x, y, d, n, 0.0, 1.0, out)


@njit(cache=True)
def group_diff_sort_avg(x, y, d, n, out):
    """Write the mean of x where y is highest minus its mean where y is lowest, n of the last d rows each."""
    _group_mean(x, y, d, n, -1.0, 1.0, out)
