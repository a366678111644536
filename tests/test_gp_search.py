"""Programs, objectives, selection, mining and admission."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from gplearn._program import _Program
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import RandomState
from scipy.stats import spearmanr
from sklearn.metrics import ndcg_score

from lib.exhibits.describe import describe_formula
from lib.exhibits.parameters import checked, load, model_of
from lib.exhibits.translations import translations
from lib.market.calendar import Sessions
from lib.market.errors import ModelError, ParameterError
from lib.market.panel import Panel
from lib.models.gp import baseline
from lib.models.gp.admission import admit
from lib.models.gp.evaluation import Evaluator
from lib.models.gp.fitness import DISCOUNTS, Target, evaluate_fitness, rank_labels, weekly_measures
from lib.models.gp.inputs import (
    RECIPES,
    factor_inputs,
    forward_fill_with_price,
    quarter_ends,
    week_ends,
)
from lib.models.gp.mining import shuffle_labels, window_at, window_bounds
from lib.models.gp.operators import OPERATORS, operator_set
from lib.models.gp.programs import FUNCTIONS, Grammar, depth, from_text, lookback, to_text
from lib.models.gp.search import admission_rows, mine
from lib.models.gp.selection import crowding_distance, nondominated_fronts, nsga2_survival
from lib.models.gp.settings import MiningSettings

SEARCH = dict(
    population=60,
    generations=3,
    window=300,
    validation=80,
    horizon=5,
    min_train_t=1.0,
    min_validation_t=0.5,
    max_correlation=0.7,
    max_vif=5.0,
    max_factors=20,
    init_depth=(1, 3),
    max_depth=5,
    max_length=24,
    p_crossover=0.5,
    p_subtree=0.2,
    p_hoist=0.05,
    p_point=0.2,
    p_point_replace=0.15,
    tournament=2,
    parsimony=0.0003,
    min_coverage=0.8,
)
SMALL = MiningSettings(**SEARCH)


def trees_of(candidates):
    return [candidate.tree for candidate in candidates]


def unit(frame):
    """Return rows of unit length."""
    return frame.div(np.sqrt((frame**2).sum(axis=1)), axis=0)


def gplearn_program(grammar, random, tree):
    """Return gplearn's own program of a tree."""
    return _Program(
        function_set=grammar._functions,
        arities=grammar._arities,
        init_depth=grammar.settings.init_depth,
        init_method="half and half",
        n_features=len(grammar.names),
        const_range=None,
        metric=None,
        p_point_replace=grammar.settings.p_point_replace,
        parsimony_coefficient=0.0,
        random_state=random,
        program=tree,
    )


def reported_monthly(panel, every=21):
    """Return a panel whose ratios are known on one session of many."""
    held = np.arange(len(panel.dates)) % every == 0
    sparse = {
        name: np.where(held[:, None], panel.fields[name], np.nan) for name in ("pe_ttm", "pb")
    }
    return Panel(panel.dates, panel.symbols, {**panel.fields, **sparse}, panel.mask)


def market(
    rows=420, columns=20, effect=0.0, seed=0, fields=("open", "high", "low", "volume", "amount")
):
    """Return a panel; with an effect, twenty-day winners go on winning for a week."""
    rng = np.random.default_rng(seed)
    noise = 0.012 * rng.standard_normal((rows, columns))
    returns = noise.copy()
    for t in range(21, rows):
        past = noise[t - 20 : t].sum(axis=0)
        returns[t] += effect * 0.012 * (past - past.mean()) / past.std()
    close = 1000 * np.exp(returns.cumsum(axis=0))
    open_ = close * np.exp(0.002 * rng.standard_normal(close.shape))
    volume = np.exp(18 + 0.3 * rng.standard_normal(close.shape))
    data = {
        "close": close,
        "open": open_,
        "high": np.maximum(open_, close) * 1.004,
        "low": np.minimum(open_, close) * 0.996,
        "volume": volume,
        "amount": volume * close,
    }
    dates = pd.bdate_range("2020-01-02", periods=rows)
    kept = {name: values for name, values in data.items() if name == "close" or name in fields}
    return Panel(
        dates, pd.Index([f"S{k:02d}" for k in range(columns)]), kept, np.ones(close.shape, bool)
    )


