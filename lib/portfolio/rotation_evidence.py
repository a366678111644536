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
from lib.portfolio.backtest import Backtest, backtest
from lib.portfolio.metrics import performance
from lib.portfolio.weights import top_weights

#: sessions of the return that a weekly score is judged by
WEEK = 5
#: the row of all seeds together
ALL_SEEDS = "all"


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

    def hold(self, scores: pd.DataFrame, cost: float = 0.0) -> Backtest:
        """Return the backtest of the sectors with the highest scores, (K', N) with K' >= K.

        A week with fewer scores than ``top`` holds the benchmark. ``cost`` is a fraction of the
        traded value, one way.
        """
        targets = top_weights(scores.reindex(self.weeks), self.top, too_few="equal_weight")
        return backtest(self.closes, targets, self.fill, self.opens, cost)

    def benchmark(self) -> Backtest:
        """Return the backtest of all sectors in equal weights, free of cost."""
        columns = self.closes.columns
        targets = pd.DataFrame(1 / len(columns), self.weeks, columns)
        return backtest(self.closes, targets, self.fill, self.opens)

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
        Scores; the key ``all`` stands for all seeds together.
    libraries : sequence of Library
        Those the scores are made of.
    benchmark : Backtest, optional
        ``rotation.benchmark()`` where it is at hand.

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
        active = (held.gross.pct_change() - benchmark.gross.pct_change()).dropna()
        own = [library for library in libraries if seed in (ALL_SEEDS, library.seed)]
        examined = max(sum(library.details["candidates"] for library in own), 1)
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
                "factors": np.mean([len(library.entries) for library in own]),
                "admission": sum(library.details["passed"] for library in own) / examined,
            }
        )
    return pd.DataFrame(rows)
