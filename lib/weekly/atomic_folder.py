"""Atomic replacement of a run's folder, with recovery after a run that was killed."""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

#: name of a temporary folder: what it is for, its target, and the process and machine that made it
TEMPORARY = re.compile(r"\.(?P<stage>building|replaced)-(?P<name>.+)-(?P<pid>\d+)@(?P<machine>.+)")
#: temporary folders of this process; several weeks may be built, in threads
_in_use: set[str] = set()


@contextmanager
def atomic_folder(out: Path, name: str) -> Iterator[Path]:
    """Yield an empty temporary folder that replaces ``out/name`` at the end of the block.

    When the block raises, the temporary folder is removed and ``out/name`` is unchanged. A process
    that is killed
    leaves its temporary folder; the next run removes it.
    """
    recover(out)
    building = out / f".building-{name}-{_maker()}"
    _in_use.add(building.name)
    try:
        building.mkdir(parents=True)
        yield building
        replace_folder(building, out / name)
    finally:
        shutil.rmtree(building, ignore_errors=True)
        _in_use.discard(building.name)


def _maker() -> str:
    return f"{os.getpid()}@{socket.gethostname()}"


def replace_folder(building: Path, target: Path) -> None:
    """Move a complete folder to its target and remove the folder that was there."""
    replaced = target.with_name(f".replaced-{target.name}-{_maker()}")
    _in_use.add(replaced.name)
    if target.exists():
        os.rename(target, replaced)
    os.rename(building, target)
    shutil.rmtree(replaced, ignore_errors=True)
    _in_use.discard(replaced.name)


def recover(out: Path) -> None:
    """Clean up after runs that were killed: remove incomplete folders, move replaced ones back.

    Those of other machines that share the folder are theirs to clean up.
    """
    for folder in sorted(out.glob(".*-*")):
        match = TEMPORARY.fullmatch(folder.name)
        if match is None or match["machine"] != socket.gethostname() or folder.name in _in_use:
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


def copy_files(files: Iterable[str], source: Path, target: Path) -> None:
    """Copy files from one folder to another.

    Parameters
    ----------
    files : iterable of str
        Their paths relative to either folder.
    source, target : Path
        The folders; those of the files within the target are made.
    """
    for file in files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / file, target / file)
