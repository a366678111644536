"""The Chinese characters that a page carries along."""

import base64
import io
import re

import pytest
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont
from references import outside_references
from test_html import laid_out, manifest, page

from lib.exhibits.translations import LANGUAGES, translations
from lib.report.fonts import font_face, is_chinese, missing_characters


def embedded(html):
    """Return the characters that the fonts inside a page can draw."""
    found = re.findall(r"url\(data:font/woff;base64,([A-Za-z0-9+/=]+)\)", html)
    return {
        chr(code)
        for data in found
        for code in TTFont(io.BytesIO(base64.b64decode(data))).getBestCmap()
    }


def test_a_page_carries_the_chinese_it_shows_and_nothing_points_outside():
    html = page(
        "<h2>行业轮动</h2><p>“沪深300”上涨1.2%；回撤（净值）</p>",
        manifest(language="zh"),
        translations("zh"),
    )
    shown = set(filter(is_chinese, BeautifulSoup(html, "html.parser").get_text()))
    assert {"行", "轮", "；", "（"} <= shown <= embedded(html)
    # a part of the font, not the font
    assert len(embedded(html)) < 2 * len(shown) and len(html) < 200_000
    assert outside_references(html) == []


def test_a_page_without_chinese_carries_no_font():
    assert font_face("Sector rotation – 5 % → α") == ""
    assert "@font-face" not in str(laid_out("<p>Sector rotation</p>"))


def test_the_font_is_the_same_for_the_same_characters():
    assert font_face("净值净值回撤") == font_face("回撤净值") != font_face("回撤净")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_character_of_the_catalogue_can_be_drawn(language):
    texts = translations(language).texts
    assert not {
        key: missing_characters(text) for key, text in texts.items() if missing_characters(text)
    }


def test_a_character_that_no_font_draws_is_found():
    assert missing_characters("净值 \U0001f600 ก\u200b") == ["ก", "\U0001f600"]
