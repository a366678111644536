"""The commentary: every number comes from the cells it names, nothing is said about what is not
there.
"""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import Environment, meta
from run_folder import SECTIONS, page_of, tables, write_run
from tracing import NAMES, statements, untraceable

from lib.exhibits.parameters import PARAMS, checked, load
from lib.exhibits.parameters.weekly_report import WeeklyReport
from lib.exhibits.translations import LANGUAGES, translations
from lib.market.errors import ParameterError, RunError
from lib.report.commentary import comment, headline_of
from lib.report.commentary.statements import templates, write

SETTINGS = load("06_weekly_report")


def commented(folder, language="en", settings=SETTINGS, missing=None, synthetic="manifest.json"):
    sections = {name: (missing or {}).get(name, ()) for name in SECTIONS}
    text = translations(language)
    said = comment(folder, text, settings, sections, synthetic=synthetic, names=NAMES[language])
    return json.loads(said.write(folder).read_text(encoding="utf-8"))


@pytest.fixture(params=LANGUAGES)
def language(request):
    return request.param


@pytest.fixture
def folder(tmp_path):
    return write_run(tmp_path / "2025-06-13")


def test_every_number_of_every_sentence_comes_from_its_cells(folder, language):
    said = statements(commented(folder, language))
    assert len(said) > 35
    assert {
        rule: found
        for one in said
        for rule in [one["rule"]]
        if (found := untraceable(folder, language, one))
    } == {}
    assert all(one["cells"] for one in said)


def test_the_check_itself_finds_a_wrong_number(folder):
    one = commented(folder)["sections"]["01_market_recap"][0]
    assert untraceable(folder, "en", one | {"text": one["text"] + " 7 of them"}) == ["7"]
    path = folder / "tables" / "fig01_global_assets.csv"
    path.write_text(path.read_text().replace("-0.0189", "-0.0289"))
    assert untraceable(folder, "en", one)


def test_the_key_sentences_in_both_languages(folder):
    english, chinese = (commented(folder, language) for language in LANGUAGES)
    assert english["title"] == "Synthetic sample: AI scores of hot themes are falling, 2 of 3 lower"
    assert chinese["title"] == "【合成样本】AI模型显示热点主题得分下降，3个中2个回落"
    text = " ".join(one["text"] for one in statements(english))
    for part in (
        "ChiNext rose 0.22%, STAR 50 fell 1.89%.",
        "Brent crude (11.73%) and COMEX gold (3.27%)",
        "US 10Y Treasury yield by 8.6",
        "Of the 3 latest releases on US inflation, 2 came in below the consensus",
        "of the 3 themes that gained most, 2 score lower than a week ago and 1 higher",
        "Communication Equipment from 0.06 to 0.00 and Innovative Drugs from 0.24 to 0.19",
        "From the next session on the sector rotation holds Steel and Electronics.",
        "To be bought: Electronics. To be sold: Machinery.",
        "1.03 percentage points ahead of its benchmark",
        "Bonds 86.8%, Commodities 9.8% and Equities 3.4%",
        "did not beat its benchmark for the risk taken: 6.48% annualised",
        "China 10Y Treasury from 30.0% to 40.0%",
        "The absolute-return portfolio is 4.00% below its peak; its largest drawdown was 4.65%.",
        (
            "Costs take 1.98 percentage points annualised off the sector rotation, which leaves"
            " 27.00%."
        ),
        "its t is 0.31, and the probability that its true information ratio is above zero is 62.0%",
    ):
        assert part in text, part
    text = "".join(one["text"] for one in statements(chinese))
    for part in (
        "创业板指上涨0.22%，科创50下跌1.89%。",
        "涨幅居前的3个主题中，2个得分环比回落，1个回升。",
        "拟调入电子。拟调出机械设备。",
        "跑赢基准1.03个百分点",
        "全球资产配置组合中中国10年期国债一项即占40.0%。",
    ):
        assert part in text, part
    assert not re.search(
        r"[A-Za-z]{4,}", text.replace("COMEX", "").replace("SmartBeta", "").replace("Treasury", "")
    )


def test_both_languages_say_the_same_things(folder):
    english, chinese = (commented(folder, language) for language in LANGUAGES)
    assert [one["rule"] for one in statements(english)] == [
        one["rule"] for one in statements(chinese)
    ]


