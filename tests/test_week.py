"""One week, one set of numbers: whatever day of the next week a report is asked for, and when a
week had no session.
"""

import json

import pandas as pd
import pytest
from tracing import statements, untraceable

from lib.exhibits.parameters import load
from lib.exhibits.recap import week_changes
from lib.exhibits.translations import translations
from lib.market.calendar import Sessions
from lib.market.ingest import open_market
from lib.market.universe import read_universe
from lib.report.assemble import next_decisions
from lib.report.commentary import comment
from lib.weekly.execution import execute
from lib.weekly.run import NOTEBOOKS

EXHIBITS = {"01": "recap_assets", "03": "broad_etf", "04": "sector_etf", "05": "smartbeta_etf"}
#: the Friday that ends a week, and the sessions until the next week is over
DAYS = ["2025-06-06", "2025-06-09", "2025-06-10", "2025-06-11", "2025-06-12"]


def market_on(day, folder):
    return open_market("sample", day, store_dir=folder)


@pytest.fixture(scope="module")
def friday(sample_store_dir):
    market = market_on(DAYS[0], sample_store_dir)
    return market.week, {
        number: week_changes(market, read_universe(name)) for number, name in EXHIBITS.items()
    }


@pytest.mark.parametrize("day", DAYS[1:])
def test_the_week_is_the_same_on_each_day_until_the_next_one_is_over(day, friday, sample_store_dir):
    market = market_on(day, sample_store_dir)
    assert market.as_of == pd.Timestamp(day)
    assert market.week == friday[0]
    for number, name in EXHIBITS.items():
        pd.testing.assert_frame_equal(
            week_changes(market, read_universe(name)), friday[1][number], obj=f"exhibit {number}"
        )


@pytest.fixture(scope="module")
def festival(tmp_path_factory, sample_store_dir):
    """The market recap of 14 February 2024: the exchange was closed from the 9th to the 18th."""
    out = tmp_path_factory.mktemp("festival")
    parameters = {"as_of": "2024-02-14", "data": "sample", "out": str(out)}
    assert execute(NOTEBOOKS / "01_market_recap.ipynb", out / "executed.ipynb", parameters) is None
    return out


def test_a_week_without_sessions_gives_the_exhibits_of_the_last_completed_one(
    festival, sample_store_dir
):
    records = {
        path.name[3:5]: json.loads(path.read_text())
        for path in (festival / "exhibits").glob("fig0*.json")
    }
    assert sorted(records) == ["01", "02", "03", "04", "05"]
    for number, name in EXHIBITS.items():
        record = records[number]
        assert "8 February 2024" in record["title"] + record["caption"]
        assert record["data_date"] == "2024-02-08"
        (path,) = (festival / "tables").glob(f"fig{number}_*.csv")
        shown = pd.read_csv(path, dtype={"symbol": str}).set_index("symbol")
        expected = week_changes(
            market_on("2024-02-08", sample_store_dir), read_universe(name)
        ).set_index("symbol")["change"]
        column = "change" if number == "01" else "week_return"
        pd.testing.assert_series_equal(shown[column], expected[shown.index], check_names=False)
        assert shown[column].notna().all()
    facts = json.loads((festival / "facts" / "01_market_recap.json").read_text())
    assert facts["week"] == {
        "first": "2024-02-05",
        "last": "2024-02-08",
        "previous_last": "2024-02-02",
    }


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_commentary_on_a_week_without_sessions_is_that_of_the_last_completed_one(
    festival, language
):
    sections = {"01_market_recap": ()}
    settings = load("06_weekly_report")
    said = comment(
        festival, translations(language), settings, sections, synthetic="facts/x.json", names={}
    )
    record = json.loads(said.write(festival).read_text(encoding="utf-8"))
    assert record["headline"]["rule"].startswith("headline.market")
    assert len(record["sections"]["01_market_recap"]) > 5
    traced = [one for one in statements(record) if one["cells"]]
    assert [found for one in traced if (found := untraceable(festival, language, one))] == []


@pytest.mark.parametrize(
    ("as_of", "week", "month"),
    [
        ("2025-06-11", "2025-06-13", "2025-06-30"),
        ("2025-06-13", "2025-06-20", "2025-06-30"),
        ("2025-06-30", "2025-07-04", "2025-07-31"),
        ("2025-01-24", "2025-01-27", "2025-01-27"),  # the Spring Festival ends week and month
    ],
)
def test_the_next_decisions_are_at_the_next_ends_of_week_and_month(as_of, week, month):
    decisions = next_decisions(Sessions.load(), pd.Timestamp(as_of))
    assert decisions == {"week": week, "month": month}
