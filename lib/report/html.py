"""HTML of the report: one self-contained page from the executed report notebook."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
import nbformat
from bs4 import BeautifulSoup, Tag
from markupsafe import Markup

from lib.exhibits.translations import Translations
from lib.report.commentary import headline_of
from lib.report.fonts import font_face
from lib.report.formulas import with_mathml
from lib.report.manifest import Manifest, SectionRecord
from lib.report.rendering import cells_html
from lib.report.soup import attribute, one_line

TEMPLATES = Path(__file__).with_name("templates")
#: attribute with the address of what an element embeds
RESOURCES = {
    "img": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "iframe": "src",
    "embed": "src",
}
#: elements that run code or fetch files
ACTIVE_ELEMENTS = ["script", "link", "object", "base", "noscript"]
#: placeholder of the font, which is subset when the whole text of the page is known
FONT = "/* font */"
OUTSIDE_URL = re.compile(r"@import[^;]*;?|url\(\s*['\"]?(?!data:|#)[^)]*\)", re.IGNORECASE)


def environment() -> jinja2.Environment:
    """Return the environment of the templates: text is escaped, undefined names are errors."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals["heading"] = heading
    templates.filters["system_name"] = system_name
    return templates


def heading(t: Translations, notebook: str) -> str:
    """Return the title of a notebook's section: that of the translations, else the notebook's
    name.
    """
    key = f"{notebook}.title"
    return t(key) if t.has(key) else notebook


def system_name(system: str, t: Translations) -> str:
    """Return the name of a system that makes calls: that of the translations, else its own."""
    key = f"06_weekly_report.value.{system}"
    return t(key) if t.has(key) else system


def export_report(folder: Path, notebook: str, manifest: Manifest, t: Translations) -> Path:
    """Write ``report.html`` from the results of the executed report notebook.

    The page has what the cells display, without code and prose. When the notebook failed or was not
    executed, a banner
    on the page says so.

    Parameters
    ----------
    folder : Path
        The run's folder.
    notebook : str
        Stem of the report notebook.
    manifest : Manifest
        Of the run.
    t : Translations
        Texts in the report's language.
    """
    executed = folder / "notebooks" / f"{notebook}.ipynb"
    body = outputs_of(nbformat.read(executed, as_version=4)) if executed.exists() else ""
    html = page(body, manifest, t, manifest.section(notebook), headline_of(folder))
    path = folder / "report.html"
    path.write_text(html, encoding="utf-8")
    return path


def outputs_of(notebook: nbformat.NotebookNode) -> str:
    """Return the displayed outputs of a notebook as an HTML fragment, without code, prose and
    printed text.
    """
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            shown = [
                output
                for output in cell.outputs
                if output.output_type in ("display_data", "execute_result")
            ]
            cells.append(nbformat.v4.new_code_cell(outputs=shown))
    return cells_html(nbformat.v4.new_notebook(cells=cells), code=False)


def page(
    body: str,
    manifest: Manifest,
    t: Translations,
    report: SectionRecord | None = None,
    title: str | None = None,
) -> str:
    """Return the page of the report: head, table of contents, content; it refers to no other file.

    Parameters
    ----------
    body : str
        HTML fragment.
    manifest : Manifest
        Of the run.
    t : Translations
        Texts in the report's language.
    report : SectionRecord, optional
        Record of the report notebook, for the banner on its failure.
    title : str, optional
        The headline; by default the name of the report.
    """
    soup = BeautifulSoup(body, "html.parser")
    with_mathml(soup)
    make_self_contained(soup, t)
    contents = number_headings(soup)
    title = title or t("06_weekly_report.title")
    body = Markup(soup)
    return render_page(
        "page.html.j2", m=manifest, t=t, report=report, title=title, contents=contents, body=body
    )


def render_page(template: str, **values) -> str:
    """Render a whole page with its style sheet and the Chinese characters in it."""
    css = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    html = environment().get_template(template).render(css=Markup(css), font=FONT, **values)
    return html.replace(FONT, font_face(html), 1)


def make_self_contained(soup: BeautifulSoup, t: Translations) -> None:
    """Remove what a browser would fetch or run, in place; a note replaces each missing picture or
    frame.
    """
    for tag in soup.find_all(ACTIVE_ELEMENTS):
        tag.decompose()
    for tag in soup.find_all(True):
        address = attribute(tag, RESOURCES[tag.name]) if tag.name in RESOURCES else "data:"
        if not address.startswith("data:"):
            note = soup.new_tag("span", attrs={"class": "left-out"})
            note.string = t("06_weekly_report.left_out", address=address)
            tag.replace_with(note)
        else:
            _remove_references(tag)


def _remove_references(tag: Tag) -> None:
    """Remove from a tag what refers to other files or runs code."""
    if tag.name == "a" and not attribute(tag, "href").startswith("#"):
        del tag["href"]
    if tag.name == "style":
        tag.string = OUTSIDE_URL.sub("", tag.string or "")
    if "style" in tag.attrs:
        tag["style"] = OUTSIDE_URL.sub("", attribute(tag, "style"))
    for name in [
        name
        for name in tag.attrs
        if name.startswith("on") or name in ("srcset", "action", "poster")
    ]:
        del tag[name]


def number_headings(soup: BeautifulSoup) -> list[dict]:
    """Correct the levels of headings below the page's title, give each an id, return the table of
    contents.
    """
    for anchor in soup.select("a.anchor-link"):
        anchor.decompose()
    contents: list[dict] = []
    level = 1
    for number, tag in enumerate(soup.find_all(re.compile("^h[1-6]$")), start=1):
        level = min(max(int(tag.name[1]), 2), level + 1)
        tag.name = f"h{level}"
        tag["id"] = tag.get("id") or f"part-{number}"
        if level == 2:
            contents.append({"id": tag["id"], "text": one_line(tag), "parts": []})
        elif level == 3 and contents:
            contents[-1]["parts"].append({"id": tag["id"], "text": one_line(tag)})
    return contents
