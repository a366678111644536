"""The live store, end to end: the real provider libraries against simulated hosts."""

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

from fake_providers import Fake, listed

from lib.market.catalogue import read_catalogue
from lib.market.pointintime import Market
from lib.market.providers import update as module
from lib.market.providers.client import Client
from lib.market.providers.registry import read_providers
from lib.market.providers.update import update
from lib.market.store import Store

FRIDAY, NEXT = pd.Timestamp("2025-06-06"), pd.Timestamp("2025-06-13")
FIRST = "2024-06-03"
SECTORS = ("801010.SI", "801050.SI", "801780.SI")
SYMBOLS = (
    *(*SECTORS, "931152.CSI", "399441.SZ", "562860.SH", "000300.SH", "399006.SZ"),
    *(
        "510300.SH",
        "159985.SZ",
        "SPX",
        "XAUUSD",
        "GC",
        "CU.SHF",
        "DXY",
        "USDJPY",
        "US10Y",
        "CN10Y",
        "CBA00652.CS",
    ),
)


@pytest.fixture(scope="module")
def tables(sample_store_dir):
    """The sample's tables: bars of the few symbols and of the members of their lists, the rest
    whole.
    """
    store = Store(sample_store_dir / "sample.duckdb")
    indices = ["931152.CSI", "000300.SH", *SECTORS]
    lists = store.query(
        "SELECT * FROM constituents WHERE index_symbol IN (SELECT unnest(?))", [indices]
    )
    members = lists[(lists["as_of"] == lists["as_of"][lists["as_of"] <= FRIDAY].max())]
    members = members.sort_values("weight", ascending=False).groupby("index_symbol").head(4)
    # Shenwan research dates no list: it is known as of the day it is asked for
    dates = np.where(members["index_symbol"].isin(SECTORS), NEXT, pd.Timestamp("2025-05-30"))
    members = members.assign(
        weight=25.0, as_of=pd.to_datetime(dates).astype(members["as_of"].dtype)
    )
    followed = members.loc[~members["index_symbol"].isin(SECTORS), "symbol"]
    members = members.assign(symbol=members["symbol"].map(listed))
    named = [*SYMBOLS, *followed]
    bars = store.query(
        "SELECT * FROM bars WHERE symbol IN (SELECT unnest(?)) AND date >= '2023-01-01'", [named]
    )
    bars = bars.assign(symbol=bars["symbol"].map(listed))
    valuation = store.query(
        "SELECT * FROM valuation WHERE symbol LIKE '801%' AND date >= '2025-01-01'"
    )
    valuation = valuation[valuation["symbol"].isin(SYMBOLS)]
    macro = store.query("SELECT * FROM macro WHERE release_date >= '2023-01-01'")
    return bars, valuation, members, macro


@pytest.fixture
def fake(tables, monkeypatch):
    few = read_catalogue()
    few = few[few["symbol"].isin(SYMBOLS)]
    monkeypatch.setattr(module, "read_catalogue", lambda folder: few)
    monkeypatch.delenv("TUSHARE_TOKEN", raising=False)
    with Fake(*tables, NEXT).listening(monkeypatch) as fake:
        yield fake


@pytest.fixture(scope="module")
def settings():
    return read_providers().model_copy(update={"first_date": {"": FIRST}})


def quick(raw=None):
    """Return a client that waits for nothing and writes down how long it would have."""
    waits = []
    client = Client(raw=raw, sleep=waits.append, timeout=5.0, today=lambda: NEXT)
    client.waits = waits
    return client


def bring(settings, home, day, **options):
    return update(settings, home, options.pop("client", None) or quick(), day, **options)


def rows_of(home, table="bars", where="true"):
    return Store(home / "live.duckdb").query(f"SELECT * FROM {table} WHERE {where} ORDER BY ALL")


def same_rows(got, want, keys, values):
    """Assert that two tables hold the same keys and, but for the rounding of units, the same
    values.
    """
    both = got.merge(want, on=keys, how="outer", suffixes=("", "_sample"), indicator=True)
    odd = both[both["_merge"] != "both"]
    assert not len(odd), odd.groupby([keys[0], "_merge"], observed=True).size()
    for value in values:
        np.testing.assert_allclose(
            both[value], both[f"{value}_sample"], rtol=1e-9, atol=1e-12, err_msg=value
        )


