"""Cells of a notebook that no page can show as they are: what is put in their place, and what to do about them."""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from bs4 import BeautifulSoup
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from PIL import Image

from lib.exhibits.translations import Translations
from lib.report.rendering import FORMATS, cells_html

#: rows of a table and lines of a text that a page shows of one output
ROWS, LINES = 300, 300
#: what a live notebook would run: a library draws it in the browser
INTERACTIVE = re.compile(r"application/(vnd\.(jupyter\.widget-view|plotly|bokehjs|vega)[^ ]*|javascript)")
ATTACHMENT = re.compile(r"attachment:([^)\s\"']+)")


@dataclass(frozen=True)
class CellIssue:
    """A cell that is not shown as it is.

    Attributes
    ----------
    cell : int
        Counted from 1, prose and code.
    what : str
        What is odd, and what the page shows instead.
    remedy : str
    """

    cell: int
    what: str
    remedy: str


def sanitize(notebook: NotebookNode, t: Translations) -> list[CellIssue]:
    """Make every cell of a notebook one that a page can show, in place, and return those that were changed.

    Interactive output without a picture of itself, pictures that cannot be read and attachments that are missing are
    left out; huge tables and texts are cut. Of the formats of an output only the one that the page shows is kept.
    """
    return [
        _issue(number, key, t, **values)
        for number, cell in enumerate(notebook.cells, start=1)
        for key, values in _settle_cell(cell, number, t)
    ]


def leave_out_unrendered(notebook: NotebookNode, t: Translations) -> list[CellIssue]:
    """Empty the cells of a notebook that nbconvert cannot render, found one by one, and return them."""
    found = []
    for place, cell in enumerate(notebook.cells):
        if not _renders(cell):
            notebook.cells[place] = new_markdown_cell("")
            found.append(_issue(place + 1, "unrendered", t))
    return found


def _issue(number: int, key: str, t: Translations, **values) -> CellIssue:
    return CellIssue(number, t(f"export.odd.{key}.what", **values), t(f"export.odd.{key}.remedy"))


def _settle_cell(cell: NotebookNode, number: int, t: Translations) -> Iterator[tuple[str, dict]]:
    if cell.cell_type == "raw":
        kind = cell.metadata.get("raw_mimetype", "")
        if kind not in ("", "text/html"):
            yield "raw", {"kind": kind}
    elif cell.cell_type == "markdown":
        for name in set(ATTACHMENT.findall(cell.source)) - set(cell.get("attachments", {})):
            cell.source = cell.source.replace(f"attachment:{name}", "missing")
            yield "attachment", {"name": name}
    else:
        cell.outputs = _merged(cell.outputs)
        for output in cell.outputs:
            if output.output_type == "stream":
                lines = output.text.splitlines()
                if len(lines) > LINES:
                    output.text = "\n".join(lines[:LINES])
                    yield "long_text", {"shown": LINES, "lines": len(lines)}
            elif output.output_type == "error":
                yield "error", {"error": f"{output.get('ename', '')}: {output.get('evalue', '')}"}
            else:
                yield from _settle_data(output, number, t)
        cell.outputs = [output for output in cell.outputs if "data" not in output or output.data]


def _merged(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join what a cell printed piece by piece."""
    merged: list[NotebookNode] = []
    for output in outputs:
        last = merged[-1] if merged else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            merged.append(output)
    return merged


def _settle_data(output: NotebookNode, number: int, t: Translations) -> Iterator[tuple[str, dict]]:
    """Keep the one format of an output that the page shows."""
    data = {kind: _joined(content) for kind, content in output.data.items()}
    live = next(filter(INTERACTIVE.match, data), None)
    html = data.get("text/html")
    if html is not None and _draws_nothing(html):
        live = live or "text/html"
        del data["text/html"]
    if live and not any(kind.startswith("image/") for kind in data) and "text/html" not in data:
        yield "interactive", {"kind": live}
    for kind in ("image/svg+xml", "image/png", "image/jpeg"):
        if kind in data and not readable(kind, data[kind]):
            del data[kind]
            yield "picture", {"kind": kind}
    shown = next((kind for kind in FORMATS if kind in data), None)
    if shown is None and not live and data:
        yield "unknown", {"kind": next(iter(data))}
    if shown == "text/html":
        cut, rows = _shortened(data[shown])
        if rows:
            data[shown] = cut
            yield "long_table", {"shown": ROWS, "rows": rows}
    elif shown == "text/plain" and len(lines := data[shown].splitlines()) > LINES:
        data[shown] = "\n".join(lines[:LINES])
        yield "long_text", {"shown": LINES, "lines": len(lines)}
    output.data = NotebookNode({shown: data[shown]} if shown else {})
    if shown and shown.startswith("image/"):
        output.metadata.setdefault(shown, NotebookNode())
        output.metadata[shown].setdefault("alt", t("export.picture_of_cell", cell=number))


def _joined(content) -> str:
    """Return the content of one format as text; older notebooks keep it as a list of lines."""
    if isinstance(content, list):
        return "".join(map(str, content))
    return content if isinstance(content, str) else str(content)


def _draws_nothing(html: str) -> bool:
    """Tell whether a piece of HTML is empty without the scripts that would fill it."""
    if "<script" not in html.lower() and "<iframe" not in html.lower():
        return False
    soup = BeautifulSoup(html, "html.parser")
    for tag in soup.find_all(["script", "style", "noscript", "iframe", "link"]):
        tag.decompose()
    return not soup.get_text(strip=True) and soup.find(["img", "svg", "table", "math"]) is None


def readable(kind: str, content: str) -> bool:
    """Tell whether a picture of an output can be read."""
    try:
        if kind == "image/svg+xml":
            return ElementTree.fromstring(content).tag.endswith("svg")
        with Image.open(io.BytesIO(base64.b64decode(content, validate=False))) as image:
            image.load()
    except (ElementTree.ParseError, OSError, SyntaxError, ValueError, binascii.Error, Image.DecompressionBombError):
        return False
    return True


def _shortened(html: str) -> tuple[str, int]:
    """Cut the tables of a piece of HTML; return it and the rows of its longest table, 0 when none was cut."""
    if html.count("<tr") <= ROWS:
        return html, 0
    soup, longest = BeautifulSoup(html, "html.parser"), 0
    for table in soup.find_all("table"):
        rows = table.select("tbody tr") or table.find_all("tr")
        for row in rows[ROWS:]:
            row.decompose()
        longest = max(longest, len(rows) if len(rows) > ROWS else 0)
    return str(soup), longest


def _renders(cell: NotebookNode) -> bool:
    """Tell whether nbconvert can render a cell."""
    try:
        cells_html(NotebookNode(cells=[cell], metadata={}, nbformat=4, nbformat_minor=5), code=True)
    except Exception:  # whatever a plugin or a filter raises: the cell is named instead
        return False
    return True
