"""Global allocation: which assets are held at each month end, and with which weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from lib.market.errors import ModelError
from lib.models.momentum import stronger_half
from lib.portfolio.budgets import investable_share, solve_risk_budgets
from lib.portfolio.conventions import WEEKS_PER_YEAR
from lib.portfolio.covariance import shrunk_covariances

#: sessions between the returns of the covariance: a week, so that Asian and American closes of one
#: day overlap
SESSIONS_PER_RETURN = 5
VARIANTS = ("intersection", "cycle_budget", "momentum")
Variant = Literal["intersection", "cycle_budget", "momentum"]
#: classes held by ``intersection``
TOP_CLASSES = 2
#: relative budgets of the classes by rank of the cycle score, best first, for ``cycle_budget``
RANK_BUDGETS = (4.0, 3.0, 2.0, 1.0)
#: months of history before an asset can be held
MINIMUM_MONTHS = 60
#: an asset that moves less, annualised, is left out: inverse risk would give it everything
MINIMUM_VOLATILITY = 0.01

#: a fallback or exclusion: index of the decision, name, detail
Event = tuple[int, str, str]


@dataclass(frozen=True)
class AllocationRules:
    """How scores become weights.

    Attributes
    ----------
    variant : str
        ``cycle_budget``: all assets of the stronger half by momentum, class budgets falling with
        the rank of the cycle score; the only one that can hold small weights in every class, as the
        published weights do. ``intersection``: the best classes by cycle score, of them the assets
        in the stronger half, equal class budgets. ``momentum``: all assets of the stronger half,
        equal class budgets; no cycle.
    asset_cap, class_cap, target_volatility
        As in ``risk_budget_weights``.
    covariance_weeks : int
        Weekly returns in each covariance.
    """

    variant: Variant
    asset_cap: float
    class_cap: float
    target_volatility: float | None
    covariance_weeks: int


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
        the largest sum of weights that the caps allow to the assets selected.
    """

    weights: pd.DataFrame
    contributions: pd.DataFrame
    budgets: pd.DataFrame
    volatility: pd.Series
    events: pd.DataFrame


@dataclass(frozen=True)
class Estimates:
    """What is known about risk at each decision.

    Attributes
    ----------
    usable : bool array, (K, N)
        Assets that can be held.
    covariances : array, (K, N, N)
        Annualised; NaN where an asset is not usable.
    events : list of Event
        Why assets are not usable, and where a covariance was repaired.
    """

    usable: np.ndarray
    covariances: np.ndarray
    events: list[Event]


