"""Sanitizing of notebook cells that a page cannot show as they are, with an issue and a remedy for
each.
"""

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
ROWS = 300
LINES = 300
#: outputs that a library draws in the browser
INTERACTIVE = re.compile(
    r"application/(vnd\.(jupyter\.widget-view|plotly|bokehjs|vega)[^ ]*|javascript)"
)
ATTACHMENT = re.compile(r"attachment:([^)\s\"']+)")


@dataclass(frozen=True)
class CellIssue:
    """A cell that is not shown as it is.

    Attributes
    ----------
    cell : int
        Its number from 1, Markdown and code cells together.
    what : str
        The issue, and what the page shows instead.
    remedy : str
    """

    cell: int
    what: str
    remedy: str


def sanitize(notebook: NotebookNode, t: Translations) -> list[CellIssue]:
    """Change the cells of a notebook in place to what a page can show, and return an issue for each
    change.

    Interactive output without a static picture, unreadable pictures and missing attachments are
    removed; long tables and texts are cut. Of the formats of an output only the one that the page
    shows is kept.
    """
    return [
        _issue(number, key, t, **values)
        for number, cell in enumerate(notebook.cells, start=1)
        for key, values in _sanitize_cell(cell, number, t)
    ]


def leave_out_unrendered(notebook: NotebookNode, t: Translations) -> list[CellIssue]:
    """Empty the cells of a notebook that nbconvert cannot render, in place, and return an issue for
    each.
    """
    issues = []
    for position, cell in enumerate(notebook.cells):
        if not _renders(cell):
            notebook.cells[position] = new_markdown_cell("")
            issues.append(_issue(position + 1, "unrendered", t))
    return issues


def _issue(number: int, key: str, t: Translations, **values) -> CellIssue:
    return CellIssue(number, t(f"export.odd.{key}.what", **values), t(f"export.odd.{key}.remedy"))


def _sanitize_cell(cell: NotebookNode, number: int, t: Translations) -> Iterator[tuple[str, dict]]:
    """Change a cell in place; yield the key and the values of the text on each issue."""
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
                yield from _sanitize_data(output, number, t)
        cell.outputs = [output for output in cell.outputs if "data" not in output or output.data]


def _merged(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Return outputs with consecutive printed texts joined."""
    merged: list[NotebookNode] = []
    for output in outputs:
        last = merged[-1] if merged else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            merged.append(output)
    return merged


def _sanitize_data(
    output: NotebookNode, number: int, t: Translations
) -> Iterator[tuple[str, dict]]:
    """Reduce an output to the format that the page shows; yield issues as ``_sanitize_cell``
    does.
    """
    data = {kind: _as_text(content) for kind, content in output.data.items()}
    interactive = next(filter(INTERACTIVE.match, data), None)
    html = data.get("text/html")
    if html is not None and _needs_scripts(html):
        interactive = interactive or "text/html"
        del data["text/html"]
    if (
        interactive
        and not any(kind.startswith("image/") for kind in data)
        and "text/html" not in data
    ):
        yield "interactive", {"kind": interactive}
    for kind in ("image/svg+xml", "image/png", "image/jpeg"):
        if kind in data and not readable(kind, data[kind]):
            del data[kind]
            yield "picture", {"kind": kind}
    shown = next((kind for kind in FORMATS if kind in data), None)
    if shown is None and not interactive and data:
        yield "unknown", {"kind": next(iter(data))}
    if shown == "text/html":
        shortened, rows = _shortened(data[shown])
        if rows:
            data[shown] = shortened
            yield "long_table", {"shown": ROWS, "rows": rows}
    elif shown == "text/plain":
        lines = data[shown].splitlines()
        if len(lines) > LINES:
            data[shown] = "\n".join(lines[:LINES])
            yield "long_text", {"shown": LINES, "lines": len(lines)}
    output.data = NotebookNode({shown: data[shown]} if shown else {})
    if shown and shown.startswith("image/"):
        output.metadata.setdefault(shown, NotebookNode())
        output.metadata[shown].setdefault("alt", t("export.picture_of_cell", cell=number))


def _as_text(content: object) -> str:
    """Return the content of one format as text; in older notebooks it is a list of lines."""
    if isinstance(content, list):
        return "".join(map(str, content))
    return content if isinstance(content, str) else str(content)


def _needs_scripts(html: str) -> bool:
    """Return whether an HTML fragment is empty without its scripts and frames."""
    if "<script" not in html.lower() and "<iframe" not in html.lower():
        return False
    soup = BeautifulSoup(html, "html.parser")
    for tag in soup.find_all(["script", "style", "noscript", "iframe", "link"]):
        tag.decompose()
    return not soup.get_text(strip=True) and soup.find(["img", "svg", "table", "math"]) is None


def readable(kind: str, content: str) -> bool:
    """Return whether a picture of an output can be read."""
    try:
        if kind == "image/svg+xml":
            return ElementTree.fromstring(content).tag.endswith("svg")
        with Image.open(io.BytesIO(base64.b64decode(content, validate=False))) as image:
            image.load()
    except (
        ElementTree.ParseError,
        OSError,
        SyntaxError,
        ValueError,
        binascii.Error,
        Image.DecompressionBombError,
    ):
        return False
    return True


def _shortened(html: str) -> tuple[str, int]:
    """Return HTML with its tables cut, and the rows of its longest table, 0 when none was cut."""
    if html.count("<tr") <= ROWS:
        return html, 0
    soup = BeautifulSoup(html, "html.parser")
    longest = 0
    for table in soup.find_all("table"):
        rows = table.select("tbody tr") or table.find_all("tr")
        for row in rows[ROWS:]:
            row.decompose()
        longest = max(longest, len(rows) if len(rows) > ROWS else 0)
    return str(soup), longest


def _renders(cell: NotebookNode) -> bool:
    """Return whether nbconvert can render a cell."""
    try:
        cells_html(NotebookNode(cells=[cell], metadata={}, nbformat=4, nbformat_minor=5), code=True)
    except Exception:  # plugins and filters raise anything; the caller names the cell
        return False
    return True
