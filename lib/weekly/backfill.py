"""The reports of all weeks in a span: ``python -m lib.weekly.backfill --from ... --to ...``.

Each week sees what was known then. The first week of each quarter is made before the others of the
quarter, which find its models and libraries in the cache.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from lib.exhibits.parameters import PARAMS
from lib.exhibits.plan import NOTEBOOKS
from lib.market.calendar import Sessions
from lib.market.errors import RunError, SuiteError
from lib.market.ingest import NAMED_SOURCES, open_market
from lib.market.pointintime import read_date
from lib.weekly.cli import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_REFUSED, add_run_options
from lib.weekly.forking import Running
from lib.weekly.languages import languages_of
from lib.weekly.run import Settings, index_runs, weekly_run
from lib.weekly.scheduling import Job, run_jobs


@dataclass(frozen=True)
class Outcome:
    """What became of a week.

    Attributes
    ----------
    week : str
        Its last session, the name of its folder.
    status : str
        ``made``, ``kept`` when its inputs were unchanged, or ``failed``.
    error : str
        Why it failed.
    """

    week: str
    status: str
    error: str = ""


#: the weeks in work in this process
_weeks_in_work: set[Running] = set()


def stop_weeks() -> None:
    """End the weeks in work in this process; their folders are as they were."""
    for running in list(_weeks_in_work):
        running.stop()


class LocalMaker:
    """Makes weeks in threads of this process; their notebooks are processes of the fork server.

    Attributes
    ----------
    workers : int
        Weeks at a time.
    waits : bool
        A report waits until the earlier weeks that have begun are there.
    """

    waits = True

    def __init__(self) -> None:
        self.workers = os.cpu_count() or 1
        self._in_work: dict[str, threading.Event] = {}

    def __call__(self, settings: Settings, notebooks: Path, params: Path) -> Outcome:
        """Make the report of a week."""
        finished = self._in_work[settings.as_of] = threading.Event()
        try:
            return make_week(
                settings, notebooks, params, partial(self._wait_for_earlier, settings.as_of)
            )
        finally:
            del self._in_work[settings.as_of]
            finished.set()

    def _wait_for_earlier(self, week: str) -> None:
        for other, finished in list(self._in_work.items()):
            if other < week:
                finished.wait()

    def prepare(self, store: Path, out: Path, *, send: bool = False) -> None:
        """Do nothing: this process has all that a week needs.

        Parameters
        ----------
        store, out, send
            As for ``lib.weekly.cluster.ClusterMaker``.
        """

    def stop(self) -> None:
        """End the weeks in work."""
        stop_weeks()


def make_week(
    settings: Settings,
    notebooks: Path,
    params: Path,
    before_report: Callable[[], None] = lambda: None,
) -> Outcome:
    """Make the report of a week, unless its folder has it with the same inputs.

    Parameters
    ----------
    settings : Settings
        ``as_of`` is the last session of the week.
    notebooks, params
        As for ``weekly_run``.
    before_report : callable
        Called before the report notebook.
    """
    running = Running(before_report)
    _weeks_in_work.add(running)
    try:
        manifest = weekly_run(settings, notebooks=notebooks, params=params, running=running)
    except SuiteError as error:
        return Outcome(settings.as_of, "failed", str(error))
    finally:
        _weeks_in_work.discard(running)
    faults = [f"{each.name}: {each.error}" for each in manifest.sections if not each.done]
    faults += [f"{each.file}: {each.error}" for each in manifest.exports if not each.done]
    if faults:
        return Outcome(settings.as_of, "failed", "\n".join(faults))
    kept = all(each.status == "reused" for each in manifest.sections)
    return Outcome(settings.as_of, "kept" if kept else "made")


def weeks_between(sessions: Sessions, first, last, until=None) -> list[pd.Timestamp]:
    """Return the last session of each completed week in a span.

    Parameters
    ----------
    sessions : Sessions
        The exchange calendar.
    first, last : date
        A week is in the span when its last session is.
    until : date, optional
        The data end then: later weeks are not completed.

    Raises
    ------
    RunError
        The span ends before it begins, or has no completed week.
    """
    first, last = read_date(first), read_date(last)
    if first > last:
        raise RunError(
            f"the span ends on {last:%Y-%m-%d}, before it begins on {first:%Y-%m-%d}",
            remedy="give FROM before TO",
        )
    ends = sessions.weeks(until=until)["last"]
    inside = ends[(ends >= first) & (ends <= last)]
    if not len(inside):
        known = ends.iloc[-1] if len(ends) else sessions.all[0]
        raise RunError(
            f"no week is completed from {first:%Y-%m-%d} to {last:%Y-%m-%d}",
            remedy=f"give a span with the last session of a week; the last one is {known:%Y-%m-%d}",
        )
    return list(inside)


def backfill(
    settings: Settings,
    weeks: Sequence[pd.Timestamp],
    make: LocalMaker,
    *,
    workers: int,
    notebooks: Path = NOTEBOOKS,
    params: Path = PARAMS,
) -> list[Outcome]:
    """Make the reports of weeks, several at a time, and return their outcomes in their order.

    A report compares with the weeks before it. One that did not see all that were made is therefore
    made again at the end, from the sections that it has.

    Parameters
    ----------
    settings : Settings
        Of all weeks.
    weeks : sequence of Timestamp
        Last sessions, sorted.
    make : LocalMaker or ClusterMaker
        Makes one week.
    workers : int
        Weeks at a time.
    notebooks, params : Path
        As for ``weekly_run``.
    """
    outcomes: dict[str, Outcome] = {}
    began: dict[str, float] = {}
    ended: dict[str, float] = {}
    names = [f"{week:%Y-%m-%d}" for week in weeks]

    def _make_one(name: str, at_a_time: int, bar: tqdm) -> None:
        """Make a week and keep its outcome; the second time only when the report has changed."""
        began.setdefault(name, time.monotonic())
        week = replace(settings, as_of=name, workers=at_a_time, resume=True, as_stored=True)
        try:
            outcome = make(replace(week, quiet=True), notebooks, params)
        except Exception as error:  # a lost worker or scheduler: the other weeks go on
            outcome = Outcome(name, "failed", f"{type(error).__name__}: {error}")
        ended.setdefault(name, time.monotonic())
        first = outcomes.get(name)
        if first is None or outcome.status != "kept":
            outcomes[name] = outcome
        if first is None:
            bar.update()
            if outcome.status != "kept":
                bar.write(_line(outcome))
        index_runs(settings.out, index_language)

    settings.out.mkdir(parents=True, exist_ok=True)
    index_language = languages_of(settings.language)[0]
    leaders = _leaders(weeks)
    with tqdm(total=len(names), unit="week", disable=None) as bar:
        jobs = []
        for name, leader in zip(names, leaders, strict=True):
            # the first week has all cores, since all others wait for its models
            at_a_time = workers if name == names[0] else 1
            after = {leader} if leader else set()
            jobs.append(Job(name, partial(_make_one, name, at_a_time, bar), after))
        run_jobs(jobs, workers, make.stop)
        made = [name for name in names if outcomes[name].status == "made"]
        saw_until = ended if make.waits else began
        again = []
        for name in names:
            late = [other for other in made if other < name and ended[other] > saw_until[name]]
            if late and _done(outcomes[name]):
                again.append(name)
        again_jobs = [Job(name, partial(_make_one, name, 1, bar)) for name in again]
        run_jobs(again_jobs, workers, make.stop)
    return [outcomes[name] for name in names]


def _done(outcome: Outcome) -> bool:
    return outcome.status != "failed"


def _leaders(weeks: Sequence[pd.Timestamp]) -> list[str | None]:
    """Return for each week the one that it waits for: the first of its quarter, or of the one
    before.
    """
    leaders: list[str | None] = []
    first: dict[pd.Period, str] = {}
    last_leader = None
    for week in weeks:
        # a week that ends on the last day of a quarter uses what is fitted then
        quarter = (week + pd.offsets.BDay(1)).to_period("Q")
        leaders.append(first.get(quarter, last_leader))
        if quarter not in first:
            first[quarter] = last_leader = f"{week:%Y-%m-%d}"
    return leaders


def _line(outcome: Outcome) -> str:
    lines = [f"{outcome.week}  {outcome.status}", *outcome.error.splitlines()]
    return "\n    ".join(lines)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    command = argparse.ArgumentParser(
        prog="python -m lib.weekly.backfill",
        description="Make the reports of all completed weeks in a span.",
    )
    command.add_argument("--from", dest="first", required=True, help="first date, as 2024-06-14")
    command.add_argument("--to", dest="last", required=True, help="last date")
    add_run_options(command)
    command.add_argument(
        "--scheduler", default="", help="address of a Dask scheduler (default: the local cores)"
    )
    command.add_argument(
        "--send-store",
        action="store_true",
        help="send the store to workers that do not share its folder",
    )
    return command


def main(arguments: list[str] | None = None) -> int:
    """Make the weeks of a span and return the exit code, 0 when none failed."""
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        outcomes = _run(options)
    except SuiteError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_REFUSED
    except KeyboardInterrupt:
        print("interrupted; the weeks made so far are kept", file=sys.stderr)
        return EXIT_INTERRUPTED
    counts = pd.Series([each.status for each in outcomes]).value_counts()
    print(", ".join(f"{count} {status}" for status, count in counts.items()))
    print(f"index: {options.out / 'index.html'}")
    return 0 if all(map(_done, outcomes)) else EXIT_FAILED


def _run(options: argparse.Namespace) -> list[Outcome]:
    """Check everything that can be checked at once, then make the weeks."""
    calendar = Sessions.load()
    if read_date(options.last) <= calendar.horizon:
        weeks_between(calendar, options.first, options.last)  # before the store is filled
    languages_of(options.language)
    named = options.data in NAMED_SOURCES
    settings = Settings(
        data=options.data if named else str(Path(options.data).resolve()),
        out=options.out.resolve(),
        language=options.language,
        accept_revisions=options.accept_revisions,
    )
    maker: LocalMaker
    if options.scheduler:
        from lib.weekly.cluster import ClusterMaker

        maker = ClusterMaker(options.scheduler)
    else:
        maker = LocalMaker()
    market = open_market(
        settings.data,
        accept_revisions=settings.accept_revisions,
        allow_stale=True,
        progress=lambda file: tqdm.write(f"reading {file}"),
    )
    weeks = weeks_between(market.sessions, options.first, options.last, until=market.as_of)
    maker.prepare(market.store.path, settings.out, send=options.send_store)
    workers = options.workers or maker.workers
    return backfill(settings, weeks, maker, workers=workers)


if __name__ == "__main__":
    sys.exit(main())
