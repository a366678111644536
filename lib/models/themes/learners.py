"""Learners behind one interface: a trainer prepares the data once and fits a model per refit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol

import lightgbm
import numpy as np

from lib.market.errors import ModelError, ParameterError
from lib.models.themes.gru import GruTrainer


@dataclass(frozen=True)
class TrainingData:
    """Features and labels of all decisions; a refit uses the dates it may know.

    Attributes
    ----------
    x : float32 array, (K, N, F)
        Ranks from -0.5 to 0.5, NaN where unknown.
    y : float64 array, (K, N)
    usable : bool array, (K, N)
        Rows with a label and enough features.
    names : list of str, (F,)
    """

    x: np.ndarray
    y: np.ndarray
    usable: np.ndarray
    names: list[str]

    def rows(self, dates: np.ndarray) -> np.ndarray:
        """Return which rows belong to some dates, bool (K,) to bool (K, N)."""
        return dates[:, None] & self.usable


class Model(Protocol):
    """A fitted model: a dataclass that the cache can hold."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return a score per row, (S, F) to (S,)."""

    def importance(self) -> np.ndarray:
        """Return the share of each feature, (F,), adding up to 1."""


class Trainer(Protocol):
    """Fits models on dates; the same inputs give the same model for any number of threads."""

    kind: ClassVar[type[Any]]
    #: whether a score depends on the rows that are scored together
    is_joint: ClassVar[bool]

    def prepare(self) -> None:
        """Compute what all refits share; called by one thread at a time."""

    def fit(self, dates: np.ndarray, weights: np.ndarray) -> Model:
        """Return the model of some dates, weighted by date.

        Parameters
        ----------
        dates : bool array, (K,)
            Those learned from; of them the usable rows are taken.
        weights : float64 array, (K,)
            Of each date.
        """


@dataclass(frozen=True)
class Boosted:
    """Gradient-boosted trees, the mean over seeds.

    Attributes
    ----------
    models : list of str
        One per seed, in LightGBM's own text format.
    gain : float64 array, (F,)
        Mean gain of the splits on each feature.
    """

    models: list[str]
    gain: np.ndarray

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the mean score over seeds, (S, F) to (S,)."""
        boosters = [lightgbm.Booster(model_str=text) for text in self.models]
        return np.mean([booster.predict(x, num_threads=1) for booster in boosters], axis=0)

    def importance(self) -> np.ndarray:
        """Return each feature's share of the gain, (F,)."""
        return self.gain / max(self.gain.sum(), 1e-300)


class BoostedTrainer:
    """Fits boosted trees on one binned data set, which all refits and seeds share.

    Bins divide the ranks evenly and do not depend on the data, so that no bin knows a later date.
    """

    kind: ClassVar[type] = Boosted
    is_joint: ClassVar[bool] = False
    #: one thread a model, since refits run side by side, which a busy machine slows down less
    SHARED: ClassVar[dict] = {
        "num_threads": 1,
        "deterministic": True,
        "force_col_wise": True,
        "seed": 7,
        "verbosity": -1,
    }
    #: a bin of ranks holds a dozen of 787 shares; more bins cost time and add noise
    BINS: ClassVar[dict] = {"max_bin": 63, "enable_bundle": False, "feature_pre_filter": False}
    #: strong sampling of rows and columns, large leaves and shrinkage: a forward return is nearly
    #: all noise. A tree on a fifth of the columns costs half of one on two fifths, and 75 trees at
    #: a rate of 0.1 rank as well as 150 at 0.05 (docs/research/02_ai_themes.md)
    PARAMETERS: ClassVar[dict] = {
        "objective": "regression",
        "learning_rate": 0.1,
        "num_leaves": 31,
        "min_data_in_leaf": 400,
        "feature_fraction": 0.2,
        "bagging_fraction": 0.6,
        "bagging_freq": 1,
        "lambda_l2": 20.0,
    }
    TREES: ClassVar[int] = 75

    def __init__(self, data: TrainingData, seeds: int):
        self.data, self.seeds = data, seeds

    def prepare(self) -> None:
        """Bin all rows once."""
        _ = self.binned

    @cached_property
    def binned(self) -> lightgbm.Dataset:
        """All rows of all dates, binned."""
        width = self.data.x.shape[2]
        grid = np.linspace(-0.5, 0.5, 20 * self.BINS["max_bin"] + 1, dtype=np.float32)
        grid[::20] = np.nan  # a bin for what is not known
        reference = lightgbm.Dataset(
            np.tile(grid[:, None], (1, width)), np.zeros(len(grid)), params=self.SHARED | self.BINS
        )
        labels = np.where(self.data.usable, self.data.y, 0.0).ravel()
        rows = self.data.x.reshape(-1, width)
        return lightgbm.Dataset(
            rows, labels, reference=reference, params=self.SHARED | self.BINS
        ).construct()

    def fit(self, dates: np.ndarray, weights: np.ndarray) -> Boosted:
        """Return one model per seed, fitted on some dates and weighted by date.

        Parameters
        ----------
        dates : bool array, (K,)
            Those learned from; of them the usable rows are taken.
        weights : float64 array, (K,)
            Of each date.
        """
        rows = self.data.rows(dates)
        sample = self.binned.subset(
            np.flatnonzero(rows).tolist(), self.SHARED | self.BINS
        ).construct()
        if np.ptp(weights[dates]) > 0:  # equal weights are left out: a constant hessian is faster
            sample.set_weight(np.broadcast_to(weights[:, None], rows.shape)[rows])
        models = [
            lightgbm.train(
                self.SHARED | self.PARAMETERS | {"seed": 1000 + seed}, sample, self.TREES
            )
            for seed in range(self.seeds)
        ]
        gain = np.mean([model.feature_importance("gain") for model in models], axis=0)
        return Boosted([model.model_to_string() for model in models], gain)


