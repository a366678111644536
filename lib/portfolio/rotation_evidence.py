"""The weekly sector rotation: its trades, its rank IC, and the study of its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from lib.models.forecast_evaluation import forward_returns, rank_ic
from lib.models.gp.inputs import week_ends
from lib.models.gp.library import Library
from lib.portfolio import deflated
from lib.portfolio.backtest import Backtest, backtest
from lib.portfolio.conventions import SESSIONS_PER_YEAR
from lib.portfolio.metrics import performance
from lib.portfolio.weights import top_weights

#: sessions of the return that a weekly score is judged by
WEEK = 5
#: the row of all seeds together
ALL_SEEDS = "all"
#: from daily to annualised ratios
ANNUAL = np.sqrt(SESSIONS_PER_YEAR)


@dataclass(frozen=True)
class Rotation:
    """The rule of a weekly rotation on given prices.

    Attributes
    ----------
    closes : DataFrame, (T, N)
        Dates x sectors; NaN where a sector has no close.
    weeks : DatetimeIndex, (K,)
        Last sessions of the weeks, at whose closes is decided.
    top : int
        Sectors held.
    fill : {"next_close", "next_open"}
        Price of the trade.
    opens : DataFrame, (T, N), optional
        Needed for ``next_open``.
    """

    closes: pd.DataFrame
    weeks: pd.DatetimeIndex
    top: int
    fill: Literal["next_close", "next_open"] = "next_close"
    opens: pd.DataFrame | None = None

    @classmethod
    def since(cls, closes: pd.DataFrame, first: str | pd.Timestamp, top: int, **trade) -> Rotation:
        """Return the rotation that decides at every week's last session from ``first`` on.

        Parameters
        ----------
        closes : DataFrame, (T, N)
            Dates x sectors; NaN where a sector has no close.
        first : date
            The first week that is traded ends on or after it.
        top : int
            Sectors held.
        **trade
            ``fill`` and ``opens``.
        """
        dates = pd.DatetimeIndex(closes.index)
        weeks = dates[week_ends(dates)]
        return cls(closes, weeks[weeks >= pd.Timestamp(first)], top, **trade)

    def targets(self, scores: pd.DataFrame) -> pd.DataFrame:
        """Return the weights decided at each week's close, (K, N): the ``top`` highest scores in
        equal weights, or the benchmark in a week with fewer scores.
        """
        return top_weights(scores.reindex(self.weeks), self.top, too_few="equal_weight")

    def hold(self, scores: pd.DataFrame, cost: float = 0.0) -> Backtest:
        """Return the backtest of the highest scores; ``cost`` is a fraction of the traded value,
        one way.
        """
        return backtest(self.closes, self.targets(scores), self.fill, self.opens, cost)

    def benchmark(self) -> Backtest:
        """Return the backtest of all sectors in equal weights, free of cost."""
        columns = self.closes.columns
        targets = pd.DataFrame(1 / len(columns), self.weeks, columns)
        return backtest(self.closes, targets, self.fill, self.opens)

    def active(self, strategy: Backtest, benchmark: Backtest) -> pd.Series:
        """Return the daily gross return over the benchmark, (T' - 1,)."""
        return (strategy.gross.pct_change() - benchmark.gross.pct_change()).dropna()

    def weekly_rank_ic(self, scores: pd.DataFrame) -> pd.Series:
        """Return the rank IC of each week, (K',): the return of five sessions, one session after
        the score; weeks without it are left out.
        """
        rows = self.closes.index.get_indexer(self.weeks)
        returns = forward_returns(self.closes.to_numpy(), WEEK)[rows]
        values = scores.reindex(self.weeks).to_numpy()
        return pd.Series(rank_ic(values, returns), index=self.weeks).dropna()


def seed_study(
    rotation: Rotation,
    frames: Mapping[int | str, pd.DataFrame],
    libraries: Sequence[Library],
    benchmark: Backtest | None = None,
) -> pd.DataFrame:
    """Return what each seed's scores earn, gross, and what its libraries are made of.

    Parameters
    ----------
    rotation : Rotation
        How the scores are traded.
    frames : mapping of seed to DataFrame, (T, N)
        Scores; the key ``all`` is that of all seeds together.
    libraries : sequence of Library
        Those the scores are made of.
    benchmark : Backtest, optional
        ``rotation.benchmark()`` where it is known.

    Returns
    -------
    DataFrame, (S, 10)
        ``seed``, ``rank_ic`` (weekly mean), ``weeks`` (with a rank IC), ``annual_return``,
        ``excess`` (annualised, over the benchmark), ``sharpe``, ``information_ratio`` (daily),
        ``turnover`` (per trade), ``factors`` (mean per library), ``admission`` (share of the
        candidates examined that reach both bars).
    """
    benchmark = rotation.benchmark() if benchmark is None else benchmark
    base = performance(benchmark.gross).loc["annual_return"].iloc[0]
    rows = []
    for seed, scores in frames.items():
        held = rotation.hold(scores)
        figures = performance(held.gross).iloc[:, 0]
        ic = rotation.weekly_rank_ic(scores)
        active = rotation.active(held, benchmark)
        of_seed = [library for library in libraries if seed in (ALL_SEEDS, library.seed)]
        examined = max(sum(library.details["candidates"] for library in of_seed), 1)
        rows.append(
            {
                "seed": seed,
                "rank_ic": ic.mean(),
                "weeks": len(ic),
                "annual_return": figures["annual_return"],
                "excess": figures["annual_return"] - base,
                "sharpe": figures["sharpe"],
                "information_ratio": active.mean() / active.std() if active.std() > 0 else 0.0,
                "turnover": held.turnover.mean(),
                "factors": np.mean([len(library.entries) for library in of_seed]),
                "admission": sum(library.details["passed"] for library in of_seed) / examined,
            }
        )
    return pd.DataFrame(rows)


def quarterly_rank_ic(mined: pd.Series, textbook: pd.Series) -> pd.DataFrame:
    """Return the rank ICs by the quarter in which a score is traded, with running means.

    Parameters
    ----------
    mined : Series, (K,), indexed by week
        Weekly rank ICs of the mined score.
    textbook : Series, (K',), indexed by week
        Of the textbook signals; weeks without one are left out of its means.

    Returns
    -------
    DataFrame, (Q, 7)
        ``quarter``, ``rank_ic`` (mean), ``standard_error``, ``weeks``, ``running_mean``,
        ``textbook``, ``textbook_mean`` (running).
    """
    traded = (pd.DatetimeIndex(mined.index) + pd.offsets.BDay()).to_period("Q").astype(str)
    groups = mined.groupby(traded)
    table = groups.agg(["mean", "sem", "count"]).rename_axis("quarter").reset_index()
    table.columns = pd.Index(["quarter", "rank_ic", "standard_error", "weeks"])
    table["running_mean"] = groups.sum().cumsum().to_numpy() / table["weeks"].cumsum()
    groups = textbook.reindex(mined.index).groupby(traded)
    table["textbook"] = groups.mean().to_numpy()
    running = groups.sum().cumsum() / groups.count().cumsum()
    return table.assign(textbook_mean=running.to_numpy())


def certainty(active: pd.Series) -> list[tuple[str, float, str]]:
    """Return measure, value and format of how sure a daily excess return (T,) is."""
    ratio = active.mean() / active.std() * ANNUAL
    return [
        ("information_ratio", ratio, "score"),
        ("t_stat", deflated.t_stat(active), "score"),
        ("probability", deflated.probabilistic_sharpe(active), "share"),
    ]


def certainty_after_trials(active: pd.Series, trials: pd.DataFrame) -> list[tuple[str, float, str]]:
    """Return how sure the excess return on the window of the trials is, after charging them.

    Parameters
    ----------
    active : Series, (T,)
        Daily excess returns on that window, fractions.
    trials : DataFrame
        ``trials`` (how many a row counts), ``excess`` (annualised, points). The spread of the
        trials' ratios is that of their excess returns over the tracking error of ``active``.

    Returns
    -------
    list of (measure, value, format)
    """
    count = int(trials["trials"].sum())
    dispersion = trials["excess"].std() / 100 / SESSIONS_PER_YEAR / active.std()
    ratio = active.mean() / active.std() * ANNUAL
    best = deflated.expected_max_sharpe(count, dispersion) * ANNUAL
    probability = deflated.deflated_sharpe(active, count, dispersion)
    return [
        ("trial_information_ratio", ratio, "score"),
        ("trials", count, "count"),
        ("best_by_luck", best, "score"),
        ("deflated_probability", probability, "share"),
    ]
