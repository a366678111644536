"""From YAML to checked parameters: nothing is guessed, and every refusal names file, key and remedy."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import re
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from lib.exhibits.parameters.base import RUN_PARAMETERS, Parameters
from lib.market.errors import ParameterError

PARAMS = Path(__file__).resolve().parents[3] / "params"
Model = TypeVar("Model", bound=BaseModel)

#: what YAML 1.1 takes for text although it is meant as a number
EXPONENT = re.compile(r"([-+]?\d+(?:\.\d*)?)[eE]([-+]?)(\d+)")


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, which would let the second of two equal keys win without a word."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key} stands there twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def model_of(notebook: str) -> type[Parameters]:
    """Return the parameter model of a notebook: ``01_market_recap`` has its own in ``market_recap.py``.

    A notebook without such a module has no parameters of its own.
    """
    name = f"lib.exhibits.parameters.{re.sub(r'^[0-9]+_', '', notebook)}"
    if importlib.util.find_spec(name) is None:
        return Parameters
    module = importlib.import_module(name)
    models = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Parameters)]
    own = [value for value in models if value.__module__ == name]
    return own[-1]  # models of nested values stand before the one that uses them


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; an empty file is an empty mapping.

    Raises
    ------
    ParameterError
        No such file, not YAML, a key that stands there twice, or something else than ``key: value`` lines.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_Loader)
    except FileNotFoundError as error:
        raise ParameterError("the parameter file is missing", file=path, remedy="restore it, or create it") from error
    except UnicodeDecodeError as error:
        raise ParameterError("the file is not text in UTF-8", file=path, remedy="save it as UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ParameterError(
            f"the file cannot be read as YAML{where}: {getattr(error, 'problem', None) or error}",
            file=path,
            remedy="correct that line; values with a colon, a # or a leading zero go in quotes",
        ) from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ParameterError("the file holds no parameters", file=path, remedy="write lines such as `top: 10`")
    return content


def checked(model: type[Model], content: dict[str, Any], file: Path) -> Model:
    """Type and check parameters.

    Raises
    ------
    ParameterError
        With every fault found: an unknown key and the nearest known one, a missing key, a wrong type, a value out of
        its range.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        faults = [_explain(model, fault) for fault in error.errors()]
        messages, remedies = zip(*faults, strict=True)
        raise ParameterError("\n  ".join(messages), file=file, remedy="; ".join(dict.fromkeys(remedies))) from error


def load(notebook: str, folder: Path = PARAMS) -> Parameters:
    """Read and check ``params/<notebook>.yaml``."""
    path = Path(folder) / f"{notebook}.yaml"
    content = read_yaml(path)
    misplaced = [key for key in RUN_PARAMETERS if key in content]
    if misplaced:
        raise ParameterError(
            f"{misplaced[0]} belongs to the whole run, not to one notebook",
            file=path,
            remedy=f"delete the line and use --{misplaced[0].replace('_', '-')}",
        )
    return checked(model_of(notebook), content, path)


def _explain(model: type[BaseModel], fault: dict) -> tuple[str, str]:
    """Say in plain words what pydantic found, and what to do."""
    place = ".".join(str(step + 1) if isinstance(step, int) else step for step in fault["loc"])
    value, kind = fault["input"], fault["type"]
    if kind == "extra_forbidden":
        known = _keys(model, fault["loc"][:-1])
        near = difflib.get_close_matches(str(fault["loc"][-1]), known, n=1, cutoff=0.5)
        return (
            f"unknown key {place}",
            f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known) or 'none'}",
        )
    if kind == "missing":
        return f"the key {place} is missing", "add it; the notebook's parameters cell shows its default"
    message = f"{place} is {value!r}: {fault['msg'][:1].lower()}{fault['msg'][1:]}"
    if kind == "string_type" and isinstance(value, int):
        return message, f"put the text of {place} in quotes: YAML reads an unquoted 000300 as the number 192"
    if kind in ("float_type", "int_type") and isinstance(value, str):
        if match := EXPONENT.fullmatch(value):
            digits, sign, exponent = match.groups()
            number = f"{digits if '.' in digits else digits + '.0'}e{sign or '+'}{exponent}"
            return message, f"YAML reads {value} as text: write {place} as {number}"
        return message, f"write {place} as a number, without quotes"
    if kind == "int_type" and isinstance(value, float) and value.is_integer():
        return message, f"write {place} as {int(value)}"
    return message, f"correct {place}"


def _keys(model: type[BaseModel], steps: tuple) -> list[str]:
    """Return the known keys at a place inside a model, following nested models and lists of them."""
    for step in steps:
        if isinstance(step, str) and step in model.model_fields:
            model = next(
                (part for part in _parts(model.model_fields[step].annotation) if issubclass(part, BaseModel)), model
            )
    return list(model.model_fields)


def _parts(annotation) -> list[type]:
    inner = getattr(annotation, "__args__", ())
    return (
        [part for arg in inner for part in _parts(arg)]
        if inner
        else [annotation]
        if isinstance(annotation, type)
        else []
    )
