"""Global assets: equity indices, commodities, currencies, yields and bonds that follow from them.

All series are on the weekdays (G,) from 1990, as log prices, or percent for yields; an asset's own
calendar drops its holidays, so a move on a holiday appears on the next trading day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.market.sample.dates import SHOCK, open_days, rng_for, weekdays
from lib.market.sample.effects import CYCLE_MONTHS, CYCLE_PHASES, Effects
from lib.market.sample.processes import autoregression, bars_around, decay, fat_tails, volatility
from lib.market.schema import BAR

DAYS_PER_MONTH = 365.25 / 12.0


@dataclass(frozen=True)
class Asset:
    """Parameters of an equity index or commodity: annualised drift, volatility, loading."""

    region: str
    drift: float
    volatility: float
    loading: float
    start: float
    ohlc: bool = True


EQUITIES = {
    "SPX": Asset("us", 0.075, 0.16, 0.85, 360.0),
    "NDX": Asset("us", 0.105, 0.22, 0.80, 225.0),
    "DJI": Asset("us", 0.070, 0.15, 0.82, 2700.0),
    "FTSE": Asset("uk", 0.035, 0.16, 0.70, 2400.0),
    "DAX": Asset("de", 0.070, 0.20, 0.72, 1800.0),
    "N225": Asset("jp", 0.015, 0.20, 0.55, 28000.0),
    "HSI": Asset("hk", 0.055, 0.22, 0.50, 2900.0),
}
COMMODITIES = {
    "XAUUSD": Asset("us", 0.055, 0.15, 0.35, 390.0, ohlc=False),
    "CL": Asset("us", 0.035, 0.30, 0.75, 22.0),
    "BRENT": Asset("uk", 0.037, 0.29, 0.75, 21.0, ohlc=False),
    "CU.SHF": Asset("cn", 0.045, 0.20, 0.55, 18000.0),
    "soybean meal": Asset("cn", 0.040, 0.19, 0.30, 1800.0),
    "energy and chemicals": Asset("cn", 0.040, 0.21, 0.70, 1000.0),
}
#: kind -> parameters of an asset that only a universe list names
DEFAULT_ASSETS = {
    "global_index": Asset("us", 0.060, 0.18, 0.70, 1000.0),
    "commodity": Asset("us", 0.040, 0.22, 0.50, 100.0),
}
#: quote in units per dollar or dollars per unit -> (loading on the dollar, idiosyncratic
#: volatility, centre, yearly mean reversion)
CURRENCIES = {
    "EURUSD": (-0.085, 0.045, 1.15, 0.25),
    "GBPUSD": (-0.065, 0.055, 1.45, 0.20),
    "USDJPY": (0.055, 0.080, 118.0, 0.15),
    "USDCNY": (0.020, 0.012, 6.9, 0.25),
}
#: the official dollar index: its constant, and weights by symbol; currencies that the sample lacks
#: have 0.169 together
DXY_CONSTANT = 50.14348112
DXY_WEIGHTS = {"EURUSD": -0.576, "USDJPY": 0.136, "GBPUSD": -0.119}
DXY_OTHERS = 0.169

#: maturity in years -> (centre in percent, annualised volatility of the log yield, loading on the
#: country's level)
US_YIELDS = {
    0.25: (3.0, 0.30, 0.75),
    2.0: (3.5, 0.24, 0.88),
    5.0: (3.9, 0.20, 0.95),
    10.0: (4.4, 0.17, 0.97),
}
CN_YIELDS = {
    1.0: (2.3, 0.16, 0.80),
    3.0: (2.6, 0.14, 0.90),
    5.0: (2.8, 0.13, 0.95),
    10.0: (3.1, 0.12, 0.97),
}
US_YIELDS[30.0] = (4.9, 0.14, 0.93)
CN_YIELDS[30.0] = (3.6, 0.11, 0.94)
YIELDS = {
    **{
        f"US{name}": ("US", years)
        for name, years in (("3M", 0.25), ("2Y", 2.0), ("5Y", 5.0), ("10Y", 10.0))
    },
    **{
        f"CN{name}": ("CN", years)
        for name, years in (("1Y", 1.0), ("3Y", 3.0), ("5Y", 5.0), ("10Y", 10.0))
    },
    "US30Y": ("US", 30.0),
    "CN30Y": ("CN", 30.0),
}
#: bond index -> (country, maturity of its yield, modified duration, spread in percent)
BONDS = {
    "CBA00652.CS": ("CN", 3.0, 3.6, 0.0),
    "CBA21801.CS": ("CN", 30.0, 18.0, 0.0),
    "000013.SH": ("CN", 3.0, 2.6, 1.1),
}


class World:
    """The log prices and yields of global assets.

    Attributes
    ----------
    log_prices : dict of str to array, (G,)
        Equity indices, commodities, currencies and bond indices by symbol.
    yields : dict of str to array, (G,)
        Constant-maturity yields in percent by symbol.
    a_shares : array, (G,)
        Daily log return common to all A-shares.
    volatility : array, (G,)
        Volatility common to all equities, about one.
    """

    def __init__(self, effects: Effects, seed: int):
        self._effects = effects
        self._seed = seed
        turbulence = self._slow("turbulence", 45.0) * 0.3 - 0.045
        days_after = np.asarray((weekdays() - SHOCK).days, dtype=float)
        remaining = 0.5 ** (np.maximum(days_after, 0.0) / 12.0)
        # the shock is a surprise: volatility rises on its day, never before, and decays
        turbulence = turbulence + np.where(days_after >= 0, 0.9 * remaining, 0.0)
        self._turbulence = turbulence
        self.volatility = np.exp(turbulence)
        self._assets = {**EQUITIES, **COMMODITIES}
        self._global_equity = self._factor("global equity") - 4.5 * self._on_shock()
        self.log_prices: dict[str, np.ndarray] = {}
        for symbol, asset in EQUITIES.items():
            self.log_prices[symbol] = self._risky(symbol, asset, self._global_equity, "equity")
        self._demand = 0.4 * self._global_equity + np.sqrt(1 - 0.4**2) * self._factor("commodity")
        for symbol, asset in COMMODITIES.items():
            self.log_prices[symbol] = self._risky(symbol, asset, self._demand, "commodity")
        # COMEX gold is London gold with a small basis, Brent follows WTI
        basis = 0.0012 * self._slow("gold basis", 5.0)
        self.log_prices["GC"] = self.log_prices["XAUUSD"] + 0.002 + basis
        spread = 0.05 * self._slow("brent spread", 120.0)
        self.log_prices["BRENT"] = self.log_prices["CL"] + 0.03 + spread
        self._currencies()
        self.yields = {symbol: self._yield(symbol) for symbol in YIELDS}
        for symbol, (country, years, duration, premium) in BONDS.items():
            self.log_prices[symbol] = np.log(100.0) + self.bond(country, years, duration, premium)
        self.a_shares = self._a_shares()

    def bond(self, country: str, years: float, duration: float, premium: float = 0.0) -> np.ndarray:
        """Return the log value of a bond portfolio of constant duration, (G,), starting at 0.

        Daily return = yield x days / 365 - duration x change of yield + duration^2 / 2 x change^2
        (second-order expansion of the price, with convexity duration^2).

        Parameters
        ----------
        country : str
            ``US`` or ``CN``.
        years : float
            Maturity of the yield.
        duration : float
            Modified duration.
        premium : float
            Spread over the yield in percent.
        """
        level = self.yields[_yield_symbol(country, years)] / 100.0
        days = np.diff(weekdays()) / np.timedelta64(1, "D")
        change = np.diff(level)
        carry = (level[:-1] + premium / 100.0) * days / 365.0
        returns = carry - duration * change + 0.5 * duration**2 * change**2
        return np.concatenate([[0.0], np.cumsum(np.log1p(returns))])

    def add_default_asset(self, symbol: str, kind: str, name: str) -> None:
        """Add an asset that only a universe list names.

        An equity index or commodity gets the parameters of ``DEFAULT_ASSETS`` and its own shocks, a
        currency those of USDCNY; a yield the country of its first two letters and the nearest
        maturity; a bond index follows ten-year government bonds, US ones where its symbol or name
        says so.

        Parameters
        ----------
        symbol, kind, name : str
            Symbol, kind and Chinese name of the asset.
        """
        if symbol in self.log_prices or symbol in self.yields:
            return
        if kind in DEFAULT_ASSETS:
            asset = self._assets[symbol] = DEFAULT_ASSETS[kind]
            is_equity = kind == "global_index"
            common = self._global_equity if is_equity else self._demand
            asset_class = "equity" if is_equity else "commodity"
            self.log_prices[symbol] = self._risky(symbol, asset, common, asset_class)
        elif kind == "fx":
            self.log_prices[symbol] = self._currency(symbol)
        elif kind == "yield":
            self.yields[symbol] = self.yields[_nearest_yield(symbol)]
        else:
            country = "US" if re.search(r"US|美国|U\.S\.", f"{symbol} {name}") else "CN"
            self.log_prices[symbol] = np.log(100.0) + self.bond(country, 10.0, 8.2)

    def cycle(self, asset_class: str, annual_volatility: float, loading: float = 1.0) -> np.ndarray:
        """Return the cycles of a class, as log price (G,), for an asset of a given volatility.

        With share s_k of the variance of the yearly log change and 1 - sum(s) left to noise of
        variance v^2, the k-th cycle has yearly changes of variance s_k v^2 / (1 - sum(s)); a sine
        of period T and amplitude A has yearly changes of amplitude 2 A sin(12 pi / T).

        Parameters
        ----------
        asset_class : str
            A key of ``CYCLE_PHASES``.
        annual_volatility : float
            Of the asset, log return.
        loading : float
            Factor on the result.
        """
        months = np.asarray((weekdays() - weekdays()[0]).days, dtype=float) / DAYS_PER_MONTH
        shares = self._effects.cycle_shares
        total = np.zeros(len(months))
        phases = CYCLE_PHASES[asset_class]
        for share, period, phase in zip(shares, CYCLE_MONTHS, phases, strict=True):
            variance = share * annual_volatility**2 / (1.0 - sum(shares))
            amplitude = np.sqrt(2.0 * variance) / (2.0 * np.sin(12.0 * np.pi / period))
            total += amplitude * np.sin(2.0 * np.pi * months / period + phase)
        return loading * total

    def _random(self, name: str) -> np.random.Generator:
        return rng_for(self._seed, "world", name)

    def _slow(self, name: str, half_life: float) -> np.ndarray:
        """Return a slow process of unit variance, (G,)."""
        shocks = self._random(name).standard_normal(len(weekdays()))
        return autoregression(shocks, decay(half_life))

    def _on_shock(self) -> np.ndarray:
        return np.asarray(weekdays() == SHOCK, dtype=float)

    def _factor(self, name: str) -> np.ndarray:
        """Return daily shocks of unit variance, clustered and fat-tailed, (G,)."""
        rng = self._random(name)
        size = len(weekdays())
        return fat_tails(rng, size) * volatility(rng, size, spread=0.3, common=self._turbulence)

    def _risky(self, symbol: str, asset: Asset, common: np.ndarray, asset_class: str) -> np.ndarray:
        """Return the log price of an equity index or commodity, (G,)."""
        idiosyncratic = np.sqrt(1.0 - asset.loading**2) * self._factor(symbol)
        daily = asset.volatility / np.sqrt(261.0)
        shocks = asset.loading * common + idiosyncratic
        drift = (asset.drift - 0.5 * asset.volatility**2) / 261.0
        walk = np.cumsum(daily * shocks + drift)
        return np.log(asset.start) + walk + self.cycle(asset_class, asset.volatility)

    def _currencies(self) -> None:
        """Set the log prices of the currencies and of the dollar index; returns nothing."""
        for symbol in CURRENCIES:
            self.log_prices[symbol] = self._currency(symbol)
        others = 0.05 * self._factor("dollar") + 0.02 * self._factor("other currencies")
        others = _mean_reverting(others / np.sqrt(261.0), 0.2) + self.cycle("fx", 0.054)
        index = np.log(DXY_CONSTANT)
        for symbol, weight in DXY_WEIGHTS.items():
            index = index + weight * self.log_prices[symbol]
        self.log_prices["DXY"] = index + DXY_OTHERS * others + 0.15

    def _currency(self, symbol: str) -> np.ndarray:
        loading, specific, centre, reversion = CURRENCIES.get(symbol, CURRENCIES["USDCNY"])
        shocks = loading * self._factor("dollar") + specific * self._factor(symbol)
        cycle = self.cycle("fx", np.hypot(loading, specific), loading=np.sign(loading))
        return np.log(centre) + _mean_reverting(shocks / np.sqrt(261.0), reversion) + cycle

    def _yield(self, symbol: str) -> np.ndarray:
        """Return one yield in percent, (G,), positive as the exp of a reverting process."""
        country, years = YIELDS[symbol]
        centre, annual, loading = (US_YIELDS if country == "US" else CN_YIELDS)[years]
        level = self._factor(f"{country} level")
        common = 0.35 * self._factor("rates") + np.sqrt(1 - 0.35**2) * level
        mixed = loading * common + np.sqrt(1 - loading**2) * self._factor(symbol)
        process = _mean_reverting(annual * mixed / np.sqrt(261.0), 0.12)
        return centre * np.exp(process - self.cycle("bond", annual))

    def _a_shares(self) -> np.ndarray:
        domestic = np.sqrt(1 - 0.25**2) * self._factor("A-shares")
        shocks = 0.25 * self._global_equity + domestic - 6.0 * self._on_shock()
        cycle = self.cycle("equity", 0.2, self._effects.cycle_loading_a_shares)
        return 0.19 / np.sqrt(250.0) * shocks + 0.02 / 250.0 + np.diff(cycle, prepend=cycle[0])

    def frames(self, symbols: list[str]) -> pd.DataFrame:
        """Return the bars of global assets, with the columns of the table ``bars``."""
        return pd.concat([self._bars(symbol) for symbol in symbols], ignore_index=True)

    def region(self, symbol: str) -> str:
        """Return the calendar that an asset follows."""
        if symbol in self.yields or symbol in BONDS:
            return "us" if symbol.startswith("US") else "cn"
        if symbol in self._assets:
            return self._assets[symbol].region
        return "us" if symbol == "GC" else "fx"

    def _bars(self, symbol: str) -> pd.DataFrame:
        """Return the bars of one asset on the days on which it trades."""
        is_open = open_days(self.region(symbol))
        dates = weekdays()[is_open]
        if symbol in self.yields:
            close = np.round(self.yields[symbol][is_open], 4)
        else:
            close = np.round(np.exp(self.log_prices[symbol][is_open]), 4)
        fields = {name: np.full(len(dates), np.nan) for name in BAR} | {"close": close}
        asset = self._assets.get(symbol)
        if asset is not None and asset.ohlc:
            rng = self._random(f"bars {symbol}")
            scale = asset.volatility / np.sqrt(261.0) * self.volatility[is_open]
            previous = np.concatenate([close[:1], close[:-1]])
            prices = bars_around(rng, close, previous, scale)
            for name, values in zip(("open", "high", "low"), prices, strict=True):
                fields[name] = np.round(values, 4)
            surprise = np.abs(np.log(close / previous)) / scale
            noise = autoregression(rng.standard_normal(len(dates)), decay(20.0))
            fields["volume"] = np.round(2e8 * np.exp(0.25 * noise + 0.3 * np.log1p(surprise)))
        return pd.DataFrame({"symbol": symbol, "date": dates, **fields})


def _yield_symbol(country: str, years: float) -> str:
    return next(name for name, key in YIELDS.items() if key == (country, years))


def _nearest_yield(symbol: str) -> str:
    """Return the yield of the same country with the nearest maturity; ten-year US by default."""
    match = re.match(r"^(US|CN)(\d+)([MY])$", symbol)
    country = match[1] if match else "US"
    years = 10.0
    if match:
        years = float(match[2]) / (12 if match[3] == "M" else 1)
    maturities = [maturity for of_country, maturity in YIELDS.values() if of_country == country]
    return _yield_symbol(country, min(maturities, key=lambda maturity: abs(maturity - years)))


def _mean_reverting(shocks: np.ndarray, reversion: float) -> np.ndarray:
    """Return a process that loses the share ``reversion`` of its distance from 0 in a year."""
    factor = 1.0 - reversion / 261.0
    return autoregression(shocks, factor) / np.sqrt(1.0 - factor**2)
