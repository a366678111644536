"""The risk paragraph: losses, costs, concentration, and how little of a result differs from
luck.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lib.exhibits.parameters.weekly_report import WeeklyReport
from lib.report.commentary import portfolios, themes
from lib.report.commentary.quotations import Table, Tables
from lib.report.commentary.statements import Statement, templates, write

#: the exhibits of net asset value and of performance
PORTFOLIOS = {"rotation": ("08", "09"), "absolute": ("11", "12"), "global": ("14", "15")}


def sentences(
    tables: Tables, settings: WeeklyReport, names: Mapping[str, str]
) -> Iterator[Statement]:
    """Yield the sentences on risks that the tables show.

    Parameters
    ----------
    tables : Tables
        Of the run's exhibits.
    settings : WeeklyReport
        Thresholds of the commentary.
    names : mapping
        Names of the columns of exhibit 16.
    """
    yield from _hot_themes(tables, settings)
    yield from _claim(tables)
    for portfolio, (nav, measured) in PORTFOLIOS.items():
        yield from _losses(tables, portfolio, nav, measured, settings)
    for portfolio, (_, measured) in PORTFOLIOS.items():
        yield from _costs(tables, portfolio, measured, settings)
    yield from _concentration(tables, settings, names)
    yield from _above_cap(tables)
    yield from _luck(tables, settings)


def _hot_themes(tables: Tables, settings: WeeklyReport) -> Iterator[Statement]:
    """Warn where a theme that has gained much has a falling score, as far as the evidence supports
    such a warning.
    """
    table = tables("06")
    evidence = tables("s14")
    if not table or (evidence and not _supported(evidence)):
        return
    top = table.frame.index[0]
    if top in themes.score_moves(table, settings).falling:
        yield write(
            table.text.language,
            "risk.hot_theme",
            name=table.name(top),
            gain=table.quote(top, "gain_peak", "share"),
            previous=table.quote(top, "previous_score", "score"),
            latest=table.quote(top, "latest_score", "score"),
        )


def _supported(table: Table) -> bool:
    """Return whether supplement 14 separates falling from rising scores by more than chance."""
    known = "difference" in table.frame.dropna().index
    return bool(known and table.value("difference", "low") > 0)


def _claim(tables: Tables) -> Iterator[Statement]:
    """Say how often a falling score of a hot theme was right, and whether more than chance explains
    it.
    """
    table = tables("s14")
    if not table or not {"falling", "rising", "difference"} <= set(table.frame.dropna().index):
        return
    variant = "supported" if _supported(table) else "unsupported"
    rates = {score: table.quote(score, "hit_rate", "share") for score in ("falling", "rising")}
    yield write(
        table.text.language,
        f"risk.claim.{variant}",
        low=table.quote("difference", "low", "share"),
        **rates,
    )


def _losses(
    tables: Tables, portfolio: str, nav: str, measured: str, settings: WeeklyReport
) -> Iterator[Statement]:
    """Name a drawdown that is near the largest, or a largest one that is large."""
    record = tables(measured)
    if not record or "max_drawdown" not in record.frame.index:
        return
    language = record.text.language
    subject = templates(language)[f"words.{portfolio}"]
    worst = record.value("max_drawdown", "strategy")
    largest = record.quote("max_drawdown", "strategy", "size")
    path = tables(nav)
    if path and "drawdown" in path.frame and worst < 0:
        last = path.frame.index[-1]
        if path.value(last, "drawdown") <= settings.near_low * worst:
            now = path.quote(last, "drawdown", "size")
            yield write(language, "risk.near_low", subject=subject, now=now, largest=largest)
            return
    if worst <= -settings.large_drawdown:
        yield write(language, "risk.drawdown", subject=subject, largest=largest)


def _costs(
    tables: Tables, portfolio: str, measured: str, settings: WeeklyReport
) -> Iterator[Statement]:
    """Name what costs take off the annual return."""
    table = tables(measured)
    if not table or "net" not in table.frame or "annual_return" not in table.frame.index:
        return
    drag = table.value("annual_return", "strategy") - table.value("annual_return", "net")
    if drag >= settings.cost_drag:
        yield write(
            table.text.language,
            "risk.cost",
            subject=templates(table.text.language)[f"words.{portfolio}"],
            drag=table.difference("annual_return", "strategy", "net", "gap"),
            net=table.quote("annual_return", "net", "plain"),
        )


def _concentration(
    tables: Tables, settings: WeeklyReport, names: Mapping[str, str]
) -> Iterator[Statement]:
    """Name a class or an asset with a large weight."""
    weights = tables("13")
    if weights:
        totals = portfolios.class_weights(weights)
        if len(totals) and totals.iloc[0] >= settings.large_class:
            quoted = portfolios.quote_class(weights, totals.index[0])
            yield write(weights.text.language, "risk.class", **quoted)
    weights = tables("16")
    if weights:
        last = portfolios.latest_weights(weights)
        if last.iloc[0] >= settings.large_weight:
            quoted = portfolios.quote_asset(weights, weights.frame.index[-1], last.index[0], names)
            yield write(weights.text.language, "risk.asset", **quoted)


def _above_cap(tables: Tables) -> Iterator[Statement]:
    """Name the assets of the global allocation that have drifted above their cap."""
    table = tables("s47")
    if not table:
        return
    above = table.frame.index[table.frame["above_cap"] == "yes"]
    if len(above):
        held = [
            {"name": table.name(row), "weight": table.quote(row, "held", "share")} for row in above
        ]
        cap = table.quote(above[0], "cap", "share")
        yield write(table.text.language, "risk.above_cap", cap=cap, assets=held)


def _luck(tables: Tables, settings: WeeklyReport) -> Iterator[Statement]:
    """Say with which probability the rotation's true information ratio is above zero."""
    table = tables("s26")
    if table and table.value("probability", "value") < settings.confidence:
        yield write(
            table.text.language,
            "risk.luck",
            probability=table.quote("probability", "value", "share"),
            t=table.quote("t_stat", "value", "score"),
        )
