"""Content of a page as Typst source: HTML is first rewritten to what pandoc converts and Typst can
typeset.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pypandoc
from bs4 import Tag

from lib.exhibits.translations import Translations
from lib.market.errors import RunError
from lib.report.fonts import missing_characters
from lib.report.formulas import tex_of, to_typst
from lib.report.soup import attribute, classes

DATA_URI = re.compile(r"data:image/([a-z+]+)[^,]*?(;base64)?,(.*)", re.IGNORECASE | re.DOTALL)
#: picture formats of Typst by their names in a data URI
PICTURES = {
    "png": "png",
    "jpeg": "jpg",
    "jpg": "jpg",
    "gif": "gif",
    "webp": "webp",
    "svg+xml": "svg",
}
#: largest number of columns for each font size in points
SIZES = ((5, 8.5), (7, 8.0), (9, 7.0), (12, 6.0), (16, 5.0))
#: columns of the widest table that is readable on A4; a note refers to HTML and CSV for the others
MAX_COLUMNS = SIZES[-1][0]
#: width of a page in pixels of a picture
PAGE_PIXELS = 860
#: rows that a cell spans at most; a longer one is split, so that a page can end within it
MAX_SPAN = 12
#: letters from which on a word may be broken after punctuation
LONG_WORD = 16
BREAKS = re.compile(r"(?<=[_(),./=*+;|:-])(?=\w)")
#: elements that are not part of a paragraph
BLOCKS = (
    "p",
    "div",
    "section",
    "article",
    "table",
    "figure",
    "pre",
    "ul",
    "ol",
    "dl",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
)
#: pandoc writes the first item of a list on the line of its style, where Typst does not recognise
#: it
STYLED_LIST = re.compile(r"^(#set text\(.*\);) ([-+] )", re.MULTILINE)
#: placeholder of a picture or a formula during pandoc's conversion
PLACEHOLDER = re.compile(r"PIECE[0-9]+ECEIP")
REPLACEMENT = "□"


@dataclass(frozen=True)
class Piece:
    """A picture or a formula: its Typst code, and the code that replaces it when Typst rejects
    it.
    """

    code: str
    fallback: str


@dataclass(frozen=True)
class TypstSource:
    """A page's content as Typst source.

    Attributes
    ----------
    body : str
        With a placeholder for each picture and formula.
    pieces : dict of str to Piece
        Pictures and formulas by placeholder.
    """

    body: str
    pieces: dict[str, Piece]

    def text(self, without: Set[str] = frozenset()) -> str:
        """Return the Typst code, with the fallbacks of the pieces in ``without``."""
        pieces = {
            key: piece.fallback if key in without else piece.code
            for key, piece in self.pieces.items()
        }
        return PLACEHOLDER.sub(lambda match: pieces.get(match[0], match[0]), self.body)


def typeset(main: Tag, folder: Path, t: Translations) -> TypstSource:
    """Convert the content of a page to Typst.

    Parameters
    ----------
    main : Tag
        The content; it is changed in place.
    folder : Path
        The pictures are written there.
    t : Translations
        Texts in the report's language.

    Raises
    ------
    RunError
        pandoc cannot convert the page.
    """
    pieces = _prepare(main, folder, t)
    try:
        body = pypandoc.convert_text(
            main.decode_contents(), "typst", format="html", extra_args=["--wrap=none"]
        )
    except RuntimeError as error:
        raise RunError(
            f"pandoc cannot convert the page: {error}", remedy="check the HTML in its cells"
        ) from error
    return TypstSource(STYLED_LIST.sub(r"\1\n\2", body), pieces)


def _prepare(main: Tag, folder: Path, t: Translations) -> dict[str, Piece]:
    """Rewrite a page in place to HTML that pandoc converts, and return its pictures and formulas by
    placeholder.
    """
    for tag in main.find_all(["style", "script", "button", "input"]):
        if not attribute(tag, "type").startswith("math/tex"):
            tag.decompose()
    for folded in main.find_all("details"):
        _replace_folded(folded, t)
    for code in main.select("div.highlight > pre"):
        source = code.get_text()
        code.clear()
        code["class"] = "python"
        content = Tag(name="code")
        content.string = source
        code.append(content)
    for number in main.select(".exhibit-number"):
        number.append(" · ")
    for level in range(2, 7):
        for heading in main.find_all(f"h{level}"):
            heading.name = f"h{level - 1}"
    pieces: dict[str, Piece] = {}
    _extract_formulas(main, pieces)
    _extract_pictures(main, folder, pieces, t)
    for exhibit in main.select("article.exhibit"):
        _keep_text_with_table(exhibit)
    for table in main.find_all("table"):
        _fit_table(table, t)
    _remove_unlinked_ids(main)
    _unwrap_boxes(main)
    _style_notes(main)
    for text in main.find_all(string=True):
        if missing_characters(text):
            text.replace_with(drawable(text))
    return pieces


def _replace_folded(folded: Tag, t: Translations) -> None:
    """Replace a folded table by a note on its file."""
    note = Tag(name="p", attrs={"class": "source"})
    file = folded.get("data-file")
    note.string = t("export.pdf_folded", file=file) if file else t("export.pdf_folded_html")
    folded.replace_with(note)


def _extract_formulas(main: Tag, pieces: dict[str, Piece]) -> None:
    """Replace the formulas of a page by placeholders and add them to ``pieces``."""
    tags = [tag for tag in main.find_all("math") if tex_of(tag)]
    formulas = [formula for formula in map(tex_of, tags) if formula]
    for tag, (tex, display), typst in zip(tags, formulas, to_typst(formulas), strict=True):
        alt = _quoted(drawable(tex))
        fallback = f"#raw({alt})"
        block = "true" if display else "false"
        code = (
            f"#math.equation(block: {block}, alt: {alt}, {drawable(typst)})" if typst else fallback
        )
        tag.replace_with(_placeholder(pieces, Piece(code, fallback)))


def _extract_pictures(main: Tag, folder: Path, pieces: dict[str, Piece], t: Translations) -> None:
    """Write the page's pictures to files and replace each, with the caption after it, by a
    figure.
    """
    for svg in main.find_all("svg"):
        if svg.find_parent("svg") is None:
            label = svg.get("aria-label") or (svg.title.get_text() if svg.title else "")
            svg.attrs.setdefault("xmlns", "http://www.w3.org/2000/svg")
            data = base64.b64encode(str(svg).encode()).decode()
            svg.replace_with(
                Tag(name="img", attrs={"alt": label, "src": f"data:image/svg+xml;base64,{data}"})
            )
    for number, image in enumerate(main.find_all("img"), start=1):
        kind, content = picture(attribute(image, "src"))
        alt = drawable(attribute(image, "alt") or t("export.picture", number=number))
        fallback = f"#unreadable({_quoted(t('export.pdf_no_picture', alt=alt))})"
        code = fallback
        if content is not None:
            file = f"picture-{number}.{kind}"
            (folder / file).write_bytes(content)
            code = f'#image("{file}", alt: {_quoted(alt)}, width: {_width(image)})'
        _as_figure(image, _placeholder(pieces, Piece(code, fallback)))


def _placeholder(pieces: dict[str, Piece], piece: Piece) -> str:
    """Add a picture or a formula to ``pieces`` and return its placeholder."""
    placeholder = f"PIECE{len(pieces)}ECEIP"
    pieces[placeholder] = piece
    return placeholder


def _quoted(text: str) -> str:
    """Return a text as a Typst string."""
    return json.dumps(" ".join(text.split()), ensure_ascii=False)


def _width(image: Tag) -> str:
    """Return a picture's width in percent of the page's."""
    pixels = attribute(image, "width").removesuffix("px")
    return f"{min(int(pixels) / PAGE_PIXELS, 1):.0%}" if pixels.isdigit() else "100%"


def picture(address: str) -> tuple[str, bytes | None]:
    """Return format and content of a picture in a data URI; None as content when Typst cannot read
    the format.
    """
    match = DATA_URI.match(address)
    if match is None or match[1].lower() not in PICTURES:
        return "", None
    try:
        content = (
            base64.b64decode(match[3], validate=False) if match[2] else unquote_to_bytes(match[3])
        )
    except (binascii.Error, ValueError):
        return "", None
    return PICTURES[match[1].lower()], content


def _as_figure(image: Tag, placeholder: str) -> None:
    """Replace a picture by a figure with its placeholder and the caption that follows it."""
    figure = Tag(name="figure")
    caption = image.find_next_sibling()
    image.replace_with(figure)
    content = Tag(name="p")
    content.string = placeholder
    figure.append(content)
    if caption is not None and "caption" in classes(caption):
        caption.name = "figcaption"
        figure.append(caption.extract())


def _keep_text_with_table(exhibit: Tag) -> None:
    """Keep the text above an exhibit's table on the page of the table."""
    table = exhibit.find("table")
    if table is not None and exhibit.find("figure") is None:
        for tag in table.find_all_previous(["p", "ul"]):
            if exhibit not in tag.parents:
                break
            tag["class"] = " ".join([*classes(tag), "kept"])


