"""Orders of the report: every system that holds weights, at prices that a fund was traded at."""

import numpy as np
import pandas as pd
import pytest
from market_folder import SESSIONS, tables, write_folder

from lib.market.ingest import open_market
from lib.report.calls import Call, Holding
from lib.report.orders import fund_prices, orders, totals


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    files = tables()
    etf = files["bars/etf.csv"]
    adjusted = etf["symbol"] == "159915.SZ"
    etf.loc[adjusted, "amount"] = etf["amount"] * 2
    folder = write_folder(tmp_path_factory.mktemp("market"), files)
    store = tmp_path_factory.mktemp("stores")
    return open_market(str(folder), "2025-06-13", store_dir=store)


def held(symbol, weight, share, fund):
    return Holding(
        symbol=symbol, name=symbol, name_en=symbol, weight=weight, held=share, fund=fund, cost=0.001
    )


def call(system, rows, held_on="2025-06-13", due="2025-06-16"):
    return Call(
        system=system,
        decided="2025-06-13",
        direction=1,
        each=False,
        rows=rows,
        benchmark={},
        held_on=held_on,
        due=due,
    )


def test_a_fund_costs_what_was_paid_for_it(market):
    prices = fund_prices(market, ["510300.SH", "159915.SZ", "none"])
    closes = market.closes(["510300.SH", "159915.SZ"]).iloc[-1]
    assert prices["510300.SH"] == pytest.approx(closes["510300.SH"])
    assert prices["159915.SZ"] == pytest.approx(2 * closes["159915.SZ"], rel=0.02)
    assert np.isnan(prices["none"]) and fund_prices(market, ["none"]).isna().all()


def test_a_fund_that_did_not_trade_today_has_no_price(tmp_path):
    files = tables()
    etf = files["bars/etf.csv"]
    today = (etf["symbol"] == "159915.SZ") & (etf["date"] == SESSIONS[-1])
    files["bars/etf.csv"] = etf[~today]
    folder = write_folder(tmp_path / "market", files)
    market = open_market(str(folder), "2025-06-13", store_dir=tmp_path)
    assert np.isnan(fund_prices(market, ["159915.SZ"])["159915.SZ"])
    rows = [held("A", 1.0, 0.0, "159915.SZ")]
    table = orders([call("one", rows)], market, capital=1e6)
    assert table.loc[0, ["status", "side"]].tolist() == ["no_price", "buy"]
    assert pd.isna(table.loc[0, "lots"])


def test_every_system_with_weights_is_traded_to_its_targets(market):
    one = [held("A", 0.6, 0.5, "510300.SH"), held("B", 0.0, 0.4, None), held("C", 0.4, 0.0, "none")]
    two = [held("A", 0.5, 0.5, "159915.SZ")]
    calls = [call("one", one), call("two", two, due=None), call("themes", one, held_on=None)]
    table = orders(calls, market, capital=1e6)
    assert table["system"].unique().tolist() == ["one", "two"]
    assert np.allclose(table["from_weight"] + table["change"], table["to_weight"])
    own = table[table["system"] == "one"].set_index("symbol")
    assert own["status"].to_dict() == {"C": "no_price", "A": "", "B": "no_fund"}
    assert own.loc["A", "fund_name_en"] == "CSI 300 ETF"
    summed = totals(table)
    assert [(each["system"], each["due"]) for each in summed] == [
        ("one", "2025-06-16"),
        ("two", None),
    ]
    assert summed[0]["turnover"] == pytest.approx(0.9) and summed[1]["turnover"] == 0
    assert summed[0]["cost"] == pytest.approx(0.0009)
    assert "lots" not in orders(calls, market) and orders([], market).empty
