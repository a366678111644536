"""Indices as baskets of the synthetic stocks: membership, dated weights, and bars that are their weighted sum.

Members and weights are set at the first session and at the last sessions of June and December, from what is known
that day, and hold from the next session on. A sector holds all its listed stocks, a broad index the largest of its
boards, a theme those that fit its name best. Weights follow market value; a theme's member has at most a tenth, or
one and a half times an equal share where it has few.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from lib.market.sample.dates import rng_for, sessions
from lib.market.sample.stocks import Stocks, sector_table

BASE = 1000.0
#: sessions a stock must have been listed before an index may take it
SEASONING = 60
#: broad index -> (boards, rank by market value of the first member, of the last)
BROAD = {
    "000001.SH": (("SH", "STAR"), 0, 400),
    "000016.SH": (("SH", "STAR"), 0, 20),
    "000300.SH": (("SH", "SZ", "ChiNext", "STAR"), 0, 80),
    "000905.SH": (("SH", "SZ", "ChiNext", "STAR"), 80, 160),
    "000906.SH": (("SH", "SZ", "ChiNext", "STAR"), 0, 160),
    "000852.SH": (("SH", "SZ", "ChiNext", "STAR"), 160, 240),
    "399303.SZ": (("SH", "SZ", "ChiNext", "STAR"), 180, 400),
    "399006.SZ": (("ChiNext",), 0, 40),
    "399673.SZ": (("ChiNext",), 0, 20),
    "000688.SH": (("STAR",), 0, 15),
    "000680.SH": (("STAR",), 0, 400),
}
#: words in the name of an index without a sector of its own -> Shenwan sectors it prefers
STYLES = {
    "红利 股息 高息 低波 现金流": "801780.SI 801950.SI 801160.SI 801170.SI 801960.SI 801040.SI",
    "价值 国企 央企": "801780.SI 801790.SI 801720.SI 801180.SI 801960.SI 801160.SI",
    "成长 创新 质量 动量": "801080.SI 801730.SI 801150.SI 801750.SI 801770.SI 801890.SI",
}


@dataclass(frozen=True)
class SyntheticIndex:
    """One index.

    Attributes
    ----------
    bars : dict of str to float64, (T,)
        open, high, low, close, volume and amount.
    weights : DataFrame
        as_of (date), symbol, weight in percent.
    """

    bars: dict[str, np.ndarray]
    weights: pd.DataFrame


def rebalance_rows() -> list[int]:
    """Return the rows of the sessions at whose close members and weights are set."""
    dates = sessions()
    half = dates.year * 2 + (dates.month > 6)
    return [0, *np.flatnonzero(np.diff(half))]


def home_sectors(name: str) -> list[str]:
    """Return the Shenwan sectors that an index's Chinese name speaks of, longest keyword first; none if none."""
    table = sector_table()
    found = [
        (len(word), sector)
        for sector, words in zip(table["symbol"], table["keywords"], strict=True)
        for word in words
        if word in name
    ]
    return list(dict.fromkeys(sector for _, sector in sorted(found, key=lambda pair: -pair[0])))[:3]


