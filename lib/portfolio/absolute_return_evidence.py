"""Benchmarks, attribution and realised volatility of the absolute-return portfolio."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.portfolio.backtest import Backtest
from lib.portfolio.conventions import SESSIONS_PER_YEAR
from lib.portfolio.sleeves import bond_legs, equal_weights

#: a smaller share of the capital in cash is rounding
SMALLEST_CASH = 1e-6


def benchmark_weights(
    values: pd.DataFrame, funds: pd.DataFrame, decisions: pd.DatetimeIndex, bond_share: float
) -> dict[str, pd.DataFrame]:
    """Return the target weights of the benchmarks: bonds alone, and bonds with everything else in
    equal weights.

    Parameters
    ----------
    values : DataFrame, (T, N')
        Values of the funds by session; NaN where a fund has no price: it is not held.
    funds : DataFrame, indexed by symbol
        ``role``.
    decisions : DatetimeIndex, (K,)
        Sessions of the decisions.
    bond_share : float
        Capital of bonds in the second; the rest goes in equal parts to the broad fund, the dividend
        fund and the commodities.

    Returns
    -------
    dict of DataFrame, (K, N)
        ``bonds`` and ``bonds_and_equal``.
    """
    priced = values.loc[decisions, funds.index].notna().to_numpy()
    roles = funds["role"].to_numpy()
    bonds, _ = bond_legs(roles, priced)
    others = equal_weights(priced & np.isin(roles, ("broad", "dividend", "commodity")))
    mixed = bonds * bond_share + others * (1.0 - bond_share)
    return {
        name: pd.DataFrame(weights, decisions, funds.index)
        for name, weights in (("bonds", bonds), ("bonds_and_equal", mixed))
    }


def attribution(strategy: Backtest, parts: pd.Series) -> pd.DataFrame:
    r"""Split return and risk of a backtest by part.

    With :math:`c_{t,i}` the profit of fund i on session t over the value before and
    :math:`r_t = \sum_i c_{t,i}`,

    .. math:: \text{return}_p = 243\, \overline{c_{t,p}}, \qquad
              \text{risk}_p = \frac{\operatorname{cov}(c_{t,p}, r_t)}{\operatorname{var}(r_t)}

    Parameters
    ----------
    strategy : Backtest
        The portfolio.
    parts : Series, (N,)
        Part of each symbol.

    Returns
    -------
    DataFrame, (P, 3), indexed by part
        ``annual_return`` (arithmetic, the parts add up), ``risk_share`` (adds up to one),
        ``average_weight``. Cash is a part where it was held.
    """
    before = strategy.gross.shift()
    daily = strategy.contributions.div(before, axis=0).iloc[1:].T.groupby(parts).sum().T
    weights = strategy.weights.T.groupby(parts).sum().T
    cash = 1.0 - weights.sum(axis=1)
    if cash.iloc[1:].max() > SMALLEST_CASH:
        daily["cash"] = (strategy.interest / before).iloc[1:]
        weights["cash"] = cash
    total = daily.sum(axis=1)
    return pd.DataFrame(
        {
            "annual_return": daily.mean() * SESSIONS_PER_YEAR,
            "risk_share": daily.apply(lambda column: column.cov(total)) / total.var(),
            "average_weight": weights.mean(),
        }
    )


def realised_volatility(gross: pd.Series, expected: pd.Series) -> pd.DataFrame:
    """Return, by decision, the volatility expected and the one realised until the next decision's
    trade, annualised.

    Parameters
    ----------
    gross : Series, (T,)
        Net asset value.
    expected : Series, (K,)
        By decision.

    Returns
    -------
    DataFrame, (K', 3), indexed by decision
        ``expected``, ``realised``, and ``realised_year``, over the 243 sessions up to the decision.
        The month of a decision begins two sessions after it, when the traded weights earn; fewer
        than ten sessions: NaN.
    """
    returns = gross.pct_change()
    year = returns.rolling(int(SESSIONS_PER_YEAR)).std() * np.sqrt(SESSIONS_PER_YEAR)
    rows = gross.index.get_indexer(expected.index)
    stops = [*rows[1:], len(gross) - 1]
    # a decision is traded one session later, so its weights earn from the second session on
    parts = [returns.iloc[first + 2 : stop + 2] for first, stop in zip(rows, stops, strict=True)]
    realised = [
        part.std() * np.sqrt(SESSIONS_PER_YEAR) if len(part) >= 10 else np.nan for part in parts
    ]
    table = expected.rename("expected").to_frame()
    return table.assign(realised=realised, realised_year=year[expected.index])
