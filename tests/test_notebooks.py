"""Every notebook: how it is committed, that it runs by itself, and that two runs give the same
files.
"""

import ast
import json
import shutil
from pathlib import Path
from statistics import median

import nbformat
import pandas as pd
import pytest
import yaml
from label_lines import label_lines
from pypdf import PdfReader
from references import outside_references
from tracing import statements, untraceable

from lib.exhibits.notebook_run import PARAMS_FOLDER
from lib.exhibits.parameters import PARAMS, RUN_PARAMETERS, checked, load, model_of
from lib.exhibits.plan import read_plan
from lib.market import ingest
from lib.market.store import Store
from lib.weekly.execution import execute
from lib.weekly.run import NOTEBOOKS, Settings, weekly_run

ROOT = Path(__file__).resolve().parents[1]
SMALLER = yaml.safe_load((ROOT / "tests" / "smaller.yaml").read_text(encoding="utf-8"))
ALL = sorted(path.stem for path in NOTEBOOKS.glob("[0-9]*.ipynb"))
FRIDAY = pd.Timestamp("2025-06-13")
RUN_DEFAULTS = {"as_of": "latest", "data": "sample", "out": "", "language": "en"}


def read(name):
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def defaults(name):
    (cell,) = [cell for cell in code(read(name)) if "parameters" in cell.metadata.get("tags", [])]
    return {
        node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(cell.source).body
    }


@pytest.mark.parametrize("name", ALL)
def test_notebooks_are_committed_clean_and_short(name):
    notebook = read(name)
    nbformat.validate(notebook)
    assert notebook.nbformat_minor >= 5
    assert notebook.metadata.kernelspec.name == "python3"
    assert all(not cell.outputs and cell.execution_count is None for cell in code(notebook))
    # the cell of parameters is a table and the imports are a list, not a program
    program = [
        [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.stmt)]
        for cell in code(notebook)
        if "parameters" not in cell.metadata.get("tags", [])
    ]
    lengths = [
        sum(not isinstance(node, ast.Import | ast.ImportFrom) for node in cell) for cell in program
    ]
    assert median(lengths) <= 7
    assert max(lengths) <= 18
    prose = sum(cell.cell_type == "markdown" for cell in notebook.cells)
    assert prose / len(notebook.cells) >= 0.45
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")


@pytest.mark.parametrize("name", ALL)
def test_one_head_opens_every_notebook(name):
    first, second, third = code(read(name))[:3]
    body = ast.parse(first.source).body
    assert all(isinstance(node, ast.Import | ast.ImportFrom) for node in body)
    assert "parameters" in second.metadata.tags
    assert third.source.splitlines()[0] == f'run = open_run("{name}", globals())'


@pytest.mark.parametrize("name", ALL)
def test_a_tenth_of_the_code_at_most_only_labels_or_notes(name):
    cells = [c.source for c in code(read(name)) if "parameters" not in c.metadata.get("tags", [])]
    labelling, lines = label_lines(cells)
    assert round(labelling / lines, 2) <= 0.1, f"{labelling} of {lines} lines"


@pytest.mark.parametrize("name", ALL)
def test_the_defaults_of_a_notebook_are_its_production_parameters(name):
    found = defaults(name)
    assert {key: found.pop(key) for key in RUN_PARAMETERS} == RUN_DEFAULTS
    assert found == load(name).model_dump()


@pytest.mark.parametrize("section", read_plan().sections, ids=lambda section: section.notebook)
def test_the_plan_knows_whose_parameters_a_notebook_reads(section):
    calls = [
        node
        for cell in code(read(section.notebook))
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "run.parameters_of"
    ]
    assert section.parameters_of == sorted({ast.literal_eval(call.args[0]) for call in calls})


def test_the_smaller_parameters_are_good_ones():
    assert sorted(SMALLER) == ALL, "every notebook is run"
    for name, values in SMALLER.items():
        own = {key: value for key, value in values.items() if key not in RUN_PARAMETERS}
        checked(model_of(name), load(name).model_dump() | own, PARAMS / f"{name}.yaml")


