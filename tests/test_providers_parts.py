"""Parts of the live store: total-return prices, parameters, self-test, command, opened market."""

import datetime

import numpy as np
import pandas as pd
import pytest

pytest.importorskip(
    "akshare", reason="the live clients are not installed: pip install -r requirements-live.txt"
)
pytest.importorskip(
    "baostock", reason="the live clients are not installed: pip install -r requirements-live.txt"
)

import requests
from fake_providers import Fake
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.market.calendar import Sessions
from lib.market.catalogue import read_catalogue
from lib.market.errors import ParameterError, StaleDataError, StoreError
from lib.market.ingest import open_market
from lib.market.providers import __main__ as command
from lib.market.providers import update as module
from lib.market.providers.akshare_indices import exchange_symbol
from lib.market.providers.akshare_macro import TITLE
from lib.market.providers.client import ProviderError
from lib.market.providers.contract import parse_days
from lib.market.providers.registry import ENDPOINTS, read_providers
from lib.market.providers.response_checks import find_faults
from lib.market.providers.selftest import TEST_CALLS
from lib.market.providers.staging import Staging
from lib.market.providers.total_return import to_total_return
from lib.market.store import Store

FRIDAY = pd.Timestamp("2025-06-06")
NONE = pd.DataFrame({"date": pd.DatetimeIndex([]), "close": np.array([], dtype=float)})


def bars(close):
    dates = pd.bdate_range("2025-01-01", periods=len(close))
    return pd.DataFrame(
        {"symbol": "X", "date": dates, **dict.fromkeys(("open", "high", "low", "close"), close)}
    )


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-0.08, 0.08), min_size=30, max_size=60),
    st.integers(5, 25),
    st.floats(0.01, 0.2),
    st.sampled_from(["sum", "factor"]),
)
def test_a_dividend_is_found_in_either_kind_of_adjustment(moves, day, paid, how):
    true = 2.0 * np.cumprod(1.0 + np.array(moves))
    dividend = paid * true[day]
    raw = true.copy()
    raw[day:] *= (true[day] - dividend) / true[day]
    back = raw + np.where(np.arange(len(raw)) >= day, dividend, 0.0) if how == "sum" else true
    total = to_total_return(bars(np.round(raw, 6)), pd.Series(np.round(back, 6)), NONE, "X")[
        "close"
    ]
    np.testing.assert_allclose(total / total[0], true / true[0], rtol=2e-3)


def test_a_later_payment_rewrites_no_earlier_price():
    raw = np.array([1.0, 1.1, 1.2, 1.0, 1.05])
    back = raw + np.array([0.0, 0.0, 0.0, 0.2, 0.2])
    first = to_total_return(bars(raw[:3]), pd.Series(back[:3]), NONE, "X")
    later = to_total_return(bars(raw).iloc[1:], pd.Series(back[1:]), first, "X")
    np.testing.assert_allclose(later["close"][:2], first["close"][1:])
    np.testing.assert_allclose(later["close"].iloc[2], 1.2)


def test_a_split_left_out_of_the_adjustment_is_refused():
    with pytest.raises(ProviderError, match="split"):
        to_total_return(bars([100.0, 101.0, 10.1]), pd.Series([100.0, 101.0, 10.1]), NONE, "X")


@pytest.mark.parametrize(
    ("price", "paid"),
    [(1.0, 0.02), (4.0, 0.0175), (3.1, 0.04), (12.0, 0.02), (1500.0, 0.02), (4.0, 0.5)],
)
@pytest.mark.parametrize("day", [2, 5, 9])
@pytest.mark.parametrize("level", [1.0, 1.6])
def test_one_event_is_told_within_a_short_window_however_the_provider_adjusts(
    price, paid, day, level
):
    close = price * np.exp(np.cumsum(np.random.default_rng(day).normal(0, 0.01, 10)))
    raw = np.where(np.arange(10) < day, close, close * (1 - paid))
    total = to_total_return(
        bars(np.round(raw, 3)), pd.Series(np.round(close * level, 4)), NONE, "X"
    )["close"].to_numpy()
    np.testing.assert_allclose(total / total[0], close / close[0], rtol=3e-3)


