"""Rolling kernels that need the order of the last d rows, and the two that only look back.

The result is NaN unless all d values are there. Equal values share the mean of their ranks, or,
where one row must be chosen, the older row comes first, so that results do not depend on how a sort
treats ties. All kernels take

Parameters
----------
x, y : float64 array, (T, N)
    Inputs; kernels of one input take ``x`` alone.
d : int
    Rows of the window, or rows looked back.
n : int
    Rows of a group within the window.
out : float64 array, (T, N)
    The result is written here.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from lib.models.gp.kernels_elementwise import OVERFLOW, ZERO


@njit(cache=True, error_model="numpy")
def delay(x, d, out):
    """Write the value d rows ago."""
    out[:d, :] = np.nan
    for t in range(d, x.shape[0]):
        for j in range(x.shape[1]):
            out[t, j] = x[t - d, j]


@njit(cache=True, error_model="numpy")
def delta(x, d, out):
    """Write the change over d rows."""
    out[:d, :] = np.nan
    for t in range(d, x.shape[0]):
        for j in range(x.shape[1]):
            out[t, j] = x[t, j] - x[t - d, j]


@njit(cache=True, error_model="numpy")
def pct_change(x, d, out):
    """Write the change over d rows as a share of the absolute value then, NaN where that is
    zero.
    """
    out[:d, :] = np.nan
    for t in range(d, x.shape[0]):
        for j in range(x.shape[1]):
            base = abs(x[t - d, j])
            zero = base < ZERO
            change = (x[t, j] - x[t - d, j]) / (1.0 if zero else base)
            out[t, j] = np.nan if zero or not abs(change) < OVERFLOW else change


@njit(cache=True, error_model="numpy")
def ts_rank(x, d, out):
    """Write the rank of the latest value among the last d, from 1/d to 1, ties at their mean
    rank.
    """
    rows, columns = x.shape
    ranks, complete = np.empty(columns), np.zeros(columns)
    for t in range(rows):
        # the latest value itself, by half as every equal one
        ranks[:] = 0.5
        now = x[t]
        row = max(t - d + 1, 0)
        # two rows together, because loading and storing the running ranks costs as much as a row
        while row + 1 < t:
            then, after = x[row], x[row + 1]
            for j in range(columns):
                score = (1.0 if then[j] < now[j] else 0.0) + (0.5 if then[j] == now[j] else 0.0)
                ranks[j] += (
                    score
                    + (1.0 if after[j] < now[j] else 0.0)
                    + (0.5 if after[j] == now[j] else 0.0)
                )
            row += 2
        if row < t:
            then = x[row]
            for j in range(columns):
                ranks[j] += (1.0 if then[j] < now[j] else 0.0) + (0.5 if then[j] == now[j] else 0.0)
        for j in range(columns):
            complete[j] = complete[j] + 1.0 if now[j] == now[j] else 0.0
            out[t, j] = (ranks[j] + 0.5) / d if complete[j] >= d else np.nan


@njit(cache=True, error_model="numpy")
def ts_argmax(x, d, out):
    """Write how many rows ago the largest of the last d values was, as a share of d; the older one
    of equals.
    """
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


@njit(cache=True, error_model="numpy")
def ts_argmin(x, d, out):
    """Write how many rows ago the smallest of the last d values was, as a share of d; the older one
    of equals.
    """
    ts_argmax(-x, d, out)


@njit(cache=True, error_model="numpy")
def _order(a, b):
    """Return +1/2 if a > b, -1/2 if a < b, else 0: summed over a window, a centred rank with ties
    at their mean.
    """
    return (0.5 if a > b else 0.0) - (0.5 if a < b else 0.0)


@njit(cache=True, error_model="numpy")
def ts_rank_corr(x, y, d, out):
    """Write the rank correlation of the last d rows of x and y, ties at their mean rank, NaN where
    one is constant.

    Each row of the window carries its centred ranks, which change by at most 1/2 for a row that
    enters or leaves.
    """
    rows, columns = x.shape
    ranks_x, ranks_y = np.empty((rows, columns)), np.empty((rows, columns))
    complete = np.zeros(columns)
    new_x, new_y = np.empty(columns), np.empty(columns)
    xx, yy, xy = np.empty(columns), np.empty(columns), np.empty(columns)
    none = np.full(columns, np.nan)
    for t in range(rows):
        new_x[:], new_y[:], xx[:], yy[:], xy[:] = 0.0, 0.0, 0.0, 0.0, 0.0
        old_x, old_y = (x[t - d], y[t - d]) if t >= d else (none, none)
        last_x, last_y = x[t], y[t]
        for row in range(max(t - d + 1, 0), t):
            rank_x, rank_y, value_x, value_y = ranks_x[row], ranks_y[row], x[row], y[row]
            for j in range(columns):
                order = _order(value_x[j], last_x[j])
                new_x[j] -= order
                rank_x[j] += order - _order(value_x[j], old_x[j])
                order = _order(value_y[j], last_y[j])
                new_y[j] -= order
                rank_y[j] += order - _order(value_y[j], old_y[j])
                xx[j] += rank_x[j] * rank_x[j]
                yy[j] += rank_y[j] * rank_y[j]
                xy[j] += rank_x[j] * rank_y[j]
        for j in range(columns):
            ranks_x[t, j], ranks_y[t, j] = new_x[j], new_y[j]
            known = last_x[j] == last_x[j] and last_y[j] == last_y[j]
            complete[j] = complete[j] + 1.0 if known else 0.0
            size = (xx[j] + new_x[j] * new_x[j]) * (yy[j] + new_y[j] * new_y[j])
            product = xy[j] + new_x[j] * new_y[j]
            out[t, j] = product / math.sqrt(size) if complete[j] >= d and size > 0 else np.nan


@njit(cache=True, error_model="numpy", inline="always")
def _share(position, value, n, d, low, high):
    """Return what a row adds to the sums, by its place in the order of y; a missing value outside
    them adds nothing.
    """
    share = 0.0
    if low != 0:
        share += low * (value if position < n else 0.0)
    if high != 0:
        share += high * (value if position >= d - n else 0.0)
    return share


@njit(cache=True, error_model="numpy", inline="always")
def _group_mean(x, y, d, n, low, high, out):
    """Write low * mean of x where y is lowest + high * mean of x where y is highest, n of the last
    d rows each.

    Each row of the window carries its place in the order of y. A row that enters or leaves moves
    the places behind it by one, which is cheaper than sorting and runs over all columns at once; of
    equal y the older row comes first. Two rows are taken together, because loading and storing the
    running sums costs as much as a row.
    """
    rows, columns = x.shape
    places = np.empty((rows, columns))
    behind, total = np.empty(columns), np.empty(columns)
    # complete: rows since a value was missing; known: rows of the window with a y, the latest not
    # counted yet
    complete, known = np.zeros(columns), np.zeros(columns)
    none = np.full(columns, np.nan)
    for t in range(rows):
        behind[:] = 0.0
        total[:] = 0.0
        leaving = y[t - d] if t >= d else none
        latest = y[t]
        row = max(t - d + 1, 0)
        while row + 1 < t:
            place, place_b, key, key_b = places[row], places[row + 1], y[row], y[row + 1]
            value, value_b = x[row], x[row + 1]
            for j in range(columns):
                later = 1.0 if key[j] > latest[j] else 0.0
                later_b = 1.0 if key_b[j] > latest[j] else 0.0
                position = place[j] + later - (1.0 if key[j] >= leaving[j] else 0.0)
                position_b = place_b[j] + later_b - (1.0 if key_b[j] >= leaving[j] else 0.0)
                place[j], place_b[j] = position, position_b
                behind[j] += later + later_b
                share = _share(position, value[j], n, d, low, high)
                total[j] += share + _share(position_b, value_b[j], n, d, low, high)
            row += 2
        if row < t:
            place, key, value = places[row], y[row], x[row]
            for j in range(columns):
                later = 1.0 if key[j] > latest[j] else 0.0
                position = place[j] + later - (1.0 if key[j] >= leaving[j] else 0.0)
                place[j] = position
                behind[j] += later
                total[j] += _share(position, value[j], n, d, low, high)
        place = places[t]
        for j in range(columns):
            known[j] -= 1.0 if leaving[j] == leaving[j] else 0.0
            position = known[j] - behind[j]
            place[j] = position
            known[j] += 1.0 if latest[j] == latest[j] else 0.0
            total[j] += _share(position, x[t, j], n, d, low, high)
            both = latest[j] == latest[j] and x[t, j] == x[t, j]
            complete[j] = complete[j] + 1.0 if both else 0.0
            out[t, j] = total[j] / n if complete[j] >= d else np.nan


@njit(cache=True, error_model="numpy")
def group_asc_sort_avg(x, y, d, n, out):
    """Write the mean of x over those n of the last d rows whose y is lowest."""
    _group_mean(x, y, d, n, 1.0, 0.0, out)


@njit(cache=True, error_model="numpy")
def group_desc_sort_avg(x, y, d, n, out):
    """Write the mean of x over those n of the last d rows whose y is highest."""
    _group_mean(x, y, d, n, 0.0, 1.0, out)


@njit(cache=True, error_model="numpy")
def group_diff_sort_avg(x, y, d, n, out):
    """Write the mean of x where y is highest minus its mean where y is lowest, n of the last d rows
    each.
    """
    _group_mean(x, y, d, n, -1.0, 1.0, out)
