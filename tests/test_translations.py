"""Translations: two languages with the same keys, and every key that a notebook asks for."""

import ast
import itertools
import json
import re
from pathlib import Path
from string import Formatter

import pytest

from lib.exhibits.translations import LANGUAGES, TEXT_FOLDER, translations
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
    same = [
        key for key in english if english[key] == chinese[key] and len(english[key].split()) > 2
    ]
    assert not same, same


def calls_of(path):
    """Yield every text a notebook asks for, as (method, node of the key): ``run.t``, ``run.note``,
    ``run.labels`` and ``run.exhibit`` take keys as arguments, ``run.notes`` as keywords.
    """
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        for node in ast.walk(ast.parse("".join(cell["source"]))):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if name in ("run.t", "run.note", "run.exhibit"):
                yield name, node.args[0]
            elif name == "run.labels":
                yield from ((name, argument) for argument in node.args)
            elif name == "run.notes":
                given = [ast.Constant(each.arg) for each in node.keywords if each.arg]
                yield from (("run.note", key) for key in given)


def patterns(node, stem):
    """Return regular expressions for the keys that an argument may be, one for each side of a
    condition; what is only known at run time is a word.
    """
    if isinstance(node, ast.IfExp):
        return [*patterns(node.body, stem), *patterns(node.orelse, stem)]
    if isinstance(node, ast.Constant):
        return [re.escape(node.value)]
    if ast.unparse(node) == "run.notebook":
        return [re.escape(stem)]
    if isinstance(node, ast.FormattedValue):
        return patterns(node.value, stem)
    if isinstance(node, ast.JoinedStr):
        parts = itertools.product(*(patterns(part, stem) for part in node.values))
        return ["".join(part) for part in parts]
    return [r"[A-Za-z0-9_]+"]


KEYS = {
    "run.t": r"{key}",
    "run.note": r"{stem}\.note\.{key}",
    "run.labels": r"({stem}|common)\.{key}\.[^.]+",
}


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_text_a_notebook_uses_is_there(path):
    texts, calls = translations("en").texts, list(calls_of(path))
    missing = [
        expected
        for method, argument in calls
        if method in KEYS
        for key in patterns(argument, path.stem)
        for expected in [KEYS[method].format(stem=path.stem, key=key)]
        if not any(re.fullmatch(expected, text) for text in texts)
    ]
    assert not missing, missing
    numbers = [
        key
        for method, node in calls
        if method == "run.exhibit"
        for key in patterns(node, path.stem)
    ]
    assert numbers or path.stem.startswith("06")
    for number in numbers:
        for part in ("title", "caption", "alt"):
            key = rf"{path.stem}\.(fig)?{number}\.{part}"
            assert any(re.fullmatch(key, text) for text in texts), key
    assert f"{path.stem}.title" in texts


def test_a_missing_text_names_key_language_and_the_nearest():
    with pytest.raises(
        ParameterError,
        match=r"zh translations have no text common.synthetik(.|\n)*common.synthetic",
    ):
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
    assert {path.relative_to(TEXT_FOLDER / "en") for path in (TEXT_FOLDER / "en").rglob("*.*")} == {
        path.relative_to(TEXT_FOLDER / "zh")
        for path in (TEXT_FOLDER / "zh").rglob("*.*")
        if path.parent.name != "prose"  # the notebooks themselves are in English
    }


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("[0-9]*.ipynb")), ids=lambda p: p.stem)
def test_a_note_of_a_list_of_names_asks_for_names_and_count_only(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    calls = [
        node
        for cell in cells
        if cell["cell_type"] == "code"
        for node in ast.walk(ast.parse("".join(cell["source"])))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "notes"
    ]
    listed = [
        keyword.arg
        for call in calls
        for keyword in call.keywords
        if isinstance(keyword.value, ast.List | ast.ListComp)
    ]
    for language in LANGUAGES:
        t = translations(language)
        for key in listed:
            assert t(f"{path.stem}.note.{key}", names=["a"], count=1)
