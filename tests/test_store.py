"""The store: short connections, all-or-nothing writes, clear errors."""

import os
import signal
import subprocess
import sys
import textwrap
import threading

import duckdb
import pandas as pd
import pytest

from lib.market.errors import StoreError
from lib.market.schema import SCHEMA_VERSION, TABLES
from lib.market.store import BOOKKEEPING_TABLES, Store


def fill(store, *symbols):
    with store.write() as connection:
        for symbol in symbols:
            connection.execute("INSERT INTO instruments (symbol, kind) VALUES (?, 'etf')", [symbol])


def symbols(store):
    return store.query("SELECT symbol FROM instruments ORDER BY symbol")["symbol"].tolist()


@pytest.fixture
def child():
    """Start a process that runs some code with the store's path as its argument; it ends with the
    test.
    """
    processes = []

    def start(code, path, **kwargs):
        program = (
            "import sys\nfrom lib.market.store import Store\npath = sys.argv[1]\n"
            + textwrap.dedent(code)
        )
        command = [sys.executable, "-c", program, str(path)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | kwargs
        processes.append(subprocess.Popen(command, text=True, **pipes))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "deep" / "market.duckdb", lock_timeout=0.2)
    fill(store, "510300")
    return store


def test_the_first_write_creates_every_table_of_the_schema(store):
    with store.read() as connection:
        tables = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
        columns = [row[0] for row in connection.execute("DESCRIBE bars").fetchall()]
    assert tables == {*TABLES, *BOOKKEEPING_TABLES}
    assert columns == list(TABLES["bars"])
    assert store.meta() == {"schema_version": SCHEMA_VERSION}
    assert [path.name for path in store.path.parent.iterdir() if path.suffix != ".lock"] == [
        "market.duckdb"
    ]


def test_reading_needs_a_store(tmp_path):
    with pytest.raises(
        StoreError, match=r"store does not exist yet(.|\n)*nowhere.duckdb(.|\n)*remedy"
    ):
        Store(tmp_path / "nowhere.duckdb").query("SELECT 1")


def test_dates_come_back_as_nanoseconds(store):
    with store.write() as connection:
        connection.execute(
            "INSERT INTO bars (symbol, date, close) VALUES ('510300', DATE '1990-12-19', 1.5)"
        )
    table = store.query("SELECT date, close, volume FROM bars")
    assert table["date"].dtype == "datetime64[ns]"
    assert table["date"].iloc[0] == pd.Timestamp("1990-12-19")
    assert pd.isna(table["volume"].iloc[0])


@pytest.mark.parametrize(
    "error", [ValueError("boom"), KeyboardInterrupt(), StoreError("boom", remedy="none")]
)
def test_a_write_that_raises_leaves_every_byte_as_it_was(store, error):
    before = store.path.read_bytes()
    with pytest.raises(type(error)), store.write() as connection:
        connection.execute("DELETE FROM instruments")
        raise error
    assert store.path.read_bytes() == before
    assert not list(store.path.parent.glob("*.building*"))


def test_an_interrupt_that_duckdb_reports_as_an_error_is_ctrl_c(store):
    with pytest.raises(KeyboardInterrupt), store.write():
        raise RuntimeError("Query interrupted")
    with pytest.raises(KeyboardInterrupt), store.read():
        raise RuntimeError("Query interrupted")
    with pytest.raises(RuntimeError, match="another"), store.read():
        raise RuntimeError("another")


def test_a_killed_write_leaves_the_store_and_does_not_hinder_the_next(store, child):
    before = store.path.read_bytes()
    process = child(
        """
        with Store(path).write() as connection:
            connection.execute("INSERT INTO bars (symbol, close) SELECT 'x', random() FROM range(200000)")
            connection.execute("CHECKPOINT")
            print("half way", flush=True)
            sys.stdin.read()
        """,
        store.path,
        stdin=subprocess.PIPE,
    )
    assert process.stdout.readline() == "half way\n"
    assert symbols(store) == ["510300"], (
        "readers see the earlier state while another process writes"
    )
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert store.path.read_bytes() == before
    fill(store, "159915")
    assert symbols(store) == ["159915", "510300"]
    assert not list(store.path.parent.glob("*.building*")), (
        "what the killed process left is removed"
    )


BETWEEN_QUERIES = (
    "while True: connection.execute(\"INSERT INTO bars (symbol, close) VALUES ('x', random())\")"
)
WITHIN_A_QUERY = (
    "connection.execute('SELECT count(*) FROM range(100000) a, range(3000) b"
    " WHERE hash(a.range) % 3 > b.range % 2').fetchall()"
)


@pytest.mark.parametrize(
    "work", [BETWEEN_QUERIES, WITHIN_A_QUERY], ids=["between queries", "within a query"]
)
def test_ctrl_c_leaves_the_store(store, work, child):
    before = store.path.read_bytes()
    process = child(
        f"""
        try:
            with Store(path).write() as connection:
                print("started", flush=True)
                {work}
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        """,
        store.path,
    )
    assert process.stdout.readline() == "started\n"
    threading.Timer(0.3, process.send_signal, [signal.SIGINT]).start()
    output, error = process.communicate(timeout=60)
    assert output == "interrupted\n", error
    assert store.path.read_bytes() == before


