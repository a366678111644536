import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr

from lib.models.forecast_evaluation import forward_returns, rank_ic


@pytest.mark.parametrize(("horizon", "lag"), [(1, 0), (1, 1), (5, 1), (3, 2)])
def test_forward_returns_against_a_loop(horizon, lag):
    close = np.cumprod(1 + np.random.default_rng(1).normal(0, 0.02, (30, 4)), axis=0)
    got = forward_returns(close, horizon, lag)
    for row in range(len(close)):
        if row + lag + horizon < len(close):
            np.testing.assert_allclose(got[row], close[row + lag + horizon] / close[row + lag] - 1)
        else:
            assert np.isnan(got[row]).all()


def test_a_history_shorter_than_the_horizon_has_no_forward_return():
    assert np.isnan(forward_returns(np.ones((4, 3)), 5)).all()


values = st.one_of(st.just(np.nan), st.integers(-4, 4).map(float))


@given(arrays(float, (3, 14), elements=values), arrays(float, (3, 14), elements=values))
def test_rank_ic_against_scipy(scores, returns):
    got = rank_ic(scores, returns, min_pairs=5)
    for row in range(len(scores)):
        both = np.isfinite(scores[row]) & np.isfinite(returns[row])
        a, b = scores[row, both], returns[row, both]
        if both.sum() < 5 or len(set(a)) < 2 or len(set(b)) < 2:
            assert np.isnan(got[row])
        else:
            assert got[row] == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)


def test_too_few_pairs_give_no_rank_ic():
    scores = np.arange(9.0)[None]
    assert np.isnan(rank_ic(scores, scores)[0])
    assert rank_ic(np.arange(10.0)[None], np.arange(10.0)[None])[0] == pytest.approx(1.0)
