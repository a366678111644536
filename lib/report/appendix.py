"""Executed notebooks as appendices: HTML and PDF, with or without code."""

from __future__ import annotations

import ast
import datetime
from dataclasses import dataclass
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup
from markupsafe import Markup
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from lib.exhibits.translations import LANGUAGES, Translations, translations
from lib.market.atomic import atomic_write
from lib.market.errors import RunError
from lib.report.formulas import with_mathml
from lib.report.html import heading, make_self_contained, number_headings, render_page
from lib.report.manifest import Manifest
from lib.report.pdf import export_pdf
from lib.report.prose import translate_prose
from lib.report.rendering import cells_html
from lib.report.sanitize import CellIssue, leave_out_unrendered, sanitize

SAMPLES = ("sample", "sample-null")


@dataclass(frozen=True)
class Origin:
    """What an appendix says about where it comes from.

    Attributes
    ----------
    as_of, source : str
        Date and data's source in the words of its language.
    synthetic : bool
    """

    as_of: str
    source: str
    synthetic: bool


@dataclass(frozen=True)
class Appendix:
    """An exported notebook.

    Attributes
    ----------
    html, pdf : Path
    issues : list of CellIssue
        The cells that are not shown as they are.
    """

    html: Path
    pdf: Path
    issues: list[CellIssue]


def export_appendix(
    executed: Path,
    target: Path,
    *,
    code: bool,
    manifest: Manifest | None = None,
    language: str | None = None,
) -> Appendix:
    """Write ``<stem>.html`` and ``<stem>.pdf`` of an executed notebook.

    Parameters
    ----------
    executed : Path
        The notebook with its outputs.
    target : Path
        Folder of the two files.
    code : bool
        With the code of its cells.
    manifest : Manifest, optional
        Of the run that executed it; without one date and source are read from the notebook's
        parameters.
    language : str, optional
        Of the words around the notebook's own; by default that of the run or of the notebook's
        parameters.

    Raises
    ------
    RunError
        The notebook cannot be read, has not been run, or its PDF cannot be set.
    """
    notebook = read(executed)
    parameters = parameters_of(notebook)
    # the exhibits of a run in two languages are in the first
    own = manifest.language.split()[0] if manifest else parameters.get("language")
    spoken = language or own
    t = translations(spoken if spoken in LANGUAGES else "en")
    origin = _from_run(manifest, t) if manifest else _from_notebook(parameters, executed, t)
    prose = translate_prose(notebook, t.language)
    issues = sanitize(notebook, t)
    body, unrendered = _body(notebook, executed.parent, t, code=code)
    issues = sorted([*issues, *unrendered], key=lambda issue: issue.cell)
    html = appendix_page(body, notebook, executed.stem, origin, issues, t, code=code, prose=prose)
    target.mkdir(parents=True, exist_ok=True)
    path = target / f"{executed.stem}.html"
    atomic_write(path, html)
    return Appendix(path, export_pdf(path, t, date=origin.as_of, source=origin.source), issues)


def _body(
    notebook: NotebookNode, folder: Path, t: Translations, *, code: bool
) -> tuple[str, list[CellIssue]]:
    """Render the cells; those that nbconvert cannot render are left out and returned."""
    try:
        return cells_html(notebook, code=code, folder=str(folder)), []
    # nbconvert raises whatever its filters do; the cells behind it are found and named
    except Exception:
        odd = leave_out_unrendered(notebook, t)
        if not odd:
            raise
        return cells_html(notebook, code=code, folder=str(folder)), odd


def describe_issue(issue: CellIssue, t: Translations) -> str:
    """Return what a reader has to know about a cell, on one line."""
    cell = t("export.odd_cell", cell=issue.cell, what=issue.what)
    return f"{cell} {t('export.odd_remedy', remedy=issue.remedy)}"