@pytest.fixture(scope="module")
def window():
    inputs = factor_inputs(market(effect=0.2))
    return window_at(inputs, len(inputs.dates) - 1, SMALL)


# --- inputs
# ----


def test_inputs_do_not_depend_on_the_price_level():
    panel = market()
    scaled = Panel(
        panel.dates,
        panel.symbols,
        {
            name: values * (1e4 if name in ("open", "high", "low", "close") else 7.0)
            for name, values in panel.fields.items()
        },
        panel.mask,
    )
    one, other = factor_inputs(panel), factor_inputs(scaled)
    for name in one.names:
        np.testing.assert_allclose(one.values[name], other.values[name], rtol=1e-6, atol=1e-9)


def test_inputs_of_a_day_ignore_later_days():
    panel = market()
    fields = {name: values.copy() for name, values in panel.fields.items()}
    for values in fields.values():
        values[300:] *= np.linspace(0.5, 2, 20)
    fields["amount"][310:] = np.nan
    one, other = (
        factor_inputs(panel),
        factor_inputs(Panel(panel.dates, panel.symbols, fields, panel.mask)),
    )
    for name in one.names:
        assert np.array_equal(one.values[name][:300], other.values[name][:300], equal_nan=True), (
            name
        )


def test_a_missing_field_is_dropped_with_its_reason_and_not_filled():
    inputs = factor_inputs(market(fields=("open", "high", "low", "volume")))
    assert inputs.dropped["vwap_z"] == "no amount in the data"
    assert "amount_z" not in inputs.names and "close_z" in inputs.names


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_ratios_roll_forward_with_the_price_and_no_longer_than_allowed(seed, sessions):
    rng = np.random.default_rng(seed)
    close = np.exp(rng.normal(0, 0.1, (30, 4)).cumsum(axis=0))
    close[rng.random(close.shape) < 0.1] = np.nan
    ratio = np.where(rng.random(close.shape) < 0.3, rng.normal(15, 10, close.shape), np.nan)
    got, want = forward_fill_with_price(ratio, close, sessions), ratio.copy()
    for t, n in np.argwhere(np.isnan(ratio)):
        earlier = [s for s in range(max(0, t - sessions), t) if np.isfinite(ratio[s, n])]
        if earlier:
            want[t, n] = ratio[earlier[-1], n] * close[t, n] / close[earlier[-1], n]
    np.testing.assert_allclose(got, want, rtol=1e-12)
    # time flows one way
    np.testing.assert_array_equal(
        forward_fill_with_price(ratio[:20], close[:20], sessions), got[:20]
    )


def test_a_ratio_reported_monthly_is_used_and_the_share_is_known():
    panel = market()
    earned = 60 * np.exp(0.0003 * np.arange(len(panel.dates)))[:, None]
    ratios = {"pe_ttm": panel.fields["close"] / earned, "pb": panel.fields["close"] / (8 * earned)}
    daily = Panel(panel.dates, panel.symbols, {**panel.fields, **ratios}, panel.mask)
    whole, thin = factor_inputs(daily), factor_inputs(reported_monthly(daily))
    assert whole.forward_filled_share == {"pe_ttm": 0.0, "pb": 0.0}
    silent = {name: np.full_like(panel.fields["close"], np.nan) for name in ratios}
    none = factor_inputs(Panel(panel.dates, panel.symbols, {**panel.fields, **silent}, panel.mask))
    assert (
        none.forward_filled_share == {} and {"earnings_yield", "book_yield"} <= none.dropped.keys()
    )
    assert thin.forward_filled_share["pe_ttm"] == pytest.approx(20 / 21, abs=0.01)
    # earnings that grow by less than one percent a month are stale by no more
    np.testing.assert_allclose(
        thin.values["earnings_yield"], whole.values["earnings_yield"], rtol=0.01
    )
    assert np.isfinite(thin.values["earnings_yield_z"][-100:]).all()


def test_sessions_and_cells_without_trade_are_left_out():
    panel = market()
    mask = panel.mask.copy()
    mask[50] = False
    mask[100, 3] = False
    inputs = factor_inputs(Panel(panel.dates, panel.symbols, panel.fields, mask))
    assert len(inputs.dates) == len(panel.dates) - 1
    assert np.isnan(inputs.close[99, 3])
    assert np.isnan(inputs.values["returns"][99:101, 3]).all()


