"""The report's parts, put together from what the notebooks of a run left in its folder."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from IPython.display import HTML
from IPython.utils.capture import capture_output
from markupsafe import Markup

from lib.exhibits.notebook_run import Run
from lib.exhibits.parameters.weekly_report import WeeklyReport
from lib.exhibits.published import published_week
from lib.exhibits.tables import table_html
from lib.market.universe import read_universe
from lib.report.changes import changes, previous_run
from lib.report.commentary import Commentary, comment
from lib.report.html import environment
from lib.report.manifest import NAME, Manifest
from lib.report.scorecard import counts, scorecard

OUTPUTS = Path(__file__).resolve().parents[2] / "outputs"


@dataclass(frozen=True)
class Assembly:
    """The results of one run, as parts of its report.

    Attributes
    ----------
    run : Run
        Gives language, names and the market.
    folder : Path or None
        Where the exhibits lie; None when there is no run to assemble.
    manifest : Manifest or None
        None when the notebooks were run by hand, without the weekly run.
    exhibits : list of dict
        The exhibits' records, main ones in the order of their numbers, then the supplements.
    """

    run: Run
    folder: Path | None
    manifest: Manifest | None
    exhibits: list[dict]

    def comment(self, settings: WeeklyReport) -> Commentary | None:
        """Write the commentary on the results and hand it over; None when there is no run to comment on."""
        if self.folder is None:
            return None
        said = comment(
            self.folder,
            self.run.t,
            settings,
            {name: self._missing(name) for name in self._names()},
            synthetic=self._source_file() if self.run.market.source.synthetic else None,
            names=self.run.names(self._assets()).to_dict(),
        )
        said.write(self.run.out)
        return said

    def lead(self, said: Commentary | None) -> HTML:
        """Return what stands above everything else: that the market is made up, if it is, and the key points."""
        return self._render("lead", said=said)

    def risks(self, said: Commentary | None) -> HTML:
        """Return the risk paragraph."""
        return self._render("risks", said=said)

    def sections(self, said: Commentary | None = None) -> list[HTML]:
        """Return one part per section: what is said, its exhibits, and in place of each missing one the reason."""
        if self.folder is None:
            return [self._render("none", as_of=f"{self.run.market.as_of:%Y-%m-%d}")]
        return [self.section(name, said.sections.get(name) if said else None) for name in self._names()]

    def section(self, name: str, paragraph: list | None = None) -> HTML:
        """Return the part of one notebook."""
        record = self.manifest.section(name) if self.manifest else None
        made = {exhibit["number"]: exhibit for exhibit in self.exhibits if exhibit["notebook"] == name}
        numbers = sorted({*made, *(record.exhibits if record else ())}, key=_place)
        items = [{"number": number, "exhibit": self._filled(made.get(number))} for number in numbers]
        return self._render("section", name=name, record=record, items=items, paragraph=paragraph)

    def changes(self, settings: WeeklyReport) -> HTML:
        """Return what changed against the previous run, saved as supplement 51."""
        previous, broken = previous_run(self.folder.parent, self.manifest) if self.manifest else (None, [])
        missing, shown = [], None
        if previous:
            table, missing = changes(self.folder, previous, self.run.t, settings, self._assets())
            if len(table):
                kinds = dict.fromkeys(("previous", "latest", "change"), "format")
                shown = self._saved("s51", "changes", table, kinds, previous=self.run.t.date(previous.name))
        labels = [self._label(number) for number in missing]
        words = {"broken": broken, "missing": labels, "shown": shown, "settings": settings}
        return self._render("changes", previous=previous and previous.name, **words)

    def scorecard(self) -> HTML:
        """Return the published numbers of the week beside this run's, saved as supplement 50."""
        week, verdicts, shown = published_week(self.run.market.week.last) if self.folder else None, {}, None
        if week:
            table = scorecard(week, self.folder, self.run.t, synthetic=self.run.market.source.synthetic)
            verdicts = counts(table)
            kinds = dict.fromkeys(("published", "value", "difference", "tolerance"), "format")
            shown = self._saved("s50", "scorecard", table, kinds)
        return self._render("scorecard", week=week, verdicts=verdicts, shown=shown)

    def quality(self) -> HTML:
        """Return the data-quality table: what the checks at the door found, up to the run's date."""
        findings = self.run.market.quality()
        order = {"refuse": 0, "quarantine": 1, "repair": 2, "warn": 3}
        findings = findings.sort_values("level", key=lambda level: level.map(order), kind="stable")
        rows = findings.astype(object).where(findings.notna(), None).to_dict("records")
        return self._render("quality", rows=rows, as_of=f"{self.run.market.as_of:%Y-%m-%d}", day=_day)

    def parameters(self) -> HTML:
        """Return the parameters of every notebook; nothing to show when the notebooks were run by hand."""
        if self.manifest is None:
            return HTML("")
        return self._render("parameters", parameters=self.manifest.parameters, names=list(self.manifest.parameters))

    def status(self) -> pd.DataFrame:
        """Return what became of each section: ``section``, ``status``, ``error``, ``exhibits`` (how many)."""
        counts = pd.Series([exhibit["notebook"] for exhibit in self.exhibits], dtype=object).value_counts()
        records = {record.name: record for record in self.manifest.sections} if self.manifest else {}
        return pd.DataFrame(
            [
                {
                    "section": name,
                    "status": records[name].status if name in records else "ok",
                    "error": (records[name].error if name in records else None) or "",
                    "exhibits": int(counts.get(name, 0)),
                }
                for name in self._names()
            ],
            columns=["section", "status", "error", "exhibits"],
        )

    def _assets(self) -> pd.DataFrame:
        """Return the names of the instruments that head the columns of exhibit 16."""
        parameters = self.manifest.parameters if self.manifest else {}
        return read_universe(parameters.get("05_global_allocation", {}).get("universe", "allocation"))

    def _missing(self, name: str) -> tuple[str, ...]:
        """Return the exhibits that a section had to make and did not."""
        record = self.manifest.section(name) if self.manifest else None
        made = {exhibit["number"] for exhibit in self.exhibits}
        return tuple(number for number in (record.exhibits if record else ()) if number not in made)

    def _source_file(self) -> str:
        """Return the file that says where the data come from."""
        if self.manifest:
            return NAME
        return f"exhibits/fig{self.exhibits[0]['number']}_{self.exhibits[0]['slug']}.json"

    def _names(self) -> list[str]:
        if self.manifest:
            return [record.name for record in self.manifest.sections if record.name != self.run.notebook]
        return sorted({exhibit["notebook"] for exhibit in self.exhibits} - {self.run.notebook})

    def _saved(self, number: str, slug: str, table: pd.DataFrame, formats: dict, **values) -> dict:
        """Save an exhibit of the report's own; return its record, to be shown the way the report shows exhibits."""
        with capture_output():
            self.run.exhibit(number, slug, table, formats=formats, values=values, show_table=True)
        path = self.run.out / "exhibits" / f"fig{number}_{slug}.json"
        return self._filled(json.loads(path.read_text(encoding="utf-8")), self.run.out)

    def _filled(self, exhibit: dict | None, folder: Path | None = None) -> dict | None:
        """Add to an exhibit's record its picture and its table."""
        if exhibit is None:
            return None
        filled = dict(exhibit, picture=None, table=None)
        for file in exhibit["files"]:
            path = (folder or self.folder) / file
            if path.suffix == ".png":
                filled["picture"] = base64.b64encode(path.read_bytes()).decode("ascii")
            elif path.suffix == ".csv":
                filled["table"] = Markup(table_html(path, exhibit, self.run.language))
        return filled

    def _render(self, template: str, **values) -> HTML:
        made = environment().get_template(f"{template}.html.j2").render(t=self.run.t, exhibit=self._label, **values)
        return HTML(made)

    def _label(self, number: str) -> str:
        """Return what an exhibit is called in the run's language."""
        key = "common.supplement" if number.startswith("s") else "common.exhibit"
        return self.run.t(key, number=int(number.lstrip("s")))


