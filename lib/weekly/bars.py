"""Progress of the sections that run side by side: one bar for all of them, a line for each."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from lib.report.manifest import SectionRecord
from lib.weekly.execution import count_code_cells


class CellBar:
    """A bar over the cells of all notebooks, with the notebooks that run; used by threads."""

    def __init__(self, folder: Path, notebooks: Sequence[str], quiet: bool = False):
        # papermill adds the cell with the injected parameters
        self._cells = {name: count_code_cells(folder / f"{name}.ipynb") + 1 for name in notebooks}
        self._steps: Counter[str] = Counter()
        self._running: list[str] = []
        self._lock = threading.Lock()
        self._quiet = quiet
        self._bar = tqdm(
            total=sum(self._cells.values()), unit="cell", disable=quiet or None, leave=False
        )

    def __enter__(self) -> CellBar:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def step(self, notebook: str) -> None:
        """Count a cell of a notebook."""
        with self._lock:
            if not self._steps[notebook]:
                self._running.append(notebook)
                self._bar.set_description(", ".join(self._running))
            self._steps[notebook] += 1
            self._bar.update()

    def finish(self, notebook: str, line: str) -> None:
        """Count the cells of a notebook that did not run, and print its line."""
        with self._lock:
            if notebook in self._running:
                self._running.remove(notebook)
                self._bar.set_description(", ".join(self._running))
            self._bar.update(self._cells[notebook] - self._steps[notebook])
            if not self._quiet:
                self._bar.write(line)


def summary(record: SectionRecord) -> str:
    """Return the lines that the command line prints for a section."""
    line = f"{record.name:<28} {record.status:<8} {record.seconds:7.1f} s"
    if record.kernel.startswith("fresh"):
        line += f"  ({record.kernel})"
    if record.error:
        where = f" (code cell {record.cell})" if record.cell else ""
        line += f"\n  {record.error}{where}".replace("\n", "\n  ")
        if record.source:
            line += "\n    | " + record.source.replace("\n", "\n    | ")
    return line
