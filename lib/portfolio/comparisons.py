"""What the global allocation is measured against: simple portfolios, placebos of its cycle, other settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lib.models import cycles, pricing
from lib.models.pricing import Views, cycle_views
from lib.portfolio.allocation import Allocation, Allocator, Rules
from lib.portfolio.backtest import backtest
from lib.portfolio.metrics import performance

#: one fund of Chinese equity, one of Chinese bonds
SIXTY_FORTY = {"000300.SH": 0.6, "CN10Y": 0.4}


@dataclass(frozen=True)
class SimplePortfolios:
    """Target weights of each portfolio, (K, N)."""

    equal_weight: pd.DataFrame
    inverse_volatility: pd.DataFrame
    sixty_forty: pd.DataFrame


def simple_portfolios(allocator: Allocator, rules: Rules) -> dict[str, pd.DataFrame]:
    """Return target weights (K, N) of equal weight, inverse volatility and 60/40, rebalanced at the same month ends.

    The first two hold the assets that the strategy could hold on the date, the third drops a leg that is too young.
    """
    return vars(allocator.keep(SimplePortfolios, lambda: _simple(allocator, rules), repr(rules), SIXTY_FORTY))


def _simple(allocator: Allocator, rules: Rules) -> SimplePortfolios:
    columns = allocator.values.columns
    empty = pd.DataFrame(0.0, allocator.decisions, columns)
    made = {name: empty.copy() for name in ("equal_weight", "inverse_volatility", "sixty_forty")}
    for date in allocator.decisions:
        covariance, _ = allocator.covariance(date, rules)
        if covariance is None:
            continue
        usable = covariance.matrix.index
        inverse = 1.0 / np.sqrt(np.diag(covariance.matrix))
        made["equal_weight"].loc[date, usable] = 1.0 / len(usable)
        made["inverse_volatility"].loc[date, usable] = inverse / inverse.sum()
        for symbol, weight in SIXTY_FORTY.items():
            if symbol in columns and pd.notna(allocator.values.loc[date, symbol]):
                made["sixty_forty"].loc[date, symbol] = weight
    return SimplePortfolios(**made)


def placebos(
    allocator: Allocator, scores: pd.DataFrame, rules: Rules, draws: int, seed: int = 1
) -> dict[str, Allocation]:
    """Return allocations that know less than the cycle: reversed, none, and ``draws`` random orders of the classes."""
    made = {
        "reversed": allocator.allocate(-scores, rules),
        "momentum_only": allocator.allocate(scores, replace(rules, variant="momentum")),
    }
    rng = np.random.default_rng(seed)
    for draw in range(draws):
        order = pd.DataFrame(rng.random(scores.shape), scores.index, scores.columns)
        # a class joins the draw when it joins the ranking
        made[f"random_{draw + 1:02d}"] = allocator.allocate(order.where(scores.notna()), rules)
    return made


def kept_views(allocator: Allocator, monthly: pd.DataFrame, periods: Sequence[int], width: float, window: int) -> Views:
    """Return the cycle views at the allocator's decisions by other settings, kept as its allocations are.

    ``monthly`` are the month-end values (L, N); the settings are those of ``cycle_views``.
    """
    given = (monthly, allocator.classes, allocator.decisions, periods, width, window)
    return allocator.keep(Views, lambda: cycle_views(*given), *given, cycles, pricing)


def figures(closes: pd.DataFrame, targets: dict[str, pd.DataFrame], cost: float) -> pd.DataFrame:
    """Return one row of performance per set of target weights, gross, with the net return beside it."""
    rows = {}
    for name, weights in targets.items():
        run = backtest(closes, weights, cost=cost)
        rows[name] = performance(run.gross)["gross"]
        rows[name]["net_return"] = performance(run.net)["net"]["annual_return"]
    return pd.DataFrame(rows).T.drop(columns="week_return")
