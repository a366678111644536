"""The synthetic market: its structure, its looks, and what is planted in it."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kurtosis

from lib.market.fingerprint import fingerprint
from lib.market.sample import SampleSource
from lib.market.sample.dates import SHOCK, exchange_sessions, sessions
from lib.market.sample.effects import CYCLE_MONTHS
from lib.market.schema import KEYS, TABLES
from lib.market.universe import UNIVERSE_FOLDER, read_universe

PRICES = ["open", "high", "low", "close"]


class Loaded:
    """All rows of one sample, by table."""

    def __init__(self, effects):
        self.source = SampleSource(effects)
        parts = {table: [] for table in TABLES}
        for batch in self.source.batches():
            parts[batch.table].append(batch.load())
        self.tables = {
            table: pd.concat(frames, ignore_index=True) for table, frames in parts.items() if frames
        }
        self.kinds = self.tables["instruments"].set_index("symbol")["kind"]

    def wide(self, symbols, field="close"):
        rows = self.tables["bars"]
        rows = rows[rows["symbol"].isin(list(symbols))]
        return rows.pivot_table(index="date", columns="symbol", values=field)

    def of(self, kind, group=None):
        table = self.tables["instruments"]
        kept = (table["kind"] == kind) & ((table["group"] == group) if group else True)
        return table.loc[kept, "symbol"].tolist()


@pytest.fixture(scope="module")
def planted():
    return Loaded(True)


@pytest.fixture(scope="module")
def null():
    return Loaded(False)


def rank_ic(signal, future, step):
    """Mean rank correlation over dates that do not overlap, and its t-statistic."""
    rows = np.arange(80, len(signal), step)
    values = signal.iloc[rows].corrwith(future.iloc[rows], axis=1, method="spearman").dropna()
    return values.mean(), values.mean() / values.std() * np.sqrt(len(values))


def stock_ic(sample):
    stocks = sample.of("stock")
    close, volume = sample.wide(stocks), sample.wide(stocks, "volume")
    moves = close.pct_change(5, fill_method=None)
    moves = moves.sub(moves.mean(axis=1), axis=0)
    busy = volume.rolling(5, min_periods=3).mean() / volume.rolling(60, min_periods=30).mean()
    return rank_ic(-moves * busy, close.shift(-10) / close - 1, 10)


def sector_ic(sample):
    sectors = sample.of("sector", "sw1")
    close, volume = sample.wide(sectors), np.log(sample.wide(sectors, "volume"))
    return rank_ic(
        volume.rolling(5).mean() - volume.rolling(60).mean(), close.shift(-5) / close - 1, 5
    )


def cycle_shares(sample, symbols):
    closes = sample.wide(symbols).ffill().resample("ME").last()
    yearly = np.log(closes).diff(12).iloc[12:].mean(axis=1)
    month = np.arange(len(yearly))
    shares = []
    for period in CYCLE_MONTHS:
        waves = np.column_stack(
            [np.ones(len(month)), *(f(2 * np.pi * month / period) for f in (np.sin, np.cos))]
        )
        fitted = waves @ np.linalg.lstsq(waves, yearly, rcond=None)[0]
        shares.append(fitted.var() / yearly.var())
    return shares


def test_the_label_says_synthetic():
    for effects, name in ((True, "sample"), (False, "sample-null")):
        source = SampleSource(effects)
        assert source.synthetic and source.name == name
        assert "synthetic" in source.label["en"] and "合成" in source.label["zh"]


def test_rows_have_the_canonical_layout(planted):
    for table, frame in planted.tables.items():
        assert list(frame.columns) == list(TABLES[table])
        assert not frame.duplicated(list(KEYS[table])).any()
        assert not frame[list(KEYS[table])].isna().any(axis=None)
        numbers = frame.select_dtypes("number")
        assert not np.isinf(numbers.to_numpy()).any()
    assert planted.tables["bars"]["close"].notna().all()
    assert not planted.tables["valuation"].isna().any(axis=None)
    assert set(planted.tables["bars"]["symbol"]) == set(planted.kinds.index)


def test_the_breadth_is_that_of_the_suite(planted):
    assert 280 <= len(planted.of("stock")) <= 330
    assert len(planted.of("sector", "sw1")) == 31 and len(planted.of("sector", "citic1")) == 30
    assert len(planted.of("theme")) >= 133 and len(planted.of("etf")) >= 60
    exchange = planted.tables["bars"][
        planted.tables["bars"]["symbol"].isin(planted.of("broad_index"))
    ]
    assert set(exchange["date"]) == set(exchange_sessions()[exchange_sessions() >= "2012-01-04"])
    assert planted.wide(["SPX"]).index[0].year == 1990
    assert planted.tables["bars"]["date"].max() == pd.Timestamp("2026-12-31")


@pytest.mark.parametrize("path", sorted(UNIVERSE_FOLDER.glob("*.csv")), ids=lambda path: path.stem)
def test_every_symbol_of_every_universe_is_there(planted, path):
    table = read_universe(path.stem)
    wanted = set(table.index) | (set(table["etf"]) if "etf" in table else set())
    assert wanted - {""} <= set(planted.kinds.index)


def test_prices_are_consistent(planted):
    bars = planted.tables["bars"].dropna(subset=["open"])
    assert (bars[PRICES] > 0).all(axis=None)
    assert (bars["high"] >= bars[["open", "close"]].max(axis=1)).all()
    assert (bars["low"] <= bars[["open", "close"]].min(axis=1)).all()
    assert (bars["volume"] >= 0).all()


def test_stocks_look_like_stocks(planted):
    close = planted.wide(planted.of("stock"))
    returns = close / close.shift() - 1
    table = planted.tables["instruments"].set_index("symbol")
    limit = np.where(table.loc[close.columns, "note"].str.contains("ChiNext|STAR"), 0.2, 0.1)
    assert returns.abs().sub(limit).max().max() < 1e-4, "within the price limit but for rounding"
    assert returns.apply(kurtosis, nan_policy="omit").median() > 1.0, "fat tails"
    size = returns.abs()
    assert size.corrwith(size.shift()).median() > 0.05, "volatility clusters"
    assert size.corrwith(np.log(planted.wide(close.columns, "volume"))).median() > 0.2, (
        "volume rises with moves"
    )
    sectors = np.log(planted.wide(planted.of("sector", "sw1"))).diff()
    correlation = sectors.corr().to_numpy()[np.triu_indices(31, 1)].mean()
    assert 0.3 < correlation < 0.8
    assert sectors.mean(axis=1)[SHOCK] < -0.04


@pytest.mark.parametrize(
    "symbol", ["801780.SI", "CI005021.WI", "CI005156.WI", "000300.SH", "931152.CSI"]
)
def test_an_index_is_what_its_constituents_make_it(planted, symbol):
    lists = planted.tables["constituents"]
    lists = lists[lists["index_symbol"] == symbol]
    assert np.allclose(lists.groupby("as_of")["weight"].sum(), 100.0, atol=0.02)
    first, after = sorted(lists["as_of"].unique())[3:5]
    weights = lists[lists["as_of"] == first].set_index("symbol")["weight"]
    prices = planted.wide(weights.index).ffill()
    index = planted.wide([symbol])[symbol]
    held = prices.loc[first:after] / prices.loc[first]
    expected = held @ (weights / weights.sum())[held.columns]
    np.testing.assert_allclose(index.loc[first:after] / index.loc[first], expected, rtol=1e-7)


def test_an_etf_follows_its_index(planted):
    pair = np.log(planted.wide(["510300.SH", "000300.SH"])).diff().dropna()
    assert pair.corr().iloc[0, 1] > 0.99
    assert abs((pair["000300.SH"] - pair["510300.SH"]).mean() * 244 - 0.005) < 0.004


def test_bonds_follow_their_yields_and_the_dollar_its_currencies(planted):
    wide = planted.wide(["CN30Y", "CBA21801.CS", "DXY", "EURUSD"])
    bond = wide[["CN30Y", "CBA21801.CS"]].dropna()
    slope = np.polyfit(
        bond["CN30Y"].diff().iloc[1:] / 100, np.log(bond["CBA21801.CS"]).diff().iloc[1:], 1
    )[0]
    assert -19.0 < slope < -17.0
    dollar = np.log(wide[["DXY", "EURUSD"]].dropna()).diff().corr().iloc[0, 1]
    assert dollar < -0.8


def test_valuations_follow_prices(planted):
    symbol = "801080.SI"
    ratio = planted.tables["valuation"].query("symbol == @symbol").set_index("date")["pe_ttm"]
    close = planted.wide([symbol])[symbol]
    assert np.log(ratio).diff().corr(np.log(close).diff()) > 0.8
    assert ratio.between(2, 150).all()


def test_inflation_is_released_after_the_month_and_knows_the_one_before(planted):
    table = planted.tables["macro"]
    assert (table["release_date"] > table["period"] + pd.offsets.MonthEnd(0)).all()
    assert (table["release_date"].dt.day_of_week < 5).all()
    for _, rows in table.dropna(subset=["consensus"]).groupby("series"):
        assert np.allclose(rows["previous"].iloc[1:], rows["actual"].iloc[:-1])
        surprise = (rows["actual"] - rows["consensus"]).std()
        assert 0.03 < surprise < 0.3


def test_price_pressure_is_planted_in_stocks_and_absent_from_the_null(planted, null):
    mean, t = stock_ic(planted)
    assert 0.03 < mean < 0.08 and t > 5
    mean, t = stock_ic(null)
    assert abs(mean) < 0.012 and abs(t) < 2.5


def test_attention_is_planted_in_sectors_and_absent_from_the_null(planted, null):
    mean, t = sector_ic(planted)
    assert 0.045 < mean < 0.10 and t > 5
    mean, t = sector_ic(null)
    assert abs(mean) < 0.02 and abs(t) < 2.5


def test_cycles_are_planted_in_global_assets_and_absent_from_the_null(planted, null):
    equities = ["SPX", "NDX", "DJI", "FTSE", "DAX", "N225", "HSI"]
    assert sum(cycle_shares(planted, equities)) > sum(cycle_shares(null, equities)) + 0.15
    assert cycle_shares(planted, equities)[0] > 0.1 > cycle_shares(null, equities)[0]


def test_a_batch_is_known_before_it_is_made():
    first, again = ([batch.fingerprint for batch in SampleSource().batches()] for _ in range(2))
    assert first == again and len(set(first)) == len(first)
    assert not set(first) & {batch.fingerprint for batch in SampleSource(effects=False).batches()}
    assert not set(first) & {batch.fingerprint for batch in SampleSource(seed=1).batches()}


def test_every_process_makes_the_same_market(planted):
    code = (
        "from lib.market.sample import SampleSource\nfrom lib.market.fingerprint import"
        " fingerprint\nmade = {b.file: b for b in SampleSource().batches()}\nnames ="
        " ['sample/bars/stock', 'sample/bars/theme', 'sample/bars/fx',"
        " 'sample/macro']\nprint(fingerprint([made[n].load() for n in names], [b.fingerprint for b"
        " in made.values()]))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    made = {batch.file: batch for batch in planted.source.batches()}
    names = ["sample/bars/stock", "sample/bars/theme", "sample/bars/fx", "sample/macro"]
    here = fingerprint(
        [made[name].load() for name in names], [batch.fingerprint for batch in made.values()]
    )
    assert other == here


def test_sessions_are_those_of_the_exchange():
    assert sessions()[0] == pd.Timestamp("2012-01-04")
    assert (sessions().day_of_week < 5).all() and len(sessions()) == 3642
