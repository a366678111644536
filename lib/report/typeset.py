"""The content of a page as Typst: what pandoc would drop or Typst could not set is turned into what both know."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pypandoc
from bs4 import BeautifulSoup, Tag

from lib.exhibits.translations import Translations
from lib.market.errors import RunError
from lib.report.fonts import missing
from lib.report.formulas import tex_of, to_typst

DATA_URI = re.compile(r"data:image/([a-z+]+)[^,]*?(;base64)?,(.*)", re.IGNORECASE | re.DOTALL)
#: what Typst reads, by the name in a data URI
PICTURES = {"png": "png", "jpeg": "jpg", "jpg": "jpg", "gif": "gif", "webp": "webp", "svg+xml": "svg"}
#: size of the type in points up to so many columns
SIZES = ((5, 8.5), (7, 8.0), (9, 7.0), (12, 6.0), (16, 5.0))
#: more columns than this are unreadable on A4; the rest is left to the HTML and the CSV, and said
WIDEST = SIZES[-1][0]
#: a picture of so many pixels is as wide as the page
PAGE_PIXELS = 860
#: a cell that spans more rows is cut into them
LONGEST_SPAN = 12
#: a word longer than this may be broken after a sign
LONG_WORD = 16
BREAKS = re.compile(r"(?<=[_(),./=*+;|:-])(?=\w)")
#: elements that stand for themselves, outside of a paragraph
BLOCKS = ("p", "div", "section", "article", "table", "figure", "pre", "ul", "ol", "dl", "h1", "h2", "h3", "h4", "h5")
#: pandoc writes the first item of a list on the line that styles it, where Typst sees no item
STYLED_LIST = re.compile(r"^(#set text\(.*\);) ([-+] )", re.MULTILINE)
#: stands for a piece while pandoc converts
MARK = re.compile(r"PIECE[0-9]+ECEIP")
REPLACEMENT = "□"


@dataclass(frozen=True)
class Piece:
    """A picture or a formula: the Typst code that sets it, and the code that names it where it cannot be set."""

    code: str
    instead: str


@dataclass(frozen=True)
class TypstSource:
    """A page's content as Typst.

    Attributes
    ----------
    body : str
        With a mark in place of each piece.
    pieces : dict of str to Piece
        By their marks.
    """

    body: str
    pieces: dict[str, Piece]

    def text(self, without: set[str] = frozenset()) -> str:
        """Return the Typst code; of the pieces in ``without`` only the names."""
        pieces = {key: piece.instead if key in without else piece.code for key, piece in self.pieces.items()}
        return MARK.sub(lambda found: pieces.get(found[0], found[0]), self.body)


def typeset(main: Tag, folder: Path, t: Translations) -> TypstSource:
    """Turn the content of a page into Typst; its pictures are written to ``folder``.

    Raises
    ------
    RunError
        pandoc cannot convert the page.
    """
    pieces = _prepare(main, folder, t)
    try:
        body = pypandoc.convert_text(main.decode_contents(), "typst", format="html", extra_args=["--wrap=none"])
    except RuntimeError as error:
        raise RunError(f"pandoc cannot convert the page: {error}", remedy="look for odd HTML in its cells") from error
    return TypstSource(STYLED_LIST.sub(r"\1\n\2", body), pieces)


def _prepare(main: Tag, folder: Path, t: Translations) -> dict[str, Piece]:
    """Put marks in place of pictures and formulas and return these; make the rest what pandoc and Typst know."""
    for tag in main.find_all(["style", "script", "button", "input"]):
        if not tag.get("type", "").startswith("math/tex"):
            tag.decompose()
    for folded in main.find_all("details"):
        _unfold(folded, t)
    for code in main.select("div.highlight > pre"):
        source = code.get_text()
        code.clear()
        code["class"] = ["python"]
        code.append(Tag(name="code"))
        code.code.string = source
    for number in main.select(".exhibit-number"):
        number.append(" · ")
    for level in range(2, 7):
        for heading in main.find_all(f"h{level}"):
            heading.name = f"h{level - 1}"
    pieces: dict[str, Piece] = {}
    _formulas(main, pieces)
    _pictures(main, folder, pieces, t)
    for exhibit in main.select("article.exhibit"):
        _keep_words_with_table(exhibit)
    for table in main.find_all("table"):
        _fit(table, t)
    _settle_targets(main)
    _unwrap(main)
    _quiet(main)
    for text in main.find_all(string=True):
        if missing(text):
            text.replace_with(drawable(text))
    return pieces


def _unfold(folded: Tag, t: Translations) -> None:
    """Leave out what the page folds away, and say where it is."""
    note = BeautifulSoup("<p class='source'></p>", "html.parser").p
    file = folded.get("data-file")
    note.string = t("export.pdf_folded", file=file) if file else t("export.pdf_folded_html")
    folded.replace_with(note)


def _formulas(main: Tag, pieces: dict[str, Piece]) -> None:
    tags = [(tag, tex_of(tag)) for tag in main.find_all("math")]
    known = [(tag, formula) for tag, formula in tags if formula]
    converted = to_typst([formula for _, formula in known])
    for (tag, (tex, display)), typst in zip(known, converted, strict=True):
        alt, code = _quoted(drawable(tex)), f"#raw({_quoted(drawable(tex))})"
        block = "true" if display else "false"
        made = f"#math.equation(block: {block}, alt: {alt}, {drawable(typst)})" if typst else code
        tag.replace_with(_mark(pieces, Piece(made, code)))


def _pictures(main: Tag, folder: Path, pieces: dict[str, Piece], t: Translations) -> None:
    """Write the page's pictures as files and make each, with the caption that follows it, a figure."""
    for drawn in main.find_all("svg"):
        if drawn.find_parent("svg") is None:
            label = drawn.get("aria-label") or (drawn.title.get_text() if drawn.title else "")
            drawn.attrs.setdefault("xmlns", "http://www.w3.org/2000/svg")
            data = base64.b64encode(str(drawn).encode()).decode()
            drawn.replace_with(Tag(name="img", attrs={"alt": label, "src": f"data:image/svg+xml;base64,{data}"}))
    for number, image in enumerate(main.find_all("img"), start=1):
        kind, content = picture(image.get("src", ""))
        alt = drawable(image.get("alt") or t("export.picture", number=number))
        instead = f"#unreadable({_quoted(t('export.pdf_no_picture', alt=alt))})"
        code = instead
        if content is not None:
            file = f"picture-{number}.{kind}"
            (folder / file).write_bytes(content)
            code = f'#image("{file}", alt: {_quoted(alt)}, width: {_width(image)})'
        _as_figure(image, _mark(pieces, Piece(code, instead)))