def _fit_table(table: Tag, t: Translations) -> None:
    """Fit a table to the page: font size by its columns, at most ``MAX_COLUMNS`` of them, breaks in
    long words.
    """
    columns = max(map(_cut_row, table.find_all("tr")), default=0)
    if columns > MAX_COLUMNS:
        note = Tag(name="p", attrs={"class": "source"})
        note.string = t("export.pdf_wide", left=columns - MAX_COLUMNS, columns=columns)
        table.insert_after(note)
        columns = MAX_COLUMNS
    for tag in table.find_all(["col", "colgroup"]):
        tag.decompose()
    for cell in table.select("tr > :first-child[rowspan]"):
        _split_span(cell)
    size = next(size for limit, size in SIZES if columns <= limit)
    table.attrs = {"class": "typst:no-figure", "data-typst:text:size": f"{size}pt"}
    for cell in table.find_all(["td", "th"]):
        right = {"gt_right", "number"} & set(classes(cell)) or "right" in attribute(cell, "style")
        spans = {key: cell[key] for key in ("rowspan", "colspan") if key in cell.attrs}
        cell.attrs = spans | {"style": f"text-align: {'right' if right else 'left'}"}
    for text in table.find_all(string=_has_long_word):
        text.replace_with(BREAKS.sub("\u200b", text))