@pytest.mark.parametrize("rows, columns, words", [(420, 14, "sectors"), (200, 20, "sessions")])
def test_too_little_data_is_refused(rows, columns, words):
    with pytest.raises(ModelError, match=words):
        factor_inputs(market(rows, columns))


def test_calendar_positions():
    dates = pd.DatetimeIndex(
        ["2024-12-27", "2024-12-30", "2024-12-31", "2025-01-02", "2025-03-28", "2025-03-31"]
    )
    assert list(week_ends(dates)) == [0, 3, 4, 5]
    assert list(quarter_ends(dates)) == [2, 5]
    assert list(quarter_ends(dates[:5])) == [2]


@pytest.mark.parametrize("day", ["2018-12-28", "2023-09-28", "2025-06-30"])
def test_a_holiday_does_not_hide_the_end_of_a_quarter(day):
    """The exchange was closed on the weekdays left of these quarters: as of that day as two weeks
    later.
    """
    end = pd.Timestamp(day)
    sessions = Sessions.load().between(end - pd.Timedelta(days=100), end + pd.Timedelta(days=20))
    known = sessions[sessions <= end]
    assert known[quarter_ends(known)][-1] == sessions[quarter_ends(sessions)][-1] == end


# --- programs
# ----


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_random_programs_survive_text_and_stay_within_limits(seed):
    random = RandomState(seed)
    grammar = Grammar(
        operator_set(),
        ["returns", "close_z", "volume_z"],
        replace(SMALL, max_depth=4, max_length=15),
    )
    tree, donor = (grammar.random_tree(random) for _ in range(2))
    assert depth(tree) == gplearn_program(grammar, random, tree).depth_
    assert from_text(to_text(tree, grammar.names), grammar.names) == tree
    for _ in range(10):
        tree = grammar.vary(tree, donor, random)
    assert grammar.fits(tree) and len(tree) > 1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_variations_are_those_of_gplearn(seed):
    grammar = Grammar(operator_set(), ["returns", "close_z", "volume_z"], SMALL)
    random = RandomState(seed)
    tree, donor = (grammar.random_tree(random) for _ in range(2))
    theirs = gplearn_program(grammar, random, tree)
    grammar._program.program = tree
    for name, arguments in (
        ("crossover", [donor]),
        ("subtree_mutation", []),
        ("hoist_mutation", []),
        ("point_mutation", []),
    ):
        one, other = (
            getattr(program, name)(*arguments, RandomState(seed))[0]
            for program in (grammar._program, theirs)
        )
        assert one == other


@pytest.mark.parametrize(
    "text, words",
    [
        ("ts_maen_20(returns)", "did you mean ts_mean_20"),
        ("ts_mean_20(retruns)", "did you mean returns"),
        ("ts_mean_20(returns, close_z)", "takes 1 argument"),
        ("add(returns)", "takes 2 arguments"),
        ("add(returns, close_z", "takes 2 arguments"),
        ("add(returns, close_z))", "goes on after its end"),
        ("", "stops short"),
        ("__import__('os')", "unknown operator"),
        ("neg(" * 60 + "returns" + ")" * 60, "nested too deeply"),
    ],
)
def test_bad_formulas_are_refused_with_a_remedy(text, words):
    with pytest.raises(ModelError, match="remedy") as caught:
        from_text(text, ["returns", "close_z"], "library.json")
    assert words in str(caught.value) and "library.json" in str(caught.value)


def test_lookback_adds_up():
    tree = from_text("add(ts_mean_20(delay_5(returns)), rank(ts_max_10(returns)))", ["returns"])
    assert lookback(tree) == 24


@pytest.mark.parametrize("language, sessions", [("en", "20 sessions"), ("zh", "20日")])
def test_every_operator_and_input_has_a_description(language, sessions):
    t = translations(language)
    phrases = {key.split(".", 2)[-1] for key in t.texts if key.startswith("formulas.operator.")}
    inputs = {key.split(".", 2)[-1] for key in t.texts if key.startswith("formulas.input.")}
    assert phrases == {operator.family for operator in OPERATORS.values()}
    assert inputs == set(RECIPES)
    formula = "group_diff_sort_avg_20_5(returns, ts_mean_20(volume_z))"
    assert sessions in describe_formula(formula, 1, t)
    assert describe_formula(formula, 1, t) != describe_formula(formula, -1, t)


