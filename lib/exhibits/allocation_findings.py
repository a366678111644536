"""Findings on the global allocation: the values that its notes and captions quote."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from lib.portfolio.allocation import Allocation, AllocationRules
from lib.portfolio.backtest import Backtest

Finding = Mapping[str, object]


def event_findings(allocation: Allocation) -> dict[str, Finding]:
    """Return, by event, in how many ``months`` of ``total`` it happened; for ``caps_leave_cash``
    ``cash`` too, the largest share of the capital that the caps left.
    """
    events = allocation.events
    months = events.groupby("event")["date"].nunique()
    room = events.loc[events["event"] == "caps_leave_cash", "detail"].astype(float).min()
    total = len(allocation.weights)
    return {
        str(event): {"months": int(count), "total": total, "cash": 1.0 - room}
        for event, count in months.items()
    }


def largest_weights(allocation: Allocation, classes: pd.Series, rules: AllocationRules) -> Finding:
    """Return the largest weights of an ``asset`` and of a class (``group``) at any decision, with
    the caps on them.

    Parameters
    ----------
    allocation : Allocation
        With weights (K, N).
    classes : Series, (N,)
        Class of each asset.
    rules : AllocationRules
        With the caps.
    """
    by_class = allocation.weights.T.groupby(classes).sum().T
    return {
        "asset": allocation.weights.max(axis=None),
        "group": by_class.max(axis=None),
        "asset_cap": rules.asset_cap,
        "class_cap": rules.class_cap,
    }


def cash_finding(
    strategy: Backtest, cash_rate: pd.Series | None, series: str, until: pd.Timestamp
) -> dict[str, Finding]:
    """Return what idle cash earned, by the key of its note.

    Parameters
    ----------
    strategy : Backtest
        With weights from the first decision on.
    cash_rate : Series, (D,), or None
        Short rate, a fraction per year.
    series : str
        Symbol of the rate.
    until : date
        Last session.
    """
    invested = strategy.weights.iloc[1:].loc[:until].sum(axis=1)
    share = 1.0 - invested.mean()
    if cash_rate is None:
        return {"cash_without_rate": {"share": share}}
    rate = cash_rate.reindex(invested.index, method="ffill").mean()
    return {"cash_with_rate": {"share": share, "rate": rate, "series": series}}


def placebo_finding(measures: pd.DataFrame, scores: pd.DataFrame) -> Finding:
    """Return how the strategy compares with its own class scores shifted in time.

    Parameters
    ----------
    measures : DataFrame, indexed by portfolio
        ``sharpe`` and ``sharpe_error`` of ``strategy`` and of ``shifted_<months>``.
    scores : DataFrame, (K, C)
        The class scores that were shifted.
    """
    shifted = measures[measures.index.str.startswith("shifted")]
    sharpe, error = measures.loc["strategy", ["sharpe", "sharpe_error"]]
    beaten = int((shifted["sharpe"] < sharpe).sum())
    months = [int(name.removeprefix("shifted_")) for name in shifted.index]
    return {
        "beaten": beaten,
        "draws": len(shifted),
        "percentile": round(100 * beaten / len(shifted)),
        "lag": min(months),
        "lead": len(scores.dropna()) - max(months),
        "error": error,
        "spread": shifted["sharpe"].std(),
    }
