"""Titles of the weekly's exhibits: what each one found, with its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from lib.exhibits.parameters.weekly_report import WeeklyReport
from lib.report.commentary import market, portfolios, themes
from lib.report.commentary.quotations import Table, Tables
from lib.report.commentary.statements import Statement, write

Rule = Callable[[Table], Statement | None]


def findings(
    tables: Tables, settings: WeeklyReport, names: Mapping[str, str]
) -> dict[str, Statement]:
    """Return the titles of the exhibits that there are, by number.

    Parameters
    ----------
    tables : Tables
        Of the run.
    settings : WeeklyReport
        From which size on a score is said to fall.
    names : mapping of str to str
        Names of the instruments that head the columns of exhibit 16.
    """
    rules: dict[str, Rule] = {
        "01": partial(_extremes, column="change"),
        "02": _inflation,
        **dict.fromkeys(("03", "04", "05"), partial(_extremes, column="week_return")),
        "06": partial(_themes, group="strongest", settings=settings),
        "07": partial(_themes, group="weakest", settings=settings),
        "08": partial(_nav, column="strategy"),
        **dict.fromkeys(("09", "12", "15"), _sharpe),
        "10": _sectors,
        **dict.fromkeys(("11", "14"), partial(_nav, column="nav")),
        "13": _classes,
        "16": partial(_largest, names=names),
        "17": _budgets,
    }
    found: dict[str, Statement] = {}
    for number, rule in sorted(rules.items()):
        table = tables(number)
        statement = None if table is None else rule(table)
        if statement is not None:
            found[number] = statement
    return found


def _extremes(table: Table, column: str) -> Statement | None:
    """Name the best and the worst of a table; yields, which are in basis points, are left out."""
    frame = table.frame
    if "unit" in frame:
        frame = frame[frame["unit"] == "fraction"]
    known = frame[column].dropna().sort_values(ascending=False, kind="stable")
    if len(known) < 2:
        return None
    best, worst = (
        {"name": table.name(row), "change": table.quote(row, column, "percent")}
        for row in (known.index[0], known.index[-1])
    )
    return write(table.text.language, "finding.extremes", best=best, worst=worst)


def _inflation(table: Table) -> Statement | None:
    said = next(iter(market.inflation(table)), None)
    if said is None:
        return None
    parts = {place: said.quotations[place] for place in ("all", "below", "above")}
    direction = said.rule.rpartition(".")[2]
    return write(table.text.language, f"finding.inflation.{direction}", **parts)


def _themes(table: Table, group: str, settings: WeeklyReport) -> Statement | None:
    """Say how many scores fell, or rose where more did, and which one most."""
    moves, language = themes.score_moves(table, settings), table.text.language
    if moves.compared.empty:
        return None
    falling = len(moves.falling) >= len(moves.rising)
    rows = moves.falling if falling else moves.rising
    counted = themes.count_moves(table, moves)
    if rows.empty:
        return write(language, f"finding.themes.{group}.still", **counted)
    direction = "falling" if falling else "rising"
    most = table.name(rows[0])
    return write(language, f"finding.themes.{group}.{direction}", most=most, **counted)


def _nav(table: Table, column: str) -> Statement:
    first, last = table.frame.index[0], table.frame.index[-1]
    return write(
        table.text.language,
        "finding.nav",
        nav=table.quote(last, column, "score"),
        benchmark=table.quote(last, "benchmark", "score"),
        start=table.quote(first, "date", "date"),
    )


def _sharpe(table: Table) -> Statement | None:
    columns = ["strategy", "benchmark"]
    if "sharpe" not in table.frame.index or table.frame.loc["sharpe", columns].isna().any():
        return None
    parts = {column: table.quote("sharpe", column, "score") for column in columns}
    return write(table.text.language, "finding.sharpe", **parts)


def _sectors(table: Table) -> Statement:
    """Name the sectors that are new and those that are gone."""
    new, gone = portfolios.changes(table)
    language = table.text.language
    if not new and not gone:
        week = table.quote(table.frame.index[-1], "week", "date")
        return write(language, "finding.sectors.same", week=week)
    return write(
        language,
        "finding.sectors.changed",
        new=portfolios.sectors(table, -1, new),
        gone=portfolios.sectors(table, -2, gone),
    )


def _classes(table: Table) -> Statement | None:
    classes = portfolios.class_weights(table)
    if classes.empty:
        return None
    quoted = [portfolios.quote_class(table, name) for name in classes.index]
    return write(table.text.language, "finding.classes", classes=quoted)


def _largest(table: Table, names: Mapping[str, str]) -> Statement | None:
    last = portfolios.latest_weights(table)
    held = last[last > 0].index[:2]
    if held.empty:
        return None
    row = table.frame.index[-1]
    assets = [portfolios.quote_asset(table, row, column, names) for column in held]
    return write(table.text.language, "finding.assets", assets=assets)


def _budgets(table: Table) -> Statement:
    parts = {}
    for place, column in (("budget", "budget"), ("risk", "risk_contribution")):
        row = table.frame[column].astype(float).idxmax()
        share = table.quote(row, column, "share")
        parts[place] = {"name": table.word(row, "asset_class"), "share": share}
    return write(table.text.language, "finding.budgets", **parts)
