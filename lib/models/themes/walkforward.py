"""Walk-forward: each date is scored by a model fitted on labels that were over before."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import pandas as pd

from lib.market.errors import ModelError
from lib.market.fingerprint import fingerprint
from lib.market.panel import Panel
from lib.models import forecast_evaluation
from lib.models.cache import cached
from lib.models.gp import kernels_cross
from lib.models.themes import bands, features, gru, kernels, labels, learners
from lib.models.themes.labels import blended_labels
from lib.models.themes.learners import Model, Trainer, TrainingData, check_labels

#: what decides the features and labels, and what decides a model that has learned from them
LEARNING = (learners, gru)
MODULES = (bands, features, kernels, kernels_cross, labels, forecast_evaluation, *LEARNING)
#: fewest decisions in a training window: half a year of weeks
MIN_TRAINING_DATES = 26
#: fewest symbols with a value that are standardised
MIN_SYMBOLS = 5


@dataclass(frozen=True, kw_only=True)
class ThemeSettings:
    """How the scores are learned.

    Attributes
    ----------
    boosted, linear, gru : float
        Fusion weights of the learners; one with weight 0 is left out.
    horizons : tuple of int
        Sessions of the labels, equally weighted.
    embargo : int
        Sessions after the last label's end before the model may be used.
    retrain_months : int
        Models are refitted at the first decision of every so many months, counted from January.
    window_years : float
        Years of decisions in a training window.
    half_life_years : float
        Age at which a training row counts half; 0 weighs all rows alike.
    neutral : float
        Share of the sector's mean taken from each label.
    seeds : int
        Boosted models averaged.
    threads : int
        Refits side by side; no result depends on it.
    """

    boosted: float
    linear: float
    gru: float
    horizons: tuple[int, ...]
    embargo: int
    retrain_months: int
    window_years: float
    half_life_years: float
    neutral: float
    seeds: int
    threads: int

    @property
    def weights(self) -> dict[str, float]:
        """Fusion weight of each learner that takes part, adding up to 1."""
        weights = {name: getattr(self, name) for name in ("boosted", "linear", "gru")}
        total = sum(weights.values())
        return {name: weight / total for name, weight in weights.items() if weight}

    def key(self) -> dict:
        """Return what results depend on: everything except the number of threads."""
        return {name: value for name, value in asdict(self).items() if name != "threads"}


@dataclass(frozen=True)
class WalkForwardScores:
    """Walk-forward scores.

    Attributes
    ----------
    fused : DataFrame, (K, N)
        Cross-sectional z-scores, NaN where a symbol is not scored.
    by_learner : dict of learner to DataFrame, (K, N)
    importance : DataFrame, (F, learners)
        Of the last model.
    refits : DataFrame
        ``first_use``, ``last_label``, ``rows`` of each refit.
    amount_is_estimated : bool
    """

    fused: pd.DataFrame
    by_learner: dict[str, pd.DataFrame]
    importance: pd.DataFrame
    refits: pd.DataFrame
    amount_is_estimated: bool


@dataclass(frozen=True)
class _RefitScores:
    """Raw scores of one refit's dates, (K', N), as the cache stores them."""

    scores: np.ndarray


def cs_zscore(values: np.ndarray) -> np.ndarray:
    """Return z-scores across each row, (K, N); a row with fewer than five values is NaN."""
    values = np.where(np.isfinite(values), values, np.nan)
    count = np.isfinite(values).sum(axis=1, keepdims=True)
    mean = np.nansum(values, axis=1, keepdims=True) / np.maximum(count, 1)
    std = np.sqrt(np.nansum((values - mean) ** 2, axis=1, keepdims=True) / np.maximum(count, 1))
    is_spread = (count >= MIN_SYMBOLS) & (std > 1e-12)
    return np.where(is_spread, (values - mean) / np.where(std > 0, std, 1), np.nan)


def refit_rows(dates: pd.DatetimeIndex, first: pd.Timestamp, months: int) -> list[int]:
    """Return the rows at which a model is fitted: the first decision from ``first`` on, then of
    every period of so many months.

    Parameters
    ----------
    dates : DatetimeIndex, (K,)
        Decision dates, ascending.
    first : Timestamp
        First decision that is scored.
    months : int
        Months between refits.
    """
    period = (dates.year * 12 + dates.month - 1) // months
    start = int(dates.searchsorted(pd.Timestamp(first)))
    return [
        row for row in range(start, len(dates)) if row == start or period[row] != period[row - 1]
    ]


def walk_forward_scores(
    panel: Panel,
    dates: pd.DatetimeIndex,
    first: str | pd.Timestamp,
    settings: ThemeSettings,
    groups: np.ndarray | None = None,
    cache_dir: Path | None = None,
    intraday: Mapping[str, np.ndarray] | None = None,
) -> WalkForwardScores:
    """Score decisions from ``first`` on, each by the latest model fitted before it.

    Parameters
    ----------
    panel : Panel, (T, N)
        All six fields.
    dates : DatetimeIndex, (K,)
        Decision sessions; training rows are taken from the same.
    first : date
        First decision that is scored.
    settings : ThemeSettings
        Learners, labels and training window.
    groups : int array, (N,), optional
        Sector of each symbol for neutral labels.
    cache_dir : Path, optional
        Where scores and models are cached, a model by what it has learned from: a further week
        fits again only what it has changed.
    intraday : mapping of name to float64 array (N, T), optional
        ``intraday_band`` of the panel, where there are minute bars.

    Raises
    ------
    ModelError
        Too little history before ``first``, or labels that cannot be learned.
    ParameterError
        A learner whose library is not installed.
    """
    folder = None if cache_dir is None else Path(cache_dir) / "themes"
    sectors = "none" if groups is None else groups
    inputs = (panel, dates, str(first), settings.key(), sectors, dict(intraday or {}))
    return cached(
        WalkForwardScores,
        folder,
        lambda: _walk(panel, dates, pd.Timestamp(first), settings, groups, folder, intraday),
        inputs,
        [*MODULES, Path(__file__)],
    )


def _walk(panel, dates, first, settings, groups, folder, intraday) -> WalkForwardScores:
    """Return the scores; arguments as of ``walk_forward_scores``."""
    if settings.gru:
        gru.torch()  # a missing library is named before the features are computed
    x, names, bars = features.features(panel, dates, settings.threads, bool(settings.gru), intraday)
    y = blended_labels(panel, dates, settings.horizons, groups, settings.neutral)
    walk = _Walk(panel, dates, first, settings, x, y, names, folder)
    with ThreadPoolExecutor(settings.threads) as pool:
        scored = [pool.submit(walk.score, name, number) for name, number in walk.tasks()]
        predictions = dict(zip(walk.tasks(), (task.result() for task in scored), strict=True))
    since = dates[walk.starts[0] :]
    by_learner = {}
    for name in settings.weights:
        blocks = [predictions[name, number] for number in range(len(walk.starts))]
        by_learner[name] = cs_zscore(np.concatenate(blocks))
    fused = cs_zscore(sum(settings.weights[name] * by_learner[name] for name in by_learner))

    def frame(values: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(values, since, panel.symbols)

    return WalkForwardScores(
        frame(fused),
        {name: frame(values) for name, values in by_learner.items()},
        walk.importance(),
        walk.refits(),
        bars.amount_is_estimated,
    )


class _Walk:
    """The refits of a walk-forward: which dates each learns from, and the scores of its dates.

    A refit is named by its number; ``panel``, ``dates``, ``first``, ``settings`` and ``folder`` are
    those of ``walk_forward_scores``, ``x`` (K, N, F) and ``names`` of ``features``, ``y`` (K, N) of
    ``blended_labels``.
    """

    def __init__(self, panel, dates, first, settings: ThemeSettings, x, y, names, folder):
        self.panel, self.dates, self.settings, self.folder = panel, dates, settings, folder
        self.at = panel.dates.get_indexer(dates)
        self.starts = refit_rows(dates, first, settings.retrain_months)
        self.stops = [*self.starts[1:], len(dates)]
        # the windows of the recurrent network come last, and the other learners do without
        plain = sum(not name.startswith("window_") for name in names)
        self.is_known = np.isfinite(x[:, :, :plain]).mean(axis=2) > 0.5
        usable = self.is_known & np.isfinite(y)
        tabular = TrainingData(np.ascontiguousarray(x[:, :, :plain]), y, usable, names[:plain])
        data = {"gru": TrainingData(x, y, usable, names)}
        self.trainers: dict[str, Trainer] = {
            name: learners.trainer(name, data.get(name, tabular), settings.seeds)
            for name in settings.weights
        }
        self.data = {name: data.get(name, tabular) for name in settings.weights}
        self.usable, self.lock = usable, Lock()
        if folder is not None:
            self.x_hashes = [fingerprint(row) for row in x]
            self.y_hashes = [fingerprint(row) for row in np.where(usable, y, np.nan)]

    def tasks(self) -> list[tuple[str, int]]:
        """Return learner and number of each refit."""
        return [(name, number) for number in range(len(self.starts)) for name in self.trainers]

    def training_dates(self, number: int) -> np.ndarray:
        """Return the dates that a refit learns from, bool (K,).

        Raises
        ------
        ModelError
            Too few.
        """
        start, settings = self.starts[number], self.settings
        # purge and embargo: the label of a row must be over, and some sessions more, before its
        # model is used
        is_over = self.at + max(settings.horizons) + settings.embargo <= self.at[start]
        window = pd.Timedelta(days=365.25 * settings.window_years)
        is_recent = self.dates >= self.dates[start] - window
        used = is_over & is_recent & self.usable.any(axis=1)
        if used.sum() < MIN_TRAINING_DATES:
            date = f"{self.dates[start]:%Y-%m-%d}"
            raise ModelError(
                f"{int(used.sum())} weeks of training before {date}, {MIN_TRAINING_DATES} are"
                " needed",
                date=date,
                remedy="start the scores later, or bring longer bars",
            )
        return used

    def date_weights(self, number: int) -> np.ndarray:
        """Return the weight of each date in a refit, float (K,)."""
        if not self.settings.half_life_years:
            return np.ones(len(self.dates))
        age = (self.dates[self.starts[number]] - self.dates).days.to_numpy() / 365.25
        return 0.5 ** (age / self.settings.half_life_years)

    def model_inputs(self, name: str, number: int) -> tuple:
        """Return what decides a model, for its key; nothing without a cache."""
        if self.folder is None:
            return ()
        used = self.training_dates(number)
        rows = [(self.x_hashes[k], self.y_hashes[k]) for k in np.flatnonzero(used)]
        weights = self.date_weights(number)[used]
        return name, rows, weights, self.data[name].names, self.settings.seeds

    def model(self, name: str, number: int) -> Model:
        """Return a learner's model of one refit."""
        data, trainer, used = self.data[name], self.trainers[name], self.training_dates(number)

        def fit() -> Model:
            check_labels(data.y[data.rows(used)])
            with self.lock:
                trainer.prepare()
            return trainer.fit(used, self.date_weights(number))

        inputs = self.model_inputs(name, number)
        return cached(trainer.kind, self.folder, fit, inputs, LEARNING)

    def score(self, name: str, number: int) -> np.ndarray:
        """Return a learner's raw scores of the dates up to the next refit, (K', N).

        Raises
        ------
        ModelError
            The learner gives every symbol the same score, which would silence it in the fusion.
        """
        block = slice(self.starts[number], self.stops[number])
        inputs = self.model_inputs(name, number)
        if self.folder is not None:
            inputs = (*inputs, self.x_hashes[block])
        code = (*LEARNING, Path(__file__))
        scores = cached(
            _RefitScores, self.folder, lambda: self._predict(name, number), inputs, code
        ).scores
        is_scored = np.isfinite(scores).sum(axis=1) >= MIN_SYMBOLS
        is_flat = is_scored & ~np.isfinite(cs_zscore(scores)).any(axis=1)
        if is_flat.any():
            raise ModelError(
                f"the learner {name} gives every symbol the same score",
                date=f"{self.dates[block][np.argmax(is_flat)]:%Y-%m-%d}",
                remedy="bring more symbols or a longer window_years, or set the learner's weight"
                " to 0",
            )
        return scores

    def _predict(self, name: str, number: int) -> _RefitScores:
        """Return the raw scores of a refit's dates, NaN where a symbol is not scored."""
        start, stop = self.starts[number], self.stops[number]
        x, model = self.data[name].x, self.model(name, number)
        scores = np.full((len(x), x.shape[1]), np.nan)
        size = 1 if self.trainers[name].is_joint else stop - start
        for low in range(start, stop, size):
            block = slice(low, min(low + size, stop))
            is_known = self.is_known[block]
            if is_known.any():
                scores[block][is_known] = model.predict(x[block][is_known])
        return _RefitScores(scores[start:stop])

    def importance(self) -> pd.DataFrame:
        """Return the share of each feature in each learner's last model, (F, learners)."""
        last = len(self.starts) - 1
        shares = {
            name: pd.Series(self.model(name, last).importance(), self.data[name].names)
            for name in self.trainers
        }
        names = max((data.names for data in self.data.values()), key=len)
        return pd.DataFrame(shares, index=names).fillna(0.0)

    def refits(self) -> pd.DataFrame:
        """Return the first use, the last label's end and the training rows of each refit."""
        horizon, rows = max(self.settings.horizons), []
        for number, start in enumerate(self.starts):
            used = self.training_dates(number)
            last_label = self.panel.dates[self.at[used][-1] + horizon]
            rows.append((self.dates[start], last_label, int(self.usable[used].sum())))
        return pd.DataFrame(rows, columns=["first_use", "last_label", "rows"])
