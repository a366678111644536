"""Libraries, walk-forward, composite scores: repeatable, cached, blind to the future, the same on
any back end.
"""

import json
from dataclasses import replace

import joblib
import numpy as np
import pandas as pd
import pytest
from test_gp_search import SEARCH, market

from lib.market.errors import ModelError
from lib.market.panel import Panel
from lib.models.forecast_evaluation import forward_returns, rank_ic
from lib.models.gp.composite import average_seeds, missing_inputs, rotation_scores
from lib.models.gp.inputs import factor_inputs, week_ends
from lib.models.gp.library import Entry, Library, load_libraries, load_library
from lib.models.gp.settings import MiningSettings
from lib.models.gp.walkforward import (
    close_only_quarters,
    mine_with_null,
    mining_ends,
    walk_forward_mining,
)
from lib.portfolio.weights import top_weights

SMALL = MiningSettings(**SEARCH | dict(population=40, generations=2, max_factors=5))
FIRST = "2021-03-01"
SEEDS = (0, 1)


@pytest.fixture(scope="module")
def panel():
    return market(rows=460, effect=0.2)


@pytest.fixture(scope="module")
def libraries(panel):
    return walk_forward_mining(panel, SMALL, SEEDS, first=FIRST)


def formulas(libraries):
    return [
        (library.mined_on, library.seed, [entry.formula for entry in library.entries])
        for library in libraries
    ]


def test_libraries_come_by_quarter_and_seed(libraries):
    found = [(f"{library.mined_on:%Y-%m-%d}", library.seed) for library in libraries]
    assert found == [
        (day, seed) for day in ("2021-03-31", "2021-06-30", "2021-09-30") for seed in SEEDS
    ]
    assert sum(len(library.entries) for library in libraries) > 6


def test_the_same_libraries_from_two_processes(panel, libraries):
    assert formulas(walk_forward_mining(panel, SMALL, SEEDS, first=FIRST, n_jobs=2)) == formulas(
        libraries
    )


def test_the_same_libraries_from_a_dask_cluster(panel, libraries):
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        assert formulas(
            walk_forward_mining(panel, SMALL, SEEDS, first=FIRST, n_jobs=-1)
        ) == formulas(libraries)


def test_later_data_change_neither_libraries_nor_scores(panel, libraries):
    cut = 400
    fields = {name: values.copy() for name, values in panel.fields.items()}
    for values in fields.values():
        values[cut:] *= np.random.default_rng(9).uniform(0.5, 2, values[cut:].shape)
    changed = Panel(panel.dates, panel.symbols, fields, panel.mask)
    again = walk_forward_mining(changed, SMALL, SEEDS, first=FIRST)
    before = [library for library in libraries if library.mined_on < panel.dates[cut]]
    assert len(before) == 4 and formulas(before) == formulas(again)[:4]
    assert formulas(libraries)[4:] != formulas(again)[4:]
    one, other = rotation_scores(panel, libraries), rotation_scores(changed, again)
    pd.testing.assert_frame_equal(one.iloc[:cut], other.iloc[:cut])
    assert not one.iloc[cut:].equals(other.iloc[cut:])


def test_a_shorter_history_gives_the_same_scores(panel, libraries):
    short = panel.until(panel.dates[430])
    early = [library for library in libraries if library.mined_on <= short.dates[-1]]
    pd.testing.assert_frame_equal(
        rotation_scores(short, early), rotation_scores(panel, libraries).iloc[:431]
    )


def test_a_cached_library_is_used_only_for_the_same_data_and_settings(panel, tmp_path, monkeypatch):
    options = dict(first="2021-09-01", cache_dir=tmp_path)
    mined = walk_forward_mining(panel, SMALL, (0,), **options)
    from lib.models.gp import walkforward

    calls = []
    original = walkforward._mine_quarter
    monkeypatch.setattr(
        walkforward, "_mine_quarter", lambda *job: calls.extend(job[2]) or original(*job)
    )
    assert formulas(walk_forward_mining(panel, SMALL, (0,), **options)) == formulas(mined)
    assert calls == []
    walk_forward_mining(panel, SMALL, (0, 1), **options)
    assert calls == [(1, False)]
    walk_forward_mining(
        panel,
        replace(SMALL, horizon=6),
        (0,),
        **options,
    )
    assert calls == [(1, False), (0, False)]
    fields = {**panel.fields, "volume": panel.fields["volume"] * np.linspace(1, 1.1, 20)}
    walk_forward_mining(
        Panel(panel.dates, panel.symbols, fields, panel.mask), SMALL, (0,), **options
    )
    assert calls == [(1, False), (0, False), (0, False)]
    calls.clear()
    with_null = mine_with_null(panel, SMALL, (0, 1), (0,), **options)
    assert calls == [(0, True)]
    assert formulas(with_null[1]) != formulas(with_null[0][:1])
    assert formulas(mine_with_null(panel, SMALL, (), (0,), **options)[1]) == formulas(with_null[1])


