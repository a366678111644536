"""The week against its history: month and year to date, and how unusual the week's change is."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.market.pointintime import Market

#: a percentile needs so many earlier weeks
FEWEST_WEEKS = 52


def longer_changes(market: Market, changes: pd.DataFrame) -> pd.DataFrame:
    """Return what each asset did since the month and the year began, and the week's percentile.

    Parameters
    ----------
    market : Market
        Gives closes up to its date, its sessions and its last completed week.
    changes : DataFrame
        Of ``week_changes``: ``symbol``, ``change``, ``unit``.

    Returns
    -------
    DataFrame, indexed like ``changes``
        ``month_change`` and ``ytd_change``, from the last close before the month and the year of
        the week's last session to the last close of the week, in the unit of ``change``;
        ``percentile``: share of the asset's earlier weekly changes that are smaller, all weeks in
        the data in which it has a close. NaN where the week's change is missing or withheld, where
        there is no earlier close, and with fewer than 52 earlier weeks.
    """
    last = market.week.last
    closes = market.closes(changes["symbol"], start=None).loc[:last]
    is_yield = changes["unit"].eq("basis points").to_numpy()
    carried = closes.ffill()
    now = carried.iloc[-1].to_numpy()
    columns = {}
    for name, period in (("month_change", "M"), ("ytd_change", "Y")):
        before = carried.loc[carried.index < last.to_period(period).start_time]
        start = before.iloc[-1].to_numpy() if len(before) else np.full(len(changes), np.nan)
        columns[name] = _change(start, now, is_yield)
    ends = market.sessions.weeks(until=last)["last"]
    ends = pd.DatetimeIndex(ends[ends >= closes.index[0]])
    at_ends = carried.reindex(ends, method="ffill").to_numpy()
    has_close = closes.notna().cumsum().reindex(ends, method="ffill").diff().gt(0).to_numpy()[1:]
    weekly = _change(at_ends[:-1], at_ends[1:], is_yield)
    weekly = np.where(has_close & np.isfinite(weekly), weekly, np.nan)
    earlier, week = weekly[:-1], changes["change"].to_numpy(float)
    counts = np.isfinite(earlier).sum(axis=0)
    smaller = (earlier < week).sum(axis=0)
    columns["percentile"] = np.where(
        counts >= FEWEST_WEEKS, smaller / np.maximum(counts, 1), np.nan
    )
    table = pd.DataFrame(columns, index=changes.index)
    table.loc[changes["change"].isna()] = np.nan
    return table


def _change(before: np.ndarray, now: np.ndarray, is_yield: np.ndarray) -> np.ndarray:
    """Return fractions, and basis points for yields in percent."""
    return np.where(is_yield, (now - before) * 100, now / before - 1)
