"""The parts of the report as HTML, from the exhibits, facts and manifest in a run's folder."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from IPython.display import HTML
from IPython.utils.capture import capture_output
from markupsafe import Markup
from matplotlib.figure import Figure

from lib.exhibits.charts_periods import period_heat_map
from lib.exhibits.notebook_run import OUTPUTS, Run
from lib.exhibits.parameters.weekly_report import WeeklyReport
from lib.exhibits.published import published_week
from lib.exhibits.style import sign_colours
from lib.exhibits.tables import saved_table, table_html
from lib.exhibits.translations import LANGUAGES
from lib.market.errors import RunError
from lib.market.universe import read_universe
from lib.report.calendar_returns import LINES, calendar_returns, drawdowns, heat_maps, navs
from lib.report.calls import handed_over
from lib.report.changes import changes, previous_run
from lib.report.commentary import Commentary, comment
from lib.report.commentary.quotations import Tables
from lib.report.html import environment, system_name
from lib.report.look_back import exhibits_of, look_back, sentences, write_table
from lib.report.manifest import MANIFEST_FILE, Manifest
from lib.report.orders import SHOWN, orders, totals
from lib.report.scorecard import counts, scorecard


@dataclass(frozen=True)
class Assembly:
    """The results of one run, as parts of its report.

    Attributes
    ----------
    run : Run
        Run of the report notebook: language, names, market.
    folder : Path or None
        Folder of the results; None when there are none.
    manifest : Manifest or None
        None when the notebooks were run one by one, without the weekly run.
    exhibits : list of dict
        Records of the exhibits by number, the supplements last.
    """

    run: Run
    folder: Path | None
    manifest: Manifest | None
    exhibits: list[dict]

    def comment(self, settings: WeeklyReport) -> Commentary | None:
        """Write the commentary to the run's folder and return it; None when there are no
        results.
        """
        if self.folder is None:
            return None
        commentary = comment(
            self.folder,
            self.run.t,
            settings,
            {name: self._missing(name) for name in self._names()},
            synthetic=self._source_file() if self.run.market.source.synthetic else None,
            names=self.run.names(self._assets()).to_dict(),
        )
        commentary.write(self.run.out)
        return commentary

    def lead(self, commentary: Commentary | None) -> HTML:
        """Return the first part: the note on synthetic data, if they are, and the key points."""
        return self._render("lead", commentary=commentary)

    def risks(self, commentary: Commentary | None) -> HTML:
        """Return the risk paragraph."""
        return self._render("risks", commentary=commentary)

    def sections(self, commentary: Commentary | None = None) -> list[HTML]:
        """Return one part per section: its paragraph, its exhibits, and the reason for each missing
        one.
        """
        if self.folder is None:
            return [self._render("none", as_of=f"{self.run.market.as_of:%Y-%m-%d}")]
        paragraphs = commentary.sections if commentary else {}
        return [self.section(name, paragraphs.get(name)) for name in self._names()]

    def section(self, name: str, paragraph: list | None = None) -> HTML:
        """Return the part of one notebook."""
        record = self.manifest.section(name) if self.manifest else None
        records = [exhibit for exhibit in self.exhibits if exhibit["notebook"] == name]
        exhibits = {exhibit["number"]: self._filled(exhibit, self._results) for exhibit in records}
        numbers = sorted({*exhibits, *(record.exhibits if record else ())}, key=_exhibit_order)
        items = [{"number": number, "exhibit": exhibits.get(number)} for number in numbers]
        return self._render("section", name=name, record=record, items=items, paragraph=paragraph)

    def changes(self, settings: WeeklyReport) -> HTML:
        """Return the changes since the previous run, saved as supplement 51."""
        previous: Path | None = None
        broken: list[str] = []
        missing: list[str] = []
        shown = None
        if self.manifest:
            previous, broken = previous_run(self._results.parent, self.manifest)
        if previous:
            table, missing = changes(
                self._results,
                previous,
                self.run.t,
                settings,
                self._assets(),
                self.run.plan.compared,
            )
            if len(table):
                date = pd.Timestamp(previous.name)
                shown = self._saved("s51", "changes", table, previous=date)
        name = previous and previous.name
        labels = [self.run.label(number) for number in missing]
        return self._render(
            "changes", previous=name, broken=broken, missing=labels, shown=shown, settings=settings
        )

    def track_record(self) -> HTML:
        """Put the run's calls on record and return what became of those of earlier runs, saved as
        supplements 52 and 53.
        """
        if self.manifest is None:
            outside = self.run.t("06_weekly_report.track_record_outside")
            return self._render("track_record", sentences=[outside], shown=[])
        back = look_back(self._results, self._runs, self.manifest, self.run.market)
        said = sentences(back, self.run.t)
        back.write(self.run.out, said)
        shown = [
            self._saved(number, slug, table, formats=formats, since=self.run.t.date(since))
            for number, slug, table, formats, since in exhibits_of(back)
        ]
        return self._render("track_record", sentences=said, shown=shown)

    def trades(self) -> HTML:
        """Return the trades of the systems that hold weights, saved as ``tables/trades.csv`` and
        supplement 54.
        """
        if self.folder is None:
            return HTML("")
        capital = self.run.plan.capital
        calls = handed_over(self.folder)
        table = orders(calls, self.run.market, capital)
        write_table(self.run.out / "tables" / "trades.csv", table)
        shown = None
        if len(table):
            columns = [name for name in SHOWN if name in table]
            shown = self._saved("s54", "trades", table[columns], formats={"change": "percent"})
        return self._render("trades", shown=shown, totals=totals(table))

    def calendar(self) -> HTML:
        """Return the returns of the portfolios by year and month and their longest drawdowns, saved
        as supplements 55 and 56.
        """
        courses = navs(Tables(self.folder, self.run.t)) if self.folder else {}
        shown = []
        if courses:
            t, table = self.run.t, calendar_returns(courses)
            lines = {line: t(f"06_weekly_report.value.{line}") for line in ("strategy", "excess")}
            labels = {
                (system, line): f"{system_name(system, t)} · {text}"
                for system in courses
                for line, text in lines.items()
            }
            titles = [t(f"06_weekly_report.calendar_{part}") for part in ("years", "months")]
            colours = sign_colours(self.run.language)
            figure = period_heat_map(heat_maps(table, labels), titles, colours)
            formats = dict.fromkeys(LINES, "percent")
            spells = drawdowns(courses)
            shown = [
                self._saved("s55", "calendar_returns", table, figure, formats=formats),
                self._saved("s56", "drawdowns", spells, formats={"depth": "percent"}),
            ]
        return self._render("calendar", shown=shown)

    def scorecard(self) -> HTML:
        """Return the comparison of the run with the published numbers of the week, saved as
        supplement 50.
        """
        week = published_week(self.run.market.week.last) if self.folder else None
        if week is None:
            return self._render("scorecard", week=None, verdicts={}, shown=None)
        table = scorecard(
            week,
            self._results,
            self.run.t,
            numbers=self.run.plan.exhibits,
            synthetic=self.run.market.source.synthetic,
        )
        shown = self._saved("s50", "scorecard", table)
        return self._render("scorecard", week=week, verdicts=counts(table), shown=shown)

    def quality(self) -> HTML:
        """Return the results of the data-quality checks, up to the run's date."""
        findings = self.run.market.quality()
        order = {"refuse": 0, "quarantine": 1, "repair": 2, "warn": 3}
        findings = findings.sort_values("level", key=lambda level: level.map(order), kind="stable")
        rows = findings.astype(object).where(findings.notna(), None).to_dict("records")
        return self._render(
            "quality", rows=rows, as_of=f"{self.run.market.as_of:%Y-%m-%d}", iso=_iso_date
        )

    def parameters(self) -> HTML:
        """Return the parameters of every notebook; empty without a manifest."""
        if self.manifest is None:
            return HTML("")
        return self._render(
            "parameters", parameters=self.manifest.parameters, names=list(self.manifest.parameters)
        )

    def status(self) -> pd.DataFrame:
        """Return the outcome of each section: ``section``, ``status``, ``error``, ``exhibits``
        (number of them).
        """
        numbers = pd.Series(
            [exhibit["notebook"] for exhibit in self.exhibits], dtype=object
        ).value_counts()
        records = (
            {record.name: record for record in self.manifest.sections} if self.manifest else {}
        )
        rows = []
        for name in self._names():
            record = records.get(name)
            status = record.status if record else "ok"
            error = (record.error if record else None) or ""
            rows.append((name, status, error, int(numbers.get(name, 0))))
        return pd.DataFrame(rows, columns=["section", "status", "error", "exhibits"])

    @property
    def _results(self) -> Path:
        """The folder of the results."""
        if self.folder is None:
            raise RunError(
                "no results to show",
                file=self.run.out,
                remedy="run the other notebooks first",
            )
        return self.folder

    @property
    def _runs(self) -> Path:
        """The folder of runs; the results of a second language are one folder deeper."""
        folder = self._results
        return folder.parent.parent if folder.name in LANGUAGES else folder.parent

    def _assets(self) -> pd.DataFrame:
        """Return the instruments in the columns of exhibit 16, with their names."""
        parameters = self.manifest.parameters if self.manifest else {}
        return read_universe(
            parameters.get("05_global_allocation", {}).get("universe", "allocation")
        )

    def _missing(self, name: str) -> tuple[str, ...]:
        """Return the exhibits of a section that are missing."""
        record = self.manifest.section(name) if self.manifest else None
        present = {exhibit["number"] for exhibit in self.exhibits}
        return tuple(
            number for number in (record.exhibits if record else ()) if number not in present
        )

    def _source_file(self) -> str:
        """Return the file that names the source of the data."""
        if self.manifest:
            return MANIFEST_FILE
        return f"exhibits/fig{self.exhibits[0]['number']}_{self.exhibits[0]['slug']}.json"

    def _names(self) -> list[str]:
        if self.manifest:
            return [
                record.name for record in self.manifest.sections if record.name != self.run.notebook
            ]
        return sorted({exhibit["notebook"] for exhibit in self.exhibits} - {self.run.notebook})

    def _saved(
        self,
        number: str,
        slug: str,
        table: pd.DataFrame,
        figure: Figure | None = None,
        formats: dict | None = None,
        **values,
    ) -> dict:
        """Save an exhibit that the report makes itself and return its record with its table."""
        with capture_output():
            self.run.exhibit(
                number,
                slug,
                table,
                figure,
                formats=formats,
                values=values,
                show_table=figure is None,
            )
        path = self.run.out / "exhibits" / f"fig{number}_{slug}.json"
        return self._filled(json.loads(path.read_text(encoding="utf-8")), self.run.out)

    def _filled(self, exhibit: dict, folder: Path) -> dict:
        """Return an exhibit's record with its picture and its table."""
        filled = dict(exhibit, picture=None, table=None)
        for file in exhibit["files"]:
            path = folder / file
            if path.suffix == ".png":
                filled["picture"] = base64.b64encode(path.read_bytes()).decode("ascii")
            elif path.suffix == ".csv":
                saved = saved_table(folder, exhibit)
                filled["table"] = Markup(
                    saved.read_text(encoding="utf-8")
                    if saved.exists()
                    else table_html(path, exhibit, self.run.language)
                )
        return filled

    def _render(self, template: str, **values) -> HTML:
        parts = environment().get_template(f"{template}.html.j2")
        return HTML(parts.render(t=self.run.t, exhibit=self.run.label, **values))


