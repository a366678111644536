"""Inputs of the formulas: dimensionless panels made from prices, volumes and valuations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lib.market.calendar import Sessions
from lib.market.errors import ModelError
from lib.market.panel import Panel
from lib.models.gp.operators import OPERATORS
from lib.models.gp.settings import MIN_SYMBOLS
from lib.models.gp.slow_inputs import SLOW_RECIPES

#: sessions of the rolling z-scores
SCORE_WINDOW = 60
#: fewer sessions make a training window noise
MIN_SESSIONS = 250
#: ratios of valuation, which some sources report once a month
VALUATION_RATIOS = ("pe_ttm", "pb")
#: fields of a bar other than its close
BAR_FIELDS = ("open", "high", "low", "volume")
#: sessions over which the last ratio is rolled forward with the price
MAX_FORWARD_FILL = 30


@dataclass(frozen=True)
class Inputs:
    """What formulas are made of, on the sessions that have data.

    Attributes
    ----------
    dates : DatetimeIndex, (T,)
    symbols : Index of str, (N,)
    values : dict of str to float64 array, (T, N)
        NaN where unknown.
    close : float64 array, (T, N)
        For labels only; no formula sees a price level.
    dropped : dict of str to str
        Input -> why it is not there.
    forward_filled_share : dict of str to float
        Ratio -> share of its values that were rolled forward with the price, of the ratios that are
        reported at all.
    full_bars : bool array, (T,)
        Sessions on which every bar field that the history has had so far is known for at least half
        of the symbols that have a close; False where a source goes on with closes only.
    """

    dates: pd.DatetimeIndex
    symbols: pd.Index
    values: dict[str, np.ndarray]
    close: np.ndarray
    dropped: dict[str, str]
    forward_filled_share: dict[str, float]
    full_bars: np.ndarray

    @property
    def names(self) -> list[str]:
        """Names of the inputs, in order."""
        return list(self.values)

    def rows(self, first: int, stop: int) -> Inputs:
        """Return sessions ``first`` to ``stop - 1``."""
        values = {
            name: np.ascontiguousarray(panel[first:stop]) for name, panel in self.values.items()
        }
        return replace(
            self,
            dates=self.dates[first:stop],
            values=values,
            close=self.close[first:stop],
            full_bars=self.full_bars[first:stop],
        )


def factor_inputs(panel: Panel) -> Inputs:
    """Make the formulas' inputs from a panel.

    Parameters
    ----------
    panel : Panel
        Field ``close``, and of ``open``, ``high``, ``low``, ``volume``, ``amount``, ``turnover``,
        ``pe_ttm``, ``pb`` those the data have.

    Returns
    -------
    Inputs
        Shares of the close, ratios to the mean volume, 60-session z-scores and the inputs of
        ``slow_inputs``. A session on which fewer than half of the symbols listed by then traded is
        left out, so that returns span the hole; cells without a trade and prices or volumes that
        are not positive are NaN. An input whose field is missing altogether is dropped with the
        reason, never filled. A ratio that is reported on some sessions only is rolled forward with
        the price for up to ``MAX_FORWARD_FILL`` sessions: what a share earns and owns changes with
        the next report, what it costs every day.

    Raises
    ------
    ModelError
        Fewer than 15 symbols, fewer than 250 sessions, or no closes.
    """
    symbols = len(panel.symbols)
    if symbols < MIN_SYMBOLS:
        raise ModelError(
            f"{symbols} sectors are too few for a cross-section",
            remedy=f"pass a universe of at least {MIN_SYMBOLS}",
        )
    listed = np.maximum.accumulate(panel.mask, axis=0).sum(axis=1)
    kept = panel.mask.sum(axis=1) >= np.maximum(0.5 * listed, 1)
    if kept.sum() < MIN_SESSIONS:
        raise ModelError(
            f"{int(kept.sum())} sessions with data are too few to mine on",
            remedy=f"load a history of at least {MIN_SESSIONS} sessions",
        )
    fields = {}
    for name, cells in panel.fields.items():
        positive = name not in VALUATION_RATIOS
        usable = panel.mask & (cells > 0) if positive else panel.mask & np.isfinite(cells)
        fields[name] = np.where(usable, cells, np.nan)[kept]
    close = fields["close"]
    forward_filled_share = {}
    for name in [name for name in VALUATION_RATIOS if name in fields]:
        reported = np.isfinite(fields[name]).sum()
        fields[name] = forward_fill_with_price(fields[name], close)
        if reported:
            forward_filled_share[name] = 1.0 - reported / np.isfinite(fields[name]).sum()
    values, dropped = {}, {}
    for name, (needs, make) in RECIPES.items():
        missing = [field for field in needs if field not in fields or np.isnan(fields[field]).all()]
        if missing:
            dropped[name] = f"no {' and '.join(missing)} in the data"
        else:
            panel_ = make(*(fields[field] for field in needs))
            values[name] = np.ascontiguousarray(np.where(np.isfinite(panel_), panel_, np.nan))
    return Inputs(
        panel.dates[kept],
        panel.symbols,
        values,
        close,
        dropped,
        forward_filled_share,
        _full_bars(fields),
    )


def _full_bars(fields: dict[str, np.ndarray]) -> np.ndarray:
    bars = {name: np.isfinite(fields[name]) for name in ("close", *BAR_FIELDS) if name in fields}
    listed = bars.pop("close").sum(axis=1)
    full = np.ones(len(listed), bool)
    for cells in bars.values():
        # a field counts from its first value on: one that a source adds later says nothing about
        # earlier sessions
        begun = np.logical_or.accumulate(cells.any(axis=1))
        full &= ~begun | (cells.sum(axis=1) >= 0.5 * listed)
    return full


def forward_fill_with_price(
    ratio: np.ndarray, close: np.ndarray, sessions: int = MAX_FORWARD_FILL
) -> np.ndarray:
    r"""Fill the gaps of a ratio of price to something that changes slowly.

    .. math:: R_t = R_s P_t / P_s, \quad s = \max\{u \le t : R_u \text{ known}\}, \quad t - s \le n

    Parameters
    ----------
    ratio, close : float64 array, (T, N)
        NaN where unknown.
    sessions : int
        The longest gap, :math:`n`.

    Returns
    -------
    float64 array, (T, N)
        What was known as it was; NaN before the first known value, after a longer gap and where a
        close is missing.
    """
    rows = np.arange(len(ratio))[:, None]
    last = np.maximum.accumulate(np.where(np.isfinite(ratio), rows, -1), axis=0)
    source = np.maximum(last, 0)
    moved = close / np.take_along_axis(close, source, axis=0)
    filled = np.where(
        (last >= 0) & (rows - last <= sessions),
        np.take_along_axis(ratio, source, axis=0) * moved,
        np.nan,
    )
    return np.where(np.isfinite(ratio), ratio, filled)


def _share(of, by):
    return of / by - 1


def _score(panel):
    return OPERATORS[f"ts_zscore_{SCORE_WINDOW}"](panel)


def _mean(panel, window):
    return OPERATORS[f"ts_mean_{window}"](panel)


def _yield(ratio):
    # a multiple of zero has no inverse; a negative one has: losses make a negative earnings yield
    return 1 / np.where(ratio == 0, np.nan, ratio)


#: input -> (fields it needs, how it is made)
RECIPES: dict[str, tuple[tuple[str, ...], Callable]] = {
    "returns": (("close",), lambda close: OPERATORS["pct_change_1"](close)),
    "open": (("open", "close"), _share),
    "high": (("high", "close"), _share),
    "low": (("low", "close"), _share),
    "volume_20": (("volume",), lambda volume: _share(volume, _mean(volume, 20))),
    "volume_60": (("volume",), lambda volume: _share(volume, _mean(volume, 60))),
    "amount_20": (("amount",), lambda amount: _share(amount, _mean(amount, 20))),
    "turnover": (("turnover",), lambda turnover: turnover),
    "earnings_yield": (("pe_ttm",), _yield),
    "book_yield": (("pb",), _yield),
    "close_z": (("close",), _score),
    "open_z": (("open",), _score),
    "high_z": (("high",), _score),
    "low_z": (("low",), _score),
    # an index has no price per share: amount over volume is its members' mean price, so only its
    # z-score has a meaning
    "vwap_z": (("amount", "volume"), lambda amount, volume: _score(amount / volume)),
    "volume_z": (("volume",), _score),
    "amount_z": (("amount",), _score),
    "turnover_z": (("turnover",), _score),
    "volume_mean_20_z": (("volume",), lambda volume: _score(_mean(volume, 20))),
    "volume_mean_60_z": (("volume",), lambda volume: _score(_mean(volume, 60))),
    "earnings_yield_z": (("pe_ttm",), lambda ratio: _score(_yield(ratio))),
    "book_yield_z": (("pb",), lambda ratio: _score(_yield(ratio))),
    **SLOW_RECIPES,
}


def week_ends(dates: pd.DatetimeIndex) -> np.ndarray:
    """Return the positions of each ISO week's last session, (W,); the last date closes its week as
    far as is known.
    """
    calendar = dates.isocalendar()
    week = calendar["year"].to_numpy().astype(int) * 100 + calendar["week"].to_numpy().astype(int)
    return np.flatnonzero(np.append(week[1:] != week[:-1], True))


def quarter_ends(dates: pd.DatetimeIndex) -> np.ndarray:
    """Return the positions of the last session of each completed calendar quarter, (Q,).

    The last date ends a quarter only if no session of the exchange follows it within the quarter:
    holidays before a quarter's end would otherwise hide it until the next session, and the same day
    would be scored differently later.
    """
    quarter = dates.to_period("Q")
    last = np.append(quarter[1:] != quarter[:-1], False)
    if len(dates):
        sessions = Sessions.load().all
        later = sessions[sessions > dates[-1]]
        # past the horizon of the exchange's calendar the next weekday is used
        following = later[0] if len(later) else dates[-1] + pd.offsets.BDay()
        last[-1] = following.to_period("Q") != quarter[-1]
    return np.flatnonzero(last)


def join_panels(prices: Panel, valuation: Panel) -> Panel:
    """Return the price panel with the valuation's fields on its own dates; a date the valuation
    lacks is NaN.
    """
    aligned = {
        name: np.ascontiguousarray(
            valuation.frame(name).reindex(index=prices.dates, columns=prices.symbols), float
        )
        for name in valuation.fields
    }
    return Panel(prices.dates, prices.symbols, {**prices.fields, **aligned}, prices.mask)
