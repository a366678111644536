"""Faulty responses are rejected whole, reported, and leave the stored rows unchanged."""

import gzip
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest

pytest.importorskip(
    "akshare", reason="the live clients are not installed: pip install -r requirements-live.txt"
)
pytest.importorskip(
    "baostock", reason="the live clients are not installed: pip install -r requirements-live.txt"
)

import requests
from fake_providers import Fake

from lib.market.catalogue import read_catalogue
from lib.market.providers import update as module
from lib.market.providers.client import Client
from lib.market.providers.contract import FetchRequest, call_provider
from lib.market.providers.registry import ENDPOINTS, read_providers
from lib.market.providers.summary import summary
from lib.market.providers.update import update
from lib.market.store import Store

FRIDAY, NEXT = pd.Timestamp("2025-06-06"), pd.Timestamp("2025-06-13")
SECTORS = ["801010.SI", "801050.SI", "801780.SI"]
SYMBOLS = [*SECTORS, "000300.SH"]
HOST = "swsresearch.com"


@pytest.fixture(scope="module")
def tables(sample_store_dir):
    store = Store(sample_store_dir / "sample.duckdb")
    bars = store.query(
        "SELECT * FROM bars WHERE symbol IN (SELECT unnest(?)) AND date >= '2024-06-01'", [SYMBOLS]
    )
    valuation = store.query(
        "SELECT * FROM valuation WHERE symbol IN (SELECT unnest(?)) AND date >= '2025-04-01'",
        [SECTORS],
    )
    return (
        bars,
        valuation,
        store.query("SELECT * FROM constituents LIMIT 0"),
        store.query("SELECT * FROM macro LIMIT 0"),
    )


@pytest.fixture(scope="module")
def settings():
    few = {"first_date": {"": "2025-04-01"}, "shares": [], "constituents": {}, "macro": {}}
    return read_providers().model_copy(update=few)


@pytest.fixture
def fake(tables, monkeypatch):
    few = read_catalogue()
    few = few[few["symbol"].isin(SYMBOLS)]
    monkeypatch.setattr(module, "read_catalogue", lambda folder: few)
    monkeypatch.delenv("TUSHARE_TOKEN", raising=False)
    with Fake(*tables, FRIDAY).listening(monkeypatch) as fake:
        yield fake


@pytest.fixture
def filled(fake, settings, tmp_path):
    """A store up to Friday, and a week that is to come."""
    bring(settings, tmp_path, FRIDAY)
    fake.today = NEXT
    fake.hits.clear()
    return fake


def bring(settings, home, day, **options):
    waits = []
    client = Client(raw=home / "raw", sleep=waits.append, clock=lambda: 0.0, timeout=5.0)
    client.waits = waits
    report = update(settings, home, client, day, **options)
    report.client = client
    return report


def sectors_of(home):
    sql = "SELECT * FROM bars WHERE symbol LIKE '%.SI' ORDER BY ALL"
    return Store(home / "live.duckdb").query(sql)


def timeout(url, content):
    raise requests.ReadTimeout("read timed out")


def reset(url, content):
    raise requests.ConnectionError("Connection aborted: RemoteDisconnected")


def forbidden(url, content):
    return 403, b"forbidden"


def too_many(url, content):
    return 429, b"slow down"


def html(url, content):
    return b"<html><body>please log in</body></html>"


def empty_list(url, content):
    return json.dumps({"data": []}).encode()


def without(column):
    def fault(url, content):
        data = json.loads(content)
        for line in data["data"]:
            line.pop(column)
        return json.dumps(data).encode()

    return fault


def renamed(url, content):
    return content.replace(b"closeindex", b"close_index")


def half(symbol, rows):
    return rows.iloc[::2]


def times_100(symbol, rows):
    return rows.assign(**{field: rows[field] * 100 for field in ("open", "high", "low", "close")})


def times_100_from_now_on(symbol, rows):
    rows.loc[rows.index > FRIDAY, ["open", "high", "low", "close"]] *= 100
    return rows


def holiday(symbol, rows):
    extra = rows.iloc[[-1]].set_axis(pd.DatetimeIndex(["2025-06-02"]))
    return pd.concat([rows, extra]).sort_index()


def twice(symbol, rows):
    return pd.concat([rows, rows.iloc[[-1]].assign(close=1.0)])


def empty_closes(symbol, rows):
    return rows.assign(close=np.nan)


def swapped(symbol, rows):
    return rows.assign(open=rows["volume"], volume=rows["open"])


