"""What a factor is worth: mean rank IC and NDCG@5 over all weeks of a window, and on how many days it varies."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from lib.models.gp.kernels_cross import count_row

#: names held, and the cut of the ranking measure
TOP = 5
#: a week or day counts only if at least this share of the symbols with a label has a value
MIN_SHARE = 0.5


@dataclass(frozen=True)
class Objectives:
    """Measures of one factor over the weeks of a window.

    Attributes
    ----------
    ic : float
        Mean rank IC, signed; weeks on which the factor has no value count as zero.
    icir : float
        Annualised ratio of the weekly rank IC's mean to its standard deviation.
    ndcg : float
        Mean NDCG@5 of the long side: highest values for a positive ``ic``, lowest for a negative one.
    coverage : float
        Share of days on which the factor varies across the symbols.
    """

    ic: float
    icir: float
    ndcg: float
    coverage: float


def discounts(top: int = TOP) -> np.ndarray:
    """Return the running sum of 1 / log2(place + 1), (top + 1,), from nothing to all ``top`` places."""
    return np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(top) + 2))])


@njit(cache=True)
def _gain(below, level, valid, relevance, row, cumulative, long):
    """Return the discounted gain of the first places, equal values sharing the mean discount of their places.

    McSherry and Najork, "Computing information retrieval performance measures efficiently in the presence of tied
    scores", 2008: no order of ties has to be invented.
    """
    top = cumulative.shape[0] - 1
    total = 0.0
    for j in range(row.shape[0]):
        if row[j] == row[j]:
            ahead = valid - below[j] - level[j] if long else below[j]
            if ahead < top:
                behind = min(ahead + level[j], top)
                total += relevance[j] * (cumulative[int(behind)] - cumulative[int(ahead)]) / level[j]
    return total


@njit(cache=True)
def weekly_measures(factor, labels, rows, cumulative, ic, long, short):
    """Write rank IC and NDCG of both sides for each week.

    Parameters
    ----------
    factor : float64 array, (T, N)
    labels : float64 array, (W, N)
        Forward returns of the weeks, NaN where unknown.
    rows : int array, (W,)
        The weeks' rows in ``factor``.
    cumulative : float64 array, (6,)
        See ``discounts``.
    ic, long, short : float64 arrays, (W,)
        Results; zero where fewer than half of the labelled symbols have a value or nothing varies.
    """
    columns = factor.shape[1]
    row, label = np.empty(columns), np.empty(columns)
    below, level = np.empty(columns), np.empty(columns)
    label_below, label_level = np.empty(columns), np.empty(columns)
    relevance = np.empty(columns)
    for w in range(rows.shape[0]):
        ic[w], long[w], short[w] = 0.0, 0.0, 0.0
        labelled, both = 0, 0
        for j in range(columns):
            value, known = factor[rows[w], j], labels[w, j]
            labelled += known == known
            joint = value == value and known == known
            both += joint
            row[j] = value if joint else np.nan
            label[j] = known if joint else np.nan
        if both < 3 or both < MIN_SHARE * labelled:
            continue
        count_row(row, below, level)
        count_row(label, label_below, label_level)
        centre = both / 2.0
        ff, ll, fl = 0.0, 0.0, 0.0
        for j in range(columns):
            if row[j] == row[j]:
                a = below[j] + 0.5 * level[j] - centre
                b = label_below[j] + 0.5 * label_level[j] - centre
                ff += a * a
                ll += b * b
                fl += a * b
                relevance[j] = (label_below[j] + 0.5 * label_level[j]) / both
        if ff > 0 and ll > 0:
            ic[w] = fl / math.sqrt(ff * ll)
            ideal = _gain(label_below, label_level, both, relevance, row, cumulative, True)
            long[w] = _gain(below, level, both, relevance, row, cumulative, True) / ideal
            short[w] = _gain(below, level, both, relevance, row, cumulative, False) / ideal


@njit(cache=True)
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
    days = 0
    for t in range(first, stop):
        low, high, valid = np.inf, -np.inf, 0
        for j in range(factor.shape[1]):
            value = factor[t, j]
            if value == value:
                valid += 1
                low, high = min(low, value), max(high, value)
        days += high > low and valid >= MIN_SHARE * listed[t]
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


def measure(factor: np.ndarray, target: Target, min_coverage: float = 0.0) -> Objectives:
    """Measure one factor, (T, N); below ``min_coverage`` everything but the coverage is zero."""
    covered = coverage(factor, target.listed, target.first, target.stop)
    if covered < min_coverage or not len(target.rows):
        return Objectives(0.0, 0.0, 0.0, covered)
    ic, long, short = (np.empty(len(target.rows)) for _ in range(3))
    weekly_measures(factor, target.labels, target.rows, discounts(), ic, long, short)
    mean, spread = ic.mean(), ic.std()
    icir = mean / spread * math.sqrt(52) if spread > 0 else 0.0
    return Objectives(float(mean), float(icir), float((long if mean >= 0 else short).mean()), float(covered))


def rank_ic(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the rank IC of each row, (W,), NaN where scores or labels are missing or constant."""
    rows = np.arange(len(scores))
    ic, long, short = (np.empty(len(scores)) for _ in range(3))
    weekly_measures(np.ascontiguousarray(scores), np.ascontiguousarray(labels), rows, discounts(), ic, long, short)
    # a week that varies always has a gain
    return np.where(long > 0, ic, np.nan)
