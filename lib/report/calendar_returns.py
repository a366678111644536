"""Calendar years, the last twelve months and the longest drawdowns of the model portfolios."""

from __future__ import annotations

import pandas as pd

from lib.portfolio.periods import longest_drawdowns, period_returns
from lib.report.commentary.quotations import Tables

#: exhibit of the net asset value by system
NAVS = {"gp_rotation": "08", "absolute_return": "11", "global_allocation": "14"}
#: months shown
MONTHS = 12
LINES = ("strategy", "benchmark", "excess")


def navs(tables: Tables) -> dict[str, pd.DataFrame]:
    """Return ``strategy`` and ``benchmark``, (T, 2), gross, of each system that the run made."""
    found = {}
    for system, number in NAVS.items():
        table = tables(number)
        if table is not None:
            frame = table.frame.rename(columns={"nav": "strategy"})[["strategy", "benchmark"]]
            found[system] = frame.set_axis(pd.DatetimeIndex(frame.index), axis=0)
    return found


def calendar_returns(courses: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the returns by year and of the last twelve months.

    Parameters
    ----------
    courses : dict of str to DataFrame
        As ``navs`` returns them.

    Returns
    -------
    DataFrame
        ``system``, ``period`` (2024, 2025-06), ``strategy``, ``benchmark``, ``excess`` (the first
        less the second); fractions, by system, years first.
    """
    parts = []
    for system, nav in courses.items():
        for returns in (period_returns(nav, "Y"), period_returns(nav, "M").tail(MONTHS)):
            table = returns.assign(excess=returns["strategy"] - returns["benchmark"])
            table = table.rename_axis("period").reset_index()
            parts.append(table.assign(system=system, period=table["period"].astype(str)))
    columns = ["system", "period", *LINES]
    return pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)


def drawdowns(courses: dict[str, pd.DataFrame], count: int = 3) -> pd.DataFrame:
    """Return each system's longest drawdowns: ``system`` and the columns of
    ``longest_drawdowns``.
    """
    parts = [
        longest_drawdowns(nav["strategy"].dropna(), count).assign(system=system)
        for system, nav in courses.items()
    ]
    columns = ["system", "peak", "trough", "recovered", "depth", "days"]
    return pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)


def heat_maps(table: pd.DataFrame, labels: dict[tuple[str, str], str]) -> list[pd.DataFrame]:
    """Return strategy and excess by year and by month, (R, P) each, rows by label."""
    is_month = table["period"].str.contains("-")
    panels = []
    for part in (table[~is_month], table[is_month]):
        by_system = part.set_index(["system", "period"])
        rows = {
            text: by_system.loc[system, line]
            for (system, line), text in labels.items()
            if system in by_system.index
        }
        panels.append(pd.DataFrame(rows).T)
    return panels