def test_every_function_has_a_self_test_and_every_universe_a_provider():
    assert set(TEST_CALLS) == set(ENDPOINTS)
    parameters, table = read_providers(), read_catalogue()
    for name, (_, _, symbol) in TEST_CALLS.items():
        assert parameters.code(name, symbol), name
    unserved = [
        row.symbol
        for row in table.itertuples()
        if not parameters.endpoints("bars", row.kind, row.symbol)
    ]
    # the three-month bill is in no exhibit
    assert unserved == ["US3M"]
    # CITIC sectors have no free source
    citic = {
        row.symbol: parameters.endpoints("bars", row.kind, row.symbol) for row in table.itertuples()
    }
    assert all(
        routes == ("tushare.citic_daily",)
        for symbol, routes in citic.items()
        if symbol.endswith(".WI")
    )


HEADS = "symbol,name_zh,name_en,group,providers\n"


@pytest.mark.parametrize(
    "cell, words",
    [
        ("yfinance.charts:^GSPC", "unknown provider function yfinance.charts"),
        ("yfinance.bars", "yfinance.bars needs a name of its own"),
    ],
)
def test_a_wrong_provider_in_a_universe_is_named(tmp_path, cell, words):
    (tmp_path / "mine.csv").write_text(
        f"{HEADS}SPX,标普500,S&P 500,equity,{cell}\n", encoding="utf-8"
    )
    with pytest.raises(ParameterError, match=words) as caught:
        read_providers(universes=tmp_path)
    assert "mine.csv" in str(caught.value)


def test_two_lists_may_not_disagree_on_the_providers(tmp_path):
    for name, cell in (("a", "yfinance.bars:^GSPC"), ("b", "yfinance.bars:^SPX")):
        (tmp_path / f"{name}.csv").write_text(
            f"{HEADS}SPX,标普500,S&P 500,equity,{cell}\n", encoding="utf-8"
        )
    with pytest.raises(ParameterError, match="SPX"):
        read_providers(universes=tmp_path)


def test_the_order_of_a_universe_goes_before_that_of_the_kind(tmp_path):
    rows = (
        "931152.CSI,创新药,Innovative Drugs,health,akshare.eastmoney_bars akshare.csi_bars:931152\n"
    )
    (tmp_path / "themes.csv").write_text(HEADS + rows, encoding="utf-8")
    parameters = read_providers(universes=tmp_path)
    assert parameters.endpoints("bars", "theme", "931152.CSI") == (
        "akshare.eastmoney_bars",
        "akshare.csi_bars",
    )
    assert parameters.endpoints("bars", "theme", "930713.CSI")[0] == "akshare.csi_bars"
    # what is said of bars says nothing of other tables
    assert parameters.endpoints("constituents", "theme", "931152.CSI") == ("akshare.csi_weights",)


def test_a_unit_that_is_a_hundredfold_is_seen_without_any_stored_row():
    sessions = Sessions.load()
    dates = sessions.all[(sessions.all >= "2025-03-03") & (sessions.all <= "2025-05-30")]
    rows = pd.DataFrame({"symbol": "931152.CSI", "date": dates, "volume": 1e9, "amount": 2e10})
    rows = rows.assign(**dict.fromkeys(("open", "high", "low", "close"), 1000.0))
    for factor in (1.0, 0.01, 100.0):
        found = find_faults(
            "bars", "theme", rows.assign(volume=rows["volume"] * factor), rows.iloc[:0], sessions
        )
        assert bool(found) == (factor != 1.0)
    # a theme known by its fund costs what a unit of the fund costs
    fund = rows.assign(symbol="159805.SZ", volume=3e10)
    assert not find_faults("bars", "theme", fund, fund.iloc[:0], sessions)


def test_a_report_that_has_lost_a_page_is_refused_for_the_symbols_on_it():
    days = pd.bdate_range("2025-06-02", "2025-06-13")
    rows = pd.DataFrame(
        [(s, d) for d in days for s in ("801010.SI", "801030.SI")], columns=["symbol", "date"]
    )
    rows = rows.assign(pe_ttm=20.0, pb=2.0)
    assert not find_faults(
        "valuation", "sector", rows, rows.iloc[:0], Sessions.load(), is_report=True
    )
    found = find_faults(
        "valuation", "sector", rows.iloc[:-1], rows.iloc[:0], Sessions.load(), is_report=True
    )
    assert found == {"801030.SI": ["not in the report on 1 of its last 10 days"]}
    # a sector that starts later is not missing
    old = pd.DataFrame(
        {
            "symbol": "801010.SI",
            "date": pd.bdate_range("2021-01-04", periods=40),
            "pe_ttm": 1,
            "pb": 1,
        }
    )
    assert not find_faults(
        "valuation",
        "sector",
        pd.concat([old, rows]),
        rows.iloc[:0],
        Sessions.load(),
        is_report=True,
    )


