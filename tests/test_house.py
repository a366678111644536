"""The house rules that a machine can check."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ["market", "models", "portfolio", "exhibits", "report", "weekly"]
MODULES = sorted((ROOT / "lib").rglob("*.py"))
COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
#: packages that are still to be brought under a rule, by rule
PENDING = {
    "parameters": ["lib/models/gp"],
    "private": ["lib/models/gp"],
    "plain": ["lib/models/gp"],
    "shapes": [],
}
#: ways to state the shape of a frame or an array: axes, index and columns, or one of its columns
SHAPE = re.compile(
    r"\([\w' .+()-]*,[^)]*\)|\([A-Z]\w*\)|[Ii]ndexed|by symbol|[Cc]olumns?|one row per|shape|``\w+``"
)
FRAMES = re.compile(r"\b(DataFrame|Series|array|arrays|ndarray)\b")


def imported_modules(path: Path):
    """Yield the dotted names a file imports, with `from a.b import c` as both a.b and a.b.c."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_imports_only_the_floors_below_it(floor):
    above = {f"lib.{name}" for name in FLOORS[FLOORS.index(floor) + 1 :]}
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / "lib" / floor).rglob("*.py"))
        for name in imported_modules(path)
        if any(name == high or name.startswith(high + ".") for high in above)
    ]
    assert not wrong, wrong


def test_live_data_do_not_depend_on_the_sample():
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / "lib" / "market" / "providers").glob("*.py"))
        for name in imported_modules(path)
        if name.startswith("lib.market.sample")
    ]
    assert not wrong, wrong


def test_nothing_is_unpickled():
    """A folder that somebody else wrote must not be able to run code."""
    sources = sorted((ROOT / "lib").rglob("*.py"))
    modules = ("pickle", "cloudpickle", "dill", "shelve", "marshal")
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources
        for name in imported_modules(path)
        if name.split(".")[0] in modules or name in ("joblib.load", "joblib.dump")
    ]
    wrong += [
        f"{path.relative_to(ROOT)} has {word}"
        for path in sources
        for word in ("read_pickle", "to_pickle", "allow_pickle=True", "weights_only=False")
        if word in path.read_text(encoding="utf-8")
    ]
    assert not wrong, wrong


def test_modules_stay_readable():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / "lib").rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 500
    }
    assert not long, f"split these modules: {long}"


def tracked(*patterns):
    listing = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listing.stdout.split("\0") if name]


def test_no_run_output_or_market_data_is_tracked():
    binary = (".parquet", ".duckdb", ".pdf")
    found = [
        str(path)
        for path in tracked()
        if path.suffix in binary or "outputs" in path.relative_to(ROOT).parts[:1]
    ]
    assert not found


def requirements(name):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


@pytest.mark.parametrize(
    "name",
    ["requirements", *(f"requirements-{name}" for name in ("lab", "cluster", "live", "dev"))],
)
def test_every_direct_dependency_is_locked_exactly(name):
    direct, locked = requirements(f"{name}.in"), {}
    for requirement in requirements(f"{name}.txt"):
        locked.setdefault(requirement.name.lower().replace("_", "-"), []).append(requirement)
    assert direct
    for requirement in direct:
        pins = locked.get(requirement.name.lower().replace("_", "-"))
        assert pins, f"{requirement.name} is not in {name}.txt: run `make lock`"
        assert any(pin.specifier == requirement.specifier for pin in pins), (
            f"{requirement} is not locked as asked"
        )
    assert all(str(pin.specifier).startswith("==") for pins in locked.values() for pin in pins)


def test_what_a_report_needs_has_one_version_everywhere():
    report = {
        pin.name: str(pin.specifier)
        for pin in requirements("requirements.txt")
        if pin.marker is None
    }
    for name in (f"requirements-{name}.txt" for name in ("lab", "cluster", "live", "dev")):
        for pin in requirements(name):
            assert report.get(pin.name, str(pin.specifier)) == str(pin.specifier), (
                f"{pin} in {name}"
            )


def test_supported_pythons_are_those_of_the_lock():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.14"


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


def shared(name):
    """Return the arguments that the head of a module describes for all of its functions."""
    head = ast.get_docstring(ast.parse((ROOT / name).read_text(encoding="utf-8"))) or ""
    section = head.partition("Parameters\n---")[2]
    lines = re.findall(r"^(\w+(?:, \w+)*) : ", section, re.M)
    return {argument for line in lines for argument in line.split(", ")}


def test_public_functions_of_three_arguments_describe_them():
    missing = [
        f"{name}:{node.lineno} {node.name}"
        for name, node, text in functions("parameters")
        if not node.name.startswith("_")
        and len(arguments(node)) >= 3
        and "Parameters\n---" not in text
        and not set(arguments(node)) <= shared(name)
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
