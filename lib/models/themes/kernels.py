"""Rolling statistics of gappy series, exact per window.

Arrays are (N, T), one symbol a row, so that a window lies side by side in memory. A statistic of
the last w sessions
is NaN unless two thirds of them have a value: a share suspended through the window has none. Column
t depends on
columns up to t alone.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def moments(x, w):
    """Return rolling mean, standard deviation (n) and skewness of x, each (N, T)."""
    n, t = x.shape
    mean, std, skew = np.full((n, t), np.nan), np.full((n, t), np.nan), np.full((n, t), np.nan)
    least = (2 * w + 2) // 3
    for i in range(n):
        for j in range(w - 1, t):
            count, total = 0, 0.0
            for k in range(j - w + 1, j + 1):
                if not np.isnan(x[i, k]):
                    count += 1
                    total += x[i, k]
            if count < least:
                continue
            middle = total / count
            second, third = 0.0, 0.0
            for k in range(j - w + 1, j + 1):
                if not np.isnan(x[i, k]):
                    off = x[i, k] - middle
                    second += off * off
                    third += off * off * off
            mean[i, j] = middle
            spread = np.sqrt(second / count)
            std[i, j] = spread
            if spread > 1e-12:
                skew[i, j] = third / count / spread**3
    return mean, std, skew


@njit(cache=True, nogil=True)
def average(x, w):
    """Return the rolling mean of x, (N, T)."""
    n, t = x.shape
    out = np.full((n, t), np.nan)
    least = (2 * w + 2) // 3
    for i in range(n):
        for j in range(w - 1, t):
            count, total = 0, 0.0
            for k in range(j - w + 1, j + 1):
                if not np.isnan(x[i, k]):
                    count += 1
                    total += x[i, k]
            if count >= least:
                out[i, j] = total / count
    return out


@njit(cache=True, nogil=True)
def extremes(x, w):
    """Return the rolling maximum and minimum of x, each (N, T)."""
    n, t = x.shape
    high, low = np.full((n, t), np.nan), np.full((n, t), np.nan)
    least = (2 * w + 2) // 3
    for i in range(n):
        for j in range(w - 1, t):
            count, top, bottom = 0, -np.inf, np.inf
            for k in range(j - w + 1, j + 1):
                if not np.isnan(x[i, k]):
                    count += 1
                    top = max(top, x[i, k])
                    bottom = min(bottom, x[i, k])
            if count >= least:
                high[i, j], low[i, j] = top, bottom
    return high, low


@njit(cache=True, nogil=True)
def co_moments(x, y, w):
    """Return the rolling correlation of x and y and the slope of x on y, each (N, T); both over
    common sessions.
    """
    n, t = x.shape
    correlation, slope = np.full((n, t), np.nan), np.full((n, t), np.nan)
    least = (2 * w + 2) // 3
    for i in range(n):
        for j in range(w - 1, t):
            count, sx, sy = 0, 0.0, 0.0
            for k in range(j - w + 1, j + 1):
                if not (np.isnan(x[i, k]) or np.isnan(y[i, k])):
                    count += 1
                    sx += x[i, k]
                    sy += y[i, k]
            if count < least:
                continue
            mx, my, vx, vy, c = sx / count, sy / count, 0.0, 0.0, 0.0
            for k in range(j - w + 1, j + 1):
                if not (np.isnan(x[i, k]) or np.isnan(y[i, k])):
                    dx, dy = x[i, k] - mx, y[i, k] - my
                    vx += dx * dx
                    vy += dy * dy
                    c += dx * dy
            if vy > 1e-20:
                slope[i, j] = c / vy
                if vx > 1e-20:
                    correlation[i, j] = c / np.sqrt(vx * vy)
    return correlation, slope