def test_the_effect_is_found_out_of_sample_and_the_null_is_not(panel, libraries):
    inputs = factor_inputs(panel)
    weeks = week_ends(inputs.dates)
    labels = forward_returns(inputs.close, 5)[weeks]

    def mean_ic(found):
        ic = rank_ic(rotation_scores(inputs, found).to_numpy()[weeks], labels)
        return np.nanmean(ic), np.isfinite(ic).sum()

    true, weeks_seen = mean_ic(libraries)
    null, _ = mean_ic(mine_with_null(panel, SMALL, (), SEEDS, first=FIRST)[1])
    assert weeks_seen > 20 and true > 0.15
    assert abs(null) < true / 2


def test_a_report_line_per_quarter(panel):
    lines = []
    walk_forward_mining(panel, SMALL, (0, 1), first="2021-06-01", report=lines.append)
    assert [line[:10] for line in lines] == ["2021-06-30", "2021-09-30"]


def test_a_first_date_after_the_last_quarter_is_refused(panel):
    with pytest.raises(ModelError, match="quarter"):
        walk_forward_mining(panel, SMALL, (0,), first="2030-01-01")


def test_mining_begins_when_the_window_is_long_enough(panel):
    inputs = factor_inputs(panel)
    ends = mining_ends(inputs, SMALL, "2020-06-01")
    assert inputs.dates[ends[0]] == pd.Timestamp("2021-03-31")
    with pytest.raises(ModelError, match="sessions"):
        mining_ends(inputs.rows(0, ends[0]), SMALL, "2020-06-01")


def closes_only(panel, since):
    """Return a panel whose source goes on with closes alone."""
    late = panel.dates >= pd.Timestamp(since)
    bars = [name for name in panel.fields if name != "close"]
    fields = {name: np.where(late[:, None], np.nan, panel.fields[name]) for name in bars}
    return Panel(panel.dates, panel.symbols, {"close": panel.fields["close"], **fields}, panel.mask)


def test_a_quarter_end_with_closes_only_is_not_mined_and_earlier_libraries_remain(panel, libraries):
    thin = closes_only(panel, "2021-07-01")
    mined = walk_forward_mining(thin, SMALL, SEEDS, first=FIRST)
    assert formulas(mined) == formulas(libraries)[:4]
    inputs = factor_inputs(thin)
    assert list(close_only_quarters(inputs, FIRST)) == [pd.Timestamp("2021-09-30")]
    with pytest.raises(ModelError, match="quarter"):
        walk_forward_mining(thin, SMALL, SEEDS, first="2021-07-01")


def test_a_bar_field_that_a_source_adds_later_says_nothing_about_earlier_quarter_ends(panel):
    late = panel.dates >= pd.Timestamp("2021-05-01")
    fields = {**panel.fields, "volume": np.where(late[:, None], panel.fields["volume"], np.nan)}
    assert factor_inputs(Panel(panel.dates, panel.symbols, fields, panel.mask)).full_bars.all()


# --- libraries as files
# ---------------------------------------------------------------------------------------------


def test_a_library_survives_its_file(libraries, tmp_path):
    path = libraries[0].save(tmp_path)
    again = load_library(path)
    assert (again.mined_on, again.seed) == (libraries[0].mined_on, libraries[0].seed)
    assert again.entries == libraries[0].entries  # to the last digit
    content = json.loads(path.read_text())
    assert {"formula", "sign", "training", "validation", "vif"} <= content["factors"][0].keys()
    assert {"window", "settings", "inputs", "dropped", "fingerprint"} <= content.keys()
    assert [library.seed for library in load_libraries(tmp_path)] == [0]


def test_an_edited_library_is_used(panel, libraries, tmp_path):
    path = libraries[0].save(tmp_path)
    content = json.loads(path.read_text())
    content["factors"] = [{"formula": "ts_mean_20(returns)", "sign": 1}]
    path.write_text(json.dumps(content))
    scores = rotation_scores(panel, load_libraries(tmp_path))
    expected = panel.frame("close").pct_change().rolling(20).mean().rank(axis=1, pct=True) - 0.5
    row = panel.dates.get_loc(libraries[0].mined_on) + 7
    pd.testing.assert_series_equal(scores.iloc[row], expected.iloc[row], check_names=False)
    assert scores.iloc[: row - 8].isna().all(axis=None)


