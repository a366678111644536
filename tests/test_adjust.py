"""Subtracted dividends against markets whose true returns are known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.market.adjust import CLEAN, LOST, REPAIRED, find_adjustment


def fund(seed, rows=500, dividends=(), splits=(), noise=0.002, level=3.0, daily=0.012, drift=0.0):
    """Return a fund as the provider shows it: adjusted bars, average raw price, true total return
    (slow oracle).
    """
    rng = np.random.default_rng(seed)
    growth = 1 + np.clip(rng.normal(drift, daily, rows), -0.09, 0.09)
    growth[0] = 1
    raw = np.empty(rows)
    raw[0] = level
    paid, ratio = dict(dividends), dict(splits)
    for t in range(1, rows):
        raw[t] = raw[t - 1] * growth[t] / ratio.get(t, 1.0) - paid.get(t, 0.0)
    shown = np.empty(rows)
    for t in range(rows):  # every later event is applied to the price of the day, in order
        price = raw[t]
        for k in range(t + 1, rows):
            price = price / ratio.get(k, 1.0) - paid.get(k, 0.0)
        shown[t] = price
    scale = np.array(
        [np.prod([ratio.get(k, 1.0) for k in range(t + 1, rows)]) for t in range(rows)]
    )
    spread = np.abs(rng.normal(0, min(0.004, daily), rows)) * raw / scale
    prices = np.column_stack([shown, shown + spread, shown - spread, shown])
    average = raw * (1 + np.clip(rng.normal(0, noise, rows), -3 * noise, 3 * noise))
    return prices, average, growth


def mend(prices, average):
    first = np.zeros(len(prices), dtype=bool)
    first[0] = True
    found = find_adjustment(first, prices, average)
    return found, (prices + found.offset[:, None]) * found.factor[:, None]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_true_returns_come_back_where_dividends_were_subtracted(seed):
    prices, average, growth = fund(seed, dividends=[(120, 0.1), (260, 0.12), (400, 0.15)])
    found, mended = mend(prices, average)
    shown = prices[1:, 3] / prices[:-1, 3]
    true, got = np.cumprod(growth)[-1], mended[-1, 3] / mended[0, 3]
    assert abs(shown.prod() / true - 1) > 0.01 or np.abs(shown - growth[1:]).max() > 0.005, (
        "the fault is there"
    )
    assert got == pytest.approx(true, rel=0.01)
    assert np.abs(mended[1:, 3] / mended[:-1, 3] - growth[1:]).max() < 0.004
    assert (found.verdict[:400] == REPAIRED).all()
    assert mended[0, 3] == pytest.approx(3.0, rel=0.01), "the chain starts at the first raw price"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_heavy_dividends_need_sixty_rows_to_be_told_from_a_split(seed):
    prices, average, growth = fund(seed, dividends=[(120, 0.3), (260, 0.25), (400, 0.4)])
    _, mended = mend(prices, average)
    error = np.abs(mended[1:, 3] / mended[:-1, 3] - growth[1:])
    assert error[:60].max() < 0.01, (
        "until then the average raw price itself is followed, within the shown move"
    )
    assert error[60:].max() < 0.006


def test_clean_and_merely_split_series_stay_as_they_are():
    for splits in ([], [(250, 2.0)], [(250, 0.365)]):
        prices, average, _ = fund(5, splits=splits)
        found, _ = mend(prices, average)
        assert (
            (found.verdict == CLEAN).all()
            and (found.offset == 0).all()
            and (found.factor == 1).all()
        )


def test_a_split_and_dividends_are_told_apart():
    prices, average, growth = fund(
        8,
        rows=700,
        dividends=[(200, 0.9), (500, 0.03), (600, 0.03)],
        splits=[(400, 10.0)],
        level=30.0,
    )
    _, mended = mend(prices, average)
    got = mended[80:, 3] / mended[79:-1, 3]
    assert got.prod() == pytest.approx(growth[80:].prod(), rel=0.015)
    assert np.abs(got - growth[80:]).max() < 0.02


def quiet_bond_fund(seed, rows=1300, split=900):
    """Return a fund like 511220: a quiet bond with quarterly payouts, prices rounded to 0.001, one
    split.
    """
    paid = [(t, 1.2 if t < split else 0.12) for t in range(61, rows, 61)]
    return fund(
        seed,
        rows,
        dividends=paid,
        splits=[(split, 10.0)],
        noise=0.0005,
        level=100.0,
        daily=0.0012,
        drift=2e-4,
    )


@pytest.mark.parametrize("seed", [4, 5, 6, 11])
def test_a_split_that_undoes_the_scale_leaves_a_scale_of_one(seed):
    prices, average, growth = quiet_bond_fund(seed)
    prices = prices.round(3)
    found, mended = mend(prices, average)
    scale = average / (prices[:, 3] + found.offset)
    assert np.median(scale[500:900]) == pytest.approx(10.0, rel=0.01)
    assert np.median(scale[905:]) == pytest.approx(1.0, rel=0.01)
    annual = np.log(growth[300:].prod()) * 243 / 1000
    assert np.log(mended[-1, 3] / mended[299, 3]) * 243 / 1000 == pytest.approx(annual, abs=0.001)


def test_prices_below_zero_are_mended():
    prices, average, _ = fund(3, dividends=[(300, 5.0)], level=5.0, daily=0.03)
    assert (prices[:300, 3] <= 0).any(), "so much was subtracted"
    found, mended = mend(prices, average)
    kept = found.verdict != LOST
    assert (mended[kept, 3] > 0).all()
    assert kept.mean() > 0.9, "hardly a row is set aside"


def test_a_single_wrong_amount_does_no_harm():
    prices, average, growth = fund(4, dividends=[(300, 0.4)])
    average[150] *= 0.5
    average[151] = np.nan
    _, mended = mend(prices, average)
    assert np.abs(mended[1:, 3] / mended[:-1, 3] - growth[1:]).max() < 0.003


def test_without_amounts_a_known_offset_is_not_trusted_for_ever():
    prices, average, _ = fund(6, dividends=[(400, 0.5)])
    average[100:] = np.nan
    found, _ = mend(prices, average)
    assert (found.verdict[170:] == LOST).all() and (found.verdict[:150] == REPAIRED).all()


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    paid=st.floats(0.03, 0.6),
    when=st.integers(100, 250),
    cut=st.integers(1, 299),
)
def test_the_future_rewrites_no_row(seed, paid, when, cut):
    prices, average, _ = fund(seed, rows=300, dividends=[(when, paid)])
    found, mended = mend(prices, average)
    other, shares = prices.copy(), average.copy()
    other[cut:] *= np.random.default_rng(seed).uniform(0.3, 3.0, (300 - cut, 1))
    shares[cut:] = np.random.default_rng(seed + 1).uniform(0.01, 50, 300 - cut)
    again, remended = mend(other, shares)
    np.testing.assert_array_equal(again.verdict[:cut], found.verdict[:cut])
    np.testing.assert_array_equal(remended[:cut], mended[:cut])


def real_etfs(folder, *symbols):
    """Return bars of real ETFs with average, offset, verdict and repaired close."""
    bars = pd.read_parquet(folder / "bars" / "etf.parquet").sort_values(["symbol", "date"])
    bars = bars[bars["symbol"].isin(symbols)]
    average = (bars["amount"] / bars["volume"]).where(bars["volume"] > 0)
    first = (bars["symbol"] != bars["symbol"].shift()).to_numpy()
    found = find_adjustment(
        first, bars[["open", "high", "low", "close"]].to_numpy(), average.to_numpy()
    )
    mended = (bars["close"] + found.offset) * found.factor
    return bars.assign(average=average, offset=found.offset, verdict=found.verdict, mended=mended)


@pytest.mark.real
def test_known_faults_of_real_etfs_are_mended(real_market_dir):
    bars = real_etfs(real_market_dir, "510880.SH", "159922.SZ", "511220.SH")
    assert (bars["verdict"] != LOST).all()
    closes = bars.pivot(index="date", columns="symbol", values="mended")
    dividend = closes["510880.SH"].dropna()
    year = dividend[:"2017"].iloc[-1] / dividend[:"2016"].iloc[-1] - 1
    assert year == pytest.approx(0.205, abs=0.005)
    moves = closes.pct_change(fill_method=None).abs()
    # in the first sixty rows the raw average stands in for the close
    assert moves[:"2015-09"].max().max() < 0.13 and moves["2015-10":].max().max() < 0.105
    bond = closes["511220.SH"].pct_change(fill_method=None).loc["2023-01-10":"2023-01-31"]
    assert bond.abs().max() < 0.01


@pytest.mark.real
@pytest.mark.parametrize(
    ("symbol", "before", "after", "scale"),
    [
        ("511220.SH", "2017-2022", "2023-02", 10.0),
        ("510030.SH", "2016-2020", "2022-01", 8.0),
        ("510630.SH", "2016-2019", "2022-01", 4.0),
        ("513100.SH", "2016-2020", "2023-01", 5.0),
    ],
)
def test_a_real_split_of_whole_shares_leaves_no_fraction_in_the_scale(
    real_market_dir, symbol, before, after, scale
):
    bars = real_etfs(real_market_dir, symbol).set_index("date")
    shown = bars["average"] / (bars["close"] + bars["offset"])
    first, last = before.split("-")
    assert shown[first:last].groupby(
        shown[first:last].index.year
    ).median().to_numpy() == pytest.approx(scale, rel=0.01)
    assert shown[after:].median() == pytest.approx(1.0, rel=0.01)


@pytest.mark.real
def test_the_real_short_bond_earns_what_its_raw_prices_say(real_market_dir):
    close = real_etfs(real_market_dir, "511220.SH").set_index("date")["mended"]["2016-04-29":]
    years = (close.index[-1] - close.index[0]).days / 365.25
    assert (close.iloc[-1] / close.iloc[0]) ** (1 / years) - 1 == pytest.approx(0.0437, abs=0.0007)