def _mark(pieces: dict[str, Piece], piece: Piece) -> str:
    mark = f"PIECE{len(pieces)}ECEIP"
    pieces[mark] = piece
    return mark


def _quoted(text: str) -> str:
    """Return a text as a Typst string."""
    return json.dumps(" ".join(text.split()), ensure_ascii=False)


def _width(image: Tag) -> str:
    """Return a picture's width: that of the page, or less where the page shows it smaller."""
    asked = str(image.get("width", "")).removesuffix("px")
    return f"{min(int(asked) / PAGE_PIXELS, 1):.0%}" if asked.isdigit() else "100%"


def picture(address: str) -> tuple[str, bytes | None]:
    """Return kind and content of a picture in a data URI; no content when Typst could not read it."""
    match = DATA_URI.match(address)
    if match is None or match[1].lower() not in PICTURES:
        return "", None
    try:
        content = base64.b64decode(match[3], validate=False) if match[2] else unquote_to_bytes(match[3])
    except (binascii.Error, ValueError):
        return "", None
    return PICTURES[match[1].lower()], content


def _as_figure(image: Tag, mark: str) -> None:
    """Put a figure with the picture's mark in place of a picture, and the caption after it into the figure."""
    figure = Tag(name="figure")
    caption = image.find_next_sibling()
    image.replace_with(figure)
    content = Tag(name="p")
    content.string = mark
    figure.append(content)
    if caption is not None and "caption" in caption.get("class", []):
        caption.name = "figcaption"
        figure.append(caption.extract())


def _keep_words_with_table(exhibit: Tag) -> None:
    """Keep what stands above an exhibit's table on the page of the table."""
    table = exhibit.find("table")
    if table is not None and exhibit.find("figure") is None:
        for tag in table.find_all_previous(["p", "ul"]):
            if exhibit not in tag.parents:
                break
            tag["class"] = [*tag.get("class", []), "kept"]