def test_a_full_update_gives_the_rows_of_the_sample(fake, settings, tables, tmp_path):
    report = bring(settings, tmp_path, NEXT)
    assert not report.rejected and not report.failures and not report.skipped_cross_checks
    bars, valuation, members, macro = tables
    window = (bars["date"] >= FIRST) & (bars["date"] <= NEXT)
    same_rows(rows_of(tmp_path), bars[window], ["symbol", "date"], ["close"])
    # the sources that give volume and amount
    exchange = bars["symbol"].str.endswith((".SI", ".CSI", ".SZ", ".SH"))
    got = rows_of(tmp_path, where="symbol LIKE '%.SI' OR symbol LIKE '%.CSI' OR symbol LIKE '%.S_'")
    same_rows(
        got,
        bars[window & exchange],
        ["symbol", "date"],
        ["open", "high", "low", "volume", "amount"],
    )
    # to the last digit: a search among formulas ends elsewhere when one input differs there
    both = got.merge(bars, on=["symbol", "date"], suffixes=("", "_sample"))
    exact = both["symbol"].str.endswith((".SI", ".CSI"))
    for field in ("open", "close", "volume", "amount"):
        assert (both.loc[exact, field] == both.loc[exact, f"{field}_sample"]).all(), field
    # the daily report for the last weeks, one report a month before
    days = valuation["date"]
    ends = days.groupby(days.dt.to_period("M")).transform("max")
    listed = (days <= NEXT) & ((days >= NEXT - pd.Timedelta(days=45)) | (days == ends))
    same_rows(
        rows_of(tmp_path, "valuation"), valuation[listed], ["symbol", "date"], ["pe_ttm", "pb"]
    )
    same_rows(
        rows_of(tmp_path, "constituents"), members, ["index_symbol", "as_of", "symbol"], ["weight"]
    )
    # the list that says who provides a series names it: it is a future here, not the spot of the
    # sample
    names = rows_of(tmp_path, "instruments").set_index("symbol")["name"]
    assert names["GC"] == "COMEX黄金" and names["XAUUSD"] == "伦敦金"
    # members of themes and broad indices are followed, by the names and sectors that the lists give
    # them
    shares = rows_of(tmp_path, "instruments", "kind = 'stock'").set_index("symbol")
    themes = members[~members["index_symbol"].isin(SECTORS)]
    assert set(shares.index) == set(themes["symbol"])
    assert all(shares["name"] == "股" + shares.index.str[:6])
    sector_of = members[members["index_symbol"].isin(SECTORS)].set_index("symbol")["index_symbol"]
    assert dict(shares["group"].fillna("")) == {
        symbol: sector_of.get(symbol, "") for symbol in shares.index
    }
    monthly = macro["series"].str.endswith("_MOM") & (macro["release_date"] <= NEXT)
    recent = macro["series"].str.endswith("_YOY") & macro["release_date"].between(
        NEXT - pd.Timedelta(days=45), NEXT
    )
    keys = ["series", "period", "release_date"]
    same_rows(
        rows_of(tmp_path, "macro"),
        macro[monthly | recent],
        keys,
        ["actual", "consensus", "previous"],
    )


def test_a_week_adds_its_rows_and_a_second_run_asks_nothing(fake, settings, tables, tmp_path):
    fake.today = FRIDAY
    bring(settings, tmp_path, FRIDAY)
    first, fake.today = rows_of(tmp_path), NEXT
    report = bring(settings, tmp_path, NEXT)
    assert not report.rejected and not report.failures
    assert report.rows["bars", "sector"] == 15  # three sectors, five sessions
    now, bars = rows_of(tmp_path), tables[0]
    window = (bars["date"] >= FIRST) & (bars["date"] <= NEXT)
    same_rows(now, bars[window], ["symbol", "date"], ["close"])
    pd.testing.assert_frame_equal(now[now["date"] <= FRIDAY].reset_index(drop=True), first)
    fake.hits.clear()
    again = bring(settings, tmp_path, NEXT)
    assert not fake.hits and not again.rows
    assert Market(Store(tmp_path / "live.duckdb"), NEXT).as_of == NEXT


def test_lists_are_asked_for_until_the_new_month_can_be_out_and_a_new_index_at_once(
    fake, settings, tmp_path
):
    def lists(day):
        fake.today = pd.Timestamp(day)
        fake.hits.clear()
        bring(settings, tmp_path, fake.today)
        return sorted(hit.rsplit("/", 1)[1] for hit in fake.hits if "closeweight" in hit)

    both = ["000300closeweight.xls", "931152closeweight.xls"]
    assert lists("2025-06-06") == both
    assert lists("2025-06-13") == []  # they carry the date of the last month end
    fake.constituents = fake.constituents.assign(as_of=pd.Timestamp("2025-05-30"))
    assert lists("2025-07-04") == both  # a new month, whose lists are not out
    assert lists("2025-07-11") == both
    assert lists("2025-07-18") == []  # by the eleventh they would have been
    known = json.loads((tmp_path / "live" / "asked.json").read_text())
    del known["lists"]["931152.CSI"]
    (tmp_path / "live" / "asked.json").write_text(json.dumps(known))
    assert lists("2025-07-25") == both[1:]


def test_a_token_opens_citic_sectors_and_a_third_source_of_indices(
    sample_store_dir, settings, tmp_path, monkeypatch
):
    symbols = ["CI005001.WI", "CI005002.WI", "000300.SH"]
    store = Store(sample_store_dir / "sample.duckdb")
    bars = store.query(
        "SELECT * FROM bars WHERE symbol IN (SELECT unnest(?)) AND date >= '2024-01-01'", [symbols]
    )
    nothing = [
        store.query(f"SELECT * FROM {table} LIMIT 0")
        for table in ("valuation", "constituents", "macro")
    ]
    few = read_catalogue()
    few = few[few["symbol"].isin(symbols)]
    monkeypatch.setattr(module, "read_catalogue", lambda folder: few)
    quiet = settings.model_copy(update={"macro": {}, "constituents": {}, "cross_checks": []})
    with Fake(bars, *nothing, NEXT).listening(monkeypatch) as fake:
        fake.faults |= {
            "eastmoney.com": lambda url, content: (403, b""),
            "baostock.com": lambda url, content: b"",
        }
        monkeypatch.delenv("TUSHARE_TOKEN", raising=False)
        report = bring(quiet, tmp_path / "free", NEXT)
        assert (
            report.missing_token == {"TUSHARE_TOKEN": symbols[:2]}
            and "000300.SH" in report.failures
        )
        monkeypatch.setenv("TUSHARE_TOKEN", "a-secret-token")
        report = bring(quiet, tmp_path / "open", NEXT)
    assert not report.missing_token and not report.failures
    assert report.providers["bars", "sector"] == {"tushare.citic_daily": 2}
    assert report.providers["bars", "broad_index"] == {"tushare.index_daily": 1}
    fields = ["open", "high", "low", "close", "volume", "amount"]
    window = (bars["date"] >= FIRST) & (bars["date"] <= NEXT)
    same_rows(rows_of(tmp_path / "open"), bars[window], ["symbol", "date"], fields)