def collect(run: Run, outputs: Path = OUTPUTS) -> Assembly:
    """Find the results that belong to a run.

    In the weekly run they lie in the run's own folder. A notebook that is run by hand takes the newest of
    ``outputs/interactive/<session>`` and ``outputs/<session>`` that was made of the same data for the same session.
    """
    candidates = [folder for folder in (run.out, outputs / f"{run.market.as_of:%Y-%m-%d}") if _fits(folder, run)]
    if not candidates:
        return Assembly(run, None, None, [])
    inside = [folder for folder in candidates if folder == run.out and (folder / NAME).exists()]
    folder = (inside or sorted(candidates, key=lambda path: (path / "exhibits").stat().st_mtime))[-1]
    records = [json.loads(path.read_text(encoding="utf-8")) for path in (folder / "exhibits").glob("*.json")]
    manifest = Manifest.read(folder) if (folder / NAME).exists() else None
    return Assembly(run, folder, manifest, sorted(records, key=lambda record: _place(record["number"])))


def _fits(folder: Path, run: Run) -> bool:
    """Tell whether a folder holds results of the run's data for its session."""
    if (folder / NAME).exists():
        manifest = Manifest.read(folder)
        return manifest.as_of == f"{run.market.as_of:%Y-%m-%d}" and manifest.source == run.market.source.name
    sources = {json.loads(path.read_text(encoding="utf-8"))["source"] for path in (folder / "exhibits").glob("*.json")}
    return bool(sources) and sources <= set(run.market.source.label.values())


def _place(number: str) -> tuple[bool, int]:
    return number.startswith("s"), int(number.lstrip("s"))


def _day(date) -> str:
    return "" if date is None else f"{date:%Y-%m-%d}"