class IndexBuilder:
    """Builds baskets over one set of stocks; each depends on its own symbol and name only."""

    def __init__(self, stocks: Stocks, seed: int):
        self._stocks, self._seed = stocks, seed
        # one array, so that a period of a basket is gathered once: (4, T, N)
        self._prices = np.stack([stocks.forward_filled[field] for field in ("open", "high", "low", "close")])
        self._value = stocks.forward_filled["close"] * stocks.table["shares"].to_numpy()
        self._symbols = stocks.table["symbol"].to_numpy(dtype=object)
        first = stocks.table["first"].to_numpy()
        self._seasoned = np.where(first == 0, 0, first + SEASONING)
        self._rows = rebalance_rows()
        self._traded = {"volume": np.nan_to_num(stocks.volume), "amount": np.nan_to_num(stocks.amount)}

    def build(self, symbol: str, name: str, group: str = "", homes: list[str] | None = None) -> SyntheticIndex:
        """Return the basket of a sector, a broad index, or a theme.

        Parameters
        ----------
        homes : list of str, optional
            Shenwan sectors that a theme's members come from first; without it, those its name speaks of.
        """
        rule = self._rule(symbol, name, group, homes)
        level, bars, weights = BASE, {field: [] for field in ("open", "high", "low", "close", "volume", "amount")}, []
        rows = [*self._rows, len(self._value) - 1]
        for begin, end in pairwise(rows):
            members = rule(begin)
            share = self._weights(begin, members, capped=symbol not in BROAD and group not in ("sw1", "citic1"))
            weights.append((np.full(len(members), sessions()[begin].to_datetime64()), self._symbols[members], share))
            held = slice(begin if begin == 0 else begin + 1, end + 1)
            for field, values in self._held(members, share, begin, held, level).items():
                bars[field].append(values)
            level = bars["close"][-1][-1]
        series = {field: np.concatenate(values) for field, values in bars.items()}
        columns = map(np.concatenate, zip(*weights, strict=True))
        return SyntheticIndex(series, pd.DataFrame(dict(zip(("as_of", "symbol", "weight"), columns, strict=True))))

    def _held(self, members, share, begin, held, level) -> dict[str, np.ndarray]:
        """Return the bars of the sessions ``held`` of a basket bought at the close of the row ``begin``."""
        units = np.zeros(len(self._symbols))
        units[members] = level * share / share.sum() / self._prices[3, begin, members]
        opening, top, bottom, close = self._prices[:, held] @ units
        # members do not peak together: the index spans half of the way to the sum of their extremes
        high, low = np.maximum(opening, close), np.minimum(opening, close)
        return {
            "open": opening,
            "high": high + 0.5 * np.maximum(top - high, 0.0),
            "low": low - 0.5 * np.maximum(low - bottom, 0.0),
            "close": close,
            "volume": self._traded["volume"][held] @ (units > 0),
            "amount": self._traded["amount"][held] @ (units > 0),
        }

    def _weights(self, row: int, members: np.ndarray, capped: bool) -> np.ndarray:
        """Return weights in percent, rounded to four decimals."""
        share = self._value[row, members] / self._value[row, members].sum()
        if capped:
            limit = max(0.1, 1.5 / len(members))
            for _ in range(20):
                share = np.minimum(share, limit)
                share = share / share.sum()
        return np.round(100.0 * share, 4)

    def _listed(self, row: int) -> np.ndarray:
        return self._seasoned <= row

    def _rule(self, symbol: str, name: str, group: str, homes: list[str] | None):
        """Return the function from a rebalance row to the members' columns."""
        table = self._stocks.table
        for column in ("sw1", "citic1", "citic2"):
            own = (table[column] == symbol).to_numpy()
            if own.any():
                return lambda row: np.flatnonzero(own & self._listed(row))
        if symbol in BROAD:
            boards, first, last = BROAD[symbol]
            own = table["board"].isin(boards).to_numpy()

            def largest(row):
                pool = np.flatnonzero(own & self._listed(row))
                return np.sort(pool[np.argsort(-self._value[row, pool], kind="stable")][first:last])

            return largest
        return self._theme(symbol, name, homes or home_sectors(name))

    def _theme(self, symbol: str, name: str, homes: list[str]):
        rng = rng_for(self._seed, "basket", symbol)
        sectors = self._stocks.table["sw1"].to_numpy(dtype=object)
        styled = [codes.split() for words, codes in STYLES.items() if any(word in name for word in words.split())]
        fit = np.zeros(len(sectors))
        if homes:
            for rank, sector in enumerate(homes):
                fit[sectors == sector] = 3.0 - 0.7 * rank
        elif styled:
            fit[np.isin(sectors, styled[0])] = 1.5
        count = int(rng.integers(12, 26)) if homes else 50
        fit = fit + rng.gumbel(0.0, 0.6, len(sectors))
        drift = rng.normal(0.0, 0.12, (len(self._rows), len(sectors))).cumsum(axis=0)
        order = {row: k for k, row in enumerate(self._rows)}

        def best(row):
            pool = np.flatnonzero(self._listed(row))
            score = (fit + drift[order[row]])[pool]
            return np.sort(pool[np.argsort(-score, kind="stable")][:count])

        return best
