"""Calendar returns of the report: from the exhibits of the run, every system that it has."""

import numpy as np
import pandas as pd
from run_folder import tables as run_tables
from run_folder import write_run

from lib.exhibits.charts_periods import period_heat_map
from lib.exhibits.translations import translations
from lib.report.calendar_returns import calendar_returns, drawdowns, heat_maps, navs
from lib.report.commentary.quotations import Tables


def test_returns_and_drawdowns_come_from_the_net_asset_values(tmp_path):
    days = pd.bdate_range("2024-06-03", "2025-06-13")
    rng = np.random.default_rng(0)
    made = run_tables()
    nav = pd.DataFrame({"date": days.strftime("%Y-%m-%d")})
    for column in ("nav", "benchmark", "strategy"):
        nav[column] = np.cumprod(1 + rng.normal(0, 0.01, len(days)))
    made["fig08_gp_nav"] = nav[["date", "strategy", "benchmark"]]
    made["fig11_absolute_nav"] = nav[["date", "nav", "benchmark"]]
    del made["fig14_global_nav"]
    folder = write_run(tmp_path / "2025-06-13", made)
    courses = navs(Tables(folder, translations("en")))
    assert list(courses) == ["gp_rotation", "absolute_return"]
    table = calendar_returns(courses)
    own = table[table["system"] == "gp_rotation"].set_index("period")
    assert own.index.tolist()[:2] == ["2024", "2025"] and len(own) == 2 + 12
    last = nav.set_index(days)["strategy"]
    expected = last.iloc[-1] / last[:"2024"].iloc[-1] - 1
    assert np.isclose(own.loc["2025", "strategy"], expected)
    assert np.allclose(table["excess"], table["strategy"] - table["benchmark"])
    spells = drawdowns(courses)
    assert spells.groupby("system").size().max() <= 3
    labels = {(system, "excess"): system for system in courses}
    years, months = heat_maps(table, labels)
    assert years.shape == (2, 2) and months.shape == (2, 12)
    figure = period_heat_map([years, months], ["a", "b"], ("red", "green"))
    assert [axes.get_title() for axes in figure.axes] == ["a", "b"]
