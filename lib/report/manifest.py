"""Manifest of a run: its inputs, the status of each section and of each exported file."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from lib.exhibits.parameters import PARAMS
from lib.market.atomic import atomic_write
from lib.market.errors import RunError
from lib.market.fingerprint import fingerprint

#: names of the two documents of a run without their endings
STEMS = {"weekly": "report", "evidence": "evidence"}
MANIFEST_FILE = "manifest.json"
#: folder of the appendices
APPENDIX_FOLDER = "appendices"
LIB = Path(__file__).resolve().parents[1]
#: files whose content can change a result
CODE_SUFFIXES = (".py", ".csv", ".yaml", ".j2", ".css", ".typ", ".mplstyle", ".json")
#: packages that can change a number or a picture
PACKAGES = (
    *(
        "numpy",
        "pandas",
        "pyarrow",
        "duckdb",
        "exchange_calendars",
        "numba",
        "scipy",
        "scikit-learn",
        "statsmodels",
    ),
    *("gplearn", "lightgbm", "cvxpy", "clarabel", "matplotlib", "seaborn", "great_tables"),
    *("papermill", "nbclient", "nbconvert", "ipykernel", "pydantic"),
    *("pypandoc_binary", "typst", "fonttools", "pylopdf-fonts-zh-cn"),
)


class SectionRecord(BaseModel):
    """Record of one notebook.

    Attributes
    ----------
    name : str
        The notebook's stem.
    status : str
        ``ok``; ``failed``, see ``error`` and ``cell``; ``skipped``, because a section it needs
        failed; ``reused`` from
        the earlier run.
    seconds : float
        Run time; of a reused section that of its original run.
    cell : int or None
        The code cell that failed, from 1, including the injected parameters.
    source : str or None
        First lines of that cell.
    kernel : str
        ``forked``, or ``fresh`` and why; empty when it did not run.
    fingerprint : str
        Hash of its inputs: data, parameters, notebook, code and the sections it needs.
    exhibits : list of str
        Numbers of its exhibits in the plan.
    files : list of str
        Files it wrote, relative to the run's folder.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    status: Literal["ok", "failed", "skipped", "reused"]
    seconds: float = 0.0
    error: str | None = None
    cell: int | None = None
    source: str | None = None
    kernel: str = ""
    fingerprint: str
    exhibits: list[str] = []
    files: list[str] = []

    @property
    def done(self) -> bool:
        """Whether it has results, from this run or an earlier one."""
        return self.status in ("ok", "reused")


class ExportRecord(BaseModel):
    """Record of one exported file.

    Attributes
    ----------
    file : str
        Relative to the run's folder; of an appendix its PDF, next to which is its HTML.
    status : str
        ``ok``, or ``failed``, see ``error``.
    notes : list of str
        Cells that are not shown as they are, with remedies.
    """

    model_config = ConfigDict(extra="forbid")

    file: str
    status: Literal["ok", "failed"] = "ok"
    error: str | None = None
    notes: list[str] = []

    @property
    def done(self) -> bool:
        """Whether the file was written."""
        return self.status == "ok"


class Manifest(BaseModel):
    """Inputs and outcome of a run.

    Attributes
    ----------
    as_of, requested_as_of : str
        The session of the report, and the date that was requested.
    stale_sessions : int
        Sessions between the two.
    source, source_label, synthetic
        Source of the data, its label in each language, whether the data are synthetic.
    status : str
        ``ok``, or ``failed`` when a section failed or was skipped or a file was not exported.
    exports : list of ExportRecord
        The report as HTML and PDF, and the appendices.
    fingerprint : str
        Hash of the data up to ``as_of``, the parameters and the code.
    """

    model_config = ConfigDict(extra="forbid")

    as_of: str
    requested_as_of: str
    stale_sessions: int
    week: dict[str, str]
    source: str
    source_label: dict[str, str]
    synthetic: bool
    language: str
    status: Literal["running", "ok", "failed"]
    sections: list[SectionRecord]
    exports: list[ExportRecord] = []
    parameters: dict[str, dict[str, Any]]
    fingerprint: str
    versions: dict[str, str]

    @property
    def week_without_session(self) -> bool:
        """Whether the exchange had no session in the week asked for, so that the report is of an
        earlier one.
        """
        requested, actual = (
            pd.Timestamp(date).to_period("W-SUN") for date in (self.requested_as_of, self.as_of)
        )
        return self.stale_sessions == 0 and requested > actual

    def section(self, name: str) -> SectionRecord | None:
        """Return a section's record, None when the section is not in the manifest."""
        return next((record for record in self.sections if record.name == name), None)

    def set_exports(self, records: list[ExportRecord]) -> None:
        """Set the exports, and the status to failed when one of them failed."""
        self.exports = records
        if not all(record.done for record in records):
            self.status = "failed"

    def write(self, folder: Path) -> None:
        """Write the manifest in one step."""
        atomic_write(folder / MANIFEST_FILE, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read a run's manifest; RunError when it is missing or cannot be read."""
        path = folder / MANIFEST_FILE
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise RunError(
                "the folder holds no finished run", file=path, remedy="run make report first"
            ) from error
        except (ValidationError, UnicodeDecodeError) as error:
            raise RunError(
                "the manifest cannot be read", file=path, remedy="run again without --resume"
            ) from error


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that can change a result."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def code_fingerprint(params: Path = PARAMS) -> str:
    """Return a hash of what can change a result: code, texts, universes, trials, published numbers,
    versions.
    """
    files = [path for path in sorted(LIB.rglob("*")) if path.suffix in CODE_SUFFIXES]
    files += sorted(Path(params).rglob("*.csv")) + sorted(
        (Path(params) / "published").glob("*.yaml")
    )
    return fingerprint([(path.name, path) for path in files], versions())
