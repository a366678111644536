"""Parameters from YAML, checked strictly: every error names file, key and remedy."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import re
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lib.exhibits.parameters.base import RUN_PARAMETERS, Parameters
from lib.exhibits.translations import YAML_LOADER
from lib.market.errors import ParameterError

PARAMS = Path(__file__).resolve().parents[3] / "params"
Model = TypeVar("Model", bound=BaseModel)

#: numbers such as 1e-4, which YAML 1.1 reads as text
EXPONENT = re.compile(r"([-+]?\d+(?:\.\d*)?)[eE]([-+]?)(\d+)")


class _Loader(YAML_LOADER):  # type: ignore[misc]
    """YAML's safe loader with an error for a duplicate key instead of its silent replacement."""

    def construct_mapping(self, node, deep=False):
        keys = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in keys:
                raise yaml.constructor.ConstructorError(
                    None, None, f"duplicate key {key}", key_node.start_mark
                )
            keys.add(key)
        return super().construct_mapping(node, deep)


def model_of(notebook: str) -> type[Parameters]:
    """Return the parameter model of a notebook: that of ``01_market_recap`` is in
    ``market_recap.py``.

    A notebook without such a module has no parameters.
    """
    name = f"lib.exhibits.parameters.{re.sub(r'^[0-9]+_', '', notebook)}"
    if importlib.util.find_spec(name) is None:
        return Parameters
    module = importlib.import_module(name)
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == name
    ]
    models = [value for value in classes if issubclass(value, Parameters)]
    return models[-1]  # models of nested values are defined before the one that uses them


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; an empty file is an empty mapping.

    Raises
    ------
    ParameterError
        No such file, not YAML, a duplicate key, or something else than ``key: value`` lines.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_Loader)
    except FileNotFoundError as error:
        raise ParameterError(
            "the parameter file is missing", file=path, remedy="restore it, or create it"
        ) from error
    except UnicodeDecodeError as error:
        raise ParameterError(
            "the file is not text in UTF-8", file=path, remedy="save it as UTF-8"
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or error
        remedy = "correct that line; values with a colon, a # or a leading zero go in quotes"
        raise ParameterError(
            f"the file cannot be read as YAML{where}: {problem}", file=path, remedy=remedy
        ) from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ParameterError(
            "the file holds no parameters", file=path, remedy="write lines such as `top: 10`"
        )
    return content


def checked(model: type[Model], content: dict[str, Any], file: Path | str) -> Model:
    """Return content as typed and checked parameters.

    Parameters
    ----------
    model : type of BaseModel
        Fields, types and ranges.
    content : dict
        As read from YAML.
    file : Path or str
        Where the content is from, for the error.

    Raises
    ------
    ParameterError
        Lists every fault: an unknown key with the nearest valid one, a missing key, a wrong type, a
        value out of range.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        faults = [_explain(model, fault) for fault in error.errors()]
        messages, remedies = zip(*faults, strict=True)
        raise ParameterError(
            "\n  ".join(messages), file=file, remedy="; ".join(dict.fromkeys(remedies))
        ) from error


def load(notebook: str, folder: Path = PARAMS) -> Parameters:
    """Read and check ``params/<notebook>.yaml``."""
    path = Path(folder) / f"{notebook}.yaml"
    content = read_yaml(path)
    misplaced = [key for key in RUN_PARAMETERS if key in content]
    if misplaced:
        fault = f"{misplaced[0]} belongs to the whole run, not to one notebook"
        remedy = f"delete the line and use --{misplaced[0].replace('_', '-')}"
        raise ParameterError(fault, file=path, remedy=remedy)
    return checked(model_of(notebook), content, path)


def _explain(model: type[BaseModel], fault: ErrorDetails) -> tuple[str, str]:
    """Return message and remedy of a fault that pydantic found."""
    key = ".".join(str(part + 1) if isinstance(part, int) else part for part in fault["loc"])
    value = fault["input"]
    kind = fault["type"]
    if kind == "extra_forbidden":
        valid = _keys(model, fault["loc"][:-1])
        near = difflib.get_close_matches(str(fault["loc"][-1]), valid, n=1, cutoff=0.5)
        remedy = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(valid) or 'none'}"
        return f"unknown key {key}", remedy
    if kind == "missing":
        return (
            f"the key {key} is missing",
            "add it; the notebook's parameters cell shows its default",
        )
    message = f"{key} is {value!r}: {fault['msg'][:1].lower()}{fault['msg'][1:]}"
    if kind == "string_type" and isinstance(value, int):
        return (
            message,
            f"put the text of {key} in quotes: YAML reads an unquoted 000300 as the number 192",
        )
    if kind in ("float_type", "int_type") and isinstance(value, str):
        match = EXPONENT.fullmatch(value)
        if match:
            digits, sign, exponent = match.groups()
            number = f"{digits if '.' in digits else digits + '.0'}e{sign or '+'}{exponent}"
            return message, f"YAML reads {value} as text: write {key} as {number}"
        return message, f"write {key} as a number, without quotes"
    if kind == "int_type" and isinstance(value, float) and value.is_integer():
        return message, f"write {key} as {int(value)}"
    return message, f"correct {key}"


def _keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Return the valid keys at a path inside a model, following nested models and lists of them."""
    for key in path:
        if isinstance(key, str) and key in model.model_fields:
            types = _types(model.model_fields[key].annotation)
            model = next((nested for nested in types if issubclass(nested, BaseModel)), model)
    return list(model.model_fields)


def _types(annotation: object) -> list[type]:
    """Return the classes of an annotation, those of its arguments for a generic one."""
    arguments = getattr(annotation, "__args__", ())
    if arguments:
        return [nested for argument in arguments for nested in _types(argument)]
    return [annotation] if isinstance(annotation, type) else []
