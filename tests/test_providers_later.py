"""A live store in its later weeks: splits, new lists, gaps between updates, days that are not
over.
"""

import json

import numpy as np
import pandas as pd
import pytest

pytest.importorskip(
    "akshare", reason="the live clients are not installed: pip install -r requirements-live.txt"
)
pytest.importorskip(
    "baostock", reason="the live clients are not installed: pip install -r requirements-live.txt"
)

from fake_providers import Fake

from lib.market.calendar import Sessions
from lib.market.catalogue import read_catalogue
from lib.market.providers import update as module
from lib.market.providers.akshare_macro import jin10_history
from lib.market.providers.client import Client
from lib.market.providers.contract import FetchRequest
from lib.market.providers.registry import ENDPOINTS, read_providers
from lib.market.providers.summary import summary
from lib.market.providers.update import update
from lib.market.schema import PRICES, TABLES, cast_to_schema
from lib.market.store import Store

FIRST, LAST = pd.Timestamp("2025-01-02"), pd.Timestamp("2025-10-31")
SPLIT = pd.Timestamp("2025-03-03")
EASTMONEY, YAHOO = "push2his.eastmoney.com", "yahoo.com"
MONTHLY = ["US_CORE_CPI_MOM", "US_CORE_PPI_MOM", "US_CPI_MOM", "US_PPI_MOM"]


def nothing(table):
    return cast_to_schema(table, pd.DataFrame(columns=list(TABLES[table])))


def bars(symbol, level, seed=0):
    """Made-up bars; amount over volume is the close of a fund, and what an index's shares cost."""
    days = Sessions.load().all
    days = days[(days >= FIRST) & (days <= LAST)]
    close = level * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.005, len(days))))
    rows = {
        "symbol": symbol,
        "date": days,
        "open": close,
        "high": close * 1.001,
        "low": close * 0.999,
        "close": close,
    }
    return pd.DataFrame(rows | {"volume": 1e8, "amount": 1e8 * np.where(level < 50, close, 10.0)})


class World:
    """Simulated hosts with some rows, and the live store filled from them."""

    def __init__(self, home, patch, rows, **more):
        self.home, self.patch, self.settings = home, patch, read_providers()
        served = {
            name: more.pop(name, nothing(name)) for name in ("valuation", "constituents", "macro")
        }
        self.settings = self.settings.model_copy(
            update={"first_date": {"": f"{FIRST:%Y-%m-%d}"}, "shares": [], "cross_checks": []}
            | {
                name: getattr(self.settings, name) if len(rows) else {}
                for name, rows in served.items()
            }
            | more
        )
        known = read_catalogue()
        known = known[known["symbol"].isin(set(rows["symbol"]))]
        patch.setattr(module, "read_catalogue", lambda folder: known)
        patch.delenv("TUSHARE_TOKEN", raising=False)
        self.fake = Fake(rows, *served.values(), LAST)

    def run(self, day, now=None, **options):
        day = self.fake.today = pd.Timestamp(day)
        client = Client(
            raw=self.home / "raw",
            sleep=lambda s: None,
            clock=lambda: 0.0,
            timeout=5.0,
            today=lambda: day,
        )
        if now:
            client.now = lambda: pd.Timestamp(now)
        return update(self.settings, self.home, client, day, **options)

    def query(self, sql):
        return Store(self.home / "live.duckdb").query(sql)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A function that opens a world; one a test."""
    listening = []

    def open_(rows, **more):
        made = World(tmp_path, monkeypatch, rows, **more)
        listening.append(made.fake.listening(monkeypatch))
        listening[-1].__enter__()
        return made

    yield open_
    for one in listening:
        one.__exit__(None, None, None)


def edited(content, change):
    """Return Eastmoney's answer with its lines (date, open, close, high, low...) changed in place;
    False drops one.
    """
    served = json.loads(content)
    lines = [line.split(",") for line in served["data"]["klines"]]
    served["data"]["klines"] = [",".join(line) for line in lines if change(line) is not False]
    return json.dumps(served).encode()


def split_in_the_adjusted(ratio, until="9999"):
    """Eastmoney's answers after a split: its adjusted prices go on as if there had been none."""

    def answer(url, content):
        def change(line):
            if "fqt=2" in url and line[0] >= f"{SPLIT:%Y-%m-%d}":
                line[1:5] = [repr(float(price) * ratio) for price in line[1:5]]
            return line[0] <= until

        return edited(content, change)

    return answer


