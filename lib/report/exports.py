"""Export of a finished run: the report as HTML and PDF, the notebooks as appendices."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from lib.exhibits.plan import Plan
from lib.exhibits.translations import Translations
from lib.market.errors import SuiteError
from lib.report.appendix import FOLDER, describe_issue, export_appendix
from lib.report.html import export_report
from lib.report.manifest import ExportRecord, Manifest
from lib.report.pdf import export_pdf


def export_run(folder: Path, plan: Plan, manifest: Manifest, t: Translations) -> None:
    """Export a run and record the outcome of each file in its manifest.

    The HTML of the report comes first and has to succeed. A failure of any other file is recorded
    and sets the run's
    status to failed; the remaining files are still written.

    Parameters
    ----------
    folder : Path
        The run's folder.
    plan : Plan
        The report notebook, and whether appendices show code.
    manifest : Manifest
        ``exports`` and, on a failure, ``status`` are set.
    t : Translations
        Texts in the report's language.
    """
    page = export_report(folder, plan.report, manifest, t)
    manifest.exports = [
        ExportRecord(file="report.html"),
        _attempt("report.pdf", partial(_report_pdf, page, manifest, t)),
        *_appendices(folder, plan, manifest, t),
    ]
    if not all(record.done for record in manifest.exports):
        manifest.status = "failed"


def _report_pdf(page: Path, manifest: Manifest, t: Translations) -> list[str]:
    export_pdf(page, t, date=t.date(manifest.as_of), source=manifest.source_label[t.language])
    return []


def _appendices(
    folder: Path, plan: Plan, manifest: Manifest, t: Translations
) -> list[ExportRecord]:
    """Export every executed notebook except that of the report, and return the records of the
    files.
    """
    records = []
    for section in manifest.sections:
        if section.name == plan.report:
            continue
        executed = folder / "notebooks" / f"{section.name}.ipynb"
        if executed.exists():
            make = partial(_appendix, executed, folder / FOLDER, plan.appendix_code, manifest, t)
            records.append(_attempt(f"{FOLDER}/{section.name}.pdf", make))
    return records


def _appendix(
    executed: Path, target: Path, code: bool, manifest: Manifest, t: Translations
) -> list[str]:
    appendix = export_appendix(executed, target, code=code, manifest=manifest)
    return [describe_issue(issue, t) for issue in appendix.issues]


def _attempt(file: str, make: Callable[[], list[str]]) -> ExportRecord:
    """Export a file with ``make``, which returns notes, and return the record of it."""
    try:
        return ExportRecord(file=file, notes=make())
    except SuiteError as error:
        return ExportRecord(file=file, status="failed", error=str(error))
    # one cell must not cost the other exports; the error is recorded and shown
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}, line {frame.lineno}"
        return ExportRecord(
            file=file, status="failed", error=f"{type(error).__name__}: {error} ({where})"
        )
