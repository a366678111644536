"""Since when rules are frozen: true to the history of the parameters, and drawn where live begins."""

import subprocess
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import yaml

from lib.exhibits.charts import nav_chart
from lib.exhibits.frozen import draw_frozen, read_frozen
from lib.market.errors import ParameterError

ROOT = Path(__file__).resolve().parents[1]
#: parameters that no result depends on
WITHOUT_EFFECT = {"n_jobs", "threads"}


def at_commit(commit, path):
    shown = subprocess.run(
        ["git", "show", f"{commit}:{path}"], cwd=ROOT, capture_output=True, text=True
    )
    if shown.returncode:
        pytest.skip(f"no history of {path}: {shown.stderr.strip()}")
    return shown.stdout


@pytest.mark.parametrize("notebook", sorted(read_frozen()))
def test_defaults_are_those_of_the_commit_since_which_they_are_frozen(notebook):
    frozen = read_frozen()[notebook]
    path = f"params/{notebook}.yaml"
    then = yaml.safe_load(at_commit(frozen.commit, path))
    now = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    shared = (then.keys() & now.keys()) - WITHOUT_EFFECT
    changed = {key: (then[key], now[key]) for key in shared if then[key] != now[key]}
    assert not changed, (
        f"a default changed: enter its date and commit in params/frozen.yaml: {changed}"
    )
    day = subprocess.run(
        ["git", "show", "-s", "--format=%as", frozen.commit],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert day.stdout.strip() == frozen.date


@pytest.mark.parametrize(
    "text",
    [
        'a: {date: "2026-11-24"}',
        "a: {date: 2026-11-24, commit: abcdef1}",
        'a: {date: "2026-13-24", commit: abcdef1}',
        'a: {date: "2026-11-24", commit: main}',
        "a: 2026-11-24",
    ],
)
def test_an_entry_needs_a_date_and_a_commit(tmp_path, text):
    (tmp_path / "frozen.yaml").write_text(text)
    with pytest.raises(ParameterError, match="remedy"):
        read_frozen(tmp_path)


@pytest.mark.parametrize(("date", "drawn"), [("2025-03-03", True), ("2026-01-01", False)])
def test_the_line_is_drawn_where_the_course_reaches_past_it(date, drawn):
    days = pd.bdate_range("2025-01-01", periods=100)
    nav = pd.DataFrame({"nav": range(1, 101)}, index=days)
    figure = nav_chart(nav, {"nav": "NAV"}, drawdown_of="nav", nav_label="", drawdown_label="")
    before = [len(axes.get_lines()) for axes in figure.axes]
    assert draw_frozen(figure, pd.Timestamp(date), "live") is drawn
    after = [len(axes.get_lines()) for axes in figure.axes]
    assert after == [count + drawn for count in before]
    plt.close(figure)
