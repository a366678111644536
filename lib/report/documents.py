"""The two documents of a run, the weekly and its evidence, as plain values that a page and a PDF
both lay out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from lib.exhibits.plan import Plan
from lib.exhibits.translations import Translations
from lib.report.cells import table_cells
from lib.report.dashboard import dashboard, model_changes
from lib.report.fonts import is_chinese
from lib.report.house import House
from lib.report.manifest import STEMS, Manifest, SectionRecord

Kind = Literal["weekly", "evidence"]
KINDS: tuple[Kind, ...] = ("weekly", "evidence")
#: texts of the documents that a PDF needs
WORDS = (
    *("key_points", "changes", "evidence_says", "notes", "calendar", "trades", "risks"),
    *("risks_none", "track_record", "evidence_intro", "parameters", "parameter", "setting"),
)
#: parts of a document besides its sections that have exhibits
PARTS = ("calendar", "trades", "track_record", "report")
#: letters that fit in a column of the weekly
COLUMN_LETTERS = 76
COMMENTARY = "facts/commentary.json"
TRACK_RECORD = "facts/track_record.json"


@dataclass(frozen=True)
class Source:
    """What the documents of one language are made from.

    Attributes
    ----------
    folder : Path
        The run's folder.
    results : Path
        Folder of ``exhibits``, ``figures`` and ``facts`` in this language; the run's own, or one
        inside it for a second language.
    plan : Plan
    manifest : Manifest
    house : House
    t : Translations
    languages : tuple of str
        All languages of the run.
    """

    folder: Path
    results: Path
    plan: Plan
    manifest: Manifest
    house: House
    t: Translations
    languages: tuple[str, ...]

    def file(self, kind: Kind, language: str = "") -> str:
        """Return the name of a document's page; the language is part of it when there are two."""
        stem = STEMS[kind]
        return (
            f"{stem}.{language or self.t.language}.html"
            if len(self.languages) > 1
            else f"{stem}.html"
        )

    def records(self) -> dict[str, dict]:
        """Return the records of the exhibits by number, in order."""
        paths = (self.results / "exhibits").glob("*.json")
        records = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
        return {record["number"]: record for record in sorted(records, key=_order)}

    def label(self, number: str) -> str:
        """Return the name of an exhibit, such as "Exhibit 8" or "Supplement 3"."""
        key = "common.supplement" if number.startswith("s") else "common.exhibit"
        return self.t(key, number=int(number.removeprefix("s")))


def document(source: Source, kind: Kind) -> dict:
    """Return a document.

    Returns
    -------
    dict
        ``title``, ``facts``, ``banners``, ``sections``, ... as the templates ``document.html.j2``
        and ``document.typ`` read it; everything in it is text, numbers, lists and mappings.
    """
    said = _read(source.results / COMMENTARY) or {}
    records = source.records()
    front = _front(source, kind, said)
    parts = _Parts(source, kind, records, said)
    if kind == "weekly":
        body = {
            "key_points": [parts.sentence(one) for one in said.get("key_points", [])],
            "dashboard": dashboard(source.results, source.t),
            "changes": model_changes(source.results, source.t),
            "sections": [parts.section(name) for name in _sections(source)],
            "risks": [parts.sentence(one) for one in said.get("risks", [])],
            "calendar": parts.part(source.plan.calendar),
            "trades": parts.part(source.plan.trades),
            "track_record": parts.part(
                source.plan.track_record,
                (_read(source.results / TRACK_RECORD) or {}).get("sentences", []),
            ),
        }
    else:
        body = {
            "sections": list(filter(_has_items, map(parts.supplements, _sections(source)))),
            "report": parts.supplements(source.plan.report),
            "parameters": _parameters(source),
        }
    return front | body


def exhibits_of(document: dict) -> list[dict]:
    """Return all exhibits of a document, those that are missing among them."""
    parts = [*document["sections"], *(document.get(key) for key in PARTS)]
    return [item for part in parts if part for item in part["items"]]


def _front(source: Source, kind: Kind, said: dict) -> dict:
    """Return masthead, banners and foot of a document."""
    m, t, house = source.manifest, source.t, source.house
    week = f"{t.date(m.week['first'])} – {t.date(m.week['last'])}"
    facts = [
        (t("06_weekly_report.week"), week),
        (t("06_weekly_report.as_of"), t.date(m.as_of)),
        (t("06_weekly_report.source"), m.source_label[t.language]),
    ]
    if house.authors:
        facts.append((t("06_weekly_report.authors"), ", ".join(house.authors)))
    title = said.get("title") or t("06_weekly_report.title")
    other = next((one for one in source.languages if one != t.language), "")
    return {
        "kind": kind,
        "language": t.language,
        "region": "cn" if t.language == "zh" else "gb",
        "title": title if kind == "weekly" else t("06_weekly_report.evidence_title"),
        "subtitle": "" if kind == "weekly" else title,
        "house": house.name.of(t.language),
        "desk": house.desk.of(t.language),
        "disclaimer": house.disclaimer.of(t.language),
        "logo": house.logo,
        "facts": facts,
        "date": t.date(m.as_of),
        "source": m.source_label[t.language],
        "fingerprint": m.fingerprint,
        "python": m.versions["python"],
        "banners": list(_banners(m, t, source.plan.report)),
        "words": _words(t, house),
        "links": {
            "weekly": source.file("weekly"),
            "evidence": source.file("evidence"),
            "other_language": source.file(kind, other) if other else "",
        },
    }


