import numpy as np
import pandas as pd
import pytest

from lib.market.errors import ModelError
from lib.market.sample.effects import CYCLE_PHASES
from lib.market.universe import read_universe
from lib.models.cycle_scores import class_index
from lib.models.cycles import (
    CYCLE_PERIODS,
    TRANSFORM_LENGTH,
    cycle_factors,
    decompose,
    gaussian_window,
    harmonic_f_test,
    yearly_change,
)
from lib.models.total_return import asof_rows, total_return_index


def wave(length, period, phase=0.0):
    return np.cos(2 * np.pi * np.arange(length) / period + phase)


def test_against_convolution_in_the_time_domain():
    change = np.random.default_rng(2).normal(size=240)
    made = cycle_factors(change, CYCLE_PERIODS, 10.0, horizon=12)
    n = np.arange(TRANSFORM_LENGTH)
    for column, period in enumerate(CYCLE_PERIODS):
        gains = gaussian_window(period, 10.0)
        used = np.flatnonzero(gains > 1e-18)
        kernel = (gains[used, None] * np.cos(2 * np.pi * np.outer(used, n) / TRANSFORM_LENGTH)).sum(
            axis=0
        ) / TRANSFORM_LENGTH
        source = np.arange(TRANSFORM_LENGTH - 240, TRANSFORM_LENGTH)
        for place, at in [
            (0, TRANSFORM_LENGTH - 240),
            (120, TRANSFORM_LENGTH - 120),
            (239, TRANSFORM_LENGTH - 1),
            (240, 0),
            (251, 11),
        ]:
            assert made[place, column] == pytest.approx(
                kernel[(at - source) % TRANSFORM_LENGTH] @ change, abs=1e-10
            )


def test_bins_count_from_one():
    window = gaussian_window(64, 10.0)
    assert window[TRANSFORM_LENGTH // 64] == 1.0 and window[-TRANSFORM_LENGTH // 64] == 1.0


@pytest.mark.parametrize("period", CYCLE_PERIODS)
def test_a_pure_sine_is_found(period):
    """A long wave in the middle of the sample keeps its amplitude and phase, and its own filter
    takes most of it.
    """
    change = wave(2400, period, 0.7)
    made = cycle_factors(change, CYCLE_PERIODS, 10.0)
    own = CYCLE_PERIODS.index(period)
    assert np.abs(made[1000:1400, own] - change[1000:1400]).max() < 0.03
    assert made[1000:1400, own].std() == made[1000:1400].std(axis=0).max()


@pytest.mark.parametrize("period", [42, 100])
def test_the_forecast_of_a_pure_sine(period):
    change = pd.Series(wave(420, period, 0.4), pd.date_range("1990-01-31", periods=420, freq="ME"))
    made = decompose(change, (period,), horizon=12)
    ahead = wave(432, period, 0.4)[420:]
    # the edge damps the wave and the regression restores its size on average: measured error 0.23
    # and 0.25
    assert np.sqrt(np.mean((made.fitted.iloc[420:] - ahead) ** 2)) < 0.27
    angle = (2 * np.pi * 419 / period + 0.4) % (2 * np.pi)
    assert abs(np.angle(np.exp(1j * (made.phase.iloc[0] - angle)))) < 0.2
    assert made.share.iloc[0] > 0.7


def test_the_future_changes_nothing():
    change = np.random.default_rng(4).normal(size=300)
    before = cycle_factors(change[:200], horizon=1)
    change[200:] = 99.0
    np.testing.assert_array_equal(before, cycle_factors(change[:200], horizon=1))


@pytest.mark.parametrize(
    ("change", "width", "message"),
    [
        (np.zeros(59), 10.0, "59 months"),
        (np.zeros(5000), 10.0, "5000 months"),
        (np.r_[np.zeros(80), np.nan], 10.0, "gap"),
        (np.zeros(80), 0.0, "width"),
    ],
)
def test_bad_input_is_refused(change, width, message):
    with pytest.raises(ModelError, match=message):
        cycle_factors(change, width=width)


def class_levels(market, name):
    assets = read_universe("allocation")
    values = total_return_index(market.closes(assets.index), assets)
    ends = market.sessions.month_ends(until=market.as_of)
    return class_index(asof_rows(values, ends)[assets.index[assets["group"] == name]]), ends


def test_planted_cycles_are_recovered_on_the_sample(sample_market):
    """Phases come out within 0.9 radians of those planted; log price sin(x) has yearly changes that
    peak as cos(x).
    """
    _, ends = class_levels(sample_market, "equity")
    months = (ends[-1] - pd.Timestamp("1990-01-01")).days / (365.25 / 12)
    for name in ("equity", "bond", "commodity"):
        level, _ = class_levels(sample_market, name)
        made = decompose(yearly_change(level))
        planted = [
            2 * np.pi * (months - 6) / t + p
            for t, p in zip(CYCLE_PERIODS, CYCLE_PHASES[name], strict=True)
        ]
        error = np.angle(np.exp(1j * (made.phase.to_numpy() - planted)))
        assert np.abs(error).max() < 0.9, name
        # without any cycle the regression reaches half on these data
        assert made.ols.rsquared > 0.6
        assert harmonic_f_test(level) < 1e-4


def test_the_sample_without_effects_shows_no_cycle(sample_null_market):
    for name in ("equity", "bond", "commodity", "fx"):
        level, _ = class_levels(sample_null_market, name)
        assert harmonic_f_test(level) > 0.05, name


def test_the_p_value_is_uniform_in_noise_and_small_for_a_wave():
    months = pd.date_range("1990-01-31", periods=400, freq="ME")
    noise = np.random.default_rng(3).normal(0, 0.04, (200, 400)).cumsum(axis=1)
    chances = np.array([harmonic_f_test(pd.Series(np.exp(walk), months)) for walk in noise])
    assert 0.4 < chances.mean() < 0.6 and (chances < 0.05).mean() < 0.1
    wave = 0.3 * np.sin(2 * np.pi * np.arange(400) / 100)
    assert harmonic_f_test(pd.Series(np.exp(noise[0] + wave), months)) < 0.001
    with pytest.raises(ModelError, match="monthly changes"):
        harmonic_f_test(pd.Series(np.exp(noise[0][:40]), months[:40]))
