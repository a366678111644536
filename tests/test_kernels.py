"""Kernels forked from one process: each is as good as a fresh interpreter."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from lib.market.errors import ModelError, RunError
from lib.weekly import execution, forking, forkserver
from lib.weekly.execution import execute
from lib.weekly.forking import Running, call, fork_server, kernel_environment
from lib.weekly.kernels import OwnKernelManager

STATE = """
import json, os, random, signal, sys
import numpy as np
import matplotlib.pyplot as plt
plt.figure()
state = {
    "hash": hash("a text"), "hash_randomization": sys.flags.hash_randomization,
    "path": sys.path, "folder": os.getcwd(), "python": sys.executable,
    "program": os.path.basename(sys.argv[0]).removesuffix(".py"), "backend": plt.get_backend(),
    "environment": {k: v for k, v in os.environ.items() if not k.startswith(("JPY_", "PYTEST_"))},
    "interrupt": signal.getsignal(signal.SIGCHLD).name, "left": hasattr(np, "left_behind"),
    "variables": sorted(name for name in globals() if name.startswith("own_")),
    "leader": os.getsid(0) == os.getpid(), "open": len(os.listdir("/proc/self/fd")) < 100,
}
own_variable = np.left_behind = os.environ["LEFT_BEHIND"] = "x"
np.random.seed(1); random.seed(1)
print(json.dumps(state))
"""


def notebook(folder, *sources):
    cells = [nbformat.v4.new_code_cell("", metadata={"tags": ["parameters"]})]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    path = folder / "some.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def printed(folder, *sources, **options):
    """Execute a notebook of these cells and return what it printed."""
    executed = folder / "executed.ipynb"
    failure = execute(notebook(folder, *sources), executed, {}, **options)
    assert failure is None, failure
    cells = nbformat.read(executed, as_version=4).cells
    return "".join(output.get("text", "") for cell in cells for output in cell.get("outputs", []))


def test_a_forked_kernel_has_nothing_of_the_one_before_and_all_that_a_fresh_one_has(
    tmp_path, monkeypatch
):
    fallbacks = []
    first, second = [
        json.loads(printed(tmp_path, STATE, on_fallback=fallbacks.append)) for _ in range(2)
    ]
    assert fallbacks == []
    assert first == second
    assert not second["left"]
    assert second["variables"] == []
    assert second["leader"]
    assert "LEFT_BEHIND" not in second["environment"]
    assert forking.ENVIRONMENT.items() <= second["environment"].items()
    monkeypatch.setenv(forking.KERNELS, "fresh")
    fresh = json.loads(printed(tmp_path, STATE, on_fallback=fallbacks.append))
    assert fallbacks == ["WEEKLY_KERNELS=fresh"]
    del fresh["environment"][forking.KERNELS]
    assert fresh == second


def test_random_numbers_differ_between_kernels_until_they_are_seeded(tmp_path):
    draw = "import random, numpy as np\nprint(random.random(), np.random.random())"
    assert printed(tmp_path, draw) != printed(tmp_path, draw)


def test_variables_are_those_of_the_run_and_of_its_own_section(tmp_path, monkeypatch):
    ask = "import os\nprint([os.environ.get(name) for name in ('COLOUR', 'ONLY_HERE')])"
    monkeypatch.setenv("COLOUR", "red")
    assert printed(tmp_path, ask, environment={"ONLY_HERE": "1"}) == "['red', '1']\n"
    monkeypatch.setenv("COLOUR", "blue")
    assert printed(tmp_path, ask) == "['blue', None]\n"


def test_a_variable_that_is_read_at_the_start_gets_a_server_of_its_own(monkeypatch):
    before = fork_server()
    assert fork_server() is before
    monkeypatch.setenv("NUMBA_DEBUG_CACHE", "0")
    after = fork_server()
    assert after is not before
    with pytest.raises(RunError, match="NUMBA_DEBUG_CACHE has changed"):
        before.fork(os.getpid, environment=kernel_environment(), folder=Path.cwd())
    after.close()
    assert after.process.returncode == 0


def test_the_modules_of_the_notebooks_are_imported_and_no_thread_runs_in_the_server(tmp_path):
    ask = "import json, sys\nprint(json.dumps(sorted(sys.modules)))"
    loaded = set()
    deadline = time.monotonic() + 60
    while "lib.report.exports" not in loaded and time.monotonic() < deadline:
        loaded = set(json.loads(printed(tmp_path, ask)))  # the server imports meanwhile
    assert {"lib.models.gp.walkforward", "lightgbm", "cvxpy", "numba", "great_tables"} <= loaded
    # they ask when they are imported which notebook they are in
    assert not {"tqdm.auto", "matplotlib_inline.backend_inline"} & loaded
    own = psutil.Process(fork_server().process.pid)
    assert own.num_threads() <= 1 + len(forkserver.FORK_SAFE_THREADS)


def test_a_thread_in_the_server_makes_kernels_fresh_interpreters():
    script = """
        import threading, time
        from lib.weekly.forkserver import unsafe_threads
        assert unsafe_threads() == []
        threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
        assert len(unsafe_threads()) == 1
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)