def _words(t: Translations, house: House) -> dict[str, str]:
    words = {key: t(f"06_weekly_report.{key}") for key in WORDS}
    words["dashboard"] = t("06_weekly_report.dashboard.title")
    return words | {"made": t("06_weekly_report.made", house=house.name.of(t.language))}


def _banner(kind: str, strong: str, text: str, detail: str = "") -> dict:
    return {"kind": kind, "strong": strong, "text": text, "detail": detail}


def _banners(m: Manifest, t: Translations, report: str) -> Iterable[dict]:
    """Yield what a reader has to know first: synthetic or stale data, sections that failed."""

    if m.synthetic:
        yield _banner(
            "synthetic", t("06_weekly_report.synthetic"), t("06_weekly_report.synthetic_note")
        )
    if m.stale_sessions:
        dates = dict(as_of=t.date(m.as_of), requested=t.date(m.requested_as_of))
        yield _banner("stale", "", t("common.stale", sessions=m.stale_sessions, **dates))
    if m.week_without_session:
        last, requested = t.date(m.week["last"]), t.date(m.requested_as_of)
        yield _banner("", "", t("common.week_without_session", requested=requested, last=last))
    for record in m.sections:
        if record.done:
            continue
        if record.name == report:
            where = f"\n\n[{record.cell}] {record.source}" if record.cell else ""
            failed = t("06_weekly_report.report_failed")
            yield _banner("failed", failed, "", f"{record.error}{where}")
        else:
            status = t(f"06_weekly_report.status_{record.status}")
            yield _banner("failed", _heading(t, record.name), status)