def test_a_made_up_market_is_called_so_before_anything_else(folder, language):
    made_up = commented(folder, language)
    real = commented(folder, language, synthetic=None)
    word = {"en": "synthetic", "zh": "合成"}[language]
    assert word in made_up["synthetic"]["text"] and made_up["synthetic"]["cells"] == [
        ["manifest.json", "", "synthetic"]
    ]
    assert word in made_up["title"].lower()
    assert real["synthetic"] is None
    assert not any(word in one["text"].lower() for one in statements(real))


def test_nothing_is_said_about_exhibits_that_are_missing(tmp_path, language):
    left = {
        stem: table for stem, table in tables().items() if stem[:5] in ("fig01", "fig02", "fig03")
    }
    folder = write_run(tmp_path / "2025-06-13", left)
    missing = {
        "01_market_recap": ("04", "05"),
        **{name: tuple(SECTIONS[name]) for name in list(SECTIONS)[1:]},
    }
    record = commented(folder, language, missing=missing)
    assert [one["rule"] for one in record["sections"]["02_ai_themes"]] == ["missing"]
    words = {"en": "This run lacks exhibits 6 and 7;", "zh": "本次运行缺少图表6、7，"}
    assert words[language] in record["sections"]["02_ai_themes"][0]["text"]
    assert all(untraceable(folder, language, one) == [] for one in statements(record))
    assert record["risks"] == []
    assert record["headline"]["rule"] == "headline.market.mixed"
    assert {exhibit for one in record["key_points"] for exhibit in one["exhibits"]} == {"01"}


def test_a_run_without_a_single_table_says_only_that(tmp_path, language):
    folder = write_run(tmp_path / "2025-06-13", {})
    record = commented(
        folder, language, missing={name: tuple(numbers) for name, numbers in SECTIONS.items()}
    )
    assert {one["rule"] for one in statements(record)} == {"missing", "headline.none"}
    assert record["key_points"] == []


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ([-0.05, -0.06, 0.06], "falling"),
        ([0.05, 0.06, -0.06], "rising"),
        ([0.05, -0.001, -0.06], "mixed"),
    ],
)
def test_the_headline_follows_the_scores_of_the_hot_themes(tmp_path, changes, rule):
    made = tables()
    made["fig06_strongest_themes"]["change"] = changes
    record = commented(write_run(tmp_path / "2025-06-13", made))
    assert record["headline"]["rule"] == f"headline.themes.{rule}"
    assert record["sections"]["02_ai_themes"][0]["rule"] == f"themes.strongest.{rule}"


#: the words that say a direction, in the headline and in the key point of its section
DIRECTIONS = {
    "en": {
        "themes": ("falling", "rising", "diverge"),
        "market": (
            "hardly",
            "across the board",
            "Most A-share indices rise|Most A-share indices rose",
            "Most A-share indices f",
            "mixed",
        ),
    },
    "zh": {
        "themes": ("得分下降", "得分上升", "得分分化"),
        "market": ("窄幅波动", "普涨", "普跌", "多数上涨", "多数下跌", "涨跌不一"),
    },
}
CHANGE = st.one_of(st.floats(-0.03, 0.03).map(lambda value: round(value, 4)), st.just(float("nan")))


def written(folder, stem, table, language, **tables_before):
    """Write the commentary on one table alone; return headline and the first sentence of each
    section.
    """
    shutil.rmtree(folder, ignore_errors=True)
    record = commented(write_run(folder, {stem: table} | tables_before), language)
    return record["headline"], {name: said[0] for name, said in record["sections"].items() if said}


def directions(text, about, language):
    return [bool(re.search(words, text)) for words in DIRECTIONS[language][about]]


