"""The deflated Sharpe ratio against simulation and its own limits."""

import numpy as np
import pytest
from scipy import stats

from lib.market.errors import ParameterError
from lib.portfolio.deflated import (
    deflated_sharpe,
    expected_max_sharpe,
    probabilistic_sharpe,
    t_stat,
)


def test_the_expected_best_is_what_simulation_finds():
    draws = 0.1 * np.random.default_rng(0).standard_normal((4000, 50))
    assert expected_max_sharpe(50, 0.1) == pytest.approx(draws.max(axis=1).mean(), rel=0.03)


def test_one_trial_is_the_probabilistic_sharpe_ratio():
    returns = 0.001 + 0.01 * np.random.default_rng(1).standard_normal(500)
    sharpe = returns.mean() / returns.std(ddof=1)
    assert deflated_sharpe(returns, 1, 0.0) == pytest.approx(
        stats.norm.cdf(sharpe * np.sqrt(499)), abs=0.02
    )


def test_more_trials_leave_less():
    returns = 0.001 + 0.01 * np.random.default_rng(1).standard_normal(500)
    values = [deflated_sharpe(returns, trials, 0.05) for trials in (1, 5, 50)]
    assert values[0] > values[1] > values[2]


def test_constant_returns_have_none_and_no_trial_is_refused():
    assert np.isnan(deflated_sharpe(np.zeros(10), 2, 0.1))
    with pytest.raises(ParameterError, match="remedy"):
        expected_max_sharpe(0, 0.1)


def test_the_probabilistic_ratio_is_one_half_at_the_ratio_that_was_measured():
    returns = 0.001 + 0.01 * np.random.default_rng(1).standard_normal(500)
    sharpe = returns.mean() / returns.std(ddof=1)
    assert probabilistic_sharpe(returns, sharpe) == pytest.approx(0.5)
    assert probabilistic_sharpe(returns) == deflated_sharpe(returns, 1, 0.0)


def test_t_is_that_of_scipy():
    returns = 0.001 + 0.01 * np.random.default_rng(1).standard_normal(500)
    assert t_stat(np.append(returns, np.nan)) == pytest.approx(
        stats.ttest_1samp(returns, 0).statistic
    )
    assert np.isnan(t_stat(np.zeros(10)))
