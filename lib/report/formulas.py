"""Formulas written in TeX, as MathML for a browser and as Typst for the PDF; pandoc converts them all in one go."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pypandoc
from bs4 import BeautifulSoup, Tag

from lib.report.soup import attribute

#: a formula: its TeX, and whether it stands on a line of its own
Formula = tuple[str, bool]
#: LaTeX output: a formula between its marks, or an environment
DELIMITED = re.compile(r"\s*(?:\$\$(.+)\$\$|\$(.+)\$|\\\[(.+)\\\]|\\\((.+)\\\)|(\\begin\{.+))\s*$", re.DOTALL)
#: stands between the formulas of one conversion
BETWEEN = "between-two-formulas"
MATHML = "application/x-tex"


def to_mathml(formulas: Sequence[Formula]) -> list[str]:
    """Return formulas as MathML that carries its TeX along; one that pandoc cannot read comes back as code."""
    made = []
    for part, (tex, _) in zip(_convert(formulas, "html5", "--mathml"), formulas, strict=True):
        found = BeautifulSoup(part, "html.parser").find("math")
        made.append(str(found) if found else str(_code(tex)))
    return made


def to_typst(formulas: Sequence[Formula]) -> list[str | None]:
    """Return formulas as Typst between dollar signs, None for one that pandoc cannot read."""
    parts = [part.strip() for part in _convert(formulas, "typst")]
    return [part if part.startswith("$") and part.endswith("$") else None for part in parts]


def script(tex: str, display: bool) -> str:
    """Return a formula as the HTML element that stands for it until it is converted."""
    tag = Tag(name="script", attrs={"type": f"math/tex{'; mode=display' if display else ''}"})
    tag.string = tex.replace("</", "<\\/")
    return str(tag)


def with_mathml(soup: BeautifulSoup) -> None:
    """Replace the formulas of a page, as ``script`` marks them or as LaTeX output gives them, by MathML."""
    for output in soup.select("div.output_latex"):
        found = DELIMITED.match(output.get_text())
        if found:
            tex = next(part for part in found.groups() if part is not None)
            output.clear()
            output.append(BeautifulSoup(script(tex.strip(), display=True), "html.parser"))
    tags = [tag for tag in soup.find_all("script") if attribute(tag, "type").startswith("math/tex")]
    formulas = [(tag.get_text().replace("<\\/", "</"), "display" in attribute(tag, "type")) for tag in tags]
    for tag, mathml in zip(tags, to_mathml(formulas), strict=True):
        tag.replace_with(BeautifulSoup(mathml, "html.parser"))


def tex_of(formula: Tag) -> Formula | None:
    """Return the TeX that MathML carries along, None when it carries none."""
    source = formula.find("annotation", attrs={"encoding": MATHML})
    return None if source is None else (source.get_text().strip(), formula.get("display") == "block")


def _convert(formulas: Sequence[Formula], to: str, *extra: str) -> list[str]:
    if not formulas:
        return []
    html = f"<p>{BETWEEN}</p>".join(f"<p>{script(tex, display)}</p>" for tex, display in formulas)
    text = pypandoc.convert_text(html, to, format="html", extra_args=["--wrap=none", "--quiet", *extra])
    return text.replace(f"<p>{BETWEEN}</p>", BETWEEN).split(BETWEEN)


def _code(tex: str) -> Tag:
    tag = Tag(name="code", attrs={"class": "formula"})
    tag.string = tex
    return tag
