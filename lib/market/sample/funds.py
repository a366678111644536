"""ETFs: what they track, less a fee, plus a little noise.

Driver of an ETF, first rule that applies: the symbol in its ``tracks`` column where the sample has it; a bond,
commodity or foreign index that its name speaks of; a basket of stocks chosen by its name. Foreign indices count with
their last close before the Shanghai session, in their own currency.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from lib.market.sample.dates import on_sessions, rng_for, sessions, weekdays
from lib.market.sample.indices import IndexBuilder
from lib.market.sample.processes import autoregression, bars_around, decay
from lib.market.sample.world import World

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
    """Return maturity of the yield, modified duration and spread in percent that a bond fund's name speaks of."""
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
    """Builds ETFs from the world and the baskets; each depends on its own row of the catalogue only."""

    def __init__(self, world: World, baskets: IndexBuilder, indices: dict[str, dict[str, np.ndarray]], seed: int):
        self._world, self._baskets, self._indices, self._seed = world, baskets, indices, seed

    def driver(self, symbol: str, name: str, tracks: str) -> tuple[dict[str, np.ndarray], bool]:
        """Return open, high, low and close of what an ETF follows, (T,), and whether that is a basket of stocks."""
        if tracks in self._indices:
            return self._indices[tracks], True
        if tracks in self._world.log_prices:
            return self._around(symbol, self._known_before(self._world.log_prices[tracks], tracks)), False
        if any(word in name for word in BOND_WORDS):
            years, duration, premium = bond_terms(name)
            return self._around(symbol, on_sessions(self._world.bond("CN", years, duration, premium))), False
        stock_words = re.search("股|产业|港股通.*(医|药|科技|互联)", name)
        for word, asset in {**COMMODITY_WORDS, **FOREIGN_WORDS}.items():
            if word in name and not (stock_words and word in ("黄金", "港")):
                return self._around(symbol, self._known_before(self._world.log_prices[asset], asset)), False
        return self._baskets.build(tracks or symbol, name).bars, True

    def bars(self, symbol: str, name: str, tracks: str, *, young: bool) -> pd.DataFrame:
        """Return an ETF's bars with the columns of the table ``bars``.

        Parameters
        ----------
        young : bool
            Whether the fund is one of the many that list between 2013 and 2020; others have been there from the start
            but for one stock fund in seven.
        """
        rng = rng_for(self._seed, "fund", symbol)
        driver, of_stocks = self.driver(symbol, name, tracks)
        size = len(sessions())
        late = young or (of_stocks and rng.random() < 0.15)
        first = int(rng.integers(250, 2100)) if late else 0
        base = 100.0 if any(word in name for word in BOND_WORDS) else float(np.round(rng.uniform(0.9, 2.5), 3))
        usual = np.std(np.diff(np.log(driver["close"])))
        factor = np.exp(-FEE * np.arange(size) / 244.0 + NOISE * usual * rng.standard_normal(size))
        scale = base * factor / driver["close"][first]
        prices = {field: np.round(driver[field] * scale, 4) for field in ("open", "high", "low", "close")}
        moves = np.abs(np.diff(np.log(prices["close"]), prepend=np.log(prices["close"][0]))) / usual
        slow = autoregression(rng.standard_normal(size), decay(30.0))
        lots = rng.uniform(12.0, 15.0) - np.log(base) + 0.4 * slow + 0.25 * rng.standard_normal(size)
        volume = np.round(np.exp(lots + 0.4 * np.log1p(moves))) * 100.0
        amount = np.round(volume * sum(prices.values()) / 4.0, 2)
        frame = pd.DataFrame({"symbol": symbol, "date": sessions(), **prices, "volume": volume, "amount": amount})
        return frame.iloc[first:]

    def _around(self, symbol: str, log_close: np.ndarray) -> dict[str, np.ndarray]:
        close = np.exp(log_close)
        previous = np.concatenate([close[:1], close[:-1]])
        usual = np.std(np.diff(log_close))
        opening, high, low = bars_around(rng_for(self._seed, "fund bars", symbol), close, previous, usual)
        return {"open": opening, "high": high, "low": low, "close": close}

    def _known_before(self, log_price: np.ndarray, symbol: str) -> np.ndarray:
        """Return a global asset's log price at the sessions: the same day's in Asia, the day before's elsewhere."""
        rows = weekdays().get_indexer(sessions())
        return log_price[rows if self._world.region(symbol) in ("cn", "hk", "jp") else rows - 1]
