"""Slow inputs and textbook signals against pandas; what a score adds to them; the study of the
null.
"""

import numpy as np
import pandas as pd
import pytest
from test_gp_search import SEARCH, market

from lib.exhibits.parameters import load
from lib.exhibits.trials import read_trials
from lib.market.errors import ParameterError
from lib.models.forecast_evaluation import rank_ic
from lib.models.gp.inputs import factor_inputs
from lib.models.gp.null_study import NULL_STUDY, read_null_study, study_key
from lib.models.gp.settings import MiningSettings
from lib.models.gp.slow_inputs import SLOW_RECIPES
from lib.models.gp.textbook import TEXTBOOK, residual_scores, textbook_scores


@pytest.fixture(scope="module")
def panel():
    return market(rows=460, columns=16)


@pytest.fixture(scope="module")
def inputs(panel):
    return factor_inputs(panel)


def expected(panel):
    """Return every slow input by pandas."""
    close, volume, high, low, opens = (
        panel.frame(name) for name in ("close", "volume", "high", "low", "open")
    )
    r = close.pct_change()
    m = r.mean(axis=1)
    beta = r.rolling(120).cov(m).div(m.rolling(120).var(), axis=0)

    def residual(window):
        out = pd.DataFrame(np.nan, r.index, r.columns)
        for t in (299, 459):
            e = r.iloc[t - window + 1 : t + 1].sub(
                np.outer(m.iloc[t - window + 1 : t + 1], beta.iloc[t])
            )
            out.iloc[t] = e.sum() / (e.std() * np.sqrt(window))
        return out

    amplitude = (high - low) / close.shift()
    change = volume.pct_change()
    return {
        "momentum_20": close / close.shift(20) - 1,
        "momentum_60": close / close.shift(60) - 1,
        "momentum_120_20": close.shift(20) / close.shift(120) - 1,
        "momentum_250_20": close.shift(20) / close.shift(250) - 1,
        "residual_return_20": residual(20),
        "residual_return_120": residual(120),
        "beta_120": beta,
        "sharpe_250": r.rolling(250).mean() / r.rolling(250).std(),
        "volatility_20": r.rolling(20).std(),
        "volatility_120": r.rolling(120).std(),
        "volatility_20_120": r.rolling(20).std() / r.rolling(120).std() - 1,
        "skew_60": r.rolling(60).skew(),
        "volume_5_60": volume.rolling(5).mean() / volume.rolling(60).mean() - 1,
        "volume_20_120": volume.rolling(20).mean() / volume.rolling(120).mean() - 1,
        "volume_60_250": volume.rolling(60).mean() / volume.rolling(250).mean() - 1,
        "amplitude_20_60": amplitude.rolling(20).mean() / amplitude.rolling(60).mean() - 1,
        "price_volume_corr_20": close.rolling(20).corr(volume),
        "return_volume_corr_20": r.rolling(20).corr(change),
        "return_volume_corr_60": r.rolling(60).corr(change),
        "high_distance_60": close / close.rolling(60).max() - 1,
        "high_distance_250": close / close.rolling(250).max() - 1,
        "overnight_return_20": (opens / close.shift() - 1).rolling(20).mean(),
        "close_in_range_20": ((close - low) / (high - low)).rolling(20).mean(),
    }


def test_slow_inputs_are_what_pandas_says(panel, inputs):
    wanted = expected(panel)
    assert set(wanted) == set(SLOW_RECIPES)
    for name, frame in wanted.items():
        got = inputs.values[name][[299, 459]]
        assert np.isfinite(got).all(), name
        # skewness by pandas is unbiased, ours is that of the sample
        tolerance = dict(rtol=0.05, atol=0.02) if name == "skew_60" else dict(rtol=1e-8)
        np.testing.assert_allclose(got, frame.to_numpy()[[299, 459]], err_msg=name, **tolerance)


def test_textbook_scores_are_the_mean_of_signed_ranks(panel, inputs):
    ranks = [
        sign * (pd.DataFrame(inputs.values[name]).rank(axis=1, pct=True) - 0.5)
        for name, sign in TEXTBOOK.items()
    ]
    scores = textbook_scores(inputs)
    # kernels rank from 1/(2n), pandas from 1/n: a constant within a row
    wanted = sum(ranks).iloc[400] / 4
    difference = scores.iloc[400].to_numpy() - wanted.to_numpy()
    assert difference == pytest.approx(difference[0])
    assert scores.iloc[:119].isna().all(axis=None) and scores.iloc[270:].notna().all(axis=None)


def test_a_textbook_score_adds_nothing_to_itself_and_an_unrelated_one_everything(inputs):
    rows = inputs.dates[300:]
    scores = textbook_scores(inputs).loc[rows]
    own = pd.DataFrame(inputs.values["momentum_250_20"], inputs.dates, inputs.symbols).loc[rows]
    assert residual_scores(own, inputs).abs().max(axis=None) < 1e-12
    noise = scores * 0 + np.random.default_rng(0).standard_normal(scores.shape)
    left = residual_scores(noise, inputs)
    assert np.nanmean(rank_ic(left.to_numpy(), noise.to_numpy())) > 0.7
    assert abs(np.nanmean(rank_ic(left.to_numpy(), own.to_numpy()))) < 0.05


def test_residuals_need_all_signals_and_enough_symbols(inputs):
    rows = inputs.dates[[200, 400]]
    scores = pd.DataFrame(np.arange(32.0).reshape(2, 16), rows, inputs.symbols)
    residuals = residual_scores(scores, inputs)
    assert residuals.iloc[0].isna().all() and residuals.iloc[1].notna().all()
    scores.iloc[1, :7] = np.nan
    assert residual_scores(scores, inputs).isna().all(axis=None)


# --- the study of the null and the trials on file
# ---------------------------------------------------------------------


def test_the_key_of_a_study_survives_new_weeks_and_notes_other_data_and_settings(panel, inputs):
    small = MiningSettings(**SEARCH)
    until = inputs.dates[300]
    key = study_key(inputs, inputs, small, until)
    assert key == study_key(factor_inputs(panel.until(panel.dates[400])), inputs, small, until)
    assert key != study_key(
        factor_inputs(market(rows=460, columns=16, seed=1)), inputs, small, until
    )
    assert key != study_key(inputs, inputs, MiningSettings(**SEARCH | {"horizon": 6}), until)
    assert key != study_key(inputs, inputs, small, until, top=3)


def test_the_study_on_file_has_twenty_seeds_and_is_used_for_its_own_key_only():
    keys = pd.read_csv(NULL_STUDY, comment="#")["key"].unique()
    assert len(keys) == 1
    table = read_null_study(keys[0])
    assert len(table) >= 20 and table["seed"].is_unique and (table["rank_ic"].std() > 0)
    assert read_null_study("other").empty
    with pytest.raises(ParameterError, match="null study is missing"):
        read_null_study(keys[0], NULL_STUDY.with_name("nowhere.csv"))


def test_trials_on_file_end_before_the_scores_start():
    trials = read_trials("03_gp_rotation")
    assert trials["window_end"].max() <= pd.Timestamp(load("03_gp_rotation").first_quarter)
    assert trials["trials"].ge(1).all() and trials["trials"].sum() > 200