def with_ratios(url, content):
    """Return the CSI's answer with a PE in every row."""
    served = json.loads(content)
    return json.dumps(served | {"data": [row | {"peg": 20.0} for row in served["data"]]}).encode()


def stop(*arguments, **options):
    raise KeyboardInterrupt


@pytest.mark.parametrize("merged", [2.744, 2.0, 0.4905])
def test_a_fund_whose_units_were_merged_is_continued(world, merged):
    true = bars("512100.SH", 1.0)
    served = true.copy()
    served.loc[served["date"] >= SPLIT, [*PRICES, "amount"]] *= merged
    live = world(served)
    live.fake.faults[EASTMONEY] = split_in_the_adjusted(1 / merged)
    for day, count in (("2025-06-13", 106), ("2025-06-20", 5), ("2025-06-27", 5)):
        report = live.run(day)
        assert report.rows["bars", "etf"] == count and not report.rejected
    stored = live.query("SELECT date, close FROM bars ORDER BY date").merge(
        true, on="date", suffixes=("", "_true")
    )
    growth = stored["close"] / stored["close_true"]
    np.testing.assert_allclose(growth, growth[0], rtol=2e-3)
    assert not len(live.query("SELECT * FROM repairs"))


def test_themes_known_by_their_fund_are_total_returns_too(world):
    theme = read_catalogue().query("kind == 'theme'")["symbol"]
    fund = next(symbol for symbol in theme if ENDPOINTS["akshare.fund_bars"].code(symbol))
    for route in ("akshare.eastmoney_bars", "baostock.index_bars", "tushare.index_daily"):
        assert ENDPOINTS[route].code(fund) is None, route
    true = bars(fund, 1.0)
    served = true.copy()
    served.loc[served["date"] >= SPLIT, [*PRICES, "amount"]] /= 2.0
    live = world(served)
    live.fake.faults[EASTMONEY] = split_in_the_adjusted(2.0)
    for day in ("2025-06-13", "2025-06-20"):
        assert not live.run(day).rejected
    stored = live.query("SELECT date, close FROM bars ORDER BY date").merge(
        true, on="date", suffixes=("", "_true")
    )
    assert len(stored) == 111
    np.testing.assert_allclose(
        stored["close"].pct_change()[1:], stored["close_true"].pct_change()[1:], atol=2e-3
    )


def test_a_second_provider_continues_a_fund_only_from_stored_rows(world):
    served = bars("510300.SH", 4.0)
    served.loc[served["date"] >= SPLIT, [*PRICES, "amount"]] /= 2.0
    live = world(served)
    live.fake.faults[EASTMONEY] = split_in_the_adjusted(2.0, until="2025-06-12")

    def split_backwards(symbol, rows):  # Yahoo divides the prices before a split
        rows.loc[rows.index < SPLIT, list(PRICES)] /= 2.0
        return rows

    live.fake.falsified[YAHOO] = split_backwards
    assert list(live.run("2025-06-13").providers["bars", "etf"]) == ["akshare.fund_bars"]
    later = live.run("2025-06-20")
    assert (
        list(later.providers["bars", "etf"]) == ["akshare.fund_bars", "yfinance.fund_bars"]
        and not later.rejected
    )
    stored = live.query("SELECT date, close FROM bars ORDER BY date").set_index("date")["close"]
    assert f"{stored.index[-1]:%Y-%m-%d}" == "2025-06-20"
    assert stored.pct_change().abs().max() < 0.03


def a_list(day):
    rows = {
        "index_symbol": "000300.SH",
        "as_of": pd.Timestamp(day),
        "symbol": ["600519.SH", "600000.SH"],
    }
    return pd.DataFrame(rows | {"weight": [60.0, 40.0]})


