"""The sector view: scores of the sector rotation, for every portfolio that holds sectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.market.errors import ParameterError
from lib.market.panel import Panel
from lib.market.pointintime import Market
from lib.market.universe import read_universe
from lib.models import forecast_evaluation, gp
from lib.models.cache import cached
from lib.models.gp.composite import rotation_scores
from lib.models.gp.inputs import Inputs, factor_inputs, join_panels
from lib.models.gp.library import Library
from lib.models.gp.settings import MIN_SYMBOLS, MiningSettings
from lib.models.gp.walkforward import walk_forward_mining

FIELDS = ("open", "high", "low", "close", "volume", "amount")
#: what decides the scores, next to data and settings
CODE = (
    *sorted(Path(gp.__file__).parent.glob("*.py")),
    Path(forecast_evaluation.__file__),
    Path(__file__),
)


@dataclass(frozen=True)
class SectorView:
    """Scores of the sectors.

    Attributes
    ----------
    scores : DataFrame, (T, S)
        NaN where there is no view.
    """

    scores: pd.DataFrame


@dataclass(frozen=True)
class SeedScores:
    """Scores of each seed by its number, (T, N) each."""

    by_seed: dict[str, pd.DataFrame]


def sector_panels(market: Market, name: str) -> tuple[Panel, Panel] | None:
    """Return prices and valuations of the sectors of a list, as the rotation mines and scores them.

    Parameters
    ----------
    market : Market
        Gives bars and valuations.
    name : str
        Stem of a list in ``params/universe``.

    Returns
    -------
    prices, valuations : Panel, (T, N)
        Of the N sectors that the data hold; None when these are fewer than 15: then another
        universe has to be mined, and a note has to say so.

    Raises
    ------
    DataError
        No such list.
    ParameterError
        The list itself has fewer than 15 sectors.
    """
    listed = read_universe(name).index
    if len(listed) < MIN_SYMBOLS:
        raise ParameterError(
            f"the list {name} has {len(listed)} sectors",
            remedy=(
                f"a cross-section needs at least {MIN_SYMBOLS}: choose another list in"
                " params/universe"
            ),
        )
    held = listed[listed.isin(market.instruments().index)]
    if len(held) < MIN_SYMBOLS:
        return None
    return market.panel(held, FIELDS), market.valuation(held)


def sector_view(
    prices: Panel,
    valuations: Panel,
    settings: MiningSettings,
    *,
    seeds: int,
    first_mined: str,
    mining: tuple[Panel, Panel] | None = None,
    earlier: tuple[pd.Series, str] | None = None,
    sessions: pd.DatetimeIndex | None = None,
    n_jobs: int = 1,
    cache_dir: str | Path | None = None,
    report: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Return the rotation's scores.

    Parameters
    ----------
    prices, valuations : Panel, (T, N)
        Of the sectors that are scored.
    settings : MiningSettings
        Of the search.
    seeds : int
        Minings per quarter, averaged.
    first_mined : date
        Quarter ends on or after it are mined.
    mining : (Panel, Panel), optional
        Prices and valuations of the sectors that formulas are mined on, such as ``sector_panels``
        gives; by default the scored ones.
    earlier : (Series, date), optional
        By scored sector its counterpart in ``mining``, and the handover: the counterparts' scores
        serve before it, and later on sessions on which no scored sector has a score.
    sessions : DatetimeIndex, optional
        Sessions that are scored; by default all.
    n_jobs, report
        As for ``walk_forward_mining``.
    cache_dir : path, optional
        Libraries that the rotation's own notebook has mined there with the same settings are used,
        and the scores are cached.

    Returns
    -------
    DataFrame, (T', N)
        On those of ``sessions`` that the scored sectors or, with ``earlier``, the mined ones have.
        A session is scored by all libraries mined on or before it; NaN before the first and where
        there is no view, so all NaN for a mined history that ends before ``first_mined``.

    Raises
    ------
    ModelError
        As ``walk_forward_mining``.
    """
    mined_panels = (prices, valuations) if mining is None else mining
    if mined_panels[0].dates[-1] < pd.Timestamp(first_mined):
        return pd.DataFrame(np.nan, prices.dates, prices.symbols)

    def make() -> SectorView:
        mined = factor_inputs(join_panels(*mined_panels))
        libraries = walk_forward_mining(
            mined,
            settings,
            tuple(range(seeds)),
            first=first_mined,
            n_jobs=n_jobs,
            cache_dir=cache_dir,
            report=report,
        )
        scored = mined if mining is None else factor_inputs(join_panels(prices, valuations))
        scores = _scores(scored, libraries, sessions)
        if earlier is None:
            return SectorView(scores)
        return SectorView(_join_earlier(scores, mined, libraries, sessions, *earlier))

    inputs = (prices, valuations, *mined_panels, settings, seeds, first_mined)
    choice = (sessions, None if earlier is None else (earlier[0].to_dict(), earlier[1]))
    return cached(SectorView, _folder(cache_dir), make, (*inputs, *choice), CODE).scores


