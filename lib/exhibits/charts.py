"""Charts that notebooks share. Words, colours and numbers come from the caller; no chart computes a
result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lib.exhibits.vector import is_wide


def diverging_bars(
    values: pd.Series, colours: tuple[str, str], write: Callable[[float], str], xlabel: str = ""
) -> Figure:
    """Draw horizontal bars from zero, the largest on top, each with its value at its end.

    Parameters
    ----------
    values : Series, (N,)
        Indexed by the labels; NaN leaves its line empty with a dash.
    colours : tuple of str
        Of a rise and of a fall.
    write : callable
        Turns a value into the text at its bar.
    """
    figure, axes = plt.subplots(figsize=(7.6, 0.235 * len(values) + 0.7), layout="constrained")
    _bars(axes, values, colours, write)
    axes.set_xlabel(xlabel)
    return figure


def panels_of_bars(
    groups: Mapping[str, pd.Series],
    colours: tuple[str, str],
    write: Mapping[str, Callable[[float], str]],
    columns: int = 2,
) -> Figure:
    """Draw one panel of diverging bars per group, each on its own scale.

    Parameters
    ----------
    groups : mapping of title to Series
    colours : tuple of str
        Of a rise and of a fall.
    write : mapping of title to callable
        How each group's values are written.
    columns : int
        Panels side by side; they are stacked into the column that is shortest so far.
    """
    stacks: list[list[str]] = [[] for _ in range(columns)]
    for title in groups:
        lengths = [sum(len(groups[name]) + 2.2 for name in stack) for stack in stacks]
        stacks[int(np.argmin(lengths))].append(title)
    height = max(sum(len(groups[name]) + 2.2 for name in stack) for stack in stacks)
    figure = plt.figure(figsize=(9.6, 0.24 * height + 0.2), layout="constrained")
    for part, stack in zip(figure.subfigures(1, columns, squeeze=False)[0], stacks, strict=True):
        rows = part.subplots(
            len(stack), 1, squeeze=False, height_ratios=[len(groups[name]) + 0.6 for name in stack]
        )
        for axes, title in zip(rows[:, 0], stack, strict=True):
            axes.set_title(title)
            _bars(axes, groups[title], colours, write[title])
    return figure


def _bars(
    axes: Axes, values: pd.Series, colours: tuple[str, str], write: Callable[[float], str]
) -> None:
    values = values.sort_values(na_position="first", kind="stable")
    heights = values.fillna(0.0).to_numpy()
    places = np.arange(len(values))
    axes.barh(places, heights, height=0.72, color=np.where(heights >= 0, *colours))
    reach = max(np.abs(heights).max(), 1e-12)
    for place, value in zip(places, values, strict=True):
        end = 0.0 if np.isnan(value) else value
        axes.annotate(
            "–" if np.isnan(value) else write(value),
            (end, place),
            xytext=(3 if end >= 0 else -3, 0),
            textcoords="offset points",
            ha="left" if end >= 0 else "right",
            va="center",
            fontsize=7.5,
        )
    axes.set_yticks(places, values.index)
    axes.set_ylim(-0.6, len(values) - 0.4)
    # room for the values at both ends
    low, high = min(heights.min(), 0), max(heights.max(), 0)
    axes.set_xlim(low - 0.16 * (high - low + reach * 0.2), high + 0.16 * (high - low + reach * 0.2))
    axes.axvline(0, color="#444444", linewidth=0.8)
    axes.grid(False)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(axis="x", length=0, labelbottom=False)


def nav_chart(
    nav: pd.DataFrame,
    labels: Mapping[str, str],
    *,
    drawdown_of: str,
    nav_label: str,
    drawdown_label: str,
    band: pd.DataFrame | None = None,
) -> Figure:
    """Draw net asset values as lines and one line's drawdown as an area below.

    Parameters
    ----------
    nav : DataFrame, (T, K)
        Indexed by date, the main line first.
    labels : mapping
        The words at each line's end.
    drawdown_of : str
        The column whose drawdown is shown.
    band : DataFrame, (T, 2), optional
        Lower and upper edge of a band behind the main line.
    """
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(8.6, 4.8), sharex=True, layout="constrained", height_ratios=[3, 1]
    )
    if band is not None:
        top.fill_between(
            band.index, band.iloc[:, 0], band.iloc[:, 1], color="#0072B2", alpha=0.15, linewidth=0
        )
    styles = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))]
    for place, column in enumerate(nav.columns):
        top.plot(
            nav.index,
            nav[column],
            linestyle=styles[place % len(styles)],
            linewidth=1.8 if not place else 1.3,
        )
    label_ends(top, nav, labels)
    top.set_ylabel(nav_label)
    fall = nav[drawdown_of] / nav[drawdown_of].cummax() - 1
    bottom.fill_between(fall.index, fall, 0, color="#999999", linewidth=0)
    bottom.set_ylabel(drawdown_label)
    bottom.yaxis.set_major_formatter(PercentFormatter(1.0))
    bottom.set_ylim(top=0)
    return figure


def legend_above(axes: Axes, columns: int) -> None:
    """Put the legend above the plot, where it hides nothing, in so many columns, two at most where
    the report shows the figure in a column.
    """
    figure = axes.get_figure(root=True)
    if figure is not None and not is_wide(figure):
        columns = min(columns, 2)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0.2)


def label_ends(axes: Axes, lines: pd.DataFrame, labels: Mapping[str, str]) -> None:
    """Write each line's name at its last value, moved apart where they would touch, or above the
    plot where the report shows the figure in a column.
    """
    drawn = zip(lines.columns, axes.get_lines(), strict=False)
    colours = {}
    for column, line in drawn:
        line.set_label(labels[column])
        colours[column] = line.get_color()
    figure = axes.get_figure(root=True)
    if figure is not None and not is_wide(figure):
        legend_above(axes, 2)
        return
    last = lines.ffill().iloc[-1].sort_values()
    low, high = axes.get_ylim()
    gap = 0.055 * (high - low)
    places: list[float] = []
    for value in last:
        places.append(max(value, places[-1] + gap) if places else value)
    for column, place in zip(last.index, places, strict=True):
        axes.annotate(
            labels[column],
            (1.0, place),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            color=colours[column],
            va="center",
            fontsize=8,
            annotation_clip=False,
        )


def now_against_before(
    table: pd.DataFrame, labels: Sequence[str], colours: tuple[str, str], words: tuple[str, str]
) -> Figure:
    """Draw a dot for each line's value now and a ring for the value before, joined, the largest on
    top.

    Parameters
    ----------
    table : DataFrame, (N, 2)
        Now and before; fractions.
    labels : sequence of str, (N,)
    colours : tuple of str
        Of a rise and of a fall.
    words : tuple of str
        What the dot and the ring are called.
    """
    order = np.argsort(table.iloc[:, 0].to_numpy(), kind="stable")
    now, before = table.iloc[order, 0].to_numpy(), table.iloc[order, 1].to_numpy()
    places = np.arange(len(order))
    figure, axes = plt.subplots(figsize=(7.6, 0.27 * len(order) + 1.0), layout="constrained")
    shades = np.where(now >= before, *colours)
    axes.hlines(places, before, now, color=shades, linewidth=2)
    axes.scatter(
        before, places, s=34, facecolor="white", edgecolor="#555555", zorder=3, label=words[1]
    )
    axes.scatter(now, places, s=34, color=shades, zorder=4, label=words[0])
    axes.set_yticks(places, [labels[place] for place in order])
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(axis="x")
    axes.grid(axis="y", visible=False)
    axes.legend(loc="lower right")
    return figure
