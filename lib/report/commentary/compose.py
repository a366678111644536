"""From a run's tables to its commentary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lib.exhibits.parameters.weekly_report import WeeklyReport
from lib.exhibits.translations import Translations
from lib.market.errors import RunError
from lib.report.commentary import evidence, findings, market, portfolios, ranking, risks, themes
from lib.report.commentary.quotations import Cell, Quotation, Tables
from lib.report.commentary.statements import Statement, templates, write
from lib.report.manifest import MANIFEST_FILE

COMMENTARY_FILE = "facts/commentary.json"


@dataclass(frozen=True)
class Commentary:
    """What a run's numbers say.

    Attributes
    ----------
    language : str
    synthetic : Statement or None
        Said before anything else when the market is made up.
    headline : Statement
    sections : dict of str to list of Statement
        One paragraph per notebook; the first sentence that rests on an exhibit is its key point.
    risks : list of Statement
    unusual : list of Statement
        The most unusual event of each section, the most unusual first; the headline is on the
        first. Empty without the ranking.
    findings : dict of str to Statement
        Titles of the exhibits by number.
    evidence : dict of str to Statement
        What the evidence says, by notebook.
    """

    language: str
    synthetic: Statement | None
    headline: Statement
    sections: dict[str, list[Statement]]
    risks: list[Statement] = field(default_factory=list)
    unusual: list[Statement] = field(default_factory=list)
    findings: dict[str, Statement] = field(default_factory=dict)
    evidence: dict[str, Statement] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The headline as a title; that of a made-up market says so first."""
        return self.headline.text

    @property
    def key_points(self) -> list[Statement]:
        """What was unusual, or else the first sentence of each section, and the first risk."""
        sections = [] if self.unusual else self.sections.values()
        points = list(self.unusual)
        for statements in [*sections, self.risks]:
            points += [one for one in statements if one.exhibits][:1]
        return points

    def write(self, folder: Path) -> Path:
        """Write every sentence with the cells it rests on to ``facts/commentary.json``."""
        record = {
            "language": self.language,
            "title": self.title,
            "headline": self.headline.record(),
            "synthetic": self.synthetic.record() if self.synthetic else None,
            "key_points": _records(self.key_points),
            "sections": {name: _records(each) for name, each in self.sections.items()},
            "risks": _records(self.risks),
            "findings": {number: one.record() for number, one in self.findings.items()},
            "evidence": {name: one.record() for name, one in self.evidence.items()},
        }
        path = folder / COMMENTARY_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        return path


def _records(statements: list[Statement]) -> list[dict]:
    return [one.record() for one in statements]


def comment(
    folder: Path,
    text: Translations,
    settings: WeeklyReport,
    sections: Mapping[str, tuple[str, ...]],
    *,
    synthetic: str | None,
    names: Mapping[str, str],
) -> Commentary:
    """Write the commentary on the tables of a folder.

    Parameters
    ----------
    folder : Path
        Of the run.
    text : Translations
        Of the language to write in.
    settings : WeeklyReport
        From which size on something is said.
    sections : mapping of str to tuple of str
        The notebooks to comment on, in order, each with the exhibits that it had to make and did
        not.
    synthetic : str or None
        The file whose field ``synthetic`` says that the market is made up; None for a market that
        is not.
    names : mapping of str to str
        Names of the instruments that head the columns of exhibit 16.
    """
    tables = Tables(folder, text)
    language = text.language
    first = (
        write(language, "synthetic", state=_state(synthetic, "synthetic")) if synthetic else None
    )
    written = {
        name: _section(tables, name, missing, settings, names) for name, missing in sections.items()
    }
    prefix = templates(language)["headline.synthetic"] if synthetic else ""
    unusual = ranking.ranked(tables, settings, prefix)
    return Commentary(
        language,
        first,
        unusual[0][0] if unusual else _headline(tables, settings, bool(synthetic)),
        written,
        list(risks.sentences(tables, settings, names)),
        [point for _, point in unusual],
        findings.findings(tables, settings, names),
        evidence.evidence(tables, settings, list(sections)),
    )


def headline_of(folder: Path) -> str | None:
    """Return the title that a run's commentary gave it; None when it wrote none.

    Raises
    ------
    RunError
        The file of the commentary cannot be read.
    """
    path = Path(folder) / COMMENTARY_FILE
    if not path.exists():
        return None
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["title"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            "the commentary cannot be read", file=path, remedy="make the report again"
        ) from error


def _section(
    tables: Tables,
    name: str,
    missing: tuple[str, ...],
    settings: WeeklyReport,
    names: Mapping[str, str],
) -> list[Statement]:
    """Write one notebook's paragraph; what it did not make is named, and nothing is said about
    it.
    """
    rules = {
        "01": lambda: market.sentences(tables, settings),
        "02": lambda: themes.sentences(tables, settings),
        "03": lambda: portfolios.rotation(tables, settings),
        "04": lambda: portfolios.absolute(tables, settings),
        "05": lambda: portfolios.allocation(tables, settings, names),
    }
    said = list(rules[name[:2]]()) if name[:2] in rules else []
    if missing:
        cell = Cell(MANIFEST_FILE, name, "exhibits")
        absent = [
            Quotation("word", (cell,), number, "word", str(int(number))) for number in missing
        ]
        said.append(
            write(tables.text.language, "missing", exhibits=[{"number": one} for one in absent])
        )
    return said


def _headline(tables: Tables, settings: WeeklyReport, synthetic: bool) -> Statement:
    """Say the first of what hot themes, new sectors and A shares have to say, by the rule and rows
    of their section.

    Parameters
    ----------
    tables : Tables
        Of the run's exhibits.
    settings : WeeklyReport
        Thresholds of the commentary.
    synthetic : bool
        The title says first that the market is made up.
    """
    language = tables.text.language
    prefix = templates(language)["headline.synthetic"] if synthetic else ""
    scores = tables("06")
    if scores:
        moves = themes.score_moves(scores, settings)
        if len(moves.compared):
            counted = themes.count_moves(scores, moves)
            return write(language, f"headline.themes.{moves.direction}", prefix=prefix, **counted)
    holdings = tables("10")
    new = portfolios.changes(holdings)[0] if holdings else []
    if holdings and new:
        sectors = portfolios.sectors(holdings, -1, new)
        return write(language, "headline.rotation", prefix=prefix, sectors=sectors)
    assets = tables("01")
    moved = market.group_moves(assets, "a_share", settings) if assets else None
    if assets and moved:
        quoted = market.quote_moves(assets, moved)
        return write(language, f"headline.market.{moved.variant}", prefix=prefix, **quoted)
    return write(language, "headline.none", prefix=prefix)


def _state(file: str, column: str) -> Quotation:
    return Quotation("word", (Cell(file, "", column),), "true", "word", "")