def test_every_month_has_its_list(world):
    days = ["2025-05-30", "2025-06-30", "2025-07-31"]
    live = world(bars("000300.SH", 4000.0), constituents=pd.concat([a_list(day) for day in days]))
    for day in ("2025-06-13", "2025-07-11", "2025-08-15"):
        report = live.run(day)
        assert report.rows["constituents", "broad_index"] == 2 and not report.rejected
    stored = live.query("SELECT DISTINCT as_of FROM constituents ORDER BY 1")["as_of"]
    assert [f"{day:%Y-%m-%d}" for day in stored] == days


def releases():
    lines = []
    for month in pd.date_range("2024-01-01", "2025-09-01", freq="MS"):
        day = pd.offsets.BDay().rollforward(month + pd.DateOffset(months=1, days=10))
        lines += [(series, month, day, 0.2, 0.2, 0.2) for series in [*MONTHLY, "US_CPI_YOY"]]
    return cast_to_schema("macro", pd.DataFrame(lines, columns=list(TABLES["macro"])))


@pytest.mark.parametrize(
    ("silent", "days"),
    [
        ("awtmt.com", ["2025-06-06", "2025-06-13", "2025-08-15"]),
        ("jin10.com", ["2025-06-13", "2025-06-20", "2025-08-15"]),
        ("jin10.com", ["2025-06-13", "2025-07-18", "2025-08-15"]),
        ("", ["2025-06-13", "2025-08-15", "2025-08-22"]),
        ("", ["2025-05-30", "2025-09-05"]),
    ],
)
def test_inflation_has_no_gap_whoever_failed_at_first_and_however_long_the_pause(
    world, silent, days
):
    live = world(bars("000300.SH", 4000.0), macro=releases())
    if silent:
        live.fake.faults[silent] = lambda url, content: (500, b"")
    first = live.run(days[0])
    assert bool(first.failures) == bool(silent)
    live.fake.faults.clear()
    for day in days[1:]:
        report = live.run(day)
        assert not report.rejected and not report.failures
    stored = live.query("SELECT series, period, release_date FROM macro")
    due = releases()[lambda table: table["release_date"] <= days[-1]]
    for series in MONTHLY:
        pd.testing.assert_series_equal(
            stored.loc[stored["series"] == series, "period"].sort_values(ignore_index=True),
            due.loc[due["series"] == series, "period"].sort_values(ignore_index=True),
            check_dtype=False,
        )


def test_a_changed_release_is_refused_until_the_user_accepts_it(world):
    live = world(bars("000300.SH", 4000.0), macro=releases())
    live.run("2025-06-13")
    changed = live.fake.macro["release_date"] == "2025-06-11"
    live.fake.macro.loc[changed, "actual"] = 0.9
    assert "actual was 0.2 and is 0.9" in live.run("2025-06-20").rejected[0]["reasons"][0]
    stored = "SELECT DISTINCT actual FROM macro WHERE release_date = '2025-06-11'"
    assert live.query(stored)["actual"].tolist() == [0.2]
    assert not live.run("2025-06-20", accept_revisions=True).rejected
    assert live.query(stored)["actual"].tolist() == [0.9]
    assert len(live.query("SELECT * FROM revisions")) == changed.sum()


def test_of_two_releases_in_a_month_the_first_is_of_the_month_before_the_last(monkeypatch):
    import akshare

    days = ["2025-11-25", "2026-01-14", "2026-01-30", "2026-02-27"]
    table = pd.DataFrame({"日期": days, "今值": 0.2, "预测值": 0.2, "前值": 0.1})
    monkeypatch.setattr(akshare, "macro_usa_ppi", lambda: table)
    want = FetchRequest(
        "macro", ("US_PPI_MOM",), {"US_PPI_MOM": "macro_usa_ppi"}, FIRST, LAST, nothing("macro")
    )
    periods = jin10_history(want, Client())["macro"]["period"]
    assert [f"{period:%Y-%m}" for period in periods] == ["2025-10", "2025-11", "2025-12", "2026-01"]


