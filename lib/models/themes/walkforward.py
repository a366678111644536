"""Walk-forward: each date is scored by a model fitted on labels that were over before."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from lib.market.errors import ModelError
from lib.market.fingerprint import fingerprint
from lib.market.panel import Panel
from lib.models.cache import cached
from lib.models.themes import bands, features, gru, kernels, labels, learners

MODULES = (bands, features, gru, kernels, labels, learners)


@dataclass(frozen=True)
class Settings:
    """How the scores are learned.

    Attributes
    ----------
    learners : mapping of name to fusion weight
    horizons : mapping of sessions to the weight of its label
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
    seeds, threads : int
        Boosted models averaged; refits side by side, which change no result.
    """

    learners: Mapping[str, float] = field(default_factory=lambda: {"boosted": 0.75, "linear": 0.25})
    horizons: Mapping[int, float] = field(default_factory=lambda: {10: 1.0})
    embargo: int = 5
    retrain_months: int = 12
    window_years: float = 8.0
    half_life_years: float = 0.0
    neutral: float = 1.0
    seeds: int = 3
    threads: int = 2

    def key(self) -> dict:
        """Return what results depend on: everything except the number of threads."""
        return {name: value for name, value in asdict(self).items() if name != "threads"}


@dataclass(frozen=True)
class Scores:
    """Walk-forward scores.

    Attributes
    ----------
    fused : DataFrame, (K, N)
        Cross-sectional z-scores, NaN where a symbol is not scored.
    parts : dict of learner to DataFrame, (K, N)
    importance : DataFrame, (F, learners)
        Of the last model.
    fits : DataFrame
        ``first_use``, ``last_label``, ``rows`` of each refit.
    amount_is_estimated : bool
    """

    fused: pd.DataFrame
    parts: dict[str, pd.DataFrame]
    importance: pd.DataFrame
    fits: pd.DataFrame
    amount_is_estimated: bool


def standardised(values: np.ndarray) -> np.ndarray:
    """Return z-scores across each row, (K, N); a row with fewer than five values is NaN."""
    values = np.where(np.isfinite(values), values, np.nan)
    count = np.isfinite(values).sum(axis=1, keepdims=True)
    mean = np.nansum(values, axis=1, keepdims=True) / np.maximum(count, 1)
    spread = np.sqrt(np.nansum((values - mean) ** 2, axis=1, keepdims=True) / np.maximum(count, 1))
    return np.where(
        (count >= 5) & (spread > 1e-12), (values - mean) / np.where(spread > 0, spread, 1), np.nan
    )


def refits(dates: pd.DatetimeIndex, first: pd.Timestamp, months: int) -> list[int]:
    """Return the rows at which a model is fitted: the first decision from ``first`` on, then of
    every period.
    """
    period = (dates.year * 12 + dates.month - 1) // months
    start = int(dates.searchsorted(pd.Timestamp(first)))
    return [
        row for row in range(start, len(dates)) if row == start or period[row] != period[row - 1]
    ]


def walk_forward(
    panel: Panel,
    dates: pd.DatetimeIndex,
    first: pd.Timestamp,
    settings: Settings,
    groups: np.ndarray | None = None,
    cache_dir: Path | None = None,
    intraday: Mapping[str, np.ndarray] | None = None,
) -> Scores:
    """Score decisions from ``first`` on, each by the latest model fitted before it.

    Parameters
    ----------
    panel : Panel, (T, N)
        All six fields.
    dates : DatetimeIndex, (K,)
        Decision sessions; training rows are taken from the same.
    first : Timestamp
        First decision that is scored.
    groups : int array, (N,), optional
        Sector of each symbol for neutral labels.
    cache_dir : Path, optional
        Where scores and fitted models are cached, a model by what it learned from: a further week
        fits again only what it has changed.
    intraday : mapping of name to array (N, T), optional
        ``intraday_band`` of the panel, where there are minute bars.

    Raises
    ------
    ModelError
        Too little history before ``first``, or labels that cannot be learned.
    """
    folder = None if cache_dir is None else Path(cache_dir) / "themes"
    sectors = groups if groups is not None else "none"
    inputs = (panel, dates, str(first), settings.key(), sectors, dict(intraday or {}))
    return cached(
        Scores,
        folder,
        lambda: _walk(panel, dates, first, settings, groups, folder, intraday),
        inputs,
        [*MODULES, Path(__file__)],
    )


def _check_spread(name: str, values: np.ndarray, dates: pd.DatetimeIndex) -> None:
    """Refuse scores of a learner that has learned nothing: it would silence the others in the
    fusion.
    """
    flat = (np.isfinite(values).sum(axis=1) >= 5) & ~np.isfinite(standardised(values)).any(axis=1)
    if flat.any():
        date = f"{dates[np.argmax(flat)]:%Y-%m-%d}"
        raise ModelError(
            f"the learner {name} gives every symbol the same score",
            date=date,
            remedy="bring more symbols or a longer window_years, or set the learner's weight to 0",
        )


def blend(
    panel: Panel, dates: pd.DatetimeIndex, settings: Settings, groups: np.ndarray | None
) -> np.ndarray:
    """Return the weighted mean of the labels of all horizons, (K, N); NaN unless all are over."""
    total = sum(settings.horizons.values())
    return np.asarray(
        sum(
            weight
            / total
            * labels.labels(labels.forward_returns(panel, dates, h), groups, settings.neutral)
            for h, weight in settings.horizons.items()
        )
    )


def _walk(panel, dates, first, settings, groups, cache_dir, intraday) -> Scores:
    if "gru" in settings.learners:
        gru.torch()  # a missing library is named before the features are computed
    x, names, b = features.features(
        panel, dates, settings.threads, "gru" in settings.learners, intraday
    )
    plain = sum(not name.startswith("window_") for name in names)
    y = blend(panel, dates, settings, groups)
    known = np.isfinite(x[:, :, :plain]).mean(axis=2) > 0.5
    at = panel.dates.get_indexer(dates)
    starts = refits(dates, first, settings.retrain_months)
    parts = {name: np.full(y.shape, np.nan) for name in settings.learners}

    def refit(start: int, stop: int) -> tuple[tuple, dict[str, np.ndarray]]:
        # purge: the label of a training row must be over, and the embargo too, before the model is
        # used
        old_enough = at + max(settings.horizons) + settings.embargo <= at[start]
        recent = dates >= dates[start] - pd.Timedelta(days=365.25 * settings.window_years)
        train = (old_enough & recent)[:, None] & known & np.isfinite(y)
        age = (dates[start] - dates).days.to_numpy() / 365.25
        if train.any(axis=1).sum() < 26:
            raise ModelError(
                f"{int(train.any(axis=1).sum())} weeks of training before {dates[start]:%Y-%m-%d},"
                " 26 are needed",
                date=f"{dates[start]:%Y-%m-%d}",
                remedy="start the scores later, or bring longer bars",
            )
        weight = (
            0.5 ** (age / settings.half_life_years)
            if settings.half_life_years
            else np.ones(len(dates))
        )
        rows, target, weights = x[train], y[train], np.broadcast_to(weight[:, None], y.shape)[train]
        learners.check_labels(target)
        learned = cache_dir and fingerprint(rows, target, weights, list(names), settings.seeds)
        importance = {}
        for name in settings.learners:
            seen = slice(None) if name == "gru" else slice(plain)

            def fitted(name=name, seen=seen):
                model = learners.learner(name, names, settings.seeds)
                model.fit(rows[:, seen], target, weights)
                return model

            kind = learners.KINDS[name]
            model = cached(kind, cache_dir, fitted, (learned,), (learners, gru))
            # a network's sums depend on the rows beside; the others score all dates at once. Refits
            # share no row
            step = 1 if name == "gru" else stop - start
            for low in range(start, stop, step):
                which, block = known[low : low + step], parts[name][low : low + step]
                if which.any():
                    block[which] = model.predict(x[low : low + step][which][:, seen])
            _check_spread(name, parts[name][start:stop], dates[start:stop])
            importance[name] = pd.Series(model.importance(), names[seen])
        return (
            dates[start],
            panel.dates[at[old_enough][-1] + max(settings.horizons)],
            int(train.sum()),
        ), importance

    with ThreadPoolExecutor(settings.threads) as pool:
        record, importances = zip(*pool.map(refit, starts, [*starts[1:], len(dates)]), strict=True)
    importance = importances[-1]
    score = {name: standardised(values) for name, values in parts.items()}
    total = sum(settings.learners.values())
    fused = standardised(
        sum(settings.learners[name] / total * values for name, values in score.items())
    )

    def frame(values):
        return pd.DataFrame(values[starts[0] :], index=dates[starts[0] :], columns=panel.symbols)

    return Scores(
        frame(fused),
        {name: frame(values) for name, values in score.items()},
        pd.DataFrame(importance, index=names).fillna(0.0),
        pd.DataFrame(record, columns=["first_use", "last_label", "rows"]),
        b.amount_is_estimated,
    )
