"""Notebooks as appendices: with and without code, from a run or by hand, odd cells named."""

import base64
import itertools
import os

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell
from pypdf import PdfReader
from references import outside_references
from test_html import manifest
from test_pdf import png, squeezed, text

from lib.exhibits.plan import NOTEBOOKS, Plan
from lib.exhibits.translations import translations
from lib.market.errors import RunError
from lib.report import appendix, exports, sanitize
from lib.report.appendix import export_appendix, parameters_of
from lib.report.manifest import SectionRecord
from lib.weekly.appendix import find_executed, main

PIXELS = png().partition(",")[2]


def shown(data, **more):
    return new_output("display_data", data=data, **more)


def notebook(path, *cells, parameters='as_of = "2025-06-13"\ndata = "sample"\nlanguage = "en"'):
    head = [
        new_markdown_cell("# Sector rotation"),
        new_code_cell(parameters, metadata={"tags": ["parameters"]}),
    ]
    cells = [*head, *cells]
    for number, cell in enumerate([cell for cell in cells if cell.cell_type == "code"], start=1):
        cell.execution_count = number
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells), path)
    return path


def pieces(made):
    soup = BeautifulSoup(made.html.read_text(encoding="utf-8"), "html.parser")
    return soup, squeezed(text(PdfReader(made.pdf)))


PLAIN = (
    new_markdown_cell(
        "## Returns\n\nThe return is $r_t = p_t / p_{t-1} - 1$, at a price of \\$5 or \\$6:\n\n"
        "$$\\bar r = \\frac{1}{N}\\sum_i r_i$$"
    ),
    new_code_cell(
        "secret_sauce = 1  # 净值", outputs=[shown({"text/plain": "done", "image/png": PIXELS})]
    ),
)


@pytest.mark.parametrize("code", [True, False])
def test_an_appendix_has_prose_formulas_results_and_code_when_asked(tmp_path, code):
    made = export_appendix(
        notebook(tmp_path / "03_x.ipynb", *PLAIN), tmp_path / "appendices", code=code
    )
    soup, words = pieces(made)
    assert made.issues == []
    assert outside_references(str(soup)) == []
    assert ("secret_sauce" in soup.get_text()) == code == ("secret_sauce" in words)
    assert [heading.get_text() for heading in soup.select("h1")] == ["Sector rotation"]
    assert len(soup.find_all("math")) == 2 and soup.find("math", display="block").find("mfrac")
    assert "∑" in words and "$" not in words.replace("$5or$6", "")
    assert all(image["alt"] for image in soup.find_all("img"))
    assert "13June2025" in words and "Syntheticsample." in words
    assert "own language" not in soup.get_text(), "an English edition has nothing to explain"


def test_an_appendix_follows_its_run_and_its_language(tmp_path):
    executed = notebook(tmp_path / "03_x.ipynb", *PLAIN)
    made = export_appendix(
        executed, tmp_path, code=False, manifest=manifest(language="zh", synthetic=False)
    )
    soup, words = pieces(made)
    assert soup.html["lang"] == "zh-CN" and "2025年6月13日" in words and "合成样本" in words
    assert not soup.select(".synthetic")
    banner = "2个文字单元格中有2个在翻译后改动或新增"  # both cells are the test's own
    assert banner in squeezed(soup.select_one("header .banner").get_text()) and banner in words
    assert (
        pieces(export_appendix(executed, tmp_path, code=False, language="zh"))[0].html["lang"]
        == "zh-CN"
    )


def test_a_chinese_appendix_has_chinese_prose_but_where_a_cell_was_changed(tmp_path):
    nb = nbformat.read(NOTEBOOKS / "01_market_recap.ipynb", as_version=4)
    prose = [cell for cell in nb.cells if cell.cell_type == "markdown"]
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.execution_count = 1
    nbformat.write(nb, tmp_path / "01_market_recap.ipynb")
    made = export_appendix(tmp_path / "01_market_recap.ipynb", tmp_path, code=False, language="zh")
    soup, words = pieces(made)
    assert soup.h1.get_text() == "01 · 市场回顾"
    assert (
        "全球主要资产" in soup.main.find("h2").get_text() and "基点（收益率以百分数表示）" in words
    )
    assert "翻译后改动" not in words and "Market recap" not in words
    prose[3].source += " A remark of my own."
    nbformat.write(nb, tmp_path / "01_market_recap.ipynb")
    made = export_appendix(tmp_path / "01_market_recap.ipynb", tmp_path, code=False, language="zh")
    _, words = pieces(made)
    assert f"{len(prose)}个文字单元格中有1个在翻译后改动或新增" in words
    assert "Aremarkofmyown." in words and "美国通胀" in words


