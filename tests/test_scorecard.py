"""The scorecard and the changes: verdicts, reasons, and what is said where there is nothing to
compare.
"""

import json
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from run_folder import manifest, tables, write_run

from lib.exhibits.notebook_run import Run
from lib.exhibits.parameters import load
from lib.exhibits.plan import read_plan
from lib.exhibits.published import published, published_week
from lib.exhibits.tables import table_html
from lib.exhibits.translations import LANGUAGES, translations
from lib.market.universe import read_universe
from lib.report import assemble
from lib.report.assemble import Assembly
from lib.report.changes import changes, previous_run
from lib.report.scorecard import VERDICTS, counts, scorecard

TEXT = translations("en")
PLAN = read_plan()
WEEK = published_week("2025-06-13")
SETTINGS = load("06_weekly_report")
ASSETS = read_universe("allocation")


@pytest.fixture
def folder(tmp_path):
    return write_run(tmp_path / "2025-06-13", synthetic=False)


def judged(folder, synthetic=False):
    return scorecard(WEEK, folder, TEXT, numbers=PLAN.exhibits, synthetic=synthetic)


def row(table, exhibit, name, measure, relation="equal"):
    (found,) = table[
        (table["exhibit"] == exhibit)
        & (table["name_en"] == name)
        & (table["measure"] == measure)
        & (table["relation"] == relation)
    ].to_dict("records")
    return found


def test_every_published_number_has_a_row_and_a_verdict(folder):
    table = judged(folder)
    assert set(table["verdict"]) <= set(VERDICTS)
    printed = table[table["verdict"] != "not_published"]
    assert len(printed) == len(published("2025-06-13")) + len(WEEK.elsewhere)
    assert sum(counts(table).values()) == len(table)
    differs = table[table["verdict"] == "differs"]
    assert differs["reason"].isin(["other_data", "other_universe", "our_choice", "not_held"]).all()
    assert differs[["why", "why_en"]].notna().all(axis=None)


def test_verdicts_by_relation_and_tolerance(folder):
    table = judged(folder)
    chinext = row(table, "01", "ChiNext", "change")
    assert chinext["verdict"] == "reproduced" and chinext["tolerance"] == 0.0001
    brent = row(table, "01", "Brent crude", "change")
    assert (brent["verdict"], brent["reason"]) == ("differs", "other_data")
    assert brent["difference"] == pytest.approx(0.1173 - 0.128) and "futures" in brent["why_en"]
    assert row(table, "01", "Brent crude", "change", "above")["verdict"] == "reproduced"
    assert row(table, "01", "US Dollar Index", "change", "below")["verdict"] == "reproduced"
    assert row(table, "02", "US CPI year on year", "consensus")["verdict"] == "reproduced"
    assert row(table, "04", "Oil & Gas ETF", "week_return", "above")["verdict"] == "differs"
    assert (
        row(table, "04", "Food & Beverage ETF", "week_return", "about")["verdict"] == "reproduced"
    )
    assert row(table, "03", "STAR 50 ETF", "week_return", "last")["verdict"] == "reproduced"
    assert row(table, "05", "CSI 500 Quality Growth ETF", "week_return", "first")["value"] == 1
    excess = row(table, "09", "ytd_return", "strategy_less_benchmark")
    assert excess["value"] == pytest.approx(0.1419) and excess["verdict"] == "reproduced"


def test_a_rank_that_is_not_the_first_differs(tmp_path):
    made = tables()
    made["fig05_smartbeta_etf"]["week_return"] = [-0.02, 0.01]
    table = judged(write_run(tmp_path / "2025-06-13", made))
    first = row(table, "05", "CSI 500 Quality Growth ETF", "week_return", "first")
    assert (first["value"], first["published"], first["verdict"]) == (2, 1, "differs")


def test_a_value_just_inside_and_just_outside_the_tolerance(tmp_path):
    cases = [
        ("sharpe", 1.67, "reproduced"),
        ("sharpe", 1.68, "differs"),
        ("max_drawdown", -0.2014, "differs"),
    ]
    for metric, value, verdict in cases:
        made = tables()
        measured = made["fig09_gp_performance"].set_index("metric")
        measured.loc[metric, "strategy"] = value
        made["fig09_gp_performance"] = measured.reset_index()
        table = judged(write_run(tmp_path / f"{value}" / "2025-06-13", made))
        assert row(table, "09", metric, "strategy")["verdict"] == verdict


