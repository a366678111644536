"""Evidence for or against the scores: rank correlation, decile returns, the claim about falling
scores.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.models.forecast_evaluation import forward_returns, rank_ic
from lib.models.themes.features import cs_rank

#: quantiles of the resampled hit rates that bound the interval: 95%
INTERVAL = (0.025, 0.975)


def ic_by_year(scores: dict[str, pd.DataFrame], returns: pd.DataFrame) -> pd.DataFrame:
    """Return the mean rank IC by year and over all years, with its t-statistic.

    Parameters
    ----------
    scores : dict of learner to DataFrame, (K, N)
        Scores by learner, (K, N).
    returns : DataFrame, (K, N)
        Of ``lib.models.forecast_evaluation.forward_returns``, whose lag and horizon are those of
        the result; NaN where a return is not over.

    Returns
    -------
    DataFrame
        One row per learner and year (``all`` for all years) with ``learner``, ``year``,
        ``rank_ic``, ``t_stat``, ``weeks``.
    """
    rows = []
    for name, frame in scores.items():
        aligned = returns.reindex(index=frame.index, columns=frame.columns)
        values = pd.Series(rank_ic(frame.to_numpy(), aligned.to_numpy()), frame.index).dropna()
        for year, part in [*values.groupby(values.index.year), ("all", values)]:
            mean, error = part.mean(), part.std() / np.sqrt(max(len(part), 1))
            t_stat = mean / error if error > 0 else np.nan
            rows.append((name, str(year), mean, t_stat, len(part)))
    return pd.DataFrame(rows, columns=["learner", "year", "rank_ic", "t_stat", "weeks"])


def decile_returns(scores: pd.DataFrame, returns: pd.DataFrame, buckets: int = 10) -> pd.DataFrame:
    """Return the mean return of each bucket of scores in excess of the cross-section's mean.

    Parameters
    ----------
    scores, returns : DataFrame, (K, N)
        NaN where a symbol has none; only symbols with both count.
    buckets : int
        Number of them.

    Returns
    -------
    DataFrame
        ``decile`` (1 has the lowest scores), ``excess_return``, ``cases``.
    """
    future = returns.reindex(index=scores.index, columns=scores.columns).to_numpy()
    both = np.isfinite(scores.to_numpy()) & np.isfinite(future)
    rank = cs_rank(np.where(both, scores.to_numpy(), np.nan)) + 0.5
    bucket = np.minimum(np.floor(np.nan_to_num(rank, nan=-1.0) * buckets), buckets - 1)
    count = both.sum(axis=1, keepdims=True)
    mean = np.nansum(np.where(both, future, np.nan), axis=1, keepdims=True) / np.maximum(count, 1)
    excess = np.where(both, future - mean, np.nan)
    rows = [
        (k + 1, float(np.nanmean(excess[bucket == k])), int((bucket == k).sum()))
        for k in range(buckets)
        if (bucket == k).any()
    ]
    return pd.DataFrame(rows, columns=["decile", "excess_return", "cases"])


def falling_after_gain(
    scores: pd.DataFrame,
    source: pd.DataFrame,
    closes: pd.DataFrame,
    *,
    gain_sessions: int,
    horizon: int,
    top: int,
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """Test the claim that a falling score after a large gain is followed by underperformance.

    A case is a theme among the ``top`` gains of the last ``gain_sessions`` on a decision date whose
    score now and score before come from the same source; it hits when the theme returns less than
    the pool's mean over ``horizon`` sessions from the next close on. Falling and rising scores are
    counted apart: the claim needs the difference. Cases of neighbouring weeks overlap, so whole
    years are resampled for the interval.

    Parameters
    ----------
    scores : DataFrame, (K, M)
        Theme scores at the decisions.
    source : DataFrame of str, (K, M)
        ``ThemeScores.source``.
    closes : DataFrame, (T, M)
        NaN on sessions without a close.
    gain_sessions, horizon : int
        Sessions of the gain, and of the return after it.
    top : int
        Themes with the largest gains on each date.
    draws, seed : int
        Of the resampled years.

    Returns
    -------
    DataFrame
        Rows ``falling``, ``rising``, ``difference``: ``score``, ``cases``, ``hit_rate``, ``low``,
        ``high`` (95% interval, NaN with a single year), ``excess_return``.
    """
    at = closes.index.get_indexer(scores.index)
    values = closes[scores.columns].to_numpy()
    after = forward_returns(values, horizon)
    keep = (at >= gain_sessions) & np.isfinite(after[at]).any(axis=1)
    change = same_source_change(scores, source).to_numpy()[keep]
    at = at[keep]
    gain = values[at] / values[at - gain_sessions] - 1
    future = after[at]
    count = np.isfinite(future).sum(axis=1, keepdims=True)
    excess = future - np.nansum(future, axis=1, keepdims=True) / np.maximum(count, 1)
    order = (
        (-np.where(np.isfinite(gain), gain, -np.inf)).argsort(axis=1, kind="stable").argsort(axis=1)
    )
    chosen = (order < top) & np.isfinite(gain) & np.isfinite(excess) & np.isfinite(change)
    week, theme = np.nonzero(chosen)
    year = scores.index[keep].year.to_numpy()[week]
    table = pd.DataFrame(
        {"year": year, "falling": change[week, theme] < 0, "excess": excess[week, theme]}
    )
    table["hit"] = table["excess"] < 0
    return _rates(table, draws, seed)


def same_source_change(scores: pd.DataFrame, source: pd.DataFrame) -> pd.DataFrame:
    """Return each score less that of the decision before, (K, M); NaN where the two come from
    different sources.
    """
    return scores.diff().where(source.eq(source.shift()))


def _rates(cases: pd.DataFrame, draws: int, seed: int) -> pd.DataFrame:
    """Return hit rates with their intervals, from cases with ``year``, ``falling``, ``excess`` and
    ``hit``; columns as of ``falling_after_gain``.
    """
    by_year = cases.pivot_table(
        index="year", columns="falling", values="hit", aggfunc=["sum", "count"], fill_value=0
    ).reindex(columns=pd.MultiIndex.from_product([["sum", "count"], [True, False]]), fill_value=0)
    hits, counts = by_year["sum"].to_numpy(float), by_year["count"].to_numpy(float)
    years = len(by_year)
    picks = np.random.default_rng(seed).integers(0, max(years, 1), (draws, years))
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = hits[picks].sum(axis=1) / counts[picks].sum(axis=1)
        rates = hits.sum(axis=0) / counts.sum(axis=0)
    drawn = np.column_stack([drawn, drawn[:, 0] - drawn[:, 1]])
    means = [cases.loc[cases["falling"] == falling, "excess"].mean() for falling in (True, False)]
    table = pd.DataFrame(
        {
            "score": ["falling", "rising", "difference"],
            "cases": [*counts.sum(axis=0).astype(int), len(cases)],
            "hit_rate": [*rates, rates[0] - rates[1]],
        }
    )
    # one year resampled is one year again and gives no interval
    finite = [column[np.isfinite(column)] if years > 1 else column[:0] for column in drawn.T]
    bounds = [np.quantile(one, INTERVAL) if len(one) else (np.nan, np.nan) for one in finite]
    table[["low", "high"]] = bounds
    return table.assign(excess_return=[*means, means[0] - means[1]])
