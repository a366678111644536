"""What was published: every file can be read, and a bad one says what is wrong with it."""

from types import SimpleNamespace
from typing import get_args

import pandas as pd
import pytest
import yaml

from lib.exhibits.published import (
    PUBLISHED_FOLDER,
    Format,
    published,
    published_week,
    with_published,
)
from lib.exhibits.tables import FORMATS
from lib.market.errors import ParameterError

GOOD = """
as_of: "2025-06-13"
published: "2025-06-15"
report: {en: a weekly, zh: 一份周报}
exhibits:
  "12":
    tolerance: 0.005
    reason: our_choice
    why: {en: the method is not published, zh: 方法未公布}
    facts:
      - {row: sharpe, column: strategy, value: 1.69, tolerance: 0.1}
"""


def week_of(folder, text):
    (folder / "2025-06-13.yaml").write_text(text, encoding="utf-8")
    return published_week("2025-06-13", folder)


@pytest.mark.parametrize(
    "path", sorted(PUBLISHED_FOLDER.glob("*.yaml")), ids=lambda path: path.stem
)
def test_every_published_week_can_be_read(path):
    assert published_week(path.stem).exhibits


def test_published_numbers_by_exhibit():
    table = published("2025-06-13", "12").set_index("row")
    assert table.loc["sharpe", "value"] == 1.69
    assert (
        table.loc["sharpe", "format"] == "score"
        and table.loc["annual_return", "format"] == "percent"
    )
    everything = published("2025-06-13")
    assert set(everything["exhibit"]) >= {"01", "02", "06", "09", "10", "12", "13", "15", "16"}
    weights = everything[
        (everything["exhibit"] == "13") & everything["row"].isin(["equity", "bond", "commodity"])
    ]
    assert weights["value"].sum() == pytest.approx(1)


def test_a_date_without_a_file_has_no_numbers():
    assert published_week("2025-06-06") is None
    assert published("2025-06-06").empty


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("row: sharpe", "rwo: sharpe", "unknown key exhibits.12.facts.1.rwo"),
        ("value: 1.69", 'value: "1.69"', "takes a number as its value"),
        ("value: 1.69", "relation: near", "relation"),
        ("value: 1.69", "value: 1.69, relation: first", "takes no value"),
        ("tolerance: 0.005", "tolerance: -1.0", "tolerance"),
        ("reason: our_choice", "reason: weather", "reason"),
        ('"12":', "12:", "exhibits"),
        ('"12":', '"19":', "there is no exhibit 19"),
        ('as_of: "2025-06-13"', "as_of: 2025-06-13", "as_of is not text"),
        ('as_of: "2025-06-13"', 'as_of: "2025-06-06"', "says as_of: 2025-06-06"),
        ("facts:", "facts: [", "cannot be read as YAML"),
    ],
)
def test_a_bad_file_says_what_is_wrong(tmp_path, old, new, message):
    assert old in GOOD
    with pytest.raises(ParameterError) as raised:
        week_of(tmp_path, GOOD.replace(old, new))
    assert (
        message in str(raised.value)
        and "2025-06-13.yaml" in str(raised.value)
        and "remedy" in str(raised.value)
    )


def test_a_further_week_is_one_more_file(tmp_path):
    content = yaml.safe_load(GOOD) | {"as_of": "2025-06-20"}
    (tmp_path / "2025-06-20.yaml").write_text(
        yaml.safe_dump(content, allow_unicode=True), encoding="utf-8"
    )
    assert published_week("2025-06-20", tmp_path).as_of == "2025-06-20"
    assert published("2025-06-20", "12", tmp_path)["value"].tolist() == [1.69]


def test_published_figures_stand_beside_real_ones_of_their_week_only():
    measured = pd.DataFrame({"strategy": [0.9, 0.01]}, ["sharpe", "calmar"])

    def market(as_of, synthetic):
        # made on the Tuesday after: the week that was published counts, not the day of the run
        day = pd.Timestamp(as_of)
        week = SimpleNamespace(last=day)
        return SimpleNamespace(
            as_of=day + pd.Timedelta(days=4), week=week, source=SimpleNamespace(synthetic=synthetic)
        )

    shown = with_published(measured, market("2025-06-13", False), "15")
    assert shown["published"]["sharpe"] == 1.51 and pd.isna(shown["published"]["calmar"])
    assert "published" not in with_published(measured, market("2025-06-13", True), "15")
    assert "published" not in with_published(measured, market("2025-06-06", False), "15")


def test_published_figures_stand_beside_a_performance_table_of_real_data():
    measured = pd.DataFrame(
        {"strategy": [0.1, 1.0, 0.2]}, index=["annual_return", "sharpe", "ytd_return"]
    )
    source = SimpleNamespace(synthetic=False)
    market = SimpleNamespace(week=SimpleNamespace(last=pd.Timestamp("2025-06-13")), source=source)
    assert with_published(measured, market, "09")["published"].tolist() == [0.2898, 1.57, 0.1677]
    other_week = SimpleNamespace(
        week=SimpleNamespace(last=pd.Timestamp("2025-06-06")), source=source
    )
    assert "published" not in with_published(measured, other_week, "09")
    source.synthetic = True
    assert "published" not in with_published(measured, market, "09")


def test_the_formats_of_a_published_number_are_those_of_the_tables():
    assert get_args(Format) == tuple(FORMATS)
