from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest

from lib.market.calendar import Week
from lib.market.errors import ModelError
from lib.market.universe import read_universe
from lib.models.cycle_scores import cycle_scores
from lib.models.momentum import momentum
from lib.models.total_return import asof_rows, total_return_index
from lib.portfolio.allocation import VARIANTS, AllocationRules, Allocator, class_budgets
from lib.portfolio.backtest import backtest
from lib.portfolio.comparisons import (
    benchmark_portfolios,
    circular_shifts,
    paired_difference,
    performance_table,
    placebos,
    realised_risk,
)
from lib.portfolio.metrics import performance

BASE = AllocationRules(
    variant="cycle_budget",
    asset_cap=0.25,
    class_cap=0.7,
    target_volatility=0.05,
    covariance_weeks=104,
)
rules = partial(replace, BASE)
CLASSES = pd.Series(["x", "x", "y", "y", "z", "z"], list("abcdef"))


def made(change=None):
    rng = np.random.default_rng(11)
    days = pd.bdate_range("2005-01-03", "2014-12-31")
    values = pd.DataFrame(
        np.exp(rng.normal(0.0002, 0.01, (len(days), 6)).cumsum(axis=0)), days, list("abcdef")
    )
    if change is not None:
        values = change(values)
    ends = pd.DatetimeIndex(pd.Series(days, days).groupby([days.year, days.month]).last())
    monthly = asof_rows(values, ends)
    decisions = ends[-24:]
    scores = pd.DataFrame(rng.normal(size=(24, 3)), decisions, list("xyz"))
    return (
        Allocator(values, monthly, momentum(monthly, 12), CLASSES, decisions),
        scores,
        decisions,
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_weights_obey_the_rules(variant):
    allocator, scores, decisions = made()
    allocation = allocator.allocate(scores, rules(variant=variant, target_volatility=0.05))
    assert (allocation.weights >= 0).all(axis=None) and (
        allocation.weights.sum(axis=1) <= 1 + 1e-9
    ).all()
    assert (allocation.volatility.dropna() <= 0.05 + 1e-9).all()
    assert allocation.weights.max(axis=None) <= rules().asset_cap + 1e-9
    assert allocation.weights.T.groupby(CLASSES).sum().max(axis=None) <= rules().class_cap + 1e-9
    if variant == "intersection":
        for date in decisions:
            best = set(scores.loc[date].nlargest(2).index)
            fresh = not (
                (allocation.events["date"] == date)
                & (allocation.events["event"] == "nothing_selected")
            ).any()
            held = allocation.weights.columns[allocation.weights.loc[date] > 0]
            assert not fresh or set(CLASSES[held]) <= best


def test_the_future_changes_no_weight():
    cut = pd.Timestamp("2014-01-31")
    before, scores, _ = made()
    after, _, _ = made(lambda values: values.mul(np.where(values.index <= cut, 1.0, 3.0), axis=0))
    first, second = (a.allocate(scores, rules()).weights.loc[:cut] for a in (before, after))
    assert len(first) > 5
    pd.testing.assert_frame_equal(first, second)


def test_an_asset_that_hardly_moves_or_has_a_gap_is_left_out_and_named():
    def change(values):
        values["a"] = np.linspace(1, 1.1, len(values)) * (1 + 1e-6 * (np.arange(len(values)) % 2))
        values.loc["2013-11-01":"2014-02-01", "b"] = np.nan
        values.loc[:"2011-06-30", "c"] = np.nan
        return values

    allocator, scores, _ = made(change)
    allocation = allocator.allocate(scores, rules(variant="momentum"))
    assert (allocation.weights[["a", "c"]] == 0).all(axis=None)
    told = set(zip(allocation.events["event"], allocation.events["detail"], strict=True))
    assert {("hardly_moves", "a"), ("gap", "b"), ("short_history", "c")} <= told


def test_nothing_selected_keeps_the_previous_weights():
    allocator, scores, decisions = made()
    scores.iloc[5] = np.nan
    allocation = allocator.allocate(scores, rules())
    pd.testing.assert_series_equal(
        allocation.weights.iloc[5], allocation.weights.iloc[4], check_names=False
    )
    assert (
        (allocation.events["date"] == decisions[5])
        & (allocation.events["event"] == "nothing_selected")
    ).any()


def test_caps_that_leave_cash_are_recorded_with_the_sum_that_they_allow():
    """Of six assets in three classes at most three are selected, of two classes at most: never
    four.
    """
    allocator, scores, _ = made()
    allocation = allocator.allocate(scores, rules(variant="intersection", target_volatility=None))
    noted = (
        allocation.events[allocation.events["event"] == "caps_leave_cash"]
        .set_index("date")["detail"]
        .astype(float)
    )
    fresh = allocation.weights.drop(
        allocation.events.loc[allocation.events["event"] == "nothing_selected", "date"]
    )
    assert len(noted) == len(fresh)
    np.testing.assert_allclose(fresh.sum(axis=1), noted[fresh.index], atol=1e-6)
    wide = allocator.allocate(scores, rules(variant="intersection", asset_cap=1.0, class_cap=1.0))
    assert "caps_leave_cash" not in set(wide.events["event"])


def test_a_part_of_the_decisions_gets_the_weights_of_the_whole():
    allocator, scores, _ = made()
    whole, part = (allocator.allocate(some, rules()) for some in (scores, scores.iloc[10:]))
    pd.testing.assert_frame_equal(part.weights, whole.weights.iloc[10:])
    strange = scores.set_axis(scores.index.shift(1, freq="D"))
    with pytest.raises(ModelError, match="without a decision"):
        allocator.allocate(strange, rules())


def test_simple_portfolios():
    allocator, _, _ = made()
    simple = benchmark_portfolios(allocator, rules())
    np.testing.assert_allclose(simple["equal_weight"].sum(axis=1), 1)
    np.testing.assert_allclose(simple["inverse_volatility"].sum(axis=1), 1)


def test_circular_shifts_keep_the_persistence_of_the_scores():
    months = pd.date_range("2010-01-31", periods=120, freq="ME")
    scores = pd.DataFrame(
        np.random.default_rng(3).normal(size=(120, 3)).cumsum(axis=0), months, list("xyz")
    )
    scores.iloc[:4, 2] = np.nan

    def dwell(table):
        return (table.rank(axis=1).diff().iloc[5:] == 0).all(axis=1).mean()

    shifts = circular_shifts(scores, 20)
    # a lag of a year at least, and before the seam a lead too long to know the coming returns
    assert len(shifts) == 20 and min(shifts) == 12 and max(shifts) == 116 - 62
    for shift, moved in shifts.items():
        # one seam apart the order of the classes lasts as long as it does in the scores themselves
        assert dwell(moved) == pytest.approx(dwell(scores), abs=2.5 / 115)
        pd.testing.assert_frame_equal(moved.iloc[:4], scores.iloc[:4])
        np.testing.assert_array_equal(
            moved.to_numpy()[4 + shift :], scores.to_numpy()[4 : 120 - shift]
        )
    shuffled = pd.DataFrame(
        np.random.default_rng(1).permutation(scores.to_numpy()), months, list("xyz")
    )
    assert dwell(shuffled) < dwell(scores) - 0.2
    assert list(circular_shifts(scores.iloc[:30], 1)) == [12]
    with pytest.raises(ModelError, match="26 months of scores cannot be shifted in 30 ways"):
        circular_shifts(scores.iloc[:30], 30)


def test_placebos_are_reversed_and_shifted():
    allocator, scores, _ = made()
    wrong = placebos(allocator, scores, rules(), draws=2)
    again = placebos(allocator, scores, rules(), draws=2)
    assert list(wrong) == ["reversed", "shifted_11", "shifted_13"]
    for name, allocation in wrong.items():
        pd.testing.assert_frame_equal(allocation.weights, again[name].weights)
    pd.testing.assert_frame_equal(
        wrong["reversed"].weights, allocator.allocate(-scores, rules()).weights
    )


def held_portfolio(growth=0.0, days=900):
    """Two assets half and half; the first is three times as volatile in the first half of the
    history.
    """
    rng = np.random.default_rng(4)
    dates = pd.bdate_range("2012-01-02", periods=days)
    returns = growth + rng.normal(0.0, 1.0, (days, 2)) * [0.004, 0.004]
    returns[: days // 2, 0] *= 3
    prices = pd.DataFrame(np.cumprod(1 + returns, axis=0), dates, ["a", "b"])
    return prices, backtest(prices, pd.DataFrame(0.5, dates[:-1:20], ["a", "b"]))


def test_realised_risk_is_that_of_returns_whatever_the_value_has_grown_to():
    """Profits in units of the starting value would weigh the days after the portfolio has grown
    most.
    """
    prices, run = held_portfolio(growth=0.003)
    shares = realised_risk(run, pd.Series({"a": "x", "b": "y"}), prices.index[1], prices.index[-1])
    assert shares.sum() == pytest.approx(1)
    # weights at the close before are what a session's return is earned on
    held = run.weights.shift(1) * prices.pct_change()
    total = held.sum(axis=1)
    assert shares["x"] == pytest.approx(held["a"].cov(total) / total.var(), abs=1e-3)
    profit = run.contributions
    by_profit = profit["a"].cov(profit.sum(axis=1)) / profit.sum(axis=1).var()
    assert by_profit < shares["x"] - 0.1


def test_the_difference_of_two_portfolios_and_its_error():
    rng = np.random.default_rng(6)
    dates = pd.bdate_range("2010-01-01", periods=2500)
    common = rng.normal(0.0003, 0.004, 2500)
    nav = pd.Series(np.cumprod(1 + common), dates)
    better = pd.Series(np.cumprod(1 + common + 0.0002 + rng.normal(0, 0.0005, 2500)), dates)
    gap = paired_difference(better, nav)
    figures = performance(pd.DataFrame({"better": better, "nav": nav}))
    for metric in ("annual_return", "sharpe"):
        expected = figures.loc[metric, "better"] - figures.loc[metric, "nav"]
        assert gap.loc[metric, "difference"] == pytest.approx(expected, rel=1e-6)
    # independent noise of 0.0005 a session is 0.0005 * sqrt(261 / 9.6 years) in log terms, at 1.14
    # of annual growth
    assert gap.loc["annual_return", "standard_error"] == pytest.approx(0.0026 * 1.14, rel=0.25)
    assert (gap["difference"] > 5 * gap["standard_error"]).all()
    same = paired_difference(nav, nav)
    assert (same.abs() < 1e-12).all(axis=None)
    pd.testing.assert_frame_equal(gap, paired_difference(better, nav))


def test_the_performance_table_ends_with_the_week_and_knows_its_error():
    prices, run = held_portfolio()
    week = Week(prices.index[-15], prices.index[-11], prices.index[-16])
    row = performance_table({"one": run}, week).loc["one"]
    assert row["sharpe"] == performance(run.gross.loc[: week.last]).loc["sharpe", "gross"]
    years = (week.last - prices.index[0]).days / 365.25
    assert row["sharpe_error"] == pytest.approx(years**-0.5, rel=0.02)
    rate = pd.Series([0.1], prices.index[:1])
    idle = {
        name: backtest(prices, run.weights.iloc[[1]] / 2, cash_rate=r)
        for name, r in (("paid", rate), ("not", None))
    }
    paid = performance_table(idle, week)["annual_return"]
    assert paid["paid"] > paid["not"] + 0.03


def test_bad_settings_are_refused():
    allocator, scores, _ = made()
    with pytest.raises(ModelError, match="no variant"):
        allocator.allocate(scores, rules(variant="best"))
    with pytest.raises(ModelError, match="do not fit"):
        allocator.allocate(scores, rules(covariance_weeks=5000))


def test_class_budgets_by_variant():
    scores = pd.DataFrame([[3.0, np.nan, 1.0, 1.0], [np.nan] * 4], columns=list("wxyz"))
    assert class_budgets(scores, "cycle_budget").tolist() == [[4, 0, 3, 2], [0, 0, 0, 0]]
    assert class_budgets(scores, "intersection").tolist() == [[1, 0, 1, 0], [0, 0, 0, 0]]
    assert class_budgets(scores, "momentum").tolist() == [[1, 1, 1, 1], [1, 1, 1, 1]]


@pytest.mark.real
def test_the_headline_shows_the_structure_of_the_published_weights(real_market):
    """Equities held and small, Chinese bonds 35 to 50%, Sharpe ratio above 1.2, no weight above its
    cap.
    """
    assets = read_universe("allocation")
    closes = real_market.closes(assets.index)
    values = total_return_index(closes, assets)
    ends = real_market.sessions.month_ends(until=real_market.as_of)
    early = pd.date_range(values.index[0], ends[0] - pd.offsets.MonthBegin(1), freq="BME")
    monthly = asof_rows(values, early.append(ends))
    decisions = ends[ends >= "2010-05-31"]
    days = real_market.sessions.between("2006-05-31", real_market.as_of)
    daily = asof_rows(values, days)
    views = cycle_scores(monthly, assets["group"], decisions, (42, 100, 200), 10.0, 50)
    allocator = Allocator(daily, monthly, momentum(monthly, 12), assets["group"], decisions)
    allocation = allocator.allocate(views.classes, rules(target_volatility=0.05))
    last = allocation.weights.iloc[-1]
    equities = last[assets.index[assets["group"] == "equity"]]
    assert (equities[["SPX", "NDX"]] > 0).all() and equities.max() < 0.03
    assert (
        0.35
        < last[assets.index[(assets["group"] == "bond") & (assets["country"] == "CN")]].sum()
        < 0.5
    )
    assert allocation.weights.max(axis=None) <= 0.25 + 1e-9
    run = backtest(daily.where(closes.reindex(days).notna()), allocation.weights)
    assert performance(run.gross, real_market.week).loc["sharpe", "gross"] > 1.2
