"""Notebook cells as HTML by nbconvert's plain template, with formulas marked for a later
conversion.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import nbformat
from jinja2 import pass_context
from nbconvert import HTMLExporter
from nbconvert.exporters.templateexporter import TemplateExporter
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.filters.strings import clean_html
from nbconvert.filters.widgetsdatatypefilter import WidgetsDataTypeFilter
from traitlets.config import Config

from lib.report.formulas import math_script

#: formats of outputs, richest first; no scripts, because pages are mailed and printed
FORMATS = [
    "text/html",
    "text/markdown",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "text/latex",
    "text/plain",
]


class MathRenderer(IPythonRenderer):
    """Renders Markdown with each formula as an element that ``lib.report.formulas`` converts."""

    def block_math(self, body: str) -> str:
        """Return a displayed formula."""
        return math_script(body.strip(), display=True)

    def inline_math(self, body: str) -> str:
        """Return a formula within a line."""
        return math_script(body.strip(), display=False)

    def latex_environment(self, name: str, body: str) -> str:
        """Return an environment such as ``align``."""
        return math_script(f"\\begin{{{name}}}{body}\\end{{{name}}}", display=True)


class Escaped(str):
    """HTML that Pygments has made of code, in which nothing is left to clean."""


class PlainExporter(HTMLExporter):
    """nbconvert's HTML exporter without its second parse of the page, which takes seconds with many
    tables.
    """

    def from_notebook_node(
        self, nb: nbformat.NotebookNode, resources: dict | None = None, **kw: Any
    ):
        """Return the HTML and resources of a notebook; pictures without alternative text stay
        without.
        """
        resources = self._init_resources(resources)
        highlight = Highlight2HTML(pygments_lexer="ipython3", parent=self)
        self.register_filter("highlight_code", lambda *code, **kw: Escaped(highlight(*code, **kw)))
        self.register_filter(
            "clean_html", lambda html: html if isinstance(html, Escaped) else clean_html(html)
        )
        widgets = WidgetsDataTypeFilter(
            notebook_metadata=self._nb_metadata, parent=self, resources=resources
        )
        self.register_filter("filter_data_type", widgets)
        return TemplateExporter.from_notebook_node(self, nb, resources, **kw)

    @pass_context
    def markdown2html(self, context, source: str) -> str:
        """Render Markdown with formulas marked and pictures in the notebook's folder embedded."""
        renderer = MathRenderer(
            escape=False,
            attachments=context.get("cell", {}).get("attachments", {}),
            embed_images=True,
            path=context.get("resources", {}).get("metadata", {}).get("path", ""),
            exclude_anchor_links=True,
        )
        return MarkdownWithMath(renderer=renderer).render(source)


def cells_html(notebook: nbformat.NotebookNode, *, code: bool, folder: str = "") -> str:
    """Return a notebook's cells as an HTML fragment with formulas marked.

    Parameters
    ----------
    notebook : NotebookNode
        The executed notebook.
    code : bool
        With the code of its cells.
    folder : str
        Folder of the pictures in its Markdown.
    """
    return _exporter(code).from_notebook_node(notebook, {"metadata": {"path": folder}})[0]


@lru_cache
def _exporter(code: bool) -> PlainExporter:
    """Return the cached exporter: compiling its templates takes longer than rendering a
    notebook.
    """
    config = Config({"NbConvertBase": {"display_data_priority": FORMATS}})
    return PlainExporter(
        template_name="basic",
        config=config,
        exclude_input=not code,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
