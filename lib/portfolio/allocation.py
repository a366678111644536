"""Global allocation: which assets are held at each month end, and with which weights."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.market.errors import ModelError
from lib.market.fingerprint import fingerprint
from lib.models import momentum as momentum_module
from lib.models.cache import Record, cached
from lib.models.momentum import stronger_half
from lib.portfolio import budgets as budgeting
from lib.portfolio import covariance as estimation
from lib.portfolio.budgets import RiskBudget, investable_share, risk_budget_weights
from lib.portfolio.conventions import WEEKS_PER_YEAR
from lib.portfolio.covariance import Covariance, shrunk_covariance

#: sessions between the returns of the covariance: a week, so that Asian and American closes of one
# day overlap
STEP = 5
VARIANTS = ("intersection", "cycle_budget", "momentum")


@dataclass(frozen=True)
class AllocationRules:
    """How scores become weights.

    Attributes
    ----------
    variant : str
        ``cycle_budget``: all assets of the stronger half by momentum, class budgets falling with
        the rank of the cycle
        score; the only one that can hold small weights in every class, as the published weights do.
        ``intersection``:
        the best classes by cycle score, of them the assets in the stronger half, equal class
        budgets. ``momentum``: all
        assets of the stronger half, equal class budgets; no cycle.
    top_classes : int
        Classes held by ``intersection``.
    rank_budgets : sequence of float
        Relative class budgets by rank, best first, for ``cycle_budget``.
    asset_cap, class_cap, target_volatility
        As in ``risk_budget_weights``.
    covariance_weeks : int
        Weekly returns in each covariance.
    minimum_months : int
        Months of history before an asset can be held.
    minimum_volatility : float
        Annualised; an asset that moves less is left out, since inverse risk would give it
        everything.
    """

    variant: str = "cycle_budget"
    top_classes: int = 2
    rank_budgets: Sequence[float] = (4.0, 3.0, 2.0, 1.0)
    asset_cap: float = 0.25
    class_cap: float = 0.7
    target_volatility: float | None = 0.05
    covariance_weeks: int = 104
    minimum_months: int = 60
    minimum_volatility: float = 0.01


@dataclass(frozen=True)
class Allocation:
    """Target weights at each decision and what they rest on.

    Attributes
    ----------
    weights, contributions : DataFrame, (K, N)
        Target weights, and shares of the expected variance.
    budgets : DataFrame, (K, C)
        Risk budget of each class, 0 where it is not held.
    volatility : Series, (K,)
        Expected by the covariance, annualised.
    events : DataFrame
        ``date``, ``event``, ``detail``: every fallback and exclusion, and for ``caps_leave_cash``
        the largest sum of
        weights that the caps allow to the assets selected.
    """

    weights: pd.DataFrame
    contributions: pd.DataFrame
    budgets: pd.DataFrame
    volatility: pd.Series
    events: pd.DataFrame


class Allocator:
    """Weights at month ends; covariances and solves are kept, since placebos ask for the same ones
    again.

    Parameters
    ----------
    values : DataFrame, (T, N)
        Values of the assets on sessions, carried over closed days.
    monthly : DataFrame, (L, N)
        Month-end values, as far back as they go.
    momentum : DataFrame, (L, N)
        Momentum at month ends.
    classes : Series, (N,)
    decisions : DatetimeIndex, (K,)
        Month ends that are sessions of ``values``.
    cache_dir : Path, optional
        Where allocations are cached.
    """

    def __init__(
        self,
        values,
        monthly,
        momentum,
        classes,
        decisions: pd.DatetimeIndex,
        cache_dir: Path | None = None,
    ):
        strange = decisions.difference(values.index.intersection(momentum.index))
        if len(strange):
            raise ModelError(
                "a decision is no month end of the data",
                date=f"{strange[0]:%Y-%m-%d}",
                remedy="start later",
            )
        self.values, self.classes, self.decisions = values, classes, decisions
        self.momentum = momentum.loc[decisions]
        self.months = monthly.notna().cumsum().loc[decisions]
        self._covariances: dict = {}
        self._solved: dict = {}
        self._selections: dict = {}
        self._folder = None if cache_dir is None else Path(cache_dir) / "allocation"
        self._basis = ""
        if self._folder is not None:
            code = (sys.modules[__name__], budgeting, estimation, momentum_module)
            self._basis = fingerprint(values, self.months, self.momentum, classes, decisions, *code)

    def allocate(self, scores: pd.DataFrame, rules: AllocationRules) -> Allocation:
        """Return the weights by the rules for class scores (K', C) at some or all decisions.

        Nothing looks past its decision.
        """
        if rules.variant not in VARIANTS:
            raise ModelError(
                f"there is no variant {rules.variant}", remedy=f"use {', '.join(VARIANTS)}"
            )
        unknown = scores.index.difference(self.decisions)
        if len(unknown):
            raise ModelError(
                "there are scores at a date without a decision",
                date=f"{unknown[0]:%Y-%m-%d}",
                remedy="give the date to the allocator, or leave its scores out",
            )
        return self.cached(Allocation, lambda: self._allocate(scores, rules), scores, repr(rules))

    def cached(self, kind: type[Record], make: Callable[[], Record], *key) -> Record:
        """Return what ``make`` makes, from the cache where it has been made of the same data, code
        and ``key``.
        """
        return cached(kind, self._folder, make, (self._basis, *key))

    def _allocate(self, scores: pd.DataFrame, rules: AllocationRules) -> Allocation:
        names = list(self.classes.unique())
        weights, parts, budgets = {}, {}, {}
        volatility = pd.Series(np.nan, scores.index)
        events: list[tuple] = []
        previous = pd.Series(dtype=float)
        for date in scores.index:
            wanted = self._class_budgets(scores.loc[date, names], rules)
            solved, split, told = self._weights(date, wanted, rules)
            events.extend((date, *event) for event in told)
            if solved is not None:
                previous = solved.weights
                parts[date], budgets[date] = solved.contributions, split
                volatility[date] = solved.volatility
            weights[date] = previous
        assets = self.values.columns
        return Allocation(
            weights=_by_date(weights, scores.index, assets),
            contributions=_by_date(parts, scores.index, assets),
            budgets=_by_date(budgets, scores.index, names),
            volatility=volatility,
            events=pd.DataFrame(events, columns=["date", "event", "detail"]),
        )

    def covariance(
        self, date: pd.Timestamp, rules: AllocationRules
    ) -> tuple[Covariance | None, list[tuple[str, str]]]:
        """Return the covariance of the assets that can be held on a date, and why others cannot."""
        key = (date, rules.covariance_weeks, rules.minimum_months, rules.minimum_volatility)
        if key not in self._covariances:
            self._covariances[key] = self._estimate(date, rules)
        return self._covariances[key]

    def _estimate(self, date, rules: AllocationRules):
        row = self.values.index.get_loc(date)
        rows = np.arange(row - STEP * rules.covariance_weeks, row + 1, STEP)
        told: list[tuple[str, str]] = []
        if rows[0] < 0:
            raise ModelError(
                f"{rules.covariance_weeks} weeks of returns do not fit before the decision",
                date=f"{date:%Y-%m-%d}",
                remedy="start the backtest later or shorten covariance_weeks",
            )
        returns = self.values.iloc[rows].pct_change(fill_method=None).iloc[1:]
        gap = returns.isna().any() | self.momentum.loc[date].isna()
        young = self.months.loc[date] < rules.minimum_months
        still = returns.std(ddof=0) * np.sqrt(WEEKS_PER_YEAR) < rules.minimum_volatility
        for reason, flag in (
            ("short_history", young),
            ("gap", gap & ~young),
            ("hardly_moves", still & ~gap & ~young),
        ):
            told.extend((reason, symbol) for symbol in returns.columns[flag])
        usable = returns.columns[~(gap | young | still)]
        if not len(usable):
            return None, told
        covariance = shrunk_covariance(returns[usable])
        if covariance.repaired:
            told.append(("covariance_repaired", ""))
        return covariance, told

    def _class_budgets(
        self, scores: pd.Series, rules: AllocationRules
    ) -> tuple[tuple[str, float], ...]:
        """Return class and relative budget of the classes that may be held, best first."""
        if rules.variant == "momentum":
            return tuple((name, 1.0) for name in scores.index)
        order = scores.dropna().sort_values(ascending=False, kind="stable").index
        if rules.variant == "intersection":
            return tuple((name, 1.0) for name in sorted(order[: rules.top_classes]))
        return tuple(zip(order, rules.rank_budgets, strict=False))

    def _weights(
        self, date, wanted, rules: AllocationRules
    ) -> tuple[RiskBudget | None, pd.Series | None, list]:
        key = (date, wanted, repr(rules))
        if key not in self._solved:
            self._solved[key] = self._solve(date, dict(wanted), rules)
        return self._solved[key]

    def _solve(self, date, wanted: dict[str, float], rules: AllocationRules):
        covariance, told = self.covariance(date, rules)
        matrix = (
            None
            if covariance is None
            else self._selected(date, frozenset(wanted), rules, covariance.matrix)
        )
        if matrix is None:
            return None, None, [*told, ("nothing_selected", ", ".join(wanted))]
        groups = self.classes[matrix.index]
        split = pd.Series({name: wanted[name] for name in groups.unique()})
        split = split / split.sum()
        solved = risk_budget_weights(
            matrix,
            groups.map(split / groups.value_counts()),
            classes=groups,
            asset_cap=rules.asset_cap,
            class_cap=rules.class_cap,
            target_volatility=rules.target_volatility,
        )
        details = {
            "caps_leave_cash": f"{investable_share(groups, rules.asset_cap, rules.class_cap):.6f}"
        }
        return solved, split, [*told, *((name, details.get(name, "")) for name in solved.fallbacks)]

    def _selected(
        self, date, names: frozenset[str], rules: AllocationRules, matrix: pd.DataFrame
    ) -> pd.DataFrame | None:
        """Return the covariance of the stronger half, as far as it is of these classes; None when
        none of it is.
        """
        key = (date, names, repr(rules))
        if key not in self._selections:
            strong = stronger_half(self.momentum.loc[date, matrix.index])
            chosen = strong[self.classes[strong].isin(names)]
            self._selections[key] = matrix.loc[chosen, chosen] if len(chosen) else None
        return self._selections[key]


def _by_date(rows: dict[pd.Timestamp, pd.Series], dates: pd.DatetimeIndex, columns) -> pd.DataFrame:
    """Return a table of the rows, (K, columns); 0 where a row or a value is missing."""
    table = pd.DataFrame(rows).T.reindex(index=dates, columns=columns)
    return table.astype(float).fillna(0.0)