def test_a_server_that_is_gone_is_replaced_and_one_that_dies_meanwhile_is_recorded(
    tmp_path, monkeypatch
):
    server = fork_server()
    server.process.kill()
    server.process.wait()
    assert printed(tmp_path, "print(1)", on_fallback=pytest.fail) == "1\n"
    dead = forking.ForkServer(kernel_environment())
    dead.process.kill()
    dead.process.wait()
    monkeypatch.setattr("lib.weekly.kernels.fork_server", lambda: dead)
    reasons = []
    assert printed(tmp_path, "print(2)", on_fallback=reasons.append) == "2\n"
    assert "the fork server is gone" in reasons[0]


def test_a_kernel_that_is_killed_is_dead_and_named(tmp_path):
    path = notebook(tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    failure = execute(path, tmp_path / "executed.ipynb", {}, on_fallback=pytest.fail)
    assert "kernel died" in failure.error
    assert "os.kill" in failure.source


def test_the_kernels_of_a_server_that_is_killed_are_dead(tmp_path, monkeypatch):
    server = forking.ForkServer(kernel_environment())
    monkeypatch.setattr("lib.weekly.kernels.fork_server", lambda: server)
    threading.Timer(3.0, server.process.kill).start()
    path = notebook(tmp_path, "import time\ntime.sleep(60)")
    start = time.monotonic()
    failure = execute(path, tmp_path / "executed.ipynb", {})
    assert "kernel died" in failure.error
    assert time.monotonic() - start < 30


def test_an_encrypted_kernel_can_be_interrupted_and_goes_on():
    async def interrupted():
        manager = OwnKernelManager(transport_encryption="required")
        await manager.start_kernel()
        client = manager.client()
        client.start_channels()
        await client.wait_for_ready(timeout=60)
        asking = asyncio.ensure_future(client.execute_interactive("import time; time.sleep(60)"))
        await asyncio.sleep(1)
        await manager.interrupt_kernel()
        reply = await asyncio.wait_for(asking, 20)
        after = await client.execute_interactive("1 + 1")
        encrypted = bool(manager.get_connection_info().get("curve_publickey"))
        client.stop_channels()
        await manager.shutdown_kernel(now=True)
        return reply["content"]["ename"], after["content"]["status"], encrypted

    assert asyncio.run(interrupted()) == ("KeyboardInterrupt", "ok", True)


def test_calls_return_results_and_errors(tmp_path):
    running = Running()
    assert call("builtins:divmod", 7, 2, running=running) == (3, 1)
    with pytest.raises(ModelError, match="library is missing"):
        call("lib.models.gp.library:load_library", tmp_path / "nowhere.json", running=running)
    with pytest.raises(FileNotFoundError):
        call("os:listdir", tmp_path / "nowhere", running=running)
    with pytest.raises(RunError, match="ZeroDivisionError"):
        call("builtins:divmod", 7, 0, running=running)
    with pytest.raises(RunError, match="status -9"):
        call("os:kill", 0, signal.SIGKILL, running=running)


def test_stopping_a_run_kills_its_processes_and_whatever_starts_later():
    running = Running()
    server = fork_server()
    sleeping = server.fork(time.sleep, 60, environment=kernel_environment(), folder=Path.cwd())
    running.add(sleeping)
    running.stop()
    assert sleeping.wait(timeout=10) == -signal.SIGKILL
    late = server.fork(time.sleep, 60, environment=kernel_environment(), folder=Path.cwd())
    running.add(late)
    assert late.wait(timeout=10) == -signal.SIGKILL


@pytest.mark.parametrize(("deaths", "starts"), [(0, 1), (1, 2), (2, 2)])
def test_a_kernel_that_dies_at_its_start_is_started_once_more(
    tmp_path, monkeypatch, deaths, starts
):
    real = execution.papermill.execute_notebook
    calls = []

    def dying(*arguments, **options):
        calls.append(arguments)
        if len(calls) <= deaths:
            raise RuntimeError("Kernel died before replying to kernel_info")
        return real(*arguments, **options)

    monkeypatch.setattr(execution.papermill, "execute_notebook", dying)
    failure = execute(notebook(tmp_path, "x = 1"), tmp_path / "executed.ipynb", {})
    assert len(calls) == starts
    assert (failure is None) == (deaths < 2)
    assert failure is None or "did not start" in failure.error
