"""What the theme scores say: where the themes that gained most go, and those that gained least."""

from __future__ import annotations

from collections.abc import Iterator

from lib.exhibits.parameters.weekly_report import WeeklyReport
from lib.report.commentary.quotations import Table, Tables
from lib.report.commentary.statements import Statement, write


def sentences(tables: Tables, settings: WeeklyReport) -> Iterator[Statement]:
    """Yield the sentences on exhibits 6 and 7 that there are."""
    if strongest := tables("06"):
        yield from _group(strongest, "strongest", settings)
        scores = strongest.frame["latest_score"].dropna()
        if scores.empty:
            return
        best = scores.idxmax()
        yield write(
            strongest.text.language,
            "themes.highest",
            name=strongest.name(best),
            score=strongest.quote(best, "latest_score", "score"),
            change=strongest.quote(best, "change", "step"),
            gain=strongest.quote(best, "gain_peak", "share"),
        )
    if weakest := tables("07"):
        yield from _group(weakest, "weakest", settings)


def trend(table: Table, settings: WeeklyReport, rows: int | None = None) -> str:
    """Tell whether most scores of the first rows fall or rise, or neither: ``falling``, ``rising``, ``mixed``."""
    change = table.frame["change"].iloc[:rows].dropna()
    if change.empty:
        return "mixed"
    if (change <= -settings.score_change).sum() >= settings.majority * len(change):
        return "falling"
    return "rising" if (change >= settings.score_change).sum() >= settings.majority * len(change) else "mixed"


def _group(table: Table, group: str, settings: WeeklyReport) -> Iterator[Statement]:
    """Say how many scores fell or rose, with the themes whose scores moved most."""
    language, change = table.text.language, table.frame["change"].dropna().sort_values(kind="stable")
    falling = change[change <= -settings.score_change].index
    rising = change[change >= settings.score_change].index[::-1]
    yield write(
        language,
        f"themes.{group}.{trend(table, settings)}",
        all=table.count(change.index, "change"),
        falling=table.count(falling, "change"),
        rising=table.count(rising, "change"),
    )
    for direction, rows in (("falls", falling), ("rises", rising)):
        if len(rows):
            moves = [_move(table, row) for row in rows[: settings.named]]
            yield write(language, f"themes.{direction}", moves=moves)


def _move(table: Table, row: str) -> dict:
    return {
        "name": table.name(row),
        "previous": table.quote(row, "previous_score", "score"),
        "latest": table.quote(row, "latest_score", "score"),
    }
