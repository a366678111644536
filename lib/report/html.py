"""HTML: the pages of the documents, and what makes a page self-contained."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import jinja2
from bs4 import BeautifulSoup, Tag
from markupsafe import Markup

from lib.exhibits.translations import Translations
from lib.report.documents import exhibits_of
from lib.report.fonts import font_face
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
#: fixed size of an SVG, which the page replaces by the width of its place
SIZE = re.compile(r' (?:width|height)="[0-9.]+pt"')
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


def document_page(document: dict, folder: Path, t: Translations, logo: Path | None = None) -> str:
    """Return the page of a document: it holds its figures and loads nothing.

    Parameters
    ----------
    document : dict
        As ``lib.report.documents`` makes it.
    folder : Path
        Where its figures are.
    t : Translations
        Texts of its language.
    logo : Path, optional
        SVG or PNG.
    """
    figures = {
        item["number"]: _figure(folder / item["figure"])
        for item in exhibits_of(document)
        if item.get("figure")
    }
    script = (TEMPLATES / "document.js").read_text(encoding="utf-8")
    return render_page(
        "document.html.j2",
        d=document,
        t=t,
        figures=figures,
        contents=_contents(document, t),
        logo=_logo(logo),
        script=Markup(script),
    )


def _figure(path: Path) -> dict:
    """Return a figure as SVG in the width of its place, and what a pointer reads in it."""
    svg = SIZE.sub("", path.read_text(encoding="utf-8"), count=2)
    readings = path.with_suffix(".json")
    content = readings.read_text(encoding="utf-8") if readings.exists() else "[]"
    return {"svg": Markup(svg), "readings": "" if content == "[]" else content}


def _logo(path: Path | None) -> Markup:
    """Return a logo as an image that the page carries, empty when there is none."""
    if path is None:
        return Markup()
    kind = "svg+xml" if path.suffix.lower() == ".svg" else "png"
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return Markup('<img class="logo" alt="" src="data:image/{};base64,{}">').format(kind, data)


def _entry(item: dict) -> dict:
    return {"id": item["id"], "text": f"{item['label']} {item.get('title', '')}"}


def _contents(document: dict, t: Translations) -> list[dict]:
    """Return the table of contents: ``id``, ``text`` and ``parts`` of each section."""
    words = document["words"]
    before, after = [], []
    if document["kind"] == "weekly":
        before = ["key_points", *(one for one in ("dashboard", "changes") if document[one])]
        after = [one for one in ("calendar", "trades") if document[one]]
        after += ["risks", *(["track_record"] if document["track_record"] else [])]
    elif document["parameters"]:
        after = ["parameters"]
    sections = [*document["sections"], *([document["report"]] if "report" in document else [])]
    entries = [
        {
            "id": section["id"],
            "text": section["title"],
            "parts": list(map(_entry, section["items"])),
        }
        for section in sections
        if section["items"] or section.get("sentences") or section.get("failure")
    ]

    def own(keys: list[str]) -> list[dict]:
        return [{"id": key.replace("_", "-"), "text": words[key], "parts": []} for key in keys]

    return [*own(before), *entries, *own(after)]


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
