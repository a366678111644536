import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, nnls
from sklearn.covariance import LedoitWolf

from lib.market.errors import ModelError
from lib.portfolio import budget_solver
from lib.portfolio import budgets as module
from lib.portfolio.budget_solver import conic, newton
from lib.portfolio.budgets import investable_share, risk_budget_weights, solve_risk_budgets
from lib.portfolio.covariance import (
    nearest_positive_definite,
    shrunk_covariance,
    shrunk_covariances,
)


def random_covariance(seed, n):
    rng = np.random.default_rng(seed)
    returns = pd.DataFrame(
        rng.normal(size=(120, n)) + 0.7 * rng.normal(size=(120, 1)),
        columns=[f"A{i}" for i in range(n)],
    )
    return shrunk_covariance(returns * np.geomspace(0.002, 0.05, n), 52.0).matrix


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 12))
def test_without_caps_the_contributions_are_the_budgets(seed, n):
    covariance = random_covariance(seed, n)
    share = np.random.default_rng(seed).dirichlet(np.ones(n) * 3)
    made = risk_budget_weights(covariance, pd.Series(share, covariance.index))
    np.testing.assert_allclose(made.contributions, share, atol=2e-4)
    assert (
        made.weights.sum() == pytest.approx(1)
        and (made.weights >= 0).all()
        and made.fallbacks == ()
    )


def test_caps_hold_and_the_solution_is_the_best_within_them():
    covariance = random_covariance(3, 6)
    even = pd.Series(1 / 6, covariance.index)
    classes = pd.Series(list("aabbcc"), covariance.index)
    made = risk_budget_weights(covariance, even, classes=classes, asset_cap=0.3, class_cap=0.45)
    assert made.weights.max() <= 0.3 + 1e-6
    assert made.weights.groupby(classes).sum().max() <= 0.45 + 1e-6

    def best_value(weights):
        # the scale of y that is best for given proportions makes the quadratic term a constant
        return -(even * np.log(weights)).sum() + 0.5 * np.log(weights @ covariance @ weights)

    rng = np.random.default_rng(1)
    for _ in range(200):
        near = made.weights * np.exp(rng.normal(0, 0.05, 6))
        near = near / near.sum()
        if near.max() <= 0.3 and near.groupby(classes).sum().max() <= 0.45:
            assert best_value(near) >= best_value(made.weights) - 1e-6


def test_the_target_scales_and_never_borrows():
    covariance = random_covariance(4, 4)
    even = pd.Series(0.25, covariance.index)
    free = risk_budget_weights(covariance, even)
    half = risk_budget_weights(covariance, even, target_volatility=free.volatility / 2)
    assert half.volatility == pytest.approx(free.volatility / 2) and half.fallbacks == (
        "scaled_to_target",
    )
    # two solves of an interior-point method agree to its own accuracy, which differs by build
    np.testing.assert_allclose(half.weights, free.weights / 2, atol=1e-4)
    assert risk_budget_weights(
        covariance, even, target_volatility=9.0
    ).weights.sum() == pytest.approx(1)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=8),
    st.sampled_from([0.1, 0.25, 0.3, 0.5, 1.0]),
    st.sampled_from([0.3, 0.5, 0.7, 1.0]),
)
def test_no_weight_exceeds_a_cap_and_no_more_cash_is_left_than_the_caps_ask_for(
    seed, names, asset_cap, class_cap
):
    """The sum of the weights is the optimum of the linear program that asks only how much the caps
    allow.
    """
    covariance = random_covariance(seed, len(names))
    classes = pd.Series(names, covariance.index)
    share = np.random.default_rng(seed).dirichlet(np.ones(len(names))) + 0.02
    budgets = pd.Series(share / share.sum(), covariance.index)
    made = risk_budget_weights(
        covariance, budgets, classes=classes, asset_cap=asset_cap, class_cap=class_cap
    )
    totals = made.weights.groupby(classes).sum()
    assert made.weights.max() <= asset_cap + 1e-12 and totals.max() <= class_cap + 1e-12
    members = [(classes == name).to_numpy(float) for name in totals.index]
    rows, limits = [*members, np.ones(len(names))], [*([class_cap] * len(members)), 1.0]
    most = -linprog(-np.ones(len(names)), rows, limits, bounds=(0.0, asset_cap)).fun
    assert made.weights.sum() == pytest.approx(most, abs=1e-6)
    assert ("caps_leave_cash" in made.fallbacks) == (most < 1 - 1e-6)
    assert "inverse_volatility" not in made.fallbacks