def test_sector_valuation_goes_on_after_a_long_pause(world):
    sectors = ["801010.SI", "801050.SI"]
    rows = pd.concat([bars(symbol, 3000.0, seed) for seed, symbol in enumerate(sectors)])
    valuation = rows[["symbol", "date"]].assign(pe_ttm=20.0, pb=2.0)
    live = world(rows, valuation=valuation)
    for day in ("2025-06-13", "2025-08-22", "2025-08-29"):
        report = live.run(day)
        assert not report.rejected and report.rows["valuation", "sector"] >= 10


def test_a_market_that_is_still_trading_has_no_close_of_today(world):
    abroad = ["SPX", "NDX", "DJI", "FTSE", "DAX"]
    live = world(pd.concat([bars(symbol, 100.0, seed) for seed, symbol in enumerate(abroad)]))

    def trading(symbol, rows):
        rows.loc[rows.index == "2025-06-13", "close"] *= 1.004
        return rows

    live.fake.falsified[YAHOO] = trading
    report = live.run("2025-06-13", now="2025-06-13T18:00+08:00")
    assert not report.rejected and report.still_open == set(abroad)
    assert "a day that is not over was left out: 5 series (DAX, DJI, FTSE...)" in summary(report)
    last = "SELECT max(date) AS last FROM bars"
    assert f"{live.query(last)['last'][0]:%Y-%m-%d}" == "2025-06-12"
    live.fake.falsified.clear()
    report = live.run("2025-06-13", now="2025-06-14T09:00+08:00")
    assert report.rows["bars", "global_index"] == 5 and not report.rejected


def test_one_bad_series_does_not_take_the_others_with_it(world):
    rows = pd.concat(
        [bars(symbol, 60.0, seed) for seed, symbol in enumerate(["GC", "BRENT", "CL"])]
    )
    odd = (rows["symbol"] == "CL") & (rows["date"] == "2025-04-21")
    rows.loc[odd, list(PRICES)] = -37.63  # as oil closed on 2020-04-20
    rows.loc[(rows["symbol"] == "BRENT") & (rows["date"] >= "2025-05-06"), list(PRICES)] *= 100.0
    live = world(rows)
    report = live.run("2025-06-13")
    assert {note["symbols"][0] for note in report.rejected} == {"BRENT"}
    counts = live.query("SELECT symbol, count(*) AS n FROM bars GROUP BY 1 ORDER BY 1").set_index(
        "symbol"
    )["n"]
    assert counts.to_dict() == {"CL": 105, "GC": 106}
    assert live.query("SELECT symbol FROM quarantine")["symbol"].tolist() == ["CL"]


def test_a_second_opinion_that_is_odd_is_no_opinion(world):
    live = world(bars("000300.SH", 4000.0), cross_checks=read_providers().cross_checks)
    live.fake.falsified["baostock.com"] = lambda symbol, rows: pd.concat([rows, rows.iloc[[-1]]])
    report = live.run("2025-06-13")
    assert report.rows["bars", "broad_index"] == 106
    assert (
        "000300.SH against baostock.index_bars: its response is faulty: 1 rows twice"
        in report.skipped_cross_checks[0]
    )


def corrected(symbol, rows):
    rows.loc[rows.index == "2025-06-13", "volume"] *= 1.001
    return rows


def test_an_update_that_was_stopped_does_not_hinder_that_of_a_later_day(world):
    live = world(pd.concat([bars("801010.SI", 3000.0), bars("000300.SH", 4000.0)]))
    live.run("2025-06-06")

    live.fake.faults[EASTMONEY] = stop
    with pytest.raises(KeyboardInterrupt):
        live.run("2025-06-13")
    live.fake.faults.clear()
    live.fake.falsified["swsresearch.com"] = corrected
    assert live.run("2025-06-16").rows == {("bars", "sector"): 6, ("bars", "broad_index"): 6}


