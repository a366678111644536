"""Cross-section kernels: one row of the output depends on the same row of the inputs.

Missing cells stay NaN and do not take part; equal values share the mean of their ranks. All kernels
take

Parameters
----------
x, y : float64 array, (T, N)
    Inputs; kernels of one input take ``x`` alone.
out : float64 array, (T, N)
    The result is written here.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

#: up to this many columns, counting smaller values beats sorting
COUNTED_COLUMNS = 96


# counts are whole numbers, so their sums may be taken in any order
@njit(cache=True, error_model="numpy", fastmath={"reassoc"})
def count_row(row, below, level):
    """Count for each cell of a row how many valid cells are smaller, and how many are equal (itself
    included).

    Parameters
    ----------
    row : float64 array, (N,)
        NaN marks a cell that does not take part.
    below, level : float64 arrays, (N,)
        Results; meaningless where ``row`` is NaN.

    Returns
    -------
    int
        The number of valid cells.
    """
    columns = row.shape[0]
    valid = 0
    for j in range(columns):
        if row[j] == row[j]:
            valid += 1
    if columns <= COUNTED_COLUMNS:
        below[:] = 0.0
        # four values against all columns at once; NaN past the end compares with nothing
        for k in range(0, columns, 4):
            first = row[k]
            second = row[k + 1] if k + 1 < columns else np.nan
            third = row[k + 2] if k + 2 < columns else np.nan
            fourth = row[k + 3] if k + 3 < columns else np.nan
            for j in range(columns):
                value = row[j]
                below[j] += (
                    (1.0 if first < value else 0.0)
                    + (1.0 if second < value else 0.0)
                    + (1.0 if third < value else 0.0)
                    + (1.0 if fourth < value else 0.0)
                )
        smaller = 0.0
        for j in range(columns):
            smaller += below[j]
        level[:] = 1.0
        # without ties every pair of valid cells has been counted once
        if smaller != 0.5 * valid * (valid - 1):
            level[:] = 0.0
            for k in range(columns):
                for j in range(columns):
                    level[j] += 1.0 if row[k] == row[j] else 0.0
        return valid
    # NaN sorts last, so the first `valid` places are the valid cells
    order = np.argsort(row)
    first = 0
    while first < valid:
        last = first
        while last + 1 < valid and row[order[last + 1]] == row[order[first]]:
            last += 1
        for place in range(first, last + 1):
            below[order[place]], level[order[place]] = first, last - first + 1
        first = last + 1
    return valid


@njit(cache=True, error_model="numpy")
def cs_rank(x, out):
    """Write the row's rank scaled to the inside of (0, 1): (rank - 1/2) / number of valid cells."""
    columns = x.shape[1]
    below, level = np.empty(columns), np.empty(columns)
    for t in range(x.shape[0]):
        valid = count_row(x[t], below, level)
        for j in range(columns):
            out[t, j] = (below[j] + 0.5 * level[j]) / valid if x[t, j] == x[t, j] else np.nan


@njit(cache=True, error_model="numpy")
def rank_sub(x, y, out):
    """Write the rank of x minus the rank of y within the row."""
    other = np.empty_like(y)
    cs_rank(x, out)
    cs_rank(y, other)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] -= other[i, j]


@njit(cache=True, error_model="numpy")
def rank_div(x, y, out):
    """Write the rank of x divided by the rank of y within the row."""
    other = np.empty_like(y)
    cs_rank(x, out)
    cs_rank(y, other)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            # a scaled rank is never zero
            out[i, j] /= other[i, j]


@njit(cache=True, error_model="numpy")
def _row_mean(row):
    """Return how many cells of a row are valid, and their mean."""
    valid, total = 0, 0.0
    for j in range(row.shape[0]):
        known = row[j] == row[j]
        valid += known
        total += row[j] if known else 0.0
    return valid, total / max(valid, 1)


@njit(cache=True, error_model="numpy")
def cs_zscore(x, out):
    """Write (x - mean) / standard deviation over the row, NaN where the row does not vary."""
    columns = x.shape[1]
    for t in range(x.shape[0]):
        valid, mean = _row_mean(x[t])
        squares = 0.0
        for j in range(columns):
            gap = x[t, j] - mean
            squares += gap * gap if gap == gap else 0.0
        deviation = math.sqrt(squares / (valid - 1)) if valid > 1 else 0.0
        flat = not (deviation > 1e-12 * abs(mean))
        for j in range(columns):
            out[t, j] = np.nan if flat else (x[t, j] - mean) / deviation


@njit(cache=True, error_model="numpy")
def cs_demean(x, out):
    """Write x minus the row's mean."""
    columns = x.shape[1]
    for t in range(x.shape[0]):
        _, mean = _row_mean(x[t])
        for j in range(columns):
            out[t, j] = x[t, j] - mean
