r"""Repair of ETF prices that were adjusted by subtracting dividends.

A well-known provider's "forward-adjusted" ETF prices are :math:`a_t = p_t / m - D_t` with the raw price :math:`p_t`, a
split scale :math:`m` and the sum :math:`D_t` of later dividends. The last price is true, but
:math:`a_t / a_{t-1} - 1` overstates every earlier move by :math:`p_{t-1} / (m\,a_{t-1})`. The true total return is

.. math:: r_t = \frac{a_t - a_{t-1}}{a_{t-1} + D_{t-1}},

on ex-dividend days too, because the subtraction keeps the dividend in the numerator. :math:`D` is read from
amount / volume, the day's average raw price, against the bar's typical price. Everything about a date uses rows up to
it, and the repaired close is chained forward from the first one, so later rows never rewrite earlier ones.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.market.findings import Findings

#: an offset below this share of the price overstates moves by less than a hundredth and is left alone
MATERIAL = 0.01
#: rows of the running median that reads the offset; a thinly traded day's average price may be far off
SMOOTH = 20
#: the scale is the slope of raw on adjusted moves over so many sessions, read from so many pairs, once a month
MOVE, PAIRS, MEMORY = 20, 40, 500
#: scales a split or a unit makes; an estimate this close to one is taken to be it
SCALES = np.array([*range(1, 21), 100, *(1 / np.arange(2, 21)), 0.01])
SNAP = 0.04
#: beyond any exchange limit: such a move of the raw price is a split
SPLIT = 0.35


def repair_adjustment(rows: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """Replace subtractively adjusted ETF prices by total-return prices.

    Parameters
    ----------
    rows : DataFrame
        ETF bars sorted by symbol and date.

    Returns
    -------
    DataFrame
        Series without a material offset unchanged to the last bit. Repaired rows keep their volume and amount; their
        closes have the true returns, their level starts at the first raw price. Rows whose offset cannot be known (no
        amount or volume, too short a past) are set aside.
    """
    prices = rows[["open", "high", "low", "close"]].to_numpy(copy=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        average = rows["amount"].to_numpy() / rows["volume"].to_numpy()
    average[~(average > 0) | ~np.isfinite(average)] = np.nan
    month = (rows["date"].dt.year * 12 + rows["date"].dt.month).to_numpy()
    starts = np.flatnonzero(np.diff(pd.factorize(rows["symbol"])[0], prepend=-1) != 0)
    repaired = np.zeros(len(rows), dtype=bool)
    lost = np.zeros(len(rows), dtype=bool)
    for start, stop in zip(starts, np.append(starts[1:], len(rows)), strict=True):
        part = slice(start, stop)
        if _suspect(prices[part], average[part]):
            prices[part], repaired[part], lost[part] = _repair(prices[part], average[part], month[part])
    out = rows.copy()
    out[["open", "high", "low", "close"]] = prices
    findings.rows(
        "repair",
        "additive adjustment",
        rows[repaired & ~lost],
        "dividends were subtracted from past prices; total-return prices are stored instead",
        "deliver unadjusted or proportionally adjusted prices",
    )
    findings.rows(
        "quarantine",
        "adjustment unknown",
        rows[lost],
        "prices are adjusted and the raw level cannot be read yet",
        "deliver unadjusted prices, or amount and volume",
    )
    return out[~lost]


def _suspect(prices: np.ndarray, average: np.ndarray) -> bool:
    """Tell whether any row is materially off; a series that is not needs no work."""
    ratio = _running_median(average / _typical(prices))
    near = [np.abs(ratio / scale - 1) < MATERIAL for scale in (1, 100)]
    return bool((~np.any(near, axis=0) & ~np.isnan(ratio)).any() or (prices[:, 3] <= 0).any() or _splits(prices).any())


def _typical(prices: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(prices).any(axis=1), prices[:, 3], prices[:, 1:].mean(axis=1))


def _splits(prices: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.abs(np.diff(np.log(prices[:, 3]), prepend=np.nan)) > SPLIT


def _running_median(values: np.ndarray) -> np.ndarray:
    return pd.Series(values).rolling(SMOOTH, min_periods=1).median().ffill(limit=20).to_numpy()


def _repair(prices: np.ndarray, average: np.ndarray, month: np.ndarray):
    """Repair one symbol; return prices, which rows changed, which rows are lost."""
    close, typical = prices[:, 3], _typical(prices)
    raw = average / _raw_splits(average, typical)
    scale = _scales(raw, typical, month)
    offset = _running_median(raw / scale - typical)
    level = close + offset
    lost = ~(level > 0)
    off = offset > MATERIAL * np.abs(level)
    offset = np.where(off, offset, 0.0)
    level = close + offset

    chain = np.full(len(close), np.nan)
    previous = None
    for t in np.flatnonzero(~lost):
        if previous is None:
            chain[t] = level[t]
        else:
            # both levels carry the offset known the day before, so an ex-dividend day keeps its dividend
            growth = 1 + (close[t] - close[previous]) / level[previous]
            chain[t] = chain[previous] * growth * _unadjusted_split(growth, average[previous], average[t])
        previous = t
    chain[~(chain > 0)] = np.nan
    lost |= np.isnan(chain)
    changed = np.maximum.accumulate(off | (np.abs(chain / close - 1) > 1e-9)) & ~lost
    out = prices.copy()
    with np.errstate(invalid="ignore", divide="ignore"):
        out[changed] = (prices[changed] + offset[changed, None]) * (chain[changed] / level[changed])[:, None]
    return out, changed, lost


def _raw_splits(average: np.ndarray, typical: np.ndarray) -> np.ndarray:
    """Return the running scale of splits that the raw price shows and the adjusted one does not."""
    raw_move = np.diff(np.log(average), prepend=np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        own_move = np.diff(np.log(np.where(typical > 0, typical, np.nan)), prepend=np.nan)
    split = (np.abs(raw_move) > SPLIT) & ~(np.abs(raw_move - own_move) < SPLIT / 2)
    ratio = np.where(split, np.exp(raw_move), 1.0)
    return np.cumprod([_snap(value) for value in ratio])


def _unadjusted_split(growth: float, before: float, after: float) -> float:
    """Return what undoes a split that neither the price nor its adjustment accounts for; 1 where there is none."""
    if np.isnan(growth) or growth <= 0 or abs(np.log(growth)) < SPLIT or np.isnan(after / before):
        return 1.0
    return 1.0 / _snap(after / before) if abs(np.log(after / before)) > SPLIT else 1.0


def _snap(ratio: float) -> float:
    nearest = SCALES[np.argmin(np.abs(np.log(SCALES / ratio)))] if ratio > 0 else ratio
    return float(nearest) if abs(nearest / ratio - 1) < 2 * SNAP else float(ratio)


def _scales(raw: np.ndarray, typical: np.ndarray, month: np.ndarray) -> np.ndarray:
    """Return the scale m of each row, estimated before its month began; NaN while it is unknown."""
    known = _running_median(raw / typical)
    scale = np.full(len(raw), np.nan)
    # at the start only two readings are beyond doubt: no offset yet, or volume in lots
    current = np.nan
    fresh = np.append(True, month[1:] != month[:-1])
    for t in range(len(raw)):
        if np.isnan(current) or fresh[t]:
            estimate = _slope(raw[max(0, t - MEMORY) : t], typical[max(0, t - MEMORY) : t])
            if not np.isnan(estimate):
                current = estimate
            elif np.isnan(current):
                current = next((s for s in (1.0, 100.0) if abs(known[t] / s - 1) < 0.02), np.nan)
        scale[t] = current
    return scale


def _slope(raw: np.ndarray, typical: np.ndarray) -> float:
    """Return the weighted median slope of raw on adjusted moves, snapped to a plausible scale."""
    if len(raw) < MOVE + PAIRS:
        return np.nan
    own, other = typical[MOVE:] - typical[:-MOVE], raw[MOVE:] - raw[:-MOVE]
    good = ~np.isnan(own) & ~np.isnan(other) & (own != 0)
    if good.sum() < PAIRS:
        return np.nan
    slopes, weights = other[good] / own[good], np.abs(own[good])
    order = np.argsort(slopes, kind="stable")
    share = np.cumsum(weights[order]) / weights.sum()
    slope = slopes[order][np.searchsorted(share, 0.5)]
    if slope <= 0:
        return np.nan
    nearest = SCALES[np.argmin(np.abs(np.log(SCALES / slope)))]
    return float(nearest if abs(nearest / slope - 1) < SNAP else slope)
