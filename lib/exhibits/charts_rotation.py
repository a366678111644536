"""Charts of the sector rotation; every word comes from the caller, every colour from the style."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lib.exhibits.charts import legend_above
from lib.exhibits.style import PALETTE
from lib.portfolio.metrics import drawdown


def nav_band(nav: pd.DataFrame, words: dict[str, str]) -> Figure:
    """Draw strategy, net and benchmark NAV with the seeds' band, and the drawdown below.

    Parameters
    ----------
    nav : DataFrame indexed by date
        Columns ``strategy``, ``benchmark``, ``net``, ``seed_low``, ``seed_high``.
    words : dict
        Labels by column, ``band``, ``nav`` and ``drawdown``.
    """
    figure, (top, bottom) = plt.subplots(
        2, 1, sharex=True, height_ratios=(3, 1), layout="constrained"
    )
    band = top.fill_between(
        nav.index, nav["seed_low"], nav["seed_high"], alpha=0.2, linewidth=0, label=words["band"]
    )
    lines = {}
    for column, dash, width in (
        ("strategy", "-", 1.8),
        ("net", "--", 1.2),
        ("benchmark", "-.", 1.3),
    ):
        (lines[column],) = top.plot(
            nav.index, nav[column], dash, linewidth=width, label=words[column]
        )
    band.set_color(lines["strategy"].get_color())
    band.set_alpha(0.2)
    top.set_ylabel(words["nav"])
    legend_above(top, 4)
    for column in ("strategy", "benchmark"):
        line = lines[column]
        look = {"linestyle": line.get_linestyle(), "color": line.get_color(), "linewidth": 1.2}
        bottom.plot(nav.index, drawdown(nav[column]), **look)
    bottom.set_ylabel(words["drawdown"])
    bottom.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def quarter_bars(table: pd.DataFrame, words: dict[str, str]) -> Figure:
    """Draw the mean rank IC of each quarter with its standard error, and the running mean.

    Parameters
    ----------
    table : DataFrame
        Columns ``quarter``, ``rank_ic``, ``standard_error``, ``running_mean``, and
        ``textbook_mean``, the running mean of the baseline.
    words : dict
        ``rank_ic``, ``running_mean``, ``textbook_mean``.
    """
    figure, axes = plt.subplots(layout="constrained")
    axes.bar(
        table["quarter"],
        table["rank_ic"],
        yerr=table["standard_error"],
        label=words["rank_ic"],
        capsize=2,
    )
    for column, marks, colour in (
        ("running_mean", "o-", "black"),
        ("textbook_mean", "s--", "grey"),
    ):
        label = words[column]
        axes.plot(table["quarter"], table[column], marks, color=colour, markersize=3, label=label)
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set_ylabel(words["rank_ic"])
    axes.tick_params(axis="x", rotation=60)
    legend_above(axes, 3)
    return figure


def cost_line(
    table: pd.DataFrame, break_even: float, chosen: float, words: dict[str, str]
) -> Figure:
    """Draw the annualised excess return against the one-way cost.

    Parameters
    ----------
    table : DataFrame
        Columns ``cost``, ``excess``: fractions.
    break_even : float
        Cost at which the excess is gone; NaN if there is none.
    chosen : float
        The cost parameter.
    words : dict
        ``cost``, ``excess``, ``break_even``, ``chosen``.
    """
    figure, axes = plt.subplots(layout="constrained")
    axes.plot(table["cost"], table["excess"], "o-")
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.axvline(chosen, linestyle=":", color="black", label=words["chosen"])
    if pd.notna(break_even) and break_even <= table["cost"].max():
        axes.axvline(break_even, linestyle="--", color="tab:red", label=words["break_even"])
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=2))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xlabel(words["cost"])
    axes.set_ylabel(words["excess"])
    legend_above(axes, 2)
    return figure


def null_points(
    table: pd.DataFrame, words: dict[str, str], scatter: pd.Series | None = None
) -> Figure:
    """Draw weekly rank IC and annualised excess of each seed, mined on true and on shuffled labels.

    Parameters
    ----------
    table : DataFrame
        Columns ``labels`` (``own`` or ``shuffled``), ``rank_ic``, ``excess``.
    words : dict
        ``own``, ``shuffled``, ``rank_ic``, ``excess``.
    scatter : Series, optional
        Standard deviations of one null seed, ``rank_ic`` and ``excess``: the error bars of the
        shuffled points.
    """
    figure, axes = plt.subplots(layout="constrained")
    kinds = ("own", "shuffled")
    sns.scatterplot(
        table.assign(kind=table["labels"].map(words)),
        x="rank_ic",
        y="excess",
        hue="kind",
        hue_order=[words[kind] for kind in kinds],
        palette=PALETTE[:2],
        style="kind",
        markers={words["own"]: "o", words["shuffled"]: "X"},
        s=60,
        ax=axes,
    )
    if scatter is not None:
        points = table[table["labels"] == "shuffled"]
        axes.errorbar(
            points["rank_ic"],
            points["excess"],
            xerr=scatter["rank_ic"],
            yerr=scatter["excess"],
            fmt="none",
            ecolor=PALETTE[1],
            capsize=2,
            linewidth=0.8,
        )
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel(words["rank_ic"])
    axes.set_ylabel(words["excess"])
    legend_above(axes, 2)
    return figure
