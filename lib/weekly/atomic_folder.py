"""A run's folder: built aside, put in place in one step, cleaned up after a run that was killed."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

LEFT = re.compile(r"\.(?P<stage>building|replaced)-(?P<name>.+)-(?P<pid>\d+)")


@contextmanager
def built_aside(out: Path, name: str) -> Iterator[Path]:
    """Give an empty folder that becomes ``out/name`` at the end of the block.

    When the block raises, the earlier ``out/name`` stays as it was and the new folder goes. A process that is killed
    leaves its folder behind; the next run removes it.
    """
    recover(out)
    building = out / f".building-{name}-{os.getpid()}"
    building.mkdir(parents=True)
    try:
        yield building
        put_in_place(building, out / name)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def put_in_place(building: Path, target: Path) -> None:
    """Let a complete folder take the place of an earlier one."""
    replaced = target.with_name(f".replaced-{target.name}-{os.getpid()}")
    if target.exists():
        os.rename(target, replaced)
    os.rename(building, target)
    shutil.rmtree(replaced, ignore_errors=True)


def recover(out: Path) -> None:
    """Clean up after runs that were killed: drop what they were building, put back what they had moved away."""
    for folder in sorted(out.glob(".*-*")):
        match = LEFT.fullmatch(folder.name)
        if match is None:
            continue
        owner = int(match["pid"])
        if owner != os.getpid() and psutil.pid_exists(owner):
            continue
        target = out / match["name"]
        if match["stage"] == "replaced" and not target.exists():
            os.rename(folder, target)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def files_of(folder: Path) -> set[str]:
    """Return the files in a folder, relative to it."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
