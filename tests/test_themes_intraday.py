"""The intraday band: its features by hand, its way from the store to the scores, and nothing from
the future.
"""

import numpy as np
import pandas as pd
import pytest
from market_folder import tables, write_folder
from scipy.stats import skew

from lib.market.folder import FolderSource
from lib.market.ingest import ingest
from lib.market.panel import Panel
from lib.market.pointintime import Market
from lib.market.store import Store
from lib.models.themes.features import features
from lib.models.themes.intraday import (
    HALF_HOURS,
    INTRADAY_FEATURES,
    intraday_band,
    session_features,
)


def session(day, seed=0):
    """Return 240 one-minute bars of a session, each named by the minute it ends in."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp(day)
    morning = pd.date_range(start + pd.Timedelta("9h31min"), periods=120, freq="min")
    afternoon = pd.date_range(start + pd.Timedelta("13h1min"), periods=120, freq="min")
    close = 10 * np.exp(rng.normal(0, 0.001, 240).cumsum())
    open_ = close * np.exp(rng.normal(0, 0.0005, 240))
    return pd.DataFrame(
        {
            "time": morning.append(afternoon),
            "open": open_,
            "high": np.maximum(open_, close) * 1.0005,
            "low": np.minimum(open_, close) * 0.9995,
            "close": close,
            "volume": rng.integers(1_000, 9_000, 240).astype(float),
        }
    ).assign(amount=lambda bars: bars["close"] * bars["volume"])


def test_the_features_by_hand():
    bars = session("2025-03-03")
    # sessions before and after must not mix with it
    days = [session("2025-02-28", 1), bars, session("2025-03-04", 2)]
    values = session_features(pd.concat(days)).loc["2025-03-03"]
    returns = np.log(bars["close"]).diff()
    assert list(values.index) == list(INTRADAY_FEATURES)
    assert values["last_half_hour_skewness"] == pytest.approx(skew(returns[-30:]))
    assert values["downside_share"] == pytest.approx(
        (returns[returns < 0] ** 2).sum() / (returns**2).sum()
    )
    assert values["autocorrelation"] == pytest.approx(returns.corr(returns.shift()))
    assert values["close_next_open_correlation"] == pytest.approx(
        bars["close"].shift().corr(bars["open"])
    )
    assert values["volume_return_correlation_to_10"] == pytest.approx(
        bars["volume"][1:30].corr(returns[1:30])
    )
    amplitude = bars["high"] / bars["low"] - 1
    assert values["volume_amplitude_correlation"] == pytest.approx(bars["volume"].corr(amplitude))
    shares = [values[f"volume_share_{number}"] for number in range(1, len(HALF_HOURS) + 1)]
    assert shares == pytest.approx(
        (bars["volume"].to_numpy().reshape(8, 30).sum(axis=1) / bars["volume"].sum()).tolist()
    )


def test_half_a_session_or_one_without_a_move_has_no_number_that_is_not_defined():
    bars = session("2025-03-03")
    assert session_features(bars.iloc[:100]).isna().all(axis=None)
    still = session_features(bars.assign(open=10.0, high=10.0, low=10.0, close=10.0, volume=0.0))
    assert len(still) == 1 and still.isna().all(axis=None)


def test_minute_bars_come_from_a_folder_up_to_the_date_seen_from(tmp_path):
    files = tables()
    days = files["bars/stock.csv"]["date"].tail(3)
    bars = pd.concat([session(day, seed) for seed, day in enumerate(days)]).assign(
        symbol="600519.SH"
    )
    store = Store(tmp_path / "store.duckdb")
    ingest(
        FolderSource(write_folder(tmp_path / "desk", files | {"minute_bars/stock.csv": bars})),
        store,
    )
    market = Market(store, days.iloc[1])
    symbols = market.instruments().index
    assert list(market.with_minute_bars(symbols)) == ["600519.SH"]
    seen = market.minute_bars("600519.SH")
    assert len(seen) == 480 and seen["time"].max() == pd.Timestamp(days.iloc[1]) + pd.Timedelta(
        "15h"
    )
    band = intraday_band([("600519.SH", seen)], symbols, pd.DatetimeIndex(days))
    row = band["downside_share"][symbols.get_loc("600519.SH")]
    assert np.isfinite(row[:2]).all() and np.isnan(row[2])
    assert np.isnan(np.delete(band["downside_share"], symbols.get_loc("600519.SH"), axis=0)).all()
    before = Market(store, files["bars/stock.csv"]["date"].iloc[5])
    assert before.with_minute_bars(symbols).empty
    assert intraday_band([], symbols, pd.DatetimeIndex(days)) == {}


def test_the_band_is_averaged_ranked_and_knows_no_future():
    rng = np.random.default_rng(1)
    close = 10 * np.exp(rng.normal(0, 0.02, (140, 12)).cumsum(axis=0))
    fields = dict.fromkeys(("open", "high", "low", "close"), close) | {
        "volume": close * 1e5,
        "amount": close * 1e6,
    }
    panel = Panel(
        pd.bdate_range("2024-01-01", periods=140), pd.Index(list("abcdefghijkl")), fields, close > 0
    )
    band = {"downside_share": rng.random((12, 140))}
    values, names, _ = features(panel, panel.dates[[100, 120]], 2, intraday=band)
    assert names[0] == "intraday_downside_share"
    mean = pd.Series(band["downside_share"][:, 81:101].mean(axis=1))
    np.testing.assert_allclose(values[0, :, 0], (mean.rank() - 0.5) / 12 - 0.5, atol=1e-6)
    later = {"downside_share": np.where(np.arange(140) > 100, 0.5, band["downside_share"])}
    after, _, _ = features(panel, panel.dates[[100, 120]], 2, intraday=later)
    np.testing.assert_array_equal(values[0], after[0])
    assert not np.array_equal(values[1], after[1], equal_nan=True)