def _fit(table: Tag, t: Translations) -> None:
    """Choose the size of a table's type by its columns, leave out columns past the widest, let long words break."""
    rows = table.find_all("tr")
    columns = max((sum(_span(cell) for cell in row.find_all(["td", "th"])) for row in rows), default=0)
    if columns > WIDEST:
        for row in rows:
            place = 0
            for cell in row.find_all(["td", "th"]):
                place += _span(cell)
                if place > WIDEST:
                    cell.decompose()
        note = Tag(name="p", attrs={"class": ["source"]})
        note.string = t("export.pdf_wide", left=columns - WIDEST, columns=columns)
        table.insert_after(note)
        columns = WIDEST
    for tag in table.find_all(["col", "colgroup"]):
        tag.decompose()
    for cell in table.select("tr > :first-child[rowspan]"):
        _loosen(cell)
    size = next(size for most, size in SIZES if columns <= most)
    table.attrs = {"class": "typst:no-figure", "data-typst:text:size": f"{size}pt"}
    for cell in table.find_all(["td", "th"]):
        right = {"gt_right", "number"} & set(cell.get("class", [])) or "right" in cell.get("style", "")
        spans = {key: cell[key] for key in ("rowspan", "colspan") if key in cell.attrs}
        cell.attrs = spans | {"style": f"text-align: {'right' if right else 'left'}"}
    for text in table.find_all(string=lambda text: any(len(word) > LONG_WORD for word in text.split())):
        text.replace_with(BREAKS.sub("\u200b", text))


def _loosen(cell: Tag) -> None:
    """Let a page end within a cell that spans many rows, which Typst would keep together: say it in its first row."""
    spanned = int(cell["rowspan"]) if cell["rowspan"].isdigit() else 1
    if spanned > LONGEST_SPAN:
        del cell["rowspan"]
        for row in cell.parent.find_next_siblings("tr", limit=spanned - 1):
            row.insert(0, Tag(name="td"))


def _span(cell: Tag) -> int:
    return int(cell.get("colspan", 1)) if str(cell.get("colspan", 1)).isdigit() else 1


def _settle_targets(main: Tag) -> None:
    """Keep the targets of links alone, each once: Typst refuses a link to a label that is missing or stands twice."""
    links = {link["href"][1:] for link in main.select('a[href^="#"]')}
    seen = set()
    for tag in main.find_all(id=True):
        if tag["id"] not in links or tag["id"] in seen:
            del tag["id"]
        else:
            seen.add(tag["id"])
    for link in main.select('a[href^="#"]'):
        if link["href"][1:] not in seen:
            link.unwrap()


def _unwrap(main: Tag) -> None:
    """Take away the boxes of the page, which Typst would keep as boxes that cannot hold a new page."""
    for tag in main.find_all(["div", "section", "article", "header"]):
        if "gap" in tag.get("class", []):
            continue
        if tag.find(BLOCKS):
            tag.unwrap()
        else:
            tag.name, tag.attrs = "p", {key: tag[key] for key in ("class",) if key in tag.attrs}


def _quiet(main: Tag) -> None:
    """Set sources and notes small and grey, and gaps in the colour of a warning."""
    small = {"data-typst:text:size": "7.5pt", "data-typst:text:fill": 'rgb("#56636f")'}
    for tag in main.select("p.source, ul.notes, .left-out, .kept"):
        styles = {"data-typst:sticky": "true"} if "kept" in tag["class"] else {}
        tag.wrap(Tag(name="div", attrs=styles | (small if {"source", "notes", "left-out"} & set(tag["class"]) else {})))
    gap = {"data-typst:fill": 'rgb("#fdeff0")', "data-typst:inset": "7pt", "data-typst:width": "100%"}
    for tag in main.select("div.gap, p.gap"):
        tag.wrap(Tag(name="div", attrs=dict(gap)))


def words(tag: Tag) -> str:
    """Return the text of an element on one line."""
    return " ".join(tag.get_text(" ").split())


def drawable(text: str) -> str:
    """Return a text with a box for each character that no font can draw, which PDF/UA would refuse."""
    return re.sub("[" + "".join(map(re.escape, missing(text))) + "]", REPLACEMENT, text) if missing(text) else text
