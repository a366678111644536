"""The list of runs: every run is there, a broken one is named, the page needs nothing outside."""

import json

import pytest
from bs4 import BeautifulSoup
from run_folder import write_run

from lib.exhibits.translations import LANGUAGES, translations
from lib.report.commentary.compose import COMMENTARY_FILE
from lib.report.history import entries, write_index


@pytest.fixture
def out(tmp_path):
    """A folder of runs: one good, one with gaps, one of another source, and several that are
    broken.
    """
    good = write_run(tmp_path / "2025-06-13", {}, language="zh")
    (good / "facts").mkdir()
    (good / COMMENTARY_FILE).write_text(
        json.dumps({"title": "Hot <themes> cool"}), encoding="utf-8"
    )
    gaps = write_run(
        tmp_path / "2025-06-06",
        {},
        status="failed",
        synthetic=False,
        source_label={"en": "x", "zh": "某"},
    )
    for folder in (good, gaps):
        (folder / "report.html").write_text("page")
    (good / "report.pdf").write_bytes(b"pdf")
    (good / "evidence.html").write_text("page")
    (good / "tables" / "trades.csv").write_text("system\n")
    (good / "appendices").mkdir()
    (good / "appendices" / "01_market_recap.html").write_text("page")
    manifest = json.loads((gaps / "manifest.json").read_text())
    manifest["sections"][0]["status"] = "failed"
    (gaps / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "2025-05-30").mkdir()
    (tmp_path / "2025-05-30" / "manifest.json").write_text("{")
    (tmp_path / "2025-05-23").mkdir()
    torn = write_run(tmp_path / "2025-05-16", {})
    (torn / "facts").mkdir()
    (torn / COMMENTARY_FILE).write_text("{")
    (tmp_path / "interactive" / "2025-06-13").mkdir(parents=True)
    (tmp_path / ".building-2025-06-13-1").mkdir()
    (tmp_path / "benchmarks.json").write_text("[]")
    return tmp_path


def rows(path):
    soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    return soup, soup.select("tbody tr")


def test_runs_are_listed_latest_first_and_other_folders_are_not(out):
    assert [entry.name for entry in entries(out)] == [
        "2025-06-13",
        "2025-06-06",
        "2025-05-30",
        "2025-05-23",
        "2025-05-16",
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_tells_of_every_run_and_links_to_its_files(out, language):
    text = translations(language)
    soup, (good, gaps, unreadable, empty, torn) = rows(write_index(out, text))
    assert soup.html["lang"] == {"en": "en", "zh": "zh-CN"}[language]
    assert (
        "Hot <themes> cool" in good.get_text()
        and text("06_weekly_report.run_ok") in good.get_text()
    )
    assert (
        good.select_one("strong.level-warn").get_text()
        == {"en": "synthetic sample", "zh": "合成样本数据"}[language]
    )
    assert text("06_weekly_report.language_zh") in good.get_text()
    assert [link["href"] for link in good.select("a")] == [
        "2025-06-13/report.html",
        "2025-06-13/report.pdf",
        "2025-06-13/evidence.html",
        "2025-06-13/tables/trades.csv",
        "2025-06-13/appendices/01_market_recap.html",
        "2025-06-13/manifest.json",
    ]
    assert (
        text("06_weekly_report.run_failed") in gaps.get_text()
        and text("01_market_recap.title") in gaps.get_text()
    )
    assert not gaps.select("strong")
    for broken, name in ((unreadable, "2025-05-30"), (empty, "2025-05-23")):
        assert (
            name in broken.get_text() and text("06_weekly_report.run_broken") in broken.get_text()
        )
    assert "commentary.json" in torn.get_text()
    assert all((out / link["href"]).is_file() for link in soup.select("a"))
    assert not soup.find_all(["script", "link", "img"])


def test_the_page_is_written_aside_and_replaces_the_earlier_one(out):
    (out / "index.html").write_text("earlier")
    write_index(out, translations("en"))
    assert "2025-06-13" in (out / "index.html").read_text(encoding="utf-8")
    assert not list(out.glob(".index*"))


def test_an_empty_folder_has_a_page_too(tmp_path):
    _, (only,) = rows(write_index(tmp_path, translations("en")))
    assert "No run" in only.get_text()
