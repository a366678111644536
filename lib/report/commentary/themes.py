"""What the theme scores say: where the themes that gained most go, and those that gained least."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from lib.exhibits.parameters.weekly_report import WeeklyReport
from lib.report.commentary.quotations import Quotation, Table, Tables
from lib.report.commentary.statements import Statement, write


@dataclass(frozen=True)
class ScoreMoves:
    """How the scores of an exhibit's themes moved in the week; headline, key point and risks all
    rest on it.

    Attributes
    ----------
    direction : str
        ``falling`` or ``rising`` where a majority does, else ``mixed``.
    compared : Index
        Rows whose change is known.
    falling, rising : Index
        Rows that moved by at least the threshold, the largest move first.
    """

    direction: str
    compared: pd.Index
    falling: pd.Index
    rising: pd.Index


def score_moves(table: Table, settings: WeeklyReport) -> ScoreMoves:
    """Return how the scores of exhibit 6 or 7 moved."""
    change = table.frame["change"].dropna().sort_values(kind="stable")
    falling = change[change <= -settings.score_change].index
    rising = change[change >= settings.score_change].index[::-1]
    least = settings.majority * len(change)
    direction = "mixed"
    if len(falling) and len(falling) >= least:
        direction = "falling"
    elif len(rising) and len(rising) >= least:
        direction = "rising"
    return ScoreMoves(direction, change.index, falling, rising)


def count_moves(table: Table, moves: ScoreMoves) -> dict[str, Quotation]:
    """Quote how many themes were compared and how many of them fell and rose."""
    parts = {"all": moves.compared, "falling": moves.falling, "rising": moves.rising}
    return {name: table.count(rows, "change") for name, rows in parts.items()}


def sentences(tables: Tables, settings: WeeklyReport) -> Iterator[Statement]:
    """Yield the sentences on exhibits 6 and 7 that there are."""
    strongest = tables("06")
    if strongest:
        yield from _group(strongest, "strongest", settings)
        yield from _highest(strongest, settings)
    weakest = tables("07")
    if weakest:
        yield from _group(weakest, "weakest", settings)


def _highest(table: Table, settings: WeeklyReport) -> Iterator[Statement]:
    """Name the highest score among the themes that gained most."""
    scores = table.frame["latest_score"].dropna()
    if scores.empty:
        return
    best = scores.idxmax()
    moves = score_moves(table, settings)
    moved = best in moves.falling or best in moves.rising
    yield write(
        table.text.language,
        "themes.highest",
        name=table.name(best),
        score=table.quote(best, "latest_score", "score"),
        change=table.quote(best, "change", "step") if moved else None,
        gain=table.quote(best, "gain_peak", "share"),
    )


def _group(table: Table, group: str, settings: WeeklyReport) -> Iterator[Statement]:
    """Say how many scores fell or rose, with the themes whose scores moved most."""
    language = table.text.language
    moves = score_moves(table, settings)
    if moves.compared.empty:
        return
    others = table.frame.index.difference(moves.compared, sort=False)
    yield write(
        language,
        f"themes.{group}.{moves.direction}",
        others=table.count(others, "change"),
        **count_moves(table, moves),
    )
    for direction, rows in (("falls", moves.falling), ("rises", moves.rising)):
        if len(rows):
            yield write(
                language,
                f"themes.{direction}",
                moves=[_move(table, row) for row in rows[: settings.named]],
            )


def _move(table: Table, row: str) -> dict:
    return {
        "name": table.name(row),
        "previous": table.quote(row, "previous_score", "score"),
        "latest": table.quote(row, "latest_score", "score"),
    }
