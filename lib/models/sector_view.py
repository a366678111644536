"""The sector view: scores of the sector rotation, for whoever holds sectors."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from lib.market.fingerprint import fingerprint
from lib.market.panel import Panel
from lib.models import gp
from lib.models.gp.composite import rotation_scores
from lib.models.gp.inputs import factor_inputs, join_panels
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
) -> pd.DataFrame:
    """Return the rotation's scores on every session.

    Parameters
    ----------
    prices, valuations : Panel, (T, N)
        Of the sectors.
    search : mapping
        ``first_quarter``, ``seeds`` and the settings of the search.
    n_jobs, report
        As for ``walk_forward``.
    cache_dir : path, optional
        Libraries that the rotation's own notebook has mined there with the same settings are used, and the scores are
        kept under the fingerprint of data, settings and code.

    Returns
    -------
    DataFrame, (T, N)
        A session is scored by libraries mined on or before it; NaN before the first and where there is no view, so all
        NaN for a history that ends before the first quarter that is mined.

    Raises
    ------
    ModelError
        As ``walk_forward``.
    ParameterError
        A setting that the search does not know.
    """
    if prices.dates[-1] < pd.Timestamp(search["first_quarter"]):
        return pd.DataFrame(np.nan, prices.dates, prices.symbols)
    if cache_dir is None:
        return _scores(prices, valuations, search, n_jobs, None, report)
    code = sorted(Path(gp.__file__).parent.glob("*.py"))
    path = Path(cache_dir) / "sector_view" / f"{fingerprint(prices, valuations, dict(search), code)}.parquet"
    if not path.exists():
        scores = _scores(prices, valuations, search, n_jobs, cache_dir, report)
        path.parent.mkdir(parents=True, exist_ok=True)
        # written aside, then renamed: a killed run leaves no half of it
        aside = path.with_name(f"{path.name}.{os.getpid()}")
        scores.to_parquet(aside)
        os.replace(aside, path)
    return pd.read_parquet(path)


def _scores(prices, valuations, search, n_jobs, cache_dir, report) -> pd.DataFrame:
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
    return rotation_scores(inputs, libraries)
