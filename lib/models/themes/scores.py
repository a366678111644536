"""From scores of constituents to scores of themes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.market.errors import ModelError

#: an index with fewer scored members is scored on its own bars
LEAST_MEMBERS = 5
#: shares below which a ranking of them says nothing
FEWEST = 30
#: below this share of scored weight a theme's score is marked thin
THIN_COVERAGE = 0.7
#: sessions below which a theme's own bars are marked thin: its longest features look back so far
FULL_HISTORY = 250
#: percent by which weights may miss 100
WEIGHT_TOLERANCE = 5.0


@dataclass(frozen=True)
class ThemeScores:
    """Scores of themes.

    Attributes
    ----------
    scores : DataFrame, (K, M)
        Weighted mean of the members' z-scores, or the z-score of the theme's own bars; NaN where neither exists.
    basis : DataFrame of str, (K, M)
        ``constituents``, ``bars`` or empty.
    coverage : DataFrame, (K, M)
        Share of the weight that is scored; NaN for ``bars``.
    """

    scores: pd.DataFrame
    basis: pd.DataFrame
    coverage: pd.DataFrame

    @property
    def thin(self) -> pd.DataFrame:
        """Where a score rests on members with less than ``THIN_COVERAGE`` of the weight, (K, M) bool."""
        return self.basis.eq("constituents") & (self.coverage < THIN_COVERAGE)


def check_constituents(lists: pd.DataFrame, scored: pd.Index, as_of: pd.Timestamp) -> pd.DataFrame:
    """Check constituent lists and say what is wrong with them.

    Parameters
    ----------
    lists : DataFrame
        ``index_symbol``, ``as_of``, ``symbol``, ``weight`` (percent); any number of lists per index.
    scored : Index
        Symbols with bars.
    as_of : Timestamp
        The date seen from.

    Returns
    -------
    DataFrame
        ``index_symbol``, ``as_of``, ``issue`` (``weights``: far from 100; ``members``: no bars; ``few``: under five
        scored), ``value``.

    Raises
    ------
    ModelError
        A list is dated after ``as_of``, or a weight is negative or missing.
    """
    late = lists[lists["as_of"] > as_of]
    if len(late):
        raise ModelError(
            f"constituents of {late['index_symbol'].nunique()} indices are dated after {as_of:%Y-%m-%d}",
            symbol=late["index_symbol"].iloc[0],
            date=f"{late['as_of'].iloc[0]:%Y-%m-%d}",
            remedy="ask for the lists known on the date; later weights are look-ahead",
        )
    bad = lists[~(lists["weight"] >= 0)]
    if len(bad):
        raise ModelError(
            f"a weight is {bad['weight'].iloc[0]}",
            symbol=f"{bad['index_symbol'].iloc[0]} / {bad['symbol'].iloc[0]}",
            remedy="give every member a weight of at least 0 percent",
        )
    issues = []
    for (index, date), part in lists.groupby(["index_symbol", "as_of"]):
        total, known = part["weight"].sum(), part["symbol"].isin(scored)
        if abs(total - 100) > WEIGHT_TOLERANCE:
            issues.append((index, date, "weights", total))
        if not known.all():
            issues.append((index, date, "members", int((~known).sum())))
        if known.sum() < LEAST_MEMBERS:
            issues.append((index, date, "few", int(known.sum())))
    return pd.DataFrame(issues, columns=["index_symbol", "as_of", "issue", "value"])


def theme_scores(
    stocks: pd.DataFrame, lists: pd.DataFrame, own: pd.DataFrame, themes: pd.Index, dates: pd.DatetimeIndex
) -> ThemeScores:
    r"""Score themes by their constituents, and by their own bars where these are missing.

    With weights :math:`w_i` of the latest list dated on or before t, over the scored members,

    .. math:: S_t = \sum_i w_i z_{i,t} \Big/ \sum_i w_i

    Parameters
    ----------
    stocks : DataFrame, (K', N)
        z-scores of stocks by decision date; may be empty.
    lists : DataFrame
        Constituents, any number of dated lists per index.
    own : DataFrame, (K'', M')
        z-scores of the themes' own bars.
    themes : Index, (M,)
    dates : DatetimeIndex, (K,)
    """
    score = np.full((len(dates), len(themes)), np.nan)
    coverage = score.copy()
    basis = np.full(score.shape, "", dtype=object)
    z = stocks.reindex(dates).to_numpy() if len(stocks.columns) else np.empty((len(dates), 0))
    grouped = dict(iter(lists.groupby("index_symbol")))
    for column, theme in enumerate(themes):
        if theme not in grouped:
            continue
        table = grouped[theme].pivot_table(index="as_of", columns="symbol", values="weight", fill_value=0.0)
        at = table.index.searchsorted(dates, side="right") - 1
        members = stocks.columns.get_indexer(table.columns)
        weight = np.where((at >= 0)[:, None], table.to_numpy()[np.maximum(at, 0)], 0.0)
        values = np.where(members >= 0, z[:, members], np.nan) if z.shape[1] else np.full(weight.shape, np.nan)
        use = np.isfinite(values) & (weight > 0)
        scored = np.where(use, weight, 0.0).sum(axis=1)
        enough = use.sum(axis=1) >= LEAST_MEMBERS
        mean = np.where(use, weight * np.nan_to_num(values), 0.0).sum(axis=1) / np.where(scored > 0, scored, 1)
        score[enough, column] = mean[enough]
        # what is missing counts against 100 percent, also where the list itself sums to less
        coverage[enough, column] = (scored / np.maximum(weight.sum(axis=1), 100.0))[enough]
        basis[enough, column] = "constituents"
    bars = own.reindex(index=dates, columns=themes).to_numpy()
    fall_back = (basis == "") & np.isfinite(bars)
    score[fall_back], basis[fall_back] = bars[fall_back], "bars"
    return ThemeScores(*(pd.DataFrame(values, index=dates, columns=themes) for values in (score, basis, coverage)))
