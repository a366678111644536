"""Charts of the absolute-return portfolio; words and numbers come from the caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lib.exhibits.charts import HATCHES, grouped_bars, legend_above
from lib.exhibits.style import PALETTE


def weights_by_class(
    table: pd.DataFrame, labels: Sequence[str], titles: Mapping[str, str], words: Mapping[str, str]
) -> Figure:
    """Draw weights now as bars and before as rings, one panel per class, all on one scale.

    Parameters
    ----------
    table : DataFrame, (N, 3)
        ``asset_class``, ``weight``, ``previous_weight``; fractions, sorted by class.
    labels : sequence of str, (N,)
        Names of the funds.
    titles : mapping
        Of each class's panel.
    words : mapping
        ``now`` and ``before``: what the bars and the rings are called.
    """
    sizes = table.groupby("asset_class", sort=False).size()
    figure, rows = plt.subplots(
        len(sizes),
        1,
        figsize=(8.2, 0.3 * len(table) + 0.55 * len(sizes) + 0.7),
        layout="constrained",
        height_ratios=sizes + 0.7,
        squeeze=False,
    )
    names = np.asarray(labels, dtype=object)
    reach = max(table[["weight", "previous_weight"]].to_numpy().max(), 1e-6)
    for colour, axes, kind in zip(PALETTE, rows[:, 0], sizes.index, strict=False):
        chosen = np.flatnonzero((table["asset_class"] == kind).to_numpy())[::-1]
        now, before = (table[column].to_numpy()[chosen] for column in ("weight", "previous_weight"))
        lines = np.arange(len(chosen))
        axes.barh(lines, now, height=0.6, color=colour, label=words["now"])
        axes.scatter(
            before,
            lines,
            s=34,
            facecolor="white",
            edgecolor="#333333",
            zorder=3,
            label=words["before"],
        )
        for line, value, old in zip(lines, now, before, strict=True):
            axes.text(
                max(value, old) + 0.025 * reach,
                line,
                f"{value:.2%} ({old:.2%})",
                va="center",
                fontsize=7.5,
            )
        axes.set_yticks(lines, names[chosen])
        axes.set_ylim(-0.6, len(chosen) - 0.4)
        axes.set_xlim(0, 1.25 * reach)
        axes.set_title(titles[kind])
        # every bar carries its value, now and in brackets before
        axes.tick_params(axis="x", length=0, labelbottom=False)
        axes.spines["bottom"].set_visible(False)
        axes.grid(False)
    rows[0, 0].legend(loc="lower left", bbox_to_anchor=(0.62, 1.0), ncols=2, borderaxespad=0.2)
    return figure


def class_history(classes: pd.DataFrame, words: Mapping[str, str]) -> Figure:
    """Draw the capital of the classes over time as stacked areas, (K, C); the white rest is
    cash.
    """
    figure, axes = plt.subplots(figsize=(8.6, 3.4), layout="constrained")
    shapes = axes.stackplot(
        classes.index,
        classes.T,
        labels=[words[name] for name in classes],
        colors=PALETTE[: classes.shape[1]],
        step="post",
        edgecolor="white",
        linewidth=0.4,
    )
    for shape, hatch in zip(shapes, HATCHES, strict=False):
        shape.set_hatch(hatch)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.margins(x=0)
    legend_above(axes, 3)
    return figure


def volatility_lines(table: pd.DataFrame, target: float, words: Mapping[str, str]) -> Figure:
    """Draw volatility expected, realised in each month and over a year, and the target.

    Parameters
    ----------
    table : DataFrame, (K, 3)
        Indexed by decision: ``expected``, ``realised``, ``realised_year``; annualised fractions.
    target : float
        Annualised fraction.
    words : mapping
        Labels of the columns, and ``target``.
    """
    figure, axes = plt.subplots(figsize=(8.6, 3.4), layout="constrained")
    axes.scatter(table.index, table["realised"], s=11, color="#999999", label=words["realised"])
    axes.plot(
        table.index,
        table["expected"],
        drawstyle="steps-post",
        linewidth=1.2,
        label=words["expected"],
    )
    axes.plot(
        table.index,
        table["realised_year"],
        linewidth=1.8,
        linestyle="--",
        label=words["realised_year"],
    )
    axes.axhline(target, color="#333333", linestyle=":", linewidth=1.0, label=words["target"])
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    legend_above(axes, 4)
    return figure


def return_and_risk(table: pd.DataFrame, labels: Sequence[str], words: Mapping[str, str]) -> Figure:
    """Draw each part's share of return, risk and capital side by side, the first part on top.

    Parameters
    ----------
    table : DataFrame, (N, 3)
        ``return_share``, ``risk_share``, ``average_weight``: fractions.
    labels : sequence of str, (N,)
        Name of each part.
    words : mapping
        Labels of the columns.
    """
    parts = table[["return_share", "risk_share", "average_weight"]].set_axis(labels)
    size = (8.2, 0.5 * len(table) + 0.9)
    return grouped_bars(parts, words, horizontal=True, percent=True, size=size)
