"""The weekly run with tiny notebooks: what fails is named, the rest runs, an earlier report is
never damaged.
"""

import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
from market_folder import tables, write_folder
from tiny_notebooks import notebook

from lib.exhibits.parameters import PARAMS, load
from lib.market.errors import DataError, ParameterError, RunError, StaleDataError
from lib.report.manifest import Manifest
from lib.weekly import execution
from lib.weekly.atomic_folder import atomic_folder, recover
from lib.weekly.cli import main
from lib.weekly.run import Settings, weekly_run

GOOD = """from pathlib import Path
Path(out, "tables").mkdir(exist_ok=True)
Path(out, "tables", "{name}.csv").write_text(as_of)"""
REPORT = 'from IPython.display import HTML\nHTML("<h2>All there is</h2>")'


class House:
    """A house of its own in a temporary folder: data, notebooks, parameters, outputs."""

    def __init__(self, root, data):
        self.notebooks, self.params, self.out, self.data = (
            root / "notebooks",
            root / "params",
            root / "outputs",
            data,
        )
        for folder in (self.notebooks, self.params):
            folder.mkdir()
        shutil.copy(PARAMS / "house.yaml", self.params)

    def plan(self, needs=None, **sources):
        """Write the notebooks, one cell each, the plan and the empty parameter files; return
        self.
        """
        needs = needs or {}
        for name, source in {**sources, "report": REPORT}.items():
            notebook(self.notebooks, name, source)
            (self.params / f"{name}.yaml").touch()
        listed = [{"notebook": name, "needs": needs.get(name, [])} for name in sources]
        (self.params / "weekly.yaml").write_text(
            json.dumps(
                {
                    "sections": listed,
                    "report": "report",
                    "trades": ["s54"],
                    "track_record": ["s52", "s53"],
                }
            )
        )
        return self

    def run(self, as_of="2025-06-13", **settings):
        chosen = Settings(as_of=as_of, data=str(self.data), out=self.out, **settings)
        return weekly_run(chosen, notebooks=self.notebooks, params=self.params)

    @property
    def folder(self):
        return self.out / "2025-06-13"

    def earlier(self):
        """Put an earlier report in place and return its content."""
        self.folder.mkdir(parents=True)
        (self.folder / "report.html").write_text("earlier")
        return self.content()

    def content(self):
        return {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}

    def hidden(self):
        return [path.name for path in self.out.glob(".*")]


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    """A small data folder, and beside it its store, filled once."""
    return write_folder(tmp_path_factory.mktemp("market"), tables())


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    return tmp_path_factory.mktemp("stores")


@pytest.fixture
def house(tmp_path, small_data, stores, monkeypatch):
    monkeypatch.setattr("lib.market.ingest.STORES", stores)
    return House(tmp_path, small_data)


def good(name):
    return GOOD.format(name=name)


def statuses(manifest):
    return {record.name: record.status for record in manifest.sections}


def test_a_run_writes_report_notebooks_and_a_manifest_that_tells_all(house):
    manifest = house.plan(a=good("a")).run(as_of="2025-06-15")
    assert statuses(manifest) == {"a": "ok", "report": "ok"}
    written = json.loads((house.folder / "manifest.json").read_text())
    assert written["status"] == "ok"
    assert (written["as_of"], written["requested_as_of"], written["stale_sessions"]) == (
        "2025-06-13",
        "2025-06-15",
        0,
    )
    assert written["week"] == {"first": "2025-06-09", "last": "2025-06-13"}
    assert written["language"] == "en"
    assert written["synthetic"] is False
    assert written["versions"]["python"] == sys.version.split()[0]
    assert [record["files"] for record in written["sections"]] == [
        ["notebooks/a.ipynb", "tables/a.csv"],
        ["notebooks/report.ipynb"],
    ]
    assert (house.folder / "tables" / "a.csv").read_text() == "2025-06-15"
    page = (house.folder / "report.html").read_text()
    assert "evidence.html" in page and written["fingerprint"] in page
    assert ".building" not in (house.folder / "notebooks" / "a.ipynb").read_text()
    assert "2025-06-13/report.html" in (house.out / "index.html").read_text()
    assert house.hidden() == []


