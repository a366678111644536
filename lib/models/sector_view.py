"""The sector view: scores of the sector rotation, for whoever holds sectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from lib.market.panel import Panel
from lib.models.gp.composite import rotation_scores
from lib.models.gp.inputs import factor_inputs, join_panels
from lib.models.gp.library import Library
from lib.models.gp.settings import Settings
from lib.models.gp.walkforward import walk_forward


def sector_view(
    prices: Panel,
    valuations: Panel,
    search: Mapping,
    *,
    n_jobs: int = 1,
    cache_dir: str | Path | None = None,
    report: Callable[[str], None] | None = None,
) -> tuple[pd.DataFrame, list[Library]]:
    """Return the rotation's scores on every session, and the libraries behind them.

    Parameters
    ----------
    prices, valuations : Panel, (T, N)
        Of the sectors.
    search : mapping
        ``first_quarter``, ``seeds`` and the settings of the search. Libraries that the rotation's own notebook has
        mined with the same ones are taken from the cache.
    n_jobs, cache_dir, report
        As for ``walk_forward``.

    Returns
    -------
    scores : DataFrame, (T, N)
        A session is scored by libraries mined on or before it; NaN before the first and where there is no view.
    libraries : list of Library

    Raises
    ------
    ModelError
        As ``walk_forward``.
    ParameterError
        A setting that the search does not know.
    """
    inputs = factor_inputs(join_panels(prices, valuations))
    settings = {name: value for name, value in search.items() if name not in ("first_quarter", "seeds")}
    libraries = walk_forward(
        inputs,
        Settings(**settings),
        tuple(range(search["seeds"])),
        first=search["first_quarter"],
        n_jobs=n_jobs,
        cache_dir=cache_dir,
        report=report,
    )
    return rotation_scores(inputs, libraries), libraries
