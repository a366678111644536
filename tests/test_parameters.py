"""Parameters are checked before anything starts, and every refusal says where and what to do."""

import re
from dataclasses import dataclass
from typing import Annotated

import nbformat
import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field

from lib.exhibits.notebook_run import PARAMS_FOLDER, Run, open_run
from lib.exhibits.parameters import Parameters, Symbol, checked, load, model_of, read_yaml
from lib.exhibits.plan import NOTEBOOKS, read_plan
from lib.market.errors import ParameterError
from lib.weekly.execution import execute


class Leg(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    symbol: Symbol
    weight: Annotated[float, Field(ge=0, le=1)]


class Example(Parameters):
    top: Annotated[int, Field(ge=1, le=50)]
    cost: Annotated[float, Field(ge=0, le=0.05)]
    symbols: list[Symbol]
    legs: list[Leg]
    enabled: bool


GOOD = """
top: 10
cost: 0.001
symbols: ["000300.SH", "000905.SH"]
legs: [{symbol: "000300.SH", weight: 0.5}]
enabled: true
"""


def read(tmp_path, text):
    path = tmp_path / "01_example.yaml"
    path.write_text(text, encoding="utf-8")
    return checked(Example, read_yaml(path), path)


def refusal(tmp_path, text):
    with pytest.raises(ParameterError) as caught:
        read(tmp_path, text)
    assert str(tmp_path / "01_example.yaml") in str(caught.value)
    return caught.value


def test_good_parameters_keep_their_values(tmp_path):
    values = read(tmp_path, GOOD)
    assert values.model_dump() == {
        "top": 10,
        "cost": 0.001,
        "symbols": ["000300.SH", "000905.SH"],
        "legs": [{"symbol": "000300.SH", "weight": 0.5}],
        "enabled": True,
    }


def test_an_integer_is_a_good_float(tmp_path):
    assert read(tmp_path, GOOD.replace("cost: 0.001", "cost: 0")).cost == 0.0


@pytest.mark.parametrize(
    ("old", "new", "key", "remedy"),
    [
        ("top: 10", "tpo: 10", "unknown key tpo", "did you mean top"),
        ("top: 10", "", "the key top is missing", "add it"),
        ("top: 10", "top: 0", "top is 0", "correct top"),
        ("top: 10", "top: 51", "top is 51", "correct top"),
        ("top: 10", "top: 10.0", "top is 10.0", "write top as 10"),
        ("top: 10", "top: 1.5", "top is 1.5", "correct top"),
        ("top: 10", "top: '10'", "top is '10'", "without quotes"),
        ("top: 10", "top: true", "top is True", "correct top"),
        ("cost: 0.001", "cost: 1e-4", "cost is '1e-4'", "write cost as 1.0e-4"),
        ("cost: 0.001", "cost: .nan", "cost is nan", "correct cost"),
        ("cost: 0.001", "cost: .inf", "cost is inf", "correct cost"),
        ("enabled: true", "enabled: 1", "enabled is 1", "correct enabled"),
        ('"000905.SH"]', "000300]", "symbols.2 is 192", "in quotes"),
        ('symbol: "000300.SH"', "symbol: 000300", "legs.1.symbol is 192", "in quotes"),
        ("weight: 0.5", "wieght: 0.5", "unknown key legs.1.wieght", "did you mean weight"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_key_and_a_remedy(tmp_path, old, new, key, remedy):
    assert old in GOOD
    error = refusal(tmp_path, GOOD.replace(old, new))
    assert key in error.message
    assert remedy in error.remedy


def test_every_fault_is_named_at_once(tmp_path):
    message = refusal(
        tmp_path, GOOD.replace("top: 10", "top: 0\nbottom: 3").replace("cost: 0.001", "cost: 2")
    ).message
    assert all(key in message for key in ("top is 0", "unknown key bottom", "cost is 2"))


def test_the_number_offered_for_an_exponent_is_one_that_yaml_reads(tmp_path):
    for text, number in (("1e-4", 1e-4), ("2.5E3", 2500.0), ("3e+2", 300.0)):
        remedy = refusal(tmp_path, GOOD.replace("cost: 0.001", f"cost: {text}")).remedy
        offered = re.search(r"write cost as (\S+)", remedy).group(1)
        path = tmp_path / "offered.yaml"
        path.write_text(f"cost: {offered}\n")
        assert read_yaml(path) == {"cost": number}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("top: 10\ntop: 20\n", "line 2: duplicate key top"),
        ("top: [1, 2\n", "cannot be read as YAML"),
        ("- 1\n- 2\n", "holds no parameters"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text, message):
    assert message in refusal(tmp_path, text).message


def test_a_file_that_is_missing_or_not_text_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="missing"):
        load("01_market_recap", tmp_path)
    (tmp_path / "01_market_recap.yaml").write_bytes("名称: 沪深".encode("gbk"))
    with pytest.raises(ParameterError, match="UTF-8"):
        load("01_market_recap", tmp_path)


def test_run_parameters_stand_on_the_command_line_only(tmp_path):
    (tmp_path / "06_weekly_report.yaml").write_text("as_of: '2025-06-13'\n")
    with pytest.raises(ParameterError, match="belongs to the whole run") as caught:
        load("06_weekly_report", tmp_path)
    assert "--as-of" in caught.value.remedy


def test_a_notebook_without_parameters_takes_none(tmp_path):
    (tmp_path / "07_own_notes.yaml").write_text("colour: blue\n")
    assert model_of("07_own_notes") is Parameters
    with pytest.raises(ParameterError, match="unknown key colour"):
        load("07_own_notes", tmp_path)


def plan(tmp_path, text, notebooks=("01_a", "02_b", "06_c")):
    (tmp_path / "weekly.yaml").write_text(text)
    for name in notebooks:
        (tmp_path / f"{name}.ipynb").write_text("{}")
    return read_plan(tmp_path, tmp_path)


def test_the_plan_keeps_the_order(tmp_path):
    text = (
        "sections: [{notebook: 01_a, exhibits: ['01']}, {notebook: 02_b, needs: [01_a]}]\nreport:"
        " 06_c\n"
    )
    sections = plan(tmp_path, text).sections
    assert [(section.notebook, section.needs, section.exhibits) for section in sections] == [
        ("01_a", [], ["01"]),
        ("02_b", ["01_a"], []),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sections: [{notebook: 03_x}]\nreport: 06_c\n", "no notebook 03_x"),
        (
            "sections: [{notebook: 01_a}, {notebook: 01_a}]\nreport: 06_c\n",
            "duplicate notebook 01_a",
        ),
        (
            "sections: [{notebook: 01_a, needs: [02_b]}, {notebook: 02_b}]\nreport: 06_c\n",
            "does not run before it",
        ),
        (
            (
                "sections: [{notebook: 01_a, exhibits: ['01']}, {notebook: 02_b, exhibits:"
                " ['01']}]\nreport: 06_c\n"
            ),
            "duplicate exhibit 01",
        ),
        (
            "sections: [{notebook: 01_a, exhibits: [01]}]\nreport: 06_c\n",
            "sections.1.exhibits.1 is 1",
        ),
        ("sections: [{notebok: 01_a}]\nreport: 06_c\n", "unknown key sections.1.notebok"),
        (
            "sections: [{notebook: 01_a, exhibits: ['01']}]\ncompared: {'02': weights}\nreport: 06_c\n",
            "compared names exhibit 02",
        ),
        ("sections: []\nreport: 06_c\n", "sections is"),
        (
            "sections: [{notebook: 01_a, parameters_of: [03_x]}]\nreport: 06_c\n",
            "01_a reads the parameters of 03_x",
        ),
    ],
)
def test_a_plan_that_cannot_run_is_refused(tmp_path, text, message):
    with pytest.raises(ParameterError) as caught:
        plan(tmp_path, text)
    assert message in caught.value.message


def variables(name, **changed):
    """Return the variables of a notebook after its parameters cell."""
    common = {"as_of": "2025-06-13", "data": "sample", "out": "", "language": "en"}
    return {"pd": None} | common | load(name).model_dump() | changed


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("03_gp_rotation", {"fill": "vwap"}, "fill is 'vwap': input should be 'next_close' or"),
        ("03_gp_rotation", {"top": 0}, "top is 0: input should be greater than or equal to 1"),
        ("03_gp_rotation", {"language": "de"}, "language is 'de'"),
        ("01_market_recap", {"as_of": 20250613}, "as_of is 20250613"),
    ],
)
def test_a_notebook_refuses_what_the_weekly_run_refuses(tmp_path, name, changed, message):
    with pytest.raises(ParameterError) as caught:
        open_run(name, variables(name, **changed))
    assert caught.value.message.startswith(message) and "\n" not in caught.value.message
    assert f"parameters cell of {name}" in str(caught.value)
    if set(changed) <= set(load(name).model_dump()):
        (tmp_path / f"{name}.yaml").write_text(
            yaml.safe_dump(load(name).model_dump() | changed), encoding="utf-8"
        )
        with pytest.raises(ParameterError) as weekly:
            load(name, tmp_path)
        assert weekly.value.message == caught.value.message


