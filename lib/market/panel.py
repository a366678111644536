"""Wide panels: the form in which models get market data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Panel:
    """Fields of N symbols on T dates, aligned.

    Attributes
    ----------
    dates : DatetimeIndex, (T,)
    symbols : Index of str, (N,)
    fields : mapping of str to float64 array, (T, N), C-contiguous
        NaN where the symbol has no bar on the date, or the source lacks the field.
    mask : bool array, (T, N)
        True where the symbol traded: it has a close, and its volume is not zero (an unknown volume
        counts as traded).
    """

    dates: pd.DatetimeIndex
    symbols: pd.Index
    fields: Mapping[str, np.ndarray]
    mask: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """(T, N)."""
        return len(self.dates), len(self.symbols)

    def frame(self, field: str = "close") -> pd.DataFrame:
        """Return one field as a (T, N) frame, dates x symbols."""
        return pd.DataFrame(self.fields[field], index=self.dates, columns=self.symbols)

    def until(self, date) -> Panel:
        """Return the panel's rows dated on or before ``date``."""
        stop = int(self.dates.searchsorted(pd.Timestamp(date), side="right"))
        fields = {name: values[:stop] for name, values in self.fields.items()}
        return Panel(self.dates[:stop], self.symbols, fields, self.mask[:stop])