@pytest.mark.parametrize(
    ("exhibit", "name", "measure", "tolerance"),
    [
        ("13", "Health care", "weight", 0.0017),  # a tenth of 1.70%, not a point
        # a tenth would be four points: the exhibit's is the widest
        ("13", "Long bonds", "weight", 0.01),
        ("13", "Dividend", "previous_weight", 0.00005),  # printed as 0.00%
        ("12", "annual_volatility", "strategy", 0.00384),
        ("12", "week_return", "strategy", 0.00036),
        ("09", "calmar", "benchmark", 0.018),
        ("06", "Communication Equipment", "latest_score", 0.005),  # printed as 0.00
        ("01", "CSI 300", "change", 0.0001),
        ("02", "US CPI year on year", "actual", 0.001),
    ],
)
def test_a_tolerance_scales_with_the_number_down_to_its_last_digit(
    folder, exhibit, name, measure, tolerance
):
    assert row(judged(folder), exhibit, name, measure)["tolerance"] == pytest.approx(tolerance)


def test_no_tolerance_is_wider_than_its_exhibit_allows():
    for part in WEEK.exhibits.values():
        for fact in part.facts:
            widest = part.tolerance if fact.tolerance is None else fact.tolerance
            assert part.tolerance_of(fact) <= widest
            if fact.relation == "equal" and fact.value:
                assert part.tolerance_of(fact) <= max(0.1 * abs(fact.value), 0.005)


def test_holdings_weights_and_rows_that_are_not_listed(folder):
    table = judged(folder)
    steel = row(table, "10", "Steel", "holdings", "held")
    assert (steel["value"], steel["verdict"]) == (1, "reproduced")
    chemicals = row(table, "10", "Chemicals", "holdings", "held")
    assert np.isnan(chemicals["value"]) and chemicals["reason"] == "other_universe"
    assert row(table, "13", "bond", "weight")["value"] == pytest.approx(0.8682)
    mining = row(table, "06", "Non-ferrous Mining", "latest_score")
    assert np.isnan(mining["value"]) and (mining["verdict"], mining["reason"]) == (
        "absent",
        "other_universe",
    )
    assert "pool" in mining["why_en"]
    tools = row(table, "06", "Machine Tools", "gain_peak")
    assert np.isnan(tools["value"]) and (tools["verdict"], tools["reason"]) == (
        "absent",
        "not_listed",
    )
    assert row(table, "16", "S&P 500", "weight", "below")["value"] == pytest.approx(0.005)


def test_an_asset_that_is_not_held_reproduces_nothing(tmp_path):
    made = tables()
    made["fig16_global_weights"]["SPX"] = 0.0
    made["fig16_global_weights"]["NDX"] = 1e-6  # what a solver leaves
    table = judged(write_run(tmp_path / "2025-06-13", made))
    for name in ("S&P 500", "Nasdaq 100"):
        below = row(table, "16", name, "weight", "below")
        assert (below["verdict"], below["reason"]) == ("differs", "not_held")
    health = row(table, "13", "Health care", "weight")
    assert np.isnan(health["value"]) and (health["verdict"], health["reason"]) == (
        "differs",
        "not_held",
    )
    assert "rotation" in health["why_en"]
    # one is not listed, one was not held before, as published
    for name in ("Health care", "Dividend"):
        before = row(table, "13", name, "previous_weight")
        assert (before["verdict"], before["reason"]) == ("absent", "not_held")
    counted = table[table["verdict"].eq("reproduced") & table["exhibit"].isin(["13", "16"])]
    assert len(counted) and (counted["value"] > 0).all()


def test_the_long_bond_is_found_whichever_fund_the_leg_is(tmp_path):
    made = tables()
    weights = made["fig13_absolute_weights"]
    weights["symbol"] = weights["symbol"].replace("511260.SH", "511090.SH")
    table = judged(write_run(tmp_path / "2025-06-13", made))
    assert row(table, "13", "Long bonds", "weight")["verdict"] == "reproduced"
    assert row(table, "13", "Long bonds", "previous_weight")["value"] == pytest.approx(0.4345)


def test_a_theme_beyond_the_ten_is_looked_up_in_the_whole_pool(tmp_path):
    made = tables()
    pool = (
        made["fig06_strongest_themes"]
        .iloc[:1]
        .assign(symbol="931866.CSI", gain_peak=0.2219, latest_score=-0.2)
    )
    made["s17_pool"] = pool
    table = judged(write_run(tmp_path / "2025-06-13", made))
    assert row(table, "06", "Machine Tools", "gain_peak")["verdict"] == "reproduced"
    score = row(table, "06", "Machine Tools", "latest_score")
    assert (score["value"], score["verdict"], score["reason"]) == (-0.2, "differs", "other_data")


def test_themes_that_were_printed_are_looked_for_among_the_ten(folder):
    table = judged(folder)
    metals = row(table, "06", "Non-ferrous Metals", "rank", "listed")
    assert (metals["value"], metals["verdict"]) == (3, "reproduced")
    tools = row(table, "06", "Machine Tools", "rank", "listed")
    assert np.isnan(tools["value"]) and (tools["verdict"], tools["reason"]) == (
        "differs",
        "other_data",
    )
    mining = row(table, "06", "Non-ferrous Mining", "rank", "listed")
    assert (mining["verdict"], mining["reason"]) == ("differs", "other_universe")
    assert row(table, "07", "SZSE Dividend", "rank", "listed")["verdict"] == "reproduced"


