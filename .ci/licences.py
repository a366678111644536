"""Licences of all installed pins, written to docs/licences.md; with --check it fails where the page
is out of date.

The page lists what `requirements.txt` pins: what a report needs. Every licence has to allow use by
an Apache-2.0
project that does not copy their code: permissive ones and weak copyleft do, strong copyleft does
not.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "licences.md"
STRONG_COPYLEFT = re.compile(r"\bA?GPL\b|GNU (Affero )?General Public", re.IGNORECASE)
# : packages under several licences or under one that is spelled otherwise in their metadata, read
# from their sources
KNOWN = {
    "pypandoc_binary": (
        "MIT; ships the pandoc program under GPL-2.0-or-later, which is run as a separate process"
    ),
}


def pins() -> list[str]:
    """Return the names of the packages that `requirements.txt` pins on every platform."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    parsed = [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]
    return sorted({pin.name for pin in parsed if pin.marker is None}, key=str.lower)


def licence_of(name: str) -> str:
    """Return what a package's metadata says: SPDX expression, classifiers, or the first line of the
    licence field.
    """
    if name.replace("-", "_") in KNOWN:
        return KNOWN[name.replace("-", "_")]
    data = metadata(name)
    if data.get("License-Expression"):
        return data["License-Expression"]
    classifiers = [line for line in data.get_all("Classifier", []) if line.startswith("License ::")]
    named = [
        line.rpartition(" :: ")[2] for line in classifiers if line != "License :: OSI Approved"
    ]
    if named:
        return ", ".join(named)
    text = (data.get("License") or "").strip().splitlines()
    return text[0][:60] if text else "not stated"


def page() -> str:
    """Return the page; a package that is not installed raises PackageNotFoundError."""
    rows = [f"| {name} | {licence_of(name)} |" for name in pins()]
    head = [
        "# Licences",
        "",
        (
            "The suite is under the Apache License 2.0 (`LICENSE`). It imports or runs the packages"
            " below and copies code"
        ),
        (
            "from none of them. Clients of live sources (`requirements-live.txt`) and test tools"
            " (`requirements-dev.txt`)"
        ),
        "are installed only where they are used.",
        "",
        "Written by `.venv/bin/python .ci/licences.py` from the metadata of the pinned versions.",
        "",
        "| package | licence |",
        "|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"


def main() -> int:
    """Write the page, or compare it; 1 where it is out of date or a licence is not allowed."""
    try:
        text = page()
    except PackageNotFoundError as error:
        print(f"{error} is not installed: run `make test` first")
        return 1
    refused = [
        row
        for row in text.splitlines()
        if STRONG_COPYLEFT.search(row) and "separate process" not in row
    ]
    # a Lesser GPL is weak copyleft: importing the package is allowed
    refused = [row for row in refused if "LGPL" not in row and "Lesser" not in row]
    if refused:
        print("licences that do not allow this use:", *refused, sep="\n")
        return 1
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            print("docs/licences.md is out of date: run .venv/bin/python .ci/licences.py")
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
