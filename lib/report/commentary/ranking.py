"""What is unusual this week: one ranking over all sections, from which headline and key points
come.
"""

from __future__ import annotations

from lib.exhibits.parameters.weekly_report import WeeklyReport
from lib.report.commentary import portfolios, themes
from lib.report.commentary.quotations import Table, Tables
from lib.report.commentary.statements import Statement, templates, write

#: supplement with the ranking
NUMBER = "s57"


def ranked(
    tables: Tables, settings: WeeklyReport, prefix: str = ""
) -> list[tuple[Statement, Statement]]:
    """Return headline and key point of the most unusual event of each section, the most unusual
    first; empty without the ranking.

    Parameters
    ----------
    tables : Tables
        Of the run.
    settings : WeeklyReport
        From which size on a score is said to fall.
    prefix : str
        Precedes a headline.
    """
    ranking = tables(NUMBER)
    if ranking is None:
        return []
    best = ranking.frame.sort_values("size", ascending=False, kind="stable")
    said = []
    for _, rows in best.groupby("section", sort=False):
        for row in rows.index:
            pair = _said(tables, ranking, row, settings, prefix)
            if pair is not None:
                said.append(pair)
                break
    return said


def _said(
    tables: Tables, ranking: Table, row: str, settings: WeeklyReport, prefix: str
) -> tuple[Statement, Statement] | None:
    """Return headline and key point of one row; None when the exhibit lacks it."""
    measure = str(ranking.value(row, "measure"))
    number = str(ranking.value(row, "exhibit")).zfill(2)
    table = tables(number)
    if table is None:
        return None
    size = ranking.quote(row, "size", "level")
    known = ranking.frame["weeks"].notna()[row]
    weeks = ranking.quote(row, "weeks", "count") if known else None
    direction = "up" if ranking.value(row, "value") > 0 else "down"
    language = table.text.language
    parts: dict = {}
    if measure == "count":
        moves = themes.score_moves(table, settings)
        direction = moves.direction
        parts = dict(themes.count_moves(table, moves))
    elif measure == "score":
        columns = {"previous": "previous_score", "latest": "latest_score"}
        parts = {place: table.quote(row, column, "score") for place, column in columns.items()}
        parts["name"] = table.name(row)
    elif measure == "excess":
        gap = table.value("week_return", "strategy") - table.value("week_return", "benchmark")
        if abs(gap) < portfolios.LEVEL:
            return None
        direction = "up" if gap > 0 else "down"
        parts = {
            "subject": templates(language)[f"words.{row.removeprefix('excess_')}"],
            "gap": table.difference("week_return", "strategy", "benchmark", "gap"),
        }
    else:
        column = "change" if "change" in table.frame else "week_return"
        how = "points" if measure == "yield" else "size"
        parts = {"name": table.name(row), "change": table.quote(row, column, how)}
    headline = write(language, f"unusual.{measure}.headline.{direction}", prefix=prefix, **parts)
    point = write(language, f"unusual.{measure}.point.{direction}", size=size, weeks=weeks, **parts)
    return headline, point
