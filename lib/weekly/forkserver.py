"""The fork server: a process that has imported what notebooks import, and in which nothing ran.

``lib.weekly.kernels`` starts it and asks it for processes. A forked process is spared the start of
an interpreter and its imports, and has no state of any other: no notebook ever ran in the process
that it is a copy of.
"""

from __future__ import annotations

import ast
import atexit
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from lib.market.errors import SuiteError

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
#: what every kernel imports, then the notebooks' modules, then what functions of ``lib`` import
#: when they are first called, and what exports do
KERNEL_MODULES = ("ipykernel.kernelapp",)
FURTHER_MODULES = ("lightgbm", "cvxpy", "statsmodels.api", "lib.report.exports")
#: threads whose library restarts them in a forked process
FORK_SAFE_THREADS = ("jemalloc_bg_thd",)


def notebook_modules(folder: Path = NOTEBOOKS) -> list[str]:
    """Return what the notebooks of a folder import, in their order: modules, and names of them."""
    modules: dict[str, None] = {}
    for path in sorted(folder.glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                modules |= dict.fromkeys(_imports("".join(cell["source"])))
    return list(modules)


def _imports(source: str) -> Iterator[str]:
    """Yield the modules that a cell imports, none for one with magic commands."""
    with contextlib.suppress(SyntaxError):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
                # a name of the module, unless it is a module itself, which then is imported
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def unsafe_threads() -> list[str]:
    """Return the names of this process's threads that would be missing in a forked one."""
    tasks = [task for task in Path("/proc/self/task").iterdir() if int(task.name) != os.getpid()]
    names = [(task / "comm").read_text().strip() for task in tasks]
    return [name for name in names if name not in FORK_SAFE_THREADS]


class Server:
    """Forks processes on request and reports how they end.

    Parameters
    ----------
    control : socket
        Gives a byte and the file descriptor of a connection for each process that is wanted; its
        end is the end of the server and of all its processes.
    """

    def __init__(self, control: socket.socket):
        self.control = control
        self.children: dict[int, Connection] = {}
        self.wakeup, ending = socket.socketpair()
        ending.setblocking(False)
        self.ending = ending
        signal.set_wakeup_fd(ending.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the run

    def serve(self, timeout: float | None = None) -> Connection | None:
        """Serve until the timeout, or for ever; return the connection of a forked process in it."""
        while True:
            ready, _, _ = select.select([self.control, self.wakeup], [], [], timeout)
            if not ready:
                return None
            if self.wakeup in ready:
                self.wakeup.recv(4096)
                self._report_ends()
            if self.control in ready:
                connection = self._fork()
                if connection is not None:
                    return connection

    def _report_ends(self) -> None:
        for pid in list(self.children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                with self.children.pop(pid) as connection, contextlib.suppress(OSError):
                    connection.send(("ended", os.waitstatus_to_exitcode(status)))

    def _fork(self) -> Connection | None:
        """Fork a process for the next request; return its connection in that process."""
        message, descriptors, _, _ = socket.recv_fds(self.control, 1, 1)
        if not message:
            self._end()
        connection = Connection(descriptors[0])
        unsafe = unsafe_threads()
        if unsafe:
            with connection:
                connection.send(("refused", f"imports started the threads {', '.join(unsafe)}"))
            return None
        pid = os.fork()
        if pid:
            self.children[pid] = connection
            return None
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for inherited in (self.control, self.wakeup, self.ending):
            inherited.close()
        for other in self.children.values():
            other.close()
        return connection

    def _end(self) -> None:
        """Kill all processes and exit: the run is over or was killed."""
        for pid in self.children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        os._exit(0)


def main() -> None:
    """Import the modules while serving requests; call what a request asks for when forked."""
    server = Server(socket.socket(fileno=int(sys.argv[1])))
    del sys.path[0]  # the suite's folder, which a fresh kernel has not got on its path either
    connection = None
    for module in [*KERNEL_MODULES, *notebook_modules(), *FURTHER_MODULES]:
        connection = server.serve(timeout=0.0)
        if connection is not None:
            break
        with contextlib.suppress(ImportError):  # whichever notebook needs it says so
            importlib.import_module(module)
    if connection is None:
        gc.freeze()  # so that collections in the forked processes leave shared memory alone
        connection = server.serve()
    assert connection is not None
    _call(connection)


def run_kernel(arguments: list[str]) -> None:
    """Run ipykernel until it is shut down."""
    from ipykernel.kernelapp import IPKernelApp

    sys.argv = ["ipykernel_launcher", *arguments]
    # a kernel exits when the process that forked it is gone
    IPKernelApp.launch_instance([*arguments, f"--IPKernelApp.parent_handle={os.getppid()}"])


def call_named(function: str, *arguments: Any) -> Any:
    """Import and call a function that is named as ``module:name``."""
    module, name = function.split(":")
    return getattr(importlib.import_module(module), name)(*arguments)


def _call(connection: Connection) -> None:
    """Call the function of a request in a forked process, answer, and exit.

    The request has the function, its arguments, the environment variables and the folder.
    """
    connection.send(("started", os.getpid()))
    try:
        function, arguments, environment, folder = connection.recv()
        _start(environment, folder)
        connection.send(("returned", function(*arguments)))
    except (SuiteError, OSError) as error:
        connection.send(("raised", error))
    except Exception:
        connection.send(("raised", traceback.format_exc()))
    connection.close()
    atexit._run_exitfuncs()
    os._exit(0)


def _start(environment: dict[str, str], folder: str) -> None:
    """Make this process what a fresh interpreter is: its variables, folder, random numbers."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()  # the server's own state would be that of every process


if __name__ == "__main__":
    main()
