"""The one packaged font: what it covers, and the part of it that a page carries along."""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from pathlib import Path

import pylopdf_fonts_zh_cn
from fontTools import subset
from fontTools.ttLib import TTFont
from matplotlib import get_data_path

FOLDER = Path(pylopdf_fonts_zh_cn.__file__).parent
#: Noto Sans SC, under the SIL Open Font License
SANS = FOLDER / "NotoSansSC-Regular.otf"
#: what follows it in the font lists of figures and of the PDF
SECOND = Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSansMono.ttf"
#: characters without a picture of their own: spaces, breaks, joiners, variation selectors
UNSEEN = frozenset("\t\n\r\f\u00ad\u200b\u200c\u200d\u2028\u2029\u2060\ufe0e\ufe0f\ufeff")


@lru_cache(maxsize=1)
def covered() -> frozenset[str]:
    """Return every character that the packaged font or the one after it can draw."""
    return frozenset(chr(code) for path in (SANS, SECOND) for code in TTFont(path, lazy=True).getBestCmap()) | UNSEEN


def missing(text: str) -> list[str]:
    """Return the characters of a text that no font can draw, each once, in the order of the code points."""
    return sorted(set(text) - covered())


def is_chinese(character: str) -> bool:
    """Tell whether a character is one that machines without Chinese fonts lack: ideographs and their punctuation."""
    return character >= "\u2e80" and character not in UNSEEN


def font_face(text: str) -> str:
    """Return the CSS rule that carries along the Chinese characters of a text.

    Parameters
    ----------
    text : str
        All that a page shows. Its Latin letters stay with the reader's own font.

    Returns
    -------
    str
        An ``@font-face`` rule for the family ``Report Chinese`` with the font as data (WOFF), empty for a text
        without Chinese.
    """
    wanted = frozenset(filter(is_chinese, set(text)))
    return _font_face("".join(sorted(wanted))) if wanted else ""


@lru_cache(maxsize=8)
def _font_face(characters: str) -> str:
    # WOFF2 would be a tenth smaller and take eight times as long
    options = subset.Options(flavor="woff", layout_features=[], desubroutinize=True)
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "BASE", "VORG", "vhea", "vmtx"]  # nothing here sets text upright
    font = subset.load_font(SANS, options)
    cut = subset.Subsetter(options)
    cut.populate(text=characters)
    cut.subset(font)
    # the modification time would make two pages of the same text differ
    font["head"].modified = font["head"].created
    font.recalcTimestamp = False
    held = io.BytesIO()
    font.flavor = "woff"
    font.save(held)
    data = base64.b64encode(held.getvalue()).decode("ascii")
    return (
        '@font-face { font-family: "Report Chinese"; font-display: block; unicode-range: U+2E80-10FFFF; '
        f"src: url(data:font/woff;base64,{data}) format('woff'); }}"
    )
