"""What the benchmarks share: figures with their targets, and the warm run of a notebook."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from lib.weekly.execution import execute
from lib.weekly.run import NOTEBOOKS


def machine() -> str:
    """Return the machine that the figures are of: processor, cores, memory, load, Python."""
    memory = psutil.virtual_memory().total / 2**30
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}, load {load}"
    )


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text(encoding="utf-8").splitlines() if listing.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def with_targets(rows: Iterable[tuple[str, float, str, float]]) -> list[dict]:
    """Return rows of ``outputs/benchmarks.json`` from name, value, unit and target."""
    return [
        {
            "name": name,
            "value": value,
            "unit": unit,
            "against": f"target {target:g} {unit}",
            "ratio": value / target,
        }
        for name, value, unit, target in rows
    ]


def warm_notebook(name: str, **parameters) -> float:
    """Return the seconds of a notebook, start of the kernel included, when its caches are
    filled.
    """
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            begin = time.perf_counter()
            executed = Path(folder) / "executed.ipynb"
            failure = execute(NOTEBOOKS / f"{name}.ipynb", executed, parameters | {"out": folder})
            spent = time.perf_counter() - begin
            if failure is not None:
                raise RuntimeError(f"{name} did not run: {failure}")
    return spent
