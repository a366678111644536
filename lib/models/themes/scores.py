"""From scores of constituents to scores of themes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.market.errors import ModelError

#: an index with fewer scored members is scored on its own bars
MIN_MEMBERS = 5
#: stocks below which their ranking says nothing
MIN_STOCKS = 30
#: below this share of scored weight a theme's score is marked as one of low coverage
LOW_COVERAGE = 0.7
#: sessions below which a score of own bars is marked too: the longest features look back so far
FULL_HISTORY = 250
#: percent by which weights may miss 100
WEIGHT_TOLERANCE = 5.0
#: themes with both kinds of score below which their dispersions are not compared
MIN_THEMES = 10
#: decision dates over which dispersions and correlations are averaged, about a year
SCALE_WINDOW = 52
#: members of a theme index where no list is known: most hold between 30 and 100
TYPICAL_MEMBERS = 50


@dataclass(frozen=True)
class ThemeScores:
    """Scores of themes, all on the scale of means over members.

    Attributes
    ----------
    scores : DataFrame, (K, M)
        Weighted mean of the members' z-scores, or the z-score of the theme's own bars times
        ``scale``; NaN where
        neither exists.
    source : DataFrame of str, (K, M)
        ``constituents``, ``bars`` or empty.
    coverage : DataFrame, (K, M)
        Share of the weight that is scored; NaN for ``bars``.
    scale : Series, (K,)
        Factor of the scores of own bars; NaN where nothing measures it, and these scores keep their
        own scale.
    """

    scores: pd.DataFrame
    source: pd.DataFrame
    coverage: pd.DataFrame
    scale: pd.Series

    @property
    def low_coverage(self) -> pd.DataFrame:
        """Where a score rests on members with less than ``LOW_COVERAGE`` of the weight, (K, M)
        bool.
        """
        return self.source.eq("constituents") & (self.coverage < LOW_COVERAGE)


def check_constituents(lists: pd.DataFrame, scored: pd.Index, as_of: pd.Timestamp) -> pd.DataFrame:
    """Check constituent lists and return their faults.

    Parameters
    ----------
    lists : DataFrame
        ``index_symbol``, ``as_of``, ``symbol``, ``weight`` (percent); any number of lists per
        index.
    scored : Index
        Symbols with bars.
    as_of : Timestamp
        The date seen from.

    Returns
    -------
    DataFrame
        ``index_symbol``, ``as_of``, ``issue``, ``value``. Issues: ``weights`` far from 100,
        ``members`` without bars, ``few``: fewer than ``MIN_MEMBERS`` with bars.

    Raises
    ------
    ModelError
        A list is dated after ``as_of``, or a weight is negative or missing.
    """
    late = lists[lists["as_of"] > as_of]
    if len(late):
        raise ModelError(
            f"constituents of {late['index_symbol'].nunique()} indices are dated after"
            f" {as_of:%Y-%m-%d}",
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
    has_bars = lists["symbol"].isin(scored)
    by_list = (
        lists[["index_symbol", "as_of", "weight"]]
        .assign(scored=has_bars, unscored=~has_bars)
        .groupby(["index_symbol", "as_of"])[["weight", "scored", "unscored"]]
        .sum()
    )
    faults = {
        "weights": by_list["weight"].where((by_list["weight"] - 100).abs() > WEIGHT_TOLERANCE),
        "members": by_list["unscored"].where(by_list["unscored"] > 0),
        "few": by_list["scored"].where(by_list["scored"] < MIN_MEMBERS),
    }
    table = pd.DataFrame(faults, index=by_list.index).reset_index()
    issues = table.melt(["index_symbol", "as_of"], var_name="issue").dropna(subset=["value"])
    return issues.sort_values(["index_symbol", "as_of"], kind="stable", ignore_index=True)


def findings(
    theme: ThemeScores, issues: pd.DataFrame, date: pd.Timestamp, last_stock_score: pd.Timestamp
) -> dict[str, object]:
    """Return what a reader must know of the scores of a date, by key of the note.

    Parameters
    ----------
    theme : ThemeScores, (K, M)
        Scores, sources and coverage.
    issues : DataFrame
        Of ``check_constituents``.
    date : Timestamp
        A decision date.
    last_stock_score : Timestamp
        The last decision at which stocks are scored.

    Returns
    -------
    dict
        ``stocks_end`` where stocks are not scored at the date; ``source``: how many themes are
        scored by ``members`` and by ``bars``; ``scaled`` with the ``scale`` of the scores of own
        bars, or ``unscaled``; ``issues``: indices with faults.
    """
    source, scale = theme.source.loc[date], theme.scale.loc[date]
    has_bars = bool(source.eq("bars").any())
    return {
        "stocks_end": {"date": last_stock_score} if last_stock_score < date else None,
        "source": {
            "members": int(source.eq("constituents").sum()),
            "bars": int(source.eq("bars").sum()),
        },
        "scaled": {"scale": scale} if has_bars and pd.notna(scale) else None,
        "unscaled": has_bars and pd.isna(scale),
        "issues": issues["index_symbol"].nunique(),
    }


def member_correlation(stocks: pd.DataFrame, groups: np.ndarray) -> pd.Series:
    r"""Return the average correlation of the scores of two stocks of one group, date by date.

    Scores have mean 0 and standard deviation 1 across stocks, so it is the mean product over all
    pairs within groups,

    .. math:: \hat\rho_t = \sum_g \Big[ \big(\textstyle\sum_{i \in g} z_{i,t}\big)^2
              - \sum_{i \in g} z_{i,t}^2 \Big] \Big/ \sum_g n_{g,t} (n_{g,t} - 1)

    Parameters
    ----------
    stocks : DataFrame, (K, N)
        z-scores of stocks by decision date.
    groups : int array, (N,)
        Group of each stock, such as its sector; -1 where unknown.

    Returns
    -------
    Series, (K,)
        NaN on dates without a pair.
    """
    z = stocks.to_numpy()
    products = np.zeros(len(z))
    pairs = np.zeros(len(z))
    for group in np.unique(groups[groups >= 0]):
        members = z[:, groups == group]
        count = np.isfinite(members).sum(axis=1)
        products += np.nansum(members, axis=1) ** 2 - np.nansum(members**2, axis=1)
        pairs += count * (count - 1)
    return pd.Series(np.where(pairs > 0, products / np.maximum(pairs, 1), np.nan), stocks.index)


def own_bars_scale(
    means: pd.DataFrame, own: pd.DataFrame, correlation: pd.Series | None = None
) -> pd.Series:
    r"""Return the factor that brings scores of own bars to the dispersion of means over members.

    A mean over members varies less than a single series. Where at least ``MIN_THEMES`` themes have
    both, the factor is the ratio of the two dispersions across these themes; elsewhere the standard
    deviation that a mean over :math:`n` scores with the average correlation :math:`\rho` has,

    .. math:: c_t = \sqrt{\overline{\operatorname{Var}(\text{means})} /
              \overline{\operatorname{Var}(\text{own})}},
              \qquad c_t = \sqrt{\bar\rho_t + (1 - \bar\rho_t) / n}, \quad n = 50.

    Bars are means over the last ``SCALE_WINDOW`` decision dates, so that a change of the factor
    does not pass for a change of a score; no later date is used.

    Parameters
    ----------
    means : DataFrame, (K, M)
        Means over members; NaN where a theme has none.
    own : DataFrame, (K, M)
        z-scores of the themes' own bars.
    correlation : Series, (K,), optional
        ``member_correlation``; its last known mean is carried on.

    Returns
    -------
    Series, (K,)
        NaN where neither way can be taken.
    """
    both = means.notna() & own.notna()
    enough = both.sum(axis=1) >= MIN_THEMES

    def variance(scores: pd.DataFrame) -> pd.Series:
        return (
            scores.where(both)
            .var(axis=1, ddof=0)
            .where(enough)
            .rolling(SCALE_WINDOW, min_periods=1)
            .mean()
        )

    single = variance(own)
    measured = np.sqrt(variance(means) / single.where(single > 0))
    if correlation is None:
        return measured
    average = correlation.dropna().rolling(SCALE_WINDOW, min_periods=1).mean().clip(0.0, 1.0)
    average = average.reindex(means.index, method="ffill")
    return measured.fillna(np.sqrt(average + (1 - average) / TYPICAL_MEMBERS))


def theme_scores(
    stocks: pd.DataFrame,
    lists: pd.DataFrame,
    own: pd.DataFrame,
    themes: pd.Index,
    dates: pd.DatetimeIndex,
    correlation: pd.Series | None = None,
) -> ThemeScores:
    """Score themes by their constituents, and by their own bars, brought to the same scale, where
    these are missing.

    Parameters
    ----------
    stocks : DataFrame, (K', N)
        z-scores of stocks by decision date; may be empty.
    lists : DataFrame
        Constituents, one row per member: any number of dated lists per index.
    own : DataFrame, (K'', M')
        z-scores of the themes' own bars.
    themes : Index, (M,)
        The themes to score.
    dates : DatetimeIndex, (K,)
        Decision dates.
    correlation : Series, (K'',), optional
        ``member_correlation``, for ``own_bars_scale``.
    """
    means, coverage = member_means(stocks, lists, themes, dates)
    bars = own.reindex(index=dates, columns=themes)
    scale = own_bars_scale(means, bars, correlation)
    scaled = bars.mul(scale.fillna(1.0), axis=0)
    source = pd.DataFrame("", index=dates, columns=themes, dtype=object)
    source = source.mask(bars.notna(), "bars").mask(means.notna(), "constituents")
    return ThemeScores(means.fillna(scaled), source, coverage, scale)


def member_means(
    stocks: pd.DataFrame, lists: pd.DataFrame, themes: pd.Index, dates: pd.DatetimeIndex
) -> tuple[pd.DataFrame, pd.DataFrame]:
    r"""Return the weighted means of the members' scores, and the share of the weight scored.

    With weights :math:`w_i` of the latest list dated on or before t, over the scored members,

    .. math:: S_t = \sum_i w_i z_{i,t} \Big/ \sum_i w_i

    Parameters
    ----------
    stocks : DataFrame, (K', N)
        z-scores of stocks by decision date; may be empty.
    lists : DataFrame
        Constituents, one row per member: any number of dated lists per index.
    themes : Index, (M,)
        The themes to score.
    dates : DatetimeIndex, (K,)
        Decision dates.

    Returns
    -------
    means, coverage : DataFrame, (K, M)
        NaN where fewer than ``MIN_MEMBERS`` members are scored. The share is of 100 percent where a
        list sums to less.
    """
    score = np.full((len(dates), len(themes)), np.nan)
    coverage = score.copy()
    z = stocks.reindex(dates).to_numpy(float)
    rows = lists.assign(member=stocks.columns.get_indexer(lists["symbol"]))
    groups = rows.groupby("index_symbol", sort=False).indices
    table = {name: rows[name].to_numpy() for name in ("as_of", "symbol", "weight", "member")}
    for column, theme in enumerate(themes):
        if theme not in groups:
            continue
        at = groups[theme]
        listed, number = np.unique(table["as_of"][at], return_inverse=True)
        _, first, member = np.unique(
            table["symbol"][at].astype(str), return_index=True, return_inverse=True
        )
        by_list = np.zeros((len(listed), len(first)))
        by_list[number, member] = table["weight"][at]
        latest = listed.searchsorted(dates.to_numpy(), side="right") - 1
        weight = np.where((latest >= 0)[:, None], by_list[np.maximum(latest, 0)], 0.0)
        position = table["member"][at][first]
        values = np.full(weight.shape, np.nan)
        values[:, position >= 0] = z[:, position[position >= 0]]
        use = np.isfinite(values) & (weight > 0)
        scored = np.where(use, weight, 0.0).sum(axis=1)
        enough = use.sum(axis=1) >= MIN_MEMBERS
        total = np.where(use, weight * np.nan_to_num(values), 0.0).sum(axis=1)
        score[enough, column] = (total / np.where(scored > 0, scored, 1))[enough]
        coverage[enough, column] = (scored / np.maximum(weight.sum(axis=1), 100.0))[enough]
    return pd.DataFrame(score, dates, themes), pd.DataFrame(coverage, dates, themes)