FAILURES = {
    "time-out": timeout,
    "connection reset": reset,
    "403": forbidden,
    "429": too_many,
    "HTML for JSON": html,
    "empty list": empty_list,
    "missing column": without("maxindex"),
    "renamed column": renamed,
}
FALSIFIED = {
    "half the rows": half,
    "values x 100": times_100,
    "new values x 100": times_100_from_now_on,
    "holiday row": holiday,
    "duplicate session": twice,
    "empty fields": empty_closes,
    "changed column": swapped,
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_provider_that_does_not_answer_leaves_the_stored_rows(filled, settings, tmp_path, name):
    before = sectors_of(tmp_path)
    filled.faults[HOST] = FAILURES[name]
    report = bring(settings, tmp_path, NEXT)
    pd.testing.assert_frame_equal(sectors_of(tmp_path), before)
    assert set(SECTORS) <= set(report.failures)
    # the other hosts were asked, and answered
    assert report.rows["bars", "broad_index"] == 5
    assert "801010.SI" in summary(report)
    filled.faults.clear()
    assert bring(settings, tmp_path, NEXT).rows["bars", "sector"] == 15


@pytest.mark.parametrize("name", FALSIFIED)
def test_an_answer_that_is_wrong_is_set_aside_whole(filled, settings, tmp_path, name):
    before = sectors_of(tmp_path)
    filled.falsified[HOST] = FALSIFIED[name]
    report = bring(settings, tmp_path, NEXT)
    pd.testing.assert_frame_equal(sectors_of(tmp_path), before)
    refused = {symbol for note in report.rejected for symbol in note["symbols"]}
    assert refused == set(SECTORS)
    aside = list((tmp_path / "live" / "quarantine").glob("*/*/note.json"))
    assert len(aside) == 3 and json.loads(aside[0].read_text(encoding="utf-8"))["reasons"]
    findings = Store(tmp_path / "live.duckdb").query(
        "SELECT * FROM findings WHERE \"check\" = 'response rejected'"
    )
    assert set(findings["symbol"]) == set(SECTORS)


def test_one_wrong_answer_among_many_is_refused_alone(filled, settings, tmp_path):
    filled.falsified[HOST] = lambda symbol, rows: (
        times_100(symbol, rows) if symbol == SECTORS[1] else rows
    )
    report = bring(settings.model_copy(update={"bad_share": 0.4}), tmp_path, NEXT)
    assert [note["symbols"] for note in report.rejected] == [[SECTORS[1]]]
    assert report.rows["bars", "sector"] == 10


def test_the_next_provider_steps_in(filled, settings, tmp_path, monkeypatch):
    monkeypatch.setenv("TUSHARE_TOKEN", "a-secret-token")
    filled.faults[HOST] = timeout
    report = bring(settings, tmp_path, NEXT)
    assert report.rows["bars", "sector"] == 15
    assert report.providers["bars", "sector"] == {"tushare.sector_daily": 3}
    assert not report.failures


def test_a_disagreement_of_two_providers_stops_both(filled, settings, tmp_path):
    filled.falsified["baostock.com"] = lambda symbol, rows: rows.assign(
        close=rows["close"] * np.linspace(1, 1.1, len(rows))
    )
    report = bring(settings, tmp_path, NEXT)
    assert ("bars", "broad_index") not in report.rows
    assert "apart from baostock.index_bars" in report.rejected[0]["reasons"][0]


def test_a_revision_is_taken_only_on_demand(filled, settings, tmp_path):
    def revised(symbol, rows):
        rows.loc["2025-06-05", "close"] *= 1.01
        return rows

    filled.falsified[HOST] = revised
    assert bring(settings, tmp_path, NEXT).rejected
    report = bring(settings, tmp_path, NEXT, accept_revisions=True)
    assert not report.rejected and report.ingest.revised["row_count"].sum() == 3


def test_a_refusing_host_is_asked_once_and_a_failing_one_three_times(filled, settings, tmp_path):
    filled.faults[HOST] = forbidden
    report = bring(settings, tmp_path, NEXT)
    assert report.requests["www.swsresearch.com"] == 1
    filled.faults[HOST] = too_many
    report = bring(settings, tmp_path, NEXT)
    assert report.requests["www.swsresearch.com"] == 3 * report.client.attempts
    # each wait longer than the one before, by chance and doubling
    waits = [wait for wait in report.client.waits if wait > 0.5][:3]
    assert 2.0 <= waits[0] <= 4.0 and 4.0 <= waits[1] <= 6.0 and 8.0 <= waits[2] <= 10.0


def test_requests_to_a_host_keep_their_distance():
    now, waits = [0.0], []

    def sleep(seconds):
        waits.append(seconds)
        now[0] += seconds

    client = Client(pause={"example.com": 2.0, "": 0.0}, sleep=sleep, clock=lambda: now[0])
    answer = requests.Response()
    answer.status_code = 200
    for host in ("a.example.com", "b.org", "a.example.com", "b.org"):
        client.send(f"https://{host}/", None, lambda: answer)
    assert waits == [2.0]


def test_an_answer_that_is_cut_short_is_asked_for_again():
    paths = []

    class Cut(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            paths.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"{}" if len(paths) < 3 else b"full")
            self.close_connection = True

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Cut) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = Client(sleep=lambda s: None, clock=lambda: 0.0, timeout=5.0)
        with client.attached():
            assert requests.get(f"http://127.0.0.1:{server.server_port}/bars").content == b"full"
        server.shutdown()
    assert len(paths) == 3 and client.requests["127.0.0.1"] == 3


