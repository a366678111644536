"""The absolute-return portfolio: rules one by one, bad input, and that no weight knows the
future.
"""

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.market.errors import ModelError
from lib.market.universe import read_universe
from lib.models.dividend_timing import dividend_timing
from lib.models.trend import trend_budgets
from lib.portfolio.absolute_return import CLASSES, AbsoluteReturnRules, absolute_return_portfolio
from lib.portfolio.absolute_return_evidence import (
    attribution,
    benchmark_weights,
    realised_volatility,
)
from lib.portfolio.backtest import backtest
from lib.portfolio.budgets import solve_risk_budgets
from lib.portfolio.metrics import cost_curve, performance
from lib.portfolio.proxies import splice_proxies
from lib.portfolio.sleeves import bond_legs, commodity_weights, equity_slots
from lib.portfolio.volatility import raise_along_ray

FUNDS = pd.DataFrame(
    [
        ("broad", "equity", "broad", ""),
        ("div", "equity", "dividend", ""),
        *((f"fund{k}", "equity", "sector", f"sector{k}") for k in range(7)),
        ("long", "bond", "long", ""),
        ("short", "bond", "short", ""),
        ("oil", "commodity", "commodity", ""),
        ("gold", "commodity", "commodity", ""),
    ],
    columns=["symbol", "group", "role", "tracks"],
).set_index("symbol")
YEARLY = {"equity": 0.2, "bond": 0.02, "commodity": 0.15}
RULES = AbsoluteReturnRules(
    trend_windows=(20, 60),
    steepness=1.0,
    covariance_window=60,
    target_volatility=0.0384,
    volatility_rule="cap",
    slots=5,
    dividend_slots=2,
)
DAYS = pd.bdate_range("2020-01-01", periods=420)
DECISIONS = DAYS[[200, 221, 243, 264, 285, 306, 327, 348, 369, 390]]


def closes(seed=3, drift=0.0):
    rng = np.random.default_rng(seed)
    daily = FUNDS["group"].map(YEARLY).to_numpy() / np.sqrt(243)
    moves = rng.normal(drift / 243, 1.0, (len(DAYS), len(FUNDS))) * daily
    return pd.DataFrame(np.exp(moves.cumsum(axis=0)), DAYS, FUNDS.index)


def path(prices, proxies=None, view=None, funds=FUNDS, rules=RULES, decisions=DECISIONS):
    """Everything from closes to weights."""
    history = splice_proxies(prices, proxies or {})
    ratio = np.log(history.values["div"] / history.values["broad"])
    timing = dividend_timing({"relative_momentum": ratio}, prices.index, window=20, band=0.5)
    view = scores() if view is None else view
    return absolute_return_portfolio(
        history.values, funds, view, timing.hold, decisions, rules
    ), history


def scores(seed=5):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.normal(size=(len(DAYS), 7)), DAYS, [f"sector{k}" for k in range(7)])


def events_of(portfolio, event):
    return portfolio.events[portfolio.events["event"] == event]


# proxies


def test_a_proxy_carries_the_history_and_the_fund_continues_from_its_level():
    own = pd.Series([np.nan] * 3 + [10.0, 11.0, 12.1], DAYS[:6])
    proxy = pd.Series([1.0, 2.0, 4.0, 8.0, 100.0, 100.0], DAYS[:6])
    made = splice_proxies(own.to_frame("a"), {"a": proxy})
    assert made.values["a"].tolist() == pytest.approx([1, 2, 4, 8, 8.8, 9.68])
    assert made.first_close["a"] == DAYS[3]


def test_a_listing_rewrites_nothing_that_was_known_before():
    prices, proxy = closes(), closes(seed=9)["gold"]
    prices.loc[: DAYS[299], "gold"] = np.nan
    unlisted = prices.copy()
    unlisted["gold"] = np.nan
    before, after = (
        path(p, {"gold": proxy})[0].weights.loc[: DAYS[299]] for p in (unlisted, prices)
    )
    assert (before["gold"] > 0).any()
    pd.testing.assert_frame_equal(before, after)


