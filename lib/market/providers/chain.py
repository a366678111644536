"""Total-return prices from raw and adjusted ones, whichever way the provider adjusts.

Eastmoney adds past dividends to the prices instead of scaling them, so percentage changes of its adjusted prices are
wrong; Yahoo scales. Both say on which day something was paid: there the difference or the ratio of the two prices
takes a step. From these steps alone a factor is chained forward, so a later payment never rewrites an earlier price.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.market.providers.client import ProviderError
from lib.market.schema import PRICES

#: how far a price may be rounded, in its own unit
TICK = 0.001
#: how many days, or which share of them, may have an event
FEW, SHARE = 2, 0.05
#: a step larger than this (log) is no dividend
LARGE = 0.2
#: a raw price that moves by more than this share without an adjustment was split
SPLIT = 0.45


def chained(
    raw: pd.DataFrame, adjusted: pd.Series, base: pd.DataFrame, symbol: str, merges: bool = True
) -> pd.DataFrame:
    r"""Turn raw bars into total-return bars that continue the stored ones.

    With raw closes :math:`P_t`, adjusted closes :math:`A_t` and steps :math:`D_t = \Delta(A_t - P_t)` (additive) or
    :math:`G_t = \frac{A_t / P_t}{A_{t-1} / P_{t-1}}` (proportional), the factor grows by :math:`(P_t + D_t) / P_t` or
    :math:`G_t`. Differences that rounding explains are no steps.

    Parameters
    ----------
    raw : DataFrame
        Bars of one symbol, oldest first.
    adjusted : Series
        Adjusted closes of the same rows.
    base : DataFrame
        Stored bars of the symbol; the factor is set so that the closes agree with them, or to 1 at the first row.
    merges : bool
        Units may be merged, so that a rise without an adjustment may be one that was left out. Shares are not merged,
        and rise by as much when trading resumes without a limit.

    Raises
    ------
    ProviderError
        The adjustment is neither additive nor proportional, leaves out a split, or misses a day.
    """
    close, other = raw["close"].to_numpy(), adjusted.to_numpy()
    unknown = np.isfinite(close) & ~(np.isfinite(other) & (other > 0))
    if unknown.any():  # a payment on such a day would be lost
        raise ProviderError(
            "an adjusted price is missing",
            symbol=symbol,
            date=f"{raw['date'].iloc[int(np.flatnonzero(unknown)[0])]:%Y-%m-%d}",
            remedy="the next provider is asked",
        )
    growth = np.ones(len(close))
    if len(close) > 1:
        growth[1:] = _steps(close, other, symbol)
    change = close[1:] * growth[1:] / close[:-1] - 1.0
    moved = np.abs(change if merges else np.minimum(change, 0.0)) > SPLIT
    if moved.any():
        date = raw["date"].iloc[1 + int(np.flatnonzero(moved)[0])]
        raise ProviderError(
            "the price jumps as in a split that the adjustment leaves out",
            symbol=symbol,
            date=f"{date:%Y-%m-%d}",
            remedy="the next provider is asked; or bring the series through a folder",
        )
    factor = np.cumprod(growth)
    return continued(raw.assign(**{field: raw[field] * factor for field in PRICES}), base)


def continued(made: pd.DataFrame, base: pd.DataFrame) -> pd.DataFrame:
    """Bring total-return bars of a symbol to the level of the stored ones, by the median over the days of both."""
    level = _level(made, base)
    return made.assign(**{field: made[field] * level for field in PRICES})


def _steps(close: np.ndarray, other: np.ndarray, symbol: str) -> np.ndarray:
    difference, ratio = np.diff(other - close), np.diff(np.log(other / close))
    rounding = 2.0 * TICK / np.minimum(np.minimum(close[1:], close[:-1]), np.minimum(other[1:], other[:-1]))
    paid, scaled = np.abs(difference) > 1.5 * TICK, np.abs(ratio) > rounding
    few = max(FEW, SHARE * len(close))
    # a step that few days show either way is a dividend, whose two readings agree, or a split, which is a factor
    split = paid.sum() <= few and np.abs(ratio).max() > LARGE
    if scaled.sum() <= few and (paid.sum() > few or split):
        return np.where(scaled, np.exp(ratio), 1.0)
    if paid.sum() <= max(scaled.sum(), few):
        return np.where(paid, 1.0 + difference / close[1:], 1.0)
    raise ProviderError(
        "raw and adjusted prices differ neither by a sum nor by a factor",
        symbol=symbol,
        remedy="the next provider is asked",
    )


def _level(made: pd.DataFrame, base: pd.DataFrame) -> float:
    if not len(base):
        return 1.0
    _, here, there = np.intersect1d(made["date"].to_numpy(), base["date"].to_numpy(), return_indices=True)
    quotient = base["close"].to_numpy()[there] / made["close"].to_numpy()[here]
    quotient = quotient[np.isfinite(quotient)]
    if not len(quotient):
        return 1.0
    level = float(np.median(quotient))
    return 1.0 if abs(level - 1.0) < 1e-9 else level