class Allocator:
    """Weights at month ends. Estimates of risk are kept, since placebos and settings share them.

    Parameters
    ----------
    values : DataFrame, (T, N)
        Total return indices of the assets on sessions, carried over closed days.
    monthly : DataFrame, (L, N)
        Month-end values, as far back as they go.
    momentum : DataFrame, (L, N)
        Momentum at month ends.
    classes : Series, (N,)
    decisions : DatetimeIndex, (K,)
        Month ends that are sessions of ``values``.

    Raises
    ------
    ModelError
        A decision without a row in ``values`` or ``momentum``.
    """

    def __init__(self, values, monthly, momentum, classes, decisions: pd.DatetimeIndex):
        invalid = decisions.difference(values.index.intersection(momentum.index))
        if len(invalid):
            raise ModelError(
                "a decision is not a month end of the data",
                date=f"{invalid[0]:%Y-%m-%d}",
                remedy="start later",
            )
        self.values, self.classes, self.decisions = values, classes, decisions
        self.momentum = momentum.loc[decisions]
        self.months = monthly.notna().cumsum().loc[decisions]
        self._estimates: dict[int, Estimates] = {}

    def allocate(self, scores: pd.DataFrame, rules: AllocationRules) -> Allocation:
        """Return the weights by the rules; nothing looks past its decision.

        Parameters
        ----------
        scores : DataFrame, (K', C)
            Class scores at some or all decisions; a class with NaN is not held, except by
            ``momentum``.
        rules : AllocationRules
            Variant, caps and targets.

        Returns
        -------
        Allocation
            A decision at which nothing is selected keeps the weights of the one before.

        Raises
        ------
        ModelError
            An unknown variant, or scores at a date without a decision.
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
        names = self.classes.unique()
        groups = pd.Index(names).get_indexer(self.classes)
        rows = self.decisions.get_indexer(scores.index)
        estimates = self.estimates(rules.covariance_weeks)
        wanted = class_budgets(scores[names], rules.variant)
        strong = stronger_half(self.momentum.where(estimates.usable)).to_numpy()[rows]
        selected = strong & (wanted[:, groups] > 0)
        count = selected @ np.eye(len(names))[groups]
        budgets = normalised_rows(np.where(count > 0, wanted, 0.0))
        shares = np.divide(budgets, count, out=np.zeros(count.shape), where=count > 0)[:, groups]
        solution = solve_risk_budgets(
            estimates.covariances[rows],
            np.where(selected, shares, 0.0),
            groups,
            asset_cap=rules.asset_cap,
            class_cap=rules.class_cap,
            target_volatility=rules.target_volatility,
        )
        held = pd.Series(selected.any(axis=1), scores.index)
        room = investable_share(count, rules.asset_cap, rules.class_cap)
        assets = self.values.columns
        weights = pd.DataFrame(solution.weights, scores.index, assets)
        return Allocation(
            weights=weights[held].reindex(scores.index, method="ffill").fillna(0.0),
            contributions=pd.DataFrame(solution.contributions, scores.index, assets),
            budgets=pd.DataFrame(budgets, scores.index, names),
            volatility=pd.Series(solution.volatility, scores.index).where(held),
            events=self._event_table(rows, estimates.events, held, solution.fallbacks, room),
        )

    def estimates(self, covariance_weeks: int) -> Estimates:
        """Return usable assets and their covariances at all decisions, from weekly returns.

        Raises
        ------
        ModelError
            A window that starts before the first session.
        """
        if covariance_weeks not in self._estimates:
            self._estimates[covariance_weeks] = self._estimate(covariance_weeks)
        return self._estimates[covariance_weeks]

    def _estimate(self, weeks: int) -> Estimates:
        """Return the estimates from windows of this many weekly returns."""
        ends = self.values.index.get_indexer(self.decisions)
        rows = ends[:, None] + np.arange(-SESSIONS_PER_RETURN * weeks, 1, SESSIONS_PER_RETURN)
        if (rows < 0).any():
            raise ModelError(
                f"{weeks} weeks of returns do not fit before the decision",
                date=f"{self.decisions[rows[:, 0] < 0][0]:%Y-%m-%d}",
                remedy="start the backtest later or shorten covariance_weeks",
            )
        windows = self.values.to_numpy()[rows]
        returns = windows[:, 1:] / windows[:, :-1] - 1.0
        young = self.months.to_numpy() < MINIMUM_MONTHS
        gap = (np.isnan(returns).any(axis=1) | self.momentum.isna().to_numpy()) & ~young
        still = returns.std(axis=1) * np.sqrt(WEEKS_PER_YEAR) < MINIMUM_VOLATILITY
        excluded = {"short_history": young, "gap": gap, "hardly_moves": still & ~gap & ~young}
        usable = ~(young | gap | still)
        covariances, repaired = shrunk_covariances(returns, usable, WEEKS_PER_YEAR)
        events = [
            (int(row), reason, str(self.values.columns[column]))
            for reason, flags in excluded.items()
            for row, column in np.argwhere(flags)
        ]
        events += [(int(row), "covariance_repaired", "") for row in np.flatnonzero(repaired)]
        return Estimates(usable, covariances, events)

    def _event_table(self, rows, exclusions, held, fallbacks, room) -> pd.DataFrame:
        """Return the events of the decisions ``rows`` in order of date; ``held``, ``fallbacks`` and
        ``room`` have one value for each of them.
        """
        asked = set(rows.tolist())
        events = [event for event in exclusions if event[0] in asked]
        for row, any_held, names, share in zip(rows, held, fallbacks, room, strict=True):
            names = names if any_held else ("nothing_selected",)
            details = {"caps_leave_cash": f"{share:.6f}"}
            events += [(int(row), name, details.get(name, "")) for name in names]
        events.sort(key=lambda event: event[0])
        table = pd.DataFrame(events, columns=["date", "event", "detail"])
        return table.assign(date=self.decisions[table["date"].to_numpy(dtype=int)])


def class_budgets(scores: pd.DataFrame, variant: Variant) -> np.ndarray:
    """Return relative budgets of the classes that may be held, (K, C); 0 for others.

    Parameters
    ----------
    scores : DataFrame, (K, C)
        Of two equal scores the first column ranks higher; NaN ranks nowhere.
    variant : str
        As in ``AllocationRules``.
    """
    if variant == "momentum":
        return np.ones(scores.shape)
    by_rank = (1.0,) * TOP_CLASSES if variant == "intersection" else RANK_BUDGETS
    ranks = scores.rank(axis=1, ascending=False, method="first").to_numpy()
    budgets = np.zeros(scores.shape)
    for rank, budget in enumerate(by_rank, start=1):
        budgets[ranks == rank] = budget
    return budgets


def normalised_rows(budgets: np.ndarray) -> np.ndarray:
    """Return rows divided by their sum; a row of zeros stays."""
    total = budgets.sum(axis=1, keepdims=True)
    return np.divide(budgets, total, out=np.zeros(budgets.shape), where=total > 0)
