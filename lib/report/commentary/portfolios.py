"""What the three model portfolios say: the week, the record, what is held and what has changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from lib.exhibits.parameters.weekly_report import WeeklyReport
from lib.report.commentary.quotations import Table, Tables
from lib.report.commentary.statements import Statement, templates, write

#: a difference that the two digits of percentage points show as zero; a larger one is printed
LEVEL = 0.00005


def rotation(tables: Tables, settings: WeeklyReport) -> Iterator[Statement]:
    """Yield the sentences on exhibits 9 and 10 that there are."""
    holdings = tables("10")
    if holdings:
        yield from _sectors(holdings)
    measured = tables("09")
    if measured:
        yield from performance(measured, tables("08"), "rotation", settings)


def absolute(tables: Tables, settings: WeeklyReport) -> Iterator[Statement]:
    """Yield the sentences on exhibits 12 and 13 that there are."""
    measured = tables("12")
    if measured:
        yield from performance(measured, tables("11"), "absolute", settings)
    weights = tables("13")
    if not weights:
        return
    language = weights.text.language
    frame = weights.frame
    classes = class_weights(weights)
    yield write(
        language,
        "absolute.classes",
        classes=[quote_class(weights, name) for name in classes.index],
        invested=weights.total(frame.index, "weight", "share"),
        cash=1.0 - frame["weight"].sum() >= settings.weight_change,
    )
    change = (frame["weight"] - frame["previous_weight"]).sort_values(kind="stable")
    for direction, found in (
        ("raised", change[change > 0].iloc[::-1]),
        ("lowered", change[change < 0]),
    ):
        rows = found[found.abs() >= settings.weight_change].index
        if len(rows):
            moves = [_weights(weights, row) for row in rows[: settings.named]]
            yield write(
                language, f"absolute.{direction}", moves=moves, more=len(rows) > settings.named
            )
    if (change.abs() < settings.weight_change).all():
        most = change.abs().idxmax()
        difference = weights.difference(most, "weight", "previous_weight", "gap")
        yield write(language, "absolute.unchanged", name=weights.name(most), most=difference)


def class_weights(table: Table) -> pd.Series:
    """Return the weights of the classes held in exhibit 13, the largest first."""
    classes = table.frame.groupby("asset_class", sort=False)["weight"].sum()
    return classes[classes > 0].sort_values(ascending=False, kind="stable")


def quote_class(table: Table, name: str) -> dict:
    """Quote a class of exhibit 13 and its weight."""
    rows = table.frame.index[table.frame["asset_class"] == name]
    return {
        "name": table.word(rows[0], "asset_class"),
        "weight": table.total(rows, "weight", "share"),
    }


def latest_weights(table: Table) -> pd.Series:
    """Return the last weights of exhibit 16 by the heading of their column, the largest first."""
    return table.frame.drop(columns=table.key).iloc[-1].sort_values(ascending=False, kind="stable")


def allocation(
    tables: Tables, settings: WeeklyReport, names: Mapping[str, str]
) -> Iterator[Statement]:
    """Yield the sentences on exhibits 15 to 17 that there are; ``names`` are those of the columns
    of exhibit 16.

    Parameters
    ----------
    tables : Tables
        Of the run's exhibits.
    settings : WeeklyReport
        Thresholds of the commentary.
    names : mapping
        Names of the columns of exhibit 16.
    """
    measured = tables("15")
    if measured:
        yield from performance(measured, tables("14"), "global", settings)
    weights = tables("16")
    if weights:
        yield from _assets(weights, settings, names)
    budgets = tables("17")
    if budgets:
        by_budget = budgets.frame["budget"].sort_values(ascending=False, kind="stable")
        top = by_budget.index[0]
        yield write(
            budgets.text.language,
            "global.budget",
            name=budgets.word(top, "asset_class"),
            budget=budgets.quote(top, "budget", "share"),
            risk=budgets.quote(top, "risk_contribution", "share"),
        )


def performance(
    table: Table, nav: Table | None, portfolio: str, settings: WeeklyReport
) -> Iterator[Statement]:
    """Say how the week and the year went against the benchmark, and the record since the start.

    Parameters
    ----------
    table : Table
        Performance by metric.
    nav : Table or None
        Net asset values and drawdown by date.
    portfolio : str
        ``rotation``, ``absolute`` or ``global``.
    settings : WeeklyReport
        Thresholds of the commentary.
    """
    language = table.text.language
    frame = table.frame
    subject = templates(language)[f"words.{portfolio}"]
    if {"week_return", "ytd_return"} <= set(frame.dropna(subset=["strategy", "benchmark"]).index):
        gap = frame.loc["week_return", "strategy"] - frame.loc["week_return", "benchmark"]
        variant = "ahead" if gap > 0 else "behind"
        if abs(gap) < LEVEL:
            variant = "level"
        yield write(
            language,
            f"week.{variant}",
            subject=subject,
            week=table.quote("week_return", "strategy", "size"),
            gap=table.difference("week_return", "strategy", "benchmark", "gap"),
            year=table.quote("ytd_return", "strategy", "percent"),
            year_benchmark=table.quote("ytd_return", "benchmark", "percent"),
        )
    record = ["annual_return", "annual_volatility", "sharpe", "max_drawdown"]
    if set(record) <= set(frame.dropna(subset=["strategy", "benchmark"]).index):
        better = frame.loc["sharpe", "strategy"] > frame.loc["sharpe", "benchmark"]
        yield write(
            language,
            f"record.{'better' if better else 'worse'}",
            subject=subject,
            start=nav.quote(nav.frame.index[0], "date", "date") if nav else None,
            annual=table.quote("annual_return", "strategy", "plain"),
            volatility=table.quote("annual_volatility", "strategy", "size"),
            sharpe=table.quote("sharpe", "strategy", "score"),
            drawdown=table.quote("max_drawdown", "strategy", "size"),
            benchmark=table.quote("annual_return", "benchmark", "plain"),
            benchmark_sharpe=table.quote("sharpe", "benchmark", "score"),
        )


def rank_columns(frame: pd.DataFrame) -> list[str]:
    """Return the columns of exhibit 10 with the sectors' names, the first rank first."""
    return [column for column in frame if column.startswith("rank") and not column.endswith("_en")]


