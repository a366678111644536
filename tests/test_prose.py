"""Prose of the notebooks: each Markdown cell has a Chinese text of its present words, of the same
shape.
"""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from lib.exhibits.plan import NOTEBOOKS
from lib.exhibits.translations import LANGUAGES, TEXT_FOLDER, translations
from lib.report import prose
from lib.report.prose import PROSE_LANGUAGE, markdown_cells, outdated, read_prose, source_hash

STEMS = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
OTHERS = [language for language in LANGUAGES if language != PROSE_LANGUAGE]
FORMULA = re.compile(r"\$\$.+?\$\$|\$[^$]+\$", re.DOTALL)
CODE = re.compile(r"`[^`]+`")
PERCENT = re.compile(r"\d[\d.]*%")


def pairs(language, stem):
    """Yield the id, the words and the translation of each cell of a notebook."""
    texts = read_prose(language, stem)
    for cell in markdown_cells(nbformat.read(NOTEBOOKS / f"{stem}.ipynb", as_version=4)):
        if cell.id in texts:  # one that is missing is named by the test of the hashes
            yield cell.id, cell.source, texts[cell.id]["text"]


def formulas(words):
    """Return the formulas, sorted; words in them may be translated, spaces do not matter."""
    found = FORMULA.findall(CODE.sub("", words))
    return sorted(
        "".join(re.sub(r"\\text\{[^{}]* [^{}]*\}|\\text\{[^\x00-\x7f]*\}", "", each).split())
        for each in found
    )


def shape(words):
    """Return what a translation keeps: levels of headings, code, addresses, rows of tables, items."""
    lines = words.splitlines()
    return {
        "headings": [len(line) - len(line.lstrip("#")) for line in lines if line.startswith("#")],
        "code": sorted(CODE.findall(words)),
        "addresses": sorted(re.findall(r"\]\(([^)]+)\)", words)),
        "rows": [line.count("|") for line in lines if line.startswith("|")],
        "items": [line.split()[0] for line in lines if re.match(r"\d+\. |[-*] ", line)],
    }


def test_every_cell_has_a_text_of_its_present_words():
    lines = outdated()
    assert not lines, (
        "translate these cells in lib/exhibits/text/<language>/prose/<notebook>.yaml, or look over "
        "the text of one whose words changed, and write the source as printed here and by "
        "`python -m lib.report.prose`:\n" + "\n".join(lines)
    )


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("language", OTHERS)
def test_a_text_has_the_headings_formulas_and_names_of_its_cell(language, stem):
    different = {
        cell: (shape(words), shape(text))
        for cell, words, text in pairs(language, stem)
        if shape(words) != shape(text)
    }
    assert not different, different
    different = {
        cell: (formulas(words), formulas(text))
        for cell, words, text in pairs(language, stem)
        if formulas(words) != formulas(text)
    }
    assert not different, different


@pytest.mark.parametrize("language", OTHERS)
def test_equal_words_have_equal_texts(language):
    texts = {}
    for stem in STEMS:
        for _, words, text in pairs(language, stem):
            assert texts.setdefault(source_hash(words), text) == text


@pytest.mark.parametrize("stem", STEMS)
def test_a_chinese_text_is_chinese_a_paragraph_a_line(stem):
    for cell, words, text in pairs("zh", stem):
        plain = CODE.sub("", FORMULA.sub("", text))
        assert re.search(r"[一-鿿]", plain), cell
        assert set(PERCENT.findall(words.replace(" percent", "%"))) == set(PERCENT.findall(text)), (
            cell
        )
        # a line break between two characters would show as a space
        assert not re.search(r"[一-鿿，、；：]\n[一-鿿]", text), cell
        # a Chinese sentence has Chinese punctuation
        assert not re.search(r"[一-鿿][,;:?!]", plain), cell


def test_no_file_is_of_no_notebook():
    for language in OTHERS:
        folder = TEXT_FOLDER / language / "prose"
        assert sorted(path.stem for path in folder.glob("*.yaml")) == STEMS


def test_a_cell_of_changed_words_keeps_them_and_is_counted():
    nb = nbformat.read(NOTEBOOKS / "01_market_recap.ipynb", as_version=4)
    code = [cell.source for cell in nb.cells if cell.cell_type == "code"]
    cells = markdown_cells(nb)
    cells[1].source += " My own remark."
    nb.cells.append(new_markdown_cell("A cell of my own."))
    kept, every = prose.translate_prose(nb, "zh")
    assert (kept, every) == (2, len(cells) + 1)
    assert cells[0].source.startswith("# 01 · 市场回顾")
    assert cells[1].source.endswith("My own remark.") and nb.cells[-1].source == "A cell of my own."
    assert [cell.source for cell in nb.cells if cell.cell_type == "code"] == code
    note = translations("zh")("export.prose_language", cells=kept, all=every)
    assert "2" in note and str(every) in note


def test_english_keeps_the_words():
    nb = new_notebook(cells=[new_markdown_cell("# A title"), new_code_cell("1")])
    assert prose.translate_prose(nb, "en") == (0, 1)
    assert nb.cells[0].source == "# A title"


def test_the_command_names_cells_that_lack_a_text(tmp_path, monkeypatch, capsys):
    nb = nbformat.read(NOTEBOOKS / "01_market_recap.ipynb", as_version=4)
    first, second, *_ = markdown_cells(nb)
    first.source = "# Changed"
    second.id = "renamed"
    nbformat.write(nb, tmp_path / "01_market_recap.ipynb")
    lines = outdated(tmp_path)
    assert f'{first.id}: words changed, source: "{source_hash("# Changed")}"' in lines[0]
    assert "renamed: not translated" in lines[1] and lines[2].endswith("cell is gone")
    assert len(lines) == 3
    monkeypatch.setattr(prose, "outdated", lambda: lines)
    assert prose.main() == 1 and "words changed" in capsys.readouterr().out
