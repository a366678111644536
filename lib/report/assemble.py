"""What the report notebook adds to a run: commentary, ranking, changes, scorecard, data quality."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from IPython.display import HTML, Markdown, display

from lib.exhibits.charts_periods import period_heat_map
from lib.exhibits.notebook_run import OUTPUTS, Run
from lib.exhibits.parameters.weekly_report import WeeklyReport
from lib.exhibits.published import published_week
from lib.exhibits.style import sign_colours
from lib.exhibits.translations import LANGUAGES
from lib.market.calendar import Sessions
from lib.market.errors import RunError
from lib.market.universe import read_universe
from lib.report.calendar_returns import LINES, calendar_returns, drawdowns, heat_maps, navs
from lib.report.calls import handed_over
from lib.report.changes import changes, previous_run
from lib.report.commentary import Commentary, comment
from lib.report.commentary.quotations import Tables
from lib.report.dashboard import FACTS
from lib.report.html import environment, system_name
from lib.report.look_back import exhibits_of, look_back, sentences, write_table
from lib.report.manifest import MANIFEST_FILE, Manifest
from lib.report.orders import FILE as TRADES
from lib.report.orders import SHOWN, orders, totals
from lib.report.scorecard import counts, scorecard
from lib.report.unusual import unusual


def next_decisions(sessions: Sessions, as_of: pd.Timestamp) -> dict[str, str]:
    """Return the first week end and the first month end after a date, as far as they are known.

    Returns
    -------
    dict
        ``week`` and ``month``, ISO dates; in the middle of a week its own end is next.
    """
    ends = {
        "week": pd.DatetimeIndex(sessions.weeks()["last"]),
        "month": sessions.month_ends(),
    }
    following = {name: dates[dates > as_of] for name, dates in ends.items()}
    return {name: f"{dates[0]:%Y-%m-%d}" for name, dates in following.items() if len(dates)}


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

    def preview(self, commentary: Commentary | None) -> HTML:
        """Return the headline and the key points, or why there are none."""
        return self._render("preview", commentary=commentary, as_of=self.run.market.as_of)

    def rank(self) -> None:
        """Save how unusual the week was, as supplement 57; it decides headline and key points."""
        if self.folder is None:
            return
        table = unusual(self.folder, self.run.market)
        if len(table):
            values = {"weeks": int(table["weeks"].max()) if table["weeks"].notna().any() else 0}
            formats = {"value": "format", "typical": "format", "size": "score", "weeks": "count"}
            self.run.exhibit("s57", "unusual", table, formats=formats, values=values)

    def changes(self, settings: WeeklyReport) -> None:
        """Save the changes since the previous run as supplement 51, and why there are none."""
        previous: Path | None = None
        broken: list[str] = []
        t = self.run.t
        if self.manifest:
            previous, broken = previous_run(self._runs, self.manifest)
        notes = [t("06_weekly_report.changes_broken", folders=broken)] if broken else []
        if previous is None:
            self._note(t("06_weekly_report.changes_none"), notes)
            return
        table, missing = changes(
            self._results, previous, t, settings, self._assets(), self.run.plan.compared
        )
        if missing:
            labels = [self.run.label(number) for number in missing]
            notes.append(t("06_weekly_report.changes_missing", exhibits=labels))
        values = {
            "previous": t.date(previous.name),
            "score": f"{settings.score_change:g}",
            "weight": t.percent(settings.weight_change, 1, signed=False),
        }
        if table.empty:
            self._note(t("06_weekly_report.changes_nothing", **values), notes)
            return
        kinds = dict.fromkeys(("previous", "latest", "change"), "format")
        self.run.exhibit("s51", "changes", table, formats=kinds, values=values, notes=notes)

    def track_record(self) -> None:
        """Put the run's calls on record and save what became of those of earlier runs as
        supplements 52 and 53.
        """
        if self.manifest is None:
            self._note(self.run.t("06_weekly_report.track_record_outside"), [])
            return
        back = look_back(self._results, self._runs, self.manifest, self.run.market)
        said = sentences(back, self.run.t)
        back.write(self.run.out, said)
        for number, slug, table, formats, since in exhibits_of(back):
            values = {"since": self.run.t.date(since)}
            self.run.exhibit(number, slug, table, formats=formats, values=values)
        self._note(said[0], said[1:])

    def trades(self) -> None:
        """Save the trades of the systems that hold weights as ``tables/trades.csv`` and supplement
        54.
        """
        if self.folder is None:
            return
        table = orders(handed_over(self.folder), self.run.market, self.run.plan.capital)
        write_table(self.run.out / TRADES, table)
        if table.empty:
            self._note(self.run.t("06_weekly_report.trades_none"), [])
            return
        columns = [name for name in SHOWN if name in table]
        notes = [self._total(**total) for total in totals(table)]
        held = table["side"].eq("hold")
        if held.any():
            notes.append(
                self.run.t("06_weekly_report.trades_held", count=int(held.sum()), file=TRADES)
            )
        shown = table.loc[~held, columns]
        self.run.exhibit("s54", "trades", shown, formats={"change": "percent"}, notes=notes)

    def _total(self, system: str, held_on, due, turnover: float, cost: float) -> str:
        """Return the sentence on turnover and cost of one system's trades."""
        t = self.run.t
        known = due is not None and not pd.isna(due)
        return t(
            f"06_weekly_report.trades_total{'' if known else '_undated'}",
            system=system_name(system, t),
            held_on=t.date(held_on),
            due=t.date(due) if known else "",
            turnover=t.percent(turnover, 1, signed=False),
            cost=t.percent(cost, 3, signed=False),
        )

    def calendar(self) -> None:
        """Save the returns of the portfolios by year and month and their longest drawdowns as
        supplements 55 and 56.
        """
        courses = navs(Tables(self.folder, self.run.t)) if self.folder else {}
        if not courses:
            return
        t = self.run.t
        table = calendar_returns(courses)
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
        self.run.exhibit("s55", "calendar_returns", table, figure, formats=formats)
        self.run.exhibit("s56", "drawdowns", drawdowns(courses), formats={"depth": "percent"})

    def scorecard(self) -> None:
        """Save the comparison of the run with the published numbers of the week as supplement
        50.
        """
        week = published_week(self.run.market.week.last) if self.folder else None
        t = self.run.t
        if week is None:
            self._note(t("06_weekly_report.scorecard_none"), [])
            return
        table = scorecard(
            week,
            self._results,
            t,
            numbers=self.run.plan.exhibits,
            synthetic=self.run.market.source.synthetic,
        )
        formats = dict.fromkeys(("published", "value", "difference", "tolerance"), "format")
        named = {verdict: t(f"06_weekly_report.value.{verdict}") for verdict in counts(table)}
        notes = [
            f"{named[verdict]} {count} – {t(f'06_weekly_report.verdict.{verdict}')}"
            for verdict, count in counts(table).items()
            if count
        ]
        report = week.report.zh if t.language == "zh" else week.report.en
        self.run.exhibit(
            "s50", "scorecard", table, formats=formats, notes=notes, values={"report": report}
        )

    def quality(self) -> None:
        """Save the findings of the data-quality checks, up to the run's date, as supplement 58."""
        findings = self.run.market.quality()
        t = self.run.t
        if findings.empty:
            self._note(t("06_weekly_report.quality_none", as_of=self.run.market.as_of), [])
            return
        order = {"refuse": 0, "quarantine": 1, "repair": 2, "warn": 3}
        findings = findings.sort_values("level", key=lambda level: level.map(order), kind="stable")
        words = findings[["example", "detail"]].fillna("").astype(str)
        finding = words.agg(" ".join, axis=1).str.strip()
        table = findings.rename(columns={"row_count": "rows"}).assign(finding=finding)
        columns = ["level", "check", "file", "symbols", "rows", "first_date", "last_date"]
        counted = dict.fromkeys(("symbols", "rows"), "count")
        values = {"as_of": self.run.market.as_of}
        table = table[[*columns, "finding", "remedy"]]
        self.run.exhibit("s58", "data_quality", table, formats=counted, values=values)

    def dashboard(self) -> None:
        """Write what the dashboard needs besides the tables: the next decisions, the names of the
        assets.
        """
        facts = {
            "next": next_decisions(self.run.market.sessions, self.run.market.as_of),
            "assets": self.run.names(self._assets()).to_dict(),
        }
        path = self.run.out / FACTS
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(facts, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    def _note(self, first: str, others: list[str]) -> None:
        """Show why a supplement is missing."""
        display(Markdown("  \n".join([first, *others])))

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

    def _render(self, template: str, **values) -> HTML:
        parts = environment().get_template(f"{template}.html.j2")
        return HTML(parts.render(t=self.run.t, **values))


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
