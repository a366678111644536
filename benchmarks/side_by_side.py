"""Seconds of a weekly report in two checkouts, one after the other on the same machine.

    python benchmarks/side_by_side.py ../earlier . --data sample --rounds 2

Each checkout has a store of its own, filled before. A round is a run with empty caches and a run
with full ones, of the first checkout, then of the second; the least of all rounds is printed with
the ratio. Both are run by the same interpreter.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

AS_OF = "2025-06-13"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkouts", nargs=2, type=Path)
    parser.add_argument("--data", default="sample")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--warm-only", action="store_true", help="keep the caches of the stores")
    parser.add_argument("--stores", type=Path, help="folder of the two stores, kept afterwards")
    chosen = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from benchmarks.measuring import machine

    print(machine())
    least: dict[tuple[str, int], float] = {}
    with tempfile.TemporaryDirectory() as home:
        folder = chosen.stores or Path(home)
        for _ in range(chosen.rounds):
            for number, checkout in enumerate(chosen.checkouts):
                for kind, seconds in one_round(checkout, folder / str(number), chosen):
                    print(f"{checkout}  {kind}  {seconds:.1f} s  load {os.getloadavg()[0]:.1f}")
                    key = kind, number
                    least[key] = min(seconds, least.get(key, seconds))
    for kind in dict.fromkeys(kind for kind, _ in least):
        old, new = least[kind, 0], least[kind, 1]
        print(f"run.{kind:<8}{old:>8.1f} s{new:>8.1f} s{new / old:>8.2f}")


def one_round(checkout: Path, folder: Path, chosen: argparse.Namespace):
    """Yield kind and seconds of the runs of one checkout."""
    environment = os.environ | {
        "PYTHONPATH": str(checkout.resolve()),
        "WEEKLY_STORE": str(folder / "store"),
    }

    def run(*arguments: str) -> float:
        start = time.perf_counter()
        command = [sys.executable, *arguments]
        subprocess.run(
            command, cwd=checkout, env=environment, check=True, stdout=subprocess.DEVNULL
        )
        return time.perf_counter() - start

    fill = f"from lib.market.ingest import open_market; open_market({chosen.data!r})"
    run("-c", fill)
    report = ("-m", "lib.weekly", "--as-of", AS_OF, "--data", chosen.data, "--out")
    if not chosen.warm_only:
        shutil.rmtree(folder / "store" / "cache", ignore_errors=True)
        yield "cold", run(*report, str(folder / "out"))
    yield "warm", run(*report, str(folder / "out"))


if __name__ == "__main__":
    main()
