"""Returns by calendar period, and the longest drawdowns with their dates."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.portfolio.metrics import drawdown


def period_returns(nav: pd.DataFrame, frequency: str) -> pd.DataFrame:
    """Return the change of net asset values over calendar periods.

    Parameters
    ----------
    nav : DataFrame, (T, S), indexed by date
        Positive; NaN before a column starts.
    frequency : {"Y", "M"}
        Years or months.

    Returns
    -------
    DataFrame, (P, S), indexed by period
        Each from the last value before the period, or the first value where the column starts
        within it, to the last value of the period: the first and the last period may be shorter
        than the calendar's. NaN where the column has no return in the period.
    """
    returns = nav.pct_change()
    grown = (1 + returns).groupby(nav.index.to_period(frequency)).prod(min_count=1)
    return grown - 1


def longest_drawdowns(nav: pd.Series, count: int = 3) -> pd.DataFrame:
    """Return the longest spells below an earlier high.

    Parameters
    ----------
    nav : Series, (T,), indexed by date
        Positive, without NaN.
    count : int
        Largest number of rows.

    Returns
    -------
    DataFrame, at most ``count`` rows, the longest first
        ``peak``: the last day at the high; ``trough``: the lowest value; ``recovered``: the first
        day at or above the high again, NaT while it lasts; ``depth``, a negative fraction;
        ``days`` on the calendar, from the peak to the recovery or the last value.
    """
    fall = drawdown(nav)
    below = (fall < 0).to_numpy()
    starts = np.flatnonzero(below & ~np.r_[False, below[:-1]])
    rows = []
    for start in starts:
        after = np.flatnonzero(~below[start:])
        end = start + after[0] if len(after) else len(nav)
        spell = fall.iloc[start:end]
        recovered = nav.index[end] if len(after) else pd.NaT
        peak = nav.index[start - 1]
        last = recovered if len(after) else nav.index[-1]
        rows.append((peak, spell.idxmin(), recovered, spell.min(), (last - peak).days))
    table = pd.DataFrame(rows, columns=["peak", "trough", "recovered", "depth", "days"])
    longest = table.sort_values("days", ascending=False, kind="stable")
    return longest.head(count).reset_index(drop=True)
