"""Processes forked from the fork server: no interpreter start, no imports, no shared state."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from lib.market.errors import RunError
from lib.weekly.forkserver import call_named

ROOT = Path(__file__).resolve().parents[2]
#: environment variables of a kernel unless the user has set them: the same order of sets and
#: dictionaries in every run, and one BLAS thread, because sums over another number of threads
#: differ in the last digit
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
#: what ipykernel sets before a notebook imports matplotlib
BACKEND = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
#: variable that a user sets to ``fresh`` for a new interpreter for each kernel
KERNELS = "WEEKLY_KERNELS"
#: seconds for the answer of a fork server; it may be in the middle of an import
ANSWER_WITHIN = 60.0
#: beginnings of variables that interpreter and libraries read when they start
READ_AT_START = ("PYTHON", "OPENBLAS", "MKL", "OMP", "KMP", "NUMBA", "MPL", "ARROW", "WEEKLY_STORE")


def kernel_environment() -> dict[str, str]:
    """Return the environment variables of a kernel: those of this process over ``ENVIRONMENT``."""
    return ENVIRONMENT | dict(os.environ)


class ForkedProcess:
    """A process of the fork server, with the methods of ``subprocess.Popen`` that a kernel needs.

    Attributes
    ----------
    pid : int
        Also the number of its process group.
    returncode : int or None
        None while it runs; negative for a signal; that of a kill when the fork server was killed.
    """

    stdin = stdout = stderr = None

    def __init__(self, pid: int, connection: Connection, server: ForkServer):
        self.pid = pid
        self._server = server  # which would end, and all its processes with it
        self.returncode: int | None = None
        self._connection = connection
        self._answer: tuple[str, Any] | None = None

    def poll(self) -> int | None:
        """Return the exit status, None while the process runs."""
        while self.returncode is None and self._connection.poll():
            self._receive()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status once the process has ended."""
        while self.returncode is None:
            if not self._connection.poll(timeout):
                raise subprocess.TimeoutExpired(["kernel"], timeout or 0.0)
            self._receive()
        return self.returncode

    def result(self) -> Any:
        """Return what the function of the process returned; raise its error when it raised one.

        A SuiteError or an OSError is raised as it is, RunError for any other and when the process
        died.
        """
        self.wait()
        kind, value = self._answer or ("died", f"it ended with status {self.returncode}")
        if kind == "returned":
            return value
        if isinstance(value, Exception):
            raise value
        raise RunError(f"a forked process failed: {value}", remedy=f"set {KERNELS}=fresh")

    def _receive(self) -> None:
        try:
            kind, value = self._connection.recv()
        except (EOFError, OSError):
            kind, value = "ended", -signal.SIGKILL
        if kind == "ended":
            self.returncode = value
            self._connection.close()
        else:
            self._answer = kind, value

    def send_signal(self, number: int) -> None:
        """Send a signal to the process unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask the process to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process."""
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """Client of a fork server, which lives until ``close`` or the end of this process.

    Any thread may ask for processes.

    Parameters
    ----------
    environment : dict
        Environment variables of the server; those that are read when an interpreter and its
        libraries start hold for all its processes.
    """

    def __init__(self, environment: dict[str, str]):
        self.environment = environment
        self._control, theirs = socket.socketpair()
        self._lock = threading.Lock()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lib.weekly.forkserver", str(theirs.fileno())],
                cwd=ROOT,
                env=BACKEND | environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def fork(
        self, function: Callable, *arguments: Any, environment: dict[str, str], folder: Path
    ) -> ForkedProcess:
        """Call a function in a forked process.

        Parameters
        ----------
        function : callable
            Of a module, so that the other process can import it.
        *arguments
            Of the function; they can be pickled.
        environment : dict
            All environment variables of the process.
        folder : Path
            Its working directory.

        Raises
        ------
        RunError
            The server cannot fork: it is gone, an import started a thread, or variables differ
            that are read at the start.
        """
        differing = [
            name
            for name in sorted(environment.keys() | self.environment.keys())
            if name.startswith(READ_AT_START)
            and environment.get(name) != self.environment.get(name)
        ]
        if differing:
            raise _refusal(f"{', '.join(differing)} has changed since the fork server started")
        ours, theirs = Pipe()
        try:
            with self._lock, theirs:
                socket.send_fds(self._control, [b"f"], [theirs.fileno()])
            ours.send((function, arguments, environment, str(folder)))
            if not ours.poll(ANSWER_WITHIN):
                raise OSError(f"no answer within {ANSWER_WITHIN:.0f} s")
            kind, value = ours.recv()
        except (EOFError, OSError) as error:
            raise _refusal(f"the fork server is gone ({error or type(error).__name__})") from error
        if kind != "started":
            raise _refusal(str(value))
        return ForkedProcess(value, ours, self)

    def close(self) -> None:
        """End the server and all processes that it forked."""
        self._control.close()
        self.process.wait()


class Running:
    """The processes of a run, so that one call ends them all.

    Attributes
    ----------
    stopped : bool
    before_report : callable
        Called before the report notebook, which reads the folders of earlier weeks.
    """

    def __init__(self, before_report: Callable[[], None] = lambda: None) -> None:
        self.before_report = before_report
        self._lock = threading.Lock()
        self._processes: set[Any] = set()
        self.stopped = False

    def add(self, process: Any) -> None:
        """Add a process, a leader of its group; it is killed when the run has been stopped."""
        with self._lock:
            self._processes = {each for each in self._processes if each.poll() is None} | {process}
            if self.stopped:
                _kill_group(process)

    def stop(self) -> None:
        """Kill all processes and those that they have started."""
        with self._lock:
            self.stopped = True
            for process in self._processes:
                _kill_group(process)


def _kill_group(process: Any) -> None:
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:  # it has not become a leader yet
            process.kill()


def call(function: str, *arguments: Any, running: Running) -> Any:
    """Call a function in a forked process, or here when none can be forked; return its result.

    The function is named, as ``module:name``, and imported in the process that calls it.
    Errors are those of ``ForkedProcess.result``.
    """
    try:
        started = fork_server().fork(
            call_named, function, *arguments, environment=kernel_environment(), folder=Path.cwd()
        )
    except RunError:
        return call_named(function, *arguments)
    running.add(started)
    return started.result()


def _refusal(reason: str) -> RunError:
    return RunError(reason, remedy=f"set {KERNELS}=fresh")


_servers: dict[tuple, ForkServer] = {}
_servers_lock = threading.Lock()


def fork_server() -> ForkServer:
    """Return the fork server of this process, a new one when code or environment have changed.

    Raises
    ------
    RunError
        The system or the user does not want forked kernels.
    """
    if os.environ.get(KERNELS) == "fresh":
        raise _refusal(f"{KERNELS}=fresh")
    if sys.platform != "linux":
        # system libraries of macOS start threads, which a fork would lose; Windows has no fork
        raise _refusal(f"processes cannot be forked safely on {sys.platform}")
    environment = kernel_environment()
    started = {k: value for k, value in environment.items() if k.startswith(READ_AT_START)}
    code = [(path, path.stat().st_mtime_ns) for path in sorted((ROOT / "lib").rglob("*.py"))]
    key = (os.getpid(), tuple(sorted(started.items())), tuple(code))
    with _servers_lock:
        server = _servers.get(key)
        if server is None or server.process.poll() is not None:
            _servers.clear()  # processes that still run keep theirs
            server = _servers[key] = ForkServer(environment)
        return server