def counts(statement, *places):
    return {place: statement["quotations"][place]["text"] for place in places}


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=st.lists(CHANGE, min_size=1, max_size=10))
def test_the_headline_on_themes_never_contradicts_the_key_point(tmp_path, language, changes):
    like = tables()["fig06_strongest_themes"].iloc[:1]
    table = pd.concat([like] * len(changes), ignore_index=True)
    table = table.assign(symbol=[f"S{place}" for place in range(len(changes))], change=changes)
    headline, first = written(tmp_path / "2025-06-13", "fig06_strongest_themes", table, language)
    if not any(change == change for change in changes):
        assert headline["rule"] == "headline.none", (
            "no change is known, so nothing is said of a direction"
        )
        return
    said = first["02_ai_themes"]
    assert directions(headline["text"], "themes", language) == directions(
        said["text"], "themes", language
    )
    assert sum(directions(said["text"], "themes", language)) == 1
    places = ("all", "falling", "rising")
    assert counts(headline, *places) == counts(said, *places)
    assert {place: headline["quotations"][place]["cells"] for place in places} == {
        place: said["quotations"][place]["cells"] for place in places
    }


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=st.lists(CHANGE, min_size=1, max_size=6))
def test_the_headline_on_shares_never_contradicts_the_key_point(tmp_path, language, changes):
    like = tables()["fig01_global_assets"].iloc[:1]
    table = pd.concat([like] * len(changes), ignore_index=True)
    table = table.assign(symbol=[f"S{place}" for place in range(len(changes))], change=changes)
    headline, first = written(tmp_path / "2025-06-13", "fig01_global_assets", table, language)
    if not any(change == change for change in changes):
        assert headline["rule"] == "headline.none"
        return
    said = first["01_market_recap"]
    assert headline["rule"].split(".")[-1] == said["rule"].split(".")[-1]
    assert directions(headline["text"], "market", language) == directions(
        said["text"], "market", language
    )
    assert sum(directions(said["text"], "market", language)) == 1
    places = ("all", "up", "down", "best.name", "worst.name")
    assert counts(headline, *places) == counts(said, *places)


SECTORS = ["钢铁", "电子", "煤炭", "银行", "传媒", "汽车"]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    weeks=st.lists(st.permutations(SECTORS).map(lambda names: names[:5]), min_size=2, max_size=2)
)
def test_the_headline_on_sectors_names_those_that_the_section_calls_new(tmp_path, language, weeks):
    rows = [
        [week, *held, *held] for week, held in zip(("2025-06-06", "2025-06-13"), weeks, strict=True)
    ]
    names = [f"rank{place}" for place in range(1, 6)]
    table = pd.DataFrame(rows, columns=["week", *names, *(f"{name}_en" for name in names)])
    headline, _ = written(tmp_path / "2025-06-13", "fig10_gp_holdings", table, language)
    record = json.loads(
        (tmp_path / "2025-06-13" / "facts" / "commentary.json").read_text(encoding="utf-8")
    )
    said = {one["rule"]: one for one in record["sections"]["03_gp_rotation"]}
    new = set(weeks[1]) - set(weeks[0])
    if not new:
        assert headline["rule"] == "headline.none" and "rotation.unchanged" in said
        return
    assert headline["quotations"] == said["rotation.entered"]["quotations"]
    assert {quoted["text"] for quoted in headline["quotations"].values()} == new
    assert {quoted["text"] for quoted in said["rotation.left"]["quotations"].values()} == set(
        weeks[0]
    ) - set(weeks[1])


def test_themes_whose_change_is_not_known_are_counted_apart(tmp_path, language):
    made = tables()
    made["fig06_strongest_themes"]["change"] = [float("nan"), -0.06, 0.06]
    folder = write_run(tmp_path / "2025-06-13", made)
    record = commented(folder, language)
    first = record["sections"]["02_ai_themes"][0]
    words = {
        "en": "of the 2 themes that gained most (1 more cannot be compared)",
        "zh": "2个主题中（另有1个不可比）",
    }
    assert words[language] in first["text"]
    assert all(untraceable(folder, language, one) == [] for one in statements(record))
    assert not any("nan" in one["text"] for one in statements(record))
    assert not [one for one in record["risks"] if one["rule"] == "risk.hot_theme"], (
        "the first theme has no change"
    )


@pytest.mark.parametrize(
    ("low", "rule"), [(-0.03, "unsupported"), (0.01, "supported"), (float("nan"), None)]
)
def test_a_falling_score_is_a_warning_only_where_the_past_supports_it(tmp_path, low, rule):
    made = tables()
    made["s14_falling_after_gain"].loc[2, "low"] = low
    risks = commented(write_run(tmp_path / "2025-06-13", made))["risks"]
    assert [one["rule"] for one in risks if "claim" in one["rule"]] == (
        [f"risk.claim.{rule}"] if rule else []
    )


