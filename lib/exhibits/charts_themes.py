"""Charts of the theme scores; texts and numbers come from the caller."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lib.exhibits.charts import grouped_bars, strip_with_intervals


def scores_and_gains(table: pd.DataFrame, labels: Sequence[str], words: dict[str, str]) -> Figure:
    """Draw each theme's score now (dot, coloured by gain) joined to the score before (ring).

    Parameters
    ----------
    table : DataFrame, (N, ...)
        ``previous_score``, ``latest_score``, ``change``, ``gain_peak``; the first row on top.
        Scores without a change are not comparable and not joined.
    labels : sequence of str, (N,)
        Name of each theme.
    words : dict
        ``now``, ``before``, ``score``, ``gain``.
    """
    positions = np.arange(len(table))[::-1]
    figure, axes = plt.subplots(figsize=(7.8, 0.36 * len(table) + 1.3), layout="constrained")
    axes.axvline(0, color="#888888", linewidth=0.8)
    joined = table["change"].notna().to_numpy()
    scores = table.loc[joined, ["previous_score", "latest_score"]]
    axes.hlines(
        positions[joined],
        scores["previous_score"],
        scores["latest_score"],
        color="#777777",
        linewidth=1.6,
    )
    rings = axes.scatter(
        table["previous_score"], positions, s=44, facecolor="white", edgecolor="#555555", zorder=3
    )
    dots = axes.scatter(
        table["latest_score"],
        positions,
        s=64,
        c=table["gain_peak"],
        cmap="cividis",
        edgecolor="#333333",
        linewidth=0.6,
        zorder=4,
    )
    # the dots differ in colour, so the legend shows a grey one
    dot = axes.scatter([], [], s=64, color="#888888", edgecolor="#333333", linewidth=0.6)
    bar = figure.colorbar(dots, ax=axes, pad=0.02)
    bar.set_label(words["gain"])
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_yticks(positions, labels)
    axes.set_ylim(-0.7, len(table) - 0.3)
    axes.set_xlabel(words["score"])
    axes.grid(axis="y", visible=False)
    figure.legend(
        [rings, dot],
        [words["before"], words["now"]],
        loc="outside upper left",
        ncols=2,
        frameon=False,
    )
    return figure


def rates_with_intervals(table: pd.DataFrame, labels: Sequence[str], xlabel: str) -> Figure:
    """Draw a rate and its interval per row: ``hit_rate``, ``low``, ``high``; a line marks one
    half.

    Parameters
    ----------
    table : DataFrame, (N, 3)
        ``hit_rate`` and the ends of its interval, ``low`` and ``high``: fractions.
    labels : sequence of str, (N,)
        Name of each row.
    xlabel : str
        Of the axis of rates.
    """
    rates = table[["hit_rate", "low", "high"]].rename(columns={"hit_rate": "value"})
    figure = strip_with_intervals(rates, labels, xlabel, mark=0.5)
    figure.axes[0].xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    return figure


def shares(values: pd.Series, labels: Sequence[str], xlabel: str) -> Figure:
    """Draw horizontal bars of shares, the first row on top.

    Parameters
    ----------
    values : Series, (N,)
        Fractions.
    labels : sequence of str, (N,)
        Name of each row.
    xlabel : str
        Of the axis of shares.
    """
    size = (7.2, 0.26 * len(values) + 0.9)
    bars = values.to_frame().set_axis(labels)
    return grouped_bars(bars, {}, xlabel, horizontal=True, percent=True, size=size)
