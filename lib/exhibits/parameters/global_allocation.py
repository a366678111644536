"""Parameters of the global allocation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lib.exhibits.parameters.base import Cost, Day, Parameters, PositiveShare, Universe


class GlobalAllocation(Parameters):
    """Parameters of notebook 05.

    Attributes
    ----------
    universe : str
        Stem of a list in ``params/universe``.
    start : str
        The first decision is the month end on or after this date. The published track record
        starts on 2010-06-01.
    earlier_start : str
        The same for the rows of the sensitivity that have a longer history: from the end of 2004
        most series have the five years that an asset needs.
    variant : str
        ``cycle_budget``, the only one that can hold small weights in all classes as the published
        weights do, or ``intersection``.
    hedging : str
        ``hedged`` or ``unhedged``. Hedged is an assumption, since the published descriptions do
        not say; the supplement on settings shows the other.
    short_rates : dict
        Yield series in percent by currency, empty for none. That of CNY is what idle cash earns; a
        pair gives the carry of a hedge. A series that the data lack counts as none, and the
        exhibits say so.
    periods : list of int
        Cycles in months: Kitchin, Juglar and Kuznets, as the published descriptions have them.
    filter_width : float
        Bins of the Gaussian window; 10 in most published copies.
    regression_window, momentum_window, covariance_weeks : int
        Months, months, weeks. 50 months are the published regression window; twelve months of
        momentum follow Asness, Moskowitz and Pedersen (2013); two years are several times as many
        weekly returns as assets.
    target_volatility, asset_cap, class_cap : float
        Annualised, and shares of the capital. The target is the published volatility of 4.84%
        rounded, the caps were decided by the published weights
        (``docs/research/05_global_allocation.md``).
    cost : float
        Fraction of the traded value, one way. Five basis points are an assumption; the net line
        shows what they take.
    bond_check : list of str
        A yield and the total-return index that tests the bond formula; empty for none.
    placebo_draws : int
        Circular shifts of the class scores.
    """

    universe: Universe
    start: Day
    earlier_start: Day
    variant: Literal["intersection", "cycle_budget"]
    hedging: Literal["hedged", "unhedged"]
    short_rates: dict[Literal["CNY", "USD", "HKD", "EUR", "GBP", "JPY"], str]
    periods: Annotated[
        list[Annotated[int, Field(ge=12, le=600)]], Field(min_length=1, max_length=5)
    ]
    filter_width: Annotated[float, Field(gt=0, le=100)]
    regression_window: Annotated[int, Field(ge=24, le=240)]
    momentum_window: Annotated[int, Field(ge=3, le=36)]
    covariance_weeks: Annotated[int, Field(ge=26, le=520)]
    target_volatility: PositiveShare
    asset_cap: PositiveShare
    class_cap: PositiveShare
    cost: Cost
    bond_check: Annotated[list[str], Field(max_length=2)]
    placebo_draws: Annotated[int, Field(ge=1, le=200)]
