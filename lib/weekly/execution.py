"""Execution of one notebook by papermill, in a kernel of the running interpreter."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError, strip_color

from lib.market.errors import RunError
from lib.weekly.forking import Running
from lib.weekly.kernels import OwnKernelManager

#: what jupyter_client says of a kernel that ended before it answered
DIED_AT_START = "Kernel died before replying"


@dataclass(frozen=True)
class Failure:
    """Why a notebook stopped: the error, the number of the code cell and the first lines of its
    source.
    """

    error: str
    cell: int | None
    source: str | None


def execute(
    notebook: Path,
    executed: Path,
    parameters: dict[str, Any],
    on_cell: Callable[[], None] = lambda: None,
    environment: dict[str, str] | None = None,
    running: Running | None = None,
    on_fallback: Callable[[str], None] = lambda reason: None,
) -> Failure | None:
    """Run one notebook with papermill and write the executed notebook.

    Parameters
    ----------
    notebook, executed : Path
        The notebook, and the path of the executed one, which is written up to a cell that fails.
    parameters : dict
        Injected after the cell tagged ``parameters``; checked by the caller.
    on_cell : callable
        Called after each code cell.
    environment : dict, optional
        Environment variables for the kernel.
    running : Running, optional
        The processes of the run, to which the kernel is added.
    on_fallback : callable
        Called with the reason when the kernel was not forked but is a new interpreter.

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
    run_processes = running or Running()

    class Manager(OwnKernelManager):
        extra = environment or {}
        running = run_processes

    def on_start(notebook):
        state["notebook"] = notebook

    def on_execute(cell, cell_index):
        state["number"] += 1
        state["source"] = cell.source

    def run_notebook():
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
            kernel_manager_class=Manager,
            resources={"metadata": {"path": str(notebook.parent)}},
            on_notebook_start=on_start,
            on_cell_execute=on_execute,
            on_cell_executed=lambda **_: on_cell(),
        )

    try:
        _start_twice(run_notebook, state)
    except PapermillExecutionError as error:
        return Failure(
            strip_color(f"{error.ename}: {error.evalue}"),
            state["number"],
            first_lines(error.source),
        )
    except DeadKernelError:
        # papermill has not written anything yet
        _write(state["notebook"], executed)
        fault = "the kernel died in this cell: it was killed, or the machine ran out of memory"
        return Failure(fault, state["number"], first_lines(state["source"]))
    except RuntimeError as error:
        return Failure(f"the kernel did not start: {error}", None, None)
    except OSError as error:
        raise write_error(error, executed) from error
    finally:
        if Manager.fallback:
            on_fallback(Manager.fallback)
    return None


def _start_twice(run_notebook: Callable[[], None], state: dict[str, Any]) -> None:
    """Run a notebook, once more when its kernel died before the first cell.

    Two kernels that start at once on a machine may choose the same ports, and one of them dies.
    """
    try:
        run_notebook()
    except RuntimeError as error:
        started = state["number"] > 0 or DIED_AT_START not in str(error)
        if started or isinstance(error, PapermillExecutionError | DeadKernelError):
            raise
        run_notebook()


def count_code_cells(notebook: Path) -> int:
    """Count the code cells of a notebook."""
    return sum(cell.cell_type == "code" for cell in nbformat.read(notebook, as_version=4).cells)


def first_lines(source: str, limit: int = 3) -> str:
    """Return the first lines of a cell, with an ellipsis for the others."""
    lines = source.strip().splitlines()
    return "\n".join(lines[:limit] + (["..."] if len(lines) > limit else []))


def write_error(error: OSError, path: Path) -> RunError:
    """Return the error of a run whose files cannot be written, with reason and remedy."""
    reason = error.strerror or str(error)
    remedy = "check the folder and its permissions, or choose another --out"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason = "the disk is full"
        remedy = "free some disk space and run again; the earlier report is unchanged"
    return RunError(
        f"the run's files cannot be written: {reason}", file=error.filename or path, remedy=remedy
    )


def _write(notebook, path: Path) -> None:
    try:
        nbformat.write(notebook, path)
    except OSError as error:
        raise write_error(error, path) from error


def _literal(path: Path) -> str:
    """Return a path with its braces escaped, because papermill formats paths."""
    return str(path).replace("{", "{{").replace("}", "}}")