def test_a_proxy_may_have_a_proxy_of_its_own():
    fund = pd.Series([np.nan] * 4 + [10.0, 11.0], DAYS[:6])
    sector = pd.Series([np.nan] * 2 + [100.0, 110.0, 121.0, 1.0], DAYS[:6])
    older = pd.Series([1.0, 2.0, 3.0, 9.0, 9.0, 9.0], DAYS[:6])
    chained = splice_proxies(sector.to_frame("sector"), {"sector": older}).values["sector"]
    made = splice_proxies(fund.to_frame("fund"), {"fund": chained})
    assert made.values["fund"].tolist() == pytest.approx([1, 2, 3, 3.3, 3.63, 3.993])


def test_a_proxy_that_starts_too_late_is_not_used():
    own = pd.Series([np.nan, 10.0, 11.0], DAYS[:3])
    made = splice_proxies(own.to_frame("a"), {"a": pd.Series([5.0], DAYS[2:3])})
    pd.testing.assert_series_equal(made.values["a"], own, check_names=False)


@pytest.mark.parametrize("move", [-0.5, -0.9, 1.0])
def test_an_unadjusted_split_is_levelled_out_and_named(move):
    prices = closes()
    day = DAYS[300]
    split = prices.copy()
    split.loc[day:, "long"] *= 1 + move
    true, _ = path(prices)
    made, history = path(split)
    assert history.splits["symbol"].tolist() == ["long"]
    assert history.splits["date"].tolist() == [day]
    assert history.splits["move"].iloc[0] == pytest.approx(move, abs=0.01)
    pd.testing.assert_frame_equal(made.weights, true.weights, atol=0.02)
    fall = backtest(history.values, made.weights).gross.pct_change()[day]
    assert abs(fall) < 0.01


def test_a_limit_move_is_no_split():
    own = pd.Series([1.0, 1.2, 0.96], DAYS[:3])
    assert splice_proxies(own.to_frame("a"), {}).splits.empty


def test_a_price_that_is_not_positive_is_refused_with_place_and_remedy():
    prices = closes()
    prices.loc[DAYS[7], "oil"] = 0.0
    with pytest.raises(ModelError, match="not positive") as caught:
        splice_proxies(prices, {})
    assert "oil" in str(caught.value) and f"{DAYS[7]:%Y-%m-%d}" in str(caught.value)


# sleeves


EQUITY = FUNDS[FUNDS["group"] == "equity"]
SECTORS = [f"sector{k}" for k in range(7)]


def filled_slots(view, hold_dividend, funds=EQUITY):
    """Weights and events of one decision."""
    scores = view.reindex(funds["tracks"].where(funds["role"] == "sector")).to_numpy()
    weights, events = equity_slots(
        scores[None],
        funds["role"].to_numpy(),
        np.ones((1, len(funds)), bool),
        np.array([hold_dividend]),
        slots=5,
        dividend_slots=2,
    )
    held = pd.Series(weights[0], funds.index)
    return held[held > 0].to_dict(), [event[1:] for event in events]


def test_slots_are_equal_and_dividends_hold_two():
    view = pd.Series([7, 6, 5, 4, 3, 2, 1.0], SECTORS)
    weights, events = filled_slots(view, hold_dividend=True)
    assert weights == pytest.approx({"div": 0.4, "fund0": 0.2, "fund1": 0.2, "fund2": 0.2})
    weights, _ = filled_slots(view, hold_dividend=False)
    assert weights == pytest.approx({f"fund{k}": 0.2 for k in range(5)})
    assert not events


def test_a_sector_without_a_fund_gives_its_slot_to_the_next():
    view = pd.Series([9, 7, 6, 5, 4, 3.0], ["nofund", *SECTORS[:5]])
    weights, _ = filled_slots(view, hold_dividend=False)
    assert set(weights) == {f"fund{k}" for k in range(5)}


def test_without_a_view_the_broad_fund_holds_the_slots():
    weights, events = filled_slots(pd.Series(dtype=float), hold_dividend=True)
    assert weights == pytest.approx({"broad": 0.6, "div": 0.4})
    assert events == [("no_view", "")]


