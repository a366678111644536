"""Evidence for or against the scores: rank correlation, decile returns, the claim about falling
scores.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.models.forecast_evaluation import forward_returns, rank_ic
from lib.models.themes.features import ranked


def ic_by_year(scores: dict[str, pd.DataFrame], returns: pd.DataFrame) -> pd.DataFrame:
    """Return the mean rank correlation by year and over all with its t-statistic, one row per
    learner and year.

    Parameters
    ----------
    scores : dict of learner to DataFrame, (K, N)
    returns : DataFrame, (K, N)
        Of ``lib.models.forecast_evaluation.forward_returns``, whose lag and horizon are those of
        the result.

    Returns
    -------
    DataFrame with columns ``learner``, ``year`` (``all`` for the whole), ``rank_ic``, ``t_stat``,
    ``weeks``.
    """
    rows = []
    for name, frame in scores.items():
        aligned = returns.reindex(index=frame.index, columns=frame.columns)
        values = pd.Series(rank_ic(frame.to_numpy(), aligned.to_numpy()), frame.index).dropna()
        for year, part in [*values.groupby(values.index.year), ("all", values)]:
            error = part.std() / np.sqrt(max(len(part), 1))
            rows.append(
                (
                    name,
                    str(year),
                    part.mean(),
                    part.mean() / error if error > 0 else np.nan,
                    len(part),
                )
            )
    return pd.DataFrame(rows, columns=["learner", "year", "rank_ic", "t_stat", "weeks"])


def decile_returns(scores: pd.DataFrame, returns: pd.DataFrame, buckets: int = 10) -> pd.DataFrame:
    """Return each bucket's mean return over the cross-section's mean; bucket 1 has the lowest
    scores.
    """
    future = returns.reindex(index=scores.index, columns=scores.columns).to_numpy()
    both = np.isfinite(scores.to_numpy()) & np.isfinite(future)
    place = ranked(np.where(both, scores.to_numpy(), np.nan)) + 0.5
    bucket = np.minimum(np.floor(np.nan_to_num(place, nan=-1.0) * buckets), buckets - 1)
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
    score now and score
    before come from the same source; it hits when the theme returns less than the pool's mean over
    ``horizon``
    sessions from the next close on. Falling and rising scores are counted apart: the claim needs
    the difference. Cases
    of neighbouring weeks overlap, so whole years are resampled for the interval.

    Parameters
    ----------
    scores : DataFrame, (K, M)
    source : DataFrame of str, (K, M)
        ``ThemeScores.source``.
    closes : DataFrame, (T, M)

    Returns
    -------
    DataFrame with columns ``score``, ``cases``, ``hit_rate``, ``low``, ``high`` (95% interval),
    ``excess_return``;
        rows ``falling``, ``rising``, ``difference``.
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
    """Return each score less the one a decision before, (K, M); NaN where the two come from
    different sources.
    """
    return scores.diff().where(source.eq(source.shift()))


def _rates(cases: pd.DataFrame, draws: int, seed: int) -> pd.DataFrame:
    years = np.unique(cases["year"])
    # hits and cases by year, side by side for falling and rising
    hits, counts = (
        np.array(
            [
                [
                    getattr(cases[(cases["year"] == y) & (cases["falling"] == f)]["hit"], how)()
                    for f in (True, False)
                ]
                for y in years
            ],
            dtype=float,
        ).reshape(-1, 2)
        for how in ("sum", "count")
    )
    picks = np.random.default_rng(seed).integers(0, max(len(years), 1), (draws, len(years)))
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = hits[picks].sum(axis=1) / counts[picks].sum(axis=1)
        rate = hits.sum(axis=0) / counts.sum(axis=0)
    drawn, rate = np.column_stack([drawn, drawn[:, 0] - drawn[:, 1]]), [*rate, rate[0] - rate[1]]
    means = [cases.loc[cases["falling"] == f, "excess"].mean() for f in (True, False)]
    total = counts.sum(axis=0)
    rows = []
    for k, name in enumerate(("falling", "rising", "difference")):
        inside = drawn[np.isfinite(drawn[:, k]), k]
        # one year resampled is one year again: no interval can be had
        low, high = (
            np.quantile(inside, [0.025, 0.975])
            if len(years) > 1 and len(inside)
            else (np.nan, np.nan)
        )
        mean = means[k] if k < 2 else means[0] - means[1]
        rows.append((name, int(total[k] if k < 2 else total.sum()), rate[k], low, high, mean))
    return pd.DataFrame(
        rows, columns=["score", "cases", "hit_rate", "low", "high", "excess_return"]
    )
