"""The stocks of the synthetic market: about 300 made-up names in the 31 Shenwan sectors.

A stock's daily log return is the market's times its beta, plus its sector's, plus its sub-industry's (food and
non-ferrous metals only), plus its own, plus price pressure, within the price limit of its board.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from lib.market.sample.dates import on_sessions, rng_for, sessions
from lib.market.sample.effects import Effects
from lib.market.sample.processes import autoregression, bars_around, decay, fat_tails, volatility
from lib.market.sample.world import World

FOLDER = Path(__file__).parent
#: board -> (share of the stocks, price limit)
BOARDS = {"SH": (0.40, 0.10), "SZ": (0.30, 0.10), "ChiNext": (0.20, 0.20), "STAR": (0.10, 0.20)}
#: Shenwan sector -> its CITIC level-2 parts that the suite uses
PARTS = {
    "801120.SI": ("CI005823.WI", "CI005822.WI", "CI005156.WI"),
    "801050.SI": ("CI005107.WI", "CI005106.WI", "CI005188.WI"),
}
#: the last members of this Shenwan sector make up the CITIC sector of diversified financials
DIVERSIFIED, FINANCIALS = "CI005030.WI", "801790.SI"


@dataclass(frozen=True)
class Stocks:
    """The stocks' attributes and (T, N) panels.

    Attributes
    ----------
    table : DataFrame, one row per stock
        symbol, name, name_en, board, limit, sw1, citic1, citic2 (empty where not split), shares, first (row of the
        first session).
    open, high, low, close : float64, (T, N)
        Prices; before the listing and on suspended days, NaN.
    carried : dict of str to float64, (T, N)
        The same four, with the last close carried through suspensions and the first one back to the start: what an
        index is computed from.
    volume, amount : float64, (T, N)
        Shares and CNY; NaN where there is no bar.
    """

    table: pd.DataFrame
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    forward_filled: dict[str, np.ndarray]
    volume: np.ndarray
    amount: np.ndarray


@cache
def sector_table() -> pd.DataFrame:
    """Return the Shenwan sectors: symbol, their CITIC counterpart, number of stocks, Chinese keywords."""
    table = pd.read_csv(FOLDER / "sectors.csv", dtype={"symbol": str, "citic": str})
    table["keywords"] = table["keywords"].str.split()
    return table


def attributes(seed: int) -> pd.DataFrame:
    """Draw the stocks' names, boards, sectors, sizes and listing sessions."""
    rng = rng_for(seed, "stocks", "attributes")
    sectors = sector_table()
    table = sectors.loc[sectors.index.repeat(sectors["stocks"]), ["symbol", "citic"]].reset_index(drop=True)
    table.columns = ["sw1", "citic1"]
    size = len(table)
    rank = table.groupby("sw1").cumcount()
    table["citic2"] = [PARTS[s][k % 3] if s in PARTS else "" for s, k in zip(table["sw1"], rank, strict=True)]
    table.loc[(table["sw1"] == FINANCIALS) & (rank >= 8), "citic1"] = DIVERSIFIED
    # codes are dealt at random so that neighbours in a list are not of one sector
    number = rng.permutation(size) + 1
    table["symbol"] = [f"91{n:04d}.SM" for n in number]
    table["name"] = [f"样本股{n:03d}" for n in number]
    table["name_en"] = [f"Sample Stock {n:03d}" for n in number]
    table["board"] = rng.choice(list(BOARDS), size, p=[share for share, _ in BOARDS.values()])
    table["limit"] = [BOARDS[board][1] for board in table["board"]]
    table["shares"] = np.round(np.exp(rng.normal(20.5, 0.9, size)) / 1e4) * 1e4
    # a quarter lists later, but the first four of each sector and part are there from the start
    late = (rng.random(size) < 0.25) & (rank >= np.where(table["citic2"] == "", 4, 9))
    table["first"] = np.where(late, rng.integers(60, int(0.7 * len(sessions())), size), 0)
    return table.sort_values("symbol", ignore_index=True)


