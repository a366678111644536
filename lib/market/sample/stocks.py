"""Stocks of the synthetic market: about 300 made-up names in the 31 Shenwan sectors.

A stock's daily log return is the market's times its beta, plus its sector's, plus its
sub-industry's (food and non-ferrous metals only), plus its own, plus price pressure, within the
price limit of its board.
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

SECTORS_FILE = Path(__file__).parent / "sectors.csv"
#: board -> (share of the stocks, price limit)
BOARDS = {"SH": (0.40, 0.10), "SZ": (0.30, 0.10), "ChiNext": (0.20, 0.20), "STAR": (0.10, 0.20)}
#: Shenwan sector -> its CITIC level-2 sub-industries that the suite uses
SUB_INDUSTRIES = {
    "801120.SI": ("CI005823.WI", "CI005822.WI", "CI005156.WI"),
    "801050.SI": ("CI005107.WI", "CI005106.WI", "CI005188.WI"),
}
#: the last members of this Shenwan sector make up the CITIC sector of diversified financials
DIVERSIFIED = "CI005030.WI"
FINANCIALS = "801790.SI"


@dataclass(frozen=True)
class Stocks:
    """The stocks' attributes and (T, N) panels.

    Attributes
    ----------
    table : DataFrame, one row per stock
        symbol, name, name_en, board, limit, sw1, citic1, citic2 (empty where not split), shares,
        first (row of the first session).
    open, high, low, close : float64, (T, N)
        Prices; NaN before the listing and on suspended days.
    forward_filled : dict of str to float64, (T, N)
        The same four with the last close filled forward through suspensions, and the first one back
        to the start: indices are computed from these.
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
    """Return the Shenwan sectors: symbol, CITIC counterpart, number of stocks, keywords."""
    table = pd.read_csv(SECTORS_FILE, dtype={"symbol": str, "citic": str})
    table["keywords"] = table["keywords"].str.split()
    return table


def attributes(seed: int) -> pd.DataFrame:
    """Draw the stocks' names, boards, sectors, sizes and listing sessions."""
    rng = rng_for(seed, "stocks", "attributes")
    sectors = sector_table()
    table = sectors.loc[sectors.index.repeat(sectors["stocks"]), ["symbol", "citic"]].reset_index(
        drop=True
    )
    table.columns = ["sw1", "citic1"]
    size = len(table)
    rank = table.groupby("sw1").cumcount()
    table["citic2"] = ""
    for sector, parts in SUB_INDUSTRIES.items():
        in_sector = table["sw1"] == sector
        table.loc[in_sector, "citic2"] = [parts[k % len(parts)] for k in rank[in_sector]]
    table.loc[(table["sw1"] == FINANCIALS) & (rank >= 8), "citic1"] = DIVERSIFIED
    # codes are random, so that neighbours in a list are not of one sector
    number = rng.permutation(size) + 1
    table["symbol"] = [f"91{n:04d}.SM" for n in number]
    table["name"] = [f"样本股{n:03d}" for n in number]
    table["name_en"] = [f"Sample Stock {n:03d}" for n in number]
    table["board"] = rng.choice(list(BOARDS), size, p=[share for share, _ in BOARDS.values()])
    table["limit"] = [BOARDS[board][1] for board in table["board"]]
    table["shares"] = np.round(np.exp(rng.normal(20.5, 0.9, size)) / 1e4) * 1e4
    # a quarter lists later, but the first four of each sector and sub-industry exist from the start
    late = (rng.random(size) < 0.25) & (rank >= np.where(table["citic2"] == "", 4, 9))
    table["first"] = np.where(late, rng.integers(60, int(0.7 * len(sessions())), size), 0)
    return table.sort_values("symbol", ignore_index=True)