def scores_by_seed(
    inputs: Inputs,
    libraries: list[Library],
    sessions: pd.DatetimeIndex,
    cache_dir: str | Path | None = None,
) -> dict[int, pd.DataFrame]:
    """Return the scores of each seed's libraries, as ``rotation_scores`` makes them, from the cache
    where they are stored there.

    Parameters
    ----------
    inputs : Inputs, (T, N)
        The sectors that are scored.
    libraries : list of Library
        Of all seeds and quarters.
    sessions : DatetimeIndex, (K,)
        Sessions that are scored, such as the last ones of the weeks; the others are NaN.
    cache_dir : path, optional
        Of cached scores; None scores them again.

    Returns
    -------
    dict of int to DataFrame, (T, N)
    """

    def make() -> SeedScores:
        wanted = dict(since=sessions[0], sessions=sessions)
        frames = rotation_scores(inputs, libraries, by_seed=True, **wanted)
        return SeedScores({str(seed): frame for seed, frame in frames.items()})

    formulas = [
        (f"{library.mined_on:%Y-%m-%d}", library.seed, entry.formula, entry.sign)
        for library in libraries
        for entry in library.entries
    ]
    key = (inputs.dates, inputs.symbols, inputs.values, formulas, sessions)
    stored = cached(SeedScores, _folder(cache_dir), make, key, CODE)
    return {int(seed): frame for seed, frame in stored.by_seed.items()}


def _scores(
    inputs: Inputs, libraries: list[Library], sessions: pd.DatetimeIndex | None
) -> pd.DataFrame:
    """Return the scores on some sessions, (T', N)."""
    scores = rotation_scores(inputs, libraries, sessions=sessions)
    return scores if sessions is None else scores[scores.index.isin(sessions)]


def _join_earlier(
    scores: pd.DataFrame,
    mined: Inputs,
    libraries: list[Library],
    sessions: pd.DatetimeIndex | None,
    counterparts: pd.Series,
    handover: str,
) -> pd.DataFrame:
    """Return the scores with those of the mined sectors before them, as ``join_views`` does; later
    sessions, on which they are not needed, are not scored.
    """
    dates = scores.index.union(mined.dates)
    if sessions is not None:
        dates = dates[dates.isin(sessions)]
    needed = dates[~_is_scored(scores.reindex(dates), handover)]
    stop = mined.dates.searchsorted(needed[-1], side="right") if len(needed) else 0
    earlier = _scores(mined.rows(0, stop), libraries, sessions)
    return join_views(scores, earlier, counterparts, handover)


def join_views(
    view: pd.DataFrame, earlier: pd.DataFrame, counterparts: pd.Series, handover: str
) -> pd.DataFrame:
    """Put scores of a second classification of sectors before those of the first.

    Parameters
    ----------
    view : DataFrame, (T, S)
        Scores of the sectors that funds carry, used from ``handover`` on where a session has any.
    earlier : DataFrame, (T', S')
        Scores of the other classification, used on all other sessions.
    counterparts : Series, indexed by sector of ``view``
        Its counterpart in ``earlier``; empty where there is none.
    handover : date
        Sessions from here on have the scores of the first classification.

    Returns
    -------
    DataFrame, (T'', S)
        On the sessions of both; NaN where neither has a score. A row depends on no other row.
    """
    dates = view.index.union(earlier.index)
    renamed = {symbol: earlier[other] for symbol, other in counterparts.items() if other in earlier}
    counterpart = pd.DataFrame(renamed, index=earlier.index)
    scores = view.reindex(dates)
    counterpart = counterpart.reindex(index=dates, columns=view.columns)
    return scores.where(_is_scored(scores, handover), counterpart)


def _is_scored(scores: pd.DataFrame, handover: str) -> pd.Series:
    """Return on which sessions the view itself is used, (T,)."""
    return scores.notna().any(axis=1) & (scores.index >= pd.Timestamp(handover))


def _folder(cache_dir: str | Path | None) -> Path | None:
    return None if cache_dir is None else Path(cache_dir) / "sector_view"
