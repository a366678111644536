"""Parameters of the price-volume theme scores."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lib.exhibits.parameters.base import Cost, Day, Jobs, Parameters, Share, Universe

Weight = Annotated[float, Field(ge=0)]


class AiThemes(Parameters):
    """Parameters of notebook 02.

    Attributes
    ----------
    universe : str
        Stem of a list in ``params/universe`` with the column ``etf``.
    anchor : str
        Date from which gains count, or ``auto``: the last major low, as the published weekly counts
        from one.
    anchor_window, anchor_settle : int
        Sessions in which the low is sought, about half a year, and latest sessions left out: two
        weeks, so that a short slide does not move the anchor.
    first_score : str
        The first decision scored is on or after this date: four years of bars come before it.
    boosted, linear, gru : float
        Fusion weights; 0 leaves the learner out. Trees and a linear model err differently, and
        nothing favours one: equal weights. gru needs ``requirements-gru.txt`` and takes far longer,
        so it has no weight.
    horizons : list of int
        Sessions of the labels, equally weighted: one to four weeks, the best of the settings tried.
    embargo : int
        Sessions between the end of the last label and the first use of a model: a week, one step of
        the decisions.
    retrain_months : int
        Months between refits: the settings tried with half a year ranked best.
    window_years, half_life_years : float
        Training window: all years there are until 2023. Age at which a row counts half (0: all
        alike): a half-life of two years ranked worse.
    neutral : float
        Share of the sector's mean taken from each label: 1, since the score is to rank stocks, and
        sectors have a model of their own.
    seeds : int
        Boosted models averaged: a single one is noise.
    top : int
        Themes held by the rotation, as many as the published table lists.
    cost : float
        Fraction of the traded value, one way: that of liquid ETFs.
    gain_sessions, claim_horizon : int
        Sessions of the gain, from the anchor of the published week to its end, and of the return
        after it, a month, in the test of the claim.
    threads : int
        No result depends on it.
    """

    universe: Universe
    anchor: Annotated[str, Field(pattern=r"^(auto|\d{4}-\d{2}-\d{2})$")]
    anchor_window: Annotated[int, Field(ge=20, le=1000)]
    anchor_settle: Annotated[int, Field(ge=0, le=120)]
    first_score: Day
    boosted: Weight
    linear: Weight
    gru: Weight
    horizons: Annotated[list[Annotated[int, Field(ge=1, le=60)]], Field(min_length=1)]
    embargo: Annotated[int, Field(ge=0, le=60)]
    retrain_months: Annotated[int, Field(ge=1, le=24)]
    window_years: Annotated[float, Field(ge=1)]
    half_life_years: Annotated[float, Field(ge=0)]
    neutral: Share
    seeds: Annotated[int, Field(ge=1, le=20)]
    top: Annotated[int, Field(ge=1, le=60)]
    cost: Cost
    gain_sessions: Annotated[int, Field(ge=5, le=250)]
    claim_horizon: Annotated[int, Field(ge=1, le=120)]
    threads: Jobs
