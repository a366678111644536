"""From a finished page to a PDF of A4 pages, set by Typst, which is a wheel: no TeX, browser or font of the machine.

The PDF is tagged and checked as PDF/UA-1, which refuses a picture or a formula without a description and a character
without a glyph.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path

import typst
from bs4 import BeautifulSoup

from lib.exhibits.translations import Translations
from lib.market.errors import RunError
from lib.report.fonts import FOLDER
from lib.report.typeset import TypstSource, drawable, typeset, words

TEMPLATE = Path(__file__).with_name("templates") / "page.typ"
STANDARD = "ua-1"
FOLDED = re.compile(r'(<details class="figures"[^>]*>).*?(</details>)', re.DOTALL)


def export_pdf(page: Path, t: Translations, *, date: str, source: str) -> Path:
    """Write the PDF of a page beside it.

    Parameters
    ----------
    page : Path
        A page laid out by ``lib.report.html``.
    t : Translations
    date, source : str
        Stand at the head and at the foot of each page.

    Returns
    -------
    Path
        The page's path with the ending ``.pdf``.

    Raises
    ------
    RunError
        The page cannot be converted or set.
    """
    path = page.with_suffix(".pdf")
    content = pdf_of(page.read_text(encoding="utf-8"), t, date=date, source=source, name=page.name)
    aside = path.with_suffix(".pdf.tmp")
    aside.write_bytes(content)
    os.replace(aside, path)
    return path


def pdf_of(html: str, t: Translations, *, date: str, source: str, name: str = "report.html") -> bytes:
    """Return the PDF of a page; a picture or a formula that cannot be set is named in its place."""
    # what is folded away is not set, and there is much of it to parse
    soup = BeautifulSoup(FOLDED.sub(r"\1\2", html), "html.parser")
    front = {"page": json.dumps(_front(soup, t, date, source), ensure_ascii=False)}
    with tempfile.TemporaryDirectory(prefix="report-pdf-") as home:
        folder = Path(home)
        body = typeset(soup.find("main"), folder, t)
        try:
            return _compile(folder, body.text(), front)
        except typst.TypstError:
            spoilt = _spoilt(folder, body, front)
        try:
            return _compile(folder, body.text(without=spoilt), front)
        except typst.TypstError as error:
            hints = "; ".join(getattr(error, "hints", None) or ()) or "read the HTML, which holds the same"
            raise RunError(f"the PDF cannot be set: {error}", file=name, remedy=hints) from error


def _compile(folder: Path, body: str, front: dict[str, str]) -> bytes:
    file = folder / "page.typ"
    file.write_text(TEMPLATE.read_text(encoding="utf-8") + body, encoding="utf-8")
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=[str(FOLDER)])
    return typst.compile(str(file), root=str(folder), font_paths=fonts, sys_inputs=front, pdf_standards=[STANDARD])


def _spoilt(folder: Path, body: TypstSource, front: dict[str, str]) -> set[str]:
    """Return the pictures and formulas that cannot be set, found by setting each alone."""
    spoilt = set()
    for key, piece in body.pieces.items():
        try:
            _compile(folder, f"= Piece\n#{piece.code}", front)
        except typst.TypstError:
            spoilt.add(key)
    return spoilt


def _front(soup: BeautifulSoup, t: Translations, date: str, source: str) -> dict:
    """Collect what stands before the body: title, facts, banners."""
    banners = []
    for banner in soup.select("header .banner"):
        pre = banner.find("pre")
        items = [words(item.extract()) for item in banner.find_all("li")]
        code = pre.extract().get_text().strip() if pre else ""
        strong = banner.find("strong")
        head = strong.extract().get_text(" ", strip=True) if strong else ""
        said = {"strong": head, "text": words(banner), "pre": code}
        banners.append(
            {key: drawable(text) for key, text in said.items()}
            | {"items": [drawable(item) for item in items], "failed": "failed" in banner["class"]}
        )
    facts = [
        [drawable(words(part.find("dt"))), drawable(words(part.find("dd")))] for part in soup.select(".facts > div")
    ]
    kicker, title = soup.select_one(".kicker"), soup.find("h1")
    return {
        "title": drawable(words(title)) if title else "",
        "kicker": drawable(words(kicker)) if kicker else "",
        "facts": facts,
        "banners": banners,
        "contents": t("06_weekly_report.contents") if soup.select("nav.contents li") else "",
        "date": date,
        "source": drawable(source),
        "lang": t.language,
        "region": "cn" if t.language == "zh" else "gb",
    }
