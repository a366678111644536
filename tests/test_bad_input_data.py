"""Bad files get an error that names the file, the symbol, the date and the remedy."""

import pandas as pd
import pytest
from market_folder import tables, write_folder

from lib.market.errors import DataError
from lib.market.folder import FolderSource
from lib.market.ingest import ingest
from lib.market.store import Store


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
    with pytest.raises(DataError, match="data folder does not exist"):
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


def parquet(folder, name, change):
    frame = pd.read_csv(folder / name)
    (folder / name).unlink()
    changed = change(frame)
    path = (folder / name).with_suffix(".parquet")
    (frame if changed is None else changed).to_parquet(path)


def rewrite(folder, name, change):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(change(content))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c[: c.rstrip().rindex(b",") - 3], ["line break", "may be cut", "export it"]),
        (lambda c: c.rstrip(b"\n"), ["line break"]),
        (lambda c: c[: c.rstrip().rindex(b",")] + b"\n", ["7 cells, the header 8"]),
        (lambda c: c.replace(b"close", b"close,close", 1), ["close is there 2 times"]),
        (lambda c: b"", ["the file is empty"]),
        (lambda c: c.replace(b"2025-06-13", b"13/06/2025"), ["13/06/2025", "could be two days"]),
        (lambda c: c.replace(b"2025-06-13", b"06/13/2025"), ["06/13/2025", "could be two days"]),
        (lambda c: c.replace(b"2025-06-13", b"45821"), ["45821", "day number of a spreadsheet"]),
        (lambda c: c.replace(b"2025-06-13", b"2025-02-30"), ["2025-02-30", "not a day"]),
        (lambda c: c.replace(b"2025-06-13", b"9999-12-31"), ["9999-12-31", "out of range"]),
        (
            lambda c: c.replace(b"2025-06-13", b"2025-06-12 16:00:00"),
            ["2025-06-12 16:00:00", "time of day"],
        ),
    ],
)
def test_a_file_that_could_be_misread_is_refused(tmp_path, change, words):
    folder = write_folder(tmp_path / "desk", tables())
    rewrite(folder, "bars/etf.csv", change)
    with pytest.raises(DataError) as caught:
        load_all(folder)
    for word in ["bars/etf.csv", "remedy", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("bars/etf.csv", lambda t: t.assign(close=t["close"] > 0), ["truth values"]),
        (
            "bars/etf.csv",
            lambda t: t.assign(close=[True, *t["close"].astype(object)[1:]]).astype(
                {"close": "string"}
            ),
            ["True"],
        ),
        (
            "bars/global_index.csv",
            lambda t: t.assign(date=pd.to_datetime(t["date"] + " 20:00").dt.tz_localize("UTC")),
            ["SPX", "time zone does not show"],
        ),
        (
            "bars/global_index.csv",
            lambda t: t.assign(
                date=[
                    f"{day} 00:00:00-0{4 + (i % 2)}:00" for i, day in enumerate(t["date"])
                ]  # summer and winter time
            ),
            ["time zone does not show"],
        ),
    ],
)
def test_a_parquet_file_that_could_be_misread_is_refused(tmp_path, name, change, words):
    folder = write_folder(tmp_path / "desk", tables())
    parquet(folder, name, change)
    with pytest.raises(DataError) as caught:
        load_all(folder)
    for word in ["remedy", *words]:
        assert word in str(caught.value)


def test_stamps_of_the_exchange_with_a_time_zone_keep_their_day(tmp_path):
    folder = write_folder(tmp_path / "desk", tables())
    before = {b.file: b.load() for b in FolderSource(folder).batches()}["bars/etf.csv"]
    parquet(
        folder,
        "bars/etf.csv",
        lambda t: t.assign(date=pd.to_datetime(t["date"] + " 07:00").dt.tz_localize("UTC")),
    )
    after = {b.file: b.load() for b in FolderSource(folder).batches()}["bars/etf.parquet"]
    assert after["date"].tolist() == before["date"].tolist()