@dataclass(frozen=True)
class _Parts:
    """Makes the parts of one document."""

    source: Source
    kind: Kind
    records: dict[str, dict]
    said: dict

    def sentence(self, one: dict) -> dict:
        """Return a sentence with the exhibits that it rests on, each as a link."""
        links = [self.link(number) for number in one["exhibits"] if number in self.records]
        return {"text": one["text"], "refs": links}

    def link(self, number: str) -> dict:
        """Return a link to an exhibit, which is in this document or in the other one."""
        home: Kind = "weekly" if self._in_weekly(number) else "evidence"
        page = "" if home == self.kind else self.source.file(home)
        short = number.lstrip("0").upper()
        label = self.source.label(number)
        target = f"exhibit-{number}"
        return {"label": label, "short": short, "href": f"{page}#{target}", "target": target}

    def section(self, name: str) -> dict:
        """Return a section of the weekly: its sentences, its exhibits, what the evidence says."""
        t, record = self.source.t, self.source.manifest.section(name)
        planned = record.exhibits if record else []
        own = [number for number, each in self.records.items() if each["notebook"] == name]
        numbers = sorted({*planned, *(each for each in own if not each.startswith("s"))})
        items = [
            self.exhibit(number) if number in self.records else self._gap(number, record)
            for number in numbers
        ]
        evidence = self.said.get("evidence", {}).get(name)
        return {
            "id": name,
            "title": _heading(t, name),
            "sentences": [
                self.sentence(one) for one in self.said.get("sections", {}).get(name, [])
            ],
            "failure": self._failure(record),
            "items": items,
            "notes": _notes(items),
            "evidence": self.sentence(evidence) if evidence else None,
        }

    def _in_weekly(self, number: str) -> bool:
        return not number.startswith("s") or number in self.source.plan.in_weekly

    def part(self, numbers: list[str], sentences: list[str] | None = None) -> dict | None:
        """Return a part of the weekly that shows supplements; None when the run made none and
        there is nothing to say.
        """
        items = [self.exhibit(number) for number in numbers if number in self.records]
        if not items and not sentences:
            return None
        return {"sentences": sentences or [], "items": items, "notes": _notes(items)}

    def supplements(self, name: str) -> dict:
        """Return a section of the evidence: the supplements of a notebook."""
        numbers = [
            number
            for number, each in self.records.items()
            if each["notebook"] == name and not self._in_weekly(number)
        ]
        items = [self.exhibit(number) for number in numbers]
        title = _heading(self.source.t, name)
        return {"id": f"evidence-{name}", "title": title, "items": items}

    def exhibit(self, number: str) -> dict:
        """Return an exhibit: texts, figure, table, links to its data, its cell and its evidence."""
        source, t = self.source, self.source.t
        record = self.records[number]
        files = {Path(file).suffix: file for file in record["files"]}
        columns = source.plan.tables.get(number)
        weekly = self._in_weekly(number)
        svg, csv = files.get(".svg"), files.get(".csv")
        figure = None if columns and weekly else svg
        table = None
        if csv:
            table = table_cells(source.results / csv, record, t, columns if weekly else None)
        finding = self.said.get("findings", {}).get(number)
        date = t.date(record["data_date"])
        inside = "" if source.results == source.folder else f"{source.results.name}/"
        appendix = f"{inside}appendices/{record['notebook']}.html"
        return {
            "number": number,
            "id": f"exhibit-{number}",
            "label": source.label(number),
            "title": finding["text"] if finding else record["title"],
            "subtitle": record["title"] if finding else "",
            "caption": record["caption"],
            "alt": record["alt"],
            "source": t("common.origin", source=record["source"], date=date),
            "notes": record["notes"],
            "figure": figure,
            "wide": bool(record.get("wide")) if figure else _is_wide(table),
            "table": table,
            "folded": bool(figure and table) and (weekly or not record["show_table"]),
            "csv": csv or "",
            "appendix": f"{appendix}#{'exhibit-' + number}",
            "related": [self.link(other) for other in self._related(number)],
        }

    def _related(self, number: str) -> list[str]:
        """Return the evidence of an exhibit, or the exhibits that a supplement qualifies."""
        qualified = self.source.plan.qualified()
        if not number.startswith("s"):
            return [
                other
                for other, exhibits in qualified.items()
                if number in exhibits and other in self.records
            ]
        known = [other for other in qualified.get(number, []) if other in self.records]
        notebook = self.records[number]["notebook"]
        section = [
            other
            for other, record in self.records.items()
            if record["notebook"] == notebook and not other.startswith("s")
        ]
        # a supplement that the plan does not place belongs to its section
        return known or section[:1]

    def _gap(self, number: str, record: SectionRecord | None) -> dict:
        """Return what is said in place of an exhibit that is missing."""
        t = self.source.t
        reason = t("06_weekly_report.gap_absent")
        if record and record.status == "skipped":
            reason = t("06_weekly_report.gap_skipped", error=record.error)
        elif record and record.cell:
            reason = t("06_weekly_report.gap_failed")
        detail = str(record.error).splitlines()[0] if record and record.cell else ""
        label = self.source.label(number)
        return {"gap": reason, "detail": detail, "label": label, "id": f"exhibit-{number}"}

    def _failure(self, record: SectionRecord | None) -> dict | None:
        """Return the error of a section that failed or was skipped."""
        if record is None or record.done:
            return None
        t = self.source.t
        cell = t("06_weekly_report.gap_cell", cell=record.cell) if record.cell else ""
        code = f"\n\n{cell}\n{record.source}" if record.cell else ""
        status = t(f"06_weekly_report.section_{record.status}")
        return {"status": status, "detail": f"{record.error}{code}"}


def _has_items(part: dict) -> bool:
    return bool(part["items"])


def _notes(items: list[dict]) -> list[str]:
    """Return the notes of a section's exhibits, each once."""
    return list(dict.fromkeys(note for item in items for note in item.get("notes", [])))


def _is_wide(table: dict | None) -> bool:
    """Return whether a table needs both columns of a page, by the letters of its widest cells."""
    if table is None:
        return False
    cells = pd.DataFrame(table["rows"])
    widths = cells.map(lambda cell: _letters(cell["text"])).max() + 2
    return bool(widths.sum() > COLUMN_LETTERS)


def _letters(text: str) -> int:
    return sum(2 if is_chinese(letter) else 1 for letter in text)


def _sections(source: Source) -> list[str]:
    return [section.notebook for section in source.plan.sections]


def _parameters(source: Source) -> list[dict]:
    """Return the parameters of every notebook: ``title`` and ``rows`` of name and value."""
    t = source.t
    return [
        {
            "title": _heading(t, name),
            "notebook": name,
            "rows": list(zip(values, map(_written, values.values()), strict=True)),
        }
        for name, values in source.manifest.parameters.items()
        if values
    ]


def _written(value) -> str:
    """Return a parameter's value as text, the values of a mapping with their names."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_written(each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_written, value))
    return str(value)


def _heading(t: Translations, notebook: str) -> str:
    key = f"{notebook}.title"
    return t(key) if t.has(key) else notebook


def _order(record: dict) -> tuple[bool, int]:
    number = record["number"]
    return number.startswith("s"), int(number.lstrip("s"))


def _read(path: Path) -> dict | None:
    """Return a JSON file's content, None when the run did not write it."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