def test_what_landed_and_was_not_stored_is_stored_first(world, monkeypatch):
    live = world(pd.concat([bars("801010.SI", 3000.0), bars("000300.SH", 4000.0)]))
    live.run("2025-06-06")
    full = module.ingest

    monkeypatch.setattr(module, "ingest", stop)
    with pytest.raises(KeyboardInterrupt):
        live.run("2025-06-13")
    monkeypatch.setattr(module, "ingest", full)
    live.fake.falsified["swsresearch.com"] = corrected
    assert live.run("2025-06-16").rows == {("bars", "sector"): 1, ("bars", "broad_index"): 1}
    stored = live.query("SELECT * FROM bars ORDER BY ALL")
    (live.home / "live.duckdb").unlink()
    live.fake.hits.clear()
    assert live.run("2025-06-16").rows == {} and not live.fake.hits
    pd.testing.assert_frame_equal(live.query("SELECT * FROM bars ORDER BY ALL"), stored)


def test_an_accepted_revision_is_not_taken_back_when_the_universe_grows(world, monkeypatch):
    funds = ["510300.SH", "510500.SH", "512100.SH"]
    live = world(pd.concat([bars(symbol, 4.0, seed) for seed, symbol in enumerate(funds)]))
    known = read_catalogue().set_index("symbol").loc[funds].reset_index()
    monkeypatch.setattr(module, "read_catalogue", lambda folder: known[:2])
    live.run("2025-06-13")

    def twice_the_volume(symbol, rows):
        rows.loc[rows.index == "2025-06-12", "volume"] *= 1.0 + (symbol == "510300.SH")
        return rows

    live.fake.falsified[EASTMONEY] = live.fake.falsified[YAHOO] = twice_the_volume
    assert live.run("2025-06-20").rejected
    assert not live.run("2025-06-20", accept_revisions=True).rejected
    monkeypatch.setattr(module, "read_catalogue", lambda folder: known)
    assert live.run("2025-06-27").rows["bars", "etf"] == 5 + 5 + 116
    served = live.query(
        "SELECT volume FROM bars WHERE symbol = '510300.SH' AND date = '2025-06-12'"
    )
    assert served["volume"].tolist() == [2e8]


def test_a_theme_that_lags_or_is_new_takes_no_other_with_it(world, monkeypatch):
    themes = [
        symbol
        for symbol in read_catalogue().query("kind == 'theme'")["symbol"]
        if symbol.endswith(".CSI")
    ][:6]
    live = world(pd.concat([bars(symbol, 3000.0, seed) for seed, symbol in enumerate(themes)]))
    known = read_catalogue().set_index("symbol").loc[themes].reset_index()
    monkeypatch.setattr(module, "read_catalogue", lambda folder: known[:5])
    late = ENDPOINTS["akshare.csi_bars"].code(themes[0])

    def without_one(url, content):
        return (500, b"") if late in url else with_ratios(url, content)

    live.fake.faults[EASTMONEY] = lambda url, content: (500, b"")
    for day, answer in (
        ("2025-06-06", with_ratios),
        ("2025-06-13", without_one),
        ("2025-06-20", with_ratios),
    ):
        live.fake.faults["csindex.com.cn"] = answer
        assert not live.run(day).rejected
    monkeypatch.setattr(module, "read_catalogue", lambda folder: known)
    assert not live.run("2025-06-27").rejected
    last = live.query("SELECT symbol, max(date) AS last, count(*) AS n FROM valuation GROUP BY 1")
    assert len(last) == 6 and set(last["n"]) == {116} and (last["last"] == "2025-06-27").all()


def test_a_dividend_that_one_provider_lacks_stops_one_fund_until_the_user_decides(world):
    checks = [check for check in read_providers().cross_checks if check.symbol == "510300.SH"]
    live = world(
        pd.concat([bars("510300.SH", 4.0), bars("510500.SH", 6.0, 1)]), cross_checks=checks
    )
    live.run("2025-06-13")

    def paid(line):
        if line[0] >= "2025-06-18":
            line[1:5] = [f"{float(price) + 0.08:.3f}" for price in line[1:5]]

    live.fake.faults[EASTMONEY] = lambda url, content: (
        edited(content, paid) if "fqt=2" in url and "510300" in url else content
    )
    report = live.run("2025-06-20")
    assert [note["symbols"] for note in report.rejected] == [["510300.SH"]]
    assert "apart from yfinance.fund_bars on 2025-06-18" in report.rejected[0]["reasons"][0]
    assert report.rows["bars", "etf"] == 5
    listed = "SELECT symbol FROM findings WHERE \"check\" = 'response rejected'"
    assert len(live.run("2025-06-20").rejected) == 1 and live.query(listed)["symbol"].tolist() == [
        "510300.SH"
    ]
    assert not live.run("2025-06-20", accept_revisions=True).rejected
    assert not len(live.query(listed)), "a settled dispute is no longer listed"
    last = live.query("SELECT symbol, max(date) AS last FROM bars GROUP BY 1")["last"]
    assert (last == "2025-06-20").all()


