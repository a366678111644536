"""What a factor is worth: mean rank IC and NDCG@5 over all weeks of a window, and on how many days
it varies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit

from lib.models.gp.kernels_cross import count_row

#: names held, and the cut of the ranking measure
TOP = 5
#: a week or day counts only if at least this share of the symbols with a label has a value
MIN_SHARE = 0.5


@dataclass(frozen=True)
class Fitness:
    """Measures of one factor over the weeks of a window.

    Attributes
    ----------
    ic : float
        Mean rank IC, signed; weeks on which the factor has no value count as zero.
    icir : float
        Ratio of the weekly rank IC's mean to its standard deviation, per week.
    ndcg : float
        Mean NDCG@5 of the long side: highest values for a positive ``ic``, lowest for a negative
        one.
    coverage : float
        Share of days on which the factor varies across the symbols.
    """

    ic: float
    icir: float
    ndcg: float
    coverage: float


def discounts(top: int = TOP) -> np.ndarray:
    """Return the running sum of 1 / log2(rank + 1), (top + 1,), from nothing to all ``top``
    ranks.
    """
    return np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(top) + 2))])


DISCOUNTS = discounts()


@njit(cache=True, error_model="numpy", fastmath={"reassoc"})
def _dot(x, y):
    """Return the sum of products of centred ranks: multiples of 1/4, exact in any order."""
    total = 0.0
    for j in range(x.shape[0]):
        total += x[j] * y[j]
    return total


@njit(cache=True, error_model="numpy")
def _gain(below, level, valid, relevance, cumulative, long):
    """Return the discounted gain of the first places, equal values sharing the mean discount of
    their places.

    McSherry and Najork, "Computing information retrieval performance measures efficiently in the
    presence of tied scores", 2008: no order of ties has to be invented. A cell of level zero does
    not take part.
    """
    top = cumulative.shape[0] - 1
    total = 0.0
    for j in range(level.shape[0]):
        ahead = valid - below[j] - level[j] if long else below[j]
        if ahead < top and level[j] > 0.0:
            behind = min(ahead + level[j], top)
            total += relevance[j] * (cumulative[int(behind)] - cumulative[int(ahead)]) / level[j]
    return total


@njit(cache=True, error_model="numpy")
def _rank_label(label, below, level, centred, relevance, cumulative):
    """Write centred ranks and relevance (the rank scaled to (0, 1)) of a row; return their squares
    and ideal gain.
    """
    valid = count_row(label, below, level)
    for j in range(label.shape[0]):
        labelled = label[j] == label[j]
        rank = below[j] + 0.5 * level[j]
        centred[j] = rank - 0.5 * valid if labelled else 0.0
        relevance[j] = rank / valid if labelled else 0.0
        level[j] = level[j] if labelled else 0.0
    return _dot(centred, centred), _gain(below, level, valid, relevance, cumulative, True)


@njit(cache=True, error_model="numpy")
def rank_labels(labels, cumulative):
    """Return what ``weekly_measures`` needs of complete weeks: centred ranks, relevances, squares
    and ideal gains.
    """
    weeks, columns = labels.shape
    below, level = np.empty(columns), np.empty(columns)
    centred, relevance = np.empty((weeks, columns)), np.empty((weeks, columns))
    totals = np.empty((weeks, 2))
    for w in range(weeks):
        totals[w, 0], totals[w, 1] = _rank_label(
            labels[w], below, level, centred[w], relevance[w], cumulative
        )
    return centred, relevance, totals


@njit(cache=True, error_model="numpy")
def weekly_measures(factor, labels, rows, ranked, cumulative, side, ic, ndcg):
    """Write rank IC and NDCG for each week.

    Parameters
    ----------
    factor : float64 array, (T, N)
    labels : float64 array, (W, N)
        Forward returns of the weeks, NaN where unknown.
    rows : int array, (W,)
        The weeks' rows in ``factor``.
    ranked : tuple of arrays, each (W, N) or (W,)
        ``rank_labels(labels, cumulative)``; labels of a week are ranked again only where the factor
        lacks one of them.
    cumulative : float64 array, (6,)
        See ``discounts``.
    side : int
        NDCG of the highest (1) or of the lowest values (-1); 0 takes the side that the mean rank IC
        is in favour of.
    ic, ndcg : float64 arrays, (W,)
        Results; zero where fewer than half of the labelled symbols have a value or nothing varies.
    """
    weeks, columns = rows.shape[0], factor.shape[1]
    row, label = np.empty(columns), np.empty(columns)
    centred, rank = np.empty(columns), np.empty(columns)
    relevance, ideal = np.empty((weeks, columns)), np.zeros(weeks)
    below, level = np.empty((weeks, columns)), np.empty((weeks, columns))
    valid = np.zeros(weeks)
    for w in range(weeks):
        ic[w], ndcg[w] = 0.0, 0.0
        value, returns = factor[rows[w]], labels[w]
        labelled, both = 0, 0
        for j in range(columns):
            joint = value[j] == value[j] and returns[j] == returns[j]
            labelled += returns[j] == returns[j]
            both += joint
            row[j] = value[j] if joint else np.nan
        if both < 3 or both < MIN_SHARE * labelled:
            continue
        if both == labelled:
            for j in range(columns):
                centred[j], relevance[w, j] = ranked[0][w, j], ranked[1][w, j]
            squares, best = ranked[2][w, 0], ranked[2][w, 1]
        else:
            for j in range(columns):
                label[j] = returns[j] if row[j] == row[j] else np.nan
            squares, best = _rank_label(
                label, below[w], level[w], centred, relevance[w], cumulative
            )
        count_row(row, below[w], level[w])
        for j in range(columns):
            joint = row[j] == row[j]
            rank[j] = below[w, j] + 0.5 * level[w, j] - 0.5 * both if joint else 0.0
            level[w, j] = level[w, j] if joint else 0.0
        squares_of_factor = _dot(rank, rank)
        if squares_of_factor > 0 and squares > 0:
            ic[w] = _dot(rank, centred) / math.sqrt(squares_of_factor * squares)
            valid[w], ideal[w] = both, best
    long = side > 0 or (side == 0 and ic.mean() >= 0)
    for w in range(weeks):
        if valid[w] > 0:
            gain = _gain(below[w], level[w], valid[w], relevance[w], cumulative, long)
            ndcg[w] = gain / ideal[w]


@njit(cache=True, error_model="numpy")
def coverage(factor, listed, first, stop):
    """Return the share of rows on which the factor varies over at least half of the listed symbols.

    Parameters
    ----------
    factor : float64 array, (T, N)
    listed : int array, (T,)
        Symbols with a close.
    first, stop : int
        Rows ``first`` to ``stop - 1``.
    """
    columns = factor.shape[1]
    days = 0
    for t in range(first, stop):
        row = factor[t]
        any_value = np.nan
        for j in range(columns):
            if row[j] == row[j]:
                any_value = row[j]
                break
        valid, equal = 0, 0
        for j in range(columns):
            valid += row[j] == row[j]
            equal += row[j] == any_value
        days += equal < valid and valid >= MIN_SHARE * listed[t]
    return days / max(stop - first, 1)


@dataclass(frozen=True)
class Target:
    """The weeks, labels and days a factor is measured on.

    Attributes
    ----------
    rows : int array, (W,)
        The weeks' rows in the factor's panel.
    labels : float64 array, (W, N)
    listed : int array, (T,)
    first, stop : int
        The days of the window are rows ``first`` to ``stop - 1``.
    """

    rows: np.ndarray
    labels: np.ndarray
    listed: np.ndarray
    first: int
    stop: int

    @cached_property
    def ranked(self) -> tuple[np.ndarray, ...]:
        """Ranks of the labels, computed once for all factors."""
        return rank_labels(self.labels, DISCOUNTS)

    @cached_property
    def null_standard_error(self) -> float:
        r"""Standard error of the mean rank IC of a factor without information; infinite without
        weeks.

        .. math:: \frac1W \sqrt{\sum_w \frac{1}{n_w - 1}}

        for ranks that are independent across symbols and weeks, :math:`n_w` symbols in week
        :math:`w`. Sectors move in groups and labels overlap, so real rank ICs scatter by more.
        """
        counts = np.isfinite(self.labels).sum(axis=1)
        counts = counts[counts > 2]
        return float(np.sqrt((1 / (counts - 1)).sum()) / len(counts)) if len(counts) else math.inf


@njit(cache=True, error_model="numpy")
def _evaluate(factor, listed, first, stop, labels, rows, ranked, cumulative, min_coverage):
    """Return mean rank IC, its ratio to the weekly standard deviation, mean NDCG and coverage."""
    covered = coverage(factor, listed, first, stop)
    weeks = rows.shape[0]
    if covered < min_coverage or weeks == 0:
        return 0.0, 0.0, 0.0, covered
    ic, ndcg = np.empty(weeks), np.empty(weeks)
    weekly_measures(factor, labels, rows, ranked, cumulative, 0, ic, ndcg)
    mean = ic.mean()
    deviation = ic.std()
    icir = mean / deviation if deviation > 0 else 0.0
    return mean, icir, ndcg.mean(), covered


def evaluate_fitness(factor: np.ndarray, target: Target, min_coverage: float = 0.0) -> Fitness:
    """Evaluate one factor.

    Parameters
    ----------
    factor : float64 array, (T, N)
        NaN where it has no value.
    target : Target
        Weeks, labels and days.
    min_coverage : float
        Below this share of days everything but the coverage is zero.
    """
    days = (target.listed, target.first, target.stop)
    weeks = (target.labels, target.rows, target.ranked, DISCOUNTS)
    return Fitness(*_evaluate(factor, *days, *weeks, min_coverage))
