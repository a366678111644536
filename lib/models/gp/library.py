"""Libraries: the admitted factors of one quarter and one seed, as JSON that people read and
edit.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from lib.market.atomic import atomic_write
from lib.market.errors import ModelError

#: raised by one when the file's layout changes
VERSION = 1
MEASURES = ("ic", "icir", "ndcg", "coverage")


@dataclass(frozen=True)
class Entry:
    """One factor as text.

    Attributes
    ----------
    formula : str
    sign : int
        +1: high values are good; -1: low values are.
    training, validation : dict of str to float
        ``ic``, ``icir``, ``ndcg``, ``coverage``; empty in an entry written by hand.
    vif : float or None
    """

    formula: str
    sign: int
    training: dict[str, float] = field(default_factory=dict)
    validation: dict[str, float] = field(default_factory=dict)
    vif: float | None = None


@dataclass(frozen=True)
class Library:
    """Factors mined at one quarter end.

    Attributes
    ----------
    mined_on : Timestamp
        Last session the mining saw; the library scores from this session's close on.
    seed : int
    entries : tuple of Entry
        Possibly empty: then this library has no view.
    details : dict
        Window, settings, inputs, programs evaluated, fingerprint of data, settings and code.
    """

    mined_on: pd.Timestamp
    seed: int
    entries: tuple[Entry, ...]
    details: dict = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        """Where ``save`` puts it: ``2025-03-31_seed0.json``."""
        return f"{self.mined_on:%Y-%m-%d}_seed{self.seed}.json"

    def save(self, folder: str | Path) -> Path:
        """Write the library into a folder, aside first and then renamed, and return its path."""
        path = Path(folder) / self.file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "version": VERSION,
            "mined_on": f"{self.mined_on:%Y-%m-%d}",
            "seed": self.seed,
            "factors": [
                {
                    "formula": entry.formula,
                    "sign": entry.sign,
                    # in full: a library from its file must give the tables that it gave when it was
                    # mined
                    "training": entry.training,
                    "validation": entry.validation,
                    "vif": entry.vif,
                }
                for entry in self.entries
            ],
            **self.details,
        }
        content["checksum"] = _checksum(content)
        atomic_write(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        return path


def _checksum(content: dict) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def load_library(path: str | Path, *, unedited: bool = False) -> Library:
    """Read a library, mined or edited by hand.

    Formulas are checked for their layout here and parsed by ``programs.from_text`` when they are
    used, never run as code.

    Parameters
    ----------
    path : path
    unedited : bool
        Accept the library only as it was mined: its checksum must fit. A cache asks for that.

    Raises
    ------
    ModelError
        The file is not there, is not JSON, lacks or mistypes a part, or was edited and may not be.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            "the library is missing", file=path, remedy="mine it first, or check the path"
        ) from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelError(
            f"the library is not JSON: {error}", file=path, remedy="undo the last edit"
        ) from error
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise ModelError(
            f"the library is not of version {VERSION}",
            file=path,
            remedy="mine it again with this release",
        )
    checksum = content.pop("checksum", None)
    if unedited and checksum != _checksum(content):
        raise ModelError(
            "the library was edited or is damaged",
            file=path,
            remedy="delete it, and edit a copy outside the cache",
        )
    try:
        mined_on, seed, factors = (
            pd.Timestamp(content.pop("mined_on")),
            int(content.pop("seed")),
            content.pop("factors"),
        )
        entries = tuple(_entry(factor, path) for factor in factors)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"the library lacks a part or mistypes it: {error}",
            file=path,
            remedy='it needs "mined_on", "seed" and "factors", each with "formula" and "sign"',
        ) from error
    content.pop("version")
    return Library(mined_on, seed, entries, content)


def _entry(factor: dict, path: Path) -> Entry:
    sign = factor["sign"]
    if sign not in (-1, 1) or not isinstance(factor["formula"], str):
        raise ModelError(
            f"a factor reads {factor!r}",
            file=path,
            remedy="its formula is a text and its sign is 1 or -1",
        )
    training, validation = (dict(factor.get(part) or {}) for part in ("training", "validation"))
    return Entry(factor["formula"], sign, training, validation, factor.get("vif"))


def load_libraries(folder: str | Path) -> list[Library]:
    """Read every library of a folder, by date and seed."""
    libraries = [load_library(path) for path in sorted(Path(folder).glob("*.json"))]
    return sorted(libraries, key=lambda library: (library.mined_on, library.seed))
