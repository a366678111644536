"""Sentences: a rule, its template in the language, and the quotations that fill it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import jinja2
import yaml

from lib.exhibits.translations import TEXT_FOLDER, flat_texts
from lib.market.errors import ParameterError
from lib.report.commentary.quotations import Cell, Quotation

JOINTS = {"en": (", ", " and "), "zh": ("、", "、")}


@dataclass(frozen=True)
class Statement:
    """One sentence.

    Attributes
    ----------
    rule : str
        The rule that made it, which is the key of its template.
    text : str
    quotations : dict of str to Quotation
        By their place in the template.
    exhibits : tuple of str
        The exhibits it rests on, in order.
    """

    rule: str
    text: str
    quotations: dict[str, Quotation]
    exhibits: tuple[str, ...]

    def record(self) -> dict:
        """Return the sentence and where every number in it comes from, for JSON."""
        quoted = self.quotations.values()
        cells = dict.fromkeys(cell for quotation in quoted for cell in quotation.cells)
        return {
            "rule": self.rule,
            "text": self.text,
            "exhibits": list(self.exhibits),
            "cells": _places(cells),
            "quotations": {
                place: {
                    "how": quotation.how,
                    "format": quotation.format,
                    "text": quotation.text,
                    "cells": _places(quotation.cells),
                }
                for place, quotation in self.quotations.items()
            },
        }


def _places(cells: Iterable[Cell]) -> list[list[str]]:
    return [[cell.file, cell.row, cell.column] for cell in cells]


@lru_cache
def templates(language: str) -> dict[str, str]:
    """Return the sentences' templates by rule, such as ``market.a_share.mixed``."""
    path = TEXT_FOLDER / language / "commentary" / "sentences.yaml"
    return flat_texts(yaml.safe_load(path.read_text(encoding="utf-8")))


def write(language: str, rule: str, **parts) -> Statement:
    """Write a rule's sentence.

    Parameters
    ----------
    language : str
        ``en`` or ``zh``.
    rule : str
        Key of its template.
    **parts
        Quotations, mappings of them, or lists of such mappings; besides, words and None, which
        carry no number.

    Raises
    ------
    ParameterError
        There is no such template, or it asks for something else.
    """
    path = TEXT_FOLDER / language / "commentary" / "sentences.yaml"
    if rule not in templates(language):
        raise ParameterError(
            f"no sentence for the rule {rule}", file=path, remedy="add it in both languages"
        )
    try:
        text = _environment(language).from_string(templates(language)[rule]).render(**parts)
    except jinja2.TemplateError as error:
        raise ParameterError(
            f"the sentence {rule} cannot be written: {error}", file=path, remedy="mend it"
        ) from error
    quotations = dict(_quotations(parts))
    files = [cell.file for quotation in quotations.values() for cell in quotation.cells]
    numbers = dict.fromkeys(_number(file) for file in files)
    return Statement(
        rule, " ".join(text.split()), quotations, tuple(number for number in numbers if number)
    )


@lru_cache
def _environment(language: str) -> jinja2.Environment:
    """Return the environment of the templates, with the filters that a language needs."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    comma, last = JOINTS[language]

    def listed(items, pattern="{}") -> str:
        words = [
            pattern.format(**item) if isinstance(item, Mapping) else pattern.format(item)
            for item in items
        ]
        return last.join(filter(None, [comma.join(words[:-1]), words[-1]]))

    def moved(change: Quotation) -> str:
        still = not set(change.text) & set("123456789")  # too small for the digits shown
        direction = "up" if float(change.value) > 0 else "down"
        if still:
            direction = "none"
        return templates(language)[f"words.{direction}"].format(change)

    environment.filters |= {"listed": listed, "moved": moved}
    return environment


def _quotations(part, place: str = "") -> Iterator[tuple[str, Quotation]]:
    if isinstance(part, Quotation):
        yield place, part
    elif isinstance(part, Mapping):
        for key, inner in part.items():
            yield from _quotations(inner, f"{place}.{key}" if place else key)
    elif isinstance(part, list):
        for position, inner in enumerate(part, start=1):
            yield from _quotations(inner, f"{place}.{position}")


def _number(file: str) -> str | None:
    """Return the number of the exhibit that a file belongs to."""
    kind, _, name = file.partition("/")
    return name.split("_")[0].removeprefix("fig") if kind == "tables" else None
