"""Covariance of returns, shrunk, and repaired where it is not positive definite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from lib.market.errors import ModelError
from lib.portfolio.conventions import WEEKS_PER_YEAR

#: smallest eigenvalue of a correlation matrix that counts as positive
SMALLEST = 1e-8


@dataclass(frozen=True)
class Covariance:
    """A yearly covariance matrix.

    Attributes
    ----------
    matrix : DataFrame, (N, N)
        Positive definite.
    shrinkage : float
        Weight of the target, 0 to 1.
    repaired : bool
        True where eigenvalues had to be lifted.
    """

    matrix: pd.DataFrame
    shrinkage: float
    repaired: bool


def shrunk_covariance(
    returns: pd.DataFrame,
    method: Literal["ledoit_wolf", "oas"] = "ledoit_wolf",
    periods: float = WEEKS_PER_YEAR,
) -> Covariance:
    """Estimate the covariance with the shrinkage of Ledoit and Wolf (2004) or OAS (Chen and others,
    2010).

    The returns are standardised first: the target of both is a multiple of the identity, which
    would lend the
    volatility of oil to a two-year bond. So correlations are shrunk towards zero and volatilities
    stay as measured.

    Parameters
    ----------
    returns : DataFrame, (T, N)
        One row per period; no NaN, every column moves.
    periods : float
        Rows a year.

    Raises
    ------
    ModelError
        Fewer than 20 rows, a missing return or an asset that does not move.
    """
    # takes long to load: a run whose weights are kept does without
    from sklearn.covariance import OAS, LedoitWolf

    values = returns.to_numpy()
    if len(values) < 20 or not np.isfinite(values).all():
        raise ModelError(
            f"{len(values)} returns with {int((~np.isfinite(values)).sum())} missing give no"
            " covariance",
            remedy="give at least 20 rows without a gap",
        )
    deviation = values.std(axis=0)
    if (deviation < 1e-10).any():
        symbol = returns.columns[deviation < 1e-10][0]
        raise ModelError(
            "an asset does not move", symbol=symbol, remedy="leave it out: it has no risk to budget"
        )
    fit = {"ledoit_wolf": LedoitWolf, "oas": OAS}[method]().fit(values / deviation)
    yearly = deviation * np.sqrt(periods)
    matrix = pd.DataFrame(
        fit.covariance_ * np.outer(yearly, yearly), returns.columns, returns.columns
    )
    matrix, repaired = nearest_positive_definite(matrix)
    return Covariance(matrix, float(fit.shrinkage_), repaired)


def nearest_positive_definite(matrix: pd.DataFrame) -> tuple[pd.DataFrame, bool]:
    """Lift the eigenvalues of the correlation matrix to 1e-8 and keep the variances; tell whether
    it was needed.

    Raises
    ------
    ModelError
        A matrix that is not symmetric, or a variance that is not positive.
    """
    values = matrix.to_numpy()
    variance = np.diag(values)
    if (
        not np.isfinite(values).all()
        or (variance <= 0).any()
        or not np.allclose(values, values.T, rtol=1e-8)
    ):
        raise ModelError(
            "this is no covariance matrix", remedy="give a symmetric matrix with positive variances"
        )
    scale = np.sqrt(np.outer(variance, variance))
    eigenvalues, vectors = np.linalg.eigh(values / scale)
    if eigenvalues[0] >= SMALLEST:
        return matrix, False
    lifted = (vectors * np.maximum(eigenvalues, 10 * SMALLEST)) @ vectors.T
    again = np.sqrt(np.outer(np.diag(lifted), np.diag(lifted)))
    return pd.DataFrame(lifted / again * scale, matrix.index, matrix.columns), True