def test_a_notebook_shows_the_message_in_one_line_without_a_traceback(tmp_path):
    failure = execute(
        NOTEBOOKS / "01_market_recap.ipynb",
        tmp_path / "executed.ipynb",
        {"out": str(tmp_path), "rise_colour": "green"},
    )
    assert failure.error.startswith("ParameterError: rise_colour is 'green': input should be")
    cells = nbformat.read(tmp_path / "executed.ipynb", as_version=4).cells
    (shown,) = [
        output.traceback
        for cell in cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "error"
    ]
    assert len(shown) == 1 and "\n" not in shown[0]
    assert "rise_colour is 'green'" in shown[0] and "remedy: correct rise_colour" in shown[0]


def test_a_variable_that_is_missing_is_named():
    given = variables("03_gp_rotation")
    del given["top"]
    with pytest.raises(ParameterError, match="the key top is missing"):
        open_run("03_gp_rotation", given)


@dataclass(frozen=True)
class Search:
    top: int
    trend_windows: tuple[int, ...]
    fixed: float = 1.5
    threads: int = 1


def test_settings_are_filled_from_the_parameters_of_their_names(tmp_path):
    own = checked(Example, read_yaml_text(tmp_path, GOOD), tmp_path)
    run = Run("03_gp_rotation", None, "en", tmp_path, tmp_path, None, parameters=own)
    assert run.settings(Search, trend_windows=[20, 60]) == Search(10, (20, 60))
    assert run.settings(Search, trend_windows=[], top=3, threads=2) == Search(3, (), 1.5, 2)
    with pytest.raises(TypeError, match="trend_windows"):
        run.settings(Search)


def test_a_notebook_reads_the_parameters_of_another(tmp_path, monkeypatch):
    run = Run("04_absolute_return_etf", None, "en", tmp_path, tmp_path, None)
    assert run.parameters_of("03_gp_rotation") == load("03_gp_rotation")
    smaller = load("03_gp_rotation").model_dump() | {"population": 60}
    (tmp_path / "03_gp_rotation.yaml").write_text(yaml.safe_dump(smaller), encoding="utf-8")
    monkeypatch.setenv(PARAMS_FOLDER, str(tmp_path))
    assert run.parameters_of("03_gp_rotation").population == 60


def read_yaml_text(tmp_path, text):
    path = tmp_path / "text.yaml"
    path.write_text(text, encoding="utf-8")
    return read_yaml(path)
