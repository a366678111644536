"""Nothing in a run's tables changes when rows after its date are added or altered."""

import os
import subprocess
import sys

import pandas as pd
import pytest
from market_folder import tables, write_folder

AS_OF = "2025-05-16"
CODE = """
import sys
from pathlib import Path
from lib.weekly.execution import execute
data, out = sys.argv[1:]
root = Path("notebooks")
parameters = {"as_of": "AS_OF", "data": data, "out": out, "language": "en"}
series = {"01_market_recap": {"inflation_series": ["US_CPI_YOY"]}, "06_weekly_report": {}}
for name, own in series.items():
    failure = execute(root / f"{name}.ipynb", Path(out) / f"{name}.ipynb", parameters | own)
    assert failure is None, failure
""".replace("AS_OF", AS_OF)


def market():
    """Return a small folder's files with an ETF for each list of the recap."""
    files = tables()
    listed, bars = files["instruments.csv"], files["bars/etf.csv"]
    for symbol in ("512400.SH", "512880.SH", "510880.SH"):
        for name, table in (("instruments.csv", listed), ("bars/etf.csv", bars)):
            copy = table[table["symbol"] == "510300.SH"].assign(symbol=symbol)
            files[name] = pd.concat([files[name], copy], ignore_index=True)
    return files


def altered(files):
    """Change every number dated after the run's date, and add rows that were not there."""
    changed = {}
    for name, table in files.items():
        column = next((c for c in ("date", "release_date", "as_of") if c in table), None)
        if column is None:
            changed[name] = table
            continue
        late = pd.to_datetime(table[column]) > AS_OF
        table = table.copy()
        numbers = table.select_dtypes("number").columns
        table.loc[late, numbers] = table.loc[late, numbers] * 1.07
        if name.startswith("bars/"):
            # a row the exchange never had, and one bar gone
            extra = table[late].tail(1).assign(date=pd.Timestamp("2025-06-20"))
            table = pd.concat([table.drop(table.index[late][-3:-2]), extra])
        changed[name] = table
    return changed


def results(root, files):
    folder = write_folder(root / "desk", files)
    environment = os.environ | {"WEEKLY_STORE": str(root / "store")}
    out = root / "out"
    out.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(folder), str(out)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = [
        path
        for kind in ("tables", "figures", "facts", "exhibits")
        for path in (out / kind).glob("*")
    ]
    return {path.name: path.read_bytes() for path in sorted(found)}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return results(tmp_path_factory.mktemp("first"), market())


def test_altering_the_future_changes_no_table_and_no_figure(first, tmp_path):
    later = results(tmp_path, altered(market()))
    assert set(first) == set(later)
    assert [name for name in first if first[name] != later[name]] == []
    assert "fig01_global_assets.csv" in first


def test_altering_the_past_does(first, tmp_path):
    files = market()
    table = files["bars/global_index.csv"]
    table.loc[pd.to_datetime(table["date"]) == AS_OF, "close"] *= 1.001
    other = results(tmp_path, files)
    assert first["fig01_global_assets.csv"] != other["fig01_global_assets.csv"]
