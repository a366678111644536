"""Shrunk covariances of returns, for one window or for all decisions at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.market.errors import ModelError

#: a correlation matrix is repaired where its smallest eigenvalue is below this
SMALLEST_EIGENVALUE = 1e-8
#: fewer rows give no estimate
FEWEST_RETURNS = 20
#: an asset whose returns have a smaller standard deviation does not move
SMALLEST_DEVIATION = 1e-10


@dataclass(frozen=True)
class Covariance:
    """An annualised covariance matrix.

    Attributes
    ----------
    matrix : DataFrame, (N, N)
        Positive definite.
    repaired : bool
        True where eigenvalues had to be lifted.
    """

    matrix: pd.DataFrame
    repaired: bool


def shrunk_covariance(returns: pd.DataFrame, periods: float) -> Covariance:
    """Estimate the covariance of one window; see ``shrunk_covariances``.

    Parameters
    ----------
    returns : DataFrame, (W, N)
        One row per period, fractions; no NaN, every column moves.
    periods : float
        Rows per year.

    Raises
    ------
    ModelError
        Fewer than 20 rows, a missing return or an asset that does not move.
    """
    values = returns.to_numpy(dtype=float)
    missing = int((~np.isfinite(values)).sum())
    if len(values) < FEWEST_RETURNS or missing:
        raise ModelError(
            f"{len(values)} returns with {missing} missing give no covariance",
            remedy=f"give at least {FEWEST_RETURNS} rows without a gap",
        )
    still = values.std(axis=0) < SMALLEST_DEVIATION
    if still.any():
        raise ModelError(
            "an asset does not move",
            symbol=returns.columns[still][0],
            remedy="leave it out: it has no risk to budget",
        )
    matrices, repaired = shrunk_covariances(values[None], np.ones((1, values.shape[1])), periods)
    matrix = pd.DataFrame(matrices[0], returns.columns, returns.columns)
    return Covariance(matrix, bool(repaired[0]))


def shrunk_covariances(
    returns: np.ndarray, usable: np.ndarray, periods: float
) -> tuple[np.ndarray, np.ndarray]:
    r"""Estimate annualised covariances with the shrinkage of Ledoit and Wolf (2004).

    .. math:: \hat\Sigma = (1 - \delta) S + \delta \mu I, \qquad \mu = \tfrac1p \operatorname{tr} S,
              \qquad \delta = \min\!\left(1, \frac{\tfrac1n \left(\tfrac1n \sum_t \lVert x_t
              \rVert^4 - \lVert S \rVert^2\right)}{\lVert S - \mu I \rVert^2}\right)

    The returns are standardised first: the target is a multiple of the identity, which would lend
    the volatility of oil to a two-year bond. So correlations are shrunk towards zero and
    volatilities stay as measured.

    Parameters
    ----------
    returns : array, (K, W, N)
        Windows of W returns, fractions.
    usable : array of bool or 0 and 1, (K, N)
        Assets to estimate; they have no NaN in their window and move. Others may be NaN.
    periods : float
        Rows per year.

    Returns
    -------
    covariances : array, (K, N, N)
        Positive definite among usable assets; NaN in rows and columns of others.
    repaired : bool array, (K,)
        True where eigenvalues had to be lifted.
    """
    held = np.asarray(usable, dtype=bool)
    length = returns.shape[1]
    values = np.where(held[:, None, :], returns, 0.0)
    deviation = values.std(axis=1)
    scaled = values / np.where(held, deviation, 1.0)[:, None, :]
    scaled = np.where(held[:, None, :], scaled - scaled.mean(axis=1, keepdims=True), 0.0)
    sample = np.matmul(np.swapaxes(scaled, 1, 2), scaled) / length
    count = np.maximum(held.sum(axis=1), 1)
    mean = np.trace(sample, axis1=1, axis2=2) / count
    squares = (sample**2).sum(axis=(1, 2))
    noise = ((scaled**2).sum(axis=2) ** 2).sum(axis=1) / length - squares
    distance = squares - count * mean**2
    # a single asset is its own target: nothing to shrink
    certain = distance > 1e-15 * squares
    shrinkage = np.where(
        certain, np.minimum(noise / length, distance) / np.where(certain, distance, 1.0), 0.0
    )
    correlation = (1.0 - shrinkage)[:, None, None] * sample
    assets = np.arange(held.shape[1])
    correlation[:, assets, assets] += np.where(held, (shrinkage * mean)[:, None], 1.0)
    repaired = np.zeros(len(returns), dtype=bool)
    # no eigenvalue is below the part of the target, so that this hardly ever happens
    thin = shrinkage * mean < SMALLEST_EIGENVALUE
    if thin.any():
        correlation[thin], repaired[thin] = nearest_positive_definite(correlation[thin])
    annual = np.where(held, deviation * np.sqrt(periods), np.nan)
    return correlation * (annual[:, :, None] * annual[:, None, :]), repaired


def nearest_positive_definite(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lift the eigenvalues of correlation matrices to 1e-7 where one is below 1e-8.

    Parameters
    ----------
    matrices : array, (K, N, N)
        Covariances; their variances are kept.

    Returns
    -------
    matrices : array, (K, N, N)
    repaired : bool array, (K,)

    Raises
    ------
    ModelError
        A matrix that is not symmetric, or a variance that is not positive.
    """
    variance = np.diagonal(matrices, axis1=1, axis2=2)
    symmetric = np.allclose(matrices, np.swapaxes(matrices, 1, 2), rtol=1e-8)
    if not (np.isfinite(matrices).all() and (variance > 0).all() and symmetric):
        raise ModelError(
            "this is not a covariance matrix",
            remedy="give a symmetric matrix with positive variances",
        )
    scale = np.sqrt(variance[:, :, None] * variance[:, None, :])
    eigenvalues, vectors = np.linalg.eigh(matrices / scale)
    repaired = eigenvalues[:, 0] < SMALLEST_EIGENVALUE
    if not repaired.any():
        return matrices, repaired
    lifted = np.maximum(eigenvalues[repaired], 10 * SMALLEST_EIGENVALUE)[:, None, :]
    lifted = np.matmul(vectors[repaired] * lifted, np.swapaxes(vectors[repaired], 1, 2))
    norm = np.sqrt(np.diagonal(lifted, axis1=1, axis2=2))
    matrices = matrices.copy()
    matrices[repaired] = lifted / (norm[:, :, None] * norm[:, None, :]) * scale[repaired]
    return matrices, repaired
