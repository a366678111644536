r"""Repair of ETF prices that were adjusted by subtracting dividends.

A widespread way to "forward-adjust" prices maps the raw price :math:`p_t` to :math:`x_t = p_t / a - D`: splits scale,
dividends are subtracted. Between events :math:`a` and :math:`D` are constant, and the last price is true (:math:`a = 1,
D = 0`). The return of :math:`x` overstates every move before a dividend; the true total return is

.. math:: r_t = \frac{x_t - x_{t-1}}{x_{t-1} + D_{t-1}}

on ex-dividend days too, because the subtraction keeps the dividend in the numerator. A series with :math:`D = 0` is
right whatever :math:`a` is.

The raw level is read from amount / volume, the day's average price :math:`v_t`, against the typical price of the bar:
:math:`D` is the running median of :math:`v / a - x`, and :math:`a` the slope of moves of :math:`v` on moves of
:math:`x`. Everything about a date rests on rows up to it, and the repaired close is chained forward from the first
raw price, so that later rows never rewrite earlier ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

#: an offset below this share of the price overstates a move by less than a hundredth of it and is left alone; twice as
#: much is asked for until the median rests on ten rows
MATERIAL = 0.01
#: the offset in use follows the measured one when they differ by more than this share of the price
STEP = 0.004
#: a median of three rows this far from that of all shows a dividend
FRESH = 0.015
#: rows of the running median
SMOOTH = 20
#: moves are taken over so many rows; a slope needs so many rows, looks back so far and is renewed so often
MOVE, ENOUGH, MEMORY, RENEW = 10, 60, 250, 20
#: a raw price this far (log) from what is expected is an outlier, or, when three in sequence agree, a split
SPLIT = 0.2
#: rows without amount or volume after which a known offset is no longer trusted
BLIND = 60
#: a slope that close to a ratio of small integers is taken to be it
SNAP = 0.03
#: a slope that close to the scale in use does not replace it; one that close to the ratio of the prices means no offset
KEEP, SAME = 0.08, 0.05
#: a first ratio of raw to adjusted price below this is an offset, not a split
NO_SPLIT = 1.3
#: ratios that splits have
RATIOS = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 20, 1.5, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 10])

CLEAN, REPAIRED, LOST = 0, 1, 2


class Adjustment(NamedTuple):
    """What to do with each row, all (T,).

    ``(price + offset) * factor`` is the repaired price; ``verdict`` is ``CLEAN`` (leave the row alone), ``REPAIRED`` or
    ``LOST`` (the raw level is not known).
    """

    offset: np.ndarray
    factor: np.ndarray
    verdict: np.ndarray


def find_adjustment(first: np.ndarray, prices: np.ndarray, average: np.ndarray) -> Adjustment:
    """Find subtracted dividends.

    Parameters
    ----------
    first : bool array, (T,)
        Where a symbol begins; rows are sorted by symbol and date.
    prices : array, (T, 4)
        Open, high, low and close; closes are not NaN, the others may be.
    average : array, (T,)
        Amount per share traded, NaN where it is not known.
    """
    close = np.ascontiguousarray(prices[:, 3])
    known = ~np.isnan(prices).any(axis=1)
    typical = np.where(known, prices[:, 1:].sum(axis=1) / 3, close)
    width = np.where(known, prices[:, 1] - prices[:, 2], 0.0)
    starts = np.append(np.flatnonzero(first), len(first))
    offset, factor = np.zeros(len(close)), np.ones(len(close))
    verdict = np.zeros(len(close), dtype=np.int8)
    _walk(starts, typical, width, close, np.ascontiguousarray(average, dtype=float), offset, factor, verdict)
    return Adjustment(offset, factor, verdict)


@numba.njit(cache=True)
def _snap(ratio, slack):
    for nice in RATIOS:
        if abs(ratio / nice - 1) < slack:
            return nice
    return np.nan


@numba.njit(cache=True)
def _median_offset(raw, typical, scale, begin, t, rows):
    """Return the median of raw / scale - typical over the last known rows, and how many there were."""
    found, count = np.empty(rows), 0
    for k in range(t, max(begin, t - 2 * rows) - 1, -1):
        if not np.isnan(raw[k]):
            found[count] = raw[k] / scale - typical[k]
            count += 1
            if count == rows:
                break
    return (np.median(found[:count]), count) if count else (np.nan, 0)


@numba.njit(cache=True)
def _slope(raw, typical, begin, t):
    """Return the weighted median slope of raw on adjusted moves; NaN when noise hides it."""
    low = max(begin, t - MEMORY)
    slopes, weights, count = np.empty(t - low + 1), np.empty(t - low + 1), 0
    for k in range(low + MOVE, t + 1):
        own, other = typical[k] - typical[k - MOVE], raw[k] - raw[k - MOVE]
        if own != 0 and not np.isnan(other):
            slopes[count], weights[count] = other / own, abs(own)
            count += 1
    if count < ENOUGH - MOVE:
        return np.nan
    slopes, weights = slopes[:count], weights[:count]
    order = np.argsort(slopes)
    share = np.cumsum(weights[order])
    slope = slopes[order[np.searchsorted(share, share[-1] / 2)]]
    noise = np.median(np.abs(slopes - slope) * weights)
    return slope if slope > 0 and slope * np.median(weights) > 2 * noise else np.nan


@numba.njit(cache=True)
def _walk(starts, typical, width, close, average, offset, factor, verdict):
    raw = np.full(len(close), np.nan)
    for s in range(len(starts) - 1):
        begin, stop = starts[s], starts[s + 1]
        segment = begin  # rows since the last split
        scale = np.nan  # a; NaN while it cannot be told
        plain = False  # a series that is only scaled: no offset
        guess = False  # the scale rests on the first row alone
        seen = -1  # last row with a raw price
        pending = 0  # outliers in sequence
        d, chain, previous = 0.0, np.nan, -1
        for t in range(begin, stop):
            changed, split = False, False
            v = average[t]
            if not np.isnan(v) and typical[t] != 0:
                if seen < 0:
                    ratio = v / typical[t]
                    if ratio <= 0:
                        scale = np.nan
                    elif ratio < NO_SPLIT:
                        scale, plain = (1.0, False) if ratio > 0.98 else (ratio, True)
                    else:
                        scale, guess = _snap(ratio, 0.01), True
                    raw[t], seen = v, t
                else:
                    if guess and abs(v / (scale * typical[t]) - 1) > 0.04:
                        # the ratio of raw to adjusted prices moves with them: it was an offset
                        scale, guess, changed = np.nan, False, True
                    expected = raw[seen] if np.isnan(scale) else scale * (typical[t] + d)
                    if expected > 0 and abs(np.log(v / expected)) <= SPLIT:
                        raw[t], seen, pending = v, t, 0
                    else:
                        pending += 1
                        now = abs(v / typical[t] - 1) < 0.01
                        agree = pending >= 3 and expected > 0
                        if agree:
                            for k in range(t - 2, t):
                                agree = agree and abs(np.log(average[k] / v)) < 0.15
                        if now or agree:
                            back = t if now else t - 2
                            raw[back : t + 1] = average[back : t + 1]
                            if now:
                                scale, plain = 1.0, False
                            elif not np.isnan(scale):
                                scale *= v / expected
                                nice = _snap(scale, SNAP)
                                scale = scale if np.isnan(nice) else nice
                            segment, seen, pending, changed, split = back, t, 0, True, True
            if seen >= 0 and (t - segment) % RENEW == 0 and t - segment >= ENOUGH:
                ratio, _ = _median_offset(raw, typical, 1.0, segment, t, SMOOTH)
                ratio = 1 + ratio / typical[t] if typical[t] > 0 else np.inf
                if abs(ratio - 1) < 0.02:
                    changed = changed or scale != 1.0
                    scale, plain, guess = 1.0, False, False
                else:
                    slope = _slope(raw, typical, segment, t)
                    if not np.isnan(slope):
                        nice = _snap(slope, SNAP)
                        near = raw[seen] / typical[seen] if typical[seen] > 0 else np.inf
                        believed, slack = (near, SAME) if plain else (scale, KEEP)
                        if not guess and abs(slope / believed - 1) < slack:
                            new, bare = scale, plain
                        elif not np.isnan(nice) and near >= nice * (1 - MATERIAL):
                            new, bare = nice, False
                        elif abs(slope / near - 1) < SAME or near < slope:
                            new, bare = near, True
                        else:
                            new, bare = slope, False
                        changed = changed or not (new == scale or (bare and plain))
                        scale, plain, guess = new, bare, False
            was = d
            if seen < 0:
                d = 0.0
            elif np.isnan(scale):
                if not np.isnan(raw[t]):
                    d = max(raw[t] - typical[t], 0.0)
            elif plain:
                d = 0.0
            else:
                measured, count = _median_offset(raw, typical, scale, segment, t, SMOOTH)
                recent, latest = _median_offset(raw, typical, scale, segment, t, 3)
                if d > 0 and latest == 3 and abs(recent - measured) > FRESH * (typical[t] + measured):
                    measured = recent  # a dividend was paid
                floor = MATERIAL * (typical[t] + measured)
                if count < 10:
                    # the average lies within the bar, wherever the bar is
                    floor = max(2 * floor, width[t])
                if count and not measured > floor:
                    d = 0.0
                elif count and (d == 0.0 or abs(measured - d) > STEP * (typical[t] + measured)):
                    d = measured
            level = close[t] + d
            if not level > 0 or (d > 0 and t - seen > BLIND):
                verdict[t] = LOST
                continue
            if previous < 0:
                chain = level
            else:
                before = close[previous] + (d if changed and not split else was)
                if changed and not before > 0:
                    before = close[previous] + was
                growth = 1 + (close[t] - close[previous]) / before
                if np.isnan(scale) and seen >= 0 and close[previous] > 0:
                    # between no move and the move of the adjusted price, raw prices say where
                    bound = close[t] / close[previous]
                    growth = min(max(level / (close[previous] + was), min(1.0, bound)), max(1.0, bound))
                if not growth > 0:
                    verdict[t] = LOST
                    d = was
                    continue
                if d == was and not changed:
                    factor[t] = factor[previous]
                    chain = level * factor[t]
                else:
                    chain = chain * growth
                    factor[t] = chain / level
            offset[t] = d
            if d != 0 or factor[t] != 1:
                verdict[t] = REPAIRED
            previous = t