def test_empty_slots_are_shared_and_named_when_there_is_no_broad_fund():
    view = pd.Series([2.0, 1.0], SECTORS[:2])
    weights, events = filled_slots(view, True, EQUITY.loc[["fund0", "fund1"]])
    assert weights == pytest.approx({"fund0": 0.5, "fund1": 0.5})
    assert events == [("dividend_missing", ""), ("slots_empty", "3")]


def test_each_decision_fills_its_own_slots():
    rng = np.random.default_rng(2)
    scores = np.where(
        rng.random((40, len(EQUITY))) < 0.7, rng.normal(size=(40, len(EQUITY))), np.nan
    )
    scores[:, (EQUITY["role"] != "sector").to_numpy()] = np.nan
    available, hold = rng.random(scores.shape) < 0.6, rng.random(40) < 0.5
    roles = EQUITY["role"].to_numpy()
    weights, events = equity_slots(scores, roles, available, hold, 5, 2)
    for row in range(len(scores)):
        each = slice(row, row + 1)
        one, alone = equity_slots(scores[each], roles, available[each], hold[each], 5, 2)
        np.testing.assert_array_equal(weights[each], one)
        assert [event[1:] for event in events if event[0] == row] == [event[1:] for event in alone]


def test_bond_legs_get_equal_capital():
    everything = np.ones((2, 3), bool)
    weights, events = bond_legs(np.array(["long", "short", "long"]), everything)
    np.testing.assert_allclose(weights, [[0.25, 0.5, 0.25]] * 2)
    assert not events
    weights, events = bond_legs(np.array(["short"]), everything[:1, :1])
    assert weights.tolist() == [[1.0]] and events == [(0, "leg_missing", "long")]


def test_commodities_split_by_risk_and_the_stronger_trend_weighs_more():
    rng = np.random.default_rng(1)
    returns = (rng.normal(size=(400, 2)) * [0.01, 0.02]).T[None].repeat(2, axis=0)
    trend = np.array([[0.0, 0.0], [-0.5, 0.8]])
    (even, tilted), _ = commodity_weights(returns, trend, np.ones((2, 2), bool), 1.0)
    deviation = returns[0].std(axis=1)
    assert even[0] / even[1] == pytest.approx(deviation[1] / deviation[0], rel=0.01)
    assert tilted[1] > even[1] and tilted.sum() == pytest.approx(1)


def test_a_class_of_one_commodity_or_none_needs_no_risk():
    available = np.array([[True, False], [False, False]])
    unknown = np.full((2, 2), np.nan)
    weights, events = commodity_weights(unknown[:, :, None], unknown, available, 1.0)
    assert weights.tolist() == [[1.0, 0.0], [0.0, 0.0]] and not events


def test_commodities_that_stopped_moving_are_refused_with_symbol_and_date():
    prices = closes()
    prices.loc[DAYS[225] : DAYS[243], "oil"] = prices.loc[DAYS[225], "oil"]
    with pytest.raises(ModelError, match="does not move") as caught:
        path(prices, rules=replace(RULES, covariance_window=17))
    assert "oil" in str(caught.value) and f"{DECISIONS[2]:%Y-%m-%d}" in str(caught.value)


# volatility


def controlled(trend, target, volatilities=(0.2, 0.02, 0.15)):
    """Risk budget of one decision, the same raised, and the covariance."""
    sigma = np.diag(np.square(volatilities))
    budget = solve_risk_budgets(
        sigma[None],
        trend_budgets(np.array([trend]), 1.0),
        np.zeros(len(trend), dtype=int),
        asset_cap=1.0,
        class_cap=1.0,
        target_volatility=target,
    )
    return budget, raise_along_ray(budget, sigma[None], target, funding=1), sigma


def of_one(solutions):
    return solutions.weights[0], float(solutions.volatility[0]), solutions.fallbacks[0]