#: what a reason has to speak of, and what it may not, by exhibit and measure
REASONS = [
    ("01", ("change",), "vendor|futures|closing times", "minute|sector"),
    ("02", ("actual", "consensus"), "vendor", "minute|sector"),
    ("0[345]", ("week_return",), "fund", "minute"),
    ("0[67]", ("gain_peak",), "index", "minute|ticks|daily bars"),
    ("0[67]", ("previous_score", "latest_score", "change"), "score|index is not in", "fund"),
    ("09", ("benchmark",), "equal weights", "formula"),
    ("09", ("strategy",), "sectors", "minute"),
    ("12", ("strategy",), "trend", "minute|sector"),
    ("13", ("weight", "previous_weight"), "trend|rotation|timing", "minute|momentum window"),
    ("15", ("strategy",), "momentum", "minute|sector"),
    ("16", ("weight",), "momentum|budget", "minute|sector"),
]


def test_the_reason_of_every_fact_is_a_reason_for_its_number():
    seen = 0
    for number, part in WEEK.exhibits.items():
        for fact in part.facts:
            said = (fact.why or part.why).en
            for place, measures, needed, forbidden in REASONS:
                if re.fullmatch(place, number) and fact.columns[0] in measures:
                    assert re.search(needed, said), (number, fact.row, fact.columns[0], said)
                    assert not re.search(forbidden, said), (number, fact.row, fact.columns[0], said)
                    seen += 1
    assert seen >= sum(len(part.facts) for part in WEEK.exhibits.values()) - 10, (
        "all but holdings and excess returns"
    )
    dividend, health, long = (
        next(fact for fact in WEEK.exhibits["13"].facts if fact.row == row)
        for row in ("515080.SH", "512010.SH", "511260.SH")
    )
    assert "timing" in dividend.why.en and "rotation" in health.why.en and long.why is None


def test_what_this_run_or_the_published_report_lacks_is_named(tmp_path):
    made = {
        stem: table for stem, table in tables().items() if not stem.startswith(("fig12", "fig06"))
    }
    table = judged(write_run(tmp_path / "2025-06-13", made))
    lacking = table[table["exhibit"].isin(["06", "12"])]
    assert set(lacking["verdict"]) == {"absent"} and set(lacking["reason"]) == {"no_table"}
    assert table[table["verdict"] == "not_published"]["exhibit"].tolist() == [
        "08",
        "11",
        "14",
        "17",
    ]
    assert table.iloc[-1][["verdict", "reason"]].tolist() == ["absent", "no_exhibit"]


def test_nothing_is_comparable_on_a_made_up_market(folder):
    table = judged(folder, synthetic=True)
    printed = table[table["verdict"] != "not_published"]
    assert set(printed["verdict"]) == {"not_comparable"} and set(printed["reason"]) == {"synthetic"}
    assert row(table, "09", "sharpe", "strategy")["value"] == 1.57  # shown all the same


class Market:
    """As much of a market as a report asks for."""

    def __init__(self, last="2025-06-13", synthetic=False):
        self.as_of, self.stale_sessions = pd.Timestamp(last), 0
        self.week = SimpleNamespace(last=self.as_of)
        self.source = SimpleNamespace(
            name="folder", label={"en": "data", "zh": "数据"}, synthetic=synthetic
        )


def assembly(folder, language="en", **market):
    run = Run(
        "06_weekly_report", Market(**market), language, folder, folder, translations(language)
    )
    return Assembly(run, folder, manifest(as_of=folder.name), [])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_scorecard_is_an_exhibit_with_every_word_translated(folder, language):
    assembly(folder, language).scorecard()
    record = folder / "exhibits" / "figs50_scorecard.json"
    path = folder / "tables" / "s50_scorecard.csv"
    html = table_html(path, json.loads(record.read_text()), language)
    words = BeautifulSoup(html, "html.parser").get_text(" ")
    assert {"en": "reproduced", "zh": "复现"}[language] in words
    assert not [
        key
        for key in ("other_", "our_choice", "not_comparable", "_less_", "gain_peak")
        if key in words
    ]
    assert "annual_return" not in html and "28.98%" in html


def test_a_week_without_published_numbers_says_so(folder, monkeypatch):
    shown = []
    monkeypatch.setattr(assemble, "display", lambda note: shown.append(note.data))
    assembly(folder, last="2025-06-20").scorecard()
    assert "Nothing on file was published for this week" in shown[0]
    assert not (folder / "tables" / "s50_scorecard.csv").exists()