def build(world: World, effects: Effects, seed: int) -> Stocks:
    """Generate the stocks.

    The sizes of the planted effects come from ``effects``; the random numbers do not depend on
    them.

    Parameters
    ----------
    world : World
        Gives the return and the volatility that all stocks share.
    effects : Effects
        The effects planted in the sample.
    seed : int
        Of the sample.
    """
    table = attributes(seed)
    shape = (len(sessions()), len(table))
    suspended = _suspensions(rng_for(seed, "stocks", "suspensions"), shape)
    absent = suspended | (np.arange(shape[0])[:, None] < table["first"].to_numpy())
    turbulence = on_sessions(world.volatility)
    sector, attention = _sectors(table, turbulence, effects, seed)
    rng = rng_for(seed, "stocks", "returns")
    beta = rng.normal(1.0, 0.15, shape[1]).clip(0.6, 1.4)
    typical = np.exp(rng.normal(np.log(0.0165), 0.2, shape[1]))
    scale = typical * volatility(rng, shape, spread=0.4) * np.sqrt(turbulence)[:, None]
    market = on_sessions(world.a_shares)[:, None]
    returns = market * beta + sector + scale * fat_tails(rng, shape)
    pressure, unusual_volume = _pressure(rng, shape, effects)
    # today's attention shows in today's volume and moves prices from tomorrow on
    lagged_attention = np.vstack([np.zeros(shape[1]), attention[:-1]])
    returns += pressure + effects.attention_drift * lagged_attention
    upper = np.log1p(table["limit"].to_numpy())
    lower = np.log1p(-table["limit"].to_numpy())
    returns = np.where(absent, 0.0, np.clip(returns, lower, upper))
    level = np.exp(rng.uniform(np.log(20.0), np.log(90.0), shape[1]))
    # four decimals, as adjusted prices have: coarser ticks would themselves look like reversal
    close = np.round(level * np.exp(np.cumsum(returns, axis=0)), 4)
    previous = np.vstack([np.round(level, 4), close[:-1]])
    daily = np.sqrt(scale**2 + 0.012**2)
    lowest = previous * np.exp(lower)
    highest = previous * np.exp(upper)
    drawn = [
        np.round(np.clip(values, lowest, highest), 4)
        for values in bars_around(rng, close, previous, daily)
    ]
    opening = drawn[0]
    high = np.maximum(drawn[1], close)
    low = np.minimum(drawn[2], close)
    volume = _volume(rng, table, returns, daily, unusual_volume, attention)
    amount = volume * (opening + high + low + close) / 4.0
    forward_filled = {
        "close": close,
        "open": np.where(absent, close, opening),
        "high": np.where(absent, close, high),
        "low": np.where(absent, close, low),
    }
    prices = {field: np.where(absent, np.nan, values) for field, values in forward_filled.items()}
    volume = np.where(absent, np.nan, volume)
    amount = np.where(absent, np.nan, np.round(amount, 2))
    return Stocks(table, **prices, forward_filled=forward_filled, volume=volume, amount=amount)


def _suspensions(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Draw suspensions, (T, N) bool: about one in six years per stock, of 1 to 50 sessions."""
    suspended = np.zeros(shape, dtype=bool)
    for stock in range(shape[1]):
        for _ in range(rng.poisson(shape[0] / 1500.0)):
            start = int(rng.integers(1, shape[0] - 60))
            length = int(min(50, 1 + rng.exponential(12.0)))
            suspended[start : start + length, stock] = True
    return suspended


def _sectors(
    table: pd.DataFrame, turbulence: np.ndarray, effects: Effects, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return each stock's sector return and its sector's attention (unit variance), (T, N) each."""
    rng = rng_for(seed, "sectors")
    days = len(turbulence)
    groups = (table["sw1"] + table["citic2"]).to_numpy()
    parts, part_of_stock = np.unique(groups, return_inverse=True)
    sectors, sector_of_part = np.unique([part[:9] for part in parts], return_inverse=True)
    by_sector = (days, len(sectors))
    by_part = (days, len(parts))
    # three styles (growth, cyclical, defensive) make some sectors move together
    loadings = rng.normal(0.0, 0.5, (3, len(sectors)))
    styles = 0.0055 * fat_tails(rng, (days, 3)) * volatility(rng, (days, 3))
    scale = 0.0075 * np.exp(rng.normal(0.0, 0.2, len(sectors)))
    sector_returns = scale * fat_tails(rng, by_sector) * volatility(rng, by_sector)
    is_part = np.array([len(part) > 9 for part in parts])
    part_returns = 0.006 * is_part * fat_tails(rng, by_part) * volatility(rng, by_part)
    returns = (styles @ loadings + sector_returns)[:, sector_of_part]
    returns = returns * np.sqrt(turbulence)[:, None] + part_returns
    factor = decay(effects.attention_half_life)
    shared = autoregression(rng.standard_normal(by_sector), factor)[:, sector_of_part]
    alone = autoregression(rng.standard_normal(by_part), factor)
    attention = np.where(is_part, np.sqrt(0.5) * (shared + alone), shared)
    return returns[:, part_of_stock], attention[:, part_of_stock]


def _pressure(
    rng: np.random.Generator, shape: tuple[int, int], effects: Effects
) -> tuple[np.ndarray, np.ndarray]:
    """Return the return due to price pressure and its unusual log volume, (T, N) each."""
    shocks = fat_tails(rng, shape, 4.0)
    moves = effects.pressure_volatility * shocks
    unusual_volume = 0.45 * np.abs(shocks)
    if effects.pressure_half_life == 0.0:
        return moves, unusual_volume
    factor = decay(effects.pressure_half_life)
    level = autoregression(moves, factor) / np.sqrt(1.0 - factor**2)
    return np.diff(level, axis=0, prepend=0.0), unusual_volume


def _volume(rng, table, returns, daily, unusual_volume, attention) -> np.ndarray:
    """Return daily volumes in whole shares, (T, N): more on large moves, pressure and attention."""
    turnover = np.exp(rng.normal(np.log(0.010), 0.4, len(table)))
    slow = autoregression(rng.standard_normal(returns.shape), decay(25.0))
    fast = rng.standard_normal(returns.shape)
    move = 0.35 * np.log1p(np.abs(returns) / daily)
    log_turnover = 0.28 * slow + 0.22 * fast + move + unusual_volume + 0.22 * attention - 0.75
    shares = table["shares"].to_numpy() * turnover
    return np.round(shares * np.exp(log_turnover) / 100.0) * 100.0