def test_a_month_of_high_inflation_is_taken(world):
    macro = releases()
    macro.loc[macro["period"] == "2025-06-01", "actual"] = 1.3
    live = world(bars("000300.SH", 4000.0), macro=macro)
    for day in ("2025-06-20", "2025-07-18"):
        assert not live.run(day).rejected
    assert len(live.query("SELECT * FROM macro WHERE actual = 1.3")) == 5


def test_an_index_that_was_rebased_is_accepted_from_its_beginning(world):
    live = world(bars("000300.SH", 4000.0))
    live.run("2025-06-13")
    live.fake.bars["000300.SH"].loc[:, list(PRICES)] /= 2.5
    assert "close was" in live.run("2025-06-20").rejected[0]["reasons"][0]
    assert not live.run("2025-06-20", accept_revisions=True).rejected
    stored = live.query("SELECT date, close FROM bars ORDER BY date")["close"]
    assert len(stored) == 111 and stored.pct_change().abs().max() < 0.03
    assert len(live.query("SELECT * FROM revisions")) == 106, "the old rows are archived"


def test_what_was_asked_for_on_friday_evening_is_asked_for_again_on_saturday(world):
    live = world(pd.concat([bars("SPX", 100.0), bars("USDJPY", 100.0, 1)]))
    first = live.fake.answer

    def stop_at_the_currency(url, body=None):
        if "JPY" in url:
            raise KeyboardInterrupt
        return first(url, body)

    live.fake.answer = stop_at_the_currency
    with pytest.raises(KeyboardInterrupt):
        live.run("2025-06-13", now="2025-06-13T18:00+08:00")
    live.fake.answer = first
    assert not live.run("2025-06-13", now="2025-06-14T09:00+08:00").still_open
    last = live.query("SELECT symbol, max(date) AS last FROM bars GROUP BY 1")
    assert len(last) == 2 and (last["last"] == "2025-06-13").all()


def test_a_second_opinion_that_ends_too_early_is_no_opinion(world):
    checks = [check for check in read_providers().cross_checks if check.symbol == "000300.SH"]
    live = world(bars("000300.SH", 4000.0), cross_checks=checks)
    live.run("2025-06-13")
    live.fake.falsified["baostock.com"] = lambda symbol, rows: rows[rows.index < "2025-05-01"]
    for options in ({}, {"accept_revisions": True}):
        assert live.run("2025-06-20", **options).requests is not None
    assert f"{live.query('SELECT max(date) AS last FROM bars')['last'][0]:%Y-%m-%d}" == "2025-06-20"


def test_a_fund_without_an_adjusted_price_is_asked_of_the_next_provider(world):
    live = world(bars("510500.SH", 4.0))
    live.run("2025-06-13")

    def without(line):
        if line[0] == "2025-06-18":
            line[2] = "-"

    live.fake.faults[EASTMONEY] = lambda url, content: (
        edited(content, without) if "fqt=2" in url else content
    )
    assert list(live.run("2025-06-20").providers["bars", "etf"]) == ["yfinance.fund_bars"]


def test_accepting_looks_further_back_than_the_update_that_was_stopped(world, monkeypatch):
    live = world(bars("000300.SH", 4000.0))
    live.run("2025-06-13")
    live.fake.bars["000300.SH"].loc[:, list(PRICES)] /= 2.5

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "ingest", stop)
        live.run("2025-06-20")
    assert not live.run("2025-06-20", accept_revisions=True).rejected
    stored = live.query("SELECT close FROM bars ORDER BY date")["close"]
    assert len(stored) == 111 and stored.pct_change().abs().max() < 0.03