@given(
    st.lists(st.floats(-1, 1), min_size=3, max_size=3),
    st.floats(0.005, 0.3),
)
@settings(max_examples=40, deadline=None)
def test_the_target_is_met_or_its_miss_is_named_and_nothing_is_borrowed(trend, target):
    budget, made, sigma = controlled(trend, target)
    weights, volatility, fallbacks = of_one(made)
    assert weights.sum() <= 1 + 1e-9 and (weights >= 0).all()
    assert volatility <= target * (1 + 1e-5)
    assert volatility == pytest.approx(np.sqrt(weights @ sigma @ weights))
    assert made.contributions.sum() == pytest.approx(1)
    missed = volatility < target * (1 - 1e-5)
    assert missed == ("no_bonds_left" in fallbacks)
    # along the ray the other classes keep their proportions, and none is lowered
    equity, _, commodity = weights
    first_equity, _, first_commodity = budget.weights[0]
    assert equity * first_commodity == pytest.approx(commodity * first_equity, rel=1e-6)
    assert equity >= first_equity - 1e-12 and commodity >= first_commodity - 1e-12
    assert weights.sum() == pytest.approx(budget.weights.sum())


def test_a_target_beyond_reach_without_leverage_is_named():
    weights, _, fallbacks = of_one(controlled([0.5, 0.1, 0.5], 0.5)[1])
    assert "no_bonds_left" in fallbacks and weights[1] == pytest.approx(0)
    fallbacks = of_one(controlled([-0.5, 0.1, -0.1], 0.05)[1])[2]
    assert fallbacks == ("raised_to_target",), "falling classes are raised like the others"
    budget, _, sigma = controlled([0, 0, 0], 0.05)
    with pytest.raises(ModelError, match="target"):
        raise_along_ray(budget, sigma[None], -1.0, funding=1)


def test_decisions_are_raised_one_by_one():
    budget, made, sigma = controlled([0.2, 0.1, -0.1], 0.05)
    stacked = {
        part.name: np.concatenate([getattr(one, part.name) for one in (budget, made)])
        for part in fields(budget)
        if part.name != "fallbacks"
    }
    both = replace(budget, **stacked, fallbacks=[*budget.fallbacks, *made.fallbacks])
    again = raise_along_ray(both, np.stack([sigma, sigma]), 0.05, funding=1)
    np.testing.assert_allclose(again.weights, made.weights.repeat(2, axis=0))
    assert again.fallbacks == made.fallbacks * 2


def test_a_portfolio_of_bonds_alone_cannot_be_raised():
    sigma = np.array([[[0.0004]]])
    alone = (np.ones((1, 1)), np.zeros(1, dtype=int))
    budget = solve_risk_budgets(sigma, *alone, asset_cap=1.0, class_cap=1.0, target_volatility=0.05)
    weights, _, fallbacks = of_one(raise_along_ray(budget, sigma, 0.05, funding=0))
    assert fallbacks[-1] == "no_bonds_left" and weights[0] == pytest.approx(1.0)


# the whole path


def test_weights_follow_the_rules():
    portfolio, _ = path(closes())
    weights = portfolio.weights
    assert (weights >= 0).all(axis=None) and (weights.sum(axis=1) <= 1 + 1e-9).all()
    np.testing.assert_allclose(weights["long"], weights["short"])
    by_class = weights.T.groupby(FUNDS["group"]).sum().T[list(CLASSES)]
    pd.testing.assert_frame_equal(by_class, portfolio.classes, check_names=False)
    assert (portfolio.volatility <= RULES.target_volatility * (1 + 1e-5)).all()
    slot = portfolio.classes["equity"] / 5
    sizes = weights[[f"fund{k}" for k in range(7)]].div(slot, axis=0)
    assert (
        np.isclose(sizes, 0).sum(axis=1).tolist()
        == (7 - sizes.round(6).sum(axis=1)).astype(int).tolist()
    )


