"""Speed of the report: the first and the last notebook on a filled store, and the page."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from lib.market.ingest import open_market
from lib.report.catalogue import catalogue
from lib.report.html import export_report
from lib.report.kernels import execute
from lib.report.manifest import Manifest
from lib.report.parameters import load
from lib.report.run import NOTEBOOKS, Settings, weekly_run

AS_OF = "2025-06-13"
RECAP, REPORT = "01_market_recap", "06_weekly_report"


def measure() -> list[dict]:
    open_market("sample", AS_OF)
    results = []
    with tempfile.TemporaryDirectory() as home:
        out = Path(home)
        common = {"as_of": AS_OF, "data": "sample", "out": str(out), "language": "en"}
        total = 0.0
        for name in (RECAP, REPORT):
            start = time.perf_counter()
            failure = execute(NOTEBOOKS / f"{name}.ipynb", out / f"{name}.ipynb", common | load(name).model_dump())
            if failure:
                raise RuntimeError(f"{name}: {failure.error}")
            total += time.perf_counter() - start
        results.append(_result("report.notebooks_01_06_warm", total, "s", "15 s", 15 / total))
        start = time.perf_counter()
        manifest = weekly_run(Settings(as_of=AS_OF, out=out / "runs"))
        results.append(_result("report.weekly_run", time.perf_counter() - start, "s"))
        folder = out / "runs" / manifest.as_of
        start = time.perf_counter()
        page = export_report(folder, REPORT, Manifest.read(folder), catalogue("en"))
        results.append(_result("report.html_export", time.perf_counter() - start, "s"))
        size = page.stat().st_size / 2**20
        results.append(_result("report.html_size", size, "MiB", "8 MiB", 8 / size))
    return results


def _result(name, value, unit, against=None, ratio=None) -> dict:
    return {"name": name, "value": round(value, 3), "unit": unit, "against": against, "ratio": ratio}
