"""The two documents of a run: what is where, and how they come out on paper."""

import io
import json

import pytest
from bs4 import BeautifulSoup
from pypdf import PdfReader
from run_folder import SECTIONS, document_of, manifest, page_of, write_run
from tracing import NAMES

from lib.exhibits.parameters import PARAMS, load
from lib.exhibits.translations import LANGUAGES, translations
from lib.market.errors import ParameterError
from lib.report.commentary import comment
from lib.report.house import read_house
from lib.report.pdf import document_pdf
from lib.weekly.languages import add_to_manifest, languages_of, replacement_notice


@pytest.fixture(params=LANGUAGES)
def language(request):
    return request.param


@pytest.fixture
def folder(tmp_path, language):
    """A run with all exhibits, two supplements and its commentary."""
    made = write_run(tmp_path / "2025-06-13", language=language)
    said = comment(
        made,
        translations(language),
        load("06_weekly_report"),
        {name: () for name in SECTIONS},
        synthetic="manifest.json",
        names=NAMES[language],
    )
    said.write(made)
    return made


def numbers(document):
    return [item["number"] for part in document["sections"] for item in part["items"]]


def test_exhibits_are_in_the_weekly_and_supplements_in_the_evidence(folder, language):
    weekly, evidence = (document_of(folder, language, kind) for kind in ("weekly", "evidence"))
    assert numbers(weekly) == [number for each in SECTIONS.values() for number in each]
    assert numbers(evidence) == ["s14", "s26"]
    # a supplement that nobody has listed anywhere is in the evidence by itself, with its section
    record = json.loads((folder / "exhibits" / "figs26_deflated_sharpe.json").read_text())
    new = folder / "exhibits" / "figs29_new.json"
    new.write_text(json.dumps(record | {"number": "s29", "slug": "new"}))
    (added,) = [
        item
        for part in document_of(folder, language, "evidence")["sections"]
        for item in part["items"]
        if item["number"] == "s29"
    ]
    assert [link["href"] for link in added["related"]] == ["report.html#exhibit-08"]


def test_exhibit_and_supplement_link_to_each_other(folder, language):
    weekly, evidence = (
        BeautifulSoup(page_of(folder, language, kind), "html.parser")
        for kind in ("weekly", "evidence")
    )
    there = weekly.find(id="exhibit-06").find_parent("article")
    back = evidence.find(id="exhibit-s14").find_parent("article")
    assert there.select('a[href="evidence.html#exhibit-s14"]')
    assert back.select('a[href="report.html#exhibit-06"]')


def test_the_weekly_has_at_most_ten_pages_and_none_is_empty(folder, language):
    made = document_of(folder, language)
    pages = PdfReader(io.BytesIO(document_pdf(made, folder))).pages
    assert 1 < len(pages) <= 10
    words = [len("".join(page.extract_text().split())) for page in pages[:-1]]
    assert min(words) > 600, words


def test_the_first_page_has_portfolios_and_changes(folder, language):
    made = document_of(folder, language)
    t = translations(language)
    assert [row[0]["text"] for row in made["dashboard"]["rows"]] == [
        t(f"06_weekly_report.model.{model}") for model in ("rotation", "absolute", "global")
    ]
    week = [row[1]["text"] for row in made["dashboard"]["rows"]]
    assert week == ["+2.03%", "+0.36%", "+0.41%"]
    against = [row[2]["text"] for row in made["dashboard"]["rows"]]
    assert against == ["+1.03%", "+0.06%", "-0.60%"]
    rotation, absolute, world = made["changes"]
    names = {"en": ("Electronics", "Machinery"), "zh": ("电子", "机械设备")}[language]
    assert [part["text"] for part in rotation["parts"]] == list(names)
    assert "13.1% ▼ 9.8%" in absolute["parts"][0]["text"]
    assert "30.0% ▲ 40.0%" in world["parts"][0]["text"]


def test_titles_state_what_the_exhibits_found(folder, language):
    made = document_of(folder, language)
    titles = {item["number"]: item["title"] for part in made["sections"] for item in part["items"]}
    words = {
        "en": {"06": "2 of the 3 hottest themes lost score", "09": "Sharpe ratio of 1.57"},
        "zh": {"06": "涨幅前3主题中2个得分回落", "09": "夏普比率1.57"},
    }
    for number, text in words[language].items():
        assert text in titles[number]


def test_a_house_puts_its_own_name_on_the_report(folder, language):
    house = read_house()
    page = BeautifulSoup(page_of(folder, language), "html.parser")
    assert house.name.of(language) in page.header.get_text()
    assert house.disclaimer.of(language)[:20] in page.footer.get_text()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda text: text[text.index("# line above") :], "name"),
        (lambda text: text.replace("zh: 金工周报组", 'zh: ""'), "name"),
        (lambda text: text.replace('logo: ""', "logo: none.svg"), "no logo none.svg"),
    ],
)
def test_a_house_without_a_name_or_with_a_missing_logo_is_refused(tmp_path, change, fault):
    text = (PARAMS / "house.yaml").read_text(encoding="utf-8")
    (tmp_path / "house.yaml").write_text(change(text), encoding="utf-8")
    with pytest.raises(ParameterError, match=fault):
        read_house(tmp_path)


def test_two_languages_of_a_run_share_its_manifest_and_link_to_each_other(tmp_path):
    first = write_run(tmp_path / "2025-06-13")
    second = write_run(first / "zh", language="zh", as_of="2025-06-13")
    (second / "tables" / "fig01_global_assets.csv").write_text("other")
    made, other = manifest(), manifest(language="zh")
    add_to_manifest(made, other, first)
    assert made.language == "en zh"
    assert [(record.file, record.done) for record in made.exports] == [
        ("zh/tables/fig01_global_assets.csv", False)
    ]
    page = BeautifulSoup(page_of(first, made=manifest(), languages=("en", "zh")), "html.parser")
    assert page.select_one("a[hreflang]")["href"] == "report.zh.html"


@pytest.mark.parametrize("text", ["", "fr", "en en", "en,zh"])
def test_languages_that_do_not_exist_are_refused(text):
    assert languages_of("zh en") == ["zh", "en"]
    with pytest.raises(ParameterError, match="language is"):
        languages_of(text)


def test_a_run_of_another_source_or_language_is_not_replaced_without_a_word(tmp_path):
    folder = write_run(tmp_path / "2025-06-13", {})
    assert replacement_notice(folder, "sample", "en") == ""
    assert "holds a report of sample in en" in replacement_notice(folder, "sample", "zh")
    assert "of folder in en replaces it" in replacement_notice(folder, "folder", "en")
    assert replacement_notice(tmp_path / "2025-06-20", "sample", "en") == ""