@pytest.mark.parametrize(
    "written", ["{0:%Y%m%d}", "{0:%Y/%m/%d}", "{0.year}年{0.month}月{0.day}日"]
)
def test_dates_that_can_be_read_in_one_way_are_read(tmp_path, written):
    folder = write_folder(tmp_path / "desk", tables())
    before = {b.file: b.load() for b in FolderSource(folder).batches()}["bars/etf.csv"]
    spoil(
        folder,
        "bars/etf.csv",
        lambda t: t.assign(date=[written.format(day) for day in pd.to_datetime(t["date"])]),
    )
    after = {b.file: b.load() for b in FolderSource(folder).batches()}["bars/etf.csv"]
    pd.testing.assert_frame_equal(before, after)


def test_day_numbers_of_eight_digits_in_parquet_are_read(tmp_path):
    folder = write_folder(tmp_path / "desk", tables())
    before = {b.file: b.load() for b in FolderSource(folder).batches()}["bars/etf.csv"]
    parquet(
        folder,
        "bars/etf.csv",
        lambda t: t.assign(date=t["date"].str.replace("-", "").astype(int)),
    )
    after = {b.file: b.load() for b in FolderSource(folder).batches()}["bars/etf.parquet"]
    pd.testing.assert_frame_equal(before, after)


def test_upper_case_endings_and_gzip_are_read(tmp_path):
    folder = write_folder(tmp_path / "desk", tables())
    before = {b.file: b.load() for b in FolderSource(folder).batches()}
    (folder / "bars/etf.csv").rename(folder / "bars/etf.CSV")
    frame = pd.read_csv(folder / "bars/sector.csv", dtype=str)
    (folder / "bars/sector.csv").unlink()
    frame.to_csv(folder / "bars/sector.csv.gz", index=False)
    after = {b.file: b.load() for b in FolderSource(folder).batches()}
    pd.testing.assert_frame_equal(after["bars/etf.CSV"], before["bars/etf.csv"])
    pd.testing.assert_frame_equal(after["bars/sector.csv.gz"], before["bars/sector.csv"])


def test_a_file_that_is_not_read_is_named_with_what_to_do(tmp_path):
    folder = write_folder(tmp_path / "desk", tables())
    (folder / "bars" / "stock.xlsx").write_bytes(b"x")
    (folder / "etf.csv").write_text("symbol,date,close\n")
    (folder / "valuations.csv").write_text("symbol\n")
    unread = FolderSource(folder).unread()
    assert "save it as CSV" in unread["bars/stock.xlsx"]
    assert "move it to bars/etf.csv" in unread["etf.csv"]
    assert "rename it to valuation.csv" in unread["valuations.csv"]


def test_a_folder_or_a_dangling_link_instead_of_a_file_is_named(tmp_path):
    folder = write_folder(tmp_path / "desk", tables())
    (folder / "bars/etf.csv").unlink()
    (folder / "bars/etf.csv").symlink_to(tmp_path / "gone.csv")
    with pytest.raises(DataError, match=r"link leads to(.|\n)*etf\.csv"):
        load_all(folder)
    (folder / "bars/etf.csv").unlink()
    (folder / "bars/etf.csv").mkdir()
    with pytest.raises(DataError, match=r"a folder, not a file(.|\n)*etf\.csv"):
        load_all(folder)


def test_a_later_unread_file_becomes_a_finding(tmp_path):
    folder = write_folder(tmp_path / "desk", tables())
    store = Store(tmp_path / "store.duckdb")
    ingest(FolderSource(folder), store)
    (folder / "bars" / "stock.xlsx").write_bytes(b"x")
    ingest(FolderSource(folder), store)
    findings = store.query("SELECT file FROM findings WHERE \"check\" = 'file not read'")
    assert findings["file"].tolist() == ["bars/stock.xlsx"]
