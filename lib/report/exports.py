"""Export of a finished run: the report as HTML and PDF, the notebooks as appendices."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from lib.exhibits.parameters import PARAMS
from lib.exhibits.plan import Plan
from lib.exhibits.translations import Translations, translations
from lib.market.atomic import atomic_write
from lib.market.errors import SuiteError
from lib.report.appendix import describe_issue, export_appendix
from lib.report.documents import KINDS, Kind, Source, document
from lib.report.house import read_house
from lib.report.html import document_page
from lib.report.manifest import APPENDIX_FOLDER, ExportRecord, Manifest
from lib.report.pdf import document_pdf


def export_run(folder: Path, plan: Plan, manifest: Manifest, t: Translations) -> None:
    """Export a run and record the outcome of each file in its manifest.

    The HTML of the report comes first and has to succeed. A failure of any other file is recorded
    and sets the run's status to failed; the remaining files are still written.

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
    records = export_pages(folder, plan, manifest)
    sections = [section.name for section in manifest.sections if section.name != plan.report]
    appendices = [export_section(folder, name, plan, manifest, t) for name in sections]
    manifest.set_exports([*records, *filter(None, appendices)])


def export_section(
    folder: Path, name: str, plan: Plan, manifest: Manifest, t: Translations
) -> ExportRecord | None:
    """Export the executed notebook of a section as an appendix, None when it was not executed.

    Parameters
    ----------
    folder : Path
        The run's folder.
    name : str
        Stem of the notebook.
    plan, manifest, t
        As for ``export_run``; the manifest is not changed.
    """
    executed = folder / "notebooks" / f"{name}.ipynb"
    if not executed.exists():
        return None
    make = partial(_appendix, executed, folder / APPENDIX_FOLDER, plan.appendix_code, manifest, t)
    return _attempt(f"{APPENDIX_FOLDER}/{name}.pdf", make)


def export_pages(
    folder: Path,
    plan: Plan,
    manifest: Manifest,
    params: Path = PARAMS,
    kinds: Sequence[Kind] = KINDS,
) -> list[ExportRecord]:
    """Export the weekly and its evidence as HTML and PDF, in each language of the run.

    Parameters
    ----------
    folder : Path
        The run's folder; the results in a second language are in a folder inside it.
    plan : Plan
        Which exhibit belongs where.
    manifest : Manifest
        Of the run.
    params : Path
        Folder of ``house.yaml``.
    kinds : sequence of {"weekly", "evidence"}
        Which of the documents.

    Returns
    -------
    list of ExportRecord
        The page of the weekly has to succeed; another file that fails is recorded.
    """
    house = read_house(params)
    languages = tuple(manifest.language.split())
    records = []
    for language in languages:
        t = translations(language)
        results = folder if language == languages[0] else folder / language
        source = Source(folder, results, plan, manifest, house, t, languages)
        for kind in kinds:
            made = document(source, kind)
            page = folder / source.file(kind)
            logo = params / house.logo if house.logo else None
            page.write_text(document_page(made, results, t, logo), encoding="utf-8")
            records.append(ExportRecord(file=page.name))
            pdf = page.with_suffix(".pdf")
            records.append(_attempt(pdf.name, partial(_document_pdf, made, results, pdf)))
    return records


def _document_pdf(made: dict, results: Path, path: Path) -> list[str]:
    atomic_write(path, document_pdf(made, results))
    return []


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
