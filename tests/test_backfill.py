"""The reports of many weeks: in threads, and on a cluster that loses a worker."""

import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
from tiny_notebooks import notebook

from lib.exhibits.parameters import PARAMS
from lib.market.calendar import Sessions
from lib.market.errors import RunError
from lib.report.manifest import Manifest
from lib.weekly import backfill as weeks_module
from lib.weekly.backfill import LocalMaker, Outcome, backfill, main, weeks_between
from lib.weekly.run import Settings

WEEKS = pd.to_datetime(["2025-05-16", "2025-05-23", "2025-05-30", "2025-06-06"])


#: fits a "model" once a quarter, and scores the week with it
SECTION = """
import pandas as pd
from pathlib import Path
from lib.market.ingest import STORES, open_market
market = open_market(data, as_of, as_stored=True)
closes = market.closes(["000300.SH"])["000300.SH"].dropna()
ends = market.sessions.quarter_ends(until=market.as_of)
model = Path(STORES) / "cache" / "means" / f"{ends[-1]:%Y-%m-%d}.txt"
if not model.exists():
    model.parent.mkdir(parents=True, exist_ok=True)
    model.write_text(str(closes[:ends[-1]].mean()))
Path(out, "tables").mkdir(exist_ok=True)
scores = pd.DataFrame({"date": closes.index, "score": closes / float(model.read_text())})
scores.to_csv(Path(out, "tables", "scores.csv"), index=False)
"""
#: compares with the latest earlier week, on which a report rests
REPORT = """
import pandas as pd
from pathlib import Path
week = Path(out, "tables", "scores.csv")
earlier = sorted(path for path in Path(out).parent.glob("2025-*/tables/scores.csv")
                 if path.parents[1].name < as_of)
last = [(path.parents[1].name, pd.read_csv(path)["score"].iloc[-1]) for path in [*earlier[-1:], week]]
pd.DataFrame({"previous": [last[0][0] if earlier else ""], "change": [last[-1][1] - last[0][1]]}).to_csv(
    Path(out, "tables", "changes.csv"), index=False)
"""


@pytest.fixture
def suite(tmp_path):
    """Folders of notebooks and of parameters of a report with one section."""
    notebooks, params = tmp_path / "notebooks", tmp_path / "params"
    for folder in (notebooks, params):
        folder.mkdir()
    for name, source in (("section", SECTION), ("report", REPORT)):
        notebook(notebooks, name, source)
        (params / f"{name}.yaml").touch()
    shutil.copy(PARAMS / "house.yaml", params)
    plan = {"sections": [{"notebook": "section"}], "report": "report"}
    (params / "weekly.yaml").write_text(json.dumps(plan))
    return {"notebooks": notebooks, "params": params}


def tables(out):
    """Return every table of every week, by path."""
    return {path.relative_to(out): path.read_text() for path in sorted(out.glob("*/tables/*.csv"))}


def sections(out):
    """Return the sections of every week, with what their inputs hash to."""
    runs = [Manifest.read(folder) for folder in sorted(out.glob("20*"))]
    return [
        (run.as_of, [(each.name, each.status, each.fingerprint) for each in run.sections])
        for run in runs
    ]


def made_by(maker, out, suite, weeks=WEEKS, workers=2):
    settings = Settings(data="sample", out=out, language="en")
    return backfill(settings, weeks, maker, workers=workers, **suite)


def test_a_cluster_that_loses_a_worker_gives_the_tables_of_one_process(
    sample_store_dir, tmp_path, suite
):
    distributed = pytest.importorskip("distributed")
    from lib.weekly.cluster import ClusterMaker

    alone = made_by(LocalMaker(), tmp_path / "alone", suite, workers=1)
    assert [each.status for each in alone] == ["made"] * 4, alone
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        maker = ClusterMaker(cluster.scheduler_address)
        maker.prepare(sample_store_dir / "sample.duckdb", tmp_path / "cluster")
        assert maker.workers == 2
        victim = min(maker.client.run(os.getpid).values())
        killed = threading.Event()

        def kill():
            # in the middle of its second week
            while not list((tmp_path / "cluster").glob("2025-05-2*")):
                time.sleep(0.1)
            os.kill(victim, signal.SIGKILL)
            killed.set()

        threading.Thread(target=kill, daemon=True).start()
        together = made_by(maker, tmp_path / "cluster", suite)
        assert killed.is_set()
        assert [each.status for each in together] == ["made"] * 4, together
        before = sections(tmp_path / "cluster")
        again = made_by(maker, tmp_path / "cluster", suite)
        assert {each.status for each in again} == {"kept"}, (before, sections(tmp_path / "cluster"))
        maker.client.close()
    expected = tables(tmp_path / "alone")
    assert len(expected) == 8
    assert tables(tmp_path / "cluster") == expected
    index = (tmp_path / "cluster" / "index.html").read_text(encoding="utf-8")
    assert all(f"{week:%Y-%m-%d}/report.html" in index for week in WEEKS)
    for week in WEEKS:
        manifest = Manifest.read(tmp_path / "cluster" / f"{week:%Y-%m-%d}")
        assert (manifest.status, manifest.as_of) == ("ok", f"{week:%Y-%m-%d}")


