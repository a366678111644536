"""Walk-forward: libraries mined at every quarter end, quarters side by side, cached on disk."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from joblib._parallel_backends import LokyBackend
from joblib.parallel import get_active_backend

from lib.market.errors import ModelError
from lib.market.fingerprint import fingerprint
from lib.market.panel import Panel
from lib.models import forecast_evaluation
from lib.models.cache import cache_key, load_entry
from lib.models.gp.admission import admit
from lib.models.gp.inputs import Inputs, factor_inputs, quarter_ends
from lib.models.gp.library import Entry, Library, load_library
from lib.models.gp.mining import Window, shuffle_labels, window_at, window_bounds
from lib.models.gp.operators import UNWINDOWED, WINDOWED, compile_kernels
from lib.models.gp.programs import to_text
from lib.models.gp.search import Candidate, mine
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
    seeds: Sequence[int],
    *,
    first: str | pd.Timestamp,
    families=None,
    n_jobs: int = 1,
    cache_dir: str | Path | None = None,
    report: Callable[[str], None] | None = None,
) -> list[Library]:
    """Mine a library at every quarter end that can be mined from ``first`` on, for every seed.

    Parameters
    ----------
    panel, settings, seeds, first, families, n_jobs, cache_dir, report
        As for ``mine_with_null``.

    Returns
    -------
    list of Library
        By date, then seed.

    Raises
    ------
    ModelError
        As ``mining_ends`` and ``window_at``.
    """
    options = dict(families=families, n_jobs=n_jobs, cache_dir=cache_dir, report=report)
    return mine_with_null(panel, settings, seeds, (), first=first, **options)[0]


def mine_with_null(
    panel: Panel | Inputs,
    settings: MiningSettings,
    seeds: Sequence[int],
    null_seeds: Sequence[int],
    *,
    first: str | pd.Timestamp,
    families=None,
    n_jobs: int = 1,
    cache_dir: str | Path | None = None,
    report: Callable[[str], None] | None = None,
) -> tuple[list[Library], list[Library]]:
    """Mine libraries at every quarter end from ``first`` on, and their null with them.

    All minings of one quarter share the values of their formulas, which is why the null costs less
    here than by itself.

    Parameters
    ----------
    panel : Panel or Inputs
        History up to the session of the run; a mining sees the rows up to its quarter end only.
    settings : MiningSettings
    seeds : sequence of int
        Minings of the sectors' own labels.
    null_seeds : sequence of int
        Minings of labels that belong to other sectors.
    first : date
        The quarter ends on or after it are mined; see ``mining_ends``.
    families : iterable of str or None
        Operator families; None for all.
    n_jobs : int
        Quarters mined side by side. The libraries do not depend on it, nor on joblib's back end:
        under ``joblib.parallel_config(backend="dask")`` they are mined on a Dask cluster.
    cache_dir : path or None
        Libraries found there are used if data, settings and engine are unchanged, and new ones are
        saved there.
    report : callable or None
        Called with one line per quarter that was mined.

    Returns
    -------
    libraries, null : list of Library
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
    runs = [(seed, False) for seed in seeds] + [(seed, True) for seed in null_seeds]
    libraries: dict[tuple[int, int, bool], Library] = {}
    keys: dict[tuple[int, int, bool], str] = {}
    missing: dict[int, list[tuple[int, bool]]] = {}
    digests = row_digests(inputs)
    for end in ends:
        seen = fingerprint(inputs.names, inputs.symbols, digests[: end + 1])
        for seed, shuffled in runs:
            key = cache_key(seen, settings.asdict(), seed, families, shuffled, code=[_engine()])
            keys[end, seed, shuffled] = key
            stored = None if folder is None else _stored(folder / key, end, seed, inputs)
            if stored is None:
                missing.setdefault(end, []).append((seed, shuffled))
            else:
                libraries[end, seed, shuffled] = stored
    # a job gets the rows it may see and no more: rows after a quarter end cannot leak
    jobs = (
        (window_at(inputs, end, settings), settings, wanted, families)
        for end, wanted in missing.items()
    )
    for (end, wanted), mined in zip(missing.items(), _side_by_side(jobs, n_jobs), strict=True):
        for (seed, shuffled), library in zip(wanted, mined, strict=True):
            key = keys[end, seed, shuffled]
            library.details["fingerprint"] = key
            libraries[end, seed, shuffled] = library
            if folder is not None:
                library.save(folder / key)
        if report is not None:
            admitted = " ".join(str(len(library.entries)) for library in mined)
            report(f"{inputs.dates[end]:%Y-%m-%d}: {admitted} factors")
    mined_libraries = [libraries[end, seed, False] for end in ends for seed in seeds]
    return mined_libraries, [libraries[end, seed, True] for end in ends for seed in null_seeds]


