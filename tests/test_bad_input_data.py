"""Bad files get an error that names the file, the symbol, the date and the remedy."""

import pandas as pd
import pytest
from market_folder import tables, write_folder

from lib.market.errors import DataError
from lib.market.folder import FolderSource


def load_all(folder):
    for batch in FolderSource(folder).batches():
        batch.load()


def spoil(folder, name, change):
    frame = pd.read_csv(folder / name, dtype=str)
    changed = change(frame)
    (frame if changed is None else changed).to_csv(folder / name, index=False)


def cell(column, value):
    def change(frame):
        frame.loc[3, column] = value

    return change


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (
            "bars/etf.csv",
            lambda t: t.drop(columns="close"),
            ["bars/etf.csv", "close is missing", "add it"],
        ),
        (
            "bars/etf.csv",
            lambda t: t.rename(columns={"close": "closing"}),
            ["rename closing to close"],
        ),
        (
            "bars/etf.csv",
            lambda t: t.rename(columns={"volume": "volumes"}),
            ["rename volumes to volume"],
        ),
        (
            "bars/etf.csv",
            cell("close", "n.a.x"),
            ["bars/etf.csv", "n.a.x", "510300.SH", "2024-11-", "remedy"],
        ),
        ("bars/etf.csv", cell("open", "1,234.5"), ["1,234.5", "510300.SH"]),
        ("bars/etf.csv", cell("date", "13.06.25x"), ["13.06.25x", "510300.SH", "write dates as"]),
        ("valuation.csv", cell("pe_ttm", "loss"), ["valuation.csv", "loss", "000300.SH"]),
        (
            "constituents.csv",
            lambda t: t.rename(columns={"weight": "weights"}),
            ["rename weights to weight"],
        ),
        (
            "macro.csv",
            lambda t: t.drop(columns="release_date"),
            ["macro.csv", "release_date is missing"],
        ),
        (
            "instruments.csv",
            lambda t: t.drop(columns="kind"),
            ["instruments.csv", "kind is missing"],
        ),
    ],
)
def test_a_bad_cell_or_column_is_named(tmp_path, name, change, words):
    folder = write_folder(tmp_path / "desk", tables())
    spoil(folder, name, change)
    with pytest.raises(DataError) as caught:
        load_all(folder)
    for word in words:
        assert word in str(caught.value)


def test_a_missing_folder_and_a_missing_list(tmp_path):
    with pytest.raises(DataError, match="no such data folder"):
        FolderSource(tmp_path / "nowhere")
    folder = write_folder(tmp_path / "desk", tables())
    (folder / "instruments.csv").unlink()
    with pytest.raises(DataError, match=r"instruments\.csv"):
        load_all(folder)


def test_a_file_of_an_unknown_kind_names_the_nearest(tmp_path):
    folder = write_folder(tmp_path / "desk", tables())
    (folder / "bars" / "etf.csv").rename(folder / "bars" / "etfs.csv")
    with pytest.raises(DataError, match=r"rename it to etf\.csv"):
        load_all(folder)


def test_a_file_that_is_there_twice_or_damaged(tmp_path):
    folder = write_folder(tmp_path / "desk", tables())
    (folder / "bars" / "etf.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(DataError, match="twice"):
        load_all(folder)
    (folder / "bars" / "etf.csv").unlink()
    with pytest.raises(DataError, match="cannot be read"):
        load_all(folder)