def changes(table: Table) -> tuple[list[str], list[str]]:
    """Return the columns of exhibit 10 whose sectors are new in the last week, and those whose
    sectors went.
    """
    if len(table.frame) < 2:
        return [], []
    ranks = rank_columns(table.frame)
    before = table.frame[ranks].iloc[-2]
    now = table.frame[ranks].iloc[-1]
    new = [rank for rank in ranks if pd.notna(now[rank]) and now[rank] not in set(before)]
    gone = [rank for rank in ranks if pd.notna(before[rank]) and before[rank] not in set(now)]
    return new, gone


def sectors(table: Table, week: int, ranks: list[str]) -> list[dict]:
    """Quote the sectors of a week by their ranks.

    Parameters
    ----------
    table : Table
        Exhibit 10.
    week : int
        Position of its row; -1 is the last.
    ranks : list of str
        Columns of the table.
    """
    suffix = "_en" if table.text.language == "en" and "rank1_en" in table.frame else ""
    return [
        {"name": table.quote(table.frame.index[week], f"{rank}{suffix}", "word")} for rank in ranks
    ]


def _sectors(table: Table) -> Iterator[Statement]:
    """Yield which sectors are held, and which are new or gone."""
    language = table.text.language
    last = table.frame.iloc[-1]
    held = [rank for rank in rank_columns(table.frame) if pd.notna(last[rank])]
    if not held:
        return
    yield write(language, "rotation.holdings", sectors=sectors(table, -1, held))
    new, gone = changes(table)
    if new:
        yield write(language, "rotation.entered", sectors=sectors(table, -1, new))
    if gone:
        yield write(language, "rotation.left", sectors=sectors(table, -2, gone))
    if len(table.frame) > 1 and not new and not gone:
        yield write(language, "rotation.unchanged", sectors=sectors(table, -1, held))


def _assets(table: Table, settings: WeeklyReport, names: Mapping[str, str]) -> Iterator[Statement]:
    """Yield the largest weights, and which of them were raised or lowered."""
    language = table.text.language
    rows = table.frame.index
    last = latest_weights(table)
    held = last[last >= settings.weight_change].index[: settings.named]
    if len(held):
        yield write(
            language,
            "global.weights",
            assets=[quote_asset(table, rows[-1], column, names) for column in held],
        )
    if len(rows) < 2:
        return
    change = (
        (last - table.frame.iloc[-2].reindex(last.index)).astype(float).sort_values(kind="stable")
    )
    for direction, found in (
        ("raised", change[change > 0].iloc[::-1]),
        ("lowered", change[change < 0]),
    ):
        columns = found[found.abs() >= settings.weight_change].index
        if len(columns):
            moves = [
                quote_asset(table, rows[-1], column, names)
                | {"previous": table.quote(rows[-2], column, "share")}
                for column in columns[: settings.named]
            ]
            yield write(
                language, f"global.{direction}", moves=moves, more=len(columns) > settings.named
            )


def quote_asset(table: Table, row: str, column: str, names: Mapping[str, str]) -> dict:
    """Quote an asset of exhibit 16 and its weight.

    Parameters
    ----------
    table : Table
        Exhibit 16.
    row : str
        A date of the table.
    column : str
        The asset's symbol.
    names : mapping
        Name of each symbol.
    """
    name = table.heading(row, column, names.get(column, column))
    return {"name": name, "weight": table.quote(row, column, "share")}


def _weights(table: Table, row: str) -> dict:
    return {
        "name": table.name(row),
        "weight": table.quote(row, "weight", "share"),
        "previous": table.quote(row, "previous_weight", "share"),
    }