def test_the_future_changes_no_weight():
    cut = DAYS[310]
    rng = np.random.default_rng(8)
    prices, proxies, view = closes(), {"oil": closes(seed=9)["oil"]}, scores()
    prices.loc[: DAYS[150], "oil"] = np.nan
    prices.loc[: DAYS[380], "fund3"] = np.nan

    def spoilt(frame):
        after = frame.index > cut
        return frame.mul(
            np.where(
                after[:, None] if frame.ndim > 1 else after, rng.uniform(0.5, 2, frame.shape), 1.0
            )
        )

    first, _ = path(prices, proxies, view)
    later, _ = path(spoilt(prices), {"oil": spoilt(proxies["oil"])}, spoilt(view))
    seen = first.weights.index <= cut
    assert 3 < seen.sum() < len(seen)
    for name in ("weights", "classes", "budgets", "contributions", "trend"):
        pd.testing.assert_frame_equal(getattr(first, name)[seen], getattr(later, name)[seen])
    pd.testing.assert_series_equal(first.volatility[seen], later.volatility[seen])
    events = [p.events[p.events["date"] <= cut].reset_index(drop=True) for p in (first, later)]
    pd.testing.assert_frame_equal(*events)
    assert not np.allclose(first.weights[~seen], later.weights[~seen])


def test_a_shorter_history_gives_the_same_weights():
    prices, view, last = closes(), scores(), DAYS[310]
    whole, _ = path(prices)
    short, _ = path(prices[:last], view=view[:last], decisions=DECISIONS[:6])
    pd.testing.assert_frame_equal(whole.weights[:last], short.weights)


def test_a_suspended_fund_is_left_out_and_named():
    prices = closes()
    prices.loc[DAYS[262] : DAYS[265], "long"] = np.nan
    portfolio, _ = path(prices)
    told = events_of(portfolio, "suspended")
    assert list(zip(told["date"], told["detail"], strict=True)) == [(DECISIONS[3], "long")]
    assert portfolio.weights.loc[DECISIONS[3], "long"] == 0
    assert events_of(portfolio, "leg_missing")["detail"].tolist() == ["long"]
    assert portfolio.weights.loc[DECISIONS[3], "short"] == pytest.approx(
        portfolio.classes.loc[DECISIONS[3], "bond"]
    )


def test_a_newly_listed_fund_joins_when_its_own_history_suffices():
    prices = closes()
    listed = DAYS[250]
    prices.loc[: DAYS[249], "gold"] = np.nan
    portfolio, _ = path(prices)
    told = events_of(portfolio, "young")
    assert set(told["detail"]) == {"gold"}
    assert told["date"].min() > listed
    before = events_of(portfolio, "unlisted")
    assert before["date"].tolist() == [date for date in DECISIONS if date < listed]
    assert set(before["detail"]) == {"gold"}, "a fund without a proxy is named until it is listed"
    first = portfolio.weights.index[portfolio.weights["gold"] > 0][0]
    assert DAYS.get_loc(first) - DAYS.get_loc(listed) >= RULES.covariance_window
    assert told["date"].max() < first


def test_a_young_commodity_joins_with_the_trend_windows_that_its_history_fills():
    prices = closes()
    listed = DAYS[230]
    prices.loc[: DAYS[229], "gold"] = np.nan
    rules = replace(RULES, trend_windows=(20, 60, 150))
    portfolio, _ = path(prices, rules=rules)
    first = portfolio.weights.index[portfolio.weights["gold"] > 0][0]
    waited = DAYS.get_loc(first) - DAYS.get_loc(listed)
    assert RULES.covariance_window <= waited < 150, "the longest window is not waited for"


def test_a_fund_with_a_proxy_is_never_unlisted():
    prices, proxy = closes(), closes(seed=9)["gold"]
    prices.loc[: DAYS[299], "gold"] = np.nan
    portfolio, _ = path(prices, {"gold": proxy})
    assert events_of(portfolio, "unlisted").empty and (portfolio.weights["gold"] > 0).all()


def test_a_class_without_a_fund_gets_nothing_and_is_named():
    prices = closes()
    prices[["oil", "gold"]] = np.nan
    portfolio, _ = path(prices)
    assert (portfolio.classes["commodity"] == 0).all() and (
        portfolio.budgets["commodity"] == 0
    ).all()
    assert events_of(portfolio, "class_empty")["detail"].unique().tolist() == ["commodity"]
    assert portfolio.trend["commodity"].isna().all()
    assert (portfolio.weights.sum(axis=1) > 0.5).all()


