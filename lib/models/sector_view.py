"""The sector view: scores of the sector rotation, for every portfolio that holds sectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from lib.models.gp.inputs import factor_inputs, join_panels
from lib.models.gp.settings import MIN_SYMBOLS, MiningSettings
from lib.models.gp.walkforward import walk_forward_mining

FIELDS = ("open", "high", "low", "close", "volume", "amount")


def sector_panels(market: Market, name: str) -> tuple[Panel, Panel] | None:
    """Return prices and valuations of the sectors of a list, as the rotation mines and scores them.

    Parameters
    ----------
    market : Market
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


@dataclass(frozen=True)
class _View:
    """What the cache stores of a sector view."""

    scores: pd.DataFrame


def sector_view(
    prices: Panel,
    valuations: Panel,
    search: Mapping,
    *,
    mining: tuple[Panel, Panel] | None = None,
    n_jobs: int = 1,
    cache_dir: str | Path | None = None,
    report: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Return the rotation's scores on every session.

    Parameters
    ----------
    prices, valuations : Panel, (T, N)
        Of the sectors that are scored.
    search : mapping
        ``first_mined``, ``seeds`` and the settings of the search.
    mining : (Panel, Panel), optional
        Prices and valuations of the sectors that formulas are mined on, such as ``sector_panels``
        gives; by default the scored ones.
    n_jobs, report
        As for ``walk_forward_mining``.
    cache_dir : path, optional
        Libraries that the rotation's own notebook has mined there with the same settings are used,
        and the scores are cached.

    Returns
    -------
    DataFrame, (T, N)
        A session is scored by all libraries mined on or before it; NaN before the first and where
        there is no view, so all NaN for a mined history that ends before ``first_mined``.

    Raises
    ------
    ModelError
        As ``walk_forward_mining``.
    ParameterError
        A setting that the search does not know.
    """
    mining = (prices, valuations) if mining is None else mining
    if mining[0].dates[-1] < pd.Timestamp(search["first_mined"]):
        return pd.DataFrame(np.nan, prices.dates, prices.symbols)
    code = [
        *sorted(Path(gp.__file__).parent.glob("*.py")),
        Path(forecast_evaluation.__file__),
        Path(__file__),
    ]
    folder = None if cache_dir is None else Path(cache_dir) / "sector_view"
    inputs = (prices, valuations, *mining, dict(search))

    def make() -> _View:
        return _View(_scores(prices, valuations, search, mining, n_jobs, cache_dir, report))

    return cached(_View, folder, make, inputs, code).scores


def _scores(prices, valuations, search, mining, n_jobs, cache_dir, report) -> pd.DataFrame:
    mined = factor_inputs(join_panels(*mining))
    scored = mined if mining[0] is prices else factor_inputs(join_panels(prices, valuations))
    settings = MiningSettings(
        **{name: value for name, value in search.items() if name not in ("first_mined", "seeds")}
    )
    libraries = walk_forward_mining(
        mined,
        settings,
        tuple(range(search["seeds"])),
        first=search["first_mined"],
        n_jobs=n_jobs,
        cache_dir=cache_dir,
        report=report,
    )
    return rotation_scores(scored, libraries)