class Recorder:
    """Stands in for a maker: records the order of weeks; the second week fails."""

    def __init__(self):
        self.calls = []
        self.waits = False

    def __call__(self, settings, notebooks, params):
        self.calls.append(settings.as_of)
        if settings.as_of == "2025-05-30":
            time.sleep(0.5)
        if settings.as_of == "2025-05-23":
            raise ConnectionError("the worker is gone")
        return Outcome(settings.as_of, "made")

    def stop(self):
        raise AssertionError("nothing was to be stopped")


def test_a_week_that_fails_is_named_and_the_others_go_on(tmp_path, suite):
    tmp_path.joinpath("out").mkdir()
    outcomes = made_by(Recorder(), tmp_path / "out", suite)
    assert [each.status for each in outcomes] == ["made", "failed", "made", "made"]
    assert outcomes[1].error == "ConnectionError: the worker is gone"


def test_the_first_week_of_a_quarter_is_made_before_the_others(tmp_path, suite):
    tmp_path.joinpath("out").mkdir()
    weeks = pd.to_datetime(["2025-03-21", "2025-03-28", "2025-04-03", "2025-04-11"])
    leaders = weeks_module._leaders(weeks)
    assert leaders == [None, "2025-03-21", "2025-03-21", "2025-04-03"]
    maker = Recorder()
    made_by(maker, tmp_path / "out", suite, weeks=weeks, workers=1)
    assert maker.calls[0] == "2025-03-21"


def test_weeks_are_those_whose_last_session_is_in_the_span():
    sessions = Sessions.load()
    found = weeks_between(sessions, "2025-01-24", "2025-02-14")
    # the week of the Spring Festival has one session, the next none
    assert [f"{week:%m-%d}" for week in found] == ["01-24", "01-27", "02-07", "02-14"]
    assert len(weeks_between(sessions, "2025-01-24", "2025-02-14", until="2025-02-12")) == 3


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ("2025-06-13", "2025-06-01", "before it begins"),
        ("2025-06-03", "2025-06-05", "no week is completed"),
        ("soon", "2025-06-05", "not a date"),
    ],
)
def test_a_bad_span_is_refused_before_the_store_is_filled(
    first, last, message, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(weeks_module, "open_market", pytest.fail)
    assert main(["--from", first, "--to", last, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_scheduler_that_does_not_answer_is_refused(tmp_path, capsys, monkeypatch):
    cluster = pytest.importorskip("lib.weekly.cluster")
    monkeypatch.setattr(cluster, "ANSWER_WITHIN", 1)
    monkeypatch.setattr(weeks_module, "open_market", pytest.fail)
    span = ["--from", "2025-06-02", "--to", "2025-06-13", "--out", str(tmp_path / "out")]
    assert main([*span, "--scheduler", "tcp://127.0.0.1:9"]) == 2
    assert "tcp://127.0.0.1:9 does not answer" in capsys.readouterr().err


def test_a_worker_without_the_store_or_the_folder_of_reports_is_named(tmp_path, monkeypatch):
    cluster = pytest.importorskip("lib.weekly.cluster")
    store = tmp_path / "sample.duckdb"
    store.write_bytes(b"rows")
    monkeypatch.setattr(cluster.ingest, "STORES", tmp_path / "elsewhere")
    faults = cluster.faults_of_worker(store, "hash", tmp_path / "no" / ".token", "other code")
    assert [fault.split()[:3] for fault in faults] == [
        ["it", "has", "not"],
        ["it", "cannot", "write"],
        ["its", "code,", "its"],
    ]
    with pytest.raises(RunError, match=r"tcp://a: it cannot.*\n.*tcp://b: its code") as caught:
        cluster._raise_faults({"tcp://a": faults[1:2], "tcp://b": faults[2:], "tcp://c": []})
    assert "SEND_STORE=1" in caught.value.remedy


def test_a_store_that_is_sent_is_written_and_used(tmp_path, monkeypatch):
    cluster = pytest.importorskip("lib.weekly.cluster")
    monkeypatch.setattr(cluster.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(cluster.ingest, "STORES", tmp_path / "elsewhere")
    monkeypatch.setenv("WEEKLY_STORE", "elsewhere")
    cluster.StorePlugin("sample.duckdb", b"rows").setup(None)
    assert (cluster.ingest.STORES / "sample.duckdb").read_bytes() == b"rows"
    assert Path(os.environ["WEEKLY_STORE"]) == cluster.ingest.STORES


def test_a_report_waits_for_the_earlier_weeks_in_work_and_is_made_once(
    tmp_path, suite, monkeypatch
):
    events = []

    def make(settings, notebooks, params, before_report):
        if settings.as_of == "2025-05-23":
            time.sleep(1)
        before_report()
        events.append(settings.as_of)
        return Outcome(settings.as_of, "made")

    monkeypatch.setattr(weeks_module, "make_week", make)
    made_by(LocalMaker(), tmp_path / "out", suite, workers=3)
    assert events == [f"{week:%Y-%m-%d}" for week in WEEKS]


def test_a_report_that_did_not_see_an_earlier_week_is_made_again(tmp_path, suite):
    maker = Recorder()
    made_by(maker, tmp_path / "out", suite, weeks=WEEKS[2:], workers=2)
    # the first week alone, then the other one, which has seen it
    assert maker.calls == ["2025-05-30", "2025-06-06"]
    maker = Recorder()
    made_by(maker, tmp_path / "out", suite, workers=3)
    assert sorted(maker.calls[:4]) == [f"{week:%Y-%m-%d}" for week in WEEKS]
    assert maker.calls[4:] == ["2025-06-06"]
