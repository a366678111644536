"""Report, appendix and index in a real browser: nothing complains, nothing is fetched, everything
is seen.
"""

import io
import itertools
import json

import numpy as np
import pandas as pd
import pytest
from browser import Browser
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_markdown_cell
from pypdf import PdfReader
from run_folder import SECTIONS, manifest, tables, write_run
from test_appendix import ODD, PLAIN, notebook
from tracing import NAMES

from lib.exhibits.parameters import load
from lib.exhibits.plan import read_plan
from lib.exhibits.translations import LANGUAGES, translations
from lib.exhibits.vector import save_vector
from lib.report.commentary import comment
from lib.report.exports import export_run
from lib.report.history import write_index
from lib.report.manifest import SectionRecord

REPORT = "06_weekly_report"
DESKTOP, PHONE, PAPER = 1280, 390, 680  # pixels; paper is A4 between the margins of the print view
MISSING = "13"

#: what of the page sticks out of the window without a box of its own to scroll in
STICKING_OUT = """(() => {
  const wide = document.documentElement.clientWidth + 1;
  const box = e => /auto|scroll/.test(getComputedStyle(e).overflowX);
  const scrolls = e => { for (; e; e = e.parentElement) if (box(e)) return true };
  const hidden = e => e.closest('details:not([open])') || e.closest('.skip');
  const out = [...document.querySelectorAll('body *')].filter(
    e => e.getBoundingClientRect().right > wide && !scrolls(e.parentElement) && !hidden(e));
  return out.map(e => e.tagName + ' ' + e.textContent.slice(0, 40)).slice(0, 5);
})()"""
PAGE_SCROLLS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
#: exhibits that are seen: their heading, and their picture or their table
SEEN = """[...document.querySelectorAll('article.exhibit')].filter(a => {
  const seen = e => e && e.getClientRects().length && e.getBoundingClientRect().width > 100;
  const picture = a.querySelector('.chart svg'), table = a.querySelector('table');
  return seen(a.querySelector('h3')) && (seen(picture) || seen(table));
}).map(a => a.querySelector('h3').id)"""
#: rows that may be torn, heads that are not repeated
TORN = """[...document.querySelectorAll('table')].filter(t => !t.closest('details:not([open])')).flatMap(t => [
  ...[...t.rows].filter(r => getComputedStyle(r).breakInside !== 'avoid').map(() => 'row'),
  ...(t.tHead && getComputedStyle(t.tHead).display !== 'table-header-group' ? ['head'] : [])])"""
#: contrast of text to its background, of the elements whose own text it is (WCAG asks for 4.5)
FAINT = """(() => {
  const rgb = c => c.match(/[\\d.]+/g).map(Number);
  const linear = v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = c => { const [r, g, b] = rgb(c).slice(0, 3).map(linear);
    return .2126 * r + .7152 * g + .0722 * b };
  const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (rgb(c).length < 4 || rgb(c)[3] > 0) return c } return 'rgb(255, 255, 255)' };
  const own = e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  return [...document.querySelectorAll('body *')].filter(e => own(e) && e.getClientRects().length).map(e => {
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
    return [(a + .05) / (b + .05), e.className + ' ' + e.textContent.slice(0, 30)]
  }).filter(([contrast]) => contrast < 4.5).slice(0, 5);
})()"""
#: marks what has Chinese text of its own and is drawn; its text and how many characters that are
CHINESE = """[...document.querySelectorAll('body *')].filter(e => e.checkVisibility()).map(e => {
  const own = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.textContent).join('');
  const found = own.match(/[\\u2e80-\\uffee]/g) || [];
  if (found.length) e.dataset.chinese = found.length;
  return [own.trim().slice(0, 30), found.length] }).filter(([own, count]) => count)"""
