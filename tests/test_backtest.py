import numpy as np
import pandas as pd
import pytest

from lib.market.errors import ModelError
from lib.portfolio.backtest import backtest


def market(seed=1, rows=90, width=5, gaps=0.1):
    rng = np.random.default_rng(seed)
    dates = pd.bdate_range("2024-01-01", periods=rows)
    symbols = [f"S{i}" for i in range(width)]
    closes = 10 * np.exp(np.cumsum(rng.normal(0, 0.02, (rows, width)), axis=0))
    opens = closes * np.exp(rng.normal(0, 0.01, (rows, width)))
    missing = rng.random((rows, width)) < gaps
    frames = [
        pd.DataFrame(np.where(missing, np.nan, values), dates, symbols)
        for values in (closes, opens)
    ]
    weights = rng.dirichlet(np.ones(width + 1), size=rows // 10)[:, :width] * (
        rng.random((rows // 10, width)) < 0.7
    )
    return *frames, pd.DataFrame(weights, dates[4::10][: rows // 10], symbols)


def day_by_day(closes, opens, targets, fill, cost):
    """The same rules, one session and one symbol at a time."""
    start = closes.index.get_loc(targets.index[0])
    units, cash = dict.fromkeys(closes, 0.0), 1.0
    goal, waiting, last = {}, set(), {}
    for symbol in closes:
        past = closes[symbol].iloc[: start + 1].dropna()
        last[symbol] = past.iloc[-1] if len(past) else 0.0
    gross, charged = [1.0], [0.0]
    for row in range(start + 1, len(closes)):
        today, yesterday = closes.iloc[row], closes.index[row - 1]
        price = today if fill == "next_close" else opens.iloc[row]
        if yesterday in targets.index:
            goal = targets.loc[yesterday].to_dict()
            waiting = {s for s in closes if goal[s] > 1e-12 or units[s] > 0}
        paid = 0.0
        can = {s for s in waiting if pd.notna(price[s]) and pd.notna(today[s])}
        if can:
            mark = {
                s: price[s] if pd.notna(price[s]) and pd.notna(today[s]) else last[s]
                for s in closes
            }
            total = cash + sum(units[s] * mark[s] for s in closes)
            orders = {s: goal[s] * total - units[s] * mark[s] for s in can}
            room = cash - sum(x for x in orders.values() if x < 0)
            wanted = sum(x for x in orders.values() if x > 0)
            share = max(room, 0.0) / wanted if wanted > room * (1 + 1e-9) else 1.0
            for symbol, order in orders.items():
                complete = share == 1.0 or order <= 0
                order *= share if order > 0 else 1.0
                units[symbol] += order / mark[symbol]
                cash -= order
                paid += cost * abs(order) / total
                if complete:
                    waiting.discard(symbol)
                if goal[symbol] <= 1e-12:
                    units[symbol] = 0.0
            cash = max(cash, 0.0)
        last = {s: today[s] if pd.notna(today[s]) else last[s] for s in closes}
        gross.append(cash + sum(units[s] * last[s] for s in closes))
        charged.append(paid)
    return np.array(gross), np.array(gross) * np.cumprod(1 - np.array(charged))


@pytest.mark.parametrize("fill", ["next_close", "next_open"])
@pytest.mark.parametrize("gaps", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_against_a_slow_loop(fill, gaps, seed):
    closes, opens, targets = market(seed, gaps=gaps)
    run = backtest(closes, targets, fill, opens, cost=0.001)
    gross, net = day_by_day(closes, opens, targets, fill, 0.001)
    np.testing.assert_allclose(run.gross, gross, rtol=1e-10)
    np.testing.assert_allclose(run.net, net, rtol=1e-10)


@pytest.mark.parametrize("fill", ["next_close", "next_open"])
def test_the_future_changes_nothing(fill):
    closes, opens, targets = market(4)
    cut = closes.index[50]
    whole = backtest(closes, targets, fill, opens, cost=0.001)
    closes.loc[closes.index > cut] *= 3.0
    opens.loc[opens.index > cut] = np.nan
    again = backtest(closes, targets, fill, opens, cost=0.001)
    pd.testing.assert_series_equal(whole.net[:cut], again.net[:cut])
    pd.testing.assert_frame_equal(whole.weights[:cut], again.weights[:cut])


def test_a_decision_earns_nothing_on_the_day_it_is_traded_at_the_close():
    dates = pd.bdate_range("2024-01-01", periods=4)
    closes = pd.DataFrame({"A": [1.0, 2.0, 3.0, 6.0]}, dates)
    run = backtest(closes, pd.DataFrame({"A": [1.0]}, dates[:1]))
    assert run.gross.tolist() == [1.0, 1.0, 1.5, 3.0]
    assert run.weights["A"].tolist() == [0.0, 1.0, 1.0, 1.0]


def test_contributions_add_up_and_weights_drift():
    closes, _, targets = market(5)
    run = backtest(closes, targets)
    np.testing.assert_allclose(run.contributions.sum(axis=1).cumsum(), run.gross - 1, atol=1e-12)
    assert (run.weights.sum(axis=1) <= 1 + 1e-9).all()
    quiet = backtest(closes.ffill(), targets.iloc[:1])
    ratio = quiet.weights["S0"].iloc[2:] * quiet.gross.iloc[2:] / closes["S0"].ffill().iloc[7:]
    assert ratio.std() < 1e-12


def test_a_suspended_name_waits_and_is_recorded():
    dates = pd.bdate_range("2024-01-01", periods=7)
    closes = pd.DataFrame(
        {"A": [1, 1, 1, np.nan, np.nan, 0.5, 0.5], "B": [1.0, 1, 1, 1, 2, 2, 2]}, dates
    )
    targets = pd.DataFrame({"A": [1.0, 0.0], "B": [0.0, 1.0]}, dates[[0, 2]])
    run = backtest(closes, targets)
    assert run.delayed.to_dict("records") == [
        {"decision": dates[2], "symbol": "A", "due": dates[3], "traded": dates[5]}
    ]
    # the purchase of B has to wait for the cash of A, and A falls by half before it can be sold
    assert run.gross.tolist() == [1, 1, 1, 1, 1, 0.5, 0.5]
    assert run.weights["B"].iloc[-1] == pytest.approx(1.0)


def test_a_name_that_never_trades_again_stays_open():
    dates = pd.bdate_range("2024-01-01", periods=5)
    closes = pd.DataFrame({"A": [1, 1, 1, np.nan, np.nan]}, dates)
    run = backtest(closes, pd.DataFrame({"A": [1.0, 0.0]}, dates[[0, 2]]))
    assert run.delayed["traded"].isna().tolist() == [True]
    assert run.weights["A"].iloc[-1] == 1.0


def test_cost_by_symbol_and_turnover():
    dates = pd.bdate_range("2024-01-01", periods=4)
    closes = pd.DataFrame(1.0, dates, ["A", "B"])
    targets = pd.DataFrame({"A": [1.0, 0.0], "B": [0.0, 1.0]}, dates[:2])
    run = backtest(closes, targets, cost=pd.Series({"A": 0.01, "B": 0.02}))
    assert run.turnover.tolist() == [1.0, 2.0]
    assert run.net.iloc[-1] == pytest.approx(0.99 * 0.97)


def test_a_decision_on_the_last_session_is_not_traded():
    closes, _, targets = market(6)
    last = pd.concat([targets, targets.iloc[-1:].set_axis(closes.index[-1:])])
    pd.testing.assert_series_equal(backtest(closes, last).net, backtest(closes, targets).net)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.set_axis(t.index + pd.Timedelta(days=400)), "not on a session"),
        (lambda t: t.rename(columns={"S0": "T0"}), "without prices"),
        (lambda t: t.replace(t.iloc[0, 1], np.nan), "missing or negative"),
        (lambda t: -t - 0.01, "missing or negative"),
        (lambda t: t * 0 + 0.3, "sum to"),
        (lambda t: t.iloc[:0], "no decision"),
    ],
)
def test_bad_targets_are_refused(change, message):
    closes, _, targets = market(7)
    with pytest.raises(ModelError, match=message):
        backtest(closes, change(targets))


def test_bad_costs_and_missing_opens_are_refused():
    closes, _, targets = market(8)
    with pytest.raises(ModelError, match="cost"):
        backtest(closes, targets, cost=-0.1)
    with pytest.raises(ModelError, match="cost"):
        backtest(closes, targets, cost=pd.Series({"S0": 0.1}))
    with pytest.raises(ModelError, match="opens"):
        backtest(closes, targets, "next_open")


def test_idle_cash_earns_the_rate_known_at_the_close_before():
    dates = pd.to_datetime(["2024-01-02", "2024-01-03", "2024-01-05", "2024-01-08", "2024-01-09"])
    closes = pd.DataFrame({"a": [1.0, 1.0, 1.1, 1.1, 1.2]}, dates)
    targets = pd.DataFrame({"a": [0.5]}, dates[:1])
    rate = pd.Series([0.0365, 0.073], pd.to_datetime(["2024-01-03", "2024-01-06"]))
    run = backtest(closes, targets, cash_rate=rate)
    cash, expected = 0.5, [1.0]
    for row in range(1, len(dates)):
        known = rate[: dates[row - 1]]
        days = (dates[row] - dates[row - 1]).days
        earned = cash * (known.iloc[-1] if len(known) else 0.0) * days / 365
        cash += earned if row > 1 else 0.0
        expected.append(0.5 * closes["a"].iloc[row] + cash)
    np.testing.assert_allclose(run.gross, expected)
    np.testing.assert_allclose(
        run.contributions.sum(axis=1).cumsum() + run.interest.cumsum(), run.gross - 1
    )
    assert backtest(closes, targets).interest.eq(0).all()
