"""The weekly run: check parameters and data, execute the notebooks in order, export the report."""

from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lib.exhibits.parameters import PARAMS, Parameters, RunParameters
from lib.exhibits.plan import (
    ALLOW_STALE,
    AS_STORED,
    NOTEBOOKS,
    PARAMS_FOLDER,
    Plan,
    Section,
    read_parameters,
    read_plan,
)
from lib.exhibits.translations import translations
from lib.market.errors import RunError
from lib.market.fingerprint import fingerprint
from lib.market.ingest import NAMED_SOURCES, open_market
from lib.market.pointintime import Market, read_date
from lib.report.calls import calls_on_record
from lib.report.changes import previous_run
from lib.report.manifest import (
    APPENDIX_FOLDER,
    MANIFEST_FILE,
    STEMS,
    ExportRecord,
    Manifest,
    SectionRecord,
    code_fingerprint,
    versions,
)
from lib.weekly.atomic_folder import atomic_folder, copy_files, files_of
from lib.weekly.bars import CellBar, summary
from lib.weekly.execution import Failure, execute, write_error
from lib.weekly.forking import Running, call
from lib.weekly.languages import add_to_manifest, languages_of, replacement_notice
from lib.weekly.scheduling import Job, run_jobs

#: folder, in that of the run, of the sections that are running
WORK = ".sections"


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
        ``en`` or ``zh``, or both as ``en zh``: one run whose models are fitted once.
    resume : bool
        Reuse the sections of the earlier run that succeeded and whose inputs are unchanged.
    allow_stale : bool
        Accept data that end more than five sessions before ``as_of``.
    accept_revisions : bool
        Accept data that change stored rows.
    workers : int
        Notebooks and exports at a time; 0 for two, or one on a machine with one core.
    as_stored : bool
        Open the store as it is: it has just been brought up to date.
    quiet : bool
        Print nothing and show no bar.
    """

    as_of: str = "latest"
    data: str = "sample"
    out: Path = Path("outputs")
    language: str = "en"
    resume: bool = False
    allow_stale: bool = False
    accept_revisions: bool = False
    workers: int = 0
    as_stored: bool = False
    quiet: bool = False


def weekly_run(
    settings: Settings,
    *,
    notebooks: Path = NOTEBOOKS,
    params: Path = PARAMS,
    running: Running | None = None,
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
    running : Running, optional
        For another thread, which can stop the run: it then ends with a RunError.

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
    first, *others = languages_of(settings.language)
    plan = read_plan(notebooks, params)
    parameters = read_parameters(plan, params)
    if settings.as_of != "latest":
        read_date(settings.as_of)  # before the store is filled
    data = settings.data if settings.data in NAMED_SOURCES else str(Path(settings.data).resolve())
    market = open_market(
        data,
        settings.as_of,
        allow_stale=settings.allow_stale,
        accept_revisions=settings.accept_revisions,
        as_stored=settings.as_stored,
        progress=lambda file: None if settings.quiet else tqdm.write(f"reading {file}"),
    )
    out = settings.out.resolve()
    name = f"{market.as_of:%Y-%m-%d}"
    requested = f"{market.requested:%Y-%m-%d}"
    common = RunParameters(as_of=requested, data=data, out=str(out / name), language=first)
    notice = replacement_notice(out / name, market.source.name, settings.language)
    if notice and not settings.quiet:
        tqdm.write(notice)
    earlier = _earlier(out / name, settings.quiet) if settings.resume else None
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
                running or Running(),
            )
            workers = settings.workers or min(2, os.cpu_count() or 1)
            bar = CellBar(notebooks, plan.notebooks, settings.quiet)
            code = code_fingerprint(params)
            manifest = run.execute_all(code, workers, bar)
            for language in others:
                bar = CellBar(notebooks, plan.notebooks, settings.quiet)
                run._add_language(language, code, workers, bar)
        if not settings.quiet:
            index_runs(out, first)
        return manifest
    except OSError as error:
        raise write_error(error, out) from error


def index_runs(out: Path, language: str) -> None:
    """Write the index of all runs in a folder."""
    call("lib.report.history:write_index", out, translations(language), running=Running())


def _earlier(folder: Path, quiet: bool) -> Manifest | None:
    """Return the manifest of the run to resume, None when it is missing or cannot be read."""
    try:
        return Manifest.read(folder)
    except RunError as error:
        if not quiet:
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
    running: Running
    records: dict[str, SectionRecord] = field(default_factory=dict)
    exports: dict[str, list[ExportRecord]] = field(default_factory=dict)

    def execute_all(self, code: str, workers: int, bar: CellBar) -> Manifest:
        """Run all sections and export the report.

        Parameters
        ----------
        code : str
            Fingerprint of the suite's code.
        workers : int
            Sections and exports at a time.
        bar : CellBar
            Closed at the end.
        """
        self.code = code
        self.workers = workers
        self.data = self.market.fingerprint()
        self.manifest = self._new_manifest()
        (self.folder / "notebooks").mkdir()
        self.bar = bar
        with bar:
            run_jobs(self._jobs(), workers, self.running.stop)
        if self.running.stopped:
            raise RunError(
                "the run was stopped", remedy="run again; an earlier report is unchanged"
            )
        self.manifest.status = (
            "ok" if all(record.done for record in self.manifest.sections) else "failed"
        )
        names = [self.plan.report, *(section.notebook for section in self.plan.sections)]
        self.manifest.set_exports([each for name in names for each in self.exports[name]])
        self.manifest.write(self.folder)
        return self.manifest

    def _add_language(self, language: str, code: str, workers: int, bar: CellBar) -> None:
        """Run the notebooks again in another language, on cached models; export both documents."""
        folder = self.folder / language
        folder.mkdir()
        other = replace(
            self,
            common=self.common.model_copy(update={"language": language}),
            folder=folder,
            target=self.target / language,
            earlier=_earlier(self.target / language, quiet=True) if self.earlier else None,
            records={},
            exports={},
        ).execute_all(code, workers, bar)
        add_to_manifest(self.manifest, other, self.folder)
        pages = self._export_pages()
        self.manifest.set_exports([*pages, *self.manifest.exports])
        self.manifest.write(self.folder)

    def _export_pages(self) -> list[ExportRecord]:
        """Export the weekly and its evidence side by side."""
        inputs = (self.folder, self.plan, self.manifest, self.params)

        def export(kind: str) -> list[ExportRecord]:
            pages = "lib.report.exports:export_pages"
            return call(pages, *inputs, [kind], running=self.running)

        with ThreadPoolExecutor(self.workers) as pool:
            return [record for records in pool.map(export, STEMS) for record in records]

    def _jobs(self) -> list[Job]:
        """Return the sections, their appendices, the report notebook and its export."""
        seconds = _last_seconds(self.target.parent)
        report = Section(notebook=self.plan.report)
        jobs = []
        for section in self.plan.sections:
            name = section.notebook
            after = {*section.needs, *section.after}
            jobs.append(Job(name, partial(self._run_section, section), after, seconds.get(name, 0)))
        for section in self.plan.sections:
            name = section.notebook
            export = partial(self._export_section, name)
            jobs.append(Job(f"appendix of {name}", export, {name}))
        sections = {section.notebook for section in self.plan.sections}
        jobs.append(Job(report.notebook, partial(self._run_report, report), sections))
        jobs.append(Job(f"export of {report.notebook}", self._export_report, {report.notebook}))
        return jobs

    def _run_section(self, section: Section) -> None:
        """Run a section in a folder of its own, then move its files to the run's."""
        folder = self.folder / WORK / section.notebook
        (folder / "notebooks").mkdir(parents=True)
        for need in section.needs:
            copy_files(self.records[need].files, self.folder, folder)
        record = self._section(section, folder)
        for file in record.files:
            (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
            os.replace(folder / file, self.folder / file)
        self._finish(record)

    def _run_report(self, section: Section) -> None:
        """Run the report notebook, which reads the manifest and the files of all sections."""
        self.running.before_report()
        shutil.rmtree(self.folder / WORK)
        self.manifest.sections = [self.records[each.notebook] for each in self.plan.sections]
        self.manifest.write(self.folder)
        record = self._section(section, self.folder)
        self.manifest.sections.append(record)
        self._finish(record)

    def _finish(self, record: SectionRecord) -> None:
        self.records[record.name] = record
        self.bar.finish(record.name, summary(record))

    def _export_section(self, name: str) -> None:
        """Export a section's appendix."""
        files = [f"{APPENDIX_FOLDER}/{name}{ending}" for ending in (".html", ".pdf")]
        if not self._copied(name, files):
            record = self._call("lib.report.exports:export_section", self.folder, name)
            self.exports[name] = [record] if record else []

    def _export_report(self) -> None:
        """Export the weekly and its evidence as HTML and PDF."""
        name = self.plan.report
        files = [f"{stem}{ending}" for stem in STEMS.values() for ending in (".html", ".pdf")]
        if not self._copied(name, files):
            self.exports[name] = self._export_pages()

    def _copied(self, name: str, files: list[str]) -> bool:
        """Copy the exports of a reused notebook from the earlier run; return whether they exist."""
        old = [
            each for each in (self.earlier.exports if self.earlier else []) if each.file in files
        ]
        kept = self.records[name].status == "reused" and old and all(each.done for each in old)
        if not kept or not all((self.target / file).is_file() for file in files):
            return False
        copy_files(files, self.target, self.folder)
        self.exports[name] = old
        return True

    def _call(self, function: str, *arguments: Any) -> Any:
        texts = translations(self.common.language)
        return call(function, *arguments, self.plan, self.manifest, texts, running=self.running)

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

    def _section(self, section: Section, folder: Path) -> SectionRecord:
        """Run a section in a folder, or reuse or skip it, and return its record."""
        inputs = self._inputs(section)
        record = SectionRecord(
            name=section.notebook, status="ok", fingerprint=inputs, exhibits=section.exhibits
        )
        missing = [record.name for record in self._needed(section) if not record.done]
        if missing:
            return record.model_copy(
                update={"status": "skipped", "error": f"it needs {', '.join(missing)}"}
            )
        reused = self._reuse(record, folder)
        if reused:
            return reused
        before = files_of(folder)
        start = time.perf_counter()
        executed = folder / "notebooks" / f"{section.notebook}.ipynb"
        fresh: list[str] = []
        failure = execute(
            self.notebooks / f"{section.notebook}.ipynb",
            executed,
            self.common.model_dump()
            | {"out": str(folder)}
            | self.parameters[section.notebook].model_dump(),
            on_cell=partial(self.bar.step, section.notebook),
            environment={
                ALLOW_STALE: "1" if self.allow_stale else "0",
                AS_STORED: "1",
                PARAMS_FOLDER: str(self.params),
            },
            running=self.running,
            on_fallback=fresh.append,
        )
        self._correct_paths(executed, folder)
        record.seconds = round(time.perf_counter() - start, 3)
        record.kernel = f"fresh: {fresh[0]}" if fresh else "forked"
        written = files_of(folder) - before  # appendices may be written meanwhile
        record.files = sorted(
            file for file in written if not file.startswith(f"{APPENDIX_FOLDER}/")
        )
        absent = [] if failure else _absent(section, folder)
        if absent:
            failure = Failure(f"the notebook ended without exhibit {', '.join(absent)}", None, None)
        return (
            record.model_copy(update={"status": "failed", **vars(failure)}) if failure else record
        )

    def _needed(self, section: Section) -> list[SectionRecord]:
        """Return the records of the sections that a section needs, which run before it."""
        return [self.records[need] for need in section.needs]

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
            published = PARAMS / "published"
            upstream += sorted(published.glob(f"{self.market.week.last:%Y-%m-%d}.yaml"))
        else:
            upstream = [record.fingerprint for record in self._needed(section)]
        return fingerprint(
            self.data,
            self.code,
            self.notebooks / f"{notebook}.ipynb",
            [self.parameters[name].model_dump() for name in (notebook, *section.parameters_of)],
            self.common.model_dump(exclude={"out"}),
            (self.plan.stale_sessions, self.plan.stale_series, self.plan.appendix_code),
            section.exhibits,
            upstream,
        )

    def _reuse(self, record: SectionRecord, folder: Path) -> SectionRecord | None:
        """Copy a section's files from the earlier run and return its record, None when it has to
        run again.
        """
        old = self.earlier and self.earlier.section(record.name)
        if not old or not old.done or old.fingerprint != record.fingerprint:
            return None
        if not all((self.target / file).is_file() for file in old.files):
            return None
        copy_files(old.files, self.target, folder)
        return old.model_copy(update={"status": "reused"})

    def _correct_paths(self, executed: Path, folder: Path) -> None:
        """Replace the folder that a notebook ran in by the final one."""
        if executed.exists():
            text = executed.read_text(encoding="utf-8")
            executed.write_text(text.replace(str(folder), str(self.target)), encoding="utf-8")


def _absent(section: Section, folder: Path) -> list[str]:
    """Return the exhibits of a section that were not made."""
    return [
        number
        for number in section.exhibits
        if not list(folder.glob(f"exhibits/fig{number}_*.json"))
    ]


def _last_seconds(out: Path) -> dict[str, float]:
    """Return the seconds of each section in the latest run in a folder, empty without any."""
    manifests = sorted(out.glob(f"*/{MANIFEST_FILE}"), key=lambda path: path.stat().st_mtime)
    try:
        sections = Manifest.read(manifests[-1].parent).sections if manifests else []
    except RunError:  # the times only decide which section starts first
        sections = []
    return {record.name: record.seconds for record in sections}
