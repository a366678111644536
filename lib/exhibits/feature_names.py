"""Names of the theme model's features: a text per stem, filled with the numbers of the
identifier.
"""

from __future__ import annotations

import re

from lib.exhibits.translations import Translations

#: a number between underscores: sessions, or a position in a sequence
NUMBER = re.compile(r"_(\d+)(?=_|$)")


def feature_name(identifier: str, t: Translations) -> str:
    """Return the name of a feature in the translations' language.

    Parameters
    ----------
    identifier : str
        A stem and its numbers, such as ``volume_5_to_20``: the text is ``feature.volume_to``, its
        placeholders ``first`` and ``second`` are 5 and 20.
    t : Translations
        Texts of the language.

    Raises
    ------
    ParameterError
        The stem does not have a text.
    """
    numbers = dict(zip(("first", "second"), NUMBER.findall(identifier), strict=False))
    return t(f"02_ai_themes.feature.{NUMBER.sub('', identifier)}", **numbers)