def _side_by_side(jobs: Iterable[tuple], n_jobs: int) -> Iterator[list[Library]]:
    """Mine quarters in as many processes, and yield their libraries in the jobs' order."""
    backend, _ = get_active_backend()
    if n_jobs == 1 and isinstance(backend, LokyBackend):
        yield from (_mine_quarter(*job) for job in jobs)
    elif sys.platform == "linux" and isinstance(backend, LokyBackend):
        # a forked process has the packages and kernels loaded, which takes a fresh one seconds
        with ProcessPoolExecutor(n_jobs, get_context("fork")) as workers:
            # on a fresh machine each process compiles its share of the kernels for all
            list(workers.map(compile_kernels, ("rank", *UNWINDOWED, *WINDOWED)))
            yield from workers.map(_mine_quarter, *zip(*jobs, strict=True))
    else:
        calls = (delayed(_mine_quarter)(*job) for job in jobs)
        yield from Parallel(n_jobs=n_jobs, return_as="generator")(calls)


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


def _mine_quarter(
    window: Window, settings: MiningSettings, runs: list[tuple[int, bool]], families
) -> list[Library]:
    """Mine one quarter end with several seeds; returns a library for each run (seed, shuffled)."""
    windows = [shuffle_labels(window, seed) if shuffled else window for seed, shuffled in runs]
    candidates_by_run = mine(windows, settings, [seed for seed, _ in runs], families)
    return [
        _library(candidates, judged_on, settings, seed)
        for candidates, judged_on, (seed, _) in zip(candidates_by_run, windows, runs, strict=True)
    ]


def _library(
    candidates: list[Candidate], window: Window, settings: MiningSettings, seed: int
) -> Library:
    """Return the library of those candidates that are admitted."""
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
        "programs": settings.population * settings.generations,
        "candidates": admission.examined,
        "passed": admission.passed,
        "settings": settings.asdict(),
    }
    return Library(window.last_date, seed, entries, details)


@cache
def _engine() -> str:
    """Fingerprint of the modules that decide what a mining finds."""
    folder = Path(__file__).parent
    modules = [path for path in sorted(folder.glob("*.py")) if path.stem not in NOT_IN_FINGERPRINT]
    return fingerprint(*modules, Path(forecast_evaluation.__file__))


def row_digests(inputs: Inputs) -> list[str]:
    """Return a hash of what a mining may look at on each session, (T,).

    The key of a quarter is made of those of its sessions, so that every value is hashed once
    however many quarters see it.
    """
    days = inputs.dates.as_unit("ns").asi8
    panels = [*inputs.values.values(), inputs.close]
    digests = []
    for row, day in enumerate(days):
        digest = hashlib.blake2b(day.tobytes(), digest_size=16)
        for panel in panels:
            digest.update(panel[row])
        digests.append(digest.hexdigest())
    return digests


def _stored(folder: Path, end: int, seed: int, inputs: Inputs) -> Library | None:
    """Return a library from the cache, None where it is missing or cannot be used."""
    path = folder / Library(inputs.dates[end], seed, ()).file_name
    return load_entry(path, lambda: load_library(path, unedited=True))
