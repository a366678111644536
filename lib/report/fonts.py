"""The packaged Chinese font: the characters it covers, and the subset of it that a page embeds."""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from pathlib import Path

import pylopdf_fonts_zh_cn
from fontTools import subset
from fontTools.ttLib import TTFont
from matplotlib import get_data_path

FONT_FOLDER = Path(pylopdf_fonts_zh_cn.__file__).parent
#: Noto Sans SC, under the SIL Open Font License
SANS = FONT_FOLDER / "NotoSansSC-Regular.otf"
#: the next font in the lists of figures and of the PDF
FALLBACK = Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSansMono.ttf"
#: characters without a glyph: spaces, breaks, joiners, variation selectors
INVISIBLE = frozenset("\t\n\r\f\u00ad\u200b\u200c\u200d\u2028\u2029\u2060\ufe0e\ufe0f\ufeff")


@lru_cache(maxsize=1)
def covered_characters() -> frozenset[str]:
    """Return every character that the packaged font or the fallback can draw."""
    codes = (code for path in (SANS, FALLBACK) for code in TTFont(path, lazy=True).getBestCmap())
    return frozenset(map(chr, codes)) | INVISIBLE


def missing_characters(text: str) -> list[str]:
    """Return the characters of a text without a glyph in any font, each once, by code point."""
    return sorted(set(text) - covered_characters())


def is_chinese(character: str) -> bool:
    """Return whether a character needs a Chinese font: ideographs and their punctuation."""
    return character >= "\u2e80" and character not in INVISIBLE


def font_face(text: str) -> str:
    """Return the CSS rule that embeds the Chinese characters of a text.

    Parameters
    ----------
    text : str
        All text of a page. Latin letters use the fonts of the reader's machine.

    Returns
    -------
    str
        An ``@font-face`` rule for the family ``Report Chinese`` with the font as data (WOFF), empty
        for a text without Chinese.
    """
    chinese = sorted(filter(is_chinese, set(text)))
    return _font_face("".join(chinese)) if chinese else ""


@lru_cache(maxsize=8)
def _font_face(characters: str) -> str:
    """Return the rule with a subset of the font; the same characters give the same bytes."""
    # WOFF2 would be a tenth smaller and take eight times as long
    options = subset.Options(flavor="woff", layout_features=[], desubroutinize=True)
    # no vertical text
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "BASE", "VORG", "vhea", "vmtx"]
    font = subset.load_font(SANS, options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=characters)
    subsetter.subset(font)
    # the modification time would make two pages of the same text differ
    font["head"].modified = font["head"].created
    font.recalcTimestamp = False
    buffer = io.BytesIO()
    font.flavor = "woff"
    font.save(buffer)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        '@font-face { font-family: "Report Chinese"; font-display: block; unicode-range:'
        " U+2E80-10FFFF; "
        f"src: url(data:font/woff;base64,{data}) format('woff'); }}"
    )