def test_yearly_changes_are_not_taken_for_monthly_ones():
    months = pd.date_range("2020-01-01", periods=24, freq="MS")
    rows = pd.DataFrame(
        {"series": "US_PPI_MOM", "period": months, "release_date": months + pd.Timedelta(days=42)}
    )
    rows = rows.assign(actual=0.3, consensus=0.2, previous=0.3)
    assert not find_faults("macro", "macro", rows, rows.iloc[:0], Sessions.load())
    found = find_faults("macro", "macro", rows.assign(actual=2.5), rows.iloc[:0], Sessions.load())
    assert "yearly" in found["US_PPI_MOM"][0]


def test_a_staged_response_comes_back_as_it_was(tmp_path):
    staging = Staging(tmp_path, FRIDAY)
    rows = bars([1.0, np.nan, 0.1 + 0.2])
    response = {
        "bars": rows,
        "valuation": rows[["symbol", "date"]].assign(pe_ttm=[20.5, np.nan, -3.0]),
    }
    staging.append_response("bars-etf-x", ("X", "Y"), response)
    stored = Staging(tmp_path, FRIDAY).response("bars-etf-x", ("X", "Y"))
    assert set(stored) == set(response)
    for table, frame in response.items():
        pd.testing.assert_frame_equal(stored[table], frame, check_exact=True, check_dtype=False)
    assert (
        staging.response("bars-etf-x", ("X",)) is None
        and staging.response("bars-etf-z", ("X", "Y")) is None
    )
    staging.clear()
    assert staging.response("bars-etf-x", ("X", "Y")) is None


@pytest.mark.parametrize(
    "title, series",
    [
        ("5月核心CPI同比", ("5", "核心", "CPI", "同比")),
        ("美国5月PPI环比", ("5", None, "PPI", "环比")),
        ("12月未季调CPI同比(%)", ("12", None, "CPI", "同比")),
        ("5月未季调CPI环比", None),
        ("5月CPI同比终值", None),
        ("5月纽约联储1年通胀预期", None),
    ],
)
def test_titles_of_the_calendar(title, series):
    found = TITLE.match(title)
    assert (found and tuple(found.groups())) == series


@pytest.mark.parametrize(
    "column",
    [
        ["2025-06-12", "2025-06-13"],
        ["2025-06-12 00:00:00", "2025-06-13"],
        ["20250612", "20250613"],
        [datetime.date(2025, 6, 12), datetime.date(2025, 6, 13)],
        list(pd.to_datetime(["2025-06-12", "2025-06-13"])),
    ],
)
def test_days_are_read_as_they_come(column):
    for kind in (object, None):
        got = parse_days(pd.Series(column, dtype=kind))
        assert got.dtype == "datetime64[ns]" and list(got.astype(str)) == [
            f"2025-06-1{n}T00:00:00.000000000" for n in "23"
        ]
    assert np.isnat(parse_days(pd.Series(["2025-06-12", None], dtype=object))[1])


@pytest.mark.parametrize(
    "code, symbol", [("600519", "600519.SH"), ("000001", "000001.SZ"), ("301236", "301236.SZ")]
)
def test_the_exchange_of_a_share(code, symbol):
    assert exchange_symbol(code) == symbol
    assert [exchange_symbol(code) for code in ("430047", "833171", "920002")] == [
        "430047.BJ",
        "833171.BJ",
        "920002.BJ",
    ]


def test_a_wrong_parameter_is_named(tmp_path):
    text = module.UNIVERSE_FOLDER.parent.joinpath("providers.yaml").read_text(encoding="utf-8")
    for old, new, words in (
        ("overlap: 5", "overlap: 0", "overlap"),
        ("akshare.yield_bars", "akshare.yields", "akshare.yields"),
        ("timeout: 20", "time_out: 20", "time"),
    ):
        path = tmp_path / "providers.yaml"
        path.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(ParameterError, match=words):
            read_providers(path)