def build(world: World, effects: Effects, seed: int) -> Stocks:
    """Generate the stocks.

    The sizes of the planted effects come from ``effects``; the random numbers do not depend on them.
    """
    table = attributes(seed)
    shape = (len(sessions()), len(table))
    suspended = _suspensions(rng_for(seed, "stocks", "suspensions"), shape)
    market = on_sessions(world.a_shares)
    turbulence = on_sessions(world.volatility)
    sector, attention = _sectors(table, shape[0], turbulence, effects, seed)
    rng = rng_for(seed, "stocks", "returns")
    beta = rng.normal(1.0, 0.15, shape[1]).clip(0.6, 1.4)
    usual = np.exp(rng.normal(np.log(0.0165), 0.2, shape[1]))
    scale = usual * volatility(rng, shape, spread=0.4) * np.sqrt(turbulence)[:, None]
    returns = market[:, None] * beta + sector + scale * fat_tails(rng, shape)
    pressed, busy = _pressure(rng, shape, effects)
    # today's attention shows in today's volume and moves prices from tomorrow on
    returns += pressed + effects.attention_drift * np.vstack([np.zeros(shape[1]), attention[:-1]])
    cap = np.log1p(table["limit"].to_numpy())
    floor = np.log1p(-table["limit"].to_numpy())
    absent = suspended | (np.arange(shape[0])[:, None] < table["first"].to_numpy())
    returns = np.where(absent, 0.0, np.clip(returns, floor, cap))
    level = np.exp(rng.uniform(np.log(20.0), np.log(90.0), shape[1]))
    # four decimals, as adjusted prices have: coarser ticks would themselves look like reversal
    close = np.round(level * np.exp(np.cumsum(returns, axis=0)), 4)
    previous = np.vstack([np.round(level, 4), close[:-1]])
    daily = np.sqrt(scale**2 + 0.012**2)
    prices = bars_around(rng, close, previous, daily)
    low_limit, high_limit = previous * np.exp(floor), previous * np.exp(cap)
    prices = [np.round(np.clip(values, low_limit, high_limit), 4) for values in prices]
    opening, high, low = prices[0], np.maximum(prices[1], close), np.minimum(prices[2], close)
    volume = _volume(rng, table, returns, daily, busy, attention, close)
    amount = volume * (opening + high + low + close) / 4.0
    forward_filled = {"close": close} | {
        name: np.where(absent, close, values) for name, values in (("open", opening), ("high", high), ("low", low))
    }
    shown = {name: np.where(absent, np.nan, values) for name, values in forward_filled.items()}
    return Stocks(
        table,
        **shown,
        forward_filled=forward_filled,
        volume=np.where(absent, np.nan, volume),
        amount=np.where(absent, np.nan, np.round(amount, 2)),
    )


def _suspensions(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Draw stretches without trading: about one in six years and stock, of one to fifty sessions, (T, N) bool."""
    halted = np.zeros(shape, dtype=bool)
    for stock in range(shape[1]):
        for _ in range(rng.poisson(shape[0] / 1500.0)):
            start = int(rng.integers(1, shape[0] - 60))
            halted[start : start + int(min(50, 1 + rng.exponential(12.0))), stock] = True
    return halted


def _sectors(
    table: pd.DataFrame, days: int, turbulence: np.ndarray, effects: Effects, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return each stock's sector return without drift, and its sector's attention (unit variance), both (T, N)."""
    rng = rng_for(seed, "sectors")
    groups = (table["sw1"] + table["citic2"]).to_numpy()
    names, part = np.unique(groups, return_inverse=True)
    sectors, sector_of_part = np.unique([name[:9] for name in names], return_inverse=True)
    broad, narrow = (days, len(sectors)), (days, len(names))
    # three styles (growth, cyclical, defensive) make some sectors move together
    styles = rng.normal(0.0, 0.5, (3, len(sectors)))
    style_returns = 0.0055 * fat_tails(rng, (days, 3)) * volatility(rng, (days, 3))
    own = 0.0075 * np.exp(rng.normal(0.0, 0.2, len(sectors))) * fat_tails(rng, broad) * volatility(rng, broad)
    split = np.array([len(name) > 9 for name in names])
    parts = 0.006 * split * fat_tails(rng, narrow) * volatility(rng, narrow)
    returns = (style_returns @ styles + own)[:, sector_of_part] * np.sqrt(turbulence)[:, None] + parts
    factor = decay(effects.attention_half_life)
    shared = autoregression(rng.standard_normal(broad), factor)[:, sector_of_part]
    alone = autoregression(rng.standard_normal(narrow), factor)
    attention = np.where(split, np.sqrt(0.5) * (shared + alone), shared)
    return returns[:, part], attention[:, part]


def _pressure(rng: np.random.Generator, shape: tuple[int, int], effects: Effects) -> tuple[np.ndarray, np.ndarray]:
    """Return the return due to price pressure, (T, N), and the unusual log volume that comes with it."""
    shocks = fat_tails(rng, shape, 4.0)
    moves = effects.pressure_volatility * shocks
    busy = 0.45 * np.abs(shocks)
    if effects.pressure_half_life == 0.0:
        return moves, busy
    factor = decay(effects.pressure_half_life)
    level = autoregression(moves, factor) / np.sqrt(1.0 - factor**2)
    return np.diff(level, axis=0, prepend=0.0), busy


def _volume(rng, table, returns, daily, busy, attention, close) -> np.ndarray:
    """Return daily volumes in whole shares, (T, N): more on large moves, under pressure and with attention."""
    turnover = np.exp(rng.normal(np.log(0.010), 0.4, len(table)))
    slow = autoregression(rng.standard_normal(close.shape), decay(25.0))
    fast = rng.standard_normal(close.shape)
    move = 0.35 * np.log1p(np.abs(returns) / daily)
    log_turnover = 0.28 * slow + 0.22 * fast + move + busy + 0.22 * attention - 0.75
    return np.round(table["shares"].to_numpy() * turnover * np.exp(log_turnover) / 100.0) * 100.0