def test_sector_funds_alone_hold_nothing_without_a_view():
    prices = closes()
    prices[["broad", "div"]] = np.nan
    values, hold = splice_proxies(prices, {}).values, pd.Series(False, DAYS)
    portfolio = absolute_return_portfolio(values, FUNDS, scores().iloc[:0], hold, DECISIONS, RULES)
    assert (portfolio.classes["equity"] == 0).all()
    assert events_of(portfolio, "class_empty")["detail"].unique().tolist() == ["equity"]


def test_no_class_at_all_is_refused_with_the_date():
    with pytest.raises(ModelError, match="no class has a fund") as caught:
        path(closes(), decisions=DAYS[[10]])
    assert f"{DAYS[10]:%Y-%m-%d}" in str(caught.value)


def test_decisions_that_are_no_sessions_are_refused():
    with pytest.raises(ModelError, match="not sessions"):
        path(closes(), decisions=pd.DatetimeIndex(["2020-01-04"]))


def test_a_stronger_trend_gets_the_larger_budget():
    prices = closes()
    prices["broad"] *= np.exp(np.linspace(0, 2, len(prices)))
    prices["div"] *= np.exp(np.linspace(0, 2, len(prices)))
    portfolio, _ = path(prices)
    assert (portfolio.budgets["equity"] > 1 / 3).all()
    flat, _ = path(prices, rules=replace(RULES, steepness=0.0))
    np.testing.assert_allclose(flat.budgets, 1 / 3)


def test_the_cap_alone_never_raises_the_volatility():
    portfolio, _ = path(closes(drift=-4.0))
    assert events_of(portfolio, "raised_to_target").empty
    raised, _ = path(closes(drift=-4.0), rules=replace(RULES, volatility_rule="ray"))
    assert len(events_of(raised, "raised_to_target"))
    assert (raised.volatility >= portfolio.volatility - 1e-9).all()
    below = portfolio.volatility < RULES.target_volatility * (1 - 1e-5)
    assert below.any() and (portfolio.weights.sum(axis=1)[below] > 1 - 1e-9).all()
    assert (raised.classes.loc[below, "bond"] < portfolio.classes.loc[below, "bond"]).all()


# evidence


def test_contributions_add_up():
    portfolio, history = path(closes(drift=2.0))
    run = backtest(history.values, portfolio.weights)
    split = attribution(run, FUNDS["role"])
    daily = run.gross.pct_change()
    assert split["annual_return"].sum() == pytest.approx(daily.mean() * 243)
    assert split["risk_share"].sum() == pytest.approx(1)
    assert split["average_weight"].sum() == pytest.approx(run.weights.sum(axis=1).mean())


def test_cash_and_its_interest_are_a_part():
    portfolio, history = path(closes(drift=2.0), rules=replace(RULES, target_volatility=0.015))
    rate = pd.Series(0.03, DAYS)
    run = backtest(history.values, portfolio.weights, cash_rate=rate)
    split = attribution(run, FUNDS["role"])
    daily = run.gross.pct_change()
    assert split["annual_return"].sum() == pytest.approx(daily.mean() * 243)
    assert split["average_weight"].sum() == pytest.approx(1)
    cash = split.loc["cash"]
    assert cash["annual_return"] == pytest.approx(
        0.03 * cash["average_weight"] * 365.25 / 365 * 243 / 261, rel=0.05
    )
    fully_invested = pd.DataFrame({"long": 0.5, "short": 0.5}, DECISIONS[:1])
    assert "cash" not in attribution(backtest(closes(), fully_invested), FUNDS["role"]).index


def test_a_fund_is_requested_where_the_rules_could_hold_it():
    view = scores().loc[DECISIONS[4] :].copy()
    view["sector0"] = np.nan
    hold = pd.Series(False, DAYS)
    hold[DECISIONS[2]] = hold[DECISIONS[5]] = True
    rules = replace(RULES, slots=7)
    portfolio = absolute_return_portfolio(closes(), FUNDS, view, hold, DECISIONS, rules)
    requested = portfolio.requested
    assert requested[["long", "short", "oil", "gold"]].all(axis=None)
    assert requested["fund1"].tolist() == [False] * 4 + [True] * 6
    assert not requested["fund0"].any(), "a sector without a score is not requested"
    assert requested["div"].tolist() == [k in (2, 5) for k in range(10)]
    # six scored sectors fill seven slots only where dividends take two of them
    assert requested["broad"].tolist() == [k != 5 for k in range(10)]
    assert not (portfolio.weights.gt(1e-9) & ~requested).any(axis=None), (
        "nothing is held that was not requested"
    )