@dataclass(frozen=True)
class Ridge:
    """Linear regression on ranks and on their squares, unknown ranks in the middle.

    Attributes
    ----------
    coefficients : float64 array, (2 F,)
    """

    coefficients: np.ndarray

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the score per row, (S, F) to (S,); it does not depend on the other rows."""
        return (ridge_design(x) * self.coefficients).sum(axis=1)

    def importance(self) -> np.ndarray:
        """Return each feature's share of the absolute coefficients, (F,)."""
        size = np.abs(self.coefficients).reshape(2, -1).sum(axis=0)
        return size / max(size.sum(), 1e-300)


def ridge_design(x: np.ndarray) -> np.ndarray:
    """Return ranks and their centred squares, (S, F) to float64 (S, 2 F)."""
    ranks = np.nan_to_num(x.astype(np.float64))
    return np.hstack([ranks, ranks**2 - 1 / 12])


class RidgeTrainer:
    """Solves the normal equations from products that are summed by date once for all refits."""

    kind: ClassVar[type] = Ridge
    is_joint: ClassVar[bool] = False
    #: share of the sum of weights: enough to tame a hundred correlated features, too little to bias
    PENALTY: ClassVar[float] = 0.02

    def __init__(self, data: TrainingData):
        self.data = data

    def prepare(self) -> None:
        """Sum the products of all dates once."""
        _ = self.products

    @cached_property
    def products(self) -> tuple[np.ndarray, np.ndarray]:
        """Design times itself and times the labels, by date: (K, 2F, 2F) and (K, 2F)."""
        data = self.data
        count, size = len(data.x), 2 * data.x.shape[2]
        squares, labels = np.zeros((count, size, size)), np.zeros((count, size))
        for date in np.flatnonzero(data.usable.any(axis=1)):
            use = data.usable[date]
            design = ridge_design(data.x[date, use])
            squares[date] = design.T @ design
            labels[date] = design.T @ data.y[date, use]
        return squares, labels

    def fit(self, dates: np.ndarray, weights: np.ndarray) -> Ridge:
        """Return the model of some dates, weighted by date.

        Parameters
        ----------
        dates : bool array, (K,)
            Those learned from; of them the usable rows are taken.
        weights : float64 array, (K,)
            Of each date.
        """
        squares, labels = self.products
        weights = np.where(dates, weights, 0.0)
        gram = np.tensordot(weights, squares, 1)
        total = (weights * self.data.usable.sum(axis=1)).sum()
        gram[np.diag_indices_from(gram)] += self.PENALTY * total
        return Ridge(np.linalg.solve(gram, weights @ labels))


def trainer(name: str, data: TrainingData, seeds: int) -> Trainer:
    """Return the trainer of ``boosted``, ``linear`` or ``gru``.

    Parameters
    ----------
    name : str
        ``boosted``, ``linear`` or ``gru``.
    data : TrainingData
        With the columns that the learner reads.
    seeds : int
        Boosted models averaged.

    Raises
    ------
    ParameterError
        No such learner, or PyTorch is not installed.
    """
    match name:
        case "boosted":
            return BoostedTrainer(data, seeds)
        case "linear":
            return RidgeTrainer(data)
        case "gru":
            return GruTrainer(data)
    raise ParameterError(f"there is no learner {name}", remedy="choose from boosted, linear, gru")


def check_labels(y: np.ndarray) -> None:
    """Refuse labels that cannot be learned: ModelError when fewer than two values differ."""
    if len(y) < 2 or np.nanmin(y) == np.nanmax(y):
        raise ModelError(
            "every label of the training window is the same",
            remedy="take a longer window, or check that the closes move",
        )