def _has_long_word(text: str | None) -> bool:
    return any(len(word) > LONG_WORD for word in (text or "").split())


def _cut_row(row: Tag) -> int:
    """Remove the cells of a row that end beyond the last column that fits; return the columns that
    it had.
    """
    columns = 0
    for cell in row.find_all(["td", "th"]):
        columns += _span(cell)
        if columns > MAX_COLUMNS:
            cell.decompose()
    return columns


def _split_span(cell: Tag) -> None:
    """Split a cell that spans many rows, which Typst would keep on one page; its first row has the
    text.
    """
    spanned = _span(cell, "rowspan")
    first = cell.find_parent("tr")
    if spanned > MAX_SPAN and first:
        del cell["rowspan"]
        for row in first.find_next_siblings("tr", limit=spanned - 1):
            row.insert(0, Tag(name="td"))


def _span(cell: Tag, direction: str = "colspan") -> int:
    """Return over how many columns, or rows, a cell spans."""
    span = attribute(cell, direction)
    return int(span) if span.isdigit() else 1


def _remove_unlinked_ids(main: Tag) -> None:
    """Keep only the ids that links refer to, each once: Typst rejects a missing and a duplicate
    label.
    """
    links = {attribute(link, "href")[1:] for link in main.select('a[href^="#"]')}
    kept = set()
    for tag in main.find_all(id=True):
        if tag["id"] not in links or tag["id"] in kept:
            del tag["id"]
        else:
            kept.add(tag["id"])
    for link in main.select('a[href^="#"]'):
        if attribute(link, "href")[1:] not in kept:
            link.unwrap()


def _unwrap_boxes(main: Tag) -> None:
    """Remove the boxes of the page, which Typst would not break across pages."""
    for tag in main.find_all(["div", "section", "article", "header"]):
        if "gap" in classes(tag):
            continue
        if tag.find(BLOCKS):
            tag.unwrap()
        else:
            tag.name = "p"
            tag.attrs = {key: value for key, value in tag.attrs.items() if key == "class"}


def _style_notes(main: Tag) -> None:
    """Style sources and notes small and grey, and gaps in the colour of a warning."""
    small = {"data-typst:text:size": "7.5pt", "data-typst:text:fill": 'rgb("#56636f")'}
    for tag in main.select("p.source, ul.notes, .left-out, .kept"):
        styles = {"data-typst:sticky": "true"} if "kept" in classes(tag) else {}
        if {"source", "notes", "left-out"} & set(classes(tag)):
            styles |= small
        tag.wrap(Tag(name="div", attrs=styles))
    gap = {
        "data-typst:fill": 'rgb("#fdeff0")',
        "data-typst:inset": "7pt",
        "data-typst:width": "100%",
    }
    for tag in main.select("div.gap, p.gap"):
        tag.wrap(Tag(name="div", attrs=dict(gap)))


def drawable(text: str) -> str:
    """Return a text with a box for each character without a glyph, which PDF/UA rejects."""
    return text.translate(dict.fromkeys(map(ord, missing_characters(text)), REPLACEMENT))