def test_a_failed_section_is_named_with_its_cell_and_only_its_dependants_are_skipped(house):
    house.plan(
        {"b": ["a"], "c": ["b"]},
        a="x = 1\nraise ValueError('no such factor')",
        b=good("b"),
        c="",
        d=good("d"),
    )
    manifest = house.run()
    assert statuses(manifest) == {
        "a": "failed",
        "b": "skipped",
        "c": "skipped",
        "d": "ok",
        "report": "ok",
    }
    assert manifest.status == "failed"
    failed = manifest.section("a")
    assert failed.error == "ValueError: no such factor"
    assert failed.cell == 3  # after the parameters and those injected
    assert failed.source == "x = 1\nraise ValueError('no such factor')"
    assert manifest.section("b").error == "it needs a"
    assert manifest.section("c").error == "it needs b"
    assert "no such factor" in (house.folder / "notebooks" / "a.ipynb").read_text()
    assert Manifest.read(house.folder) == manifest


def test_a_killed_kernel_and_a_missing_exhibit_fail_their_sections(house):
    house.plan(a="import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", b=good("b"))
    plan = json.loads((house.params / "weekly.yaml").read_text())
    plan["sections"][1]["exhibits"] = ["03"]
    (house.params / "weekly.yaml").write_text(json.dumps(plan))
    manifest = house.run()
    assert statuses(manifest) == {"a": "failed", "b": "failed", "report": "ok"}
    assert "kernel died" in manifest.section("a").error
    assert manifest.section("a").cell == 3
    assert "signal.SIGKILL" in (house.folder / "notebooks" / "a.ipynb").read_text()
    assert manifest.section("b").error == "the notebook ended without exhibit 03"


def test_the_page_says_so_when_the_report_notebook_fails(house):
    house.plan(a=good("a"))
    notebook(house.notebooks, "report", REPORT, "raise KeyError('headline')")
    manifest = house.run()
    assert statuses(manifest) == {"a": "ok", "report": "failed"}
    page = (house.folder / "report.html").read_text()
    assert "KeyError: &#39;headline&#39;" in page


def test_resume_reruns_what_failed_or_changed_and_nothing_else(house):
    flag = house.out.parent / "mended"
    broken = f"from pathlib import Path\nassert Path({str(flag)!r}).exists()\n" + good("b")
    house.plan({"c": ["b"]}, a=good("a"), b=broken, c=good("c"))
    first = house.run()
    assert statuses(first) == {"a": "ok", "b": "failed", "c": "skipped", "report": "ok"}
    flag.touch()
    second = house.run(resume=True)
    assert statuses(second) == {"a": "reused", "b": "ok", "c": "ok", "report": "ok"}
    assert second.section("a").seconds == first.section("a").seconds
    before = {
        path: content
        for path, content in house.content().items()
        if path.parent.name in ("tables", "notebooks")
    }
    appendix = (house.folder / "appendices" / "a.html").stat().st_mtime_ns
    assert set(statuses(house.run(resume=True)).values()) == {"reused"}
    assert (house.folder / "appendices" / "a.html").stat().st_mtime_ns == appendix
    assert {path: house.content()[path] for path in before} == before
    notebook(house.notebooks, "b", good("b"))
    assert statuses(house.run(resume=True)) == {"a": "reused", "b": "ok", "c": "ok", "report": "ok"}
    (house.folder / "tables" / "a.csv").unlink()
    assert statuses(house.run(resume=True))["a"] == "ok"


def test_resume_reruns_a_section_when_parameters_that_it_reads_of_another_change(house):
    rotation = "03_gp_rotation"
    house.plan(**{name: good(name) for name in ("a", rotation, "b")})
    plan = house.params / "weekly.yaml"
    listed = json.loads(plan.read_text())
    listed["sections"][2]["parameters_of"] = [rotation]
    plan.write_text(json.dumps(listed))
    production = load(rotation).model_dump()
    (house.params / f"{rotation}.yaml").write_text(json.dumps(production))
    house.run()
    (house.params / f"{rotation}.yaml").write_text(json.dumps(production | {"seeds": 7}))
    again = statuses(house.run(resume=True))
    assert again == {"a": "reused", rotation: "ok", "b": "ok", "report": "ok"}


