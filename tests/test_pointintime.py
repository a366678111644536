"""Point-in-time reads, against slow oracles and against an altered future."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from market_folder import INSTRUMENTS, SESSIONS, bars, tables, write_folder

from lib.market import pointintime
from lib.market.errors import DataError, StaleDataError, StoreError
from lib.market.fingerprint import fingerprint
from lib.market.folder import FolderSource
from lib.market.ingest import ingest
from lib.market.lookahead import sector_members
from lib.market.pointintime import Market
from lib.market.store import Store

FIELDS = ("open", "high", "low", "close", "volume", "amount")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    home = tmp_path_factory.mktemp("market")
    store = Store(home / "desk.duckdb")
    ingest(FolderSource(write_folder(home / "desk", tables())), store)
    return store


@pytest.fixture
def market(store):
    return Market(store, "2025-05-14")


def snapshot(market: Market) -> dict:
    """Return everything a market gives, through each of its methods."""
    symbols = list(INSTRUMENTS)
    panel = market.panel(symbols, FIELDS)
    valuation = market.valuation(["000300.SH"])
    return {
        "as_of": market.as_of,
        "week": market.week,
        "stale": market.stale_sessions,
        "sessions": market.sessions.all,
        "instruments": market.instruments(),
        "panel": fingerprint(panel),
        "closes": market.closes(symbols),
        "valuation": fingerprint(valuation),
        "constituents": market.constituents(),
        "macro": market.macro(),
        "last_dates": market.last_dates(symbols),
        "quality": market.quality(),
        "fingerprint": market.fingerprint(),
        "fingerprint of one": market.fingerprint(["510300.SH"]),
    }


def assert_same(left: dict, right: dict):
    for name, value in left.items():
        match value:
            case pd.DataFrame():
                pd.testing.assert_frame_equal(value, right[name])
            case pd.Series():
                pd.testing.assert_series_equal(value, right[name])
            case pd.DatetimeIndex():
                assert value.equals(right[name]), name
            case _:
                assert value == right[name], name


def test_a_panel_equals_the_pivot_of_the_rows(market):
    symbols = ["510300.SH", "600519.SH", "SPX"]
    panel = market.panel(symbols, ("close", "open"), start="2025-04-01")
    grid = SESSIONS[(SESSIONS >= "2025-04-01") & (SESSIONS <= "2025-05-14")]
    rows = bars()
    assert panel.dates.equals(grid) and list(panel.symbols) == symbols
    for field in ("close", "open"):
        wide = rows.pivot(index="date", columns="symbol", values=field).reindex(
            index=grid, columns=symbols
        )
        np.testing.assert_allclose(panel.fields[field], wide.to_numpy(), rtol=1e-12)
        assert panel.fields[field].flags.c_contiguous and panel.fields[field].dtype == np.float64
    assert np.array_equal(panel.mask, ~np.isnan(panel.fields["close"]))
    assert not panel.mask[-1, 1] and panel.mask[-1, 2]


def test_a_panel_starts_at_the_earliest_bar(market):
    assert market.panel(["510300.SH"]).dates.equals(SESSIONS[SESSIONS <= "2025-05-14"])
    assert market.panel(["510300.SH"], start="2024-10-28").dates[0] == pd.Timestamp("2024-10-28")
    assert market.panel([]).shape == (1, 0)


def test_no_volume_means_not_traded(tmp_path):
    files = tables()
    etf = files["bars/etf.csv"]
    etf.loc[
        (etf["symbol"] == "510300.SH") & (etf["date"] == "2025-05-14"), ["volume", "amount"]
    ] = 0.0
    store = Store(tmp_path / "store.duckdb")
    ingest(FolderSource(write_folder(tmp_path / "desk", files)), store)
    panel = Market(store, "2025-05-14").panel(["510300.SH", "US10Y"])
    assert not panel.mask[-1, 0] and np.isfinite(panel.fields["close"][-1, 0])
    assert panel.mask[-1, 1], "an unknown volume counts as traded"


def test_closes_keep_each_symbols_own_dates(market):
    closes = market.closes(["SPX", "510300.SH"])
    rows = bars()
    rows = rows[(rows["date"] <= "2025-05-14") & rows["symbol"].isin(["SPX", "510300.SH"])]
    wide = rows.pivot(index="date", columns="symbol", values="close")[["SPX", "510300.SH"]]
    pd.testing.assert_frame_equal(
        closes, wide, check_freq=False, check_names=False, check_column_type=False
    )
    holiday = pd.Timestamp("2025-05-01")
    assert np.isnan(closes.loc[holiday, "510300.SH"]) and closes.loc[holiday, "SPX"] > 0
    assert market.closes(["SPX"], start="2025-05-12").index[0] == pd.Timestamp("2025-05-12")


def test_valuation_is_a_panel(market):
    valuation = market.valuation(["000300.SH", "510300.SH"], start="2025-01-01")
    index = bars()
    index = index[(index["symbol"] == "000300.SH")].set_index("date")["close"]
    np.testing.assert_allclose(valuation.frame("pe_ttm")["000300.SH"], index[valuation.dates] / 8)
    assert np.isnan(valuation.frame("pb")["510300.SH"]).all()
    assert valuation.mask[:, 0].all() and not valuation.mask[:, 1].any()


class Lists:
    """A market that knows lists of sectors by the date they carry."""

    def __init__(self, lists, as_of="2025-06-13"):
        columns = ["index_symbol", "as_of", "symbol", "weight"]
        self.rows, self.as_of = pd.DataFrame(lists, columns=columns), pd.Timestamp(as_of)
        self.rows["as_of"] = pd.to_datetime(self.rows["as_of"])
        self.store = self

    def instruments(self, kind, group):
        return pd.DataFrame(
            index=pd.Index({"citic1": ["CI005001.WI"], "sw1": ["801010.SI"]}[group])
        )

    def constituents(self, symbols):
        return self.rows[
            self.rows["index_symbol"].isin(symbols) & (self.rows["as_of"] <= self.as_of)
        ]

    def query(self, sql, parameters):
        assert "min(as_of)" in sql
        return self.rows[self.rows["index_symbol"].isin(parameters[0])]


CITIC, SHENWAN = "CI005001.WI", "801010.SI"


@pytest.mark.parametrize(
    "lists, chosen, later",
    [
        ([(CITIC, "2025-01-02", "A", 1.0), (SHENWAN, "2025-01-02", "B", 1.0)], "A", False),
        ([(CITIC, "2026-01-02", "A", 1.0), (SHENWAN, "2025-01-02", "B", 1.0)], "B", False),
        ([(SHENWAN, "2025-01-02", "B", 1.0)], "B", False),
        ([(CITIC, "2026-01-02", "A", 1.0), (SHENWAN, "2026-01-02", "B", 1.0)], "A", True),
        ([], None, False),
    ],
)
def test_sectors_are_grouped_by_a_list_known_then_before_one_that_came_later(lists, chosen, later):
    members, ahead = sector_members(Lists(lists), ("citic1", "sw1"))
    assert (members["symbol"].tolist(), ahead) == ([chosen] if chosen else [], later)


def test_the_list_of_constituents_is_the_latest_known(market):
    assert market.constituents()["as_of"].unique().tolist() == [pd.Timestamp("2025-03-31")]
    early = market.constituents(["000300.SH"], on="2025-03-30")
    assert early["weight"].tolist() == [60.0, 40.0] and early["symbol"].tolist() == [
        "600519.SH",
        "X",
    ]
    assert market.constituents(on="2030-01-01")["as_of"].max() == pd.Timestamp("2025-03-31"), (
        "never past as_of"
    )
    assert not len(market.constituents(["399006.SZ"])) and not len(
        market.constituents(on="2024-12-30")
    )


def test_macro_is_known_by_its_release(market):
    releases = market.macro()
    assert releases["release_date"].max() == pd.Timestamp("2025-05-12")
    assert releases["period"].max() == pd.Timestamp("2025-04-01")
    assert len(Market(market.store, "2025-05-09").macro()) == len(releases) - 1
    assert not len(market.macro(["EURO_CPI"]))


def test_instruments_say_what_was_seen_so_far(market):
    listed = market.instruments()
    assert set(listed.index) == set(INSTRUMENTS)
    assert (listed["last_date"].drop("600519.SH") == market.as_of).all()
    assert listed.loc["600519.SH", "last_date"] == pd.Timestamp("2025-04-30")
    assert list(market.instruments(kind="sector").index) == ["801010.SI", "801050.SI"]
    assert list(market.instruments(group="sw1")["name_en"]) == ["Agriculture", "Non-ferrous metals"]
    assert not len(market.instruments(kind="sector", group="citic1"))


def test_last_dates(market):
    dates = market.last_dates(["600519.SH", "SPX"])
    assert dates.tolist() == [pd.Timestamp("2025-04-30"), pd.Timestamp("2025-05-14")]


def test_an_instrument_listed_later_is_not_there_yet(tmp_path):
    files = tables()
    etf = files["bars/etf.csv"]
    files["bars/etf.csv"] = etf[(etf["symbol"] != "159915.SZ") | (etf["date"] > "2025-05-14")]
    store = Store(tmp_path / "store.duckdb")
    ingest(FolderSource(write_folder(tmp_path / "desk", files)), store)
    market = Market(store, "2025-05-14")
    assert "159915.SZ" not in market.instruments().index
    panel = market.panel(["159915.SZ", "510300.SH"])
    assert np.isnan(panel.fields["close"][:, 0]).all() and not panel.mask[:, 0].any()
    assert market.last_dates(["159915.SZ"]).isna().all()
    assert market.closes(["159915.SZ"]).shape == (0, 1)


@pytest.mark.parametrize("method", ["panel", "closes", "valuation", "last_dates", "fingerprint"])
def test_an_unknown_symbol_names_its_neighbours(market, method):
    with pytest.raises(
        DataError, match=r"1 of 2 symbols(.|\n)*510300.SZ(.|\n)*did you mean 510300.SH"
    ):
        getattr(market, method)(["510300.SZ", "SPX"])


def test_an_unknown_field_is_refused(market):
    with pytest.raises(DataError, match=r"no field closing(.|\n)*open, high, low, close"):
        market.panel(["SPX"], ("closing",))
    with pytest.raises(DataError, match=r"no field pe(.|\n)*pe_ttm"):
        market.valuation(["000300.SH"], ("pe",))


# the date of a market


@pytest.mark.parametrize(
    ("asked", "as_of", "stale"),
    [
        ("2025-06-13", "2025-06-13", 0),
        (pd.Timestamp("2025-06-15 22:00"), "2025-06-13", 0),
        ("2025-05-04", "2025-04-30", 0),
        (pd.Timestamp("2025-06-12", tz="Asia/Shanghai"), "2025-06-12", 0),
        ("2025-06-20", "2025-06-13", 5),
    ],
)
def test_the_last_stored_session_on_or_before_a_date(store, asked, as_of, stale):
    market = Market(store, asked)
    assert market.as_of == pd.Timestamp(as_of) and market.stale_sessions == stale


def test_the_week_is_the_last_completed_one(store):
    week = Market(store, "2025-06-11").week
    assert (week.first, week.last) == (pd.Timestamp("2025-06-03"), pd.Timestamp("2025-06-06"))
    assert Market(store, "2025-02-04").week.last == pd.Timestamp("2025-01-27"), "Spring Festival"


def test_data_that_end_too_early_are_refused_unless_allowed(store):
    with pytest.raises(
        StaleDataError,
        match=r"end on 2025-06-13, 6 sessions before(.|\n)*2025-06-23(.|\n)*allow-stale",
    ):
        Market(store, "2025-06-23")
    assert Market(store, "2025-06-23", max_stale_sessions=6).stale_sessions == 6
    assert Market(store, "2025-09-30", allow_stale=True).as_of == pd.Timestamp("2025-06-13")
    with pytest.raises(StaleDataError):
        Market(store, "2099-01-01")


@pytest.mark.parametrize("asked", ["last Friday", "2025-13-01", "", None, 20250613, 1.5, True])
def test_what_is_no_date_is_refused(store, asked):
    with pytest.raises(DataError, match=r"not a date(.|\n)*2025-06-13, or latest"):
        Market(store, asked)


def test_a_date_before_the_data_is_refused(store):
    with pytest.raises(DataError, match=r"before the data(.|\n)*from 2024-11-01 to 2025-06-13"):
        Market(store, "2024-10-31")


@pytest.mark.parametrize(
    ("now", "as_of"),
    [
        ("2025-06-12 15:29", "2025-06-11"),
        ("2025-06-12 15:31", "2025-06-12"),
        ("2025-06-15 10:00", "2025-06-13"),
        ("2026-06-15 10:00", "2025-06-13"),
    ],
)
def test_latest_is_the_last_session_that_is_over_and_stored(store, monkeypatch, now, as_of):
    class Clock(pd.Timestamp):
        @classmethod
        def now(cls, tz=None):
            return pd.Timestamp(now, tz=tz)

    monkeypatch.setattr(pointintime.pd, "Timestamp", Clock)
    market = Market(store, "latest")
    monkeypatch.undo()
    assert market.as_of == pd.Timestamp(as_of) and market.stale_sessions == 0


def test_stocks_that_stop_do_not_make_a_market_stale_nor_stragglers_a_session(tmp_path):
    files = tables()
    for name in ("bars/etf.csv", "bars/sector.csv"):
        files[name] = files[name][files[name]["date"] <= "2025-06-11"]
    index = files["bars/broad_index.csv"]
    files["bars/broad_index.csv"] = index[
        (index["date"] <= "2025-06-11") | (index["symbol"] == "000300.SH")
    ]
    store = Store(tmp_path / "store.duckdb")
    ingest(FolderSource(write_folder(tmp_path / "desk", files)), store)
    market = Market(store, "2025-06-13")
    assert market.as_of == pd.Timestamp("2025-06-11"), "one of six series runs ahead"
    assert market.stale_sessions == 2
    assert market.last_dates(["000300.SH"]).iloc[0] == market.as_of


def test_a_folder_without_leading_kinds_still_has_sessions(tmp_path):
    files = {
        name: frame
        for name, frame in tables().items()
        if name in ("instruments.csv", "bars/stock.csv", "bars/global_index.csv")
    }
    store = Store(tmp_path / "store.duckdb")
    ingest(FolderSource(write_folder(tmp_path / "desk", files)), store)
    assert Market(store, "latest").as_of == pd.Timestamp("2025-04-30"), (
        "the stock's last bar; SPX goes on"
    )


def test_an_empty_store_is_refused(tmp_path):
    store = Store(tmp_path / "store.duckdb")
    with pytest.raises(StoreError, match="store does not exist yet"):
        Market(store, "latest")
    with store.write():
        pass
    with pytest.raises(DataError, match="no session"):
        Market(store, "latest")


def test_past_the_calendars_horizon_the_data_make_the_sessions(tmp_path, monkeypatch):
    now = pd.Timestamp("2027-01-16 12:00")
    monkeypatch.setattr(pd.Timestamp, "now", lambda tz=None: now.tz_localize(tz))
    files = tables()
    for name, frame in files.items():
        if name.startswith("bars/"):
            moved = frame["date"] + (pd.Timestamp("2027-01-15") - pd.Timestamp("2025-06-13"))
            files[name] = frame.assign(date=moved)[moved.dt.day_of_week < 5]
    store = Store(tmp_path / "store.duckdb")
    ingest(FolderSource(write_folder(tmp_path / "desk", files)), store)
    market = Market(store, "2027-01-13")
    assert market.as_of == pd.Timestamp("2027-01-13") == market.sessions.all[-1]
    assert market.week.last == pd.Timestamp("2027-01-08"), "the week of the 13th may go on"
    assert Market(store, "2027-01-15").week.last == pd.Timestamp("2027-01-15")


# the future changes nothing


@pytest.fixture(scope="module")
def before(store):
    return {day: snapshot(Market(store, day)) for day in ("2025-03-12", "2025-05-14", "2025-05-31")}


# an example takes a whole ingest: shrinking one would take minutes
@settings(
    max_examples=5, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(
    day=st.sampled_from(["2025-03-12", "2025-05-14", "2025-05-31"]),
    seed=st.integers(0, 1000),
    kinds=st.sets(st.sampled_from(["alter", "drop", "spoil", "append", "list"]), min_size=1),
)
def test_the_future_changes_nothing(before, tmp_path_factory, day, seed, kinds):
    rng = np.random.default_rng(seed)
    files = tables()
    cut = before[day]["as_of"]
    for name, frame in files.items():
        known_on = {"constituents.csv": "as_of", "macro.csv": "release_date"}.get(name, "date")
        if name == "instruments.csv":
            continue
        later = pd.to_datetime(frame[known_on]) > cut
        numbers = frame.select_dtypes("number").columns
        if "alter" in kinds:
            frame.loc[later, numbers] *= rng.uniform(0.5, 2, (later.sum(), len(numbers)))
        if "spoil" in kinds and name.startswith("bars/"):
            hit = later & (rng.random(len(frame)) < 0.2)
            frame.loc[hit, "high"] = frame.loc[hit, "low"] / 2
            frame.loc[later & (rng.random(len(frame)) < 0.1), "close"] = -1.0
        if "drop" in kinds:
            frame = frame[~later | (rng.random(len(frame)) < 0.5)]
        if "append" in kinds and name.startswith("bars/"):
            stray = frame.tail(3).assign(date=pd.Timestamp("2025-06-14"))  # a Saturday
            again = frame[pd.to_datetime(frame["date"]) > cut].tail(1)
            frame = pd.concat([frame, stray, again])
        files[name] = frame
    if "list" in kinds:
        new = files["instruments.csv"].tail(1).assign(symbol="512880.SH", kind="etf", group=None)
        files["instruments.csv"] = pd.concat([files["instruments.csv"], new])
        late = files["bars/etf.csv"]
        late = late[pd.to_datetime(late["date"]) > cut].head(5).assign(symbol="512880.SH")
        files["bars/etf.csv"] = pd.concat([files["bars/etf.csv"], late])
    files["instruments.csv"] = files["instruments.csv"].assign(last_date="2025-06-13")
    home = tmp_path_factory.mktemp("future")
    store = Store(home / "store.duckdb")
    ingest(FolderSource(write_folder(home / "desk", files)), store)
    assert_same(before[day], snapshot(Market(store, day, allow_stale=True)))
    shutil.rmtree(home)


def test_the_past_does_change_what_is_seen(before, tmp_path):
    files = tables()
    etf = files["bars/etf.csv"]
    etf.loc[(etf["symbol"] == "510300.SH") & (etf["date"] == "2025-05-14"), ["close", "high"]] *= (
        1.01
    )
    store = Store(tmp_path / "store.duckdb")
    ingest(FolderSource(write_folder(tmp_path / "desk", files)), store)
    after = snapshot(Market(store, "2025-05-14"))
    assert {
        name
        for name in ("panel", "fingerprint", "fingerprint of one")
        if after[name] != before["2025-05-14"][name]
    } == {
        "panel",
        "fingerprint",
        "fingerprint of one",
    }
    assert after["valuation"] == before["2025-05-14"]["valuation"]


def test_quality_is_one_table_gravest_first(tmp_path):
    files = tables()
    index = files["bars/broad_index.csv"]
    stray = index[index["date"] == "2025-01-24"].assign(date=pd.Timestamp("2025-01-25"))
    files["bars/broad_index.csv"] = pd.concat([index, stray])
    unknown = files["bars/etf.csv"].tail(2).assign(symbol="512880.SH")
    files["bars/etf.csv"] = pd.concat([files["bars/etf.csv"], unknown])
    store = Store(tmp_path / "store.duckdb")
    ingest(FolderSource(write_folder(tmp_path / "desk", files)), store)
    quality = Market(store, "2025-06-13").quality()
    assert list(quality.columns) == [
        *(
            "level",
            "check",
            "file",
            "symbols",
            "example",
            "first_date",
            "last_date",
            "row_count",
            "detail",
            "remedy",
        )
    ]
    assert quality["level"].iloc[0] == "refuse" and quality["example"].iloc[0] == "512880.SH"
    stray = quality[quality["file"] == "bars/broad_index.csv"].iloc[0]
    assert (stray["symbols"], stray["row_count"]) == (2, 2)
    assert stray["first_date"] == stray["last_date"] == pd.Timestamp("2025-01-25")
    assert not (Market(store, "2025-01-24").quality()["file"] == "bars/broad_index.csv").any()


def test_a_fingerprint_is_that_of_the_content(store, tmp_path):
    files = tables()
    for name, frame in files.items():
        files[name] = frame.sample(frac=1, random_state=1) if name != "instruments.csv" else frame
    shuffled = Store(tmp_path / "store.duckdb")
    ingest(FolderSource(write_folder(tmp_path / "desk", files)), shuffled)
    assert Market(shuffled, "2025-05-14").fingerprint() == Market(store, "2025-05-14").fingerprint()
    market = Market(store, "2025-05-14")
    assert market.fingerprint(["SPX", "510300.SH"]) == market.fingerprint(["510300.SH", "SPX"])
    assert (
        len(
            {
                market.fingerprint(),
                market.fingerprint(["SPX"]),
                Market(store, "2025-05-15").fingerprint(),
            }
        )
        == 3
    )


def test_a_notebook_that_keeps_a_market_does_not_lock_the_store(store, tmp_path):
    path = Path(shutil.copy(store.path, tmp_path / "copy.duckdb"))
    market = Market(Store(path), "2025-05-14")
    market.panel(["510300.SH"])
    with Store(path, lock_timeout=0.1).write() as connection:
        connection.execute("DELETE FROM macro")
    assert not len(market.macro())