def test_the_appendix_of_a_run_in_two_languages_is_in_that_of_its_exhibits(tmp_path):
    executed = notebook(tmp_path / "03_x.ipynb", *PLAIN)
    made = export_appendix(executed, tmp_path, code=False, manifest=manifest(language="zh en"))
    assert pieces(made)[0].html["lang"] == "zh-CN"


ODD = {
    "interactive": shown(
        {"application/vnd.plotly.v1+json": {}, "text/html": "<div></div><script>1</script>"}
    ),
    "widget": shown(
        {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "IntSlider(value=3)"}
    ),
    "scripts": shown({"text/html": "<script src='https://cdn.example/x.js'></script><div></div>"}),
    "picture": shown({"image/png": base64.b64encode(b"no picture").decode()}),
    "svg": shown({"image/svg+xml": "<svg><broken"}),
    "kind": shown({"application/json": {"a": 1}}),
    "table": shown(
        {"text/html": "<table><tbody>" + "<tr><td>7</td></tr>" * 5000 + "</tbody></table>"}
    ),
    "lines": new_output("stream", name="stdout", text="line\n" * 5000),
    "error": new_output(
        "error",
        ename="ValueError",
        evalue="no ink",
        traceback=["\x1b[31mValueError\x1b[0m: no ink"],
    ),
}


def test_every_odd_cell_exports_or_is_named_with_its_number_and_a_remedy(tmp_path):
    cells = [new_code_cell(f"# {name}", outputs=[output]) for name, output in ODD.items()]
    cells += [
        new_markdown_cell("![pasted](attachment:gone.png) and ![far](https://cdn.example/far.png)"),
        new_raw_cell("\\LaTeX", metadata={"raw_mimetype": "text/latex"}),
    ]
    made = export_appendix(notebook(tmp_path / "odd.ipynb", *cells), tmp_path, code=True)
    soup, words = pieces(made)
    named = {issue.cell for issue in made.issues}
    assert named == set(range(3, 3 + len(cells)))  # after the title and the parameters
    assert all(issue.what and issue.remedy for issue in made.issues)
    banner = squeezed(soup.select_one(".banner.failed").get_text())
    for issue in made.issues:
        assert squeezed(f"Cell {issue.cell}: {issue.what}") in banner
    assert f"Cell{made.issues[0].cell}:" in words
    assert outside_references(str(soup)) == []
    assert (
        soup.get_text().count("line\n") <= sanitize.LINES + 5
        and len(soup.find_all("tr")) <= sanitize.ROWS
    )
    assert "IntSlider(value=3)" in soup.get_text() and "no ink" in soup.get_text()


def test_cells_that_look_odd_but_can_be_shown_are_shown(tmp_path):
    svg = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'><rect width='9'"
        " height='9'/></svg>"
    )
    wide = "<table><thead><tr>" + "<th>head</th>" * 40 + "</tr></thead></table>"
    cells = [
        new_code_cell("a", outputs=[shown({"image/svg+xml": svg})]),
        new_code_cell("b", outputs=[shown({"text/html": wide + "<script>1</script>"})]),
        new_code_cell(
            "c", outputs=[shown({"application/vnd.plotly.v1+json": {}, "image/png": PIXELS})]
        ),
        new_code_cell("d", outputs=[shown({"text/latex": "$$\\sigma^2$$"})]),
        new_markdown_cell(
            "<div style='position:fixed'><b>raw</b><br>text<p>open</div>\n\n#####"
            " deep\n\n$\\unknown{x$ $"
        ),
        new_markdown_cell('## #let x = [ \\ " ` $\n\nemoji \U0001f600 🚀 ก'),
        new_raw_cell("plain"),
    ]
    made = export_appendix(notebook(tmp_path / "fine.ipynb", *cells), tmp_path, code=True)
    soup, words = pieces(made)
    assert made.issues == []
    assert len(soup.select("main img")) == 2 and soup.select("main math")
    assert "raw" in words and "emoji□□□" in words
    levels = [int(tag.name[1]) for tag in soup.find_all(["h1", "h2", "h3", "h4", "h5"])]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_a_cell_that_cannot_be_rendered_is_left_out_and_named(tmp_path, monkeypatch):
    real = sanitize.cells_html

    def fragile(notebook, **settings):
        if any("boom" in cell.source for cell in notebook.cells):
            raise ValueError("a filter stumbles")
        return real(notebook, **settings)

    for module in (appendix, sanitize):
        monkeypatch.setattr(module, "cells_html", fragile)
    path = notebook(tmp_path / "x.ipynb", *PLAIN, new_markdown_cell("boom"))
    made = export_appendix(path, tmp_path, code=True)
    assert [issue.cell for issue in made.issues] == [5]
    assert "Returns" in pieces(made)[0].get_text()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ('{"cells": []}', "has not been run"),
        ("[1]", "cannot be read"),
        ("\ufffd\x00", "cannot be read"),
        (nbformat.writes(new_notebook(cells=[new_code_cell("1")])), "has not been run"),
    ],
)
def test_a_file_that_is_no_executed_notebook_is_refused(tmp_path, content, message):
    path = tmp_path / "x.ipynb"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(RunError, match=message) as caught:
        export_appendix(path, tmp_path, code=True)
    assert caught.value.remedy and not (tmp_path / "x.html").exists()


