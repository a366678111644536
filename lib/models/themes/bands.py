"""Daily bars by symbol, and the three frequency bands that features are computed on.

A weekly bar is five sessions and a monthly bar twenty-one, counted back from the session that is
scored: every session then has complete bars, and two sessions are compared on bars of the same
length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lib.market.errors import ModelError
from lib.market.panel import Panel

#: sessions per bar of each band
BANDS = {"daily": 1, "weekly": 5, "monthly": 21}
BAR_FIELDS = ("open", "high", "low", "close", "volume", "amount")


@dataclass(frozen=True)
class Bars:
    """Daily bars, one symbol a row, (N, T); NaN on sessions without trade.

    Attributes
    ----------
    open, high, low, close, volume, amount : float64 array, (N, T)
    filled : float64 array, (N, T)
        The close, carried over sessions without trade: returns over windows come from it.
    amount_is_estimated : bool
        The source has no amount, and volume times the mean of the four prices is used.
    """

    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    amount: np.ndarray
    filled: np.ndarray
    amount_is_estimated: bool

    def take(self, rows: np.ndarray) -> Bars:
        """Return the bars of some symbols, given by their rows."""
        arrays = {name: getattr(self, name)[rows] for name in (*BAR_FIELDS, "filled")}
        return Bars(**arrays, amount_is_estimated=self.amount_is_estimated)


def panel_bars(panel: Panel) -> Bars:
    """Return a panel's bars, symbols x dates.

    Raises
    ------
    ModelError
        A field is missing from the panel.
    """
    missing = [name for name in BAR_FIELDS if name not in panel.fields]
    if missing:
        raise ModelError(
            f"the theme model needs {', '.join(missing)}",
            remedy="ask the market for all six fields",
        )
    arrays = {
        name: np.where(panel.mask, panel.fields[name], np.nan).T.copy() for name in BAR_FIELDS
    }
    for name in ("open", "high", "low", "close"):
        arrays[name][~(arrays[name] > 0)] = np.nan
    for name in ("open", "high", "low"):
        # a source with closes alone: the bar is its close
        arrays[name] = np.where(np.isnan(arrays[name]), arrays["close"], arrays[name])
    typical_price = (arrays["open"] + arrays["high"] + arrays["low"] + arrays["close"]) / 4
    has_close = ~np.isnan(arrays["close"])
    is_estimated = bool(has_close.any() and np.isnan(arrays["amount"][has_close]).mean() > 0.5)
    arrays["amount"] = np.where(
        np.isnan(arrays["amount"]), arrays["volume"] * typical_price, arrays["amount"]
    )
    return Bars(**arrays, filled=_forward_fill(arrays["close"]), amount_is_estimated=is_estimated)


def _forward_fill(x: np.ndarray) -> np.ndarray:
    last = np.where(np.isnan(x), 0, np.arange(x.shape[1]))
    return np.take_along_axis(x, np.maximum.accumulate(last, axis=1), axis=1)


def lag(x: np.ndarray, sessions: int) -> np.ndarray:
    """Return x as it was ``sessions`` sessions before, (N, T); NaN before the start."""
    if sessions == 0:
        return x
    out = np.full_like(x, np.nan)
    out[:, sessions:] = x[:, :-sessions]
    return out


def columns_at(x: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the columns ``at``, int (K,), of x (N, T); NaN for a column before the start."""
    return np.where(at >= 0, x[:, np.maximum(at, 0)], np.nan)