# --- evaluation
# ----


def plain(tree, values):
    """Evaluate a tree without cache or pool."""
    stack = []
    for node in reversed(tree):
        if isinstance(node, int):
            stack.append(values[node])
        else:
            stack.append(OPERATORS[node.name](*(stack.pop() for _ in range(node.arity))))
    return stack[0]


def test_a_tiny_pool_gives_the_same_values_as_no_pool():
    inputs = factor_inputs(market(300))
    values = list(inputs.values.values())
    grammar = Grammar(operator_set(), inputs.names, replace(SMALL, init_depth=(2, 5), max_depth=5))
    random = RandomState(1)
    evaluator = Evaluator(values, pool_bytes=1)
    for tree in [grammar.random_tree(random) for _ in range(150)] * 2:
        np.testing.assert_array_equal(evaluator(tree), plain(tree, values))


def test_equal_subtrees_are_computed_once():
    x, y = np.random.default_rng(0).standard_normal((2, 30, 4))
    evaluator = Evaluator([x, y])
    for text in ("add(neg(x), y)", "add(y, neg(x))", "sub(add(y, neg(x)), neg(x))"):
        evaluator(from_text(text, ["x", "y"]))
    assert evaluator.computed == 3


# --- objectives
# ----


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), ties=st.booleans(), holes=st.booleans())
def test_objectives_equal_scipy_and_scikit_learn(seed, ties, holes):
    rng = np.random.default_rng(seed)
    factor, labels = rng.standard_normal((2, 6, 17))
    if ties:
        factor = np.round(factor)
    if holes:
        factor[rng.random(factor.shape) < 0.2] = np.nan
        labels[rng.random(labels.shape) < 0.1] = np.nan
    ic, long, short = np.empty((3, 6))
    target = (factor, labels, np.arange(6), rank_labels(labels, DISCOUNTS), DISCOUNTS)
    weekly_measures(*target, 1, ic, long)
    weekly_measures(*target, -1, ic, short)
    favoured = np.empty(6)
    weekly_measures(*target, 0, ic, favoured)
    np.testing.assert_array_equal(favoured, long if ic.mean() >= 0 else short)
    for week in range(6):
        both = np.isfinite(factor[week]) & np.isfinite(labels[week])
        if both.sum() < 0.5 * np.isfinite(labels[week]).sum():
            assert ic[week] == long[week] == short[week] == 0
            continue
        x, y = factor[week, both], labels[week, both]
        relevance = (pd.Series(y).rank() - 0.5) / len(y)
        np.testing.assert_allclose(ic[week], spearmanr(x, y)[0], atol=1e-12)
        np.testing.assert_allclose(long[week], ndcg_score([relevance], [x], k=5), atol=1e-12)
        np.testing.assert_allclose(short[week], ndcg_score([relevance], [-x], k=5), atol=1e-12)


def test_a_factor_that_exists_on_few_weeks_or_days_is_worth_nothing():
    rng = np.random.default_rng(0)
    labels = rng.standard_normal((40, 20))
    factor = np.repeat(labels, 5, axis=0)
    target = Target(np.arange(4, 200, 5), labels, np.full(200, 20), 0, 200)
    assert evaluate_fitness(factor, target).ic == pytest.approx(1)
    factor[10:] = np.nan
    rare = evaluate_fitness(factor, target)
    assert rare.ic == pytest.approx(2 / 40) and rare.coverage == pytest.approx(10 / 200)
    assert evaluate_fitness(factor, target, min_coverage=0.8).ic == 0
    assert evaluate_fitness(np.ones((200, 20)), target).coverage == 0


def test_the_error_of_a_factor_without_information_is_what_simulation_finds():
    rng = np.random.default_rng(0)
    labels = rng.standard_normal((40, 20))
    labels[::2, 15:] = np.nan
    target = Target(np.arange(40), labels, np.full(40, 20), 0, 40)
    means = [evaluate_fitness(rng.standard_normal((40, 20)), target).ic for _ in range(2000)]
    assert target.null_standard_error == pytest.approx(np.std(means), rel=0.06)
    assert Target(np.arange(0), labels[:0], np.full(40, 20), 0, 40).null_standard_error == np.inf


