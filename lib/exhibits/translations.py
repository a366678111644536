"""Translations: the texts that readers see, by language and key."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Literal, get_args

import pandas as pd
import yaml

from lib.market.errors import ParameterError

TEXT_FOLDER = Path(__file__).resolve().parent / "text"
Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
SEPARATORS = {"en": ", ", "zh": "、"}
MISSING = "–"
#: the loader in C where it is built
YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Translations:
    """The texts of one language.

    Called with a key such as ``01_market_recap.title`` and the values of the placeholders in its
    text: numbers, dates, lists of names.
    """

    language: str
    texts: Mapping[str, str]

    def __call__(self, key: str, **values) -> str:
        """Return a text; ParameterError when it, or the value of a placeholder in it, is
        missing.
        """
        if key not in self.texts:
            near = difflib.get_close_matches(key, self.texts, n=1)
            raise ParameterError(
                f"the {self.language} translations have no text {key}",
                file=TEXT_FOLDER / self.language,
                remedy=(
                    f"did you mean {near[0]}?"
                    if near
                    else "add it to the translations of both languages"
                ),
            )
        try:
            return _Filling(self).vformat(self.texts[key], (), values)
        except (KeyError, IndexError, ValueError) as error:
            raise ParameterError(
                f"the text {key} cannot be filled: {error!r}",
                file=TEXT_FOLDER / self.language,
                remedy="pass a value for each placeholder in the text",
            ) from error

    def has(self, key: str) -> bool:
        """Return whether a text exists."""
        return key in self.texts

    def percent(self, value: float, decimals: int = 2, signed: bool = True) -> str:
        """Format a fraction as percent.

        Parameters
        ----------
        value : float
            NaN gives a dash.
        decimals : int
            Digits after the point.
        signed : bool
            Write the plus sign of positive numbers.
        """
        sign = "+" if signed else ""
        return MISSING if pd.isna(value) else f"{value:{sign}.{decimals}%}"

    def date(self, date) -> str:
        """Format a date as the language writes it; a missing one as a dash."""
        if pd.isna(date):
            return MISSING
        date = pd.Timestamp(date)
        return (
            f"{date.year}年{date.month}月{date.day}日"
            if self.language == "zh"
            else f"{date.day} {date:%B %Y}"
        )


class _Filling(Formatter):
    """Fills placeholders: dates as the language writes them, lists as enumerations, and a dash for
    a number that is missing.
    """

    def __init__(self, t: Translations):
        self._t = t

    def format_field(self, value, format_spec: str) -> str:
        """Return a value as text; the specification of a placeholder precedes its type."""
        if value is pd.NaT or (isinstance(value, float) and pd.isna(value)):
            return MISSING
        if not format_spec and isinstance(value, pd.Timestamp):
            return self._t.date(value)
        if isinstance(value, list | tuple | pd.Series | pd.Index):
            return SEPARATORS[self._t.language].join(str(each) for each in value)
        return super().format_field(value, format_spec)


@lru_cache
def translations(language: str) -> Translations:
    """Read the translations of a language, one file per notebook and ``common``.

    Raises
    ------
    ParameterError
        There are no translations in this language.
    """
    if language not in LANGUAGES:
        raise ParameterError(
            f"no translations for language {language!r}", remedy=f"choose {', '.join(LANGUAGES)}"
        )
    texts: dict[str, str] = {}
    for path in sorted((TEXT_FOLDER / language).glob("*.yaml")):
        tree = yaml.load(path.read_text(encoding="utf-8"), Loader=YAML_LOADER)
        texts |= flat_texts(tree or {}, f"{path.stem}.")
    return Translations(language, texts)


def flat_texts(tree: Mapping, prefix: str = "") -> dict[str, str]:
    """Return the texts of a nested mapping by their dotted keys."""
    flat: dict[str, str] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        flat |= flat_texts(value, f"{name}.") if isinstance(value, Mapping) else {name: str(value)}
    return flat
