"""What the market recap says: indices, currencies and commodities, inflation, funds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from lib.exhibits.parameters.weekly_report import WeeklyReport
from lib.report.commentary.quotations import Table, Tables
from lib.report.commentary.statements import Statement, write


def sentences(tables: Tables, settings: WeeklyReport) -> Iterator[Statement]:
    """Yield the sentences on exhibits 1 to 5 that there are."""
    assets = tables("01")
    if assets:
        yield from _shares(assets, settings)
        yield from _others(assets, settings)
    releases = tables("02")
    if releases:
        yield from inflation(releases)
    for number, kind in (("03", "broad"), ("04", "sector"), ("05", "smartbeta")):
        funds = tables(number)
        if funds:
            yield from _funds(funds, kind)


@dataclass(frozen=True)
class GroupMoves:
    """How a group of indices moved in the week; headline and key point both rest on it.

    Attributes
    ----------
    variant : str
        ``flat``, ``all_up``, ``up``, ``all_down``, ``down`` or ``mixed``.
    rows : Index
        Rows whose change is known, the best first.
    up, down : Index
    """

    variant: str
    rows: pd.Index
    up: pd.Index
    down: pd.Index


def group_moves(table: Table, group: str, settings: WeeklyReport) -> GroupMoves | None:
    """Return how a group of exhibit 1 moved; None when none of its changes is known.

    Parameters
    ----------
    table : Table
        Exhibit 1.
    group : str
        Value of its column ``group``.
    settings : WeeklyReport
        Thresholds of the commentary.
    """
    moves = changes(table, group)
    if moves.empty:
        return None
    up = moves[moves > 0].index
    down = moves[moves < 0].index
    least = settings.majority * len(moves)
    if moves.abs().max() < settings.little_changed:
        variant = "flat"
    elif len(up) >= least:
        variant = "up" if len(up) < len(moves) else "all_up"
    elif len(down) >= least:
        variant = "down" if len(down) < len(moves) else "all_down"
    else:
        variant = "mixed"
    return GroupMoves(variant, moves.index, up, down)


def quote_moves(table: Table, moves: GroupMoves) -> dict:
    """Quote the best and the worst of a group and how many rose and fell."""
    return {
        "best": _move(table, moves.rows[0]),
        "worst": _move(table, moves.rows[-1]),
        "all": table.count(moves.rows, "change"),
        "up": table.count(moves.up, "change"),
        "down": table.count(moves.down, "change"),
    }


def _shares(table: Table, settings: WeeklyReport) -> Iterator[Statement]:
    """Say how A shares and global equities did: the best, the worst, how many rose or fell."""
    for group in ("a_share", "global_equity"):
        moves = group_moves(table, group, settings)
        if moves:
            yield write(
                table.text.language, f"market.{group}.{moves.variant}", **quote_moves(table, moves)
            )


def _others(table: Table, settings: WeeklyReport) -> Iterator[Statement]:
    """Say which commodities moved much, where yields and the dollar went."""
    language = table.text.language
    commodities = changes(table, "commodity")
    large = commodities[commodities.abs() >= settings.large_move]
    yield from _named(table, "market.commodity", large, settings)
    if len(commodities) and large.empty:
        yield write(
            language,
            "market.commodity.quiet",
            most=_move(table, commodities.abs().idxmax(), "percent"),
        )
    yields = changes(table, "yield")
    yield from _named(
        table, "market.yield", yields[yields.abs() >= settings.yield_move], settings, "points"
    )
    dollar = changes(table, "fx").get("DXY")
    if dollar is not None:
        direction = "up" if dollar > 0 else "down"
        if abs(dollar) < settings.little_changed:
            direction = "flat"
        yield write(language, f"market.dollar.{direction}", dollar=_move(table, "DXY"))


def _named(
    table: Table, rule: str, moves: pd.Series, settings: WeeklyReport, how: str = "size"
) -> Iterator[Statement]:
    """Name what rose most, then what fell most."""
    for direction, found in (("up", moves[moves > 0]), ("down", moves[moves < 0].iloc[::-1])):
        if len(found):
            quoted = [_move(table, row, how) for row in found.index[: settings.named]]
            yield write(table.text.language, f"{rule}.{direction}", moves=quoted)


def inflation(table: Table) -> Iterator[Statement]:
    """Say how many releases fell short of the consensus, and the first one in numbers."""
    known = table.frame.dropna(subset=["actual", "consensus"])
    surprise = (known["actual"] - known["consensus"]).round(6)
    if surprise.empty:
        return
    below = surprise[surprise < 0].index
    above = surprise[surprise > 0].index
    variant = "below" if len(below) > len(above) else "above"
    if len(below) == len(above):
        variant = "mixed"
    first = "US_CPI_YOY"
    yield write(
        table.text.language,
        f"market.inflation.{variant}",
        all=table.count(surprise.index, "consensus"),
        below=table.count(below, "actual"),
        above=table.count(above, "actual"),
    )
    if first in surprise.index:
        quoted = {part: table.quote(first, part, "level") for part in ("actual", "consensus")}
        yield write(table.text.language, "market.inflation.cpi", **quoted)


def _funds(table: Table, kind: str) -> Iterator[Statement]:
    returns = table.frame["week_return"].dropna().sort_values(ascending=False, kind="stable")
    if len(returns) > 1:
        best, worst = (
            {"name": table.name(row), "change": table.quote(row, "week_return", "percent")}
            for row in (returns.index[0], returns.index[-1])
        )
        yield write(table.text.language, f"market.funds.{kind}", best=best, worst=worst)


def changes(table: Table, group: str) -> pd.Series:
    """Return a group's changes, largest first, without those that are missing."""
    changes = table.frame.loc[table.frame["group"] == group, "change"].dropna()
    return changes.sort_values(ascending=False, kind="stable")


def _move(table: Table, row: str, how: str = "size") -> dict:
    return {"name": table.name(row), "change": table.quote(row, "change", how)}
