"""The strongest and weakest themes since the last major low."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.market.errors import ModelError


def anchor_date(closes: pd.DataFrame, window: int, settle: int) -> pd.Timestamp:
    """Return the last major low: the lowest close of the equal-weight pool.

    The low is sought in the last ``window`` sessions without the latest ``settle`` ones, so that a
    slide of a few days does not move the anchor every week.

    Parameters
    ----------
    closes : DataFrame, (T, M)
        NaN where a theme has no price.
    window : int
        Sessions in which the low is sought.
    settle : int
        Latest sessions of them that are left out.

    Raises
    ------
    ModelError
        Fewer sessions than ``settle + 2``.
    """
    if len(closes) < settle + 2:
        raise ModelError(
            f"{len(closes)} sessions are too few to find the last major low",
            remedy=f"bring at least {settle + 2} sessions, or give the anchor as a date",
        )
    moves = closes.ffill().pct_change(fill_method=None).mean(axis=1).fillna(0.0)
    level = (1 + moves).cumprod().iloc[-window:]
    return level.iloc[: len(level) - settle].idxmin()


def gains(closes: pd.DataFrame, lows: pd.DataFrame, anchor: pd.Timestamp) -> pd.DataFrame:
    """Return how far each theme has come since the anchor, at its last close.

    ``gain_peak`` counts from the lowest low since the anchor, the most that the rise could have
    earned: this is the published measure (`docs/research/02_ai_themes.md`). ``gain_cumulative``
    counts from the anchor's close.

    Parameters
    ----------
    closes, lows : DataFrame, (T, M)
        A missing low counts as the close.
    anchor : Timestamp
        Date from which gains count.

    Returns
    -------
    DataFrame, (M, 2)
        NaN for a theme without a close in the five sessions up to the anchor.
    """
    start = int(closes.index.searchsorted(anchor, side="right"))
    base = closes.iloc[max(start - 5, 0) : start].ffill().iloc[-1]
    since = closes.iloc[start - 1 :]
    last = since.ffill().iloc[-1]
    bottom = lows.reindex_like(since).fillna(since).min().where(base.notna())
    return pd.DataFrame({"gain_peak": last / bottom - 1, "gain_cumulative": last / base - 1})


def strongest_and_weakest(
    gain: pd.DataFrame, scores: pd.DataFrame, change: pd.Series, count: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the ``count`` themes with the largest and with the smallest peak gain, each the
    extreme first.

    Parameters
    ----------
    gain : DataFrame, (M, 2)
        Of ``gains``.
    scores : DataFrame, (K, M)
        The last two rows are the score before and the score now.
    change : Series, (M,)
        The score now less the one before; NaN where the two are not of one source.
    count : int
        Themes of each table.

    Returns
    -------
    tuple of DataFrame
        Columns ``gain_peak``, ``gain_cumulative``, ``previous_score``, ``latest_score``,
        ``change``; themes without a gain or a latest score are left out, ties by cumulative gain,
        then by symbol.
    """
    table = gain.assign(previous_score=scores.iloc[-2], latest_score=scores.iloc[-1], change=change)
    table = table[np.isfinite(table["gain_peak"]) & np.isfinite(table["latest_score"])].sort_index()
    table = table.sort_values(["gain_peak", "gain_cumulative"], kind="stable")
    return table.iloc[::-1].head(count), table.head(count)
