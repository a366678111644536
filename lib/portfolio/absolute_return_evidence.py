"""What the absolute-return portfolio is measured against, and where its return and risk come
from.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.portfolio.backtest import Backtest
from lib.portfolio.conventions import SESSIONS_PER_YEAR

#: a smaller share of the capital in cash is rounding
SMALLEST_CASH = 1e-6


def benchmark_weights(
    values: pd.DataFrame, funds: pd.DataFrame, decisions: pd.DatetimeIndex, bond_share: float
) -> dict[str, pd.DataFrame]:
    """Return target weights (K, N) of bonds alone and of bonds with everything else in equal
    weights.

    Parameters
    ----------
    values : DataFrame, (T, N)
        Values of the funds by session.
    funds : DataFrame
        ``group`` and ``role``.
    decisions : DatetimeIndex, (K,)
        Sessions of the decisions.
    bond_share : float
        Capital of bonds in the second; the rest goes in equal parts to the broad fund, the dividend
        fund and the
        commodities that have a price.
    """
    priced = values.loc[decisions, funds.index].notna()
    legs = [_shared(priced & (funds["role"] == leg)) for leg in ("long", "short")]
    # a leg without a price leaves its half to the other
    bonds = sum(legs).div(sum(leg.any(axis=1) for leg in legs), axis=0).fillna(0.0)
    rest = _shared(priced & funds["role"].isin(["broad", "dividend", "commodity"]))
    return {"bonds": bonds, "bonds_and_equal": bonds * bond_share + rest * (1.0 - bond_share)}


def _shared(held: pd.DataFrame) -> pd.DataFrame:
    return held.astype(float).div(held.sum(axis=1), axis=0).fillna(0.0)


def attribution(strategy: Backtest, parts: pd.Series) -> pd.DataFrame:
    r"""Split return and risk of a backtest by part.

    With :math:`c_{t,i}` the profit of fund i on session t over the value before, :math:`r_t =
    \sum_i c_{t,i}`,

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
        ``average_weight``. Cash is a
        part where it was held.
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
        The decision's own
        month counts from two sessions after it, when the traded weights begin to earn; fewer than
        ten sessions: NaN.
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
    return pd.DataFrame(
        {"expected": expected, "realised": realised, "realised_year": year[expected.index]}
    )
