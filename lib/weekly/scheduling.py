"""Jobs that wait for each other, a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Job:
    """A function to call once.

    Attributes
    ----------
    name : str
    run : callable
        Called in a thread.
    after : collection of str
        The jobs that have to be done before.
    seconds : float
        How long it is expected to take.
    """

    name: str
    run: Callable[[], Any]
    after: Collection[str] = ()
    seconds: float = 0.0


def run_jobs(jobs: Sequence[Job], workers: int, stop: Callable[[], None]) -> None:
    """Run jobs until all are done; of those that can start, the head of the longest chain starts.

    Parameters
    ----------
    jobs : sequence of Job
        Each after those that it waits for; jobs of equal chains start in this order.
    workers : int
        Jobs at a time.
    stop : callable
        Ends the running jobs when one of them raises or the user interrupts; the error is raised
        when they have ended.
    """
    chains = _chains(jobs)
    waiting = sorted(jobs, key=lambda job: -chains[job.name])
    running: dict[Future, Job] = {}
    done: set[str] = set()
    with ThreadPoolExecutor(workers) as pool:
        try:
            while waiting or running:
                ready = [job for job in waiting if done.issuperset(job.after)]
                for job in ready[: workers - len(running)]:
                    running[pool.submit(job.run)] = job
                    waiting.remove(job)
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    future.result()
                    done.add(running.pop(future).name)
        except BaseException:
            stop()
            raise


def _chains(jobs: Sequence[Job]) -> Mapping[str, float]:
    """Return the seconds from the start of each job to the end of the last that waits for it."""
    chains: dict[str, float] = {}
    for job in reversed(jobs):
        later = [chains[other.name] for other in jobs if job.name in other.after]
        chains[job.name] = job.seconds + max(later, default=0.0)
    return chains