def test_a_single_asset_gets_its_cap_and_the_remainder_is_cash():
    covariance = random_covariance(5, 1)
    made = risk_budget_weights(covariance, pd.Series(1.0, covariance.index), asset_cap=0.25)
    assert made.fallbacks == ("caps_leave_cash",) and made.weights.tolist() == [pytest.approx(0.25)]


def test_a_class_at_its_cap_is_split_by_the_budgets_inside():
    """Two classes of which one fills its cap: inside it no other split is better, and the lone
    asset has its cap.
    """
    covariance = random_covariance(12, 5)
    even = pd.Series(0.2, covariance.index)
    classes = pd.Series(list("aaaab"), covariance.index)
    made = risk_budget_weights(covariance, even, classes=classes, asset_cap=0.25, class_cap=0.7)
    assert made.weights.iloc[4] == pytest.approx(
        0.25, abs=1e-6
    ) and made.weights.sum() == pytest.approx(0.95, abs=1e-6)

    def value(weights):
        return -(even * np.log(weights)).sum() + 0.5 * np.log(weights @ covariance @ weights)

    rng = np.random.default_rng(1)
    for _ in range(200):
        near = made.weights * np.exp(np.r_[rng.normal(0, 0.05, 4), 0.0])
        near[:4] *= 0.7 / near[:4].sum()
        if near.max() <= 0.25:
            assert value(near) >= value(made.weights) - 1e-6


def test_a_failing_newton_leads_to_the_conic_solver_and_then_to_inverse_volatility(monkeypatch):
    covariance = random_covariance(6, 3)
    even = pd.Series(1 / 3, covariance.index)
    plain = risk_budget_weights(covariance, even)
    monkeypatch.setattr(budget_solver, "MAX_STEPS", 0)
    made = risk_budget_weights(covariance, even)
    assert made.fallbacks == ("conic_solver",)
    np.testing.assert_allclose(made.weights, plain.weights, atol=1e-5)
    monkeypatch.setattr(module, "conic", lambda *_: (None, "failed"))
    made = risk_budget_weights(covariance, even)
    inverse = 1 / np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(made.weights, inverse / inverse.sum())
    assert made.fallbacks == ("inverse_volatility",)
    capped = risk_budget_weights(
        covariance, even, classes=pd.Series("a", covariance.index), asset_cap=0.4
    )
    np.testing.assert_allclose(capped.weights, np.minimum(made.weights, 0.4))


def test_a_covariance_that_is_not_positive_definite_is_not_solved_by_newton():
    broken = pd.DataFrame([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    assert risk_budget_weights(broken, pd.Series([1 / 3] * 3)).fallbacks == ("inverse_volatility",)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.lists(st.sampled_from("abc"), min_size=2, max_size=24),
    st.sampled_from([0.2, 0.33, 1.0]),
    st.sampled_from([0.45, 0.7, 1.0]),
)
def test_newton_finds_what_cvxpy_finds(seed, names, asset_cap, class_cap):
    """To 1e-8 where cvxpy reaches its own precision; elsewhere to the precision that it reports."""
    rng = np.random.default_rng(seed)
    covariance = random_covariance(seed, len(names)).to_numpy()
    budgets = rng.dirichlet(np.ones(len(names)) * 3) + 0.01
    budgets /= budgets.sum()
    deviation = np.sqrt(np.diag(covariance))
    size = deviation.min() / deviation
    members = np.array([[name == kind for name in names] for kind in sorted(set(names))], float)
    room = investable_share(members.sum(axis=1)[None], asset_cap, class_cap)[0]
    assume(room >= 1)  # less leaves a single point or a face, where an interior method has no room
    caps = np.vstack(
        [np.diag(size) - min(asset_cap, 1) * size, members * size - min(class_cap, 1) * size]
    )
    correlation = covariance / np.outer(deviation, deviation)
    x, solved = newton(correlation[None], budgets[None], caps[None])
    expected, status = conic(correlation, budgets, caps, 1e-13)
    assert solved.all() and expected is not None
    weights, oracle = ((y * size) / (y * size).sum() for y in (x[0], expected))
    np.testing.assert_allclose(weights, oracle, atol=1e-8 if status == "optimal" else 1e-5)
    # the conditions of Karush, Kuhn and Tucker, without any solver: the gradient is a sum of
    # binding caps with multipliers that are not negative
    gradient = budgets / x[0] - correlation @ x[0]
    slack = caps @ x[0]
    assert slack.max() <= 1e-10
    binding = np.vstack([caps[slack > -1e-9], np.zeros(len(names))])
    _, rest = nnls(binding.T, gradient)
    assert rest < 1e-7


def test_without_a_variance_there_are_no_weights():
    covariance = random_covariance(7, 3) * 0
    with pytest.raises(ModelError, match="no usable variance"):
        risk_budget_weights(covariance, pd.Series(1 / 3, covariance.index))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 8))
