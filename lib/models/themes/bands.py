"""Bars of three frequency bands from daily bars.

A weekly bar is five sessions and a monthly bar twenty-one, counted back from the session that is
scored: every
session then has complete bars, and two sessions are compared on bars of the same length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lib.market.errors import ModelError
from lib.market.panel import Panel

#: sessions per bar
BANDS = {"daily": 1, "weekly": 5, "monthly": 21}
FIELDS = ("open", "high", "low", "close", "volume", "amount")


@dataclass(frozen=True)
class Bars:
    """Daily bars, one symbol a row, (N, T); NaN on sessions without trade.

    ``amount_is_estimated``: the source has no amount, so volume times the mean of the four prices
    stands for it.
    """

    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    amount: np.ndarray
    filled: np.ndarray
    amount_is_estimated: bool

    def of(self, rows: np.ndarray) -> Bars:
        """Return the bars of some symbols."""
        parts = {name: getattr(self, name)[rows] for name in (*FIELDS, "filled")}
        return Bars(**parts, amount_is_estimated=self.amount_is_estimated)


def bars(panel: Panel) -> Bars:
    """Turn a panel into bars; ``filled`` is the close carried over gaps, from which returns over
    windows come.

    Raises
    ------
    ModelError
        A field is missing from the panel.
    """
    missing = [name for name in FIELDS if name not in panel.fields]
    if missing:
        raise ModelError(
            f"the theme model needs {', '.join(missing)}",
            remedy="ask the market for all six fields",
        )
    parts = {name: np.where(panel.mask, panel.fields[name], np.nan).T.copy() for name in FIELDS}
    for name in ("open", "high", "low", "close"):
        parts[name][~(parts[name] > 0)] = np.nan
    for name in ("open", "high", "low"):
        # a source with closes alone: the bar is its close
        parts[name] = np.where(np.isnan(parts[name]), parts["close"], parts[name])
    typical = (parts["open"] + parts["high"] + parts["low"] + parts["close"]) / 4
    known = ~np.isnan(parts["close"])
    estimated = bool(known.any() and np.isnan(parts["amount"][known]).mean() > 0.5)
    parts["amount"] = np.where(
        np.isnan(parts["amount"]), parts["volume"] * typical, parts["amount"]
    )
    return Bars(**parts, filled=_carry(parts["close"]), amount_is_estimated=estimated)


def _carry(x: np.ndarray) -> np.ndarray:
    last = np.where(np.isnan(x), 0, np.arange(x.shape[1]))
    return np.take_along_axis(x, np.maximum.accumulate(last, axis=1), axis=1)


def shifted(x: np.ndarray, by: int) -> np.ndarray:
    """Return x as it was ``by`` sessions before, (N, T); NaN before the start."""
    if by == 0:
        return x
    out = np.full_like(x, np.nan)
    out[:, by:] = x[:, :-by]
    return out
