"""What the evidence says about each system, one sentence per section."""

from __future__ import annotations

from lib.exhibits.parameters.weekly_report import WeeklyReport
from lib.report.commentary.quotations import Tables
from lib.report.commentary.statements import Statement, write


def evidence(tables: Tables, settings: WeeklyReport, sections: list[str]) -> dict[str, Statement]:
    """Return the sentences that the supplements of a run allow, by section.

    Parameters
    ----------
    tables : Tables
        Of the run.
    settings : WeeklyReport
        ``confidence``: the probability from which an excess return is not luck.
    sections : list of str
        The notebooks.
    """
    rules = {"02": _themes, "03": _rotation, "04": _absolute, "05": _allocation}
    said = {name: rules[name[:2]](tables, settings) for name in sections if name[:2] in rules}
    return {name: one for name, one in said.items() if one is not None}


def _themes(tables: Tables, _: WeeklyReport) -> Statement | None:
    """Say whether hot themes with a falling score lagged more often than the others."""
    table = tables("s14")
    if not table or not {"falling", "rising", "difference"} <= set(table.frame.dropna().index):
        return None
    sure = table.value("difference", "low") > 0 or table.value("difference", "high") < 0
    return write(
        table.text.language,
        f"evidence.themes.{'sure' if sure else 'unsure'}",
        falling=table.quote("falling", "hit_rate", "share"),
        rising=table.quote("rising", "hit_rate", "share"),
        low=table.quote("difference", "low", "percent"),
        high=table.quote("difference", "high", "percent"),
    )


def _rotation(tables: Tables, settings: WeeklyReport) -> Statement | None:
    """Say whether the excess return can be distinguished from luck."""
    table = tables("s26")
    if not table or "probability" not in table.frame.index:
        return None
    sure = table.value("probability", "value") >= settings.confidence
    return write(
        table.text.language,
        f"evidence.rotation.{'sure' if sure else 'unsure'}",
        t=table.quote("t_stat", "value", "score"),
        probability=table.quote("probability", "value", "share"),
    )


def _absolute(tables: Tables, _: WeeklyReport) -> Statement | None:
    """Compare with the same bonds and equal weights, which need no model."""
    table = tables("12")
    if not table or "bonds_and_equal" not in table.frame or "sharpe" not in table.frame.index:
        return None
    simple, own = (table.value("sharpe", column) for column in ("bonds_and_equal", "strategy"))
    return write(
        table.text.language,
        f"evidence.absolute.{'better' if own > simple else 'worse'}",
        strategy=table.quote("sharpe", "strategy", "score"),
        simple=table.quote("sharpe", "bonds_and_equal", "score"),
    )


def _allocation(tables: Tables, _: WeeklyReport) -> Statement | None:
    """Count the shifted copies of the cycle scores that do no worse than the scores themselves."""
    table = tables("s42")
    if not table or not {"strategy", "shifted"} <= set(table.frame.index):
        return None
    own = table.value("strategy", "sharpe")
    shifted = table.frame.loc[["shifted"], "sharpe"]
    beaten = int((shifted < own).sum())
    return write(
        table.text.language,
        f"evidence.allocation.{'sure' if beaten >= 0.95 * len(shifted) else 'unsure'}",
        beaten=table.count(["shifted"] * beaten, "sharpe"),
        all=table.count(["shifted"] * len(shifted), "sharpe"),
        sharpe=table.quote("strategy", "sharpe", "score"),
    )