# the others compute for minutes at their production sizes
@pytest.mark.parametrize("name", ["01_market_recap", "06_weekly_report"])
def test_a_light_notebook_runs_by_itself_with_its_defaults(name, tmp_path, sample_store_dir):
    assert (
        execute(NOTEBOOKS / f"{name}.ipynb", tmp_path / "executed.ipynb", {"out": str(tmp_path)})
        is None
    )


@pytest.fixture(scope="module")
def smaller(tmp_path_factory):
    """The weekly plan with smaller parameters."""
    params = tmp_path_factory.mktemp("params")
    for file in ("weekly.yaml", "house.yaml"):
        shutil.copy(PARAMS / file, params)
    for name, values in SMALLER.items():
        own = {key: value for key, value in values.items() if key not in RUN_PARAMETERS}
        (params / f"{name}.yaml").write_text(
            yaml.safe_dump(load(name).model_dump() | own), encoding="utf-8"
        )
    return params


@pytest.fixture(scope="module")
def report_of_the_sample(smaller, tmp_path_factory, sample_store_dir):
    out = tmp_path_factory.mktemp("sample")
    return weekly_run(
        Settings(as_of=f"{FRIDAY:%Y-%m-%d}", out=out), params=smaller
    ), out / f"{FRIDAY:%Y-%m-%d}"


@pytest.mark.parametrize("name", sorted(SMALLER))
def test_a_notebook_runs_with_smaller_parameters(name, report_of_the_sample):
    manifest, folder = report_of_the_sample
    section = manifest.section(name)
    assert section.status == "ok", section.error
    assert (folder / "facts" / f"{name}.json").exists()


# an update and a whole report: minutes where other work runs on the machine
@pytest.mark.timeout(900)
def test_the_report_of_the_live_store_is_that_of_the_sample(
    report_of_the_sample, smaller, sample_store_dir, tmp_path, monkeypatch
):
    """``make data`` from hosts that tell the sample's rows, then the whole report: every table is
    the sample's own.
    """
    for library in ("akshare", "baostock"):
        pytest.importorskip(
            library,
            reason="the live clients are not installed: pip install -r requirements-live.txt",
        )
    import fake_providers

    from lib.market.providers.client import Client
    from lib.market.providers.registry import read_providers
    from lib.market.providers.update import update

    monkeypatch.delenv("TUSHARE_TOKEN", raising=False)
    fake, extra = fake_providers.hosts_of(Store(sample_store_dir / "sample.duckdb"), FRIDAY)
    folder = tmp_path / "folder"
    for name, table in extra.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        table.to_parquet(folder / f"{name}.parquet", index=False)
    # the smaller parameters look back one year on shares, their features another; sectors need
    # four, and cycles all
    start = {"": "2022-07-01", "sector": "2018-01-02", "broad_index": "2012-01-04"}
    start = read_providers().first_date | start
    settings = read_providers().model_copy(update={"first_date": start, "folder": str(folder)})
    with fake.listening(monkeypatch):
        report = update(
            settings, tmp_path / "store", Client(sleep=lambda s: None, today=lambda: FRIDAY), FRIDAY
        )
    assert not report.rejected and not report.skipped_cross_checks
    monkeypatch.setattr(ingest, "STORES", tmp_path / "store")
    monkeypatch.setenv("WEEKLY_STORE", str(tmp_path / "store"))
    made = weekly_run(
        Settings(as_of=f"{FRIDAY:%Y-%m-%d}", data="store", out=tmp_path / "out"), params=smaller
    )
    assert made.status == "ok"
    sample, live = report_of_the_sample[1], tmp_path / "out" / f"{FRIDAY:%Y-%m-%d}"
    tables = sorted(path.name for path in (sample / "tables").glob("*.csv"))
    assert len(tables) > 40
    for name in tables:
        ours, theirs = (pd.read_csv(folder / "tables" / name) for folder in (live, sample))
        # published figures stand beside those of a market that is not synthetic
        beside = ["published", "verdict", "reason", "why", "why_en"]
        # the live store of this test begins in 2022, so the pool counts fewer sessions of history
        beside += ["sessions"] if name.startswith("s17") else []
        # the findings name the files of the source
        beside += ["file"] if name.startswith("s58") else []
        # the live store does not have the years of weeks that this one is compared with
        if name.startswith("s57"):
            beside += ["typical", "size", "weeks"]
        ours, theirs = (table.drop(columns=beside, errors="ignore") for table in (ours, theirs))
        if name.startswith("s57"):  # sorted by size
            ours, theirs = (
                table.sort_values("symbol", ignore_index=True) for table in (ours, theirs)
            )
        ours, theirs = (
            table.loc[:, ~table.columns.str.endswith("_verdict")] for table in (ours, theirs)
        )
        pd.testing.assert_frame_equal(ours, theirs, rtol=1e-9, obj=name)
    exhibit = (live / "exhibits" / "fig08_gp_rotation_nav.json").read_text(encoding="utf-8")
    assert (
        f"{FRIDAY:%Y-%m-%d}" in exhibit
        and "live store" in exhibit
        and '"synthetic": false' in exhibit
    )
    assert (live / "report.html").exists() and (live / "report.pdf").exists()