# --- selection
# ----


def slow_fronts(points):
    left, result, front = set(range(len(points))), np.empty(len(points), int), 0
    while left:
        best = {
            i
            for i in left
            if not any(
                (points[j] >= points[i]).all() and (points[j] > points[i]).any() for j in left
            )
        }
        result[list(best)] = front
        left -= best
        front += 1
    return result


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=40))
def test_fronts_equal_the_definition(points):
    points = np.array(points, float)
    np.testing.assert_array_equal(nondominated_fronts(points), slow_fronts(points))


def test_crowding_equals_the_definition():
    points = np.array([[0.0, 4.0], [1.0, 3.0], [3.0, 1.0], [4.0, 0.0], [0.0, 0.0]])
    distance = crowding_distance(points, nondominated_fronts(points))
    assert np.isinf(distance[[0, 3, 4]]).all()
    np.testing.assert_allclose(distance[[1, 2]], [0.75 + 0.75, 0.75 + 0.75])


def test_survivors_take_whole_fronts_first():
    points = np.random.default_rng(0).random((200, 2))
    kept, front, distance = nsga2_survival(points, 50)
    assert len(kept) == 50
    assert front[kept].max() <= np.delete(front, kept).min()
    cut = front[kept].max()
    inside = [k for k in kept if front[k] == cut]
    outside = [k for k in np.flatnonzero(front == cut) if k not in inside]
    assert not outside or min(distance[inside]) >= max(distance[outside])


# --- mining and admission
# -------------------------------------------------------------------------------------------


def test_windows_keep_training_and_validation_apart(window):
    gap = SMALL.horizon + 1
    assert window.training.stop + gap == window.validation.first
    assert window.validation.stop + gap == len(window.inputs.dates)
    assert window.training.rows.max() < window.training.stop
    assert np.isfinite(window.validation.labels).all()


def test_mining_finds_a_planted_effect_and_is_repeatable(window):
    (candidates,) = mine([window], SMALL, [1])
    (again,) = mine([window], SMALL, [1])
    assert trees_of(candidates) == trees_of(again)
    assert abs(candidates[0].training.ic) > 0.1
    (other,) = mine([window], SMALL, [2])
    assert trees_of(candidates) != trees_of(other)


def test_what_one_seed_finds_does_not_depend_on_those_mined_with_it(window):
    null = shuffle_labels(window, 1)
    together = mine([window, window, null, null], SMALL, [1, 2, 1, 2])
    alone = [mine([own], SMALL, [seed])[0] for own in (window, null) for seed in (1, 2)]
    assert list(map(trees_of, together)) == list(map(trees_of, alone))
    rows, least = admission_rows(window), SMALL.min_train_t * window.training.null_standard_error
    evaluator = Evaluator(list(window.inputs.values.values()))
    for candidate in [candidate for candidates in together for candidate in candidates]:
        assert candidate.values is not None or abs(candidate.training.ic) < least
        if candidate.values is not None:
            np.testing.assert_array_equal(candidate.values, evaluator(candidate.tree)[rows])


def test_admission_keeps_its_promises(window):
    chosen = replace(SMALL, max_factors=6, max_vif=3.0)
    admission = admit(mine([window], chosen, [1])[0], window, chosen)
    factors = admission.factors
    assert len(factors) <= admission.passed <= admission.examined
    assert 1 <= len(factors) <= 6
    for factor in factors:
        assert abs(factor.training.ic) >= chosen.min_train_t * window.training.null_standard_error
        assert factor.sign * factor.training.ic > 0
        assert (
            factor.sign * factor.validation.ic
            >= chosen.min_validation_t * window.validation.null_standard_error
        )
        assert factor.vif <= chosen.max_vif
    rows = np.concatenate([window.training.rows, window.validation.rows])
    evaluator = Evaluator(list(window.inputs.values.values()))
    ranks = [pd.DataFrame(evaluator(factor.tree)[rows]).rank(axis=1) for factor in factors]
    for first in range(len(ranks)):
        for second in range(first):
            mean = ranks[first].corrwith(ranks[second], axis=1).fillna(0).mean()
            assert abs(mean) <= chosen.max_correlation + 0.02
    profiles = np.stack(
        [
            factor.sign
            * rank.sub(rank.mean(axis=1), axis=0).pipe(unit).fillna(0.0).to_numpy().ravel()
            for factor, rank in zip(factors, ranks, strict=True)
        ]
    )
    for count in range(1, len(factors) + 1):
        inflation = np.diag(np.linalg.inv(np.corrcoef(profiles[:count]).reshape(count, count)))
        assert factors[count - 1].vif == pytest.approx(inflation[-1], rel=1e-6)
        assert inflation.max() <= chosen.max_vif + 1e-9


