"""Subtracted dividends against markets whose true returns are known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.market.adjust import CLEAN, LOST, REPAIRED, find_adjustment


def fund(seed, rows=500, dividends=(), splits=(), noise=0.002, level=3.0, daily=0.012):
    """Return a fund as the provider shows it: adjusted bars, average raw price, true total return (slow oracle)."""
    rng = np.random.default_rng(seed)
    growth = 1 + np.clip(rng.normal(0, daily, rows), -0.09, 0.09)
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
    scale = np.array([np.prod([ratio.get(k, 1.0) for k in range(t + 1, rows)]) for t in range(rows)])
    spread = np.abs(rng.normal(0, 0.004, rows)) * raw / scale
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
    assert abs(shown.prod() / true - 1) > 0.01 or np.abs(shown - growth[1:]).max() > 0.005, "the fault is there"
    assert got == pytest.approx(true, rel=0.01)
    assert np.abs(mended[1:, 3] / mended[:-1, 3] - growth[1:]).max() < 0.004
    assert (found.verdict[:400] == REPAIRED).all()
    assert mended[0, 3] == pytest.approx(3.0, rel=0.01), "the chain starts at the first raw price"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_heavy_dividends_need_sixty_rows_to_be_told_from_a_split(seed):
    prices, average, growth = fund(seed, dividends=[(120, 0.3), (260, 0.25), (400, 0.4)])
    _, mended = mend(prices, average)
    error = np.abs(mended[1:, 3] / mended[:-1, 3] - growth[1:])
    assert error[:60].max() < 0.01, "until then the average raw price itself is followed, within the shown move"
    assert error[60:].max() < 0.006


def test_clean_and_merely_split_series_stay_as_they_are():
    for splits in ([], [(250, 2.0)], [(250, 0.365)]):
        prices, average, _ = fund(5, splits=splits)
        found, _ = mend(prices, average)
        assert (found.verdict == CLEAN).all() and (found.offset == 0).all() and (found.factor == 1).all()


def test_a_split_and_dividends_are_told_apart():
    prices, average, growth = fund(
        8, rows=700, dividends=[(200, 0.9), (500, 0.03), (600, 0.03)], splits=[(400, 10.0)], level=30.0
    )
    _, mended = mend(prices, average)
    got = mended[80:, 3] / mended[79:-1, 3]
    assert got.prod() == pytest.approx(growth[80:].prod(), rel=0.015)
    assert np.abs(got - growth[80:]).max() < 0.02


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
@given(seed=st.integers(0, 10_000), paid=st.floats(0.03, 0.6), when=st.integers(100, 250), cut=st.integers(1, 299))
def test_the_future_rewrites_no_row(seed, paid, when, cut):
    prices, average, _ = fund(seed, rows=300, dividends=[(when, paid)])
    found, mended = mend(prices, average)
    other, shares = prices.copy(), average.copy()
    other[cut:] *= np.random.default_rng(seed).uniform(0.3, 3.0, (300 - cut, 1))
    shares[cut:] = np.random.default_rng(seed + 1).uniform(0.01, 50, 300 - cut)
    again, remended = mend(other, shares)
    np.testing.assert_array_equal(again.verdict[:cut], found.verdict[:cut])
    np.testing.assert_array_equal(remended[:cut], mended[:cut])


@pytest.mark.real
def test_known_faults_of_real_etfs_are_mended(real_market_dir):
    bars = pd.read_parquet(real_market_dir / "bars" / "etf.parquet").sort_values(["symbol", "date"])
    bars = bars[bars["symbol"].isin(["510880.SH", "159922.SZ", "511220.SH"])]
    average = (bars["amount"] / bars["volume"]).where(bars["volume"] > 0).to_numpy()
    first = (bars["symbol"] != bars["symbol"].shift()).to_numpy()
    found = find_adjustment(first, bars[["open", "high", "low", "close"]].to_numpy(), average)
    assert (found.verdict != LOST).all()
    mended = bars.assign(close=(bars["close"] + found.offset) * found.factor)
    closes = mended.pivot(index="date", columns="symbol", values="close")
    dividend = closes["510880.SH"].dropna()
    year = dividend[:"2017"].iloc[-1] / dividend[:"2016"].iloc[-1] - 1
    assert year == pytest.approx(0.205, abs=0.005)
    moves = closes.pct_change(fill_method=None).abs()
    # in the first sixty rows the raw average stands in for the close
    assert moves[:"2015-09"].max().max() < 0.13 and moves["2015-10":].max().max() < 0.105
    bond = closes["511220.SH"].pct_change(fill_method=None).loc["2023-01-10":"2023-01-31"]
    assert bond.abs().max() < 0.01
