"""PDF of a finished HTML page, typeset by the Typst wheel without TeX, browser or system fonts.

The PDF is tagged and checked as PDF/UA-1, which rejects a picture or a formula without alternative
text and a character
without a glyph.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Final

import typst
from bs4 import BeautifulSoup, Tag
from matplotlib import get_data_path

from lib.exhibits.translations import Translations
from lib.market.atomic import atomic_write
from lib.market.errors import RunError
from lib.report.documents import exhibits_of
from lib.report.fonts import FONT_FOLDER
from lib.report.soup import classes, one_line
from lib.report.typeset import TypstSource, drawable, typeset

TEMPLATES = Path(__file__).with_name("templates")
TEMPLATE = TEMPLATES / "page.typ"
DOCUMENT = TEMPLATES / "document.typ"
#: DejaVu Sans, the letters of figures
FIGURE_FONTS = Path(get_data_path()) / "fonts" / "ttf"
STANDARD: Final = "ua-1"
#: folded tables of exhibits
FOLDED = re.compile(r'(<details class="figures"[^>]*>).*?(</details>)', re.DOTALL)


def export_pdf(page: Path, t: Translations, *, date: str, source: str) -> Path:
    """Write the PDF of a page to the same folder.

    Parameters
    ----------
    page : Path
        A page of ``lib.report.html``.
    t : Translations
        Texts in the report's language.
    date, source : str
        Printed at the head and at the foot of each page.

    Returns
    -------
    Path
        The page's path with the ending ``.pdf``.

    Raises
    ------
    RunError
        The page cannot be converted or typeset.
    """
    path = page.with_suffix(".pdf")
    content = pdf_of(page.read_text(encoding="utf-8"), t, date=date, source=source, name=page.name)
    atomic_write(path, content)
    return path


def document_pdf(document: dict, folder: Path) -> bytes:
    """Return the PDF of a document.

    Parameters
    ----------
    document : dict
        As ``lib.report.documents`` makes it.
    folder : Path
        Where its figures are.

    Raises
    ------
    RunError
        It cannot be typeset.
    """
    with tempfile.TemporaryDirectory(prefix="report-pdf-") as temporary:
        root = Path(temporary)
        for exhibit in exhibits_of(document):
            if exhibit.get("figure"):
                picture = root / exhibit["figure"]
                picture.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(folder / exhibit["figure"], picture)
        front = {"page": drawable(json.dumps(document, ensure_ascii=False))}
        try:
            return _compile(root, DOCUMENT.read_text(encoding="utf-8"), front)
        except typst.TypstError as error:
            raise RunError(
                f"the PDF cannot be typeset: {error}",
                remedy="read the page, which has the same content",
            ) from error


def pdf_of(
    html: str, t: Translations, *, date: str, source: str, name: str = "report.html"
) -> bytes:
    """Return the PDF of a page; alternative text replaces a picture or a formula that cannot be
    typeset.

    Parameters
    ----------
    html : str
        A page of ``lib.report.html``.
    t : Translations
        Texts in the report's language.
    date, source : str
        Printed at the head and at the foot of each page.
    name : str
        Names the page in errors.
    """
    # folded tables are large and not in the PDF: not parsing them saves seconds
    soup = BeautifulSoup(FOLDED.sub(r"\1\2", html), "html.parser")
    main = soup.find("main")
    if main is None:
        raise RunError(
            "the page has no <main> element", file=name, remedy="export the report again"
        )
    front = {"page": json.dumps(_front(soup, t, date, source), ensure_ascii=False)}
    with tempfile.TemporaryDirectory(prefix="report-pdf-") as temporary:
        folder = Path(temporary)
        body = typeset(main, folder, t)
        template = TEMPLATE.read_text(encoding="utf-8")
        try:
            return _compile(folder, template + body.text(), front)
        except typst.TypstError:
            rejected = _rejected(folder, body, template, front)
        try:
            return _compile(folder, template + body.text(without=rejected), front)
        except typst.TypstError as error:
            hints = (
                "; ".join(getattr(error, "hints", None) or ())
                or "read the HTML, which holds the same"
            )
            raise RunError(
                f"the PDF cannot be typeset: {error}", file=name, remedy=hints
            ) from error


def _compile(folder: Path, text: str, front: dict[str, str]) -> bytes:
    file = folder / "page.typ"
    file.write_text(text, encoding="utf-8")
    fonts = typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=True,
        font_paths=[str(FONT_FOLDER), str(FIGURE_FONTS)],
    )
    return typst.compile(
        str(file), root=str(folder), font_paths=fonts, sys_inputs=front, pdf_standards=[STANDARD]
    )


def _rejected(folder: Path, body: TypstSource, template: str, front: dict[str, str]) -> set[str]:
    """Return the pictures and formulas that Typst rejects, found by typesetting each alone."""
    rejected = set()
    for key, piece in body.pieces.items():
        try:
            _compile(folder, f"{template}= Piece\n#{piece.code}", front)
        except typst.TypstError:
            rejected.add(key)
    return rejected


def _front(soup: BeautifulSoup, t: Translations, date: str, source: str) -> dict:
    """Return the front matter: title, facts, banners."""
    banners = []
    for banner in soup.select("header .banner"):
        pre = banner.find("pre")
        items = [drawable(one_line(item.extract())) for item in banner.find_all("li")]
        code = pre.extract().get_text().strip() if pre else ""
        strong = banner.find("strong")
        head = strong.extract().get_text(" ", strip=True) if strong else ""
        texts = {
            "strong": drawable(head),
            "text": drawable(one_line(banner)),
            "pre": drawable(code),
        }
        banners.append({**texts, "items": items, "failed": "failed" in classes(banner)})
    return {
        "title": drawable(one_line(soup.find("h1"))),
        "kicker": drawable(one_line(soup.select_one(".kicker"))),
        "facts": [_fact(part) for part in soup.select(".facts > div")],
        "banners": banners,
        "contents": t("06_weekly_report.contents") if soup.select("nav.contents li") else "",
        "date": date,
        "source": drawable(source),
        "lang": t.language,
        "region": "cn" if t.language == "zh" else "gb",
    }


def _fact(part: Tag) -> list[str]:
    """Return name and value of a fact."""
    return [drawable(one_line(part.find(name))) for name in ("dt", "dd")]
