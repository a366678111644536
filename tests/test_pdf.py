"""The PDF of a page: its parts, its text, and what an odd page becomes."""

import base64
import io

import pytest
from matplotlib.figure import Figure
from pypdf import PdfReader
from run_folder import document_of
from test_html import manifest, page

from lib.exhibits.plan import Plan
from lib.exhibits.translations import translations
from lib.report import exports
from lib.report.manifest import SectionRecord
from lib.report.pdf import document_pdf, export_pdf, pdf_of
from lib.report.typeset import SIZES


def png():
    held = io.BytesIO()
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([1, 2])
    figure.savefig(held, format="png")
    return "data:image/png;base64," + base64.b64encode(held.getvalue()).decode()


def reader(body, language="en", **changes):
    made, t = manifest(language=language, **changes), translations(language)
    source = made.source_label[language]
    content = pdf_of(page(body, made, t), t, date=t.date(made.as_of), source=source)
    return PdfReader(io.BytesIO(content))


def text(found):
    return "\n".join(part.extract_text() for part in found.pages)


def squeezed(words):
    return "".join(words.split()).replace("\u200b", "")


BODIES = {
    "en": "<section><h2>Sectors</h2><h3>Exhibit 3</h3><p>Five sectors, for $5 or $6.</p></section>",
    "zh": "<section><h2>行业轮动</h2><h3>图表 3</h3><p>最近九周持仓：食品饮料。</p></section>",
}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_pdf_has_contents_numbers_date_and_text_to_select(language):
    found = reader("<p>.</p>" * 40 + BODIES[language], language)
    first, second = (squeezed(part.extract_text()) for part in found.pages)
    heading, words = (("Sectors", "for$5or$6."), ("行业轮动", "最近九周持仓：食品饮料。"))[
        language == "zh"
    ]
    # the contents come first, on the page of the title
    assert heading in first and heading in second and words in second and words not in first
    for number, part in enumerate((first, second), start=1):
        assert f"{number}/2" in part
        assert squeezed(translations(language).date("2025-06-13")) in part
    assert squeezed(translations(language)("06_weekly_report.synthetic_note")) in first
    box = found.pages[0].mediabox
    assert (round(box.width), round(box.height)) == (595, 842)  # A4 in points
    assert found.trailer["/Root"]["/Lang"].startswith(language)
    assert found.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert [entry.title for entry in found.outline if not isinstance(entry, list)] == [heading]


def test_formulas_tables_and_pictures_come_out():
    rows = "".join(f"<tr><td>row {n}</td><td class='gt_right'>{n}.5%</td></tr>" for n in range(150))
    found = reader(f"""
        <h2>All</h2><p><math display="block"><mi>x</mi><semantics><annotation encoding="application/x-tex">
        \\sum_i w_i = \\sigma</annotation></semantics></math></p>
        <img src="{png()}" alt="A line that rises"><p class="caption">What the line is.</p>
        <table><thead><tr><th>Name</th><th>Change</th></tr></thead><tbody>{rows}</tbody></table>""")
    pages = [squeezed(part.extract_text()) for part in found.pages]
    assert "∑" in "".join(pages) and "Whatthelineis." in "".join(pages)
    with_rows = [part for part in pages if "row1" in part]
    # the head is repeated
    assert len(with_rows) > 2 and all("NameChange" in part for part in with_rows)
    assert all(f"row{n}{n}.5%" in "".join(pages) for n in range(150))
    assert sum(len(part.images) for part in found.pages) == 1


def test_notes_are_a_list_from_the_first_on():
    found = reader('<h2>A</h2><ul class="notes"><li>Spot price.</li><li>Caps relaxed.</li></ul>')
    said = text(found)
    assert "- Spot" not in said
    marks = [
        line.strip()[:1]
        for line in said.splitlines()
        if "Spot price." in line or "Caps relaxed." in line
    ]
    assert len(set(marks)) == 1, said


