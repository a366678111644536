"""Total return indices of assets from prices, yields and exchange rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from lib.market.errors import ModelError

#: currency of the report
HOME_CURRENCY = "CNY"
Hedging = Literal["hedged", "hedged_with_carry", "unhedged"]
#: a value older than this many days is stale; the longest holiday of any market is 13
#: days
CARRIED_DAYS = 16
VALUE_RULES = ("price", "total_return", "yield", "currency", "spot")


def total_return_index(
    closes: pd.DataFrame,
    assets: pd.DataFrame,
    hedging: Hedging = "hedged",
    short_rates: Mapping[str, pd.Series] | None = None,
) -> pd.DataFrame:
    """Return what one unit in each asset becomes, in the report currency CNY.

    Parameters
    ----------
    closes : DataFrame, (T, M)
        Closes or yields in percent on the assets' own dates, NaN where none; more columns do no
        harm.
    assets : DataFrame, indexed by symbol
        ``rule``, ``maturity``, ``currency``, ``quote`` and ``start``, as the universe
        ``allocation`` explains them.
    hedging : {"hedged", "hedged_with_carry", "unhedged"}
        Hedged: foreign assets earn their local return, the cost or gain of the hedge (the
        difference of short rates) ignored. With carry: they also earn the short rate of CNY less
        that of their currency, by covered interest parity. Unhedged: their price is multiplied by
        the exchange rate. The class of currencies is never hedged.
    short_rates : mapping of currency to Series (D,), for ``hedged_with_carry``
        Yields in percent. A currency without one is hedged without carry, and so is every day
        before both are known.

    Returns
    -------
    DataFrame, (T, N)
        Values on all dates, each carried over closed days for at most 16 calendar days, NaN before
        the first and in longer gaps. Dividends of equities, roll of commodities and interest of
        currencies are ignored.

    Raises
    ------
    ModelError
        An unknown rule, a yield that looks like a fraction, a missing series, a value that is not
        positive, or carry without a short rate of CNY.
    """
    rates_by_currency = dict(short_rates or {})
    if hedging == "hedged_with_carry" and HOME_CURRENCY not in rates_by_currency:
        raise ModelError(
            f"carry needs a short rate of {HOME_CURRENCY}",
            remedy="name one in short_rates, or hedge without carry",
        )
    missing = assets.index.difference(closes.columns)
    if len(missing):
        raise ModelError(
            "an asset has no series",
            symbol=missing[0],
            remedy="take it out of the universe allocation",
        )
    values = {}
    for symbol, row in assets.iterrows():
        if row["rule"] not in VALUE_RULES:
            raise ModelError(
                f"there is no rule {row['rule']}",
                symbol=symbol,
                remedy=f"use {', '.join(VALUE_RULES)}",
            )
        series = closes[symbol].dropna()
        series = series[pd.Timestamp(row["start"]) :] if row.get("start", "") else series
        if not len(series):
            raise ModelError(
                "an asset has no value",
                symbol=symbol,
                remedy="take it out of the universe allocation",
            )
        if row["rule"] == "yield":
            series = bond_total_return(series, float(row["maturity"]))
        elif (series <= 0).any():
            date = series.index[series <= 0][0]
            raise ModelError(
                "a price is not positive",
                symbol=symbol,
                date=f"{date:%Y-%m-%d}",
                remedy="repair the series",
            )
        elif row["quote"] == "inverse":
            series = 1.0 / series
        values[symbol] = _carried(series, closes.index)
    values = pd.DataFrame(values)
    foreign = assets.index[_needs_rate(assets, hedging)]
    rates = _from_start(closes, assets)
    for symbol in foreign:
        values[symbol] = values[symbol] * _rate(rates, assets.loc[symbol, "currency"])
    if hedging == "hedged_with_carry":
        for symbol in assets.index[_is_foreign(assets) & (assets["rule"] != "currency")]:
            abroad = rates_by_currency.get(assets.loc[symbol, "currency"])
            if abroad is not None:
                values[symbol] = values[symbol] * _carry(
                    rates_by_currency[HOME_CURRENCY], abroad, closes.index
                )
    return values


def bond_total_return(percent: pd.Series, maturity: float) -> pd.Series:
    r"""Return the value of a bond held at a constant maturity, from its par yield.

    .. math:: r_t = y_{t-1} \frac{d_t}{365} - D\,\Delta y_t + \tfrac12 C\,\Delta y_t^2, \qquad
              D = \frac{1 - v^{2M}}{y_{t-1}}, \quad C = \frac{2 (1 - v^{2M})}{y_{t-1}^2} - \frac{2 M
              v^{2M+1}}{y_{t-1}}, \quad v =
              \frac{1}{1 + y_{t-1}/2}

    with :math:`d_t` the days since the last yield: income, modified duration and convexity of a par
    bond with half-yearly coupons (Swinkels, 2019, Treasury Bond Return Data Starting in 1962, Data
    4(3)). The roll down the curve is ignored.

    Parameters
    ----------
    percent : Series, (T,)
        Yields in percent, without NaN.
    maturity : float
        Years :math:`M`.

    Returns
    -------
    Series, (T,), 1 on the first date.

    Raises
    ------
    ModelError
        Yields that never exceed 0.25 look like fractions; a maturity that is not positive.
    """
    if not maturity > 0:
        raise ModelError(
            f"a maturity of {maturity} years", symbol=percent.name, remedy="give years above zero"
        )
    if percent.abs().max() < 0.25:
        raise ModelError(
            f"yields of at most {percent.abs().max():.4f} look like fractions, not percent",
            symbol=percent.name,
            remedy="multiply the series by 100",
        )
    # the formula divides by the yield; a hundredth of a basis point replaces a yield of zero
    y = np.maximum(percent.to_numpy() / 100.0, 1e-6)
    days = np.diff(percent.index) / np.timedelta64(1, "D")
    before, change = y[:-1], np.diff(y)
    v = 1.0 / (1.0 + before / 2.0)
    duration = (1.0 - v ** (2 * maturity)) / before
    convexity = (
        2.0 * (1.0 - v ** (2 * maturity)) / before**2
        - 2.0 * maturity * v ** (2 * maturity + 1) / before
    )
    earned = before * days / 365.0 - duration * change + 0.5 * convexity * change**2
    return pd.Series(
        np.concatenate([[1.0], np.cumprod(1.0 + earned)]), percent.index, name=percent.name
    )


def compare_bond_returns(percent: pd.Series, index: pd.Series, maturity: float) -> pd.DataFrame:
    """Compare ``bond_total_return`` with an index of the total return of the same bonds.

    Parameters
    ----------
    percent : Series, (T,)
        Yields in percent, NaN where none.
    index : Series, (T,)
        The index's closes, NaN where none.
    maturity : float
        Years.

    Returns
    -------
    DataFrame
        ``year``, ``formula`` and ``index``: both returns of each full calendar year (from the last
        common date of the year before), then of the current one so far.

    Raises
    ------
    ModelError
        The series share no two dates.
    """
    both = pd.DataFrame(
        {"formula": bond_total_return(percent.dropna(), maturity), "index": index}
    ).dropna()
    if len(both) < 2:
        raise ModelError(
            "yield and index share no two dates", symbol=index.name, remedy="compare other series"
        )
    last = both.groupby(both.index.year).last()
    return last.pct_change().iloc[1:].rename_axis("year").reset_index()


def asof_rows(values: pd.DataFrame, dates: pd.DatetimeIndex) -> pd.DataFrame:
    """Return the last row on or before each date, (K, N); NaN before the first."""
    rows = values.index.searchsorted(dates, side="right") - 1
    last_rows = values.to_numpy()[np.maximum(rows, 0)]
    return pd.DataFrame(np.where(rows[:, None] >= 0, last_rows, np.nan), dates, values.columns)


def _carried(series: pd.Series, dates: pd.DatetimeIndex) -> pd.Series:
    filled = series.reindex(dates, method="ffill")
    last_dates = pd.Series(series.index, series.index).reindex(dates, method="ffill")
    return filled.where((dates - pd.DatetimeIndex(last_dates)).days <= CARRIED_DAYS)


def _is_foreign(assets: pd.DataFrame) -> pd.Series:
    return ~assets["currency"].isin([HOME_CURRENCY, "INDEX"])


def _needs_rate(assets: pd.DataFrame, hedging: str) -> pd.Series:
    abroad = _is_foreign(assets)
    return abroad if hedging == "unhedged" else abroad & (assets["rule"] == "currency")


def _carry(home: pd.Series, abroad: pd.Series, dates: pd.DatetimeIndex) -> pd.Series:
    """Return what one unit becomes by the difference of two short rates in percent, each known a
    date before.
    """
    gap = (_carried(home.dropna(), dates) - _carried(abroad.dropna(), dates)) / 100.0
    days = pd.Series(dates, dates).diff().dt.days
    return (1.0 + (gap.shift(1) * days / 365.0).fillna(0.0)).cumprod()


def _from_start(closes: pd.DataFrame, assets: pd.DataFrame) -> pd.DataFrame:
    """Return the closes without those before the start that the universe gives a series."""
    starts = assets["start"][assets["start"] != ""] if "start" in assets else {}
    return closes.assign(
        **{symbol: closes[symbol][pd.Timestamp(day) :] for symbol, day in dict(starts).items()}
    )


def _rate(closes: pd.DataFrame, currency: str) -> pd.Series:
    """Return CNY per unit of a currency; the Hong Kong dollar moves with the US dollar by its
    peg.
    """
    dollar = _carried(closes["USDCNY"].dropna(), closes.index)
    if currency in ("USD", "HKD"):
        return dollar
    if currency in ("EUR", "GBP"):
        return dollar * _carried(closes[f"{currency}USD"].dropna(), closes.index)
    if currency == "JPY":
        return dollar / _carried(closes["USDJPY"].dropna(), closes.index)
    raise ModelError(
        f"there is no exchange rate for {currency}", remedy="use CNY, USD, HKD, EUR, GBP or JPY"
    )
