"""From a source into the store: what is skipped, added, refused, kept."""

import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from market_folder import SESSIONS, tables, write_folder

from lib.market.errors import DataError, RevisionError, StoreError
from lib.market.folder import FolderSource
from lib.market.ingest import ingest, open_market, store_path
from lib.market.pointintime import Market
from lib.market.schema import Batch
from lib.market.store import Store
from lib.market.validation import ValidationResult


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """One folder and the store made of it, for every test to copy."""
    home = tmp_path_factory.mktemp("template")
    ingest(FolderSource(write_folder(home / "desk", tables())), Store(home / "desk.duckdb"))
    return home


@pytest.fixture
def folder(template, tmp_path):
    return Path(shutil.copytree(template / "desk", tmp_path / "desk"))


@pytest.fixture
def empty(tmp_path):
    return Store(tmp_path / "store" / "desk.duckdb")


@pytest.fixture
def store(template, empty):
    """The store that has taken in the folder as it is."""
    empty.path.parent.mkdir()
    shutil.copy(template / "desk.duckdb", empty.path)
    return empty


def edit(folder, name, change):
    path = folder / name
    frame = pd.read_csv(path, dtype={"symbol": str})
    change(frame).to_csv(path, index=False)


def everything(store):
    return {
        table: store.query(f"SELECT * FROM {table} ORDER BY ALL")
        for table in (
            "instruments",
            "bars",
            "valuation",
            "constituents",
            "macro",
            "sessions",
            "findings",
            "quarantine",
        )
    }


def assert_same(left, right):
    for table in left:
        pd.testing.assert_frame_equal(left[table], right[table])


def set_close(symbol, date, factor):
    def change(frame):
        hit = (frame["symbol"] == symbol) & (frame["date"] == date)
        assert hit.sum() == 1
        frame.loc[hit, ["open", "high", "low", "close"]] *= factor
        return frame

    return change


def test_what_is_stored_is_what_the_files_say(folder, empty):
    report = ingest(FolderSource(folder), empty)
    files = tables()
    assert report.rows == {name: len(frame) for name, frame in files.items()}
    stored = empty.query("SELECT * FROM bars ORDER BY symbol, date")
    given = pd.concat([frame for name, frame in files.items() if name.startswith("bars/")])
    given = given.sort_values(["symbol", "date"], ignore_index=True)[stored.columns]
    given["date"] = given["date"].astype("datetime64[ns]")
    pd.testing.assert_frame_equal(stored, given, check_dtype=False, rtol=1e-12)
    meta = empty.meta()
    assert (meta["source"], meta["synthetic"]) == ("folder", False) and "desk" in meta["label"][
        "en"
    ]


def test_nothing_is_read_or_written_when_nothing_changed(folder, store):
    before = store.path.stat()
    read = []
    report = ingest(FolderSource(folder), store, progress=read.append)
    assert read == [] and set(report.rows.values()) == {None}
    assert (
        store.path.stat().st_mtime_ns == before.st_mtime_ns
        and store.path.stat().st_ino == before.st_ino
    )


def test_only_the_changed_file_is_read(folder, store):
    edit(folder, "valuation.csv", lambda frame: frame.iloc[:-1])
    read = []
    ingest(FolderSource(folder), store, progress=read.append)
    assert read == ["valuation.csv"]


def test_new_rows_are_added_and_equal_one_ingest_of_everything(folder, empty, tmp_path):
    full = tables()
    cut = {
        name: frame[pd.to_datetime(frame["date"]) < "2025-05-20"] if "date" in frame else frame
        for name, frame in full.items()
    }
    ingest(FolderSource(write_folder(folder, cut)), empty)
    assert empty.query("SELECT max(date) AS d FROM sessions")["d"][0] == pd.Timestamp("2025-05-19")
    report = ingest(FolderSource(write_folder(folder, full)), empty)
    assert not len(report.revised)
    whole = Store(tmp_path / "whole.duckdb")
    ingest(FolderSource(folder), whole)
    left, right = everything(empty), everything(whole)
    assert_same(left, right)
    assert Market(empty, "2025-06-13").fingerprint() == Market(whole, "2025-06-13").fingerprint()


