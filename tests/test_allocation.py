import numpy as np
import pandas as pd
import pytest

from lib.market.errors import ModelError
from lib.models.assets import values_on
from lib.models.momentum import momentum
from lib.models.pricing import cycle_views
from lib.portfolio.allocation import Allocator, Rules
from lib.portfolio.comparisons import kept_views, placebos, simple_portfolios

CLASSES = pd.Series(["x", "x", "y", "y", "z", "z"], list("abcdef"))


def made(change=None, cache_dir=None):
    rng = np.random.default_rng(11)
    days = pd.bdate_range("2005-01-03", "2014-12-31")
    values = pd.DataFrame(np.exp(rng.normal(0.0002, 0.01, (len(days), 6)).cumsum(axis=0)), days, list("abcdef"))
    if change is not None:
        values = change(values)
    ends = pd.DatetimeIndex(pd.Series(days, days).groupby([days.year, days.month]).last())
    monthly = values_on(values, ends)
    decisions = ends[-24:]
    scores = pd.DataFrame(rng.normal(size=(24, 3)), decisions, list("xyz"))
    return Allocator(values, monthly, momentum(monthly), CLASSES, decisions, cache_dir), scores, decisions


@pytest.mark.parametrize("variant", ["intersection", "cycle_budget", "momentum"])
def test_weights_obey_the_rules(variant):
    allocator, scores, decisions = made()
    allocation = allocator.allocate(scores, Rules(variant=variant, target_volatility=0.05))
    assert (allocation.weights >= 0).all(axis=None) and (allocation.weights.sum(axis=1) <= 1 + 1e-9).all()
    assert (allocation.volatility.dropna() <= 0.05 + 1e-9).all()
    if variant == "intersection":
        for date in decisions:
            best = set(scores.loc[date].nlargest(2).index)
            fresh = not ((allocation.steps["date"] == date) & (allocation.steps["step"] == "nothing_selected")).any()
            held = allocation.weights.columns[allocation.weights.loc[date] > 0]
            assert not fresh or set(CLASSES[held]) <= best


def test_the_future_changes_no_weight():
    cut = pd.Timestamp("2014-01-31")
    before, scores, _ = made()
    after, _, _ = made(lambda values: values.mul(np.where(values.index <= cut, 1.0, 3.0), axis=0))
    first, second = (a.allocate(scores, Rules()).weights.loc[:cut] for a in (before, after))
    assert len(first) > 5
    pd.testing.assert_frame_equal(first, second)


def test_an_asset_that_hardly_moves_or_has_a_gap_is_left_out_and_named():
    def change(values):
        values["a"] = np.linspace(1, 1.1, len(values)) * (1 + 1e-6 * (np.arange(len(values)) % 2))
        values.loc["2013-11-01":"2014-02-01", "b"] = np.nan
        values.loc[:"2011-06-30", "c"] = np.nan
        return values

    allocator, scores, _ = made(change)
    allocation = allocator.allocate(scores, Rules(variant="momentum"))
    assert (allocation.weights[["a", "c"]] == 0).all(axis=None)
    told = set(zip(allocation.steps["step"], allocation.steps["detail"], strict=True))
    assert {("hardly_moves", "a"), ("gap", "b"), ("short_history", "c")} <= told


def test_nothing_selected_keeps_the_previous_weights():
    allocator, scores, decisions = made()
    scores.iloc[5] = np.nan
    allocation = allocator.allocate(scores, Rules())
    pd.testing.assert_series_equal(allocation.weights.iloc[5], allocation.weights.iloc[4], check_names=False)
    assert ((allocation.steps["date"] == decisions[5]) & (allocation.steps["step"] == "nothing_selected")).any()


def test_simple_portfolios_and_placebos():
    allocator, scores, _ = made()
    simple = simple_portfolios(allocator, Rules())
    np.testing.assert_allclose(simple["equal_weight"].sum(axis=1), 1)
    np.testing.assert_allclose(simple["inverse_volatility"].sum(axis=1), 1)
    less = placebos(allocator, scores, Rules(top_classes=1), draws=2)
    again = placebos(allocator, scores, Rules(top_classes=1), draws=2)
    assert list(less) == ["reversed", "momentum_only", "random_01", "random_02"]
    pd.testing.assert_frame_equal(less["random_02"].weights, again["random_02"].weights)


def test_bad_settings_are_refused():
    allocator, scores, _ = made()
    with pytest.raises(ModelError, match="no variant"):
        allocator.allocate(scores, Rules(variant="best"))
    with pytest.raises(ModelError, match="do not fit"):
        allocator.allocate(scores, Rules(covariance_weeks=5000))


def test_a_kept_allocation_is_the_same_and_depends_on_data_and_rules(tmp_path):
    fresh, scores, _ = made()
    expected = fresh.allocate(scores, Rules())
    for _ in range(2):
        kept = made(cache_dir=tmp_path)[0].allocate(scores, Rules())
        for part in ("weights", "contributions", "budgets", "steps"):
            pd.testing.assert_frame_equal(getattr(kept, part), getattr(expected, part), check_freq=False)
        pd.testing.assert_series_equal(kept.volatility, expected.volatility, check_freq=False, check_names=False)
    assert len(list((tmp_path / "allocation").iterdir())) == 1
    made(cache_dir=tmp_path)[0].allocate(scores, Rules(asset_cap=0.4))
    made(lambda values: values * values, tmp_path)[0].allocate(scores, Rules())
    assert len(list((tmp_path / "allocation").iterdir())) == 3


def test_kept_views_are_those_of_the_cycle_and_depend_on_the_settings(tmp_path):
    allocator, _, decisions = made(cache_dir=tmp_path)
    monthly = values_on(allocator.values, decisions)
    months = pd.date_range("1995-01-31", decisions[0], freq="BME")[:-1]
    rng = np.random.default_rng(5)
    early = pd.DataFrame(np.exp(rng.normal(0, 0.05, (len(months), 6)).cumsum(axis=0)), months, monthly.columns)
    monthly = pd.concat([early, monthly])
    fresh = cycle_views(monthly, CLASSES, decisions, (42, 100), 10.0, 50)
    for _ in range(2):  # made, then read back
        kept = kept_views(allocator, monthly, (42, 100), 10.0, 50)
        assert kept.classes.equals(fresh.classes) and kept.assets.equals(fresh.assets)
    other = kept_views(allocator, monthly * 1.01 ** np.arange(len(monthly))[:, None] ** 0.5, (42, 100), 10.0, 50)
    wider, shorter = (kept_views(allocator, monthly, (42, 100), *setting) for setting in ((5.0, 50), (10.0, 36)))
    assert not any(one.classes.equals(fresh.classes) for one in (other, wider, shorter))
