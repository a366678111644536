"""Parts of the live store: chained prices, parameters, the self-test, the command, the market it opens."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("akshare", reason="the live clients are not installed: pip install -r requirements-live.txt")
pytest.importorskip("baostock", reason="the live clients are not installed: pip install -r requirements-live.txt")

from fake_providers import Fake
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.market.errors import ParameterError, StaleDataError, StoreError
from lib.market.ingest import open_market
from lib.market.providers import __main__ as command
from lib.market.providers import update as module
from lib.market.providers.chain import chained
from lib.market.providers.client import ProviderError
from lib.market.providers.routes import ROUTES, read_providers
from lib.market.providers.selftest import CALLS
from lib.market.sample.catalogue import catalogue
from lib.market.store import Store

FRIDAY = pd.Timestamp("2025-06-06")
NONE = pd.DataFrame({"date": pd.DatetimeIndex([]), "close": np.array([], dtype=float)})


def bars(close):
    dates = pd.bdate_range("2025-01-01", periods=len(close))
    return pd.DataFrame({"symbol": "X", "date": dates, **dict.fromkeys(("open", "high", "low", "close"), close)})


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
    total = chained(bars(np.round(raw, 6)), pd.Series(np.round(back, 6)), NONE, "X")["close"]
    np.testing.assert_allclose(total / total[0], true / true[0], rtol=2e-3)


def test_a_later_payment_rewrites_no_earlier_price():
    raw = np.array([1.0, 1.1, 1.2, 1.0, 1.05])
    back = raw + np.array([0.0, 0.0, 0.0, 0.2, 0.2])
    first = chained(bars(raw[:3]), pd.Series(back[:3]), NONE, "X")
    later = chained(bars(raw).iloc[1:], pd.Series(back[1:]), first, "X")
    np.testing.assert_allclose(later["close"][:2], first["close"][1:])
    np.testing.assert_allclose(later["close"].iloc[2], 1.2)


def test_a_split_left_out_of_the_adjustment_is_refused():
    with pytest.raises(ProviderError, match="split"):
        chained(bars([100.0, 101.0, 10.1]), pd.Series([100.0, 101.0, 10.1]), NONE, "X")


def test_every_function_has_a_self_test_and_every_universe_a_provider():
    assert set(CALLS) == set(ROUTES)
    parameters, table = read_providers(), catalogue()
    for name, (_, _, symbol) in CALLS.items():
        assert parameters.code(name, symbol), name
    unserved = [
        row.symbol
        for row in table.itertuples()
        if not any(parameters.code(route, row.symbol) for route in parameters.bars[row.kind])
    ]
    # no free source has CITIC indices, and the three-month bill is nobody's exhibit
    assert all(symbol.endswith(".WI") or symbol == "US3M" for symbol in unserved), unserved


def test_a_wrong_parameter_is_named(tmp_path):
    text = module.FOLDER.parent.joinpath("providers.yaml").read_text(encoding="utf-8")
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
    symbols = sorted({symbol for _, _, symbol in CALLS.values()} | {"801010.SI"})
    held = store.query("SELECT * FROM bars WHERE symbol IN (SELECT unnest(?)) AND date >= '2025-01-01'", [symbols])
    share = store.query("SELECT * FROM bars WHERE symbol = '000300.SH' AND date >= '2025-01-01'")
    held = pd.concat([held, share.assign(symbol="600519.SH")])
    valuation = store.query("SELECT * FROM valuation WHERE symbol = '801050.SI'")
    weights = pd.DataFrame({"index_symbol": "000300.SH", "as_of": FRIDAY, "symbol": ["600519.SH"], "weight": [100.0]})
    macro = store.query("SELECT * FROM macro")
    monkeypatch.setattr(module, "catalogue", lambda folder: catalogue().query("symbol in ('801010.SI', '000300.SH')"))
    with Fake(held, valuation, weights, macro, FRIDAY).listening(monkeypatch) as fake:
        yield fake


@pytest.fixture
def hurried(monkeypatch):
    """The command without pauses."""
    made = command.client_of

    def client_of(*arguments):
        client = made(*arguments)
        client.sleep = lambda seconds: None
        return client

    monkeypatch.setattr(command, "client_of", client_of)


def test_the_self_test_tells_who_answers(fake, hurried, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("TUSHARE_TOKEN", "a-secret-token")
    asked = ["--check", "--until", "2025-06-06", "--store", str(tmp_path)]
    status = command.main(asked)
    said = capsys.readouterr().out
    assert status == 0, said
    assert said.count(" answers ") == len(ROUTES)
    fake.faults["finance.sina.com.cn"] = lambda url, content: b"<html>"
    fake.lies["csindex.com.cn"] = lambda symbol, rows: rows.assign(close=-1.0)
    assert command.main(asked) == 1
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "fails" in lines["akshare.foreign_futures_bars"] and "refused" in lines["akshare.csi_bars"]
    assert " answers " in lines["yfinance.bars"]


def test_the_command_fills_the_store_that_a_run_opens(fake, hurried, tmp_path, capsys):
    with pytest.raises(StoreError, match="make data"):
        open_market("store", store_dir=tmp_path)
    assert command.main(["--until", "2025-06-08", "--store", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "live store up to 2025-06-06" in said and "requests:" in said
    market = open_market("store", "2025-06-06", store_dir=tmp_path)
    assert market.source.name == "live" and not market.source.synthetic and market.stale_sessions == 0
    hits = len(fake.hits)
    # data that end too early are refused, or taken and counted as stale
    with pytest.raises(StaleDataError):
        open_market("store", "2025-06-30", store_dir=tmp_path)
    stale = open_market("store", "2025-06-30", store_dir=tmp_path, allow_stale=True)
    assert stale.as_of == FRIDAY and stale.stale_sessions > 5
    assert len(fake.hits) == hits  # reading fetches nothing
