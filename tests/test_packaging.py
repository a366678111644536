"""A built wheel holds what the code reads, and its metadata says what it needs."""

import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout")
    # a copy, since building writes into the source tree
    for name in filter(None, listing.stdout.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/", "notebooks/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*command, "-w", folder, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_the_wheel_holds_every_file_of_the_library(wheel):
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "lib"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    expected = {name for name in tracked.stdout.split("\0") if name and (ROOT / name).exists()}
    assert len(expected) > 100
    assert expected <= set(wheel.namelist())


def test_the_wheel_names_its_requirements_and_extras(wheel):
    name = next(name for name in wheel.namelist() if name.endswith("METADATA"))
    metadata = message_from_bytes(wheel.read(name))
    required = metadata.get_all("Requires-Dist")
    assert any(line.startswith("papermill==") for line in required)
    assert not any(line.startswith("pytest==") and "extra" not in line for line in required)
    assert set(metadata.get_all("Provides-Extra")) == {"cluster", "dev", "gru", "lab", "live"}
    assert metadata["License-Expression"] == "Apache-2.0"


def test_the_page_of_licences_lists_every_pin():
    done = subprocess.run(
        [sys.executable, ".ci/licences.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
