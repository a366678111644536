"""House rules of readable code: documented parameters and shapes, plain statements."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "lib").rglob("*.py"))
COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
#: packages that are still to be brought under a rule, by rule
PENDING = {
    "parameters": ["lib/models", "lib/portfolio"],
    "shapes": ["lib/models", "lib/portfolio"],
    "private": ["lib/models", "lib/portfolio"],
    "plain": ["lib/models"],
}
#: ways to state the shape of a frame or an array: axes, index and columns, or one of its columns
SHAPE = re.compile(
    r"\([A-Z][\w, .()]*\)|[Ii]ndexed|[Cc]olumns?|one row per|shape|``\w+``|[Oo]f ``\w+``"
)
FRAMES = re.compile(r"\b(DataFrame|Series|array|arrays|ndarray)\b")


def functions(rule):
    """Yield module, node and docstring of every function that a rule is about."""
    for path in MODULES:
        name = path.relative_to(ROOT).as_posix()
        if any(name.startswith(f"{package}/") for package in PENDING[rule]):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                yield name, node, ast.get_docstring(node) or ""


def arguments(node):
    listed = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return [argument.arg for argument in listed if argument.arg not in ("self", "cls")]


def test_public_functions_of_three_arguments_describe_them():
    missing = [
        f"{name}:{node.lineno} {node.name}"
        for name, node, text in functions("parameters")
        if not node.name.startswith("_")
        and len(arguments(node)) >= 3
        and "Parameters\n---" not in text
    ]
    assert not missing, missing


def test_private_functions_of_twelve_lines_say_what_they_return():
    missing = [
        f"{name}:{node.lineno} {node.name}"
        for name, node, text in functions("private")
        if node.name.startswith("_")
        and not node.name.startswith("__")
        and node.end_lineno - node.lineno >= 11
        and not text
    ]
    assert not missing, missing


def described(text):
    """Yield the entries of the sections Parameters and Returns: name and type, and description."""
    for section in re.findall(r"(?:Parameters|Returns)\n-+\n(.*?)(?=\n\n\w+\n-+\n|\Z)", text, re.S):
        yield from re.findall(r"^(\S.*)((?:\n(?: +.*|$))*)", section, re.M)


def test_frames_and_arrays_state_their_shape():
    missing = [
        f"{name}:{node.lineno} {node.name}: {head}"
        for name, node, text in functions("shapes")
        if not node.name.startswith("_")
        for head, description in described(text)
        if FRAMES.search(head) and not SHAPE.search(head + description)
    ]
    assert not missing, missing


def nested(node, kind):
    return any(isinstance(inner, kind) for inner in ast.walk(node) if inner is not node)


def faults(tree):
    """Yield line and kind of what is too dense to read."""
    for node in ast.walk(tree):
        if isinstance(node, ast.NamedExpr):
            yield node.lineno, "assignment in an expression"
        if isinstance(node, ast.IfExp) and nested(node, ast.IfExp):
            yield node.lineno, "condition in a condition"
        if isinstance(node, COMPREHENSIONS) and nested(node, COMPREHENSIONS):
            yield node.lineno, "comprehension in a comprehension"


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("if (x := f()): pass", 1),
        ("a = 1 if b else 2 if c else 3", 1),
        ("a = [[x for x in y] for y in z]", 1),
        ("a = 1 if b else 2\nc = [x for x in y]", 0),
    ],
)
def test_dense_statements_are_found(source, count):
    assert len(list(faults(ast.parse(source)))) == count


def test_statements_are_plain():
    found = [
        f"{name}:{line} {kind}"
        for path in MODULES
        for name in [path.relative_to(ROOT).as_posix()]
        if not any(name.startswith(f"{package}/") for package in PENDING["plain"])
        for line, kind in faults(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not found, found
