"""The notebook of the absolute-return portfolio on a damaged folder: it runs, and notes every
fallback.
"""

import json

import pandas as pd
import pytest
import yaml

from lib.exhibits.parameters import load
from lib.exhibits.translations import translations
from lib.market.universe import read_universe
from lib.weekly.execution import execute
from lib.weekly.run import NOTEBOOKS
from tests.test_notebooks import SMALLER

NAME = "04_absolute_return_etf"
MISSING, SUSPENDED, SPLIT, YOUNG = "159985.SZ", "511090.SH", "511220.SH", "159981.SZ"
ON_PROXY = "159980.SZ"
SPLIT_DAY = "2025-03-10"


def damaged(bars):
    """Return the bars without two funds, one without sessions around the last decision, one split,
    one just listed.
    """
    bars = bars[~bars["symbol"].isin([MISSING, ON_PROXY])].copy()
    away = (bars["symbol"] == SUSPENDED) & bars["date"].between("2025-05-26", "2025-06-03")
    early = (bars["symbol"] == YOUNG) & (bars["date"] < "2025-02-03")
    bars = bars[~(away | early)]
    split = (bars["symbol"] == SPLIT) & (bars["date"] >= SPLIT_DAY)
    bars.loc[split, ["open", "high", "low", "close"]] *= 0.5
    bars.loc[split, "volume"] *= 2.0
    return bars


@pytest.fixture(scope="module")
def folder(sample_market, tmp_path_factory):
    path = tmp_path_factory.mktemp("market")
    funds = read_universe("absolute_return")
    symbols = sorted({*funds.index, *funds["proxy"], *read_universe("sectors_sw").index} - {""})
    listed = sample_market.instruments().loc[symbols].reset_index()
    bars = sample_market.store.query(
        "SELECT * FROM bars WHERE date >= DATE '2020-06-01' AND symbol IN (SELECT unnest(?))",
        [symbols],
    )
    bars = damaged(bars[["symbol", "date", "open", "high", "low", "close", "volume", "amount"]])
    listed = listed[~listed["symbol"].isin([MISSING, ON_PROXY])]
    listed.to_csv(path / "instruments.csv", index=False)
    (path / "bars").mkdir()
    for kind, rows in bars.merge(listed[["symbol", "kind"]], on="symbol").groupby("kind"):
        rows.drop(columns="kind").to_parquet(path / "bars" / f"{kind}.parquet", index=False)
    return path


def test_a_damaged_folder_is_noted_below_the_exhibits(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("WEEKLY_STORE", str(tmp_path / "store"))
    rotation = load("03_gp_rotation").model_dump() | SMALLER["03_gp_rotation"] | {"n_jobs": 1}
    rotation.pop("as_of")
    (tmp_path / "03_gp_rotation.yaml").write_text(yaml.safe_dump(rotation), encoding="utf-8")
    monkeypatch.setenv("WEEKLY_PARAMS", str(tmp_path))
    out = tmp_path / "out"
    parameters = SMALLER[NAME] | {
        "data": str(folder),
        "out": str(out),
        "start": "2024-12-31",
    }
    assert execute(NOTEBOOKS / f"{NAME}.ipynb", tmp_path / "executed.ipynb", parameters) is None
    text, names = translations("en"), read_universe("absolute_return")["name_en"]
    course, weights = (
        json.loads((out / "exhibits" / f"{stem}.json").read_text(encoding="utf-8"))["notes"]
        for stem in ("fig11_absolute_nav", "fig13_absolute_weights")
    )
    assert text(f"{NAME}.note.missing", names=names[MISSING]) in weights
    assert text(f"{NAME}.note.on_proxy_alone", names=names[ON_PROXY]) in weights
    assert text(f"{NAME}.note.event.suspended", months=1, names=names[SUSPENDED]) in weights
    assert text(f"{NAME}.note.event.leg_missing", months=1, names="long bonds") in weights
    assert text(f"{NAME}.note.event.young", months=4, names=names[YOUNG]) in course
    assert text(f"{NAME}.note.event.unlisted", months=2, names=names[YOUNG]) in course
    assert any(note.startswith("Idle cash") and "CN1Y" in note for note in course)
    assert any("the data lack the CITIC ones" in note for note in course)
    (jump,) = [note for note in course if note.startswith(names[SPLIT])]
    assert "10 March 2025" in jump and "-50%" in jump
    assert any("waited" in note for note in course)
    table = pd.read_csv(out / "tables" / "fig13_absolute_weights.csv")
    assert MISSING not in set(table["symbol"])
    assert table.loc[table["symbol"] == SUSPENDED, "weight"].tolist() == [0.0]
    nav = pd.read_csv(out / "tables" / "fig11_absolute_nav.csv")["nav"]
    # the short bonds, a third of the capital, would have shown half their value
    assert nav.pct_change().abs().max() < 0.03
    assert yaml.safe_load((out / "facts" / f"{NAME}.json").read_text(encoding="utf-8"))[
        "missing_signals"
    ]