def test_shuffled_labels_are_the_labels_of_other_symbols():
    inputs = factor_inputs(market())
    true = window_at(inputs, 419, SMALL)
    null = shuffle_labels(true, 3)
    assert not np.array_equal(true.training.labels, null.training.labels)
    np.testing.assert_array_equal(
        np.sort(true.training.labels, axis=1), np.sort(null.training.labels, axis=1)
    )


def test_the_first_250_sessions_are_warm_up_where_half_a_window_is_left():
    inputs = factor_inputs(market(rows=700))
    wide = replace(SMALL, window=600)
    assert window_bounds(inputs, 548, wide) == (0, 59)
    assert window_bounds(inputs, 549, wide) == (0, 250)
    assert window_bounds(inputs, 549, SMALL) == (130, 250)
    assert window_bounds(inputs, 699, SMALL) == (280, 400)


def test_bad_windows_are_refused():
    inputs = factor_inputs(market())
    with pytest.raises(ModelError, match="sessions") as caught:
        window_at(inputs, 270, SMALL)
    assert "date" in str(caught.value)
    panel = market()
    flat = {name: np.full_like(values, 5.0) for name, values in panel.fields.items()}
    with pytest.raises(ModelError):
        window_at(factor_inputs(Panel(panel.dates, panel.symbols, flat, panel.mask)), 419, SMALL)


def test_an_input_without_variance_is_dropped_by_name():
    panel = market()
    fields = {**panel.fields, "volume": np.full(panel.shape, 1e6)}
    window = window_at(
        factor_inputs(Panel(panel.dates, panel.symbols, fields, panel.mask)), 419, SMALL
    )
    assert "volume_20" in window.dropped and "volume_20" not in window.inputs.names


@pytest.mark.parametrize(
    "change, words",
    [
        ({"window": 249}, "window is 249"),
        ({"window": 250, "validation": 140}, "leaves less than 100 for training"),
        ({"p_crossover": 0.9}, "probabilities of variation exceed one"),
        ({"init_depth": [3, 2]}, "init_depth must rise"),
        ({"init_depth": [1, 6]}, "init_depth must rise"),
        ({"max_correlation": 2.0}, "max_correlation is 2"),
        ({"population": 1}, "population is 1"),
        ({"min_train_t": -1.0}, "min_train_t is -1"),
    ],
)
def test_parameters_of_the_search_out_of_range_are_refused(change, words):
    content = load("03_gp_rotation").model_dump() | change
    with pytest.raises(ParameterError, match="remedy") as caught:
        checked(model_of("03_gp_rotation"), content, "03_gp_rotation.yaml")
    assert words in str(caught.value)


def test_a_setting_of_the_search_has_no_default():
    with pytest.raises(TypeError, match="missing"):
        MiningSettings(**{name: value for name, value in SEARCH.items() if name != "tournament"})
    assert set(SEARCH) <= set(load("03_gp_rotation").model_dump())


def test_gplearns_own_search_runs_on_the_same_operators(window):
    chosen = replace(SMALL, init_depth=(1, 2), population=20, generations=2)
    fitted = baseline.symbolic_transformer(window, chosen, 0, ["add", "sub", "ts_mean", "rank"])
    best = max(fitted._programs[-1], key=lambda program: program.raw_fitness_)
    tree = [FUNCTIONS[node.name] if hasattr(node, "name") else node for node in best.program]
    values = [np.nan_to_num(panel) for panel in window.inputs.values.values()]
    expected = abs(
        evaluate_fitness(
            np.nan_to_num(plain(tree, values)), window.training, chosen.min_coverage
        ).ic
    )
    assert fitted.transform(baseline.flat(window)).shape == (window.inputs.close.size, 10)
    assert best.raw_fitness_ == pytest.approx(expected, abs=0.02) and best.raw_fitness_ > 0
