"""Seconds of a weekly report of the sample: with empty caches, again, and after an edit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

from benchmarks.measuring import with_targets
from lib.exhibits.plan import NOTEBOOKS

AS_OF = "2025-06-13"
#: seconds on two quiet cores
TARGETS = {"cold": 150.0, "warm": 30.0, "resume": 15.0}
#: makes the report again with a notebook edited in its last cell
RESUME = """
    import sys
    from pathlib import Path
    from lib.weekly.run import Settings, weekly_run
    settings = Settings(as_of=sys.argv[1], out=Path(sys.argv[2]), resume=True)
    manifest = weekly_run(settings, notebooks=Path(sys.argv[3]))
    assert manifest.status == "ok", manifest
"""


def measure() -> list[dict]:
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        environment = os.environ | {"WEEKLY_STORE": str(folder / "store")}
        report = [
            sys.executable,
            "-m",
            "lib.weekly",
            "--as-of",
            AS_OF,
            "--out",
            str(folder / "out"),
        ]
        fill = "from lib.market.ingest import open_market; open_market('sample')"
        _seconds([sys.executable, "-c", fill], environment)
        seconds = {"cold": _seconds(report, environment), "warm": _seconds(report, environment)}
        notebooks = shutil.copytree(NOTEBOOKS, folder / "notebooks")
        _edit(notebooks / "05_global_allocation.ipynb")
        resume = [sys.executable, "-c", textwrap.dedent(RESUME), AS_OF]
        resume += [str(folder / "out"), str(notebooks)]
        seconds["resume"] = _seconds(resume, environment)
    return with_targets(
        (f"run.{name}", value, "s", TARGETS[name]) for name, value in seconds.items()
    )


def _seconds(command: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return round(time.perf_counter() - start, 2)


def _edit(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    code[-1]["source"] = ["# edited\n", *code[-1]["source"]]
    path.write_text(json.dumps(notebook, ensure_ascii=False), encoding="utf-8")
