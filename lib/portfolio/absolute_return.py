"""Absolute-return portfolio: what is held in each class and how much, decided at month ends."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Literal

import pandas as pd

from lib.market.errors import ModelError
from lib.models import trend as trending
from lib.models.cache import cached
from lib.models.trend import trend_budgets, trend_strength
from lib.portfolio import budgets as budgeting
from lib.portfolio import covariance as estimation
from lib.portfolio import sleeves as splitting
from lib.portfolio import volatility as control
from lib.portfolio.budgets import RiskBudget, risk_budget_weights
from lib.portfolio.conventions import SESSIONS_PER_YEAR
from lib.portfolio.covariance import shrunk_covariance
from lib.portfolio.sleeves import bond_legs, commodity_weights, equity_slots
from lib.portfolio.volatility import ControlledWeights, raise_along_ray

CLASSES = ("equity", "bond", "commodity")


@dataclass(frozen=True)
class AbsoluteReturnRules:
    """How trends become weights.

    Attributes
    ----------
    trend_windows : sequence of int
        Sessions.
    steepness : float
        How strongly a trend tilts a risk budget.
    covariance_window : int
        Daily returns in each covariance.
    target_volatility : float
        Annualised.
    volatility_rule : {"cap", "ray"}
        The target is a cap only, or reached from below too by moving capital from bonds to the
        other classes along the
        ray of their risk-budget weights.
    slots, dividend_slots : int
        Of the equity class.
    """

    trend_windows: Sequence[int] = (20, 60, 120, 250)
    steepness: float = 1.0
    covariance_window: int = 120
    target_volatility: float = 0.0384
    volatility_rule: Literal["cap", "ray"] = "cap"
    slots: int = 5
    dividend_slots: int = 2


@dataclass(frozen=True)
class AbsoluteReturnPortfolio:
    """Target weights at each decision and what they rest on.

    Attributes
    ----------
    weights : DataFrame, (K, N)
        Of the capital; the remainder to one is cash.
    classes, budgets, contributions, trend : DataFrame, (K, 3)
        Capital, risk budget, expected share of the variance and trend of each class.
    volatility : Series, (K,)
        Expected by the covariance, annualised.
    steps : DataFrame
        ``date``, ``step``, ``detail``: every fallback and exclusion.
    """

    weights: pd.DataFrame
    classes: pd.DataFrame
    budgets: pd.DataFrame
    contributions: pd.DataFrame
    trend: pd.DataFrame
    volatility: pd.Series
    steps: pd.DataFrame


def absolute_return_portfolio(
    values: pd.DataFrame,
    funds: pd.DataFrame,
    view: pd.DataFrame,
    hold_dividend: pd.Series,
    decisions: pd.DatetimeIndex,
    rules: AbsoluteReturnRules,
    cache_dir: Path | None = None,
) -> AbsoluteReturnPortfolio:
    """Return the weights decided at some sessions' closes; nothing looks past its decision.

    Parameters
    ----------
    values : DataFrame, (T, N')
        Values of the funds on sessions, from ``splice_proxies``; NaN where one did not trade or was
        not listed and has
        no proxy. More columns do no harm.
    funds : DataFrame, indexed by symbol
        ``group``, ``role`` and ``tracks`` as the universe ``absolute_return`` explains them.
    view : DataFrame, (T', S)
        Scores of the sectors on sessions; a decision without a row has no view.
    hold_dividend : Series of bool, (T,)
    decisions : DatetimeIndex, (K,)
        Sessions of ``values``.
    rules : AbsoluteReturnRules
    cache_dir : Path, optional
        Where portfolios are cached.

    Raises
    ------
    ModelError
        A decision that is no session, or one at which no class has a fund with enough history.
    """
    strange = decisions.difference(values.index)
    if len(strange) or not len(decisions):
        date = f"{strange[0]:%Y-%m-%d}" if len(strange) else None
        raise ModelError(
            "the decisions are no sessions of the data", date=date, remedy="start later"
        )
    values = values[funds.index]
    code = (sys.modules[__name__], budgeting, estimation, splitting, control, trending)
    folder = None if cache_dir is None else Path(cache_dir) / "absolute"
    inputs = (values, funds, view, hold_dividend, decisions)
    make = partial(_decide, *inputs, rules)
    return cached(AbsoluteReturnPortfolio, folder, make, (*inputs, repr(rules)), code)


def _decide(
    values, funds, view, hold_dividend, decisions, rules: AbsoluteReturnRules
) -> AbsoluteReturnPortfolio:
    trends = trend_strength(values, rules.trend_windows)
    # a fund is valued at its last close on days it did not trade
    held = values.ffill()
    returns = held.pct_change(fill_method=None)
    suspended, young = _flags(values, held, trends, funds, rules)
    usable = held.notna() & ~suspended & ~young
    made: dict[str, dict] = {
        part.name: {} for part in fields(AbsoluteReturnPortfolio) if part.name != "steps"
    }
    steps = []
    for date in decisions:
        scores = view.loc[date].dropna() if date in view.index else pd.Series(dtype=float)
        # nobody asks for a sector fund without a view
        asked = funds.index if len(scores) else funds.index[funds["role"] != "sector"]
        told = [("unlisted", symbol) for symbol in asked[held.loc[date, asked].isna()]]
        told += [("suspended", symbol) for symbol in asked[suspended.loc[date, asked]]]
        told += [("young", symbol) for symbol in asked[young.loc[date, asked]]]
        row = values.index.get_loc(date)
        window = returns.iloc[max(row + 1 - rules.covariance_window, 1) : row + 1]
        chosen = funds[usable.loc[date]]
        parts, more = _decision(
            window, trends.loc[date], chosen, scores, bool(hold_dividend.get(date, False)), rules
        )
        for name, part in parts.items():
            made[name][date] = part
        steps += [(date, *step) for step in (*told, *more)]
    volatility = pd.Series(made.pop("volatility"))
    frames = {name: pd.DataFrame.from_dict(rows, orient="index") for name, rows in made.items()}
    for name, frame in frames.items():
        frame = frame.reindex(columns=values.columns if name == "weights" else list(CLASSES))
        # a class without a fund has no budget and no capital; its trend is not known
        frames[name] = frame if name == "trend" else frame.fillna(0.0)
    return AbsoluteReturnPortfolio(
        volatility=volatility,
        steps=pd.DataFrame(steps, columns=["date", "step", "detail"]),
        **frames,
    )


def _flags(
    values, held, trends, funds: pd.DataFrame, rules: AbsoluteReturnRules
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return where a fund does not trade, and where it has too little history, (T, N) each."""
    suspended = held.notna() & values.isna()
    aged = values.notna().cumsum() > rules.covariance_window
    # a sector fund is judged by the rotation, every other one needs a trend
    judged = trends.notna() | (funds["role"] == "sector")
    return suspended, held.notna() & ~suspended & ~(aged & judged)


def _decision(
    returns,
    trend,
    usable: pd.DataFrame,
    scores: pd.Series,
    hold_dividend: bool,
    rules: AbsoluteReturnRules,
):
    members = {name: usable[usable["group"] == name] for name in CLASSES}
    sleeves: dict[str, pd.Series] = {}
    told: list[tuple[str, str]] = []
    for name, part in members.items():
        more: list[tuple[str, str]] = []
        inside = pd.Series(dtype=float)
        if name == "equity" and len(part):
            carried = part["role"].where(part["role"] != "sector", part["tracks"])
            inside, more = equity_slots(
                scores, carried, hold_dividend, rules.slots, rules.dividend_slots
            )
        elif name == "bond" and len(part):
            inside, more = bond_legs(part["role"])
        elif len(part):
            inside, more = commodity_weights(
                returns, trend[part.index], rules.steepness, SESSIONS_PER_YEAR
            )
        if len(inside):
            sleeves[name] = inside
        told += more if len(inside) else [("class_empty", name)]
    if not sleeves:
        raise ModelError(
            "no class has a fund with enough history",
            date=f"{trend.name:%Y-%m-%d}",
            remedy="start later or name proxies",
        )
    # what today's sleeve would have done over the window
    past = pd.DataFrame({name: returns[inside.index] @ inside for name, inside in sleeves.items()})
    return _classes(past, sleeves, usable, trend, rules, told)


def _classes(past, sleeves, usable, trend, rules: AbsoluteReturnRules, told: list):
    core = usable.index[usable["role"] != "sector"]
    strength = trend[core].groupby(usable.loc[core, "group"]).mean().reindex(past.columns)
    # without a fund that has a trend a class is neither rising nor falling
    told = [*told, *(("no_trend", name) for name in strength.index[strength.isna()])]
    budgets = trend_budgets(strength.fillna(0.0), rules.steepness)
    covariance = shrunk_covariance(past, periods=SESSIONS_PER_YEAR)
    solved = risk_budget_weights(
        covariance.matrix, budgets, target_volatility=rules.target_volatility
    )
    final: RiskBudget | ControlledWeights = solved
    if rules.volatility_rule == "ray":
        final = raise_along_ray(solved, covariance.matrix, rules.target_volatility)
    made = {
        "weights": pd.concat([inside * final.weights[name] for name, inside in sleeves.items()]),
        "classes": final.weights,
        "budgets": budgets,
        "contributions": final.contributions,
        "trend": strength,
        "volatility": final.volatility,
    }
    return made, [*told, *((step, "") for step in final.fallbacks)]
