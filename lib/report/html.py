"""From an executed notebook to one self-contained page."""

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
from lib.report.manifest import Manifest
from lib.report.rendering import cells_html

TEMPLATES = Path(__file__).with_name("templates")
RESOURCES = {"img": "src", "source": "src", "video": "src", "audio": "src", "iframe": "src", "embed": "src"}
#: elements that a page has no use for
RUN_OR_FETCHED = ["script", "link", "object", "base", "noscript"]
#: where the font goes, once all that the page shows is known
FONT = "/* font */"
OUTSIDE = re.compile(r"@import[^;]*;?|url\(\s*['\"]?(?!data:|#)[^)]*\)", re.IGNORECASE)


def environment() -> jinja2.Environment:
    """Return the templates' environment; text is escaped, missing names are errors."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["heading"] = heading
    return made


def heading(t: Translations, notebook: str) -> str:
    """Return the title of a notebook's section; one that the translations do not know goes by its own name."""
    key = f"{notebook}.title"
    return t(key) if t.has(key) else notebook


def export_report(folder: Path, notebook: str, manifest: Manifest, t: Translations) -> Path:
    """Write ``report.html`` from the results of the executed report notebook.

    Code and prose of the notebook stay out, what its cells show goes in. When the notebook failed, or was not even
    executed, the page says so above what there is.

    Parameters
    ----------
    folder : Path
        The run's folder.
    notebook : str
        Stem of the report notebook.
    manifest : Manifest
    t : Translations
        The translations in the report's language.
    """
    executed = folder / "notebooks" / f"{notebook}.ipynb"
    body = outputs_of(nbformat.read(executed, as_version=4)) if executed.exists() else ""
    path = folder / "report.html"
    title = headline_of(folder)
    path.write_text(page(body, manifest, t, manifest.section(notebook), title), encoding="utf-8")
    return path


def outputs_of(notebook: nbformat.NotebookNode) -> str:
    """Return what a notebook's cells display, as an HTML fragment without code, prose and printed text."""
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            shown = [output for output in cell.outputs if output.output_type in ("display_data", "execute_result")]
            cells.append(nbformat.v4.new_code_cell(outputs=shown))
    return cells_html(nbformat.v4.new_notebook(cells=cells), code=False)


def page(body: str, manifest: Manifest, t: Translations, report=None, title: str | None = None) -> str:
    """Lay out the report: head, table of contents, content; nothing in it points outside.

    Parameters
    ----------
    body : str
        HTML fragment.
    manifest : Manifest
    t : Translations
        The translations.
    report : SectionRecord, optional
        Of the report notebook, whose failure the page has to tell.
    title : str, optional
        The headline; without one the page goes by the name of the report.
    """
    soup = BeautifulSoup(body, "html.parser")
    with_mathml(soup)
    make_self_contained(soup, t)
    contents = number_headings(soup)
    values = dict(m=manifest, t=t, report=report, title=title or t("06_weekly_report.title"), contents=contents)
    return render_page("page.html.j2", body=Markup(soup), **values)


def render_page(template: str, **values) -> str:
    """Render a whole page with the house's style and the Chinese characters it shows."""
    css = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    html = environment().get_template(template).render(css=Markup(css), font=FONT, **values)
    return html.replace(FONT, font_face(html), 1)


def outside_references(html: str) -> list[str]:
    """Return everything on a page that a browser would fetch or follow outside of it."""
    soup = BeautifulSoup(html, "html.parser")
    found = []
    for tag in soup.find_all(True):
        if tag.name in ("script", "link", "object", "base"):
            found.append(str(tag)[:120])
        for name in ("href", "src", "srcset", "data", "action", "poster", "xlink:href"):
            value = tag.get(name)
            if value and not value.startswith(("#", "data:")):
                found.append(f"{tag.name} {name}={value[:80]}")
    styles = [tag.string or "" for tag in soup.find_all("style")] + [tag["style"] for tag in soup.select("[style]")]
    return found + [match.group() for style in styles for match in OUTSIDE.finditer(style)]


def make_self_contained(soup: BeautifulSoup, t: Translations) -> None:
    """Take out what a browser would fetch from elsewhere or run; say so where a reader would miss it."""
    for tag in soup.find_all(RUN_OR_FETCHED):
        tag.decompose()
    for tag in soup.find_all(True):
        if tag.name in RESOURCES and not tag.get(address := RESOURCES[tag.name], "").startswith("data:"):
            note = soup.new_tag("span", attrs={"class": "left-out"})
            note.string = t("06_weekly_report.left_out", address=tag.get(address, ""))
            tag.replace_with(note)
        else:
            _take_out_references(tag)


def _take_out_references(tag: Tag) -> None:
    if tag.name == "a" and not tag.get("href", "#").startswith("#"):
        del tag["href"]
    if tag.name == "style":
        tag.string = OUTSIDE.sub("", tag.string or "")
    if "style" in tag.attrs:
        tag["style"] = OUTSIDE.sub("", tag["style"])
    for name in [name for name in tag.attrs if name.startswith("on") or name in ("srcset", "action", "poster")]:
        del tag[name]


def number_headings(soup: BeautifulSoup) -> list[dict]:
    """Put headings in order below the page's title and give each a target; return the table of contents."""
    for anchor in soup.select("a.anchor-link"):
        anchor.decompose()
    contents: list[dict] = []
    level = 1
    for place, found in enumerate(soup.find_all(re.compile("^h[1-6]$")), start=1):
        level = min(max(int(found.name[1]), 2), level + 1)
        found.name = f"h{level}"
        found["id"] = found.get("id") or f"part-{place}"
        if level == 2:
            contents.append({"id": found["id"], "text": _text(found), "parts": []})
        elif level == 3 and contents:
            contents[-1]["parts"].append({"id": found["id"], "text": _text(found)})
    return contents


def _text(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").split())
