"""Weeks on a Dask cluster: one task a week, the store shared or sent once to each worker."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from distributed import Client, WorkerPlugin

from lib.market import ingest
from lib.market.atomic import atomic_write
from lib.market.errors import RunError
from lib.market.fingerprint import file_fingerprint
from lib.report.manifest import code_fingerprint
from lib.weekly.backfill import LocalMaker, Outcome, make_week, stop_weeks
from lib.weekly.forking import ENVIRONMENT
from lib.weekly.run import Settings

#: seconds for the scheduler to answer
ANSWER_WITHIN = 10
#: the order of sets is the same in every run
HASH_SEED = {name: ENVIRONMENT[name] for name in ("PYTHONHASHSEED",)}


class StorePlugin(WorkerPlugin):
    """Writes the store to each worker that does not have it, also to those that come later.

    Parameters
    ----------
    name : str
        Of the store's file.
    content : bytes
    """

    name = "weekly-store"

    def __init__(self, file: str, content: bytes):
        self.file = file
        self.content = content

    def setup(self, worker: object) -> None:
        """Write the store next to the worker's own files and use it from now on."""
        folder = Path(tempfile.gettempdir()) / f"weekly-store-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / self.file
        if not path.exists() or path.read_bytes() != self.content:
            atomic_write(path, self.content)
        os.environ["WEEKLY_STORE"] = str(folder)
        ingest.STORES = folder


class ClusterMaker(LocalMaker):
    """Makes weeks on the workers of a Dask cluster.

    Parameters
    ----------
    scheduler : str
        Its address, such as ``tcp://10.0.0.5:8786``.

    Raises
    ------
    RunError
        The scheduler does not answer.
    """

    waits = False

    def __init__(self, scheduler: str):
        super().__init__()
        try:
            self.client = Client(scheduler, timeout=ANSWER_WITHIN, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise RunError(
                f"the scheduler {scheduler} does not answer: {error}",
                remedy="start it with dask scheduler, or leave SCHEDULER out",
            ) from error

    def prepare(self, store: Path, out: Path, *, send: bool = False) -> None:
        """Check that every worker has this code, the store and the folder of the reports.

        Parameters
        ----------
        store : Path
            File of the store.
        out : Path
            Folder of the reports.
        send : bool
            Send the store to the workers instead of looking for it there.

        Raises
        ------
        RunError
            There is no worker, or one of them cannot do the work.
        """
        threads = self.client.nthreads()
        if not threads:
            raise RunError(
                "the cluster has no worker", remedy="start some: dask worker <scheduler>"
            )
        self.workers = sum(threads.values())
        out.mkdir(parents=True, exist_ok=True)
        token = out / f".token-{uuid4().hex}"
        token.touch()
        try:
            if send:
                self.client.register_plugin(StorePlugin(store.name, store.read_bytes()))
            content = "" if send else file_fingerprint(store)
            faults = self.client.run(faults_of_worker, store, content, token, code_fingerprint())
        finally:
            token.unlink()
        _raise_faults(faults)

    def __call__(self, settings: Settings, notebooks: Path, params: Path) -> Outcome:
        """Make the report of a week on a worker; a worker that dies costs a second try."""
        future = self.client.submit(
            make_week_on_worker, settings, notebooks, params, pure=False, key=f"week-{uuid4().hex}"
        )
        return future.result()

    def stop(self) -> None:
        """End the weeks in work on all workers."""
        with contextlib.suppress(OSError, TimeoutError):  # a scheduler that is gone
            self.client.run(stop_weeks)
        self.client.close(timeout=ANSWER_WITHIN)


def make_week_on_worker(settings: Settings, notebooks: Path, params: Path) -> Outcome:
    """Make the report of a week on a worker, with the hash seed of all runs: Dask sets another.

    Parameters
    ----------
    settings : Settings
        Of the week.
    notebooks, params : Path
        As for ``make_week``.
    """
    os.environ.update(HASH_SEED)
    return make_week(settings, notebooks, params)


def faults_of_worker(store: Path, content: str, token: Path, code: str) -> list[str]:
    """Return why this worker cannot make reports, an empty list when it can.

    Parameters
    ----------
    store : Path
        File of the store.
    content : str
        Hash of the store, empty when it was sent.
    token : Path
        A file in the folder of the reports.
    code : str
        Fingerprint of the suite's code.
    """
    faults = []
    here = ingest.STORES / store.name
    if content and not (here.exists() and file_fingerprint(here) == content):
        faults.append(f"it has not the store {here}, or another content of it")
    if not token.exists() or not os.access(token.parent, os.W_OK):
        faults.append(f"it cannot write to the folder of the reports {token.parent}")
    if code_fingerprint() != code:
        faults.append("its code, its packages or its parameters differ")
    return faults


def _raise_faults(faults: Mapping[str, list[str]]) -> None:
    lines = [f"{worker}: {fault}" for worker, found in faults.items() for fault in found]
    if lines:
        raise RunError(
            "workers cannot make reports:\n    " + "\n    ".join(lines),
            remedy="share the folders (docs/backfill.md), or send the store with SEND_STORE=1",
        )
