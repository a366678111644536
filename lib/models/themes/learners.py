"""Learners behind one interface: fit on a window, predict a date."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import lightgbm
import numpy as np

from lib.market.errors import ModelError, ParameterError
from lib.models.themes.gru import Gru


class Learner(Protocol):
    """Learns labels from features; the same inputs give the same predictions for any number of
    threads.
    """

    def fit(self, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> None:
        """Learn from rows (S, F) with labels and weights (S,)."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return a score per row, (S,)."""

    def importance(self) -> np.ndarray:
        """Return the share of each feature, (F,), adding up to 1."""


@dataclass
class Boosted:
    """Gradient-boosted trees, bagged over seeds.

    Shallow learning rate and strong row and column sampling: a forward return is nearly all noise.
    ``texts`` are the fitted models in LightGBM's own format, ``gain`` is each feature's mean gain.
    """

    seeds: int = 3
    trees: int = 150
    leaves: int = 31
    rate: float = 0.05
    texts: list[str] = field(default_factory=list)
    gain: np.ndarray | None = None

    def fit(self, x, y, weight):
        """Fit one model a seed."""
        # ranks are spread evenly, so a sample finds the bins
        bins = {"max_bin": 63, "bin_construct_sample_cnt": 20_000, "verbosity": -1}
        data = lightgbm.Dataset(x, y, weight=weight, params=bins | self._fixed())
        models = [
            lightgbm.train(self._parameters(seed), data, self.trees) for seed in range(self.seeds)
        ]
        self.gain = np.mean([model.feature_importance("gain") for model in models], axis=0)
        self.texts = [model.model_to_string() for model in models]

    def _fixed(self) -> dict:
        # one thread a model: models are fitted side by side instead, which waits for nothing on a
        # busy machine
        return {"num_threads": 1, "deterministic": True, "force_col_wise": True, "seed": 7}

    def _parameters(self, seed: int) -> dict:
        return self._fixed() | {
            "objective": "regression",
            "learning_rate": self.rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": 400,
            "feature_fraction": 0.4,
            "bagging_fraction": 0.6,
            "bagging_freq": 1,
            "lambda_l2": 20.0,
            "seed": 1000 + seed,
            "verbosity": -1,
        }

    def predict(self, x):
        """Return the mean over seeds."""
        models = [lightgbm.Booster(model_str=text) for text in self.texts]
        return np.mean([model.predict(x, num_threads=1) for model in models], axis=0)

    def importance(self):
        """Return each feature's share of the gain."""
        return self.gain / max(self.gain.sum(), 1e-300)


@dataclass
class Ridge:
    """Linear regression on ranks and on their squares, unknown ranks in the middle."""

    penalty: float = 0.02
    coefficients: np.ndarray | None = None

    @staticmethod
    def _design(x: np.ndarray) -> np.ndarray:
        x = np.nan_to_num(x.astype(np.float64))
        return np.hstack([x, x**2 - 1 / 12])

    def fit(self, x, y, weight):
        """Solve the normal equations; the penalty is a share of the sum of weights."""
        root = np.sqrt(weight)
        design = self._design(x) * root[:, None]
        # a matrix times its own transpose costs half of a general product
        gram = design.T @ design
        gram[np.diag_indices_from(gram)] += self.penalty * weight.sum()
        self.coefficients = np.linalg.solve(gram, design.T @ (root * y))

    def predict(self, x):
        """Return the linear score; summed row by row, so that it does not depend on the rows
        beside.
        """
        return (self._design(x) * self.coefficients).sum(axis=1)

    def importance(self):
        """Return each feature's share of the absolute coefficients."""
        size = np.abs(self.coefficients).reshape(2, -1).sum(axis=0)
        return size / max(size.sum(), 1e-300)


def learner(name: str, names: list[str], seeds: int = 3) -> Learner:
    """Return a fresh learner: ``boosted``, ``linear`` or ``gru``; ``names`` are those of the
    columns it will see.

    Raises
    ------
    ParameterError
        No such learner, or PyTorch is not installed.
    """
    match name:
        case "boosted":
            return Boosted(seeds=seeds)
        case "linear":
            return Ridge()
        case "gru":
            return Gru(names)
    raise ParameterError(f"there is no learner {name}", remedy="choose from boosted, linear, gru")


#: class of each learner, which the cache asks for
KINDS = {"boosted": Boosted, "linear": Ridge, "gru": Gru}


def check_labels(y: np.ndarray) -> None:
    """Refuse labels that cannot be learned: ModelError when fewer than two values differ."""
    if len(y) < 2 or np.nanmin(y) == np.nanmax(y):
        raise ModelError(
            "every label of the training window is the same",
            remedy="take a longer window, or check that the closes move",
        )