def later(tmp_path):
    """Write a run of the week after, in which something has changed."""
    made = tables()
    made["fig06_strongest_themes"].loc[0, ["symbol", "name", "name_en"]] = [
        "930601.CSI",
        "软件服务",
        "Software Services",
    ]
    made["fig06_strongest_themes"].loc[2, "latest_score"] = 0.35
    held = made["fig10_gp_holdings"]
    made["fig10_gp_holdings"] = held.assign(rank1=["钢铁", "煤炭"], rank1_en=["Steel", "Coal"])
    made["fig13_absolute_weights"].loc[0, "weight"] = 0.0
    made["fig16_global_weights"].loc[1, ["CN10Y", "SPX"]] = [0.5, 0.006]
    return write_run(tmp_path / "2025-06-20", made)


def test_changes_against_the_previous_run(folder, tmp_path):
    table, missing = changes(later(tmp_path), folder, TEXT, SETTINGS, ASSETS, PLAN.compared)
    found = set(table[["exhibit", "name_en", "what"]].itertuples(index=False, name=None))
    assert found == {
        ("06", "Software Services", "new"),
        ("06", "Innovative Drugs", "dropped"),
        ("06", "Non-ferrous Metals", "score"),
        ("10", "Coal", "new"),
        ("10", "Steel", "dropped"),
        ("13", "CSI Dividend ETF", "weight"),
        ("16", "China 10Y Treasury", "weight"),
    }
    score = table[table["what"] == "score"].iloc[0]
    assert (score["previous"], score["latest"]) == (0.28, 0.35) and score[
        "change"
    ] == pytest.approx(0.07)
    assert missing == []


def test_scores_of_two_sources_are_not_compared(folder, tmp_path):
    new = later(tmp_path)
    path = new / "tables" / "fig06_strongest_themes.csv"
    path.write_text(
        path.read_text(encoding="utf-8").replace("constituents", "bars"), encoding="utf-8"
    )
    table, _ = changes(new, folder, TEXT, SETTINGS, ASSETS, PLAN.compared)
    assert "score" not in set(table["what"]) and "new" in set(table["what"])
    pd.read_csv(path).drop(columns="score_source").to_csv(path, index=False)
    assert "score" not in set(
        changes(new, folder, TEXT, SETTINGS, ASSETS, PLAN.compared)[0]["what"]
    ), "an earlier run had no source"


def test_exhibits_that_one_run_lacks_are_not_compared(folder, tmp_path):
    new = later(tmp_path)
    next(new.glob("tables/fig16_*")).unlink()
    table, missing = changes(new, folder, TEXT, SETTINGS, ASSETS, PLAN.compared)
    assert missing == ["16"] and "16" not in set(table["exhibit"])


def test_the_previous_run_is_the_latest_earlier_one_of_the_same_source(tmp_path):
    for name, label in (("2025-05-30", "a"), ("2025-06-06", "b"), ("2025-06-20", "a")):
        write_run(tmp_path / name, {}, source_label={"en": label, "zh": label})
    here = manifest(source_label={"en": "a", "zh": "a"})
    assert previous_run(tmp_path, here) == (tmp_path / "2025-05-30", [])
    broken = tmp_path / "2025-06-09"
    broken.mkdir()
    (broken / "manifest.json").write_text("{")
    assert previous_run(tmp_path, here) == (tmp_path / "2025-05-30", ["2025-06-09"])
    assert previous_run(tmp_path, manifest(source_label={"en": "c", "zh": "c"}))[0] is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_changes_are_shown_or_that_there_is_nothing_to_compare_with(
    folder, tmp_path, language, monkeypatch
):
    text = translations(language)
    shown = []
    monkeypatch.setattr(assemble, "display", lambda note: shown.append(note.data))
    assembly(folder, language).changes(SETTINGS)
    assert text("06_weekly_report.changes_none") in shown[0]
    new = later(tmp_path)
    assembly(new, language).changes(SETTINGS)
    record = json.loads((new / "exhibits" / "figs51_changes.json").read_text(encoding="utf-8"))
    assert text.date("2025-06-13") in record["title"]
    assert "软件服务" in (new / "tables" / "s51_changes.csv").read_text(encoding="utf-8")


def test_columns_that_a_run_does_not_have_count_as_missing(tmp_path):
    made = tables()
    made["fig16_global_weights"] = made["fig16_global_weights"].drop(columns=["SPX", "CN10Y"])
    table = judged(write_run(tmp_path / "2025-06-13", made))
    bonds = row(table, "16", "Chinese government bonds", "weight", "about")
    assert np.isnan(bonds["value"]) and (bonds["verdict"], bonds["reason"]) == (
        "differs",
        "not_held",
    )