def test_a_full_disk_leaves_the_store_and_says_so(store, child):
    before = store.path.read_bytes()
    process = child(
        """
        import resource
        from lib.market.errors import StoreError
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
        try:
            with Store(path).write() as connection:
                connection.execute("INSERT INTO bars (symbol, close) SELECT 'x', random() FROM range(2000000)")
        except StoreError as error:
            print(error)
        """,
        store.path,
    )
    output, error = process.communicate(timeout=60)
    assert (
        "could not be written" in output
        and "free some disk space" in output
        and str(store.path) in output
    ), error
    assert store.path.read_bytes() == before


def test_a_store_that_another_process_holds_is_named_with_the_remedy(store, child):
    process = child(
        """
        import duckdb
        connection = duckdb.connect(path)
        print("held", flush=True)
        sys.stdin.read()
        """,
        store.path,
        stdin=subprocess.PIPE,
    )
    assert process.stdout.readline() == "held\n"
    try:
        with pytest.raises(
            StoreError,
            match=r"in use by another process(.|\n)*market.duckdb(.|\n)*end that process",
        ):
            symbols(store)
        with pytest.raises(StoreError, match="in use by another process"):
            fill(store, "159915")
    finally:
        process.communicate("")
    assert symbols(store) == ["510300"], "it opens again once the other process is gone"


def test_a_reader_waits_for_a_short_lock(store, child):
    patient = Store(store.path, lock_timeout=30)
    process = child(
        """
        import duckdb, time
        connection = duckdb.connect(path)
        print("held", flush=True)
        time.sleep(0.5)
        """,
        store.path,
    )
    assert process.stdout.readline() == "held\n"
    assert symbols(patient) == ["510300"]
    process.wait()


def test_an_open_reader_in_another_process_does_not_hinder_a_write(store, child):
    process = child(
        """
        with Store(path).read() as connection:
            print("reading", flush=True)
            sys.stdin.read()
            print(connection.execute("SELECT count(*) FROM instruments").fetchone()[0])
        """,
        store.path,
        stdin=subprocess.PIPE,
    )
    assert process.stdout.readline() == "reading\n"
    fill(store, "159915")
    output, error = process.communicate("")
    assert output == "1\n", error
    assert symbols(store) == ["159915", "510300"]


def test_two_writers_take_turns(store, child):
    code = """
        with Store(path).write() as connection:
            count = connection.execute("SELECT count(*) FROM instruments").fetchone()[0]
            connection.execute("INSERT INTO instruments (symbol) VALUES (?)", [f"n{count}"])
    """
    processes = [child(code, store.path) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert symbols(store) == ["510300", "n1", "n2", "n3"]


def test_a_writer_that_waits_too_long_says_for_whom(store, child):
    process = child(
        """
        with Store(path).write():
            print("writing", flush=True)
            sys.stdin.read()
        """,
        store.path,
        stdin=subprocess.PIPE,
    )
    assert process.stdout.readline() == "writing\n"
    with pytest.raises(StoreError, match=r"has been filling the store(.|\n)*let it finish"):
        fill(Store(store.path, writer_timeout=0.1), "159915")
    process.communicate("")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "store").write_text("a file in place of the folder", encoding="utf-8")
    with pytest.raises(
        StoreError,
        match=r"folder of the store cannot be written(.|\n)*market.duckdb(.|\n)*writable",
    ):
        fill(Store(tmp_path / "store" / "market.duckdb"), "159915")


def test_the_lock_is_free_again_for_the_same_thread(store):
    with store.exclusive(), store.exclusive():
        fill(store, "159915")
    assert symbols(store) == ["159915", "510300"]


@pytest.mark.parametrize(
    ("version", "remedy"), [(SCHEMA_VERSION + 1, "update the suite"), (0, "ingest again")]
)
def test_another_schema_is_refused_unread(store, version, remedy):
    connection = duckdb.connect(str(store.path))
    connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", [str(version)])
    connection.close()
    before = store.path.read_bytes()
    with pytest.raises(StoreError, match=rf"schema version {version}(.|\n)*{remedy}"):
        symbols(store)
    with pytest.raises(StoreError, match=f"schema version {version}"):
        fill(store, "159915")
    assert store.path.read_bytes() == before


def test_a_file_that_is_no_store_is_refused(tmp_path):
    path = tmp_path / "broken.duckdb"
    path.write_bytes(os.urandom(20_000))
    with pytest.raises(StoreError, match=r"cannot be used(.|\n)*broken.duckdb(.|\n)*move it away"):
        Store(path).query("SELECT 1")


def test_the_log_of_a_killed_foreign_writer_is_replayed_then_retired(store, child):
    process = child(
        """
        import duckdb, os
        connection = duckdb.connect(path)
        connection.execute("SET checkpoint_threshold = '1GB'")
        connection.execute("INSERT INTO instruments (symbol) VALUES ('512880')")
        os._exit(0)
        """,
        store.path,
    )
    process.wait(60)
    assert store.path.with_name("market.duckdb.wal").exists()
    assert symbols(store) == ["510300", "512880"]
    fill(store, "159915")
    assert symbols(store) == ["159915", "510300", "512880"]