def test_a_revision_is_refused_and_described(folder, store):
    before = store.path.read_bytes()
    edit(folder, "bars/etf.csv", set_close("510300.SH", "2025-03-05", 1.02))
    edit(folder, "bars/etf.csv", set_close("510300.SH", "2025-03-10", 0.99))
    with pytest.raises(RevisionError) as caught:
        ingest(FolderSource(folder), store)
    text = str(caught.value)
    assert "2 stored rows of 1 symbols" in text
    assert "510300.SH: 2 rows from 2025-03-05 to 2025-03-10, largest difference 2.0000%" in text
    assert "bars/etf.csv" in text and "--accept-revisions" in text
    assert store.path.read_bytes() == before


def test_an_accepted_revision_keeps_the_old_rows(folder, store):
    old = store.query("SELECT * FROM bars WHERE symbol = '510300.SH' AND date = '2025-03-05'")
    edit(folder, "bars/etf.csv", set_close("510300.SH", "2025-03-05", 1.02))
    report = ingest(FolderSource(folder), store, accept_revisions=True)
    new = store.query("SELECT * FROM bars WHERE symbol = '510300.SH' AND date = '2025-03-05'")
    assert new["close"][0] == pytest.approx(old["close"][0] * 1.02)
    assert report.revised[["file", "symbol", "row_count", "vanished"]].values.tolist() == [
        ["bars/etf.csv", "510300.SH", 1, 0]
    ]
    kept = store.query(
        "SELECT ingest, table_name, symbol, date, (content->>'close')::DOUBLE AS close FROM"
        " revisions"
    )
    assert kept.values.tolist() == [
        [2, "bars", "510300.SH", pd.Timestamp("2025-03-05"), old["close"][0]]
    ]
    assert store.query("SELECT count(*) AS n FROM bars")["n"][0] == sum(
        len(frame) for name, frame in tables().items() if name.startswith("bars/")
    )
    assert not len(ingest(FolderSource(folder), store).revised), (
        "the new values are the stored ones now"
    )


def test_a_row_that_vanishes_between_others_is_a_revision(folder, store):
    edit(
        folder,
        "bars/etf.csv",
        lambda f: f[(f["symbol"] != "159915.SZ") | (f["date"] != "2025-03-05")],
    )
    with pytest.raises(
        RevisionError, match=r"159915.SZ: 1 rows from 2025-03-05 to 2025-03-05, 1 of them gone"
    ):
        ingest(FolderSource(folder), store)
    ingest(FolderSource(folder), store, accept_revisions=True)
    assert (
        store.query("SELECT count(*) AS n FROM bars WHERE symbol = '159915.SZ'")["n"][0]
        == len(SESSIONS) - 1
    )
    assert store.query("SELECT count(*) AS n FROM revisions")["n"][0] == 1


def test_a_value_that_appears_or_goes_is_a_revision(folder, store):

    def empty(frame):
        frame.loc[frame["date"] == "2025-03-05", "pb"] = np.nan
        return frame

    edit(folder, "valuation.csv", empty)
    with pytest.raises(RevisionError, match=r"000300.SH: 1 rows from 2025-03-05"):
        ingest(FolderSource(folder), store)
    ingest(FolderSource(folder), store, accept_revisions=True)
    write_folder(folder, {"valuation.csv": tables()["valuation.csv"]})
    with pytest.raises(RevisionError, match=r"000300.SH: 1 rows from 2025-03-05"):
        ingest(FolderSource(folder), store)


def test_noise_of_formats_is_no_revision(folder, store):
    before = everything(store)

    def rounded(frame):
        for column in ("open", "high", "low", "close", "volume", "amount"):
            frame[column] *= 1 + 1e-12
        return frame

    edit(folder, "bars/sector.csv", rounded)
    assert not len(ingest(FolderSource(folder), store).revised)
    assert_same(before, everything(store))


def test_a_shorter_file_takes_nothing_away_and_is_flagged(folder, store):
    market = Market(store, "2025-06-13")
    before = market.fingerprint()
    edit(folder, "bars/etf.csv", lambda frame: frame[frame["date"] < "2025-05-20"])
    assert not len(ingest(FolderSource(folder), store).revised)
    after = Market(store, "2025-06-13")
    assert after.fingerprint() == before
    fewer = after.quality().set_index("check").loc["fewer rows"]
    assert fewer["level"] == "warn" and fewer["symbols"] == 2


def test_a_file_that_is_gone_keeps_its_rows_and_is_flagged_once(folder, store):
    (folder / "valuation.csv").unlink()
    ingest(FolderSource(folder), store)
    quality = Market(store, "2025-06-13").quality()
    assert quality[quality["check"] == "file no longer there"]["file"].tolist() == ["valuation.csv"]
    assert store.query("SELECT count(*) AS n FROM valuation")["n"][0] == len(SESSIONS)
    before = store.path.stat().st_mtime_ns
    ingest(FolderSource(folder), store)
    assert store.path.stat().st_mtime_ns == before
    write_folder(folder, {"valuation.csv": tables()["valuation.csv"]})
    ingest(FolderSource(folder), store)
    assert "file no longer there" not in set(Market(store, "2025-06-13").quality()["check"])


