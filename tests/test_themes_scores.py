"""Theme scores: nothing from the future, threads do not matter, bad input gets a clear message."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lib.exhibits.feature_names import feature_name
from lib.exhibits.translations import LANGUAGES, translations
from lib.market.errors import ModelError, ParameterError
from lib.market.panel import Panel
from lib.models.themes import evidence, learners, ranking, scores
from lib.models.themes.features import cs_rank, features
from lib.models.themes.intraday import INTRADAY_FEATURES
from lib.models.themes.labels import blended_labels
from lib.models.themes.walkforward import ThemeSettings, walk_forward_scores


def market(rows=520, columns=24, seed=0):
    rng = np.random.default_rng(seed)
    step = 0.02 * rng.standard_normal((rows, columns))
    close = 10 * np.exp(step.cumsum(axis=0))
    opening = close * np.exp(0.004 * rng.standard_normal(close.shape))
    high = np.maximum(opening, close) * 1.005
    low = np.minimum(opening, close) * 0.995
    volume = np.exp(15 + 0.4 * rng.standard_normal(close.shape))
    fields = dict(
        open=opening, high=high, low=low, close=close, volume=volume, amount=volume * close
    )
    symbols = pd.Index([f"S{i:02d}" for i in range(columns)])
    return Panel(pd.bdate_range("2020-01-01", periods=rows), symbols, fields, np.isfinite(close))


QUICK = ThemeSettings(
    boosted=0.75,
    linear=0.25,
    gru=0.0,
    horizons=(5,),
    embargo=5,
    retrain_months=12,
    window_years=8.0,
    half_life_years=0.0,
    neutral=1.0,
    seeds=1,
    threads=1,
)


@pytest.fixture(scope="module")
def walked():
    panel = market()
    dates = panel.dates[4::5]
    return panel, dates, walk_forward_scores(panel, dates, dates[75], QUICK)


def test_changing_the_future_changes_no_score(walked):
    panel, dates, before = walked
    cut = 470
    fields = {name: values.copy() for name, values in panel.fields.items()}
    for values in fields.values():
        values[cut:] *= 1.7
    fields["close"][cut + 3] = np.nan
    after = walk_forward_scores(
        Panel(panel.dates, panel.symbols, fields, np.isfinite(fields["close"])),
        dates,
        dates[75],
        QUICK,
    )
    known = dates[(dates < panel.dates[cut]) & (dates >= dates[75])]
    assert len(known) > 10
    pd.testing.assert_frame_equal(before.fused.loc[known], after.fused.loc[known], check_exact=True)
    assert not before.fused.equals(after.fused), "the perturbation must be felt later"


def test_every_label_is_over_before_its_model_is_used(walked):
    panel, _, result = walked
    gap = panel.dates.get_indexer(result.refits["first_use"]) - panel.dates.get_indexer(
        result.refits["last_label"]
    )
    assert (gap >= QUICK.embargo).all()


def test_threads_change_nothing(walked):
    panel, dates, one = walked
    two = walk_forward_scores(panel, dates, dates[75], replace(QUICK, threads=2))
    pd.testing.assert_frame_equal(one.fused, two.fused, check_exact=True)


def test_the_cache_returns_the_same_and_sees_changed_data(walked, tmp_path):
    panel, dates, plain = walked
    for _ in range(2):
        cached = walk_forward_scores(panel, dates, dates[75], QUICK, cache_dir=tmp_path)
        pd.testing.assert_frame_equal(plain.fused, cached.fused, check_freq=False)
    files = set(tmp_path.rglob("*.entry"))
    walk_forward_scores(market(seed=1), dates, dates[75], QUICK, cache_dir=tmp_path)
    assert len(set(tmp_path.rglob("*.entry")) - files) == len(files) > 2, (
        "other data, other models and scores"
    )


def test_a_further_week_fits_no_model_anew(tmp_path, monkeypatch):
    panel = market()
    dates = panel.dates[4::5]
    shorter = walk_forward_scores(
        panel.until(dates[-2]), dates[:-1], dates[75], QUICK, cache_dir=tmp_path
    )
    monkeypatch.setattr(
        learners.BoostedTrainer, "fit", lambda *_: pytest.fail("a model was fitted again")
    )
    longer = walk_forward_scores(panel, dates, dates[75], QUICK, cache_dir=tmp_path)
    pd.testing.assert_frame_equal(
        shorter.fused, longer.fused.iloc[:-1], check_exact=True, check_freq=False
    )


def test_a_learner_that_learned_nothing_is_refused(monkeypatch):
    panel = market()
    dates = panel.dates[4::5]
    monkeypatch.setattr(learners.Boosted, "predict", lambda self, x: np.zeros(len(x)))
    with pytest.raises(ModelError, match="same score"):
        walk_forward_scores(panel, dates, dates[75], QUICK)


def test_a_share_suspended_through_the_window_is_not_scored():
    panel = market(rows=200)
    panel.mask[150:, 3] = False
    values, names, _ = features(panel, panel.dates[[140, 190]], 2)
    assert np.isfinite(values[0, 3]).any() and np.isnan(values[1, 3]).all()
    assert len(names) == len(set(names)) == values.shape[2]


def test_ranks_are_centred_and_keep_gaps():
    got = cs_rank(np.array([[3.0, np.nan, 1.0, 2.0, 2.0]]))[0]
    np.testing.assert_allclose(got, [0.375, np.nan, -0.375, 0.0, 0.0], atol=1e-7)


def test_labels_rank_the_returns_from_the_own_close_and_end_where_the_data_end():
    panel = market(rows=80, columns=7)
    got = blended_labels(panel, panel.dates[[10, 75]], [5], None, 0.0)
    close = panel.fields["close"]
    returns = close[15] / close[10] - 1
    assert got[0].argsort().tolist() == returns.argsort().tolist()
    assert np.isnan(got[1]).all()


DATES = pd.DatetimeIndex(["2025-06-06", "2025-06-13"])


def lists(weights, as_of="2025-06-09"):
    return pd.DataFrame(
        {
            "index_symbol": "I",
            "as_of": pd.Timestamp(as_of),
            "symbol": [f"S{i}" for i in range(len(weights))],
            "weight": weights,
        }
    )


def test_a_theme_is_the_weighted_mean_with_weights_known_then():
    z = pd.DataFrame([[1.0, 2, 3, 4, 5]] * 2, DATES, [f"S{i}" for i in range(5)])
    own = pd.DataFrame({"I": [7.0, 8.0]}, DATES)
    got = scores.theme_scores(z, lists([40.0, 30, 10, 10, 10]), own, pd.Index(["I"]), DATES)
    assert got.scores["I"].tolist() == [7.0, pytest.approx(2.2)]
    assert got.source["I"].tolist() == ["bars", "constituents"]


def test_few_members_fall_back_and_thin_coverage_is_marked():
    z = pd.DataFrame(1.0, DATES, [f"S{i}" for i in range(5)])
    own = pd.DataFrame({"I": [7.0, 8.0]}, DATES)
    few = scores.theme_scores(z, lists([50.0, 50.0]), own, pd.Index(["I"]), DATES)
    assert few.source["I"].tolist() == ["bars", "bars"]
    thin = scores.theme_scores(z, lists([10.0] * 5 + [50.0]), own, pd.Index(["I"]), DATES)
    assert thin.low_coverage["I"].tolist() == [False, True]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (lists([20.0] * 5, "2025-07-01"), "dated after"),
        (lists([-1.0, 101.0]), "a weight is -1"),
        (lists([np.nan, 100.0]), "a weight is nan"),
    ],
)
def test_constituents_that_cannot_be_used_are_refused(table, words):
    with pytest.raises(ModelError, match=words):
        scores.check_constituents(table, pd.Index(["S0"]), DATES[-1])


def test_constituents_with_faults_are_named():
    found = scores.check_constituents(lists([20.0, 20.0, 20.0]), pd.Index(["S0"]), DATES[-1])
    assert found.set_index("issue")["value"].to_dict() == {"weights": 60.0, "members": 2, "few": 1}


def test_scores_of_own_bars_get_the_dispersion_of_means_over_members():
    rng = np.random.default_rng(3)
    dates, themes = (
        pd.bdate_range("2025-01-03", periods=60, freq="W-FRI"),
        pd.Index([f"T{i}" for i in range(30)]),
    )
    own = pd.DataFrame(rng.standard_normal((60, 30)), dates, themes)
    means = 0.4 * pd.DataFrame(rng.standard_normal((60, 30)), dates, themes)
    means.loc[:, themes[20:]] = np.nan
    scale = scores.own_bars_scale(means, own)
    assert scale.iloc[-1] == pytest.approx(0.4, rel=0.1)
    ratio = (own.mul(scale, axis=0)[themes[20:]]).to_numpy().std() / means.to_numpy()[:, :20].std()
    assert ratio == pytest.approx(1.0, rel=0.1), "both kinds of scores spread alike"
    later = means.copy()
    later.iloc[40:] *= 7
    pd.testing.assert_series_equal(scale[:40], scores.own_bars_scale(later, own)[:40])
    assert scores.own_bars_scale(means[themes[:9]], own[themes[:9]]).isna().all(), (
        "nine themes give no ratio"
    )


def test_without_themes_that_have_both_scores_the_correlation_of_members_gives_the_scale():
    rng = np.random.default_rng(4)
    rho, dates = 0.2, pd.bdate_range("2025-01-03", periods=80, freq="W-FRI")
    groups = np.repeat(np.arange(20), 40)
    common, single = rng.standard_normal((80, 20)), rng.standard_normal((80, 800))
    z = np.sqrt(rho) * common[:, groups] + np.sqrt(1 - rho) * single
    z = pd.DataFrame((z - z.mean(1, keepdims=True)) / z.std(1, keepdims=True), dates)
    z.iloc[:, 5] = np.nan
    correlation = scores.member_correlation(z, groups)
    assert correlation.mean() == pytest.approx(rho, abs=0.02)
    assert scores.member_correlation(z, np.full(800, -1)).isna().all()
    themes = pd.Index(["T"])
    none, own = (pd.DataFrame(value, dates, themes) for value in (np.nan, 1.0))
    scale = scores.own_bars_scale(none, own, correlation[:60])
    assert (
        scale.iloc[-1] == scale.iloc[59] == pytest.approx(np.sqrt(rho + (1 - rho) / 50), abs=0.02)
    )
    simulated = z.to_numpy().reshape(80, 20, 40)
    assert np.nanmean(simulated, axis=2).std() == pytest.approx(
        np.sqrt(rho + (1 - rho) / 40), abs=0.02
    )
    got = scores.theme_scores(pd.DataFrame(index=dates), lists([]), own, themes, dates, correlation)
    np.testing.assert_allclose(got.scores["T"], scores.own_bars_scale(none, own, correlation))
    unscaled = scores.theme_scores(pd.DataFrame(index=dates), lists([]), own, themes, dates)
    assert unscaled.scale.isna().all() and unscaled.scores["T"].eq(1.0).all()


def test_a_change_is_one_between_scores_of_one_source():
    z = pd.DataFrame(1.0, DATES, [f"S{i}" for i in range(5)])
    own = pd.DataFrame({"I": [7.0, 8.0], "J": [1.0, 3.0]}, DATES)
    got = scores.theme_scores(z, lists([20.0] * 5), own, pd.Index(["I", "J"]), DATES)
    change = evidence.same_source_change(got.scores, got.source).iloc[-1]
    assert np.isnan(change["I"]) and change["J"] == 2.0
    gain = pd.DataFrame({"gain_peak": [0.2, 0.1], "gain_cumulative": [0.1, 0.1]}, ["I", "J"])
    hot, cold = ranking.strongest_and_weakest(gain, got.scores, change, 1)
    assert hot.loc["I", ["previous_score", "latest_score"]].tolist() == [7.0, 1.0] and np.isnan(
        hot.loc["I", "change"]
    )
    assert cold.index.tolist() == ["J"]


def claim_of(scores_, source, closes):
    sizes = dict(gain_sessions=5, horizon=3, top=12, draws=20, seed=1)
    return evidence.falling_after_gain(scores_, source, closes, **sizes).set_index("score")


def test_the_claim_counts_pairs_of_one_source_and_returns_that_can_be_traded():
    dates = pd.bdate_range("2024-01-01", periods=60)
    rng = np.random.default_rng(6)
    closes = pd.DataFrame(np.exp(rng.normal(0, 0.02, (60, 12)).cumsum(axis=0)), dates)
    decisions = dates[9:50:5]
    z = pd.DataFrame(rng.standard_normal((len(decisions), 12)), decisions)
    source = pd.DataFrame("bars", decisions, z.columns)
    every = claim_of(z, source, closes)
    assert every.loc["difference", "cases"] == 12 * (len(decisions) - 1)
    switched = source.copy()
    switched.iloc[4:, :3] = "constituents"
    assert claim_of(z, switched, closes).loc["difference", "cases"] == 12 * (len(decisions) - 1) - 3
    moved = closes.copy()
    moved.loc[decisions] = moved.shift(1).loc[decisions]
    # the close that the score rests on is in the gain alone: with every theme among the gains it
    # changes nothing
    pd.testing.assert_frame_equal(every, claim_of(z, source, moved))


def test_labels_and_learners_that_cannot_work_are_refused():
    with pytest.raises(ModelError, match="every label"):
        learners.check_labels(np.ones(10))
    with pytest.raises(ParameterError, match="no learner forest"):
        learners.trainer("forest", None, 1)


def test_deciles_climb():
    rng = np.random.default_rng(0)
    z = pd.DataFrame(rng.standard_normal((30, 50)))
    deciles = evidence.decile_returns(z, z)
    assert deciles["excess_return"].is_monotonic_increasing and len(deciles) == 10


def test_gains_count_from_the_low():
    level = np.concatenate([np.linspace(2, 1, 30), np.linspace(1.02, 1.5, 20), [1.35]])
    closes = pd.DataFrame({"A": level, "B": level}, pd.bdate_range("2025-01-01", periods=51))
    anchor = ranking.anchor_date(closes, 120, 10)
    assert anchor == closes.index[29]
    lows = closes * 0.9
    lows.loc[closes.index[35], "B"] = np.nan
    lows.loc[closes.index[25], "A"] = 0.1
    gain = ranking.gains(closes, lows, anchor)
    assert gain["gain_cumulative"].tolist() == pytest.approx([0.35, 0.35])
    assert gain["gain_peak"].tolist() == pytest.approx([0.5, 0.5]), (
        "from the low of the anchor's day, not one before"
    )
    with pytest.raises(ModelError, match="too few"):
        ranking.anchor_date(closes.iloc[:5], 120, 10)


def test_the_future_changes_no_theme_score(walked):
    panel, dates, before = walked
    fields = {name: values.copy() for name, values in panel.fields.items()}
    for values in fields.values():
        values[470:] *= 0.6
    changed = Panel(panel.dates, panel.symbols, fields, panel.mask)
    after = walk_forward_scores(changed, dates, dates[75], QUICK)
    members = panel.symbols[:8]
    early = pd.DataFrame(
        {"index_symbol": "I", "as_of": dates[80], "symbol": members, "weight": 12.5}
    )
    late = early.assign(as_of=panel.dates[471], weight=[65.0, *[5.0] * 7])
    themes, known = pd.Index(["I"]), dates[(dates < panel.dates[470]) & (dates >= dates[75])]
    none = pd.DataFrame(index=dates, columns=themes, dtype=float)
    one = scores.theme_scores(before.fused, early, none, themes, before.fused.index)
    two = scores.theme_scores(
        after.fused, pd.concat([early, late]), none, themes, after.fused.index
    )
    assert one.scores.loc[known, "I"].notna().sum() > 10
    pd.testing.assert_frame_equal(one.scores.loc[known], two.scores.loc[known], check_exact=True)
    closes = panel.frame()
    at = panel.dates[469]
    later = changed.frame()
    anchor = ranking.anchor_date(closes.loc[:at], 120, 10)
    assert anchor == ranking.anchor_date(later.loc[:at], 120, 10)
    pd.testing.assert_frame_equal(
        *(ranking.gains(prices.loc[:at], prices.loc[:at], anchor) for prices in (closes, later))
    )


def test_members_without_bars_and_a_suspended_share_leave_the_mean_of_the_rest():
    names = [f"S{i}" for i in range(7)]
    z = pd.DataFrame([[1.0, 2, 3, 4, 5, np.nan]] * 2, DATES, names[:6])
    got = scores.theme_scores(
        z, lists([10.0] * 5 + [20.0, 30.0]), pd.DataFrame(index=DATES), pd.Index(["I"]), DATES
    )
    assert got.scores["I"].iloc[1] == pytest.approx(3.0)
    assert got.coverage["I"].iloc[1] == pytest.approx(0.5) and got.low_coverage["I"].iloc[1]


def test_a_market_that_stands_still_and_a_short_history_are_refused():
    panel = market(rows=300)
    flat = {name: np.full_like(values, 10.0) for name, values in panel.fields.items()}
    dates = panel.dates[4::5]
    with pytest.raises(ModelError, match=r"every label|weeks of training"):
        walk_forward_scores(
            Panel(panel.dates, panel.symbols, flat, panel.mask), dates, dates[50], QUICK
        )
    with pytest.raises(ModelError, match="weeks of training"):
        walk_forward_scores(panel, dates, dates[15], QUICK)


def test_a_panel_without_volume_is_refused():
    panel = market(rows=80, columns=6)
    fields = {name: panel.fields[name] for name in ("open", "high", "low", "close")}
    with pytest.raises(ModelError, match="needs volume, amount"):
        features(Panel(panel.dates, panel.symbols, fields, panel.mask), panel.dates[[70]], 2)


def test_every_feature_has_a_name_of_its_own_in_both_languages():
    panel = market(rows=80, columns=6)
    minutes = {name: np.zeros((6, 80)) for name in INTRADAY_FEATURES}
    _, known, _ = features(panel, panel.dates[[70]], 2, windows=True, intraday=minutes)
    assert (
        len(known) > 200
        and f"intraday_{INTRADAY_FEATURES[0]}" in known
        and "window_monthly_volume_6" in known
    )
    for language in LANGUAGES:
        names = [feature_name(feature, translations(language)) for feature in known]
        assert len(set(names)) == len(known), sorted(
            name for name in names if names.count(name) > 1
        )
        numbers = [set(re.findall(r"\d+", name)) for name in names]
        lost = [
            f
            for f, seen in zip(known, numbers, strict=True)
            if not set(re.findall(r"\d+", f)) <= seen
        ]
        assert not lost, lost
    assert (
        feature_name("return_250_skip_21", translations("en"))
        == "Return, 250 days without the last 21"
    )
    with pytest.raises(ParameterError, match=r"feature\.unheard"):
        feature_name("unheard_5", translations("zh"))


@pytest.mark.real
def test_the_published_peak_gain_comes_out_of_the_real_folder(real_market):
    panel = real_market.panel(["931160.CSI"], ("close", "low"), start="2025-03-03")
    gain = ranking.gains(panel.frame(), panel.frame("low"), pd.Timestamp("2025-04-07"))
    assert gain.loc["931160.CSI", "gain_peak"] == pytest.approx(0.3276, abs=5e-5)
