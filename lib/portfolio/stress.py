"""Yield and duration of a bond book, and the loss of present weights under simple shocks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lib.market.errors import ModelError


def modified_duration(percent: float, maturity: float) -> float:
    r"""Return the modified duration of a par bond with half-yearly coupons, in years.

    .. math:: D = \frac{1 - v^{2M}}{y}, \qquad v = \frac{1}{1 + y/2}

    Parameters
    ----------
    percent : float
        Yield :math:`y` in percent, above zero.
    maturity : float
        Years :math:`M`.
    """
    rate = _checked(percent, maturity)
    return (1.0 - (1.0 + rate / 2.0) ** (-2.0 * maturity)) / rate


def par_bond_change(percent: float, maturity: float, shift: float) -> float:
    r"""Return the price change of a par bond when its yield jumps, a fraction.

    .. math:: \Delta P = \frac{y}{y'} \left(1 - v'^{2M}\right) + v'^{2M} - 1, \qquad
              y' = y + \Delta y, \quad v' = \frac{1}{1 + y'/2}

    Parameters
    ----------
    percent : float
        Yield :math:`y` in percent, above zero.
    maturity : float
        Years :math:`M`.
    shift : float
        :math:`\Delta y`, a fraction: 0.005 for 50 basis points. The shifted yield has to be above
        zero.
    """
    rate = _checked(percent, maturity)
    shifted = _checked(percent + 100.0 * shift, maturity)
    discount = (1.0 + shifted / 2.0) ** (-2.0 * maturity)
    return rate / shifted * (1.0 - discount) + discount - 1.0


def bond_book(weights: pd.Series, terms: pd.DataFrame) -> pd.Series:
    """Return yield and modified duration of the bonds in a portfolio, weighted by capital.

    Parameters
    ----------
    weights : Series, (N,)
        More symbols do no harm.
    terms : DataFrame, (B, 2), indexed by symbol
        ``percent``, the yield, and ``years``, the maturity, of each bond.

    Returns
    -------
    Series
        ``percent`` and ``duration``; NaN where no bond is held or a held bond has no yield.
    """
    held = weights.reindex(terms.index).fillna(0.0)
    held = held[held > 0]
    if not len(held) or terms.loc[held.index, "percent"].isna().any():
        return pd.Series({"percent": np.nan, "duration": np.nan})
    share = held / held.sum()
    bonds = terms.loc[held.index]
    durations = [modified_duration(row.percent, row.years) for row in bonds.itertuples()]
    return pd.Series(
        {"percent": float(share @ bonds["percent"]), "duration": float(share @ durations)}
    )


def shock_table(
    weights: pd.Series, groups: pd.Series, terms: pd.DataFrame, shocks: Mapping[str, float]
) -> pd.DataFrame:
    """Return the change of a portfolio's value under shocks to one class each, and under all of
    them at once.

    Parameters
    ----------
    weights : Series, (N,)
        Present weights, fractions.
    groups : Series, (N,)
        Class of each symbol.
    terms : DataFrame, (B, 2), indexed by symbol
        As for ``bond_book``, for the symbols of the class ``bond``.
    shocks : mapping
        By class the change of its prices, a fraction; for ``bond`` the rise of all yields, a
        fraction.

    Returns
    -------
    DataFrame, (S + 1, C + 1)
        Shocks and ``all`` by class and ``total``, fractions of the portfolio; NaN where a held bond
        has no yield.
    """
    rows = {}
    for shocked, size in shocks.items():
        change = pd.Series(0.0, weights.index)
        members = weights.index[(groups[weights.index] == shocked) & (weights > 0)]
        for symbol in members:
            change[symbol] = _bond_change(terms, symbol, size) if shocked == "bond" else size
        rows[shocked] = (
            (weights * change).groupby(groups[weights.index]).sum(min_count=1, skipna=False)
        )
    table = pd.DataFrame(rows).T.reindex(columns=list(shocks))
    table.loc["all"] = table.sum(skipna=False)
    return table.assign(total=table.sum(axis=1, skipna=False))


def _bond_change(terms: pd.DataFrame, symbol: str, shift: float) -> float:
    percent, years = terms.loc[symbol, ["percent", "years"]]
    return np.nan if np.isnan(percent) else par_bond_change(percent, years, shift)


def _checked(percent: float, maturity: float) -> float:
    """Return a yield as a fraction."""
    if not percent > 0:
        raise ModelError(
            f"a yield of {percent} percent", remedy="give a yield above zero, or a smaller shock"
        )
    if not maturity > 0:
        raise ModelError(f"a maturity of {maturity} years", remedy="give years above zero")
    return percent / 100.0
