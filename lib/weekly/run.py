"""The weekly run: check parameters and data, execute the notebooks in order, export the report."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from lib.exhibits.notebook_run import ALLOW_STALE, PARAMS_FOLDER
from lib.exhibits.parameters import PARAMS, Parameters, RunParameters
from lib.exhibits.plan import NOTEBOOKS, Plan, Section, read_parameters, read_plan
from lib.exhibits.published import FOLDER as PUBLISHED
from lib.exhibits.translations import Language, translations
from lib.market.errors import RunError
from lib.market.fingerprint import fingerprint
from lib.market.ingest import NAMED_SOURCES, open_market
from lib.market.pointintime import Market
from lib.report.calls import calls_on_record
from lib.report.changes import previous_run
from lib.report.exports import export_run
from lib.report.history import write_index
from lib.report.manifest import Manifest, SectionRecord, code_fingerprint, versions
from lib.weekly.atomic_folder import atomic_folder, files_of
from lib.weekly.execution import Failure, count_code_cells, execute, write_error


@dataclass(frozen=True)
class Settings:
    """Settings of the command line.

    Attributes
    ----------
    as_of : str
        A date, or ``latest``.
    data : str
        ``sample``, ``sample-null``, ``store`` or a folder.
    out : Path
        Parent of the run's folder ``<session>``.
    language : str
        ``en`` or ``zh``.
    resume : bool
        Reuse the sections of the earlier run that succeeded and whose inputs are unchanged.
    allow_stale : bool
        Accept data that end more than five sessions before ``as_of``.
    accept_revisions : bool
        Accept data that change stored rows.
    """

    as_of: str = "latest"
    data: str = "sample"
    out: Path = Path("outputs")
    language: Language = "en"
    resume: bool = False
    allow_stale: bool = False
    accept_revisions: bool = False


def weekly_run(
    settings: Settings, *, notebooks: Path = NOTEBOOKS, params: Path = PARAMS
) -> Manifest:
    """Make the weekly report in ``out/<session>``.

    A section that fails is recorded, the sections that need it are skipped, the others run, and the
    report is assembled
    from their results. The folder is replaced in one step at the end: a run that is stopped leaves
    an earlier report of
    the same session unchanged.

    Parameters
    ----------
    settings : Settings
        Of the command line.
    notebooks, params : Path
        Folders of the notebooks and of their parameters.

    Returns
    -------
    Manifest
        As in ``manifest.json``; its status is ``failed`` when a section failed or was skipped or an
        export failed.

    Raises
    ------
    SuiteError
        Parameters, data, store or date are invalid and nothing was run, or the folder cannot be
        written.
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
    requested = f"{market.requested:%Y-%m-%d}"
    common = RunParameters(
        as_of=requested, data=data, out=str(out / name), language=settings.language
    )
    earlier = _earlier(out / name) if settings.resume else None
    try:
        with atomic_folder(out, name) as folder:
            run = _Run(
                plan,
                parameters,
                common,
                market,
                notebooks,
                Path(params).resolve(),
                folder,
                out / name,
                earlier,
                settings.allow_stale,
            )
            manifest = run.execute_all(code_fingerprint(params))
        write_index(out, translations(settings.language))
        return manifest
    except OSError as error:
        raise write_error(error, out) from error


def _earlier(folder: Path) -> Manifest | None:
    """Return the manifest of the run to resume, None when it is missing or cannot be read."""
    try:
        return Manifest.read(folder)
    except RunError as error:
        tqdm.write(f"nothing to resume, every section runs: {error.message} ({error.file})")
        return None