@pytest.mark.parametrize(
    "fault", [(404, b"not found"), (502, b"bad gateway"), (429, b"slow down"), (403, b"no")]
)
@pytest.mark.parametrize("page", ["fc.yahoo.com", "query1.finance.yahoo.com"])
def test_prices_of_yahoo_come_without_its_cookie_and_key(fake, tables, page, fault):
    from yfinance.data import SingletonMeta

    SingletonMeta._instances.clear()  # it keeps cookie and key
    fake.bars["SPX"] = fake.bars["000300.SH"]
    fake.faults[page] = lambda url, content: fault
    want = FetchRequest(
        "global_index",
        ("SPX",),
        {"SPX": "^GSPC"},
        FRIDAY - pd.Timedelta(days=30),
        FRIDAY,
        tables[0].iloc[:0],
    )
    client = Client(sleep=lambda s: None, clock=lambda: 0.0, timeout=5.0)
    with client.attached():
        assert (
            len(
                call_provider("yfinance.bars", ENDPOINTS["yfinance.bars"].function, want, client)[
                    "bars"
                ]
            )
            > 15
        )
    assert client.requests[page]


@pytest.mark.parametrize("how", ["Ctrl-C", "kill"])
def test_an_update_goes_on_where_it_was_stopped(filled, settings, tmp_path, how):
    before = sectors_of(tmp_path)

    def stop(url, content):
        if "801050" in url:
            if how == "kill":
                os._exit(9)
            raise KeyboardInterrupt
        return content

    filled.faults[HOST] = stop
    if how == "kill":
        child = os.fork()
        if not child:
            bring(settings, tmp_path, NEXT)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    else:
        with pytest.raises(KeyboardInterrupt):
            bring(settings, tmp_path, NEXT)
    pd.testing.assert_frame_equal(sectors_of(tmp_path), before)
    filled.faults.clear()
    filled.hits.clear()
    report = bring(settings, tmp_path, NEXT)
    assert report.rows["bars", "sector"] == 15 and not report.rejected
    # the first sector was not asked for again
    assert sum("trend" in hit for hit in filled.hits) == 2


def test_secrets_are_nowhere(filled, settings, tmp_path, monkeypatch, capfd):
    # as a file with Windows line ends gives it
    monkeypatch.setenv("TUSHARE_TOKEN", " a-wrong-secret\r")
    filled.faults[HOST] = timeout
    refused = bring(settings, tmp_path, NEXT)
    # tushare repeats the token in its answer
    assert any("***" in said for said in refused.failures["801010.SI"])
    monkeypatch.setenv("TUSHARE_TOKEN", "a-secret-token")
    taken = bring(settings, tmp_path, NEXT)
    assert taken.rows["bars", "sector"] == 15
    print(summary(refused), summary(taken))
    said = "".join(capfd.readouterr())
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("waditu" in path.name for path in kept)
    for path in kept:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        for secret in (b"a-wrong-secret", b"a-secret-token"):
            assert secret not in content, path
    assert "secret" not in said


def test_raw_answers_are_kept(fake, settings, tmp_path):
    bring(settings, tmp_path, FRIDAY)
    lines = (
        gzip.decompress((tmp_path / "raw" / "www.swsresearch.com.jsonl.gz").read_bytes())
        .decode()
        .splitlines()
    )
    first = json.loads(lines[0])
    assert first["status"] == 200 and json.loads(first["text"])["data"][0]["swindexcode"] in str(
        SECTORS
    )