@pytest.fixture
def fake(sample_store_dir, monkeypatch):
    store = Store(sample_store_dir / "sample.duckdb")
    symbols = sorted({symbol for _, _, symbol in TEST_CALLS.values()} | {"801010.SI"})
    held = store.query(
        "SELECT * FROM bars WHERE symbol IN (SELECT unnest(?)) AND date >= '2025-01-01'", [symbols]
    )
    share = store.query("SELECT * FROM bars WHERE symbol = '000300.SH' AND date >= '2025-01-01'")
    held = pd.concat([held, share.assign(symbol="600519.SH")])
    valuation = store.query("SELECT * FROM valuation WHERE symbol = '801050.SI'")
    weights = pd.DataFrame(
        {"index_symbol": ["000300.SH", "801050.SI"], "symbol": "600519.SH", "weight": 100.0}
    )
    weights = weights.assign(as_of=FRIDAY)
    macro = store.query("SELECT * FROM macro")
    monkeypatch.setattr(
        module,
        "read_catalogue",
        lambda folder: read_catalogue().query("symbol in ('801010.SI', '000300.SH')"),
    )
    with Fake(held, valuation, weights, macro, FRIDAY).listening(monkeypatch) as fake:
        yield fake


@pytest.fixture
def hurried(monkeypatch):
    """The command without pauses."""
    made = command.client_of

    def client_of(*arguments):
        client = made(*arguments)
        client.sleep, client.today = lambda seconds: None, lambda: FRIDAY
        return client

    monkeypatch.setattr(command, "client_of", client_of)


def test_the_self_test_tells_who_answers(fake, hurried, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("TUSHARE_TOKEN", "a-secret-token")
    asked = ["--check", "--until", "2025-06-06", "--store", str(tmp_path)]
    status = command.main(asked)
    said = capsys.readouterr().out
    assert status == 0, said
    assert said.count(" responds ") == len(ENDPOINTS)
    assert f"{len(ENDPOINTS)} of {len(ENDPOINTS)} provider functions respond" in said
    # a past day is not asked of pages that know only today or the last month end
    assert command.main(["--check", "--until", "2025-04-30", "--store", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1].endswith("akshare.csi_weights, akshare.sector_members")
    fake.faults["finance.sina.com.cn"] = lambda url, content: b"<html>"
    fake.falsified["csindex.com.cn"] = lambda symbol, rows: rows.assign(close=-1.0)
    assert command.main(asked) == 1
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert (
        "fails" in lines["akshare.foreign_futures_bars"] and "rejected" in lines["akshare.csi_bars"]
    )
    assert " responds " in lines["yfinance.bars"]


def test_the_command_fills_the_store_that_a_run_opens(fake, hurried, tmp_path, capsys):
    with pytest.raises(StoreError, match="make data"):
        open_market("store", store_dir=tmp_path)
    assert command.main(["--until", "2025-06-08", "--store", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "live store up to 2025-06-06" in said and "requests:" in said
    market = open_market("store", "2025-06-06", store_dir=tmp_path)
    assert (
        market.source.name == "live" and not market.source.synthetic and market.stale_sessions == 0
    )
    hits = len(fake.hits)
    # data that end too early are refused, or taken and counted as stale
    with pytest.raises(StaleDataError):
        open_market("store", "2025-06-30", store_dir=tmp_path)
    stale = open_market("store", "2025-06-30", store_dir=tmp_path, allow_stale=True)
    assert stale.as_of == FRIDAY and stale.stale_sessions > 5
    assert len(fake.hits) == hits  # reading fetches nothing


def test_a_first_update_without_a_network_says_so_and_fails(fake, hurried, tmp_path, capsys):
    def dead(url, content):
        raise requests.ConnectionError("no route")

    fake.faults |= {
        "": dead,
        "baostock.com": lambda url, content: b"",
    }  # every host; an empty response closes the connection
    assert command.main(["--until", "2025-06-06", "--store", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "no host responds" in said.err and "www.swsresearch.com" in said.err
    # hosts that are there and refuse are something else
    fake.faults[""] = lambda url, content: (403, b"")
    assert command.main(["--until", "2025-06-06", "--store", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "got nothing: " in said.out and "801010.SI" in said.out
    assert "CHECK=1" in said.err
    fake.faults.clear()
    assert command.main(["--until", "2025-06-06", "--store", str(tmp_path)]) == 0
