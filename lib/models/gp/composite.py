"""Composite scores: the mean of all libraries so far, each the mean of its factors' signed ranks,
over all seeds.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from lib.market.panel import Panel
from lib.models.gp.evaluation import Evaluator
from lib.models.gp.inputs import RECIPES, Inputs, factor_inputs
from lib.models.gp.kernels_cross import cs_rank
from lib.models.gp.library import Library
from lib.models.gp.programs import Tree, from_text, lookback

#: share of a library's factors that must have a value for a symbol to be scored
MIN_FACTORS = 0.5
RECIPE_NAMES = list(RECIPES)


def rotation_scores(
    panel: Panel | Inputs,
    libraries: list[Library],
    by_seed: bool = False,
    since=None,
    sessions: pd.DatetimeIndex | None = None,
):
    """Score every symbol on every session with all libraries known by then.

    A library scores from the session it was mined on, and goes on when later ones join it: one
    quarter's library is noise, and their mean averages it away. The scores of a session never
    depend on later data: any row of the result can be used, month ends as well as week ends.

    Parameters
    ----------
    panel : Panel or Inputs
        The history the libraries were mined on, or that of other symbols with the same fields.
    libraries : list of Library
        From ``walk_forward_mining`` or ``load_libraries``; several seeds per date are averaged.
    by_seed : bool
        Return one frame per seed instead of their mean.
    since : date, optional
        Sessions before it are not needed and stay NaN.
    sessions : DatetimeIndex, optional
        Only these are needed, the others stay NaN; which are asked for changes no score.

    Returns
    -------
    DataFrame, (T, N), or dict of int to DataFrame
        The equal-weight mean over a seed's libraries of their factors' mean signed rank, centred:
        -0.5 worst, 0.5 best. NaN before the first library, on sessions without data, and for
        symbols that no library can score; a library scores a symbol if at least half of its factors
        have a value. Factors of an input that the panel lacks are left out, see ``missing_inputs``.
        Seeds are averaged with equal weight over those that have a view.

    Raises
    ------
    ModelError
        A formula with an operator or input that does not exist.
    """
    dates = panel.dates
    inputs = factor_inputs(panel) if isinstance(panel, Panel) else panel
    begin = 0 if since is None else int(inputs.dates.searchsorted(pd.Timestamp(since)))
    seeds = sorted({library.seed for library in libraries})
    total = {seed: np.zeros(inputs.close.shape) for seed in seeds}
    count = {seed: np.zeros(inputs.close.shape) for seed in seeds}
    needed = np.arange(len(inputs.dates))
    if sessions is not None:
        needed = needed[inputs.dates.isin(sessions)]
    for mined_on in sorted({library.mined_on for library in libraries}):
        group = [library for library in libraries if library.mined_on == mined_on]
        first = max(int(inputs.dates.searchsorted(mined_on)), begin)
        rows = needed[needed >= first]
        for seed, score in _library_scores(inputs, group, first, rows):
            finite = np.isfinite(score)
            total[seed][rows] += np.where(finite, score, 0.0)
            count[seed][rows] += finite
    frames = {}
    for seed in seeds:
        mean = np.where(count[seed] > 0, total[seed] / np.maximum(count[seed], 1), np.nan)
        frames[seed] = pd.DataFrame(mean, index=inputs.dates, columns=inputs.symbols).reindex(dates)
    return frames if by_seed else average_seeds(frames)


def _library_scores(inputs: Inputs, group: list[Library], first: int, rows: np.ndarray):
    """Yield the seed and the scores on some rows, (R, N), of each library of one quarter end, which
    scores from row ``first`` on.
    """
    trees = {library.seed: _usable_trees(inputs, library) for library in group}
    every = [tree for entries in trees.values() for tree, _ in entries]
    if not every or not len(rows):
        return
    # a start that depends on the formulas only keeps the values of a session the same in every
    # longer history
    start = max(first - max(map(lookback, every)), 0)
    stop = int(rows[-1]) + 1
    evaluator = Evaluator(list(inputs.rows(start, stop).values.values()))
    # a slice needs no copy
    chosen = slice(first - start, None) if len(rows) == stop - first else rows - start
    ranks = np.empty((len(rows), len(inputs.symbols)))
    for seed, entries in trees.items():
        if not entries:
            continue
        total, valid = np.zeros(ranks.shape), np.zeros(ranks.shape)
        for tree, sign in entries:
            cs_rank(evaluator(tree)[chosen], ranks)
            finite = np.isfinite(ranks)
            valid += finite
            total += np.where(finite, sign * (ranks - 0.5), 0.0)
        enough = valid >= max(MIN_FACTORS * len(entries), 1)
        yield seed, np.where(enough, total / np.maximum(valid, 1), np.nan)


def _usable_trees(inputs: Inputs, library: Library) -> list[tuple[Tree, int]]:
    """Return the formulas whose inputs are all there, and their signs."""
    positions = {name: position for position, name in enumerate(inputs.names)}
    usable = []
    for entry in library.entries:
        tree = _parsed(entry.formula, library.file_name)
        if _needed(tree) <= positions.keys():
            positioned = [
                positions[RECIPE_NAMES[node]] if isinstance(node, int) else node for node in tree
            ]
            usable.append((positioned, entry.sign))
    return usable


@cache
def _parsed(formula: str, file: str | None = None) -> Tree:
    """Return a formula's tree over all inputs that there are."""
    return from_text(formula, RECIPE_NAMES, file)


def _needed(tree: Tree) -> set[str]:
    """Return the inputs of a tree over all inputs."""
    return {RECIPE_NAMES[node] for node in tree if isinstance(node, int)}


def missing_inputs(inputs: Inputs, libraries: list[Library]) -> tuple[list[str], int]:
    """Return the inputs that formulas need and the scored panel lacks, and how many factors are
    left out for it.
    """
    lacking = [
        _needed(_parsed(entry.formula)) - set(inputs.names)
        for library in libraries
        for entry in library.entries
    ]
    return sorted(set().union(*lacking)), sum(map(bool, lacking))


def average_seeds(frames: dict[int, pd.DataFrame]) -> pd.DataFrame:
    """Return the mean over seeds of their scores' cross-sectional ranks, (T, N), NaN where no seed
    has a view.
    """
    ranks = [frame.rank(axis=1, pct=True) - 0.5 for frame in frames.values()]
    stacked = np.stack([frame.to_numpy() for frame in ranks])
    valid = np.isfinite(stacked).sum(axis=0)
    mean = np.nansum(stacked, axis=0) / np.maximum(valid, 1)
    template = next(iter(frames.values()))
    return pd.DataFrame(
        np.where(valid > 0, mean, np.nan), index=template.index, columns=template.columns
    )
