"""Exhibits: files, records, figures in both languages, the same bytes twice."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lib.exhibits import charts, tables
from lib.exhibits.notebook_run import Run
from lib.exhibits.style import DOWN, DOWN_GREEN, UP, UP_RED, apply_style, save, sign_colours
from lib.exhibits.translations import LANGUAGES, translations
from lib.exhibits.vector import save_vector
from lib.market.calendar import Sessions
from lib.market.errors import ParameterError, RunError, StaleDataError

TABLE = pd.DataFrame(
    {
        "symbol": ["510300.SH", "DXY", "US10Y"],
        "name": ["沪深300ETF", "美元指数", "美国10年期国债收益率"],
        "name_en": ["CSI 300 ETF", "US Dollar Index", "US 10Y Treasury yield"],
        "group": ["a_share", "fx", "yield"],
        "change": [0.0123, np.nan, -8.6],
        "unit": ["fraction", "fraction", "basis points"],
    }
)
WORDS = {"last": "L", "previous": "P", "best": "B", "worst": "W"}


def make_run(folder, language="en", stale=0, synthetic=True):
    label = {"en": "synthetic sample", "zh": "合成样本数据"}
    market = SimpleNamespace(
        as_of=pd.Timestamp("2025-06-13"),
        requested=pd.Timestamp("2025-06-18"),
        stale_sessions=stale,
        source=SimpleNamespace(name="sample", label=label, synthetic=synthetic),
    )
    apply_style()
    return Run(
        "01_market_recap", market, language, folder, folder / "cache", translations(language)
    )


def bars(language):
    run_names = TABLE["name" if language == "zh" else "name_en"]
    values = TABLE.set_index(run_names)["change"].iloc[:2]
    return charts.diverging_bars(
        values, sign_colours(language), lambda x: f"{x:+.2%}", "单位" if language == "zh" else "x"
    )


LAST = {"801010.SI": "2025-06-13", "801030.SI": "2025-06-05", "801040.SI": "2025-05-07"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_series_that_ends_too_early_is_named_or_refused(tmp_path, monkeypatch, language):
    listed = pd.DataFrame(
        {"name": ["农林牧渔", "基础化工", "钢铁"], "name_en": ["Agriculture", "", "Steel"]},
        index=LAST,
    )
    market = SimpleNamespace(
        instruments=lambda: listed,
        last_dates=lambda symbols: pd.to_datetime(pd.Series(LAST)[symbols]),
        sessions=Sessions.load(),
        week=SimpleNamespace(last=pd.Timestamp("2025-06-13")),
    )
    run = Run("03_gp_rotation", market, language, tmp_path, tmp_path, translations(language))
    assert (run.plan.stale_sessions, run.plan.stale_series) == (5, "print")
    # six sessions are too many by one; what the data do not hold is missing, which is told
    # elsewhere
    assert list(run.stale([*LAST, "801050.SI"]).index) == ["801030.SI", "801040.SI"]
    (note,) = run.stale_notes(run.stale(LAST))
    assert ("钢铁" if language == "zh" else "Steel") in note and run.t.date("2025-05-07") in note
    assert run.stale_notes(run.stale(["801010.SI"])) == []
    strict = replace(run, plan=run.plan.model_copy(update={"stale_series": "refuse"}))
    with pytest.raises(StaleDataError, match="2 series end more than 5 sessions") as told:
        strict.stale_notes(strict.stale(LAST))
    assert "801030.SI" in str(told.value) and "stale_series" in str(told.value)
    assert strict.stale_notes(strict.stale(["801010.SI"])) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_exhibit_leaves_csv_png_and_record(tmp_path, language):
    run = make_run(tmp_path, language)
    run.exhibit(
        "01",
        "global_assets",
        TABLE,
        bars(language),
        formats={"change": "unit"},
        values=WORDS,
        notes=["n"],
    )
    read = pd.read_csv(tmp_path / "tables/fig01_global_assets.csv")
    pd.testing.assert_frame_equal(read, TABLE)
    assert (tmp_path / "figures/fig01_global_assets.png").read_bytes().startswith(b"\x89PNG")
    record = json.loads(
        (tmp_path / "exhibits/fig01_global_assets.json").read_text(encoding="utf-8")
    )
    stem = "fig01_global_assets"
    assert record["files"] == [f"tables/{stem}.csv", f"figures/{stem}.png", f"figures/{stem}.svg"]
    assert (
        record["synthetic"] is True
        and record["notes"] == ["n"]
        and record["data_date"] == "2025-06-13"
    )
    assert "B" in record["alt"]


def test_tables_do_not_depend_on_the_language(tmp_path):
    for language in LANGUAGES:
        make_run(tmp_path / language, language).exhibit(
            "01", "g", TABLE, formats={"change": "unit"}, values=WORDS
        )
    first, second = (
        (tmp_path / language / "tables/fig01_g.csv").read_bytes() for language in LANGUAGES
    )
    assert first == second


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_figure_is_the_same_twice(tmp_path, language):
    apply_style()
    for name in "ab":
        save(bars(language), tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_supplement_keeps_its_own_name(tmp_path):
    make_run(tmp_path).exhibit("s01", "closes", TABLE)
    assert (tmp_path / "tables/s01_closes.csv").exists()
    assert (tmp_path / "exhibits/figs01_closes.json").exists()


def test_stale_data_are_named_on_every_exhibit(tmp_path):
    make_run(tmp_path, stale=3).exhibit("s01", "closes", TABLE)
    note = json.loads((tmp_path / "exhibits/figs01_closes.json").read_text(encoding="utf-8"))[
        "notes"
    ][0]
    assert "13 June 2025" in note and "3 sessions" in note and "18 June 2025" in note


def test_an_exhibit_needs_something_to_show(tmp_path):
    with pytest.raises(RunError, match="neither table nor figure"):
        make_run(tmp_path).exhibit("01", "empty", values=WORDS)


def test_a_table_shows_units_names_and_missing_values_by_language(tmp_path):
    TABLE.to_csv(tmp_path / "t.csv", index=False)
    record = {"notebook": "01_market_recap", "number": "01", "formats": {"change": "unit"}}
    english, chinese = (
        tables.table_html(tmp_path / "t.csv", record, language) for language in LANGUAGES
    )
    for text in ("CSI 300 ETF", "+1.23%", "-8.6", "–", "Currencies", "Change"):
        assert text in english, text
    assert "沪深300ETF" not in english
    for text in ("沪深300ETF", "外汇", "涨跌"):
        assert text in chinese, text
    assert "CSI 300 ETF" not in chinese
    assert english == tables.table_html(tmp_path / "t.csv", record, "en"), "the same HTML twice"
    assert "http" not in english


def test_words_stand_for_symbols_in_headings_and_cells(tmp_path):
    table = pd.DataFrame({"feature": ["range_5", "other"], "CN10Y": [0.1, 0.2]})
    run = make_run(tmp_path)
    words = {"range_5": "Mean daily range, 5 days", "CN10Y": "China 10-year"}
    run.exhibit("s01", "closes", table, formats={"CN10Y": "share"}, words=words)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "tables/s01_closes.csv"), table)
    record = json.loads((tmp_path / "exhibits/figs01_closes.json").read_text(encoding="utf-8"))
    shown = tables.table_html(tmp_path / "tables/s01_closes.csv", record, "en")
    for text in ("Mean daily range, 5 days", "other", "China 10-year", "10.00%"):
        assert f">{text}</" in shown, text
    assert "range_5" not in shown


def test_facts_are_plain_json(tmp_path):
    run = make_run(tmp_path)
    run.save_facts(
        {"a": np.float64(1.5), "b": pd.Timestamp("2025-06-13"), "c": pd.Series({"x": 1})}
    )
    assert json.loads((tmp_path / "facts/01_market_recap.json").read_text()) == {
        "a": 1.5,
        "b": "2025-06-13",
        "c": {"x": 1},
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_shared_charts_draw_without_missing_glyphs(tmp_path, language):
    apply_style()
    word = "净值" if language == "zh" else "NAV"
    dates = pd.bdate_range("2024-01-01", periods=50)
    nav = pd.DataFrame({"a": np.linspace(1, 1.2, 50), "b": np.linspace(1, 1.19, 50)}, index=dates)
    nav.iloc[30:35, 0] -= 0.1
    figure = charts.nav_chart(
        nav,
        {"a": word, "b": word},
        drawdown_of="a",
        nav_label=word,
        drawdown_label=word,
    )
    bottom = figure.axes[1]
    assert bottom.get_ylim()[0] < -0.05, "the drawdown is drawn"
    save(figure, tmp_path / "nav.png")
    panels = {word: pd.Series({"x": 1.0, "y": -2.0}), "two": pd.Series({"z": 0.5})}
    figure = charts.panels_of_bars(panels, sign_colours(language), dict.fromkeys(panels, str))
    save(figure, tmp_path / "panels.png")
    table = pd.DataFrame({"a": [0.3, 0.1], "b": [0.2, 0.2]}, index=[word, word])
    for horizontal in (False, True):
        figure = charts.grouped_bars(table, {"a": word}, word, horizontal=horizontal, percent=True)
        axes = figure.axes[0]
        assert [len(bars) for bars in axes.containers] == [2, 2], "rows of one name stay apart"
        ticks = axes.get_yticklabels() if horizontal else axes.get_xticklabels()
        assert [tick.get_text() for tick in ticks] == [word, word]
        save(figure, tmp_path / "grouped.png")
    strip = pd.DataFrame({"value": [0.1, 0.2, 0.3], "low": [0.0, 0.1, 0.2], "high": 0.4})
    figure = charts.strip_with_intervals(strip, [word, "b", "b"], word, mark=0.1)
    (intervals,) = [each for each in figure.axes[0].collections if hasattr(each, "get_segments")]
    assert len(intervals.get_segments()) == 1, "a distribution has no interval"
    save(figure, tmp_path / "strip.png")
    assert all(
        (tmp_path / f"{name}.png").stat().st_size > 5000
        for name in ("nav", "panels", "grouped", "strip")
    )


def test_bars_stand_in_order_with_their_values():
    figure = charts.diverging_bars(
        pd.Series({"low": -0.02, "high": 0.05, "none": np.nan}), ("b", "r"), lambda x: f"{x:.0%}"
    )
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["none", "low", "high"]
    assert [note.get_text() for note in axes.texts] == ["–", "-2%", "5%"]


def test_a_rise_is_red_where_its_readers_expect_it_or_the_parameter_says_so():
    assert sign_colours("zh") == sign_colours("en", "red") == (UP_RED, DOWN_GREEN)
    assert sign_colours("en") == sign_colours("zh", "blue") == (UP, DOWN)


def test_an_exhibit_of_a_table_without_rows_is_made(tmp_path):
    run = make_run(tmp_path)
    run.exhibit("s01", "closes", TABLE.iloc[:0], data_date=pd.NaT, notes=["nothing was released"])
    record = json.loads((tmp_path / "exhibits" / "figs01_closes.json").read_text(encoding="utf-8"))
    assert record["data_date"] == f"{run.market.as_of:%Y-%m-%d}" and record["notes"] == [
        "nothing was released"
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_labels_and_notes_are_the_notebooks_texts(tmp_path, language):
    run = make_run(tmp_path, language)
    names = "name" if language == "zh" else "name_en"
    labels = run.labels("panel", "value")
    assert labels["fx"] == run.t("common.value.fx"), "the later group counts"
    assert labels["US_CPI_YOY"] == run.t("01_market_recap.value.US_CPI_YOY")
    with pytest.raises(ParameterError, match=r"no labels 01_market_recap\.panels"):
        run.labels("panels")
    two = run.notes(no_close=TABLE.iloc[:2], missing=TABLE.iloc[:0], unchanged=[], spot=["x", "y"])
    listed = ("、" if language == "zh" else ", ").join(TABLE[names].iloc[:2])
    assert len(two) == 2 and listed in two[0]
    assert run.note("no_close", names=pd.Timestamp("2025-06-13")) in run.notes(
        no_close={"names": pd.Timestamp("2025-06-13")}
    )
    assert run.t.date("2025-06-13") in run.note("no_close", names=pd.Timestamp("2025-06-13"))
    assert "–" in run.note("no_close", names=pd.NaT)


def test_a_column_has_the_format_of_its_name_or_of_its_row():
    table = pd.DataFrame({"name": ["a"], "weight": [0.5], "sharpe": [1.0], "own": [2.0]})
    assert tables.column_formats(table, {}) == {"weight": "share", "sharpe": "score"}
    assert tables.column_formats(table, {"weight": "percent", "sharpe": None}) == {
        "weight": "percent"
    }
    assert "weight" not in tables.column_formats(table.assign(weight="half"), {}), "text stays text"
    assert tables.column_formats(table.assign(metric="sharpe"), {"own": "count"}) == {
        "weight": "metric",
        "sharpe": "metric",
        "own": "count",
    }


def test_a_figure_is_saved_in_the_width_of_a_column_with_what_a_pointer_reads(tmp_path):
    dates = pd.date_range("2024-01-01", periods=800)
    values = pd.Series(np.linspace(1.0, 2.0, 800), dates)
    values.iloc[:100] = np.nan
    figure, axes = plt.subplots(figsize=(8.6, 4.8))
    axes.plot(values, label="NAV")
    save_vector(figure, tmp_path / "fig08_nav.svg")
    plt.close(figure)
    svg = (tmp_path / "fig08_nav.svg").read_text(encoding="utf-8")
    assert float(re.search(r'width="([0-9.]+)pt"', svg)[1]) < 72 * 4.6
    ids = re.findall(r' id="([^"]+)"', svg)
    assert all(name.startswith("fig08_nav-") for name in ids) and len(set(ids)) == len(ids)
    (panel,) = json.loads(
        (tmp_path / "fig08_nav.json").read_text(encoding="utf-8"),
        parse_constant=lambda name: pytest.fail(f"{name} is not JSON"),
    )
    (series,) = panel["series"]
    assert series["name"] == "NAV" and len(series["points"]) == 400
    assert series["points"][0][0] == "2024-04-10" and series["points"][-1][1] == 2.0
    assert 0 < panel["left"] < panel["right"] < 1 and 0 < panel["top"] < panel["bottom"] < 1


def test_a_column_named_like_a_format_has_that_format():
    table = pd.DataFrame({"name": ["a"], "change": [0.0225]})
    record = {"notebook": "02_ai_themes", "formats": {"change": "change"}}
    shown = tables.shown_table(table, record, translations("en"))
    assert shown.cells["change"].tolist() == ["+0.02"]