def content(path):
    """Return a file's bytes; of the calls without the time at which they were put on record."""
    if path.name != "calls.json":
        return path.read_bytes()
    calls = json.loads(path.read_text(encoding="utf-8"))["calls"]
    return [{key: value for key, value in call.items() if key != "made"} for call in calls]


def test_a_second_run_gives_the_same_tables_figures_and_exhibits(
    report_of_the_sample, smaller, tmp_path
):
    manifest, first = report_of_the_sample
    second = shutil.copytree(first, tmp_path / first.name)
    before = manifest.model_copy(
        update={"status": "running", "sections": manifest.sections[:-1]}, deep=True
    )
    before.write(second)
    given = {
        "as_of": manifest.requested_as_of,
        "data": manifest.source,
        "language": "en",
        "out": str(second),
    }
    compared = []
    for name in ("01_market_recap", "06_weekly_report"):
        made = [file for file in manifest.section(name).files if not file.startswith("notebooks/")]
        for file in made:
            (second / file).unlink()
        parameters = given | manifest.parameters[name]
        notebook, executed = NOTEBOOKS / f"{name}.ipynb", tmp_path / "executed.ipynb"
        environment = {PARAMS_FOLDER: str(smaller)}
        assert execute(notebook, executed, parameters, environment=environment) is None
        assert [file for file in made if content(second / file) != content(first / file)] == []
        compared += made
    assert {Path(file).parts[0] for file in compared} == {"tables", "figures", "exhibits", "facts"}
    assert len(compared) > 20


def test_a_report_made_on_a_tuesday_has_the_numbers_of_the_week_before(
    report_of_the_sample, smaller, tmp_path
):
    """Exhibits 6 to 18 are of the last completed week, whatever the day of the week the report is
    made on.
    """
    manifest, friday = report_of_the_sample
    given = {"as_of": "2025-06-17", "data": manifest.source, "language": "en", "out": str(tmp_path)}
    for name in (
        "02_ai_themes",
        "03_gp_rotation",
        "04_absolute_return_etf",
        "05_global_allocation",
    ):
        parameters = given | manifest.parameters[name]
        notebook, executed = NOTEBOOKS / f"{name}.ipynb", tmp_path / "executed.ipynb"
        environment = {PARAMS_FOLDER: str(smaller)}
        assert execute(notebook, executed, parameters, environment=environment) is None
    numbers = set()
    for path in sorted((tmp_path / "tables").glob("fig*.csv")):
        numbers.add(path.name[3:5])
        tuesday, before = pd.read_csv(path), pd.read_csv(friday / "tables" / path.name)
        pd.testing.assert_frame_equal(tuesday, before, rtol=1e-9, obj=path.name)
    assert numbers == {f"{number:02d}" for number in range(6, 19)}


def test_the_page_of_a_run_tells_what_can_be_traced(report_of_the_sample):
    _, folder = report_of_the_sample
    said = json.loads((folder / "facts" / "commentary.json").read_text(encoding="utf-8"))
    assert said["synthetic"] and len(said["sections"]["01_market_recap"]) > 5
    assert [found for one in statements(said) if (found := untraceable(folder, "en", one))] == []
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert said["title"] in page
    assert outside_references(page) == []
    assert all(f'id="exhibit-{number:02d}"' in page for number in range(1, 19))
    assert page.count("<svg") >= 9 and 'aria-label=""' not in page
    assert len(PdfReader(folder / "report.pdf").pages) <= 10