def test_sections_run_side_by_side_and_the_report_keeps_their_order(house):
    wait = (
        "import time\nfrom pathlib import Path\n"
        "Path(as_of + '.{own}').resolve().touch()\n"
        "deadline = time.monotonic() + 60\n"
        "while not Path(as_of + '.{other}').exists() and time.monotonic() < deadline:\n"
        "    time.sleep(0.05)\n"
        "assert Path(as_of + '.{other}').exists()\n"
    )
    house.plan(
        {"c": ["b"]},
        a=wait.format(own="a", other="b") + good("a"),
        b=wait.format(own="b", other="a") + good("b"),
        c=f"assert Path(out, 'tables', 'b.csv').exists()\n{good('c')}".join(
            ["from pathlib import Path\n", ""]
        ),
    )
    manifest = house.run()
    assert [(each.name, each.status, each.kernel) for each in manifest.sections] == [
        (name, "ok", "forked") for name in ("a", "b", "c", "report")
    ]
    assert [each.files for each in manifest.sections[:3]] == [
        [f"notebooks/{name}.ipynb", f"tables/{name}.csv"] for name in "abc"
    ]
    assert [each.file for each in manifest.exports] == [
        "report.html",
        "report.pdf",
        "evidence.html",
        "evidence.pdf",
        *(f"appendices/{name}.pdf" for name in "abc"),
    ]
    assert not list(house.folder.glob(".*"))


def test_results_do_not_depend_on_kernels_or_on_what_runs_at_a_time(house, monkeypatch):
    house.plan({"c": ["a"]}, a=good("a"), b=good("b"), c=good("c"))
    assert {each.kernel for each in house.run().sections} == {"forked"}
    tables = {path: text for path, text in house.content().items() if path.suffix == ".csv"}
    monkeypatch.setenv("WEEKLY_KERNELS", "fresh")
    alone = house.run(workers=1)
    assert {each.kernel for each in alone.sections} == {"fresh: WEEKLY_KERNELS=fresh"}
    assert len(tables) == 3
    assert {path: house.content()[path] for path in tables} == tables


def test_resume_makes_the_report_again_when_there_is_an_earlier_session_to_compare_with(house):
    house.plan(a=good("a")).run()
    house.run(as_of="2025-06-06")
    assert statuses(house.run(resume=True)) == {"a": "reused", "report": "ok"}
    assert statuses(house.run(resume=True)) == {"a": "reused", "report": "reused"}


def test_resume_without_a_readable_manifest_runs_everything(house):
    house.plan(a=good("a")).run()
    (house.folder / "manifest.json").write_text("{")
    assert statuses(house.run(resume=True)) == {"a": "ok", "report": "ok"}


def test_parameters_are_refused_before_anything_starts(house):
    house.plan(a=good("a"))
    (house.params / "a.yaml").write_text("colour: blue\n")
    with pytest.raises(ParameterError, match="unknown key colour"):
        house.run()
    assert not house.out.exists()


def test_dates_outside_the_data_are_refused_and_stale_data_need_a_flag(house):
    house.plan(a="import os\n" + good("a") + "\nassert os.environ['WEEKLY_ALLOW_STALE'] == '1'")
    for wrong, error in (
        ("2020-01-03", DataError),
        ("soon", DataError),
        ("2025-07-31", StaleDataError),
    ):
        with pytest.raises(error):
            house.run(as_of=wrong)
    assert not house.out.exists()
    manifest = house.run(as_of="2025-07-31", allow_stale=True)
    assert (manifest.status, manifest.as_of, manifest.requested_as_of) == (
        "ok",
        "2025-06-13",
        "2025-07-31",
    )
    assert manifest.stale_sessions > 5
    assert "The data end on" in (house.folder / "report.html").read_text()


def test_a_full_disk_leaves_the_earlier_report(house, monkeypatch):
    before = house.earlier()
    house.plan(a=good("a"))

    def full(self, folder):
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    monkeypatch.setattr(Manifest, "write", full)
    with pytest.raises(RunError, match="the disk is full"):
        house.run()
    assert house.content() == before
    assert house.hidden() == []


