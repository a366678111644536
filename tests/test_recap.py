"""The week's changes, on small hand-made closes."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lib.exhibits.recap import late, latest_inflation, spanning_more, week_changes
from lib.market.calendar import Week
from lib.market.errors import DataError


class FakeMarket:
    """Answers what week_changes asks of a market."""

    week = Week(pd.Timestamp("2025-06-09"), pd.Timestamp("2025-06-13"), pd.Timestamp("2025-06-06"))

    store = SimpleNamespace(path="market.duckdb")

    def __init__(self, closes, kinds):
        self._closes, self._kinds = closes, kinds

    def instruments(self):
        return pd.DataFrame({"kind": self._kinds})

    def closes(self, symbols, start):
        return self._closes[list(symbols)].loc[start:]


ASSETS = pd.DataFrame(
    {
        "name_zh": ["甲", "乙", "丙", "丁"],
        "name_en": ["A", "B", "C", "D"],
        "group": ["g", "g", "yield", "g"],
    },
    index=["A", "B", "Y", "gone"],
)


@pytest.fixture
def changes():
    dates = pd.to_datetime(
        ["2025-05-30", "2025-06-05", "2025-06-06", "2025-06-09", "2025-06-12", "2025-06-13"]
    )
    closes = pd.DataFrame(
        {
            "A": [90.0, 95, 100, 120, 108, 110],
            "B": [np.nan, 50, np.nan, 40, np.nan, np.nan],  # closed on both Fridays
            "Y": [4.0, 4.4, 4.5, 4.5, 4.4, 4.414],
        },
        index=dates,
    )
    kinds = {"A": "global_index", "B": "global_index", "Y": "yield"}
    return week_changes(FakeMarket(closes, kinds), ASSETS)


def test_change_runs_from_last_close_to_last_close(changes):
    change = changes.set_index("symbol")["change"]
    assert change["A"] == pytest.approx(0.10)
    assert change["B"] == pytest.approx(40 / 50 - 1), "an asset keeps its own dates"
    assert change["Y"] == pytest.approx(-8.6), "yields in basis points"
    assert changes.set_index("symbol")["unit"].to_dict() == {
        "A": "fraction",
        "B": "fraction",
        "Y": "basis points",
    }


def test_assets_without_data_are_left_out_and_old_closes_named(changes):
    assert list(changes["symbol"]) == ["A", "B", "Y"]
    assert list(late(changes, FakeMarket.week.last)["symbol"]) == ["B"]
    assert changes.loc[1, "date"] == pd.Timestamp("2025-06-09")


def test_a_series_without_a_close_in_the_week_has_no_change():
    dates = pd.to_datetime(["2025-05-28", "2025-06-05", "2025-06-06", "2025-06-13"])
    closes = pd.DataFrame(
        {"A": [90.0, 95, 100, np.nan], "B": [50.0, np.nan, np.nan, 55]}, index=dates
    )
    table = week_changes(
        FakeMarket(closes, {"A": "global_index", "B": "global_index"}), ASSETS
    ).set_index("symbol")
    assert np.isnan(table["change"]["A"]), "a series that has stopped did not stand at +0.00%"
    assert table["change"]["B"] == pytest.approx(0.1)
    assert list(late(table, FakeMarket.week.last).index) == ["A"]
    assert list(spanning_more(table, FakeMarket.week.previous_last).index) == ["B"], (
        "its change covers two weeks"
    )


def test_a_universe_without_any_data_is_refused_with_its_remedy():
    market = FakeMarket(pd.DataFrame(), {"other": "etf"})
    with pytest.raises(DataError, match=r"none of the 4 instruments(.|\n)*params/universe"):
        week_changes(market, ASSETS)


def test_the_latest_release_counts_and_its_surprise():
    releases = pd.DataFrame(
        {
            "series": ["CPI", "CPI", "CPI", "PPI"],
            "period": pd.to_datetime(["2025-04-01", "2025-05-01", "2025-05-01", "2025-05-01"]),
            "release_date": pd.to_datetime(
                ["2025-05-13", "2025-06-11", "2025-06-12", "2025-06-12"]
            ),
            "actual": [2.3, 2.4, 2.5, 2.6],
            "consensus": [2.4, 2.5, 2.5, np.nan],
            "previous": [2.4, 2.3, 2.3, 2.5],
        }
    )
    table = latest_inflation(releases, ["PPI", "CPI", "core"])
    assert list(table["series"]) == ["PPI", "CPI"]
    assert table.loc[1, "actual"] == 2.5, "a revision released later replaces the first print"
    assert table.loc[1, "surprise"] == 0
    assert np.isnan(table.loc[0, "surprise"])


@pytest.mark.real
def test_the_published_week_comes_out_of_the_real_folder(real_market):
    from lib.market.universe import read_universe

    change = week_changes(real_market, read_universe("recap_assets")).set_index("symbol")["change"]
    published = {
        "399006.SZ": 0.0022,
        "000688.SH": -0.0189,
        "000001.SH": -0.0025,
        "000300.SH": -0.0025,
        "DAX": -0.0324,
    }
    for symbol, value in published.items():
        # the data give +0.21% for ChiNext where the report printed +0.22%
        assert change[symbol] == pytest.approx(
            value, abs=1.01e-4 if symbol == "399006.SZ" else 5e-5
        ), symbol
    # the store's closes of the dollar index are not those of the report's provider
    assert change["DXY"] == pytest.approx(-0.0107, abs=0.001)
    assert change["XAUUSD"] == pytest.approx(0.0365, abs=0.001)


@pytest.mark.real
def test_the_published_etfs_lead_and_lag(real_market):
    from lib.market.universe import read_universe

    def ranked(name):
        table = (
            week_changes(real_market, read_universe(name))
            .sort_values("change")
            .set_index("name_en")["change"]
        )
        assert table.notna().all()
        return table

    broad, sector, smartbeta = (
        ranked(name) for name in ("broad_etf", "sector_etf", "smartbeta_etf")
    )
    assert (
        sector.index[-1] in ("Rare Earths ETF", "Nonferrous Metals ETF") and sector.iloc[-1] > 0.03
    )
    assert sector["Nonferrous Metals ETF"] == pytest.approx(0.034, abs=0.001)
    assert sector["Food & Beverage ETF"] == pytest.approx(-0.044, abs=0.001)
    # the report's list seems to have had no liquor fund, the most traded of the consumer ones
    assert list(sector.index[:2]) == ["Liquor ETF", "Food & Beverage ETF"]
    assert broad.index[0] == "STAR 50 ETF" and broad.index[-1].startswith("ChiNext")
    assert smartbeta.index[-1] == "CSI 500 Quality Growth ETF"
