"""The calls of a run: what its systems said, on record from the day it was made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lib.market.atomic import atomic_write
from lib.market.errors import RunError
from lib.market.fingerprint import fingerprint
from lib.models.total_return import Hedging
from lib.report.changes import DATE
from lib.report.manifest import Manifest

CALLS_FILE = "facts/calls.json"
#: a call made within so many days of its date is live, a later one is recomputed
LIVE_DAYS = 7
#: weights that differ by less are the same call
SAME_WEIGHT = 1e-6


class Holding(BaseModel):
    """One position: ``weight`` and ``held`` are fractions, ``series`` prices it where another
    symbol does.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    symbol: str
    name: str
    name_en: str
    weight: float
    held: float | None = None
    fund: str | None = None
    cost: float | None = None
    series: str | None = None


class Valuation(BaseModel):
    """How a universe is valued, as ``lib.models.total_return.total_return_index`` does it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    universe: str
    hedging: Hedging


class Call(BaseModel):
    """What one system said.

    Attributes
    ----------
    system, decided, direction, each, rows, benchmark, values, held_on, due
        As ``lib.exhibits.positions.positions`` hands them over.
    made : str
        When it was computed, in Shanghai time.
    data, code : str
        Fingerprints of the data up to the run's date and of code, universes and packages.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    system: str
    decided: str
    direction: Literal[1, -1]
    each: bool
    rows: list[Holding]
    benchmark: dict[str, float]
    values: Valuation | None = None
    held_on: str | None = None
    due: str | None = None
    made: str = ""
    data: str = ""
    code: str = ""

    @property
    def targets(self) -> dict[str, float]:
        """The weights by symbol, those above zero."""
        return {row.symbol: row.weight for row in self.rows if row.weight > 0}

    def says_the_same(self, other: Call) -> bool:
        """Return whether direction and weights are those of another call."""
        ours, theirs = (pd.Series(call.targets, dtype=float) for call in (self, other))
        gap = ours.sub(theirs, fill_value=0.0).abs()
        return self.direction == other.direction and not (gap > SAME_WEIGHT).any()


class Record(BaseModel):
    """The calls of one session.

    Attributes
    ----------
    calls : list of Call
        One per system, each as it was first made.
    later : list of Call
        What later runs of the same session would have said instead; never counted.
    digest : str
        Hash of the rest, so that a file altered by hand is noticed.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    as_of: str
    source: str
    source_label: dict[str, str]
    calls: list[Call]
    later: list[Call] = Field(default_factory=list)
    digest: str = ""

    def sealed(self) -> Record:
        """Return the record with its digest."""
        return self.model_copy(update={"digest": self._digest()})

    def write(self, folder: Path) -> None:
        """Write the sealed record of a run in one step."""
        (folder / CALLS_FILE).parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.sealed().model_dump(), ensure_ascii=False, indent=1)
        atomic_write(folder / CALLS_FILE, text + "\n")

    def basis(self, call: Call) -> str:
        """Return ``live`` or ``recomputed``."""
        days = (pd.Timestamp(call.made).normalize() - pd.Timestamp(self.as_of)).days
        return "live" if 0 <= days <= LIVE_DAYS else "recomputed"

    def is_of(self, manifest: Manifest) -> bool:
        """Return whether it was made of the same source as a run."""
        ours, theirs = ((made.source, made.source_label) for made in (self, manifest))
        return ours == theirs

    def _digest(self) -> str:
        return fingerprint(self.model_dump(exclude={"digest"}))


def read_record(folder: Path) -> Record | None:
    """Read the calls of a run; None when it left none.

    Raises
    ------
    RunError
        The file cannot be read, was altered, or is of another session than its folder.
    """
    path = folder / CALLS_FILE
    remedy = "restore the file, or run that week again"
    try:
        record = Record.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValidationError, UnicodeDecodeError) as error:
        raise RunError("the calls cannot be read", file=path, remedy=remedy) from error
    if record.digest != record.sealed().digest:
        raise RunError("the calls were altered after they were made", file=path, remedy=remedy)
    return record


def calls_on_record(out: Path, as_of: str) -> list[tuple[str, Path]]:
    """Return session and file of the calls in a folder of runs before a session, on which its track
    record rests.
    """
    files = sorted(out.glob(f"*/{CALLS_FILE}"))
    runs = [(path.parents[1].name, path) for path in files]
    return [(name, path) for name, path in runs if DATE.fullmatch(name) and name < as_of]


def handed_over(folder: Path, **stamp: str) -> list[Call]:
    """Return the calls that the sections of a run handed over with their facts.

    Parameters
    ----------
    folder : Path
        Of the run.
    **stamp
        ``made``, ``data`` and ``code`` of each call.
    """
    calls = []
    for path in sorted((folder / "facts").glob("[0-9]*.json")):
        facts = json.loads(path.read_text(encoding="utf-8"))
        calls += [Call.model_validate(call | stamp) for call in facts.get("positions", ())]
    return calls


def join_calls(earlier: Record | None, calls: list[Call], manifest: Manifest) -> Record:
    """Return the record of a session: calls on record stay, new systems are added.

    Parameters
    ----------
    earlier : Record or None
        Of an earlier run of the same session and source.
    calls : list of Call
        Of this run.
    manifest : Manifest
        Of this run.

    Returns
    -------
    Record
        A call that differs from the one on record is put under ``later``.
    """
    kept = {call.system: call for call in earlier.calls} if earlier else {}
    later = list(earlier.later) if earlier else []
    for call in calls:
        first = kept.setdefault(call.system, call)
        known = [first, *(one for one in later if one.system == call.system)]
        if not any(call.says_the_same(one) for one in known):
            later.append(call)
    return Record(
        as_of=manifest.as_of,
        source=manifest.source,
        source_label=manifest.source_label,
        calls=list(kept.values()),
        later=later,
    )