def collect(run: Run, outputs: Path = OUTPUTS) -> Assembly:
    """Find the results that belong to a run.

    In the weekly run they are in the run's folder. A notebook that is run interactively takes the
    newer of
    ``outputs/interactive/<session>`` and ``outputs/<session>`` that is of the same data and
    session.
    """
    candidates = [
        folder
        for folder in (run.out, outputs / f"{run.market.as_of:%Y-%m-%d}")
        if _fits(folder, run)
    ]
    if not candidates:
        return Assembly(run, None, None, [])
    inside = [
        folder for folder in candidates if folder == run.out and (folder / MANIFEST_FILE).exists()
    ]
    folder = (inside or sorted(candidates, key=lambda path: (path / "exhibits").stat().st_mtime))[
        -1
    ]
    records = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in (folder / "exhibits").glob("*.json")
    ]
    manifest = Manifest.read(folder) if (folder / MANIFEST_FILE).exists() else None
    return Assembly(
        run, folder, manifest, sorted(records, key=lambda record: _exhibit_order(record["number"]))
    )


def _fits(folder: Path, run: Run) -> bool:
    """Return whether a folder has results of the run's data for its session."""
    if (folder / MANIFEST_FILE).exists():
        manifest = Manifest.read(folder)
        return (
            manifest.as_of == f"{run.market.as_of:%Y-%m-%d}"
            and manifest.source == run.market.source.name
        )
    sources = {
        json.loads(path.read_text(encoding="utf-8"))["source"]
        for path in (folder / "exhibits").glob("*.json")
    }
    return bool(sources) and sources <= set(run.market.source.label.values())


def _exhibit_order(number: str) -> tuple[bool, int]:
    return number.startswith("s"), int(number.lstrip("s"))


def _iso_date(date: pd.Timestamp | None) -> str:
    return "" if date is None else f"{date:%Y-%m-%d}"
