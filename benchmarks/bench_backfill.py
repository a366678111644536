"""Seconds a week of a backfill of the sample on the local cores, and 52 weeks at that pace."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measuring import with_targets

#: six weeks; the first one fits the models of all of them and is measured with them
SPAN = ("2025-05-05", "2025-06-13")
WEEKS = 6
#: 52 weeks in 15 minutes on two quiet cores
TARGET = 15 * 60 / 52


def measure() -> list[dict]:
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"WEEKLY_STORE": str(Path(home) / "store")}
        command = [sys.executable, "-m", "lib.weekly.backfill", "--out", str(Path(home) / "out")]

        def seconds(first: str) -> float:
            start = time.perf_counter()
            span = ["--from", first, "--to", SPAN[1]]
            subprocess.run(
                [*command, *span], env=environment, check=True, stdout=subprocess.DEVNULL
            )
            return time.perf_counter() - start

        models = seconds(SPAN[1])  # the last week alone, which fits what all of them use
        others = seconds(SPAN[0])
    week = others / (WEEKS - 1)
    return with_targets(
        [
            ("backfill.week", round(week, 2), "s", TARGET),
            ("backfill.year", round(models + 51 * week, 1), "s", 52 * TARGET),
        ]
    )
