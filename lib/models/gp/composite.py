"""Composite scores: the equal-weight mean of the admitted factors' signed cross-sectional ranks, over all seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.market.panel import Panel
from lib.models.gp.evaluation import Evaluator
from lib.models.gp.inputs import Inputs, factor_inputs
from lib.models.gp.kernels_cross import cs_rank
from lib.models.gp.library import Library
from lib.models.gp.objectives import TOP
from lib.models.gp.programs import from_text, lookback

#: share of a library's factors that must have a value for a symbol to be scored
MIN_FACTORS = 0.5


def rotation_scores(panel: Panel | Inputs, libraries: list[Library], by_seed: bool = False):
    """Score every symbol on every session with the libraries known by then.

    A library scores from the session it was mined on until the next one of its seed takes over, so the scores of a
    session never depend on later data: any row of the result can be used, month ends as well as week ends.

    Parameters
    ----------
    panel : Panel or Inputs
        The history the libraries were mined on, or a longer one.
    libraries : list of Library
        From ``walk_forward``, or read with ``load_libraries``; several seeds per date are averaged.
    by_seed : bool
        Return one frame per seed instead of their mean.

    Returns
    -------
    DataFrame, (T, N), or dict of int to DataFrame
        Mean of the factors' signed ranks, centred: -0.5 worst, 0.5 best. NaN before the first library, on sessions
        without data, for symbols that fewer than half of the factors can score, and while a library is empty. Seeds
        are averaged with equal weight over those that have a view.

    Raises
    ------
    ModelError
        A formula with an operator or input that is not there.
    """
    dates = panel.dates
    inputs = factor_inputs(panel) if isinstance(panel, Panel) else panel
    seeds = sorted({library.seed for library in libraries})
    scores = {seed: np.full(inputs.close.shape, np.nan) for seed in seeds}
    for first, stop, group in _reigns(inputs.dates, libraries):
        trees = {
            (library.seed, place): (from_text(entry.formula, inputs.names, library.file_name), entry.sign)
            for library in group
            for place, entry in enumerate(library.entries)
        }
        if not trees:
            continue
        # a start that depends on the formulas only keeps the values of a session the same in every longer history
        start = max(first - max(lookback(tree) for tree, _ in trees.values()), 0)
        cut = inputs.rows(start, stop)
        evaluator = Evaluator(list(cut.values.values()))
        ranks = np.empty(cut.close.shape)
        for library in group:
            total, valid = np.zeros((stop - first, len(inputs.symbols))), np.zeros((stop - first, len(inputs.symbols)))
            for place in range(len(library.entries)):
                tree, sign = trees[library.seed, place]
                cs_rank(evaluator(tree), ranks)
                signed = sign * (ranks[first - start :] - 0.5)
                valid += np.isfinite(signed)
                total += np.nan_to_num(signed)
            enough = valid >= max(MIN_FACTORS * len(library.entries), 1)
            scores[library.seed][first:stop] = np.where(enough, total / np.maximum(valid, 1), np.nan)
    frames = {
        seed: pd.DataFrame(values, index=inputs.dates, columns=inputs.symbols).reindex(dates)
        for seed, values in scores.items()
    }
    return frames if by_seed else average(frames)


def _reigns(dates: pd.DatetimeIndex, libraries: list[Library]):
    """Yield the rows between two dates of renewal and the libraries in force there."""
    renewals = sorted({library.mined_on for library in libraries})
    for position, renewal in enumerate(renewals):
        first = int(dates.searchsorted(renewal))
        following = renewals[position + 1] if position + 1 < len(renewals) else None
        stop = len(dates) if following is None else int(dates.searchsorted(following))
        if stop > first:
            in_force = {}
            for library in sorted(libraries, key=lambda library: library.mined_on):
                if library.mined_on <= renewal:
                    in_force[library.seed] = library
            yield first, stop, [in_force[seed] for seed in sorted(in_force)]


def average(frames: dict[int, pd.DataFrame]) -> pd.DataFrame:
    """Return the mean over seeds of their scores' cross-sectional ranks, (T, N), NaN where no seed has a view."""
    ranks = [frame.rank(axis=1, pct=True) - 0.5 for frame in frames.values()]
    stacked = np.stack([frame.to_numpy() for frame in ranks])
    valid = np.isfinite(stacked).sum(axis=0)
    mean = np.nansum(stacked, axis=0) / np.maximum(valid, 1)
    template = next(iter(frames.values()))
    return pd.DataFrame(np.where(valid > 0, mean, np.nan), index=template.index, columns=template.columns)


def top_weights(scores: pd.DataFrame, sessions: pd.DatetimeIndex, top: int = TOP) -> pd.DataFrame:
    """Return the target weights decided at some sessions' closes.

    Parameters
    ----------
    scores : DataFrame, (T, N)
    sessions : DatetimeIndex, (K,)
        Decision sessions, such as the weeks' last ones.
    top : int
        Symbols held.

    Returns
    -------
    DataFrame, (K, N)
        1 / top for the highest scores (equal scores: the universe's order decides); without a view the equal weight
        of all symbols, which is the benchmark.
    """
    rows = scores.reindex(sessions)
    values = rows.to_numpy()
    best = np.argsort(np.where(np.isfinite(values), -values, np.inf), axis=1, kind="stable")[:, :top]
    weights = np.zeros(values.shape)
    np.put_along_axis(weights, best, 1 / top, axis=1)
    weights[np.isfinite(values).sum(axis=1) < top] = 1 / values.shape[1]
    return pd.DataFrame(weights, index=rows.index, columns=rows.columns)