@pytest.mark.parametrize(
    ("rows", "sentence", "broken"),
    [(18, "A reading of many words. " * 12, True), (18, "short", False)],
)
def test_a_table_is_broken_by_its_height_not_by_its_rows(rows, sentence, broken):
    lines = "".join("<p>A line of its own.</p>" for _ in range(20))
    cells = "".join(f"<tr><td>row {n}.</td><td>{sentence}</td></tr>" for n in range(rows))
    found = reader(
        f"<h2>All</h2>{lines}<table><thead><tr><th>Name</th><th>Reading</th></tr></thead>{cells}</table>"
    )
    pages = [squeezed(part.extract_text()) for part in found.pages]
    first, last = (
        next(place for place, part in enumerate(pages) if f"row{n}." in part) for n in (0, rows - 1)
    )
    # below the lines, or whole on the next page
    assert (first == 0) == broken and (last > first) == broken
    assert all("NameReading" in pages[place] for place in range(first, last + 1))


def test_a_table_that_is_too_wide_keeps_what_fits_and_says_so():
    many = SIZES[-1][0] + 4
    cells = "".join(f"<td>c{n}x</td>" for n in range(many))
    words = squeezed(text(reader(f"<h2>Wide</h2><table><tbody><tr>{cells}</tr></tbody></table>")))
    assert f"c{many - 5}x" in words and f"c{many - 4}x" not in words
    assert f"Thelast4of{many}columns" in words


def test_what_a_page_folds_away_is_named():
    folded = (
        "<h2>A</h2><details"
        " data-file='tables/fig08_nav.csv'><table><tr><td>1</td></tr></table></details>"
    )
    assert "tables/fig08_nav.csv" in squeezed(text(reader(folded)))


def test_odd_content_is_set_or_named():
    words = squeezed(
        text(
            reader(
                "<h2>Odd # $ * _ @ <b>[</b></h2><p>#let x = 1 \\ `y` // no comment</p><p>Thai"
                " \u0e01 emoji \U0001f600</p><img src='data:image/tiff;base64,AAAA' alt='a"
                " scan'><img src='data:image/png;base64,AAAA' alt='torn'><p><a href='#nowhere'>a"
                " link</a></p><h2>Odd</h2><h5>deep</h5><p id='x'>1</p><p id='x'>2</p><svg"
                " viewBox='0 0 10 10'><rect width='5' height='5'/></svg><svg><broken</svg>"
            )
        )
    )
    assert "#letx=1\\`y`//nocomment" in words
    assert "Thai□emoji□" in words
    assert "thatcannotberead:ascan" in words and "thatcannotberead:torn" in words
    assert "alink" in words


def documented(folder, language="en", kind="weekly", **changes):
    """Return a document of a run's folder as PDF."""
    made = document_of(folder, language, kind, **changes)
    return PdfReader(io.BytesIO(document_pdf(made, folder)))


def test_a_failed_section_stands_on_the_first_page(tmp_path):
    failed = SectionRecord(
        name="06_weekly_report",
        status="failed",
        error="boom\nline",
        cell=3,
        source="x()",
        fingerprint="0",
    )
    other = SectionRecord(name="03_gp_rotation", status="failed", error="bang", fingerprint="0")
    words = documented(tmp_path, made=manifest(sections=[other, failed])).pages[0].extract_text()
    assert "boom" in words and "x()" in words
    assert "failed" in words and "bang" in words


def test_a_pdf_is_the_same_for_the_same_page():
    t = translations("zh")
    html = page(BODIES["zh"], manifest(language="zh"), t)
    assert pdf_of(html, t, date="d", source="s") == pdf_of(html, t, date="d", source="s")


def test_a_pdf_that_fails_is_told_and_leaves_the_page(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise ValueError("no ink")

    monkeypatch.setattr(exports, "document_pdf", fail)
    made = manifest()
    exports.export_run(
        tmp_path,
        Plan(sections=[{"notebook": "01_market_recap"}], report="06_weekly_report"),
        made,
        translations("en"),
    )
    assert made.status == "failed"
    assert [(record.file, record.status) for record in made.exports][:4] == [
        ("report.html", "ok"),
        ("report.pdf", "failed"),
        ("evidence.html", "ok"),
        ("evidence.pdf", "failed"),
    ]
    assert "no ink" in made.exports[1].error
    assert (tmp_path / "report.html").exists()


def test_an_earlier_pdf_survives_one_that_cannot_be_written(tmp_path):
    path = tmp_path / "report.html"
    path.write_text(page("<h2>A</h2>", manifest(), translations("en")), encoding="utf-8")
    made = export_pdf(path, translations("en"), date="13 June 2025", source="sample")
    assert made == tmp_path / "report.pdf" and made.read_bytes().startswith(b"%PDF")
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["report.html", "report.pdf"]
