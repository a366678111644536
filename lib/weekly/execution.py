"""Kernels of the running interpreter, and one notebook executed in one of them."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError, strip_color

from lib.market.errors import RunError

#: what a kernel gets unless the user has set it: sets and dictionaries in the same order in every run, and one BLAS
#: thread, because sums split over another number of threads differ in the last digit
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}


class OwnKernelManager(AsyncKernelManager):
    """Starts ipykernel in the interpreter that runs the suite, whatever kernel is installed as ``python3``.

    Attributes
    ----------
    extra : dict
        Further environment variables of the kernel.
    """

    extra: ClassVar[dict[str, str]] = {}

    @property
    def kernel_spec(self) -> KernelSpec:
        """Return the specification of this interpreter's kernel."""
        environment = {name: value for name, value in ENVIRONMENT.items() if name not in os.environ}
        return KernelSpec(
            # the kernel's own log tells of every orderly shutdown as of an error; what a cell raises comes back anyway
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=CRITICAL"],
            display_name="Python 3",
            language="python",
            env=environment | self.extra,
            metadata={"supported_encryption": ["curve"]},
        )


@dataclass(frozen=True)
class Failure:
    """Why a notebook stopped: the error, the number of the code cell and the head of its source."""

    error: str
    cell: int | None
    source: str | None


def execute(
    notebook: Path,
    executed: Path,
    parameters: dict[str, Any],
    on_cell: Callable[[], None] = lambda: None,
    environment: dict[str, str] | None = None,
) -> Failure | None:
    """Run one notebook with papermill and write what came out of it.

    Parameters
    ----------
    notebook, executed : Path
        The notebook, and where the executed one goes, complete or up to the cell that failed.
    parameters : dict
        Injected after the cell tagged ``parameters``; checked by the caller.
    on_cell : callable
        Is called after each code cell.
    environment : dict, optional
        Environment variables for the kernel.

    Returns
    -------
    Failure or None
        None when every cell ran.

    Raises
    ------
    RunError
        The executed notebook cannot be written.
    """
    state: dict[str, Any] = {"number": 0}

    def started(notebook):
        state["notebook"] = notebook

    def entered(cell, cell_index):
        state["number"] += 1
        state["source"] = cell.source

    try:
        papermill.execute_notebook(
            nbformat.read(notebook, as_version=4),
            _literal(executed),
            parameters=parameters,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            log_output=False,
            request_save_on_cell_execute=False,  # saving at each cell dominates heavy notebooks
            autosave_cell_every=0,
            start_timeout=120,
            kernel_manager_class=type("Manager", (OwnKernelManager,), {"extra": environment or {}}),
            resources={"metadata": {"path": str(notebook.parent)}},
            on_notebook_start=started,
            on_cell_execute=entered,
            on_cell_executed=lambda **_: on_cell(),
        )
    except PapermillExecutionError as error:
        return Failure(strip_color(f"{error.ename}: {error.evalue}"), state["number"], head(error.source))
    except DeadKernelError:
        # papermill has written nothing yet; what ran until here is worth keeping
        _write(state["notebook"], executed)
        return Failure(
            "the kernel died in this cell: it was killed, or the machine ran out of memory",
            state["number"],
            head(state["source"]),
        )
    except RuntimeError as error:
        return Failure(f"the kernel did not start: {error}", None, None)
    except OSError as error:
        raise unwritten(error, executed) from error
    return None


def code_cells(notebook: Path) -> int:
    """Count the code cells of a notebook."""
    return sum(cell.cell_type == "code" for cell in nbformat.read(notebook, as_version=4).cells)


def head(source: str, lines: int = 3) -> str:
    """Return the first lines of a cell."""
    kept = source.strip().splitlines()
    return "\n".join(kept[:lines] + (["..."] if len(kept) > lines else []))


def unwritten(error: OSError, path: Path) -> RunError:
    """Say that the run's folder cannot be written, and why."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason, remedy = "the disk is full", "free some disk space and run again; the earlier report is unchanged"
    else:
        reason, remedy = error.strerror or str(error), "check the folder and its permissions, or choose another --out"
    return RunError(f"the run's files cannot be written: {reason}", file=error.filename or path, remedy=remedy)


def _write(notebook, path: Path) -> None:
    try:
        nbformat.write(notebook, path)
    except OSError as error:
        raise unwritten(error, path) from error


def _literal(path: Path) -> str:
    """Return a path that papermill, which fills in braces, leaves as it is."""
    return str(path).replace("{", "{{").replace("}", "}}")
