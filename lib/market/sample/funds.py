"""ETFs of the synthetic market: the driver that they track, less a fee, plus a little noise.

Driver of an ETF, first rule that applies: the symbol in its ``tracks`` column where the sample has
it; a bond, commodity or foreign index in its name; an index of stocks chosen by its name. Foreign
indices enter with their last close before the Shanghai session, in their own currency.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from lib.market.sample.dates import on_sessions, rng_for, sessions, weekdays
from lib.market.sample.indices import IndexBuilder
from lib.market.sample.processes import autoregression, bars_around, decay
from lib.market.sample.world import World
from lib.market.schema import PRICES

FEE = 0.005
#: tracking noise of a close, relative to the driver's daily volatility
NOISE = 0.02
COMMODITY_WORDS = {
    "豆粕": "soybean meal",
    "能源化工": "energy and chemicals",
    "能化": "energy and chemicals",
    "有色期货": "CU.SHF",
    "黄金": "XAUUSD",
    "上海金": "XAUUSD",
    "金ETF": "XAUUSD",
    "白银": "XAUUSD",
    "原油": "CL",
}
FOREIGN_WORDS = {
    "纳": "NDX",
    "标普": "SPX",
    "道琼斯": "DJI",
    "恒生": "HSI",
    "港": "HSI",
    "H股": "HSI",
    "中概": "HSI",
    "日经": "N225",
    "德国": "DAX",
}
BOND_WORDS = ("债", "短融", "货币", "Bond", "Treasury")


def bond_terms(name: str) -> tuple[float, float, float]:
    """Return maturity, modified duration and spread in percent by the name of a bond fund."""
    if any(word in name for word in ("货币", "短融", "短债")):
        return 1.0, 0.3, 0.3
    if "30" in name or "三十年" in name or "超长" in name:
        return 30.0, 18.0, 0.0
    if "10" in name or "十年" in name:
        return 10.0, 8.2, 0.0
    if any(word in name for word in ("城投", "公司", "信用", "企", "地方")):
        return 3.0, 2.6, 0.9
    return 5.0, 4.4, 0.0


class Funds:
    """Generator of ETFs; each depends only on its own row of the catalogue.

    Parameters
    ----------
    world : World
    builder : IndexBuilder
        Builds the indices of ETFs without one.
    indices : dict
        Symbol -> open, high, low and close of an index, (T,) each.
    seed : int
    """

    def __init__(
        self,
        world: World,
        builder: IndexBuilder,
        indices: dict[str, dict[str, np.ndarray]],
        seed: int,
    ):
        self._world = world
        self._builder = builder
        self._indices = indices
        self._seed = seed

    def driver(self, symbol: str, name: str, tracks: str) -> tuple[dict[str, np.ndarray], bool]:
        """Return what an ETF follows.

        Parameters
        ----------
        symbol, name : str
            Symbol and Chinese name of the fund.
        tracks : str
            Symbol of its index; empty for none.

        Returns
        -------
        dict of str to array, (T,)
            Open, high, low and close.
        bool
            Whether the ETF holds stocks.
        """
        if tracks in self._indices:
            return self._indices[tracks], True
        if tracks in self._world.log_prices:
            return self._around(symbol, self._last_close(tracks)), False
        if any(word in name for word in BOND_WORDS):
            bond = self._world.bond("CN", *bond_terms(name))
            return self._around(symbol, on_sessions(bond)), False
        stock_words = re.search("股|产业|港股通.*(医|药|科技|互联)", name)
        for word, asset in {**COMMODITY_WORDS, **FOREIGN_WORDS}.items():
            if word in name and not (stock_words and word in ("黄金", "港")):
                return self._around(symbol, self._last_close(asset)), False
        return self._builder.build(tracks or symbol, name).bars, True

    def bars(self, symbol: str, name: str, tracks: str, *, young: bool) -> pd.DataFrame:
        """Return an ETF's bars with the columns of the table ``bars``.

        Parameters
        ----------
        symbol, name : str
            Symbol and Chinese name of the fund.
        tracks : str
            Symbol of its index; empty for none.
        young : bool
            Whether the fund is one of the many that list between 2013 and 2020; the others exist
            from the start, except for one stock fund in seven.
        """
        rng = rng_for(self._seed, "fund", symbol)
        driver, holds_stocks = self.driver(symbol, name, tracks)
        size = len(sessions())
        lists_late = young or (holds_stocks and rng.random() < 0.15)
        first = int(rng.integers(250, 2100)) if lists_late else 0
        start_price = 100.0
        if not any(word in name for word in BOND_WORDS):
            start_price = float(np.round(rng.uniform(0.9, 2.5), 3))
        daily_volatility = np.std(np.diff(np.log(driver["close"])))
        tracking_noise = NOISE * daily_volatility * rng.standard_normal(size)
        factor = np.exp(-FEE * np.arange(size) / 244.0 + tracking_noise)
        scale = start_price * factor / driver["close"][first]
        prices = {field: np.round(driver[field] * scale, 4) for field in PRICES}
        log_close = np.log(prices["close"])
        moves = np.abs(np.diff(log_close, prepend=log_close[0])) / daily_volatility
        slow = autoregression(rng.standard_normal(size), decay(30.0))
        log_lots = rng.uniform(12.0, 15.0) - np.log(start_price)
        log_lots = log_lots + 0.4 * slow + 0.25 * rng.standard_normal(size)
        volume = np.round(np.exp(log_lots + 0.4 * np.log1p(moves))) * 100.0
        amount = np.round(volume * sum(prices.values()) / 4.0, 2)
        bars = {"symbol": symbol, "date": sessions(), **prices, "volume": volume, "amount": amount}
        return pd.DataFrame(bars).iloc[first:]

    def _around(self, symbol: str, log_close: np.ndarray) -> dict[str, np.ndarray]:
        rng = rng_for(self._seed, "fund bars", symbol)
        close = np.exp(log_close)
        previous = np.concatenate([close[:1], close[:-1]])
        opening, high, low = bars_around(rng, close, previous, float(np.std(np.diff(log_close))))
        return {"open": opening, "high": high, "low": low, "close": close}

    def _last_close(self, symbol: str) -> np.ndarray:
        """Return an asset's log price at the sessions: the same day's in Asia, else lagged."""
        rows = weekdays().get_indexer(sessions())
        is_asian = self._world.region(symbol) in ("cn", "hk", "jp")
        return self._world.log_prices[symbol][rows if is_asian else rows - 1]
