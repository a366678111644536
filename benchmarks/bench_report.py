"""Speed of the report: notebooks on a filled store, and the export of both editions."""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from lib.exhibits.parameters import load
from lib.exhibits.plan import read_plan
from lib.exhibits.translations import LANGUAGES, translations
from lib.market.ingest import open_market
from lib.report.exports import export_pages, export_run
from lib.report.manifest import Manifest
from lib.weekly.execution import execute
from lib.weekly.run import NOTEBOOKS, Settings, weekly_run

AS_OF = "2025-06-13"
RECAP, REPORT = "01_market_recap", "06_weekly_report"


def measure() -> list[dict]:
    open_market("sample", AS_OF)
    with tempfile.TemporaryDirectory() as home:
        out = Path(home)
        return [_notebooks(out / "notebooks"), *_runs(out), *_exports(out)]


def _notebooks(out: Path) -> dict:
    """Time the first and the last notebook."""
    out.mkdir()
    common = {"as_of": AS_OF, "data": "sample", "out": str(out), "language": "en"}
    start = time.perf_counter()
    for name in (RECAP, REPORT):
        failure = execute(
            NOTEBOOKS / f"{name}.ipynb", out / f"{name}.ipynb", common | load(name).model_dump()
        )
        if failure:
            raise RuntimeError(f"{name}: {failure.error}")
    total = time.perf_counter() - start
    return _result("report.notebooks_01_06_warm", total, "s", "15 s", 15 / total)


def _runs(out: Path) -> list[dict]:
    """Time a whole run in each language, the second on the models that the first has left in the
    cache.
    """
    results = []
    for language in LANGUAGES:
        start = time.perf_counter()
        manifest = weekly_run(Settings(as_of=AS_OF, out=out / language, language=language))
        if manifest.status != "ok":
            raise RuntimeError(
                f"the run failed: {[record.error for record in manifest.sections if record.error]}"
            )
        results.append(_result(f"report.weekly_run_{language}", time.perf_counter() - start, "s"))
    return results


def _exports(out: Path) -> list[dict]:
    """Time the exports of executed notebooks: one edition's page and PDF, then both editions side
    by side.
    """
    folder = out / "en" / AS_OF
    manifest, plan = Manifest.read(folder), read_plan(NOTEBOOKS)
    start = time.perf_counter()
    export_pages(folder, plan, manifest)
    pages = time.perf_counter() - start
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        start = time.perf_counter()
        list(pool.map(_edition, [(str(out), language) for language in LANGUAGES]))
        both = time.perf_counter() - start
    size = (
        max((out / language / AS_OF / "report.html").stat().st_size for language in LANGUAGES)
        / 2**20
    )
    return [
        _result("report.two_documents", pages, "s"),
        _result("report.both_editions_all_files", both, "s", "15 s", 15 / both),
        _result("report.html_size", size, "MiB", "4 MiB", 4 / size),
    ]


def _edition(chosen: tuple[str, str]) -> None:
    """Export one edition's page, PDF and appendices."""
    out, language = chosen
    folder = Path(out) / language / AS_OF
    shutil.rmtree(folder / "appendices")
    manifest = Manifest.read(folder)
    export_run(folder, read_plan(NOTEBOOKS), manifest, translations(language))
    if not all(record.done for record in manifest.exports):
        raise RuntimeError(f"an export failed: {manifest.exports}")


def _result(name, value, unit, against=None, ratio=None) -> dict:
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "against": against,
        "ratio": ratio,
    }