def test_instruments_may_change_without_a_flag_and_bars_are_judged_again(folder, empty):
    files = tables()
    listed = files["instruments.csv"]
    write_folder(folder, {"instruments.csv": listed[listed["symbol"] != "159915.SZ"]})
    ingest(FolderSource(folder), empty)
    assert "159915.SZ" not in set(empty.query("SELECT DISTINCT symbol FROM bars")["symbol"])
    refused = empty.query(
        "SELECT sum(row_count)::INT AS n FROM findings WHERE symbol = '159915.SZ'"
    )["n"][0]
    assert refused >= len(SESSIONS), "rows of an unknown symbol are counted and named"
    renamed = listed.assign(
        name=listed["name"].where(listed["symbol"] != "510300.SH", "沪深300ETF华泰柏瑞")
    )
    write_folder(folder, {"instruments.csv": renamed})
    ingest(FolderSource(folder), empty)
    market = Market(empty, "2025-06-13")
    assert market.instruments().loc["510300.SH", "name"] == "沪深300ETF华泰柏瑞"
    assert market.last_dates(["159915.SZ"]).iloc[0] == SESSIONS[-1]


def test_other_checks_judge_unchanged_files_again(folder, store, monkeypatch):
    from lib.market import ingest as module
    from lib.market import validation

    def stricter(batch: Batch, frame, context) -> ValidationResult:
        checked = validate_batch(batch, frame, context)
        if batch.file != "bars/etf.csv":
            return checked
        kept = checked.rows[checked.rows["date"] != pd.Timestamp("2025-03-05")]
        return ValidationResult(kept, checked.quarantined, checked.findings, checked.repairs)

    validate_batch = validation.validate_batch
    monkeypatch.setattr(validation, "validate_batch", stricter)
    monkeypatch.setattr(module, "_rules", lambda: "other rules")
    with pytest.raises(
        RevisionError, match=r"the checks of the files, which have changed(.|\n)*2 stored rows of 2"
    ):
        ingest(FolderSource(folder), store)


def test_the_log_tells_every_ingest(folder, store):
    edit(folder, "macro.csv", lambda frame: frame.iloc[:-1])
    ingest(FolderSource(folder), store)
    log = store.query("SELECT * FROM ingest_log ORDER BY ingest, file")
    assert log["ingest"].tolist() == [1] * len(tables()) + [2]
    assert log["file"].iloc[-1] == "macro.csv" and log["row_count"].iloc[-1] == 5
    assert log["source"].unique().tolist() == ["folder"]
    fingerprints = {batch.file: batch.fingerprint for batch in FolderSource(folder).batches()}
    assert log.groupby("file")["fingerprint"].last().to_dict() == fingerprints
    assert log["finished"].notna().all()


def test_rows_set_aside_are_kept_with_their_reason(folder, empty):
    def spoil(frame):
        # a Saturday
        stray = frame[frame["symbol"] == "000300.SH"].iloc[[50]].assign(date="2025-02-01")
        return pd.concat([frame, stray])

    edit(folder, "bars/broad_index.csv", spoil)
    ingest(FolderSource(folder), empty)
    aside = empty.query("SELECT * FROM quarantine")
    assert aside[["file", "table_name", "symbol"]].values.tolist() == [
        ["bars/broad_index.csv", "bars", "000300.SH"]
    ]
    assert aside["date"][0] == pd.Timestamp("2025-02-01") and "2025-02-01" in aside["content"][0]
    assert pd.Timestamp("2025-02-01") not in set(empty.query("SELECT date FROM bars")["date"])
    log = empty.query("SELECT quarantined FROM ingest_log WHERE file = 'bars/broad_index.csv'")
    assert log["quarantined"].tolist() == [1]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda f: (f / "bars/etf.csv").rename(f / "bars/eft.csv"),
            ["eft is not a kind", "rename it to etf.csv"],
        ),
        (
            lambda f: edit(f, "bars/etf.csv", lambda t: t.drop(columns="close")),
            ["bars/etf.csv", "close is missing"],
        ),
        (
            lambda f: edit(f, "bars/etf.csv", lambda t: t.rename(columns={"close": "closing"})),
            ["bars/etf.csv", "rename closing to close"],
        ),
        (
            lambda f: edit(
                f,
                "bars/etf.csv",
                lambda t: t.astype(str).replace({"close": {t["close"].astype(str)[3]: "n.a.?"}}),
            ),
            ["bars/etf.csv", "'n.a.?'", "510300.SH", "not a number"],
        ),
    ],
)
def test_a_bad_file_names_itself_and_leaves_the_store(folder, store, spoil, words):
    before = store.path.read_bytes()
    spoil(folder)
    with pytest.raises(DataError) as caught:
        ingest(FolderSource(folder), store)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert store.path.read_bytes() == before