def appendix_page(
    body: str,
    notebook: NotebookNode,
    stem: str,
    origin: Origin,
    issues: list[CellIssue],
    t: Translations,
    *,
    code: bool,
    prose: tuple[int, int] = (0, 0),
) -> str:
    """Lay out the page of a notebook from its rendered cells.

    Parameters
    ----------
    body : str
        The rendered cells, an HTML fragment.
    notebook : NotebookNode
        The executed notebook.
    stem : str
        Name of its file, without ending.
    origin : Origin
        The run that executed it.
    issues : list of CellIssue
        What could not be rendered.
    t : Translations
        Texts in the report's language.
    code : bool
        With the code of its cells.
    prose : tuple of int
        How many of its cells of prose are in the notebook's own language, and of how many.
    """
    soup = BeautifulSoup(body, "html.parser")
    with_mathml(soup)
    make_self_contained(soup, t)
    first = soup.find("h1")
    title = " ".join(first.get_text(" ").split()) if first else heading(t, stem)
    if first:
        first.decompose()
    _describe(soup, t)
    _box_tables(soup)
    contents = number_headings(soup)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    unrun = sum(cell.execution_count is None for cell in cells)
    return render_page(
        "appendix.html.j2",
        t=t,
        title=title,
        origin=origin,
        code=code,
        contents=contents,
        issues=[describe_issue(issue, t) for issue in issues],
        prose_language=t("export.prose_language", cells=prose[0], all=prose[1]) if prose[0] else "",
        unrun=t("export.unrun", cells=unrun, all=len(cells)) if unrun else "",
        highlight=Markup(HtmlFormatter(style="default").get_style_defs(".highlight")),
        body=Markup(soup),
    )


def read(executed: Path) -> NotebookNode:
    """Read an executed notebook; RunError when it is none."""
    try:
        notebook = nbformat.read(executed, as_version=4)
    except FileNotFoundError as error:
        raise RunError(
            "the notebook does not exist", file=executed, remedy="give its number or its path"
        ) from error
    except Exception as error:  # nbformat raises whatever its JSON and schema readers raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        remedy = "open it in JupyterLab and save it again"
        raise RunError(
            f"the notebook cannot be read: {reason}", file=executed, remedy=remedy
        ) from error
    if not was_run(notebook):
        raise RunError(
            "the notebook has not been run, there is nothing to export",
            file=executed,
            remedy="run it in JupyterLab (make lab) and save it, or make a report",
        )
    return notebook


def was_run(notebook: NotebookNode) -> bool:
    """Return whether a notebook has been run."""
    return any(
        cell.cell_type == "code" and (cell.outputs or cell.execution_count)
        for cell in notebook.cells
    )


def parameters_of(notebook: NotebookNode) -> dict[str, object]:
    """Return the literal values that a notebook's parameter cells assign, the injected ones
    last.
    """
    values: dict[str, object] = {}
    for tag in ("parameters", "injected-parameters"):
        for cell in notebook.cells:
            if tag in cell.metadata.get("tags", []):
                values |= _assigned(cell.source)
    return values


def _assigned(source: str) -> dict[str, object]:
    """Return the literals that a cell assigns to names; none where it cannot be parsed."""
    values: dict[str, object] = {}
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return values
    for statement in statements:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            try:
                values[statement.targets[0].id] = ast.literal_eval(statement.value)
            except ValueError:  # a value that is computed; not a literal
                continue
    return values


def _from_run(manifest: Manifest, t: Translations) -> Origin:
    source = manifest.source_label[t.language]
    return Origin(t.date(manifest.as_of), source, manifest.synthetic)


def _from_notebook(parameters: dict[str, object], executed: Path, t: Translations) -> Origin:
    as_of = str(parameters.get("as_of", "latest"))
    data = str(parameters.get("data", ""))
    saved = datetime.datetime.fromtimestamp(executed.stat().st_mtime).date()
    try:
        day = t.date(datetime.date.fromisoformat(as_of))
    except ValueError:  # latest: the day it was saved is what is known
        day = t.date(saved)
    return Origin(
        day, t("common.synthetic") if data in SAMPLES else Path(data).name, data in SAMPLES
    )


def _describe(soup: BeautifulSoup, t: Translations) -> None:
    """Give figures without a description a numbered one."""
    for number, image in enumerate(soup.find_all("img"), start=1):
        if not image.get("alt"):
            image["alt"] = t("export.picture", number=number)


def _box_tables(soup: BeautifulSoup) -> None:
    """Let wide tables scroll in a box of their own."""
    for number, table in enumerate(soup.find_all("table"), start=1):
        if table.find_parent("table") is None and not table.find_parent(class_="scroll"):
            label = f"table {number}"
            attributes = {"class": "scroll", "role": "region", "tabindex": "0", "aria-label": label}
            table.wrap(soup.new_tag("div", attrs=attributes))