def test_ratios_of_themes_have_no_hole_after_weeks_without_their_source(world):
    theme = next(
        symbol
        for symbol in read_catalogue().query("kind == 'theme'")["symbol"]
        if symbol.endswith(".CSI")
    )
    live = world(bars(theme, 3000.0))

    for day in ("2025-06-06", "2025-06-13", "2025-06-20", "2025-06-27", "2025-07-04"):
        silent = "2025-06-06" < day < "2025-07-04"
        live.fake.faults["csindex.com.cn"] = (
            (lambda url, content: (500, b"")) if silent else with_ratios
        )
        assert live.run(day).rows["bars", "theme"]
    count = live.query(
        "SELECT (SELECT count(*) FROM valuation) AS ratios, (SELECT count(*) FROM bars) AS bars"
    )
    assert count["ratios"][0] == count["bars"][0] == 121


def test_days_that_an_answer_lacked_are_taken_from_the_next(world):
    symbols = {"GC": 60.0, "USDJPY": 100.0, "510500.SH": 4.0, "CN10Y": 2.5}
    live = world(
        pd.concat(
            [bars(symbol, level, seed) for seed, (symbol, level) in enumerate(symbols.items())]
        )
    )
    live.run("2025-06-13")
    gone = pd.to_datetime(["2025-06-17", "2025-06-18"])
    live.fake.falsified[""] = lambda symbol, rows: rows[~rows.index.isin(gone)]
    live.run("2025-06-20")
    live.fake.falsified.clear()
    live.run("2025-06-27")
    counts = live.query("SELECT symbol, count(*) AS n FROM bars GROUP BY 1")
    assert len(counts) == 4 and set(counts["n"]) == {116}


def test_one_yield_that_was_corrected_does_not_stop_the_others(world):
    yields = ["CN2Y", "CN5Y", "CN10Y", "CN30Y", "US2Y", "US5Y", "US10Y", "US30Y"]
    known = set(read_catalogue()["symbol"])
    yields = [symbol for symbol in yields if symbol in known]
    live = world(pd.concat([bars(symbol, 2.5, seed) for seed, symbol in enumerate(yields)]))
    live.run("2025-06-13")
    live.fake.bars["CN10Y"].loc["2025-06-12", "close"] += 0.05
    report = live.run("2025-06-20")
    assert [note["symbols"] for note in report.rejected] == [["CN10Y"]]
    assert report.rows["bars", "yield"] == 5 * (len(yields) - 1)


#: the hosts that change the unit: all, or the one whose response reveals it
HOSTS = {"CN10Y": "", "000905.SH": "", "510500.SH": EASTMONEY}


@pytest.mark.parametrize(
    ("symbol", "level", "fields", "said"),
    [
        ("CN10Y", 2.5, ["close"], "the yield changes"),
        ("000905.SH", 4000.0, ["volume"], "amount over volume"),
        ("510500.SH", 4.0, ["volume"], "amount over volume"),
    ],
)
def test_a_unit_that_changes_with_the_new_rows_is_refused(world, symbol, level, fields, said):
    live = world(bars(symbol, level))
    live.run("2025-06-13")

    def hundredfold(symbol, rows):
        rows.loc[rows.index >= "2025-06-16", fields] *= 100.0
        return rows

    live.fake.falsified[HOSTS[symbol]] = hundredfold
    report = live.run("2025-06-20")
    assert report.rejected and all(said in note["reasons"][0] for note in report.rejected)
    new = live.query("SELECT close, volume FROM bars WHERE date > '2025-06-13'")
    assert (new["close"] < 2 * level).all() and (new["volume"] < 1e9).all()


def test_an_empty_page_on_the_day_of_a_release_is_asked_for_again(world):
    live = world(bars("000300.SH", 4000.0), macro=releases())
    live.run("2025-07-04")
    served = live.fake.macro
    live.fake.macro = served[served["release_date"] != "2025-07-11"]
    live.run("2025-07-18")
    live.fake.macro = served
    live.run("2025-07-25")
    found = live.query(
        "SELECT period FROM macro WHERE series = 'US_CPI_YOY' AND release_date = '2025-07-11'"
    )
    assert len(found) == 1
