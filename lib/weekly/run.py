"""The weekly run: parameters, data, notebooks in sequence, report, manifest."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from lib.exhibits.notebook_run import ALLOW_STALE
from lib.exhibits.parameters import PARAMS, Parameters, RunParameters
from lib.exhibits.plan import NOTEBOOKS, Plan, Section, read_parameters, read_plan
from lib.exhibits.published import FOLDER as PUBLISHED
from lib.exhibits.translations import Language, translations
from lib.market.errors import RunError
from lib.market.fingerprint import fingerprint
from lib.market.ingest import NAMED_SOURCES, open_market
from lib.market.pointintime import Market
from lib.report.changes import previous_run
from lib.report.exports import export_run
from lib.report.history import write_index
from lib.report.manifest import Manifest, SectionRecord, code_fingerprint, versions
from lib.weekly.atomic_folder import built_aside, files_of
from lib.weekly.execution import code_cells, execute, unwritten


@dataclass(frozen=True)
class Settings:
    """What the command line asks for.

    Attributes
    ----------
    as_of : str
        A date, or ``latest``.
    data : str
        ``sample``, ``sample-null``, ``store`` or a folder.
    out : Path
        The run lands in ``out/<session>``.
    language : str
        ``en`` or ``zh``.
    resume : bool
        Keep the sections of the earlier run that went well and whose inputs are the same.
    allow_stale : bool
        Take data that end more than five sessions before ``as_of``.
    accept_revisions : bool
        Let the source change rows that are stored.
    """

    as_of: str = "latest"
    data: str = "sample"
    out: Path = Path("outputs")
    language: Language = "en"
    resume: bool = False
    allow_stale: bool = False
    accept_revisions: bool = False


def weekly_run(settings: Settings, *, notebooks: Path = NOTEBOOKS, params: Path = PARAMS) -> Manifest:
    """Make the weekly report in ``out/<session>``.

    A section that fails is recorded, the sections that need it are skipped by name, the others run, and the report
    is assembled from what there is. The folder is built aside: whatever stops the run leaves an earlier report of the
    same session as it was.

    Parameters
    ----------
    settings : Settings
    notebooks, params : Path
        Folders of the notebooks and of their parameters.

    Returns
    -------
    Manifest
        As written to ``manifest.json``; its status is ``failed`` when any section failed or was skipped.

    Raises
    ------
    SuiteError
        Nothing was started: parameters, data, store or date are refused. Or the folder cannot be written.
    """
    plan = read_plan(notebooks, params)
    parameters = read_parameters(plan, params)
    data = settings.data if settings.data in NAMED_SOURCES else str(Path(settings.data).resolve())
    market = open_market(
        data,
        settings.as_of,
        allow_stale=settings.allow_stale,
        accept_revisions=settings.accept_revisions,
        progress=lambda file: tqdm.write(f"reading {file}"),
    )
    out = settings.out.resolve()
    name = f"{market.as_of:%Y-%m-%d}"
    common = RunParameters(
        as_of=f"{market.requested:%Y-%m-%d}", data=data, out=str(out / name), language=settings.language
    )
    earlier = _earlier(out / name) if settings.resume else None
    try:
        with built_aside(out, name) as folder:
            run = _Run(
                plan,
                parameters,
                common,
                market,
                notebooks,
                params,
                folder,
                out / name,
                earlier,
                settings.allow_stale,
            )
            manifest = run.execute_all()
        write_index(out, translations(settings.language))
        return manifest
    except OSError as error:
        raise unwritten(error, out) from error


def _earlier(folder: Path) -> Manifest | None:
    """Return the manifest of the run to resume, None when there is none to build on."""
    try:
        return Manifest.read(folder)
    except RunError as error:
        tqdm.write(f"nothing to resume, every section runs: {error.message} ({error.file})")
        return None


@dataclass
class _Run:
    plan: Plan
    parameters: dict[str, Parameters]
    common: RunParameters
    market: Market
    notebooks: Path
    params: Path
    folder: Path
    target: Path
    earlier: Manifest | None
    allow_stale: bool

    def execute_all(self) -> Manifest:
        self.code = code_fingerprint(self.params)
        self.data = self.market.fingerprint()
        self.manifest = self._begin()
        (self.folder / "notebooks").mkdir()
        names = [section.notebook for section in self.plan.sections] + [self.plan.report]
        # papermill adds the cell with the injected parameters
        cells = {name: code_cells(self.notebooks / f"{name}.ipynb") + 1 for name in names}
        with tqdm(total=sum(cells.values()), unit="cell", disable=None, leave=False) as bar:
            for section in [*self.plan.sections, Section(notebook=self.plan.report)]:
                bar.set_description(section.notebook)
                before = bar.n
                if section.notebook == self.plan.report:
                    self.manifest.write(self.folder)  # the report tells what became of the sections
                record = self._section(section, bar)
                self.manifest.sections.append(record)
                bar.update(before + cells[section.notebook] - bar.n)
                bar.write(_line(record))
        self.manifest.status = "ok" if all(record.done for record in self.manifest.sections) else "failed"
        export_run(self.folder, self.plan, self.manifest, translations(self.common.language))
        self.manifest.write(self.folder)
        return self.manifest

    def _begin(self) -> Manifest:
        market, common = self.market, self.common
        parameters = {name: values.model_dump() for name, values in self.parameters.items()}
        return Manifest(
            as_of=f"{market.as_of:%Y-%m-%d}",
            requested_as_of=common.as_of,
            stale_sessions=market.stale_sessions,
            week={"first": f"{market.week.first:%Y-%m-%d}", "last": f"{market.week.last:%Y-%m-%d}"},
            source=market.source.name,
            source_label=market.source.label,
            synthetic=market.source.synthetic,
            language=common.language,
            status="running",
            sections=[],
            parameters=parameters,
            fingerprint=fingerprint(self.data, self.code, parameters, common.language),
            versions=versions(),
        )

    def _section(self, section: Section, bar: tqdm) -> SectionRecord:
        inputs = self._inputs(section)
        record = SectionRecord(name=section.notebook, status="ok", fingerprint=inputs, exhibits=section.exhibits)
        missing = [record.name for record in self._needed(section) if not record.done]
        if missing:
            return record.model_copy(update={"status": "skipped", "error": f"it needs {', '.join(missing)}"})
        if reused := self._reuse(record):
            return reused
        before, start = files_of(self.folder), time.perf_counter()
        executed = self.folder / "notebooks" / f"{section.notebook}.ipynb"
        failure = execute(
            self.notebooks / f"{section.notebook}.ipynb",
            executed,
            self.common.model_dump() | {"out": str(self.folder)} | self.parameters[section.notebook].model_dump(),
            on_cell=bar.update,
            environment={ALLOW_STALE: "1"} if self.allow_stale else {},
        )
        self._settle(executed)
        record.seconds = round(time.perf_counter() - start, 3)
        record.files = sorted(files_of(self.folder) - before)
        if failure:
            record.status, record.error = "failed", failure.error
            record.cell, record.source = failure.cell, failure.source
        elif absent := self._absent(section):
            record.status, record.error = "failed", f"the notebook ended without exhibit {', '.join(absent)}"
        return record

    def _needed(self, section: Section) -> list[SectionRecord]:
        """Return the records of the sections that a section needs; the plan lets them run before it."""
        records = {record.name: record for record in self.manifest.sections}
        return [records[need] for need in section.needs]

    def _inputs(self, section: Section) -> str:
        """Return a hash of all that a section rests on."""
        notebook = section.notebook
        if notebook == self.plan.report:
            sections = self.manifest.sections
            upstream: list[object] = [(each.name, each.done, each.error, each.fingerprint) for each in sections]
            previous, _ = previous_run(self.target.parent, self.manifest)
            if previous:
                upstream.append(Manifest.read(previous).fingerprint)
            upstream += sorted(PUBLISHED.glob(f"{self.market.week.last:%Y-%m-%d}.yaml"))
        else:
            upstream = [record.fingerprint for record in self._needed(section)]
        return fingerprint(
            self.data,
            self.code,
            self.notebooks / f"{notebook}.ipynb",
            self.parameters[notebook].model_dump(),
            self.common.model_dump(exclude={"out"}),
            (self.plan.stale_sessions, self.plan.stale_series),
            section.exhibits,
            upstream,
        )

    def _reuse(self, record: SectionRecord) -> SectionRecord | None:
        """Carry a section over from the earlier run when it went well on the same inputs and its files are there."""
        old = self.earlier and self.earlier.section(record.name)
        if not old or not old.done or old.fingerprint != record.fingerprint:
            return None
        if not all((self.target / file).is_file() for file in old.files):
            return None
        for file in old.files:
            (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.target / file, self.folder / file)
        return old.model_copy(update={"status": "reused"})

    def _absent(self, section: Section) -> list[str]:
        return [number for number in section.exhibits if not list(self.folder.glob(f"exhibits/fig{number}_*.json"))]

    def _settle(self, executed: Path) -> None:
        """Let an executed notebook name the folder that it will stand in."""
        if executed.exists():
            text = executed.read_text(encoding="utf-8")
            executed.write_text(text.replace(str(self.folder), str(self.target)), encoding="utf-8")


def _line(record: SectionRecord) -> str:
    line = f"{record.name:<28} {record.status:<8} {record.seconds:7.1f} s"
    if record.error:
        where = f" (code cell {record.cell})" if record.cell else ""
        line += f"\n  {record.error}{where}".replace("\n", "\n  ")
        if record.source:
            line += "\n    | " + record.source.replace("\n", "\n    | ")
    return line