NAMELESS = "[...document.images].filter(i => !i.alt.trim()).length"
LEVELS = (
    "[...document.querySelectorAll('h1, main h2, main h3, main h4, main h5')].map(h =>"
    " +h.tagName[1])"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A browser, or a visible skip where there is none."""
    opened = Browser(tmp_path_factory.mktemp("browser"))
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=LANGUAGES)
def run(request, tmp_path_factory):
    """A run's folder with all exhibits but one, exported, in one language; the language."""
    language = request.param
    folder = write_run(tmp_path_factory.mktemp(language) / "2025-06-13", language=language)
    exhibits = [_exhibit(folder, stem, table, language) for stem, table in tables().items()]
    made = manifest(language=language)
    failed = made.section("04_absolute_return_etf")
    failed.status, failed.error, failed.cell, failed.source = (
        "failed",
        "ValueError: x " + "long " * 60,
        9,
        "solve()",
    )
    for exhibit in exhibits:
        if exhibit["number"] == MISSING:
            stem = f"fig{MISSING}_{exhibit['slug']}"
            (folder / "exhibits" / f"{stem}.json").unlink()
    said = comment(
        folder,
        translations(language),
        load(REPORT),
        {name: () for name in SECTIONS},
        synthetic="manifest.json",
        names=NAMES[language],
    )
    said.write(folder)
    (folder / "notebooks").mkdir()
    odd = [
        new_code_cell(f"# {name} " + "long_" * 60, outputs=[output]) for name, output in ODD.items()
    ]
    wide = "$$" + "+".join(f"\\frac{{x_{{{n}}}}}{{y_{{{n}}}}}" for n in range(60)) + "$$"
    notebook(folder / "notebooks" / "03_gp_rotation.ipynb", *PLAIN, *odd, new_markdown_cell(wide))
    made.sections.append(SectionRecord(name=REPORT, status="ok", fingerprint="0"))
    export_run(folder, read_plan(), made, translations(language))
    assert all(record.done for record in made.exports), made.exports
    made.write(folder)
    write_index(folder.parent, translations(language))
    return folder, language


def _exhibit(folder, stem, table, language):
    t = translations(language)
    number = stem.split("_")[0].removeprefix("fig")
    picture = number in {"01", "08", "11", "14", "16"}
    words = (
        "行业轮动净值与回撤"
        if language == "zh"
        else "Sector rotation, net asset value and drawdown"
    )
    record = {
        "number": number,
        "slug": stem.split("_", 1)[1],
        "notebook": next(
            (name for name, numbers in SECTIONS.items() if number in numbers), "03_gp_rotation"
        ),
        "title": words,
        "caption": words,
        "alt": words,
        "notes": [words],
        "source": t("common.synthetic"),
        "synthetic": True,
        "data_date": "2025-06-13",
        "formats": {},
        "show_table": not picture,
        "files": [f"tables/{stem}.csv"],
    }
    table.to_csv(folder / "tables" / f"{stem}.csv", index=False)
    if picture:
        figure = Figure(figsize=(8, 3))
        dates = pd.date_range("2024-01-01", periods=300)
        figure.subplots().plot(dates, np.linspace(1, 2, 300), label="line")
        (folder / "figures").mkdir(exist_ok=True)
        figure.savefig(folder / "figures" / f"{stem}.png")
        save_vector(figure, folder / "figures" / f"{stem}.svg")
        record["files"] += [f"figures/{stem}.png", f"figures/{stem}.svg"]
    (folder / "exhibits" / f"fig{number}_{record['slug']}.json").write_text(json.dumps(record))
    return record


def pages(folder):
    return [
        folder / "report.html",
        folder / "evidence.html",
        folder / "appendices" / "03_gp_rotation.html",
        folder.parent / "index.html",
    ]


def test_no_page_complains_fetches_or_scrolls_sideways(browser, run):
    folder, language = run
    for page in pages(folder):
        for width in (DESKTOP, PHONE):
            browser.open(page, width)
            where = f"{page.name} at {width} pixels"
            assert browser.complaints == [], where
            fetched = [url for url in browser.requests if not url.startswith("data:")]
            assert fetched == [page.resolve().as_uri()], where
            assert browser.ask(PAGE_SCROLLS) <= 0, where
            assert browser.ask(STICKING_OUT) == [], where
        assert browser.ask("document.documentElement.lang") == {"en": "en", "zh": "zh-CN"}[language]


def test_every_exhibit_is_seen_and_a_missing_one_is_named(browser, run):
    folder, _ = run
    wanted = {f"exhibit-{number}" for numbers in SECTIONS.values() for number in numbers} - {
        f"exhibit-{MISSING}"
    }
    for width in (DESKTOP, PHONE):
        browser.open(folder / "report.html", width)
        assert wanted <= set(browser.ask(SEEN))
        gap = f"document.querySelector('.gap #exhibit-{MISSING}').getBoundingClientRect().width"
        assert browser.ask(gap) > 20


def test_chinese_is_drawn_with_the_font_that_the_page_carries(browser, run):
    folder, language = run
    if language == "en":
        pytest.skip("the English edition carries a font only when a name is Chinese")
    for page in pages(folder):
        browser.open(page, DESKTOP)
        assert browser.ask(
            "[...document.fonts].map(f => f.family.replaceAll('\"', '') + ' ' + f.status)"
        ) == ["Report Chinese loaded"]
        marked = browser.ask(CHINESE)
        assert len(marked) > 5
        for (words, count), node in zip(marked, browser.nodes("[data-chinese]"), strict=True):
            fonts = browser.call("CSS.getPlatformFontsForNode", nodeId=node)["fonts"]
            assert sum(font["glyphCount"] for font in fonts if font["isCustomFont"]) >= count, (
                words,
                fonts,
            )


def test_the_print_view_breaks_no_table(browser, run):
    folder, _ = run
    for page in pages(folder)[:3]:
        browser.open(page, DESKTOP)
        printed = PdfReader(io.BytesIO(browser.printed()))
        assert round(printed.pages[0].mediabox.width) in range(594, 597)
        browser.call("Emulation.setEmulatedMedia", media="print")
        browser.size(PAPER)
        assert browser.ask(TORN) == []
        wide = (
            "[...document.querySelectorAll('table')].filter(t => t.getBoundingClientRect().right >"
            f" {PAPER + 1}).length"
        )
        assert browser.ask(wide.replace("'table'", "'main table'")) == 0


def test_pages_can_be_read_by_everyone(browser, run):
    folder, _ = run
    for page in pages(folder):
        browser.open(page, DESKTOP)
        assert browser.ask(FAINT) == [], page.name
        assert browser.ask(NAMELESS) == 0
        levels = browser.ask(LEVELS)
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


#: links that lead nowhere: to an id of the page, to a file beside it
DEAD = """[...document.querySelectorAll('a[href^="#"]')].filter(
  a => !document.getElementById(decodeURIComponent(a.getAttribute('href').slice(1)))).map(a => a.outerHTML)"""
FILES = """[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href')).filter(
  h => !h.startsWith('#') && !h.startsWith('data:'))"""


def test_every_link_lands(browser, run):
    folder, _ = run
    for page in (folder / "report.html", folder / "evidence.html"):
        browser.open(page, DESKTOP)
        assert browser.ask(DEAD) == [], page.name
        made = {f"appendices/{name}.html" for name in SECTIONS} - {"appendices/03_gp_rotation.html"}
        for link in set(browser.ask(FILES)):
            file, _, target = link.partition("#")
            if file in made:
                continue  # the notebooks of the other sections were not run here
            assert (folder / file).is_file(), link
            if target and file in ("report.html", "evidence.html"):
                assert f'id="{target}"' in (folder / file).read_text(encoding="utf-8"), link


def test_a_table_sorts_on_a_click_and_a_chart_shows_its_values(browser, run):
    folder, _ = run
    browser.open(folder / "report.html", DESKTOP)
    table = "document.querySelector('#exhibit-06').closest('article').querySelector('table')"
    column = f"[...{table}.tBodies[0].rows].map(r => Number(r.cells[4].dataset.sort))"
    before = browser.ask(column)
    for order in (True, False):
        browser.ask(f"{table}.tHead.rows[0].cells[4].click()")
        assert browser.ask(column) == sorted(before, reverse=order)
    tip = """(() => { const c = document.querySelector('figure.chart[data-readings]');
      c.scrollIntoView(); const b = c.querySelector('svg').getBoundingClientRect();
      c.dispatchEvent(new PointerEvent('pointermove', {clientX: b.left + b.width / 2, clientY: b.top + b.height / 2}));
      return c.querySelector('.tip').innerText })()"""
    assert "line" in browser.ask(tip) and "2024-" in browser.ask(tip)


def test_words_are_whole_on_a_phone_and_search_finds(browser, run):
    folder, _ = run
    browser.open(folder / "report.html", PHONE)
    broken = """[...document.querySelectorAll('table.cells td:not(.long)')].filter(
      c => c.getClientRects().length && c.getBoundingClientRect().height > 40).length"""
    assert browser.ask(broken) == 0
    browser.ask(
        "(() => { const f = document.querySelector('#search'); f.value = 'zzzz';"
        " f.dispatchEvent(new Event('input')) })()"
    )
    seen = "[...document.querySelectorAll('main article')].filter(a => a.getClientRects().length).length"
    assert browser.ask(seen) == 0


def test_the_page_is_readable_in_the_dark(browser, run):
    folder, _ = run
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.open(folder / "report.html", DESKTOP)
    browser.call("Emulation.setEmulatedMedia", media="screen", features=dark)
    light = "getComputedStyle(document.body).backgroundColor"
    assert browser.ask(light) == "rgb(18, 24, 29)"
    assert browser.ask(FAINT.replace("rgb(255, 255, 255)", "rgb(18, 24, 29)")) == []
