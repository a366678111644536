"""Elementwise kernels: one output cell depends on the same cell of each input.

NaN in gives NaN out, and a result that is not finite (a division by zero, the logarithm of zero) is
written as NaN, so that no infinity travels on. All kernels take

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

#: a divisor smaller than this in absolute value counts as zero
ZERO = 1e-12
#: results beyond this count as overflow: their squares would leave float64
OVERFLOW = 1e100


@njit(cache=True, error_model="numpy")
def add(x, y, out):
    """Write x + y."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = x[i, j] + y[i, j]


@njit(cache=True, error_model="numpy")
def sub(x, y, out):
    """Write x - y."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = x[i, j] - y[i, j]


@njit(cache=True, error_model="numpy")
def mul(x, y, out):
    """Write x * y, NaN where it overflows."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            product = x[i, j] * y[i, j]
            out[i, j] = product if abs(product) < OVERFLOW else np.nan


@njit(cache=True, error_model="numpy")
def div(x, y, out):
    """Write x / y, NaN where y is zero."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            denominator = y[i, j]
            zero = abs(denominator) < ZERO
            quotient = x[i, j] / (1.0 if zero else denominator)
            out[i, j] = np.nan if zero or not abs(quotient) < OVERFLOW else quotient


@njit(cache=True, error_model="numpy")
def maximum(x, y, out):
    """Write the larger of x and y."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            a, b = x[i, j], y[i, j]
            # a + b is NaN as soon as one of them is
            larger = a if a > b else b
            out[i, j] = larger if a == a and b == b else np.nan


@njit(cache=True, error_model="numpy")
def minimum(x, y, out):
    """Write the smaller of x and y."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            a, b = x[i, j], y[i, j]
            smaller = a if a < b else b
            out[i, j] = smaller if a == a and b == b else np.nan


@njit(cache=True, error_model="numpy")
def log(x, out):
    """Write ln|x|, NaN where x is zero."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            size = abs(x[i, j])
            out[i, j] = math.log(size) if size >= ZERO else np.nan


@njit(cache=True, error_model="numpy")
def sqrt(x, out):
    """Write sign(x) * sqrt|x|, which keeps the order of negative values."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = math.copysign(math.sqrt(abs(x[i, j])), x[i, j])


@njit(cache=True, error_model="numpy")
def neg(x, out):
    """Write -x."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = -x[i, j]


@njit(cache=True, error_model="numpy")
def absolute(x, out):
    """Write |x|."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = abs(x[i, j])


@njit(cache=True, error_model="numpy")
def sigmoid(x, out):
    """Write 1 / (1 + exp(-x))."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            # beyond 40 the result is 0 or 1 to the last digit; the clip keeps exp finite and NaN
            # alive
            value = x[i, j]
            value = 40.0 if value > 40.0 else value
            value = -40.0 if value < -40.0 else value
            out[i, j] = 1.0 / (1.0 + math.exp(-value))


@njit(cache=True, error_model="numpy")
def sign(x, out):
    """Write -1, 0 or 1."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            value = x[i, j]
            out[i, j] = value  # NaN stays
            if value > 0:
                out[i, j] = 1.0
            elif value < 0:
                out[i, j] = -1.0
            elif value == 0:
                out[i, j] = 0.0
