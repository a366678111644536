"""Sleeves: how the capital of one class is split inside it."""

from __future__ import annotations

import pandas as pd

from lib.market.errors import ModelError
from lib.models.trend import trend_budgets
from lib.portfolio.budgets import risk_budget_weights
from lib.portfolio.covariance import shrunk_covariance

#: what was done differently from the rule, and for what: (step, detail)
Steps = list[tuple[str, str]]


def join_views(
    view: pd.DataFrame, earlier: pd.DataFrame, sectors: pd.Series, first: str
) -> pd.DataFrame:
    """Put scores of a second classification of sectors before those of the first.

    Parameters
    ----------
    view : DataFrame, (T, S)
        Scores of the sectors that funds carry, used from ``first`` on where a session has any.
    earlier : DataFrame, (T', S')
        Scores of the other classification, used on all other sessions.
    sectors : Series, indexed by sector of ``view``
        Its counterpart in ``earlier``; empty where there is none.
    first : date

    Returns
    -------
    DataFrame, (T'', S)
        On the sessions of both; NaN where neither has a score. A row depends on no other row.
    """
    dates = view.index.union(earlier.index)
    renamed = {symbol: earlier[other] for symbol, other in sectors.items() if other in earlier}
    counterpart = pd.DataFrame(renamed, index=earlier.index).reindex(
        index=dates, columns=view.columns
    )
    own = view.reindex(dates)
    begun = own.notna().any(axis=1) & (dates >= pd.Timestamp(first))
    return own.where(begun, counterpart)


def equity_slots(
    view: pd.Series, funds: pd.Series, hold_dividend: bool, slots: int = 5, dividend_slots: int = 2
) -> tuple[pd.Series, Steps]:
    r"""Fill equal slots from the sector view and the dividend timing.

    .. math:: w_i = n_i / n, \qquad n_{\text{dividend}} = d \cdot [\text{timing holds}], \qquad
              n_s = 1 \text{ for the } n - n_{\text{dividend}} \text{ sectors of the highest score}

    Published weights show five equal slots of which dividends hold two. Slots that no sector fills
    go to the broad
    fund.

    Parameters
    ----------
    view : Series, (S,)
        Score by sector, NaN or empty where the rotation has no view.
    funds : Series, indexed by symbol
        What each available fund carries: ``broad``, ``dividend`` or the symbol of its sector.
    hold_dividend : bool
    slots, dividend_slots : int

    Returns
    -------
    weights : Series, (N,)
        Positive, summing to one; empty if no fund is available.
    steps : list of tuple
        ``no_view``, ``dividend_missing``, ``slots_empty``.
    """
    steps: Steps = []
    filled = pd.Series(0.0, funds.index)
    free = slots
    if hold_dividend:
        dividend = funds.index[funds == "dividend"]
        if len(dividend):
            filled[dividend] = dividend_slots / len(dividend)
            free -= dividend_slots
        else:
            steps.append(("dividend_missing", ""))
    carriers = pd.Series(funds.index, index=funds.to_numpy())
    ranked = view.dropna().sort_values(ascending=False, kind="stable").index
    chosen = [sector for sector in ranked if sector in carriers.index][:free]
    filled[carriers[chosen]] = 1.0
    if not chosen and free:
        steps.append(("no_view", ""))
    left = free - len(chosen)
    broad = funds.index[funds == "broad"]
    if left and len(broad):
        filled[broad] = left / len(broad)
    elif left:
        steps.append(("slots_empty", str(left)))
    held = filled[filled > 0]
    return held / held.sum() if len(held) else held, steps


def bond_legs(legs: pd.Series) -> tuple[pd.Series, Steps]:
    r"""Give the long and the short leg equal capital, shared equally by the funds of a leg.

    .. math:: w_i = \frac{1}{|\mathcal L|\,|\ell(i)|}

    with :math:`\mathcal L` the legs that exist and :math:`\ell(i)` the funds of the leg of fund i.
    Published weights
    show the two legs equal to the last digit.

    Parameters
    ----------
    legs : Series, (N,)
        ``long`` or ``short`` by available fund.

    Returns
    -------
    weights : Series, (N,)
    steps : list of tuple
        ``leg_missing`` with the name of the leg.
    """
    missing = [name for name in ("long", "short") if not (legs == name).any()]
    counts = legs.map(legs.value_counts()).astype(float)
    steps = [("leg_missing", name) for name in missing] if len(legs) else []
    return 1.0 / (counts * max(legs.nunique(), 1)), steps


def commodity_weights(
    returns: pd.DataFrame, trend: pd.Series, steepness: float, periods: float
) -> tuple[pd.Series, Steps]:
    r"""Split the commodities by risk, the budgets tilted by trend as those of the classes are.

    .. math:: w_i (\Sigma w)_i \propto b_i = \frac{e^{\kappa\,\text{trend}_i}}{\sum_j
    e^{\kappa\,\text{trend}_j}}

    The published weights are neither equal nor in the order of inverse volatility: of two
    commodities of like
    volatility the one with the better trend weighs more.

    Parameters
    ----------
    returns : DataFrame, (W, N)
        Of the covariance window.
    trend : Series, (N,)
    steepness : float
        :math:`\kappa`.
    periods : float
        Returns a year.

    Returns
    -------
    weights : Series, (N,)
    steps : list of tuple
        Of the solver, and ``covariance_repaired``.

    Raises
    ------
    ModelError
        No commodity.
    """
    if not len(trend):
        raise ModelError("there is no commodity to weigh", remedy="leave the class out")
    if len(trend) == 1:
        return pd.Series(1.0, trend.index), []
    covariance = shrunk_covariance(returns[trend.index], periods=periods)
    solved = risk_budget_weights(covariance.matrix, trend_budgets(trend, steepness))
    repaired = [("covariance_repaired", "")] if covariance.repaired else []
    return solved.weights, [*repaired, *((step, "") for step in solved.fallbacks)]
