"""Absolute-return portfolio: what is held in each class and how much, decided at month ends.

A decision takes four steps, each for all decisions at once: which funds can be held
(``funds_at_decisions``), how each class splits its capital (``class_sleeves``), how strong each
class trends (``class_trend``), and how much capital each class gets (``class_weights``).
Axes: K decisions, N funds, C classes, T sessions, W sessions of the covariance window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from lib.market.errors import ModelError
from lib.models.trend import trend_budgets, trend_strength
from lib.portfolio.budgets import BudgetSolutions
from lib.portfolio.covariance import SMALLEST_DEVIATION
from lib.portfolio.sleeves import Events, bond_legs, budget_risk, commodity_weights, equity_slots

CLASSES = ("equity", "bond", "commodity")


@dataclass(frozen=True)
class AbsoluteReturnRules:
    """How trends become weights; ``lib.exhibits.parameters`` has the bounds and the reasons.

    Attributes
    ----------
    trend_windows : tuple of int
        Sessions.
    steepness : float
        How strongly a trend tilts a risk budget.
    covariance_window : int
        Daily returns in each covariance.
    target_volatility : float
        Annualised.
    volatility_rule : {"cap", "ray"}
        The target is a cap only, or reached from below too by moving capital from bonds to the
        other classes along the ray of their risk-budget weights.
    slots, dividend_slots : int
        Of the equity class.
    """

    trend_windows: tuple[int, ...]
    steepness: float
    covariance_window: int
    target_volatility: float
    volatility_rule: Literal["cap", "ray"]
    slots: int
    dividend_slots: int


@dataclass(frozen=True)
class AbsoluteReturnPortfolio:
    """Target weights at each decision and what they rest on.

    Attributes
    ----------
    weights : DataFrame, (K, N)
        Of the capital; the remainder to one is cash.
    requested : DataFrame of bool, (K, N)
        Whether the rules could hold a fund, given its history.
    classes, budgets, contributions, trend : DataFrame, (K, C)
        Capital, risk budget, expected share of the variance and trend of each class. A class
        without a fund has no budget and no capital, and its trend is NaN.
    volatility : Series, (K,)
        Expected by the covariance, annualised.
    events : DataFrame
        ``date``, ``event``, ``detail``: every fallback and exclusion.
    """

    weights: pd.DataFrame
    requested: pd.DataFrame
    classes: pd.DataFrame
    budgets: pd.DataFrame
    contributions: pd.DataFrame
    trend: pd.DataFrame
    volatility: pd.Series
    events: pd.DataFrame


@dataclass(frozen=True)
class FundsAtDecisions:
    """What the decisions know of the funds.

    Attributes
    ----------
    decisions : DatetimeIndex, (K,)
    symbols : Index, (N,)
    available : array of bool, (K, N)
        Whether a fund trades and has the history that a decision needs.
    requested : array of bool, (K, N)
        Whether the rules could hold a fund, given its history.
    scores : array, (K, N)
        Score of the sector that a fund carries; NaN for other funds and without a view.
    trend : array, (K, N)
    returns : array, (K, N, W)
        Daily returns of the covariance window; zero where a fund is not available.
    hold_dividend : array of bool, (K,)
    events : list of tuple
        ``unlisted``, ``suspended`` and ``young`` funds among the requested ones.
    """

    decisions: pd.DatetimeIndex
    symbols: pd.Index
    available: np.ndarray
    requested: np.ndarray
    scores: np.ndarray
    trend: np.ndarray
    returns: np.ndarray
    hold_dividend: np.ndarray
    events: Events


def absolute_return_portfolio(
    values: pd.DataFrame,
    funds: pd.DataFrame,
    view: pd.DataFrame,
    hold_dividend: pd.Series,
    decisions: pd.DatetimeIndex,
    rules: AbsoluteReturnRules,
) -> AbsoluteReturnPortfolio:
    """Return the weights decided at some sessions' closes; nothing looks past its decision.

    Parameters
    ----------
    values : DataFrame, (T, N')
        Values of the funds on sessions, from ``splice_proxies``; NaN where one did not trade or was
        not listed and has no proxy. More columns do no harm.
    funds : DataFrame, indexed by symbol
        ``group``, ``role`` and ``tracks`` as the universe ``absolute_return`` explains them.
    view : DataFrame, (T', S)
        Scores of the sectors on sessions; a decision without a row has no view.
    hold_dividend : Series of bool, (T,)
        Whether the timing holds dividends.
    decisions : DatetimeIndex, (K,)
        Sessions of ``values``.
    rules : AbsoluteReturnRules
        Windows, slots, budgets and target.

    Raises
    ------
    ModelError
        A decision that is not a session, or one at which no class has a fund with enough history.
    """
    invalid = decisions.difference(values.index)
    if len(invalid) or not len(decisions):
        date = f"{invalid[0]:%Y-%m-%d}" if len(invalid) else None
        raise ModelError(
            "the decisions are not sessions of the data", date=date, remedy="start later"
        )
    values = values[funds.index]
    candidates = funds_at_decisions(values, funds, view, hold_dividend, decisions, rules)
    inside, sleeve_events = class_sleeves(candidates, funds, rules)
    held = np.asarray(inside.any(axis=2))
    if not held.any(axis=1).all():
        raise ModelError(
            "no class has a fund with enough history",
            date=f"{decisions[~held.any(axis=1)][0]:%Y-%m-%d}",
            remedy="start later or name proxies",
        )
    trend = np.where(held, class_trend(candidates, funds), np.nan)
    shares, solutions, class_events = class_weights(candidates, inside, trend, rules)
    events = sorted([*candidates.events, *sleeve_events, *class_events], key=lambda event: event[0])
    table = pd.DataFrame(events, columns=["date", "event", "detail"])
    table["date"] = decisions[table["date"].to_numpy(dtype=int)]

    def by_class(array: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(array, decisions, list(CLASSES))

    weights = (inside * solutions.weights[:, :, None]).sum(axis=1)
    return AbsoluteReturnPortfolio(
        weights=pd.DataFrame(weights, decisions, funds.index),
        requested=pd.DataFrame(candidates.requested, decisions, funds.index),
        classes=by_class(solutions.weights),
        budgets=by_class(shares),
        contributions=by_class(solutions.contributions),
        trend=by_class(trend),
        volatility=pd.Series(solutions.volatility, decisions),
        events=table,
    )


def funds_at_decisions(
    values: pd.DataFrame,
    funds: pd.DataFrame,
    view: pd.DataFrame,
    hold_dividend: pd.Series,
    decisions: pd.DatetimeIndex,
    rules: AbsoluteReturnRules,
) -> FundsAtDecisions:
    """Return what each decision knows of the funds: history, trend, sector score, and why a fund
    cannot be held.

    A fund is available where it trades, has more closes of its own or of its proxy than the
    covariance window, and has a trend; a sector fund is judged by the rotation and needs none.

    Parameters
    ----------
    values : DataFrame, (T, N)
        Values of the funds by session.
    funds : DataFrame, (N, ...)
        Of the columns of ``values``, in their order.
    view, hold_dividend, decisions, rules
        As for ``absolute_return_portfolio``.
    """
    rows = values.index.get_indexer(decisions)
    window = rules.covariance_window
    sector = funds["role"].to_numpy() == "sector"
    trades = values.notna().to_numpy()
    # a fund is valued at its last close on days it did not trade
    last_values = values.ffill()
    listed = last_values.notna().to_numpy()[rows]
    suspended = listed & ~trades[rows]
    trend = trend_strength(values, rules.trend_windows).to_numpy()[rows]
    aged = trades.cumsum(axis=0)[rows] > window
    available = listed & ~suspended & aged & (np.isfinite(trend) | sector)
    scores = view.reindex(index=decisions, columns=funds["tracks"].where(sector)).to_numpy(float)
    hold = hold_dividend.reindex(decisions, fill_value=False).to_numpy(bool)
    requested = _requested(funds["role"].to_numpy(), scores, available, hold, rules)
    reasons = {
        "unlisted": ~listed,
        "suspended": suspended,
        "young": listed & ~suspended & ~available,
    }
    events = [
        (int(row), reason, funds.index[fund])
        for reason, excluded in reasons.items()
        for row, fund in np.argwhere(requested & excluded)
    ]
    daily = last_values.pct_change(fill_method=None).to_numpy()
    padded = np.vstack([np.full((window, len(funds)), np.nan), daily])
    returns = np.lib.stride_tricks.sliding_window_view(padded, window, axis=0)[rows + 1]
    returns = np.where(available[:, :, None], returns, 0.0)
    return FundsAtDecisions(
        decisions, funds.index, available, requested, scores, trend, returns, hold, events
    )


def _requested(
    roles: np.ndarray,
    scores: np.ndarray,
    available: np.ndarray,
    hold_dividend: np.ndarray,
    rules: AbsoluteReturnRules,
) -> np.ndarray:
    """Return whether the rules could hold each fund, given its history, (K, N).

    A sector fund needs a score of its sector, the dividend fund a positive timing, the broad fund a
    slot that no available sector fund fills; bonds and commodities are always requested.
    """
    scored = np.isfinite(scores)
    free = rules.slots - rules.dividend_slots * hold_dividend
    slot_left = (scored & available).sum(axis=1) < free
    requested = scored | ~np.isin(roles, ("sector", "dividend", "broad"))
    requested |= (roles == "dividend") & hold_dividend[:, None]
    return requested | (roles == "broad") & slot_left[:, None]


def class_sleeves(
    candidates: FundsAtDecisions, funds: pd.DataFrame, rules: AbsoluteReturnRules
) -> tuple[np.ndarray, Events]:
    """Return how each class splits its capital between its funds.

    Parameters
    ----------
    candidates : FundsAtDecisions
        What each decision knows of the funds.
    funds : DataFrame, (N, ...)
        ``group`` and ``role``.
    rules : AbsoluteReturnRules
        Windows, slots, budgets and target.

    Returns
    -------
    weights : array, (K, C, N)
        Each class sums to one, or to zero where it has no fund to hold.
    events : list of tuple
        Those of the sleeves, and ``class_empty``.
    """
    groups, roles = funds["group"].to_numpy(), funds["role"].to_numpy()
    equity, bond, commodity = (candidates.available & (groups == name) for name in CLASSES)
    several = commodity & (commodity.sum(axis=1, keepdims=True) > 1)
    _check_moves(candidates.returns, several, candidates.decisions, candidates.symbols)
    by_class = {
        "equity": equity_slots(
            candidates.scores,
            roles,
            equity,
            candidates.hold_dividend,
            rules.slots,
            rules.dividend_slots,
        ),
        "bond": bond_legs(roles, bond),
        "commodity": commodity_weights(
            candidates.returns, candidates.trend, commodity, rules.steepness
        ),
    }
    events: Events = []
    for name, (weights, sleeve_events) in by_class.items():
        held = np.asarray(weights.any(axis=1))
        events += [event for event in sleeve_events if held[event[0]]]
        events += [(int(row), "class_empty", name) for row in np.flatnonzero(~held)]
    return np.stack([weights for weights, _ in by_class.values()], axis=1), events


def class_trend(candidates: FundsAtDecisions, funds: pd.DataFrame) -> np.ndarray:
    """Return the mean trend of each class's available funds other than sector funds, (K, C); NaN
    where none has a trend.
    """
    core = funds["group"].where(funds["role"] != "sector").to_numpy()
    member = core[:, None] == np.array(CLASSES)
    counted = candidates.available & np.isfinite(candidates.trend)
    total = np.where(counted, candidates.trend, 0.0) @ member
    count = counted.astype(float) @ member
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def class_weights(
    candidates: FundsAtDecisions, inside: np.ndarray, trend: np.ndarray, rules: AbsoluteReturnRules
) -> tuple[np.ndarray, BudgetSolutions, Events]:
    """Return the capital of the classes: risk budgets by trend, then the volatility target.

    Parameters
    ----------
    candidates : FundsAtDecisions
        What each decision knows of the funds.
    inside : array, (K, C, N)
        Weights of the funds in their class; all zero for a class without a fund.
    trend : array, (K, C)
        NaN counts as zero in a class that holds funds: it is neither rising nor falling.
    rules : AbsoluteReturnRules
        Windows, slots, budgets and target.

    Returns
    -------
    budgets : array, (K, C)
        Shares of the risk, zero for a class without a fund.
    solutions : BudgetSolutions, (K, C)
    events : list of tuple
        ``no_trend``, and those of ``budget_risk``.
    """
    held = np.asarray(inside.any(axis=2))
    events: Events = [
        (int(row), "no_trend", CLASSES[column])
        for row, column in np.argwhere(held & np.isnan(trend))
    ]
    shares = trend_budgets(np.where(held, np.nan_to_num(trend), np.nan), rules.steepness)
    # what today's sleeves would have done over the window
    past = inside @ candidates.returns
    _check_moves(past, held, candidates.decisions, pd.Index(CLASSES))
    solutions, fallbacks = budget_risk(
        past,
        held,
        shares,
        target_volatility=rules.target_volatility,
        funding=CLASSES.index("bond") if rules.volatility_rule == "ray" else None,
    )
    return shares, solutions, events + fallbacks


def _check_moves(
    returns: np.ndarray, held: np.ndarray, decisions: pd.DatetimeIndex, names: pd.Index
) -> None:
    """Raise ModelError where something that shares the risk does not move over its window."""
    still = held & ~(returns.std(axis=2) > SMALLEST_DEVIATION)
    if still.any():
        row, column = np.argwhere(still)[0]
        raise ModelError(
            "a fund or class that shares the risk does not move",
            symbol=names[column],
            date=f"{decisions[row]:%Y-%m-%d}",
            remedy="leave it out: it has no risk to budget",
        )
