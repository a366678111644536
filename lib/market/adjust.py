r"""Repair of ETF prices that were adjusted by subtracting dividends.

A widespread way to "forward-adjust" prices maps the raw price :math:`p_t` to :math:`x_t = p_t / a -
D`: splits scale, dividends are subtracted. Between events :math:`a` and :math:`D` are constant, and
the last price is true (:math:`a = 1, D = 0`). The return of :math:`x` overstates every move before
a dividend; the true total return is

.. math:: r_t = \frac{x_t - x_{t-1}}{x_{t-1} + D_{t-1}}

on ex-dividend days too, because the subtraction keeps the dividend in the numerator. A series with
:math:`D = 0` is
right whatever :math:`a` is.

The raw level is read from amount / volume, the day's average price :math:`v_t`, against the typical
price of the bar:
:math:`D` is the running median of :math:`v / a - x`, and :math:`a` the slope of moves of :math:`v`
on moves of
:math:`x`. Everything about a date rests on rows up to it, and the repaired close is chained forward
from the first raw price, so that later rows never rewrite earlier ones.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numba
import numpy as np

#: an offset below this share of the price overstates a move by less than a hundredth of it and is
#: left alone; twice as much is asked for until the median rests on ten rows
MATERIAL = 0.01
#: the offset in use follows the measured one when they differ by more than this share of the price
STEP = 0.004
#: a median of three rows this far from that of all shows a dividend
FRESH = 0.015
#: rows of the running median
SMOOTH = 20
#: rows over which a move is taken
MOVE = 10
#: rows that a slope needs, rows that it looks back, and rows after which it is renewed
ENOUGH = 60
MEMORY = 250
RENEW = 20
#: a raw price this far (log) from what is expected is an outlier, or, when three in sequence agree,
#: a split
SPLIT = 0.2
#: rows without amount or volume after which a known offset is no longer trusted
BLIND = 60
#: a slope that close to a ratio of small integers is taken to be it
SNAP = 0.03
#: a slope that close to the scale in use does not replace it
KEEP = 0.08
#: a slope that close to the ratio of the prices means no offset
SAME = 0.05
#: noise in the adjusted price and dividends inside a move make a slope smaller, by up to this share
#: of it
ATTENUATION = 0.1
#: a first ratio of raw to adjusted price below this is an offset, not a split
NO_SPLIT = 1.3
#: ratios that splits have
RATIOS = np.array(
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 20, 1.5, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 10]
)

CLEAN, REPAIRED, LOST = 0, 1, 2


class Adjustment(NamedTuple):
    """What to do with each row, all (T,).

    ``(price + offset) * factor`` is the repaired price; ``verdict`` is ``CLEAN`` (leave the row
    alone), ``REPAIRED`` or ``LOST`` (the raw level is not known).
    """

    offset: np.ndarray
    factor: np.ndarray
    verdict: np.ndarray


class _Scale(NamedTuple):
    """How raw prices follow from adjusted ones.

    ``ratio`` is NaN while it is not known, ``scale_only`` says that no offset was subtracted,
    ``provisional`` that the ratio rests on the first row alone.
    """

    ratio: float
    scale_only: bool
    provisional: bool


class _LastRead(NamedTuple):
    """First row since the last split, last row with a raw price (-1: none so far), outliers since
    then.
    """

    segment: int
    raw_row: int
    outliers: int


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
    offset = np.zeros(len(close))
    factor = np.ones(len(close))
    verdict = np.zeros(len(close), dtype=np.int8)
    average = np.ascontiguousarray(average, dtype=float)
    raw = np.full(len(close), np.nan)
    for begin, stop in pairwise(starts):
        _repair_symbol(begin, stop, typical, width, close, average, raw, offset, factor, verdict)
    return Adjustment(offset, factor, verdict)


@numba.njit(cache=True)
def _snap(ratio, slack):
    for nice in RATIOS:
        if abs(ratio / nice - 1) < slack:
            return nice
    return np.nan


@numba.njit(cache=True)
def _split_ratio(slope):
    """Return the ratio of splits that a slope shows, the next one above it when none is near; NaN
    for none.
    """
    nearest = _snap(slope, SNAP)
    if not np.isnan(nearest):
        return nearest
    above = np.inf
    for ratio in RATIOS:
        if slope < ratio < above:
            above = ratio
    return above if above < slope * (1 + ATTENUATION) else np.nan


@numba.njit(cache=True)
def _median_offset(raw, typical, scale, begin, t, rows):
    """Return the median of raw / scale - typical over the last known rows, and their number."""
    found = np.empty(rows)
    count = 0
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
    slopes = np.empty(t - low + 1)
    weights = np.empty(t - low + 1)
    count = 0
    for k in range(low + MOVE, t + 1):
        own = typical[k] - typical[k - MOVE]
        other = raw[k] - raw[k - MOVE]
        if own != 0 and not np.isnan(other):
            slopes[count] = other / own
            weights[count] = abs(own)
            count += 1
    if count < ENOUGH - MOVE:
        return np.nan
    slopes = slopes[:count]
    weights = weights[:count]
    order = np.argsort(slopes)
    share = np.cumsum(weights[order])
    slope = slopes[order[np.searchsorted(share, share[-1] / 2)]]
    noise = np.median(np.abs(slopes - slope) * weights)
    return slope if slope > 0 and slope * np.median(weights) > 2 * noise else np.nan


@numba.njit(cache=True)
def _repair_symbol(begin, stop, typical, width, close, average, raw, offset, factor, verdict):
    """Repair rows [begin, stop) in order: read the raw price, renew the scale, measure the offset,
    chain the close.

    ``raw``, ``offset``, ``factor`` and ``verdict`` are filled in.
    """
    scale = _Scale(np.nan, False, False)
    last = _LastRead(begin, -1, 0)
    current_offset = 0.0
    chain = np.nan
    previous_row = -1
    for t in range(begin, stop):
        previous_offset = current_offset
        scale, last, rescaled, split = _read_raw(
            scale, last, previous_offset, typical, average, raw, t
        )
        if last.raw_row >= 0 and (t - last.segment) % RENEW == 0 and t - last.segment >= ENOUGH:
            scale, renewed = _renew_scale(scale, last, typical, raw, t)
            rescaled = rescaled or renewed
        current_offset = _measure_offset(scale, last, previous_offset, typical, width, raw, t)
        level = close[t] + current_offset
        if not level > 0 or (current_offset > 0 and t - last.raw_row > BLIND):
            verdict[t] = LOST
            continue
        if previous_row < 0:
            chain = level
        else:
            known = not np.isnan(scale.ratio) or last.raw_row < 0
            growth = _growth(
                close[previous_row],
                close[t],
                previous_offset,
                current_offset,
                rescaled,
                split,
                known,
            )
            if not growth > 0:
                verdict[t] = LOST
                current_offset = previous_offset
                continue
            if current_offset == previous_offset and not rescaled:
                factor[t] = factor[previous_row]
                chain = level * factor[t]
            else:
                chain = chain * growth
                factor[t] = chain / level
        offset[t] = current_offset
        if current_offset != 0 or factor[t] != 1:
            verdict[t] = REPAIRED
        previous_row = t


@numba.njit(cache=True)
def _read_raw(scale, last, offset, typical, average, raw, t):
    """Take the average of row t as its raw price, unless it is an outlier.

    An outlier that equals the adjusted price, or the third in sequence of three that agree, shows a
    split. Returned are the scale, what was read last, and whether the scale changed at all and by a
    split.
    """
    price = average[t]
    if np.isnan(price) or typical[t] == 0:
        return scale, last, False, False
    if last.raw_row < 0:
        raw[t] = price
        return (
            _first_scale(price / typical[t]),
            _LastRead(last.segment, t, last.outliers),
            False,
            False,
        )
    rescaled = False
    if scale.provisional and abs(price / (scale.ratio * typical[t]) - 1) > 0.04:
        # the ratio of raw to adjusted prices moves with them: it was an offset
        scale = _Scale(np.nan, scale.scale_only, False)
        rescaled = True
    expected = raw[last.raw_row] if np.isnan(scale.ratio) else scale.ratio * (typical[t] + offset)
    if expected > 0 and abs(np.log(price / expected)) <= SPLIT:
        raw[t] = price
        return scale, _LastRead(last.segment, t, 0), rescaled, False
    outliers = last.outliers + 1
    unadjusted = abs(price / typical[t] - 1) < 0.01
    if not unadjusted and not (outliers >= 3 and expected > 0 and _agree(average, t)):
        return scale, _LastRead(last.segment, last.raw_row, outliers), rescaled, False
    first_row = t if unadjusted else t - 2
    raw[first_row : t + 1] = average[first_row : t + 1]
    if unadjusted:
        scale = _Scale(1.0, False, scale.provisional)
    elif not np.isnan(scale.ratio):
        scale = _after_split(scale, price / expected)
    return scale, _LastRead(first_row, t, 0), True, True


@numba.njit(cache=True)
def _first_scale(ratio):
    """Return the scale that the first ratio of raw to adjusted price suggests."""
    if ratio <= 0:
        return _Scale(np.nan, False, False)
    if ratio > NO_SPLIT:
        return _Scale(_snap(ratio, 0.01), False, True)
    # the adjusted price is raw, or a provider's scale without an offset
    return _Scale(1.0, False, False) if ratio > 0.98 else _Scale(ratio, True, False)


@numba.njit(cache=True)
def _agree(average, t):
    """Return whether the averages of the two rows before t are near that of t."""
    return (
        abs(np.log(average[t - 2] / average[t])) < 0.15
        and abs(np.log(average[t - 1] / average[t])) < 0.15
    )


@numba.njit(cache=True)
def _after_split(scale, ratio):
    """Return the scale after raw prices changed by a ratio that adjusted prices do not show."""
    changed = scale.ratio * ratio
    split_ratio = _snap(changed, SNAP)
    return _Scale(
        changed if np.isnan(split_ratio) else split_ratio, scale.scale_only, scale.provisional
    )


@numba.njit(cache=True)
def _renew_scale(scale, last, typical, raw, t):
    """Return the scale that the rows since the last split show, and whether it differs from the one
    in use.
    """
    ratio, _ = _median_offset(raw, typical, 1.0, last.segment, t, SMOOTH)
    ratio = 1 + ratio / typical[t] if typical[t] > 0 else np.inf
    if abs(ratio - 1) < 0.02:
        return _Scale(1.0, False, False), scale.ratio != 1.0
    slope = _slope(raw, typical, last.segment, t)
    if np.isnan(slope):
        return scale, False
    split_ratio = _split_ratio(slope)
    level = raw[last.raw_row] / typical[last.raw_row] if typical[last.raw_row] > 0 else np.inf
    in_use, slack = (level, SAME) if scale.scale_only else (scale.ratio, KEEP)
    attenuated = (
        not scale.scale_only
        and slope < in_use < slope * (1 + ATTENUATION)
        and _snap(in_use, 1e-9) == in_use
    )
    if not scale.provisional and (abs(slope / in_use - 1) < slack or attenuated):
        candidate = _Scale(scale.ratio, scale.scale_only, False)
    elif not np.isnan(split_ratio) and level >= split_ratio * (1 - MATERIAL):
        candidate = _Scale(split_ratio, False, False)
    elif abs(slope / level - 1) < SAME or level < slope:
        candidate = _Scale(level, True, False)
    else:
        candidate = _Scale(slope, False, False)
    same = candidate.ratio == scale.ratio or (candidate.scale_only and scale.scale_only)
    return candidate, not same


@numba.njit(cache=True)
def _measure_offset(scale, last, previous_offset, typical, width, raw, t):
    """Return the offset at row t: the one in use until the measured one has left it."""
    if last.raw_row < 0 or (scale.scale_only and not np.isnan(scale.ratio)):
        return 0.0
    if np.isnan(scale.ratio):
        return previous_offset if np.isnan(raw[t]) else max(raw[t] - typical[t], 0.0)
    measured, count = _median_offset(raw, typical, scale.ratio, last.segment, t, SMOOTH)
    if not count:
        return previous_offset
    recent, recent_count = _median_offset(raw, typical, scale.ratio, last.segment, t, 3)
    if (
        previous_offset > 0
        and recent_count == 3
        and abs(recent - measured) > FRESH * (typical[t] + measured)
    ):
        measured = recent  # a dividend was paid
    smallest = MATERIAL * (typical[t] + measured)
    if count < 10:
        # the average is within the bar, wherever the bar is
        smallest = max(2 * smallest, width[t])
    if not measured > smallest:
        return 0.0
    moved = abs(measured - previous_offset) > STEP * (typical[t] + measured)
    return measured if previous_offset == 0.0 or moved else previous_offset


@numba.njit(cache=True)
def _growth(previous_close, close, previous_offset, offset, rescaled, split, known):
    """Return the total return of a row, 1 for none.

    Parameters are the adjusted closes and the offsets of the previous and this row, whether the
    scale changed, whether by a split, and whether the scale is known.
    """
    before = previous_close + (offset if rescaled and not split else previous_offset)
    if rescaled and not before > 0:
        before = previous_close + previous_offset
    if known or not previous_close > 0:
        return 1 + (close - previous_close) / before
    # between no move and the move of the adjusted price, raw prices say where
    bound = close / previous_close
    raw_growth = (close + offset) / (previous_close + previous_offset)
    return min(max(raw_growth, min(1.0, bound)), max(1.0, bound))
