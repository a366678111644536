"""Formulas in TeX, converted to MathML for HTML and to Typst for the PDF; one call of pandoc for
all of a page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pypandoc
from bs4 import BeautifulSoup, Tag

from lib.report.soup import attribute

#: a formula: its TeX, and whether it is displayed on a line of its own
Formula = tuple[str, bool]
#: LaTeX output of a cell: a formula between delimiters, or an environment
DELIMITED = re.compile(
    r"\s*(?:\$\$(.+)\$\$|\$(.+)\$|\\\[(.+)\\\]|\\\((.+)\\\)|(\\begin\{.+))\s*$", re.DOTALL
)
#: separates the formulas of one conversion
SEPARATOR = "between-two-formulas"
MATHML = "application/x-tex"


def to_mathml(formulas: Sequence[Formula]) -> list[str]:
    """Return formulas as MathML annotated with their TeX; one that pandoc cannot read is returned
    as code.
    """
    converted = []
    for html, (tex, _) in zip(_convert(formulas, "html5", "--mathml"), formulas, strict=True):
        math = BeautifulSoup(html, "html.parser").find("math")
        converted.append(str(math or _code(tex)))
    return converted


def to_typst(formulas: Sequence[Formula]) -> list[str | None]:
    """Return formulas as Typst between dollar signs, None for one that pandoc cannot read."""
    parts = [part.strip() for part in _convert(formulas, "typst")]
    return [part if part.startswith("$") and part.endswith("$") else None for part in parts]


def math_script(tex: str, display: bool) -> str:
    """Return a formula as an HTML ``script`` element, which a later step converts."""
    tag = Tag(name="script", attrs={"type": f"math/tex{'; mode=display' if display else ''}"})
    tag.string = tex.replace("</", "<\\/")
    return str(tag)


def with_mathml(soup: BeautifulSoup) -> None:
    """Replace the formulas of a page, those of ``math_script`` and those in LaTeX output, by
    MathML.
    """
    for output in soup.select("div.output_latex"):
        match = DELIMITED.match(output.get_text())
        if match:
            tex = next(group for group in match.groups() if group is not None)
            output.clear()
            output.append(BeautifulSoup(math_script(tex.strip(), display=True), "html.parser"))
    tags = [tag for tag in soup.find_all("script") if attribute(tag, "type").startswith("math/tex")]
    formulas = [
        (tag.get_text().replace("<\\/", "</"), "display" in attribute(tag, "type")) for tag in tags
    ]
    for tag, mathml in zip(tags, to_mathml(formulas), strict=True):
        tag.replace_with(BeautifulSoup(mathml, "html.parser"))


def tex_of(formula: Tag) -> Formula | None:
    """Return the TeX with which MathML is annotated, None when there is no annotation."""
    source = formula.find("annotation", attrs={"encoding": MATHML})
    return (
        None if source is None else (source.get_text().strip(), formula.get("display") == "block")
    )


def _convert(formulas: Sequence[Formula], to: str, *options: str) -> list[str]:
    """Return formulas in another format of pandoc."""
    if not formulas:
        return []
    html = f"<p>{SEPARATOR}</p>".join(
        f"<p>{math_script(tex, display)}</p>" for tex, display in formulas
    )
    text = pypandoc.convert_text(
        html, to, format="html", extra_args=["--wrap=none", "--quiet", *options]
    )
    return text.replace(f"<p>{SEPARATOR}</p>", SEPARATOR).split(SEPARATOR)


def _code(tex: str) -> Tag:
    tag = Tag(name="code", attrs={"class": "formula"})
    tag.string = tex
    return tag