def test_a_full_disk_under_papermill_stops_the_run(house, monkeypatch):
    house.plan(a=good("a"))

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(execution.papermill, "execute_notebook", full)
    with pytest.raises(RunError, match="the disk is full") as caught:
        house.run()
    assert "free some disk space" in caught.value.remedy


def started(house, code):
    """Start a run in a process of its own and wait until its slow cell runs; return the process and
    the kernel.
    """
    sign = house.out.parent / "running"
    house.plan(
        a=(
            "import os, time\nfrom pathlib import"
            f" Path\nPath({str(sign)!r}).write_text(str(os.getpid()))\n{code}"
        )
    )
    script = f"""
        import sys
        from pathlib import Path
        import lib.market.ingest as ingest, lib.weekly.run as run
        from lib.weekly.cli import main
        ingest.STORES = Path({os.fspath(Path(kernels_store()))!r})
        full = run.weekly_run
        run.weekly_run = lambda settings: full(
            settings, notebooks=Path({str(house.notebooks)!r}), params=Path({str(house.params)!r})
        )
        sys.exit(main(["--as-of", "2025-06-13", "--data", {str(house.data)!r}, "--out", {str(house.out)!r}]))
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stderr=subprocess.PIPE, text=True
    )
    while not (sign.exists() and sign.read_text()):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    return process, int(sign.read_text())


def kernels_store():
    import lib.market.ingest as ingest

    return ingest.STORES


def gone(pid, seconds=15):
    deadline = time.monotonic() + seconds
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not psutil.pid_exists(pid)


def test_ctrl_c_ends_the_kernels_and_leaves_the_earlier_report(house):
    before = house.earlier()
    process, kernel = started(house, "time.sleep(60)")
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in error
    assert gone(kernel)
    assert house.content() == before
    assert house.hidden() == []


def test_a_killed_run_leaves_the_earlier_report_and_the_next_cleans_up(house):
    before = house.earlier()
    process, kernel = started(house, "time.sleep(60)")
    process.kill()
    process.wait()
    assert house.content() == before
    assert len(house.hidden()) == 1
    assert gone(kernel)
    recover(house.out)
    assert house.hidden() == []
    assert house.content() == before


def test_a_run_killed_between_the_two_renames_is_mended(tmp_path):
    dead = 2**22 + 1  # beyond the largest process number
    moved = tmp_path / f".replaced-2025-06-13-{dead}@{socket.gethostname()}"
    moved.mkdir()
    (moved / "report.html").write_text("earlier")
    recover(tmp_path)
    assert (tmp_path / "2025-06-13" / "report.html").read_text() == "earlier"
    assert not moved.exists()


def test_a_folder_that_another_process_is_building_is_left_alone(tmp_path):
    theirs = [
        tmp_path / f".building-2025-06-13-{os.getppid()}@{socket.gethostname()}",
        tmp_path / f".building-2025-06-13-{2**22 + 1}@another-machine",
    ]
    for folder in theirs:
        folder.mkdir()
    with (
        atomic_folder(tmp_path, "2025-06-06") as other,
        atomic_folder(tmp_path, "2025-06-13") as folder,
    ):
        (folder / "new").touch()
        assert other.exists()
    assert all(folder.exists() for folder in theirs)
    assert (tmp_path / "2025-06-13" / "new").exists()


def test_the_command_prints_errors_without_a_traceback(capsys, tmp_path):
    assert main(["--data", str(tmp_path / "nowhere"), "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert str(tmp_path / "nowhere") in error
    assert "remedy:" in error
    assert "Traceback" not in error


def test_the_command_fails_when_a_section_failed(house, capsys, monkeypatch):
    house.plan(a="1 / 0")
    monkeypatch.setattr("lib.weekly.run.weekly_run", lambda settings: house.run())
    assert main(["--as-of", "2025-06-13"]) == 1
    assert "without a" in capsys.readouterr().err


def test_a_kernel_is_the_interpreter_of_the_run(house):
    house.plan(
        a="import sys\nfrom pathlib import Path\nPath(out, 'exe').write_text(sys.executable)"
    )
    assert house.run().status == "ok"
    assert (house.folder / "exe").read_text() == sys.executable
