"""The page: nothing points outside, headings in order, a target for every entry of the contents."""

import pytest
from bs4 import BeautifulSoup
from markupsafe import Markup
from references import outside_references
from run_folder import page_of

from lib.exhibits.translations import translations
from lib.report.formulas import with_mathml
from lib.report.html import make_self_contained, number_headings, render_page
from lib.report.manifest import Manifest, SectionRecord


def manifest(**changes):
    values = dict(
        as_of="2025-06-13",
        requested_as_of="2025-06-13",
        stale_sessions=0,
        week={"first": "2025-06-09", "last": "2025-06-13"},
        source="sample",
        source_label={"en": "synthetic sample", "zh": "合成样本"},
        synthetic=True,
        language="en",
        status="ok",
        sections=[],
        parameters={},
        fingerprint="0" * 32,
        versions={"python": "3.11"},
    )
    return Manifest(**values | changes)


def page(body, made, t, title="T"):
    """Return a page of cells, as an appendix is."""
    soup = BeautifulSoup(body, "html.parser")
    with_mathml(soup)
    make_self_contained(soup, t)
    contents = number_headings(soup)
    origin = {
        "as_of": t.date(made.as_of),
        "source": made.source_label[t.language],
        "synthetic": made.synthetic,
    }
    words = dict(code=False, issues=[], prose_language="", unrun="", highlight="")
    return render_page(
        "appendix.html.j2",
        t=t,
        title=title,
        origin=origin,
        contents=contents,
        body=Markup(soup),
        **words,
    )


def laid_out(body, language="en"):
    made = manifest(language=language)
    return BeautifulSoup(page(body, made, translations(language)), "html.parser")


def weekly(folder, language="en", **changes):
    """Return the page of a run that made nothing."""
    folder.mkdir(exist_ok=True)
    made = manifest(language=language, **changes)
    return BeautifulSoup(page_of(folder, language, made=made), "html.parser")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_on_the_page_points_outside(language):
    body = """
        <script src="https://cdn.example/require.js"></script><link rel="stylesheet" href="//cdn.example/a.css">
        <style>@import "https://cdn.example/b.css";
        .x { background: url(https://cdn.example/c.png); color: red }</style>
        <p style="background:url('/d.png')" onclick="go()">text <a href="https://example.org/page">a source</a></p>
        <img src="https://cdn.example/e.png" alt="far"><img src="figures/f.png" alt="near">
        <iframe src="https://cdn.example/g.html"></iframe><a href="#part-1">inside</a>
        <img src="data:image/png;base64,AAAA" alt="kept">
    """
    html = page(body, manifest(language=language), translations(language))
    assert outside_references(body)
    assert outside_references(html) == []
    soup = BeautifulSoup(html, "html.parser")
    assert [image["alt"] for image in soup.find_all("img")] == ["kept"]
    assert "color: red" in html
    assert "a source" in soup.get_text()
    assert "https://cdn.example/e.png" in soup.get_text()  # a reader learns what is missing
    assert soup.select('a[href="#part-1"]')


def test_headings_are_in_order_and_the_contents_lead_to_them():
    soup = laid_out("<h1>One</h1><h4>Deep</h4><h3 id='own'>Own</h3><h2>Two</h2><h5>Deeper</h5>")
    levels = [int(tag.name[1]) for tag in soup.find_all(["h1", "h2", "h3", "h4", "h5", "h6"])]
    assert levels == [1, 2, 2, 3, 3, 2, 3]  # title, contents, then the body
    links = [link["href"][1:] for link in soup.select("nav a")]
    assert len(links) == len(set(links)) == 5
    assert all(soup.find(id=target) for target in links)


def test_headings_of_two_sections_get_targets_of_their_own():
    soup = laid_out("<h2 id='a'>A</h2><h3>Same</h3><h2>B</h2><h3>Same</h3>")
    ids = [tag["id"] for tag in soup.select("main [id]")]
    assert len(ids) == len(set(ids)) == 4


@pytest.mark.parametrize(
    ("language", "code", "word"), [("en", "en", "Synthetic"), ("zh", "zh-CN", "合成")]
)
def test_the_head_tells_language_week_source_and_that_data_are_synthetic(
    tmp_path, language, code, word
):
    soup = weekly(tmp_path, language)
    assert soup.html["lang"] == code
    assert soup.find("meta", attrs={"name": "viewport"})
    text = translations(language)
    head = soup.header.get_text()
    assert all(
        part in head
        for part in (
            text.date("2025-06-09"),
            text.date("2025-06-13"),
            manifest().source_label[language],
        )
    )
    assert word in soup.select_one(".banner.synthetic").get_text()
    assert not weekly(tmp_path, language, synthetic=False).select(".banner")


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "no session in the week of 14 February 2024"), ("zh", "没有交易日")],
)
def test_a_week_without_sessions_is_named_at_the_top(tmp_path, language, words):
    week = {"first": "2024-02-05", "last": "2024-02-08"}
    dates = dict(as_of="2024-02-08", week=week)
    said = weekly(tmp_path, language, requested_as_of="2024-02-14", **dates).select_one(
        "header .banner:not(.synthetic)"
    )
    assert words in said.get_text() and translations(language).date("2024-02-08") in said.get_text()
    for asked in ("2024-02-08", "2024-02-11"):  # the Sunday of the same week
        assert not weekly(tmp_path, language, requested_as_of=asked, **dates).select(
            "header .banner:not(.synthetic)"
        )


def test_stale_data_failed_sections_and_a_failed_report_are_told_at_the_top(tmp_path):
    broken = SectionRecord(name="01_market_recap", status="failed", error="E", fingerprint="")
    report = SectionRecord(
        name="06_weekly_report",
        status="failed",
        error="KeyError: <x>",
        cell=4,
        source="y",
        fingerprint="",
    )
    soup = weekly(
        tmp_path, stale_sessions=7, requested_as_of="2025-06-24", sections=[broken, report]
    )
    banners = [tag.get_text() for tag in soup.select(".banner")]
    assert any("7 sessions" in text for text in banners)
    assert any("Market recap" in text and "failed" in text for text in banners)
    assert any("KeyError: <x>" in text and "[4] y" in text for text in banners)
