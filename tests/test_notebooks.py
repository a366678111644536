"""Every notebook: how it is committed, that it runs by itself, and that two runs give the same files."""

import ast
import json
from pathlib import Path
from statistics import median

import nbformat
import pytest
import yaml
from tracing import statements, untraceable

from lib.report.html import outside_references
from lib.report.kernels import execute
from lib.report.parameters import PARAMS, RUN_PARAMETERS, checked, load, model_of
from lib.report.run import NOTEBOOKS, Settings, weekly_run

ROOT = Path(__file__).resolve().parents[1]
SMALLER = yaml.safe_load((ROOT / "tests" / "smaller.yaml").read_text(encoding="utf-8"))
ALL = sorted(path.stem for path in NOTEBOOKS.glob("[0-9]*.ipynb"))
RUN_DEFAULTS = {"as_of": "latest", "data": "sample", "out": "", "language": "en"}


def read(name):
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def defaults(name):
    (cell,) = [cell for cell in code(read(name)) if "parameters" in cell.metadata.get("tags", [])]
    return {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(cell.source).body}


@pytest.mark.parametrize("name", ALL)
def test_notebooks_are_committed_clean_and_short(name):
    notebook = read(name)
    nbformat.validate(notebook)
    assert notebook.nbformat_minor >= 5
    assert notebook.metadata.kernelspec.name == "python3"
    assert all(not cell.outputs and cell.execution_count is None for cell in code(notebook))
    lengths = [len(cell.source.splitlines()) for cell in code(notebook)]
    assert median(lengths) <= 10
    # the cell of parameters is a table, not a program
    assert (
        max(
            len(cell.source.splitlines())
            for cell in code(notebook)
            if "parameters" not in cell.metadata.get("tags", [])
        )
        <= 20
    )
    prose = sum(cell.cell_type == "markdown" for cell in notebook.cells)
    assert prose / len(notebook.cells) >= 0.45
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")


@pytest.mark.parametrize("name", ALL)
def test_the_defaults_of_a_notebook_are_its_production_parameters(name):
    found = defaults(name)
    assert {key: found.pop(key) for key in RUN_PARAMETERS} == RUN_DEFAULTS
    assert found == load(name).model_dump()


def test_the_smaller_parameters_are_good_ones():
    assert sorted(SMALLER) == ALL, "every notebook is run"
    for name, values in SMALLER.items():
        own = {key: value for key, value in values.items() if key not in RUN_PARAMETERS}
        checked(model_of(name), load(name).model_dump() | own, PARAMS / f"{name}.yaml")


# the others compute for minutes at their production sizes
@pytest.mark.parametrize("name", ["01_market_recap", "06_weekly_report"])
def test_a_light_notebook_runs_by_itself_with_its_defaults(name, tmp_path, sample_store_dir):
    assert execute(NOTEBOOKS / f"{name}.ipynb", tmp_path / "executed.ipynb", {"out": str(tmp_path)}) is None


@pytest.mark.parametrize("name", sorted(SMALLER))
def test_a_notebook_runs_with_smaller_parameters(name, tmp_path, sample_store_dir):
    parameters = SMALLER[name] | {"out": str(tmp_path)}
    assert execute(NOTEBOOKS / f"{name}.ipynb", tmp_path / "executed.ipynb", parameters) is None
    assert (tmp_path / "facts" / f"{name}.json").exists()


def test_two_runs_give_the_same_tables_figures_and_exhibits(tmp_path, sample_store_dir):
    params = tmp_path / "params"
    params.mkdir()
    plan = {"sections": [{"notebook": "01_market_recap", "exhibits": ["01", "02", "03", "04", "05"]}]}
    (params / "weekly.yaml").write_text(yaml.safe_dump(plan | {"report": "06_weekly_report"}))
    for name in ("01_market_recap", "06_weekly_report"):
        (params / f"{name}.yaml").write_text((PARAMS / f"{name}.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    results = []
    for out in (tmp_path / "first", tmp_path / "second"):
        assert weekly_run(Settings(as_of="2025-06-13", out=out), params=params).status == "ok"
        folder = out / "2025-06-13"
        kept = [path for kind in ("tables", "figures", "exhibits", "facts") for path in (folder / kind).iterdir()]
        results.append({path.relative_to(folder): path.read_bytes() for path in kept})
    assert len(results[0]) > 12
    assert results[0] == results[1]
    said = json.loads((folder / "facts" / "commentary.json").read_text(encoding="utf-8"))
    assert said["synthetic"] and len(said["sections"]["01_market_recap"]) > 5
    assert [found for one in statements(said) if (found := untraceable(folder, "en", one))] == []
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert said["title"] in page
    assert outside_references(page) == []
    assert all(f'id="exhibit-{number:02d}"' in page for number in range(1, 6))
    assert "<img" in page
    assert 'alt=""' not in page
