"""One translations, two languages, the same keys."""

import re
from pathlib import Path
from string import Formatter

import pytest

from lib.exhibits.translations import FOLDER, LANGUAGES, translations
from lib.market.errors import ParameterError

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def blanks(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_have_the_same_keys_and_blanks():
    english, chinese = (translations(language).texts for language in LANGUAGES)
    assert set(english) == set(chinese)
    different = [key for key in english if blanks(english[key]) != blanks(chinese[key])]
    assert not different, different


def test_chinese_texts_are_translated():
    english, chinese = (translations(language).texts for language in LANGUAGES)
    # short words such as "%" or "bp" may be the same; sentences may not
    same = [key for key in english if english[key] == chinese[key] and len(english[key].split()) > 2]
    assert not same, same


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_key_a_notebook_uses_is_there(path):
    text = path.read_text(encoding="utf-8")
    used = set(re.findall(r"run\.t\(f?\\?[\"'](?:\{run\.notebook\}|" + path.stem + r")\.([a-z0-9_.]+)\\?[\"']", text))
    missing = [key for key in used if not translations("en").has(f"{path.stem}.{key}")]
    assert not missing, missing
    for number in set(re.findall(r"run\.exhibit\(\\n\",\n\s+\"\s+\\\"(s?\d\d)\\\"", text)):
        place = number if number.startswith("s") else f"fig{number}"
        for part in ("title", "caption", "alt"):
            assert translations("zh").has(f"{path.stem}.{place}.{part}"), f"{place}.{part}"
    assert translations("en").has(f"{path.stem}.title")


def test_a_missing_text_names_key_language_and_the_nearest():
    with pytest.raises(ParameterError, match=r"zh translations have no text common.synthetik(.|\n)*common.synthetic"):
        translations("zh")("common.synthetik")
    with pytest.raises(ParameterError, match=r"common\.exhibit cannot be filled"):
        translations("en")("common.exhibit")
    with pytest.raises(ParameterError, match=r"no translations for language 'de'"):
        translations("de")


def test_numbers_and_dates_follow_the_language():
    english, chinese = (translations(language) for language in LANGUAGES)
    assert english.date("2025-06-13") == "13 June 2025"
    assert chinese.date("2025-06-13") == "2025年6月13日"
    assert english.percent(0.0123) == "+1.23%" and english.percent(float("nan")) == "–"
    assert english.percent(0.5, 0, signed=False) == "50%"


def test_every_file_stands_in_both_languages():
    assert {path.relative_to(FOLDER / "en") for path in (FOLDER / "en").rglob("*.*")} == {
        path.relative_to(FOLDER / "zh") for path in (FOLDER / "zh").rglob("*.*")
    }
