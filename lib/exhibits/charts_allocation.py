"""Charts of the global allocation; words and numbers come from the caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lib.exhibits.charts import HATCHES, grouped_bars, strip_with_intervals
from lib.exhibits.style import PALETTE


def stacked_weights(
    weights: pd.DataFrame, classes: pd.Series, words: Mapping[str, str], labels: Sequence[str]
) -> Figure:
    """Draw weights as stacked columns, (K, N): colour and hatch show the class, lightness and label
    the asset.

    Parameters
    ----------
    weights : DataFrame, (K, N)
        Fractions, indexed by decision.
    classes : Series, (N,)
        Class of each asset.
    words : mapping
        Labels of the classes.
    labels : sequence of str, (N,)
        Name of each asset.
    """
    figure, axes = plt.subplots(figsize=(9.6, 5.2), layout="constrained")
    names = list(dict.fromkeys(classes[weights.columns]))
    floor = np.zeros(len(weights))
    places = np.arange(len(weights))
    for column, label in zip(weights.columns, labels, strict=True):
        kind = names.index(classes[column])
        members = [c for c in weights.columns if classes[c] == classes[column]]
        alpha = 1.0 - 0.7 * members.index(column) / max(len(members), 2)
        height = weights[column].to_numpy()
        colour = (*plt.matplotlib.colors.to_rgb(PALETTE[kind]), alpha)
        axes.bar(
            places,
            height,
            bottom=floor,
            width=0.85,
            facecolor=colour,
            hatch=HATCHES[kind % 4],
            edgecolor="white",
            linewidth=0.6,
            label=f"{words[classes[column]]} · {label}",
        )
        for place, (low, part) in enumerate(zip(floor, height, strict=True)):
            if part > 0.05:
                axes.text(
                    place,
                    low + part / 2,
                    f"{part:.0%}",
                    ha="center",
                    va="center",
                    fontsize=6.5,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
                )
        floor = floor + height
    axes.set_xticks(places, [f"{date:%Y-%m}" for date in weights.index], rotation=45)
    axes.set_ylim(0.0, 1.0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    handles, texts = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1], texts[::-1], loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7
    )
    return figure


def class_budgets(table: pd.DataFrame, labels: Sequence[str], words: Mapping[str, str]) -> Figure:
    """Draw budget, realised contribution to risk and weight of each class side by side.

    Parameters
    ----------
    table : DataFrame, (C, 3)
        ``budget``, ``risk_contribution``, ``weight``: fractions, one row per class.
    labels : sequence of str, (C,)
        Name of each class.
    words : mapping
        Labels of the columns.
    """
    parts = table[["budget", "risk_contribution", "weight"]].set_axis(labels)
    return grouped_bars(parts, words, percent=True, size=(7.6, 3.6))


def cycle_panels(
    parts: Mapping[str, tuple[pd.Series, pd.Series, pd.Timestamp]], words: Mapping[str, str]
) -> Figure:
    """Draw one panel per class: its yearly change, the sum of its cycles with forecast, and the
    present.
    """
    figure, grid = plt.subplots(2, 2, figsize=(9.6, 5.4), layout="constrained")
    for axes, (title, (change, fitted, today)) in zip(grid.flat, parts.items(), strict=False):
        axes.plot(change.index, change, color="#999999", linewidth=0.9, label=words["change"])
        axes.plot(fitted.index, fitted, linewidth=1.8, label=words["fitted"])
        axes.axvline(today, color="#444444", linestyle=":", linewidth=1.0, label=words["today"])
        axes.set_title(title)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    grid.flat[0].legend(loc="best", fontsize=7)
    return figure


def edge_lines(full: pd.Series, real_time: pd.Series, words: Mapping[str, str]) -> Figure:
    """Draw a filtered series as it is seen with all data and as each month saw its own last value.

    Parameters
    ----------
    full : Series, (T,)
        Filtered with all data, indexed by month.
    real_time : Series, (T,)
        Filtered with the data until each month.
    words : tuple of str
        Labels of the two lines.
    """
    figure, axes = plt.subplots(figsize=(8.6, 3.6), layout="constrained")
    axes.plot(full.index, full, linewidth=1.6, label=words["full_sample"])
    axes.plot(real_time.index, real_time, linewidth=1.2, linestyle="--", label=words["real_time"])
    axes.axhline(0, color="#444444", linewidth=0.6)
    axes.legend(loc="best")
    return figure


def sharpe_strip(table: pd.DataFrame, labels: Sequence[str], xlabel: str) -> Figure:
    """Draw Sharpe ratios as dots, one line per label in the table's order.

    A label of one row gets a bar of one standard error, ``sharpe_error``, each way; several rows of
    one label are a distribution and get none. The first row is drawn as a dashed line across all
    others.

    Parameters
    ----------
    table : DataFrame, (N, 2)
        ``sharpe`` and its standard error ``sharpe_error``.
    labels : sequence of str, (N,)
        Name of each row.
    xlabel : str
        Of the axis of values.
    """
    error = table["sharpe_error"]
    ratios = pd.DataFrame(
        {
            "value": table["sharpe"],
            "low": table["sharpe"] - error,
            "high": table["sharpe"] + error,
        }
    )
    return strip_with_intervals(ratios, labels, xlabel, mark=table["sharpe"].iloc[0])
