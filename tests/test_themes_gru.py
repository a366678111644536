"""The recurrent network: its absence is said clearly; where PyTorch is installed it learns and
repeats itself.
"""

import sys
from dataclasses import replace

import numpy as np
import pytest
from test_themes_scores import QUICK, market

from lib.market.errors import ParameterError
from lib.models.themes.features import bar_windows, features
from lib.models.themes.gru import GruTrainer
from lib.models.themes.learners import TrainingData
from lib.models.themes.walkforward import walk_forward_scores

LINEAR = replace(QUICK, boosted=0.0, linear=1.0)
WITH_GRU = replace(QUICK, boosted=0.0, linear=0.5, gru=0.5, threads=2)


def test_its_absence_is_said_with_a_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    panel = market(rows=60, columns=6)
    with pytest.raises(ParameterError, match="needs PyTorch") as caught:
        walk_forward_scores(panel, panel.dates[4::5], panel.dates[40], WITH_GRU)
    assert "requirements-gru.txt" in str(caught.value.remedy)


def test_the_default_scores_do_without_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    panel = market(rows=420, columns=12)
    dates = panel.dates[4::5]
    assert walk_forward_scores(panel, dates, dates[-6], LINEAR).fused.notna().to_numpy().any()


def test_windows_come_after_the_features_and_hold_past_bars():
    panel = market(rows=260, columns=9)
    at = panel.dates[[200, 250]]
    plain, names, bars = features(panel, at, 2)
    both, more, _ = features(panel, at, 2, windows=True)
    assert more[: len(names)] == names and all(
        name.startswith("window_") for name in more[len(names) :]
    )
    np.testing.assert_array_equal(both[:, :, : len(names)], plain)
    window = dict(bar_windows(bars, np.arange(260)))
    np.testing.assert_allclose(
        window["window_weekly_return_2"][:, 200],
        np.log(bars.close[:, 195] / bars.close[:, 190]),
        atol=1e-12,
    )


def test_it_learns_and_repeats_itself():
    pytest.importorskip("torch", reason="PyTorch is not installed (requirements-gru.txt)")
    panel = market(rows=300, columns=9)
    _, names, _ = features(panel, panel.dates[[250]], 2, windows=True)
    names = [name for name in names if name.startswith("window_")]
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (4000, len(names))).astype(np.float32)
    x[::50, 3] = np.nan
    y = 3 * np.nan_to_num(x[:, names.index("window_daily_return_1")])
    fitted = []
    data = TrainingData(
        x[:3000].reshape(30, 100, -1), y[:3000].reshape(30, 100), np.ones((30, 100), bool), names
    )
    for _ in range(2):
        trainer = GruTrainer(data, epochs=5, batch=128, rate=5e-3)
        model = trainer.fit(np.ones(30, bool), np.ones(30))
        fitted.append(model.predict(x[3000:]))
    np.testing.assert_array_equal(fitted[0], fitted[1])
    assert np.corrcoef(fitted[0], y[3000:])[0, 1] > 0.8
    assert model.importance().sum() == pytest.approx(1.0)


def test_it_sees_no_future_and_fits_side_by_side():
    pytest.importorskip("torch", reason="PyTorch is not installed (requirements-gru.txt)")
    panel = market(rows=420, columns=12)
    dates = panel.dates[4::5]
    before = walk_forward_scores(panel, dates, dates[50], WITH_GRU)
    again = walk_forward_scores(panel, dates, dates[50], replace(WITH_GRU, threads=1))
    assert before.by_learner["gru"].equals(again.by_learner["gru"])
    for values in panel.fields.values():
        values[400:] *= 1.5
    after = walk_forward_scores(panel, dates, dates[50], WITH_GRU)
    known = (dates < panel.dates[400])[-len(before.fused) :]
    assert before.by_learner["gru"][known].equals(after.by_learner["gru"][known])
    assert not before.by_learner["gru"].equals(after.by_learner["gru"])