def test_realised_volatility_starts_when_the_traded_weights_earn():
    gross = pd.Series(1.0, DAYS)
    moves = np.where(np.arange(len(DAYS)) % 2, 0.01, -0.01)
    # before the trade of the second decision the portfolio jumps; that belongs to the first
    moves[201], moves[220], moves[222] = 0.5, 0.3, 0.4
    gross[:] = np.cumprod(1 + moves)
    risk = realised_volatility(gross, pd.Series(0.1, DAYS[[200, 221, 243, 416]]))
    assert risk["realised"].iloc[0] > 0.5
    assert risk["realised"].iloc[1] == pytest.approx(0.01 * np.sqrt(243), rel=0.05)
    assert np.isnan(risk["realised"].iloc[-1])


def test_simple_portfolios_hold_what_has_a_price():
    prices = closes()
    prices.loc[: DAYS[210], "gold"] = np.nan
    prices.loc[DECISIONS[-1], "long"] = np.nan
    made = benchmark_weights(prices, FUNDS, DECISIONS, 0.8)
    assert made["bonds"][["long", "short"]].iloc[:-1].eq(0.5).all(axis=None)
    assert made["bonds"][["long", "short"]].iloc[-1].tolist() == [0.0, 1.0]
    mixed = made["bonds_and_equal"]
    assert mixed.iloc[0][["broad", "div", "oil"]].tolist() == pytest.approx([0.2 / 3] * 3)
    assert mixed.iloc[1][["broad", "div", "oil", "gold"]].tolist() == pytest.approx([0.05] * 4)
    np.testing.assert_allclose(mixed.sum(axis=1), 1)


def test_the_excess_is_gone_at_the_break_even_cost():
    portfolio, history = path(closes(drift=8.0))
    levels = [0, 0.002, 0.005, 0.01, 0.05]
    gross = backtest(history.values, portfolio.weights)
    base = performance(gross.gross).loc["annual_return"].iloc[0] - 0.01
    table, break_even = cost_curve(gross, base, levels)
    assert (
        table["excess"].iloc[0] == pytest.approx(0.01) and table["excess"].is_monotonic_decreasing
    )
    net = (
        performance(backtest(history.values, portfolio.weights, cost=break_even).net)
        .loc["annual_return"]
        .iloc[0]
    )
    assert net == pytest.approx(base, abs=5e-4)
    charged = (
        performance(backtest(history.values, portfolio.weights, cost=0.01).net)
        .loc["annual_return"]
        .iloc[0]
    )
    assert table["excess"].iloc[3] + base == pytest.approx(charged)
    assert np.isnan(cost_curve(gross, base + 1, levels)[1])


# parameters and lists


def test_the_list_has_one_fund_per_sector_and_every_role():
    funds = read_universe("absolute_return")
    assert set(funds["role"]) == {
        "broad",
        "dividend",
        "sector",
        "long",
        "short",
        "alternative",
        "commodity",
    }
    sectors = funds.loc[funds["role"] == "sector", "tracks"]
    assert sectors.is_unique and set(sectors) <= set(read_universe("sectors_sw").index)
    counterparts = funds.loc[funds["role"] == "sector", "citic"]
    assert counterparts.is_unique and set(counterparts) <= set(
        read_universe("sectors_citic1").index
    )
    bonds = funds[funds["group"] == "bond"]
    assert (bonds["yield"] != "").all() and (bonds["years"].astype(float) > 0).all()
    assert set(funds["group"]) == set(CLASSES)


def test_the_sample_knows_every_fund_and_proxy(sample_market):
    funds = read_universe("absolute_return")
    wanted = set(funds.index) | set(funds["proxy"]) - {""}
    assert wanted <= set(sample_market.instruments().index)