@pytest.mark.parametrize(
    ("shares", "variant"),
    [
        ([0.02, 0.01], "all_up"),
        ([-0.02, -0.01], "all_down"),
        ([0.0005, -0.0019], "flat"),
        ([0.02, -0.01], "mixed"),
        ([0.02, float("nan")], "all_up"),
    ],
)
def test_indices_are_described_as_they_went(tmp_path, language, shares, variant):
    made = tables()
    made["fig01_global_assets"].loc[:1, "change"] = shares
    folder = write_run(tmp_path / "2025-06-13", made)
    first = commented(folder, language)["sections"]["01_market_recap"][0]
    assert first["rule"] == f"market.a_share.{variant}"
    assert untraceable(folder, language, first) == []
    assert "nan" not in first["text"]


def test_thresholds_decide_what_is_said(folder):
    quiet = SETTINGS.model_copy(
        update={
            "large_move": 0.2,
            "yield_move": 20.0,
            "large_drawdown": 0.5,
            "near_low": 1.0,
            "cost_drag": 0.5,
        }
    )
    rules = {one["rule"] for one in statements(commented(folder, settings=quiet))}
    assert "market.commodity.quiet" in rules
    assert not rules & {
        "market.commodity.up",
        "market.yield.down",
        "risk.drawdown",
        "risk.near_low",
        "risk.cost",
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("majority", 0.4),
        ("named", 0),
        ("confidence", 1.0),
        ("score_change", -0.1),
        ("large_move", 3.0),
    ],
)
def test_thresholds_out_of_range_are_refused(key, value):
    with pytest.raises(ParameterError, match=f"{key} is {value}"):
        checked(WeeklyReport, SETTINGS.model_dump() | {key: value}, Path("06_weekly_report.yaml"))


def test_every_sentence_stands_in_both_languages_with_the_same_blanks():
    english, chinese = (templates(language) for language in LANGUAGES)
    assert english.keys() == chinese.keys()
    environment = Environment(autoescape=True)
    environment.filters |= dict.fromkeys(("listed", "moved"), str)

    def blanks(text):
        return meta.find_undeclared_variables(environment.parse(text))

    for rule in english:
        if not rule.startswith("words."):
            assert blanks(english[rule]) == blanks(chinese[rule]), rule
            assert re.search(r"[\u4e00-\u9fff]", chinese[rule]), rule
            assert not re.search(r"[\u4e00-\u9fff]", english[rule]), rule


def test_a_sentence_that_is_missing_or_cannot_be_filled_is_an_error():
    with pytest.raises(ParameterError, match=r"no sentence for the rule market\.moon"):
        write("en", "market.moon")
    with pytest.raises(ParameterError, match=r"the sentence rotation\.holdings cannot be written"):
        write("zh", "rotation.holdings")


def test_the_headline_is_the_title_of_the_page(folder):
    record = commented(folder)
    assert headline_of(folder) == record["title"]
    html = page_of(folder)
    assert f"<h1>{record['title']}</h1>" in html and f"<title>{record['title']} ·" in html
    assert headline_of(folder / "tables") is None
    (folder / "facts" / "commentary.json").write_text("[]")
    with pytest.raises(RunError, match="the commentary cannot be read"):
        headline_of(folder)


def test_the_parameter_file_is_the_one_the_report_uses():
    assert load("06_weekly_report", PARAMS) == SETTINGS


def test_assets_that_drifted_above_their_cap_are_a_risk(tmp_path, language):
    held = pd.DataFrame(
        {
            "symbol": ["CN10Y", "SPX"],
            "name": ["中国10年期国债", "标普500"],
            "name_en": ["China 10Y Treasury", "S&P 500"],
            "held": [0.2512, 0.01],
            "weight": [0.25, 0.01],
            "cap": [0.25, 0.25],
            "above_cap": ["yes", "no"],
        }
    )
    folder = write_run(tmp_path / "2025-06-13", tables() | {"s47_held_weights": held})
    risks = commented(folder, language)["risks"]
    (said,) = [one for one in risks if one["rule"] == "risk.above_cap"]
    assert "25.1%" in said["text"] and "25.0%" in said["text"]
    assert ("China 10Y Treasury" if language == "en" else "中国10年期国债") in said["text"]
    assert not untraceable(folder, language, said)
    within = tables() | {"s47_held_weights": held.assign(above_cap="no")}
    risks = commented(write_run(tmp_path / "2025-06-06", within), language)["risks"]
    assert not [one for one in risks if one["rule"] == "risk.above_cap"]
