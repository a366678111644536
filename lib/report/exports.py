"""What a finished run is exported to: the page, its PDF, and the notebooks as appendices."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

from lib.market.errors import SuiteError
from lib.report.catalogue import Catalogue
from lib.report.html import export_report
from lib.report.manifest import ExportRecord, Manifest
from lib.report.pdf import export_pdf


def export_run(folder: Path, notebook: str, manifest: Manifest, t: Catalogue) -> None:
    """Export a run and record in its manifest what became of each file.

    The page comes first and has to succeed; a failure of any other file is recorded, makes the run a failed one, and
    keeps none of the others from being written.

    Parameters
    ----------
    folder : Path
        The run's folder.
    notebook : str
        Stem of the report notebook.
    manifest : Manifest
        ``exports`` and, on a failure, ``status`` are set.
    t : Catalogue
    """
    page = export_report(folder, notebook, manifest, t)
    date, source = t.date(manifest.as_of), manifest.source_label[t.language]
    manifest.exports = [
        ExportRecord(file="report.html"),
        _attempt("report.pdf", lambda: export_pdf(page, t, date=date, source=source)),
    ]
    if not all(record.done for record in manifest.exports):
        manifest.status = "failed"


def _attempt(file: str, make: Callable[[], object]) -> ExportRecord:
    try:
        make()
    except SuiteError as error:
        return ExportRecord(file=file, status="failed", error=str(error))
    except Exception as error:  # one odd cell must not cost the other exports; it is recorded and told
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        return ExportRecord(file=file, status="failed", error=f"{type(error).__name__}: {error} ({where})")
    return ExportRecord(file=file)