def test_parameters_are_read_without_running_anything():
    cells = [
        new_code_cell("as_of = 'latest'\nout = open('x')", metadata={"tags": ["parameters"]}),
        new_code_cell("as_of = '2025-06-13'", metadata={"tags": ["injected-parameters"]}),
        new_code_cell("as_of = 'other'"),
    ]
    assert parameters_of(new_notebook(cells=cells)) == {"as_of": "2025-06-13"}
    broken = new_code_cell("as_of = ", metadata={"tags": ["parameters"]})
    assert parameters_of(new_notebook(cells=[broken])) == {}


@pytest.fixture
def house(tmp_path):
    """Two runs and a folder of notebooks that have not been run."""
    for place, (day, age) in enumerate({"2025-06-06": 200, "2025-06-13": 100}.items()):
        executed = notebook(tmp_path / "outputs" / day / "notebooks" / "03_x.ipynb", *PLAIN)
        manifest(as_of=day).write(executed.parents[1])
        os.utime(executed, (1e9 + place - age, 1e9 + place - age))
    nbformat.write(
        new_notebook(cells=[new_code_cell("1")]), notebook(tmp_path / "notebooks" / "03_x.ipynb")
    )
    return tmp_path


def test_the_notebook_that_ran_last_is_found(house):
    newest = house / "outputs" / "2025-06-13" / "notebooks" / "03_x.ipynb"
    assert find_executed("03", house / "outputs", house / "notebooks") == (
        newest,
        newest.parents[1],
    )
    edited = notebook(house / "notebooks" / "03_x.ipynb", *PLAIN)
    assert find_executed("03_x", house / "outputs", house / "notebooks") == (edited, None)
    with pytest.raises(RunError, match="no notebook 07"):
        find_executed("07", house / "outputs", house / "notebooks")
    with pytest.raises(RunError, match="has not been run"):
        nbformat.write(new_notebook(), edited)
        find_executed("03", house / "empty", house / "notebooks")


def test_the_command_exports_one_notebook(tmp_path, capsys):
    edited = notebook(
        tmp_path / "mine.ipynb", *PLAIN, new_code_cell("fig", outputs=[ODD["interactive"]])
    )
    assert main([str(edited), "--code", "0", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "Cell 5" in said.err and "matplotlib" in said.err
    for kind in ("html", "pdf"):
        assert str(tmp_path / "interactive" / "appendices" / f"mine.{kind}") in said.out
        assert (tmp_path / "interactive" / "appendices" / f"mine.{kind}").stat().st_size > 1000
    assert main([str(tmp_path / "none.ipynb"), "--out", str(tmp_path)]) == 2
    assert "the notebook does not exist" in capsys.readouterr().err


def test_a_run_exports_each_notebook_and_tells_of_one_that_fails(tmp_path):
    good = notebook(
        tmp_path / "notebooks" / "01_good.ipynb", *PLAIN, new_code_cell("x", outputs=[ODD["svg"]])
    )
    good.with_name("02_bad.ipynb").write_text("{")
    names = {"01_good": "ok", "02_bad": "ok", "03_skipped": "skipped"}
    made = manifest(
        sections=[
            SectionRecord(name=name, status=status, fingerprint="0")
            for name, status in names.items()
        ]
    )
    plan = Plan(sections=[{"notebook": "01_good"}], report="06_weekly_report", appendix_code=False)
    exports.export_run(tmp_path, plan, made, translations("en"))
    records = {record.file: record for record in made.exports}
    assert set(records) == {
        "report.html",
        "report.pdf",
        "evidence.html",
        "evidence.pdf",
        "appendices/01_good.pdf",
        "appendices/02_bad.pdf",
    }
    assert records["report.pdf"].done and "Cell 5" in records["appendices/01_good.pdf"].notes[0]
    assert (
        not records["appendices/02_bad.pdf"].done
        and "cannot be read" in records["appendices/02_bad.pdf"].error
    )
    assert made.status == "failed"
    assert "secret_sauce" not in (tmp_path / "appendices" / "01_good.html").read_text(
        encoding="utf-8"
    )
