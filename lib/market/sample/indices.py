"""Indices as baskets of the synthetic stocks: members, dated weights, and their weighted sum.

Members and weights are set at the first session and at the last sessions of June and December from
what is known that day, and apply from the next session on. A sector holds all its listed stocks, a
broad index the largest of its boards, a theme those that fit its name best. Weights follow market
value; a member of a theme has at most a tenth, or 1.5 times an equal share where there are few.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from lib.market.sample.dates import rng_for, sessions
from lib.market.sample.stocks import Stocks, sector_table
from lib.market.schema import BAR, PRICES

BASE_LEVEL = 1000.0
#: sessions that a stock must have been listed before an index may include it
MIN_LISTED_SESSIONS = 60
#: broad index -> (boards, first and last rank by market value)
BROAD_INDICES = {
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
#: words in the name of an index without a sector -> its preferred Shenwan sectors
STYLES = {
    "红利 股息 高息 低波 现金流": "801780.SI 801950.SI 801160.SI 801170.SI 801960.SI 801040.SI",
    "价值 国企 央企": "801780.SI 801790.SI 801720.SI 801180.SI 801960.SI 801160.SI",
    "成长 创新 质量 动量": "801080.SI 801730.SI 801150.SI 801750.SI 801770.SI 801890.SI",
}


@dataclass(frozen=True)
class SyntheticIndex:
    """Bars and weights of one index.

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


def sectors_in_name(name: str) -> list[str]:
    """Return up to three Shenwan sectors in an index's Chinese name, longest keyword first."""
    table = sector_table()
    matches = []
    for sector, words in zip(table["symbol"], table["keywords"], strict=True):
        matches += [(len(word), sector) for word in words if word in name]
    matches.sort(key=lambda match: -match[0])
    return list(dict.fromkeys(sector for _, sector in matches))[:3]


class IndexBuilder:
    """Builder of indices over one set of stocks; each depends only on its own symbol and name."""

    def __init__(self, stocks: Stocks, seed: int):
        self._stocks = stocks
        self._seed = seed
        # one array, so that a period of an index is gathered once: (4, T, N)
        self._prices = np.stack([stocks.forward_filled[field] for field in PRICES])
        self._value = stocks.forward_filled["close"] * stocks.table["shares"].to_numpy()
        self._symbols = stocks.table["symbol"].to_numpy(dtype=object)
        first = stocks.table["first"].to_numpy()
        self._eligible_from = np.where(first == 0, 0, first + MIN_LISTED_SESSIONS)
        self._rows = rebalance_rows()
        self._volume = np.nan_to_num(stocks.volume)
        self._amount = np.nan_to_num(stocks.amount)

    def build(
        self, symbol: str, name: str, group: str = "", preferred: list[str] | None = None
    ) -> SyntheticIndex:
        """Return a sector, a broad index, or a theme.

        Parameters
        ----------
        symbol, name, group : str
            Symbol, Chinese name and group of the index.
        preferred : list of str, optional
            Shenwan sectors that a theme's members come from first; by default those in its name.
        """
        select = self._selection(symbol, name, preferred)
        is_capped = symbol not in BROAD_INDICES and group not in ("sw1", "citic1")
        level = BASE_LEVEL
        bars: dict[str, list[np.ndarray]] = {field: [] for field in BAR}
        weights = []
        for begin, end in pairwise([*self._rows, len(self._value) - 1]):
            members = select(begin)
            percent = self._weights(begin, members, is_capped)
            as_of = np.full(len(members), sessions()[begin].to_datetime64())
            weights.append((as_of, self._symbols[members], percent))
            held = slice(begin if begin == 0 else begin + 1, end + 1)
            for field, values in self._held(members, percent, begin, held, level).items():
                bars[field].append(values)
            level = bars["close"][-1][-1]
        series = {field: np.concatenate(values) for field, values in bars.items()}
        columns = map(np.concatenate, zip(*weights, strict=True))
        names = ("as_of", "symbol", "weight")
        return SyntheticIndex(series, pd.DataFrame(dict(zip(names, columns, strict=True))))

    def _held(self, members, percent, begin, held, level) -> dict[str, np.ndarray]:
        """Return the bars on the sessions ``held`` of members bought at the close of ``begin``."""
        units = np.zeros(len(self._symbols))
        units[members] = level * percent / percent.sum() / self._prices[3, begin, members]
        opening, top, bottom, close = self._prices[:, held] @ units
        # members do not peak together: the range is half of the way to the sum of their extremes
        high = np.maximum(opening, close)
        low = np.minimum(opening, close)
        return {
            "open": opening,
            "high": high + 0.5 * np.maximum(top - high, 0.0),
            "low": low - 0.5 * np.maximum(low - bottom, 0.0),
            "close": close,
            "volume": self._volume[held] @ (units > 0),
            "amount": self._amount[held] @ (units > 0),
        }

    def _weights(self, row: int, members: np.ndarray, is_capped: bool) -> np.ndarray:
        """Return weights in percent, rounded to four decimals."""
        value = self._value[row, members]
        share = value / value.sum()
        if is_capped:
            limit = max(0.1, 1.5 / len(members))
            for _ in range(20):
                share = np.minimum(share, limit)
                share = share / share.sum()
        return np.round(100.0 * share, 4)

    def _eligible(self, row: int) -> np.ndarray:
        return self._eligible_from <= row

    def _selection(
        self, symbol: str, name: str, preferred: list[str] | None
    ) -> Callable[[int], np.ndarray]:
        """Return the function from a rebalance row to the members' columns."""
        table = self._stocks.table
        for column in ("sw1", "citic1", "citic2"):
            in_sector = (table[column] == symbol).to_numpy()
            if in_sector.any():
                return lambda row: np.flatnonzero(in_sector & self._eligible(row))
        if symbol not in BROAD_INDICES:
            return self._theme(symbol, name, preferred or sectors_in_name(name))
        boards, first, last = BROAD_INDICES[symbol]
        on_boards = table["board"].isin(boards).to_numpy()

        def largest(row):
            pool = np.flatnonzero(on_boards & self._eligible(row))
            order = np.argsort(-self._value[row, pool], kind="stable")
            return np.sort(pool[order][first:last])

        return largest

    def _theme(self, symbol: str, name: str, preferred: list[str]) -> Callable[[int], np.ndarray]:
        """Return the function from a rebalance row to the columns of the best-fitting stocks."""
        rng = rng_for(self._seed, "basket", symbol)
        sectors = self._stocks.table["sw1"].to_numpy(dtype=object)
        fit = np.zeros(len(sectors))
        for rank, sector in enumerate(preferred):
            fit[sectors == sector] = 3.0 - 0.7 * rank
        if not preferred:
            for words, codes in STYLES.items():
                if any(word in name for word in words.split()):
                    fit[np.isin(sectors, codes.split())] = 1.5
                    break
        count = int(rng.integers(12, 26)) if preferred else 50
        fit = fit + rng.gumbel(0.0, 0.6, len(sectors))
        drift = rng.normal(0.0, 0.12, (len(self._rows), len(sectors))).cumsum(axis=0)
        fit_on = dict(zip(self._rows, fit + drift, strict=True))

        def best(row):
            pool = np.flatnonzero(self._eligible(row))
            order = np.argsort(-fit_on[row][pool], kind="stable")
            return np.sort(pool[order][:count])

        return best