def test_a_store_belongs_to_one_source(folder, empty):
    class Other(FolderSource):
        name = "live"

    ingest(FolderSource(folder), empty)
    with pytest.raises(
        StoreError, match=r"holds data of the source folder, not live(.|\n)*store of its own"
    ):
        edit(folder, "macro.csv", lambda frame: frame.iloc[:-1])
        ingest(Other(folder), empty)


def test_a_synthetic_source_is_made_anew_without_a_flag(folder, empty):
    class MadeUp(FolderSource):
        name, synthetic = "sample", True

    ingest(MadeUp(folder), empty)
    write_folder(folder, tables(seed=1))
    ingest(MadeUp(folder), empty)
    fresh = Store(empty.path.with_name("fresh.duckdb"))
    ingest(MadeUp(folder), fresh)
    assert_same(everything(empty), everything(fresh))
    assert empty.query("SELECT count(*) AS n FROM revisions")["n"][0] == 0


def run_child(code, *arguments):
    program = "import sys\n" + textwrap.dedent(code)
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


STOP_AT_SECTORS = """
    from lib.market.folder import FolderSource
    from lib.market.ingest import ingest
    from lib.market.store import Store

    def progress(file):
        if file == "bars/sector.csv":
            print("at the sectors", flush=True)
            sys.stdin.read()

    try:
        ingest(FolderSource(sys.argv[1]), Store(sys.argv[2]), progress=progress)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_an_ingest_that_is_stopped_leaves_the_earlier_state(folder, empty, stop):
    full = tables()
    cut = {
        name: frame[pd.to_datetime(frame["date"]) < "2025-05-20"] if "date" in frame else frame
        for name, frame in full.items()
    }
    ingest(FolderSource(write_folder(folder, cut)), empty)
    before = empty.path.read_bytes()
    write_folder(folder, full)
    process = run_child(STOP_AT_SECTORS, folder, empty.path)
    assert process.stdout.readline() == "at the sectors\n"
    process.send_signal(stop)
    output, _ = process.communicate(timeout=60)
    assert ("interrupted" in output) is (stop == signal.SIGINT)
    assert empty.path.read_bytes() == before
    assert len(ingest(FolderSource(folder), empty).rows) == len(full)
    assert Market(empty, "2025-06-13").as_of == SESSIONS[-1]


def test_two_processes_that_open_a_market_at_once_both_get_it(folder, tmp_path):
    code = """
        from lib.market.ingest import open_market
        market = open_market(sys.argv[1], "2025-06-13", store_dir=sys.argv[2])
        print(market.fingerprint())
    """
    processes = [run_child(code, folder, tmp_path / "stores") for _ in range(2)]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert all(process.returncode == 0 for process in processes), outputs
    assert outputs[0][0] == outputs[1][0]
    store = Store(store_path(str(folder), tmp_path / "stores"))
    assert store.query("SELECT max(ingest) AS n FROM ingest_log")["n"][0] == 1


def test_each_folder_has_a_store_of_its_own(folder, tmp_path):
    other = write_folder(tmp_path / "elsewhere" / "desk", tables(seed=1))
    paths = {store_path(str(path), tmp_path) for path in (folder, other)}
    assert len(paths) == 2 and all(path.name.startswith("folder-desk-") for path in paths)
    assert (
        store_path("sample").name == "sample.duckdb" and store_path("sample").parent.name == "store"
    )
    assert store_path(f"{folder}/../desk", tmp_path) in paths
    market = open_market(str(folder), store_dir=tmp_path)
    assert (
        market.as_of == SESSIONS[-1]
        and market.source.name == "folder"
        and not market.source.synthetic
    )


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(
        DataError, match=r"data folder does not exist(.|\n)*nowhere(.|\n)*DATA=sample"
    ):
        open_market(str(tmp_path / "nowhere"), store_dir=tmp_path)
    assert not list(tmp_path.iterdir())
