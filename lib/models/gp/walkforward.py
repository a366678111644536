"""Walk-forward: one mining per quarter end and seed, side by side, remembered on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from lib.market.errors import ModelError
from lib.market.fingerprint import fingerprint
from lib.market.panel import Panel
from lib.models import forecast_evaluation
from lib.models.cache import cache_key, load_entry
from lib.models.gp.admission import admit
from lib.models.gp.inputs import Inputs, factor_inputs, quarter_ends
from lib.models.gp.library import Entry, Library, load_library
from lib.models.gp.mining import mine, window_at, window_bounds
from lib.models.gp.programs import to_text
from lib.models.gp.settings import MiningSettings

#: modules of this package that do not change what a mining finds
NOT_IN_FINGERPRINT = (
    "__init__",
    "baseline",
    "composite",
    "library",
    "null_study",
    "textbook",
    "walkforward",
)


def walk_forward_mining(
    panel: Panel | Inputs,
    settings: MiningSettings,
    seeds: tuple[int, ...],
    *,
    first: str | pd.Timestamp,
    families=None,
    shuffled: bool = False,
    n_jobs: int = 1,
    cache_dir: str | Path | None = None,
    report: Callable[[str], None] | None = None,
) -> list[Library]:
    """Mine a library at every quarter end that can be mined from ``first`` on, for every seed.

    Parameters
    ----------
    panel : Panel or Inputs
        History up to the session of the run; a mining sees the rows up to its quarter end only.
    settings : MiningSettings
    seeds : tuple of int
    first : date
        The quarter ends on or after it are mined; see ``mining_ends``.
    families : iterable of str or None
        Operator families; None for all.
    shuffled : bool
        Mine labels that belong to other symbols: the null.
    n_jobs : int
        Minings side by side. The libraries do not depend on it, nor on joblib's back end: under
        ``joblib.parallel_config(backend="dask")`` the same minings run on a Dask cluster.
    cache_dir : path or None
        Libraries found there are used if data, settings and engine are unchanged, and new ones are
        saved there.
    report : callable or None
        Called with one line per finished quarter.

    Returns
    -------
    list of Library
        By date, then seed.

    Raises
    ------
    ModelError
        As ``mining_ends`` and ``window_at``.
    """
    inputs = factor_inputs(panel) if isinstance(panel, Panel) else panel
    ends = mining_ends(inputs, settings, first)
    families = None if families is None else sorted(families)
    folder = None if cache_dir is None else Path(cache_dir) / "gp_libraries"
    found: dict[tuple[int, int], Library] = {}
    missing = []
    for end in ends:
        content = _content(window_at(inputs, end, settings))
        for seed in seeds:
            inputs_of_key = (content, settings.asdict(), seed, families, shuffled)
            key = cache_key(*inputs_of_key, code=[_engine()])
            cached = None if folder is None else _cached(folder / key, end, seed, inputs)
            if cached is None:
                missing.append((end, seed, key))
            else:
                found[end, seed] = cached
    # each job gets the rows it may see and no more: rows after a quarter end cannot leak, and
    # little is shipped
    jobs = (
        delayed(_mine_one)(
            window_at(
                inputs, end, settings, shuffle=_shuffle(inputs, end, seed) if shuffled else None
            ),
            settings,
            seed,
            families,
            key,
        )
        for end, seed, key in missing
    )
    done = {end: sum((end, seed) in found for seed in seeds) for end in ends}
    for (end, seed, key), library in zip(
        missing, Parallel(n_jobs=n_jobs, return_as="generator")(jobs), strict=True
    ):
        found[end, seed] = library
        if folder is not None:
            library.save(folder / key)
        done[end] += 1
        if report is not None and done[end] == len(seeds):
            admitted = [len(found[end, one].entries) for one in seeds]
            report(f"{inputs.dates[end]:%Y-%m-%d}: {' '.join(map(str, admitted))} factors")
    return [found[end, seed] for end in ends for seed in seeds]


def mining_ends(inputs: Inputs, settings: MiningSettings, first: str | pd.Timestamp) -> np.ndarray:
    """Return the rows of the quarter ends that are mined, (Q,).

    Those on or after ``first``, from the first one whose window is long enough on. A quarter end at
    which the source has closes only is passed over: formulas of opens, ranges and volumes could not
    be validated there, and the libraries made before stay in force. ``close_only_quarters`` names
    them.

    Raises
    ------
    ModelError
        No such quarter end, or none with a window that is long enough.
    """
    ends = quarter_ends(inputs.dates)
    ends = ends[(inputs.dates[ends] >= pd.Timestamp(first)) & inputs.full_bars[ends]]
    if not len(ends):
        raise ModelError(
            f"no quarter ends between {pd.Timestamp(first):%Y-%m-%d} and"
            f" {inputs.dates[-1]:%Y-%m-%d}",
            remedy="choose an earlier first date or load later data",
        )
    for position, end in enumerate(ends):
        try:
            window_bounds(inputs, end, settings)
        except ModelError:
            # a history that has only begun: the first window follows when it has grown
            if position + 1 == len(ends):
                raise
        else:
            break
    return ends[position:]


def close_only_quarters(inputs: Inputs, first: str | pd.Timestamp) -> pd.DatetimeIndex:
    """Return the completed quarter ends from ``first`` on at which the source has closes only."""
    ends = quarter_ends(inputs.dates)
    days = inputs.dates[ends[~inputs.full_bars[ends]]]
    return days[days >= pd.Timestamp(first)]


def _mine_one(window, settings: MiningSettings, seed: int, families, key: str) -> Library:
    candidates, evaluated = mine(window, settings, seed, families)
    admission = admit(candidates, window, settings)
    entries = tuple(
        Entry(
            to_text(factor.tree, window.inputs.names),
            factor.sign,
            asdict(factor.training),
            asdict(factor.validation),
            factor.vif,
        )
        for factor in admission.factors
    )
    details = {
        "window": {
            "first": f"{window.first_date:%Y-%m-%d}",
            "last": f"{window.last_date:%Y-%m-%d}",
            "training_weeks": len(window.training.rows),
            "validation_weeks": len(window.validation.rows),
        },
        "inputs": window.inputs.names,
        "dropped": {**window.inputs.dropped, **window.dropped},
        "programs": evaluated,
        "candidates": admission.examined,
        "passed": admission.passed,
        "settings": settings.asdict(),
        "fingerprint": key,
    }
    return Library(window.last_date, seed, entries, details)


def _shuffle(inputs: Inputs, end: int, seed: int) -> int:
    return int(
        np.random.SeedSequence([seed, int(f"{inputs.dates[end]:%Y%m%d}"), 1]).generate_state(1)[0]
    )


@cache
def _engine() -> str:
    """Fingerprint of the modules that decide what a mining finds."""
    folder = Path(__file__).parent
    modules = [path for path in sorted(folder.glob("*.py")) if path.stem not in NOT_IN_FINGERPRINT]
    return fingerprint(*modules, Path(forecast_evaluation.__file__))


def _content(window) -> str:
    """Fingerprint of everything a mining may look at."""
    cut = window.inputs
    return fingerprint(cut.dates, cut.symbols, cut.values, cut.close)


def _cached(folder: Path, end: int, seed: int, inputs: Inputs) -> Library | None:
    path = folder / Library(inputs.dates[end], seed, ()).file_name
    return load_entry(path, lambda: load_library(path, unedited=True))