@pytest.mark.parametrize(
    "content, words",
    [
        ("{", "not JSON"),
        ("[]", "version"),
        ('{"version": 1, "mined_on": "2021-03-31", "seed": 0}', "factors"),
        (
            (
                '{"version": 1, "mined_on": "2021-03-31", "seed": 0, "factors": [{"formula":'
                ' "neg(returns)"}]}'
            ),
            "sign",
        ),
        (
            (
                '{"version": 1, "mined_on": "2021-03-31", "seed": 0, "factors": [{"formula": 3,'
                ' "sign": 1}]}'
            ),
            "formula is a text",
        ),
    ],
)
def test_a_broken_library_is_refused(tmp_path, content, words):
    path = tmp_path / "library.json"
    path.write_text(content)
    with pytest.raises(ModelError, match="remedy") as caught:
        load_library(path)
    assert words in str(caught.value) and "library.json" in str(caught.value)


def test_a_library_with_an_unknown_operator_is_refused_when_used(panel):
    library = Library(panel.dates[400], 0, (Entry("ts_maen_20(returns)", 1),))
    with pytest.raises(ModelError, match="did you mean ts_mean_20"):
        rotation_scores(panel, [library])


# --- scores and weights
# ---------------------------------------------------------------------------------------------


def test_an_empty_library_has_no_view_and_holds_the_benchmark(panel):
    day = panel.dates[400]
    scores = rotation_scores(panel, [Library(day, 0, ())])
    assert scores.isna().all(axis=None)
    rows = scores.loc[panel.dates[[410]]]
    np.testing.assert_allclose(top_weights(rows, 5, too_few="equal_weight"), 1 / 20)
    assert (top_weights(rows, 5, too_few="hold_fewer") == 0).all(axis=None)


def test_all_libraries_so_far_score_with_equal_weight(panel):
    days = panel.dates[[400, 420]]
    entries = (
        (Entry("ts_mean_20(returns)", 1),),
        (Entry("neg(volume_20)", 1), Entry("ts_std_20(returns)", -1)),
    )
    one, other = (Library(day, 0, entry) for day, entry in zip(days, entries, strict=True))
    both = rotation_scores(panel, [one, other], by_seed=True)[0]
    first, second = (rotation_scores(panel, [library], by_seed=True)[0] for library in (one, other))
    pd.testing.assert_frame_equal(both.iloc[:420], first.iloc[:420])
    pd.testing.assert_frame_equal(both.iloc[420:], (first.iloc[420:] + second.iloc[420:]) / 2)
    late = rotation_scores(panel, [one, other], by_seed=True, since=panel.dates[430])[0]
    assert late.iloc[:430].isna().all(axis=None)
    pd.testing.assert_frame_equal(late.iloc[430:], both.iloc[430:])


def test_a_factor_whose_input_the_scored_sectors_lack_is_left_out_and_counted(panel):
    library = Library(
        panel.dates[400], 0, (Entry("ts_mean_20(returns)", 1), Entry("neg(volume_20)", 1))
    )
    fields = {name: values for name, values in panel.fields.items() if name != "volume"}
    inputs = factor_inputs(Panel(panel.dates, panel.symbols, fields, panel.mask))
    assert missing_inputs(inputs, [library]) == (["volume_20"], 1)
    assert missing_inputs(factor_inputs(panel), [library]) == ([], 0)
    alone = Library(library.mined_on, 0, library.entries[:1])
    pd.testing.assert_frame_equal(
        rotation_scores(inputs, [library]), rotation_scores(inputs, [alone])
    )


def test_seeds_without_a_view_are_left_out_of_the_mean():
    index, columns = pd.RangeIndex(1), list("abc")
    view = pd.DataFrame([[1.0, 3.0, 2.0]], index, columns)
    none = view * np.nan
    np.testing.assert_allclose(average_seeds({0: view, 1: none}), average_seeds({0: view}))


def test_the_five_best_share_the_weight():
    scores = pd.DataFrame([np.arange(8.0), np.ones(8)], index=[0, 1], columns=list("abcdefgh"))
    weights = top_weights(scores, 5, too_few="equal_weight")
    assert list(weights.columns[weights.loc[0] > 0]) == list("defgh")
    assert list(weights.columns[weights.loc[1] > 0]) == list("abcde")
    np.testing.assert_allclose(weights.sum(axis=1), 1)
