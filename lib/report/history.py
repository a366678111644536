"""Index page of all runs in a folder, written after each run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lib.exhibits.translations import Translations
from lib.market.atomic import atomic_write
from lib.market.errors import RunError
from lib.report.changes import DATE
from lib.report.commentary import headline_of
from lib.report.html import render_page
from lib.report.manifest import MANIFEST_FILE, Manifest
from lib.report.orders import FILE as TRADES

INDEX = "index.html"
#: files of a run that the index links
PATTERNS = (
    *("report*.html", "report*.pdf", "evidence*.html", "evidence*.pdf"),
    *(TRADES, "appendices/*.html", MANIFEST_FILE),
)


@dataclass(frozen=True)
class Entry:
    """One run of the index.

    Attributes
    ----------
    name : str
        Name of its folder.
    manifest : Manifest or None
        None when it cannot be read.
    headline : str or None
        None when the run has no commentary.
    files : list of str
        Pages and PDFs of the weekly and its evidence, in each language, the trades, the appendices
        and the manifest, those that exist.
    faults : list of str
        Missing or unreadable files.
    """

    name: str
    manifest: Manifest | None
    headline: str | None
    files: list[str]
    faults: list[str]


def entries(out: Path) -> list[Entry]:
    """Return the runs in a folder, latest session first, those that cannot be read with their
    faults.
    """
    folders = [path for path in out.iterdir() if path.is_dir() and not path.name.startswith(".")]
    runs = [
        path for path in folders if DATE.fullmatch(path.name) or (path / MANIFEST_FILE).exists()
    ]
    return [_entry(path) for path in sorted(runs, reverse=True)]


def write_index(out: Path, t: Translations) -> Path:
    """Write ``index.html`` in a folder of runs in one step, in the language of the translations."""
    atomic_write(out / INDEX, render_page("index.html.j2", t=t, entries=entries(out)))
    return out / INDEX


def _entry(folder: Path) -> Entry:
    """Return the entry of a run's folder; what cannot be read becomes a fault."""
    faults = []
    manifest = None
    headline = None
    try:
        manifest = Manifest.read(folder)
        headline = headline_of(folder)
    except RunError as error:
        faults.append(f"{error.message}: {Path(error.file).name}")
    except OSError as error:
        faults.append(f"{error.strerror}: {Path(error.filename or folder).name}")
    files = [
        path.relative_to(folder).as_posix()
        for pattern in PATTERNS
        for path in sorted(folder.glob(pattern))
    ]
    if not any(name.startswith("report.") and name.endswith(".html") for name in files):
        faults.append("report.html")
    return Entry(folder.name, manifest, headline, files, faults)
