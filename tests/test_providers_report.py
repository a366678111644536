"""A report on the live store: with providers that answer with the sample's rows, its exhibits are the sample's own."""

import pandas as pd
import pytest

pytest.importorskip("akshare", reason="the live clients are not installed: pip install -r requirements-live.txt")
pytest.importorskip("baostock", reason="the live clients are not installed: pip install -r requirements-live.txt")

from fake_providers import Fake

from lib.market.providers import update as module
from lib.market.providers.client import Client
from lib.market.providers.routes import read_providers
from lib.market.providers.update import update
from lib.market.sample.catalogue import catalogue
from lib.market.store import Store
from lib.market.universe import universe
from lib.report.kernels import execute
from lib.report.run import NOTEBOOKS

FRIDAY = pd.Timestamp("2025-06-13")
NOTEBOOK = "01_market_recap"
LISTS = ("recap_assets", "broad_etf", "sector_etf", "smartbeta_etf")


def test_the_recap_of_the_live_store_is_that_of_the_sample(sample_store_dir, tmp_path, monkeypatch):
    symbols = sorted({symbol for name in LISTS for symbol in universe(name).index})
    few = catalogue()
    few = few[few["symbol"].isin(symbols)]
    monkeypatch.setattr(module, "catalogue", lambda folder: few)
    monkeypatch.delenv("TUSHARE_TOKEN", raising=False)
    store = Store(sample_store_dir / "sample.duckdb")
    bars = store.query("SELECT * FROM bars WHERE symbol IN (SELECT unnest(?)) AND date >= '2024-11-01'", [symbols])
    macro = store.query("SELECT * FROM macro WHERE release_date >= '2024-01-01'")
    empty = [store.query(f"SELECT * FROM {table} LIMIT 0") for table in ("valuation", "constituents")]
    settings = read_providers().model_copy(update={"first_date": {"": "2024-12-02"}, "shares": []})
    with Fake(bars, *empty, macro, FRIDAY).listening(monkeypatch):
        report = update(settings, tmp_path / "store", Client(sleep=lambda seconds: None), FRIDAY)
    # these hosts have no lists of constituents; everything else has come
    assert not report.refused and not set(report.failures) - set(few.loc[few["kind"] == "broad_index", "symbol"])
    common = {"as_of": "2025-06-13", "language": "en"}
    for data in ("sample", "store"):
        if data == "store":
            monkeypatch.setenv("WEEKLY_STORE", str(tmp_path / "store"))
        parameters = common | {"data": data, "out": str(tmp_path / data)}
        assert execute(NOTEBOOKS / f"{NOTEBOOK}.ipynb", tmp_path / f"{data}.ipynb", parameters) is None
    tables = sorted(path.name for path in (tmp_path / "sample" / "tables").glob("fig*.csv"))
    assert len(tables) == 5
    for name in tables:
        sample, live = (pd.read_csv(tmp_path / data / "tables" / name) for data in ("sample", "store"))
        pd.testing.assert_frame_equal(live, sample, rtol=1e-9)
    exhibit = (tmp_path / "store" / "exhibits" / "fig01_global_assets.json").read_text(encoding="utf-8")
    assert "2025-06-13" in exhibit and "live store" in exhibit and '"synthetic": false' in exhibit
