"""A data folder is read alike from CSV and from Parquet."""

import numpy as np
import pandas as pd
import pytest
from market_folder import tables, write_folder

from lib.market.folder import FolderSource
from lib.market.schema import TABLES


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "desk", tables())


def test_instruments_come_first_and_every_file_comes(folder):
    batches = list(FolderSource(folder).batches())
    assert batches[0].table == "instruments"
    assert {batch.file for batch in batches} == set(tables())
    assert {batch.kind for batch in batches if batch.table == "bars"} == {
        batch.file.split("/")[1].split(".")[0] for batch in batches if batch.table == "bars"
    }


def test_the_source_says_where_it_comes_from(folder):
    source = FolderSource(folder)
    assert source.name == "folder" and not source.synthetic
    assert set(source.label) == {"en", "zh"} and all(
        "desk" in text for text in source.label.values()
    )


def test_csv_and_parquet_give_the_same_rows(folder, tmp_path):
    other = tmp_path / "parquet"
    (other / "bars").mkdir(parents=True)
    for name, frame in tables().items():
        small = frame.astype({c: "float32" for c in frame.columns[frame.dtypes == "float64"]})
        if name == "instruments.csv":
            frame.to_csv(other / name, index=False)
        else:
            small.to_parquet((other / name).with_suffix(".parquet"))
    for one, two in zip(FolderSource(folder).batches(), FolderSource(other).batches(), strict=True):
        left, right = one.load(), two.load()
        assert list(left.columns) == list(right.columns) == list(TABLES[one.table])
        assert list(left.dtypes) == list(right.dtypes)
        pd.testing.assert_frame_equal(left, right, rtol=1e-6)


def test_the_fingerprint_is_that_of_the_content(folder):
    before = {batch.file: batch.fingerprint for batch in FolderSource(folder).batches()}
    path = folder / "bars" / "etf.csv"
    path.write_bytes(path.read_bytes())
    assert {batch.file: batch.fingerprint for batch in FolderSource(folder).batches()} == before
    path.write_bytes(path.read_bytes().replace(b"510300.SH", b"510301.SH", 1))
    after = {batch.file: batch.fingerprint for batch in FolderSource(folder).batches()}
    assert {file for file in before if before[file] != after[file]} == {"bars/etf.csv"}


def test_missing_optional_columns_are_empty_and_codes_keep_their_zeros(folder):
    path = folder / "bars" / "broad_index.csv"
    frame = pd.read_csv(path, dtype=str).drop(columns=["volume", "amount"])
    frame["symbol"] = frame["symbol"].str[:6]
    frame.to_csv(path, index=False)
    batch = next(
        batch for batch in FolderSource(folder).batches() if batch.file == "bars/broad_index.csv"
    )
    rows = batch.load()
    assert rows["volume"].isna().all() and rows["volume"].dtype == np.float64
    assert "000300" in set(rows["symbol"])
