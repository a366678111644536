"""The spelling of everything that is read."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
READ = ["lib", "notebooks", "docs", "params", "benchmarks", "README.md", "Makefile"]


def test_the_spelling():
    command = [sys.executable, "-m", "codespell_lib", *READ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_check_sees_a_misspelling(tmp_path):
    (tmp_path / "text.md").write_text("the retruns of the week\n")
    done = subprocess.run(
        [sys.executable, "-m", "codespell_lib", tmp_path], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode != 0 and "returns" in done.stdout
