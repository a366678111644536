"""Run the benchmarks and write ``outputs/benchmarks.json``: ``python -m benchmarks [part ...]``.

Every module ``bench_<part>.py`` next to this one has a function ``measure()`` that returns its
figures, each a dict of
name (``<part>.<what>``), value, unit, against (what the ratio compares with, or None) and ratio (or
None).
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.measuring import machine

KEYS = ("name", "value", "unit", "against", "ratio")


def main() -> None:
    parts = sorted(
        path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py")
    )
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the suite.")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(parts)}; all by default")
    parser.add_argument("--out", type=Path, default=Path("outputs/benchmarks.json"))
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if unknown := sorted(set(chosen.parts) - set(parts)):
        parser.error(f"unknown benchmark: {', '.join(unknown)}; choose from {', '.join(parts)}")
    if chosen.child:
        module = importlib.import_module(f"benchmarks.bench_{chosen.parts[0]}")
        chosen.out.write_text(json.dumps(module.measure(), ensure_ascii=False), encoding="utf-8")
        return
    measured = chosen.parts or parts
    kept = json.loads(chosen.out.read_text(encoding="utf-8")) if chosen.out.exists() else []
    results = [
        result for result in kept if part_of(result) not in measured and part_of(result) in parts
    ]
    print(machine(), flush=True)
    for part in measured:
        results += in_own_process(part, chosen.out)
    results.sort(key=lambda result: parts.index(part_of(result)))
    aside = chosen.out.with_suffix(".aside")
    aside.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(aside, chosen.out)


def part_of(result: dict) -> str:
    return result["name"].split(".")[0]


def in_own_process(part: str, out: Path) -> list[dict]:
    """Measure one part in a fresh process, so that no part pays for another's memory and
    imports.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    answer = out.with_name(f".{part}.json")
    try:
        command = [sys.executable, "-m", "benchmarks", "--child", part, "--out", str(answer)]
        subprocess.run(command, check=True)
        results = json.loads(answer.read_text(encoding="utf-8"))
    finally:
        answer.unlink(missing_ok=True)
    for result in results:
        if (
            set(result) != set(KEYS)
            or part_of(result) != part
            or not math.isfinite(result["value"])
        ):
            raise ValueError(f"the benchmark of {part} gave {result}")
        ratio = (
            f"  {result['ratio']:.3g} x {result['against']}" if result["ratio"] is not None else ""
        )
        print(f"{result['name']:<44}{result['value']:>12.4g} {result['unit']}{ratio}", flush=True)
    return results


if __name__ == "__main__":
    main()