def test_many_decisions_at_once_are_solved_as_each_alone(seed, count):
    rng = np.random.default_rng(seed)
    covariances = np.array([random_covariance(seed + row, 6) for row in range(count)])
    budgets = rng.dirichlet(np.ones(6), count) * (rng.random((count, 6)) < 0.7)
    budgets /= np.maximum(budgets.sum(axis=1, keepdims=True), 1e-12)
    groups = np.array([0, 0, 1, 1, 2, 2])
    limits = {"asset_cap": 0.4, "class_cap": 0.6, "target_volatility": 0.1}
    whole = solve_risk_budgets(covariances, budgets, groups, **limits)
    for row in range(count):
        one = slice(row, row + 1)
        alone = solve_risk_budgets(covariances[one], budgets[one], groups, **limits)
        np.testing.assert_allclose(alone.weights[0], whole.weights[row], rtol=1e-12)
        assert alone.fallbacks[0] == whole.fallbacks[row]


def test_a_zero_budget_gives_a_zero_weight():
    covariance = random_covariance(8, 3)
    made = risk_budget_weights(covariance, pd.Series([0.5, 0.0, 0.5], covariance.index))
    assert made.weights.iloc[1] == 0


@pytest.mark.parametrize(
    ("share", "options", "message"),
    [
        ([0.5, 0.4], {}, "sum to 0.9"),
        ([1.5, -0.5], {}, "negative"),
        ([0.5, np.nan], {}, "missing"),
        ([0.5, 0.5], {"asset_cap": 0.0}, "asset cap"),
        ([0.5, 0.5], {"target_volatility": -0.1}, "target volatility"),
    ],
)
def test_bad_input_is_refused(share, options, message):
    covariance = random_covariance(9, 2)
    with pytest.raises(ModelError, match=message):
        risk_budget_weights(covariance, pd.Series(share, covariance.index), **options)


def test_a_covariance_that_is_not_positive_definite_is_repaired():
    broken = np.array([[[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]], np.eye(3)])
    lifted, repaired = nearest_positive_definite(broken)
    assert repaired.tolist() == [True, False] and np.linalg.eigvalsh(lifted).min() > 0
    np.testing.assert_allclose(np.diagonal(lifted, axis1=1, axis2=2), 1.0)
    assert not nearest_positive_definite(lifted)[1].any()
    with pytest.raises(ModelError, match="not a covariance matrix"):
        nearest_positive_definite(np.array([[[1.0, 0.5], [0.1, 1.0]]]))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(20, 120))
def test_the_shrinkage_is_that_of_scikit_learn(seed, n, length):
    """Assets that are not usable, NaN or not, change nothing for the others."""
    rng = np.random.default_rng(seed)
    returns = (rng.normal(size=(2, length, n)) + rng.normal(size=(2, length, 1))) * 0.01
    returns[1, 3:5, 0] = np.nan
    usable = rng.random((2, n)) < 0.8
    usable[1, 0] = False
    covariances, repaired = shrunk_covariances(returns, usable, 52.0)
    assert not repaired.any()
    for window, held, found in zip(returns, usable, covariances, strict=True):
        assert np.isnan(found[~held]).all()
        if held.any():
            deviation = window[:, held].std(axis=0)
            fit = LedoitWolf().fit(window[:, held] / deviation)
            expected = fit.covariance_ * np.outer(deviation, deviation) * 52.0
            np.testing.assert_allclose(found[np.ix_(held, held)], expected, rtol=1e-9, atol=1e-16)


def test_short_or_still_returns_give_no_covariance():
    returns = pd.DataFrame(np.random.default_rng(1).normal(size=(30, 2)), columns=["a", "b"])
    with pytest.raises(ModelError, match="at least 20"):
        shrunk_covariance(returns.iloc[:10], 52.0)
    with pytest.raises(ModelError, match="does not move"):
        shrunk_covariance(returns.assign(b=0.0), 52.0)