@dataclass
class _Run:
    """A run in progress; ``folder`` is the temporary folder, ``target`` the one that it will
    replace.
    """

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

    def execute_all(self, code: str) -> Manifest:
        """Run all sections and export the report; ``code`` is the fingerprint of the suite's
        code.
        """
        self.code = code
        self.data = self.market.fingerprint()
        self.manifest = self._new_manifest()
        (self.folder / "notebooks").mkdir()
        # papermill adds the cell with the injected parameters
        cells = {
            name: count_code_cells(self.notebooks / f"{name}.ipynb") + 1
            for name in self.plan.notebooks
        }
        with tqdm(total=sum(cells.values()), unit="cell", disable=None, leave=False) as bar:
            for section in [*self.plan.sections, Section(notebook=self.plan.report)]:
                bar.set_description(section.notebook)
                before = bar.n
                if section.notebook == self.plan.report:
                    self.manifest.write(self.folder)  # the report shows the status of the sections
                record = self._section(section, bar)
                self.manifest.sections.append(record)
                bar.update(before + cells[section.notebook] - bar.n)
                bar.write(_summary(record))
        self.manifest.status = (
            "ok" if all(record.done for record in self.manifest.sections) else "failed"
        )
        export_run(self.folder, self.plan, self.manifest, translations(self.common.language))
        self.manifest.write(self.folder)
        return self.manifest

    def _new_manifest(self) -> Manifest:
        """Return the manifest of the run before any section."""
        market = self.market
        common = self.common
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
        """Run a section, or reuse or skip it, and return its record."""
        inputs = self._inputs(section)
        record = SectionRecord(
            name=section.notebook, status="ok", fingerprint=inputs, exhibits=section.exhibits
        )
        missing = [record.name for record in self._needed(section) if not record.done]
        if missing:
            return record.model_copy(
                update={"status": "skipped", "error": f"it needs {', '.join(missing)}"}
            )
        reused = self._reuse(record)
        if reused:
            return reused
        before = files_of(self.folder)
        start = time.perf_counter()
        executed = self.folder / "notebooks" / f"{section.notebook}.ipynb"
        failure = execute(
            self.notebooks / f"{section.notebook}.ipynb",
            executed,
            self.common.model_dump()
            | {"out": str(self.folder)}
            | self.parameters[section.notebook].model_dump(),
            on_cell=bar.update,
            environment={
                ALLOW_STALE: "1" if self.allow_stale else "0",
                PARAMS_FOLDER: str(self.params),
            },
        )
        self._correct_paths(executed)
        record.seconds = round(time.perf_counter() - start, 3)
        record.files = sorted(files_of(self.folder) - before)
        absent = self._absent(section)
        if absent and failure is None:
            failure = Failure(f"the notebook ended without exhibit {', '.join(absent)}", None, None)
        return (
            record.model_copy(update={"status": "failed", **vars(failure)}) if failure else record
        )

    def _needed(self, section: Section) -> list[SectionRecord]:
        """Return the records of the sections that a section needs, which run before it."""
        records = {record.name: record for record in self.manifest.sections}
        return [records[need] for need in section.needs]

    def _inputs(self, section: Section) -> str:
        """Return a hash of all inputs of a section."""
        notebook = section.notebook
        if notebook == self.plan.report:
            sections = self.manifest.sections
            upstream: list[object] = [
                (each.name, each.done, each.error, each.fingerprint) for each in sections
            ]
            previous, _ = previous_run(self.target.parent, self.manifest)
            if previous:
                upstream.append(Manifest.read(previous).fingerprint)
            upstream += calls_on_record(self.target.parent, self.manifest.as_of)
            upstream.append(self.plan.capital)
            upstream.append(self.plan.compared)
            upstream += sorted(PUBLISHED.glob(f"{self.market.week.last:%Y-%m-%d}.yaml"))
        else:
            upstream = [record.fingerprint for record in self._needed(section)]
        return fingerprint(
            self.data,
            self.code,
            self.notebooks / f"{notebook}.ipynb",
            [self.parameters[name].model_dump() for name in (notebook, *section.parameters_of)],
            self.common.model_dump(exclude={"out"}),
            (self.plan.stale_sessions, self.plan.stale_series),
            section.exhibits,
            upstream,
        )

    def _reuse(self, record: SectionRecord) -> SectionRecord | None:
        """Copy a section's files from the earlier run and return its record, None when it has to
        run again.
        """
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
        """Return the exhibits of a section that were not made."""
        return [
            number
            for number in section.exhibits
            if not list(self.folder.glob(f"exhibits/fig{number}_*.json"))
        ]

    def _correct_paths(self, executed: Path) -> None:
        """Replace the temporary folder by the final one in an executed notebook."""
        if executed.exists():
            text = executed.read_text(encoding="utf-8")
            executed.write_text(text.replace(str(self.folder), str(self.target)), encoding="utf-8")


def _summary(record: SectionRecord) -> str:
    """Return the lines that the command line prints for a section."""
    line = f"{record.name:<28} {record.status:<8} {record.seconds:7.1f} s"
    if record.error:
        where = f" (code cell {record.cell})" if record.cell else ""
        line += f"\n  {record.error}{where}".replace("\n", "\n  ")
        if record.source:
            line += "\n    | " + record.source.replace("\n", "\n    | ")
    return line
