"""Charts that notebooks share. Words, colours and numbers come from the caller; no chart computes a
result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lib.exhibits.style import PALETTE
from lib.exhibits.translations import MISSING
from lib.exhibits.vector import is_wide
from lib.portfolio.metrics import drawdown

#: share of the axis left free for the values at the ends of bars
ROOM_FOR_VALUES = 0.34
#: hatches of the first series, which separate them without colour
HATCHES = ("", "////", "....", "xxxx")


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
    xlabel : str
        Of the axis of values.
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
        Values of a panel by label, (N,); NaN leaves a line empty with a dash.
    colours : tuple of str
        Of a rise and of a fall.
    write : mapping of title to callable
        How each group's values are written.
    columns : int
        Panels side by side; they are stacked into the column that is shortest so far.
    """
    stacks: list[list[str]] = [[] for _ in range(columns)]
    for title in groups:
        lengths = [_height(groups, stack) for stack in stacks]
        stacks[int(np.argmin(lengths))].append(title)
    height = max(_height(groups, stack) for stack in stacks)
    figure = plt.figure(figsize=(9.6, 0.24 * height + 0.2), layout="constrained")
    for part, stack in zip(figure.subfigures(1, columns, squeeze=False)[0], stacks, strict=True):
        rows = part.subplots(
            len(stack), 1, squeeze=False, height_ratios=[len(groups[name]) + 0.6 for name in stack]
        )
        for axes, title in zip(rows[:, 0], stack, strict=True):
            axes.set_title(title)
            _bars(axes, groups[title], colours, write[title])
    return figure


def _height(groups: Mapping[str, pd.Series], stack: list[str]) -> float:
    return sum(len(groups[name]) + 2.2 for name in stack)


def _bars(
    axes: Axes, values: pd.Series, colours: tuple[str, str], write: Callable[[float], str]
) -> None:
    """Draw diverging bars into axes, the largest on top."""
    values = values.sort_values(na_position="first", kind="stable")
    heights = values.fillna(0.0).to_numpy()
    shades = np.where(heights >= 0, *colours)
    bars = axes.barh(np.arange(len(values)), heights, height=0.72, color=shades)
    written = [MISSING if pd.isna(value) else write(value) for value in values]
    axes.bar_label(bars, written, padding=3, fontsize=7.5)
    reach = max(np.abs(heights).max(), 1e-12)
    axes.set_yticks(np.arange(len(values)), values.index)
    axes.set_ylim(-0.6, len(values) - 0.4)
    # room for the values at the ends that have bars, enough in the narrow column of a page
    low = min(heights.min(), 0)
    high = max(heights.max(), 0)
    room = ROOM_FOR_VALUES * (high - low + reach * 0.2)
    axes.set_xlim(low - (room if low < 0 else 0), high + room)
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
    nav_label : str
        Of the axis of net asset values.
    drawdown_label : str
        Of the axis of drawdowns.
    """
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(8.6, 4.8), sharex=True, layout="constrained", height_ratios=[3, 1]
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
    fall = drawdown(nav[drawdown_of])
    bottom.fill_between(fall.index, fall, 0, color="#999999", linewidth=0)
    bottom.set_ylabel(drawdown_label)
    bottom.yaxis.set_major_formatter(PercentFormatter(1.0))
    bottom.set_ylim(top=0)
    return figure


def grouped_bars(
    table: pd.DataFrame,
    labels: Mapping[str, str],
    ylabel: str = "",
    *,
    horizontal: bool = False,
    percent: bool = False,
    size: tuple[float, float] = (8.0, 3.4),
) -> Figure:
    """Draw a group of bars per row and a colour and hatch per column.

    Parameters
    ----------
    table : DataFrame, (N, K)
        Indexed by the names of the rows.
    labels : mapping
        Of the columns.
    ylabel : str
        Of the values.
    horizontal : bool
        Bars to the right, the first row on top.
    percent : bool
        The values are fractions.
    size : tuple of float
        Width and height in inches.
    """
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    rows = np.arange(len(table))
    long = table.set_axis(rows).melt(ignore_index=False).set_axis(["column", "value"], axis=1)
    across, along = ("value", "row") if horizontal else ("row", "value")
    sns.barplot(
        long.rename_axis("row").reset_index(),
        x=across,
        y=along,
        hue="column",
        orient="h" if horizontal else "v",
        palette=PALETTE[: table.shape[1]],
        saturation=1,
        edgecolor="white",
        errorbar=None,
        ax=axes,
        legend=False,
    )
    for bars, column, hatch in zip(axes.containers, table, HATCHES, strict=False):
        bars.set_label(labels.get(column, column))
        for bar in bars:
            bar.set_hatch(hatch)
    (axes.set_yticks if horizontal else axes.set_xticks)(rows, table.index)
    (axes.axvline if horizontal else axes.axhline)(0, color="#444444", linewidth=0.8)
    axes.grid(axis="y" if horizontal else "x", visible=False)
    axes.set(xlabel=ylabel if horizontal else "", ylabel="" if horizontal else ylabel)
    if percent:
        value_axis = axes.xaxis if horizontal else axes.yaxis
        value_axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    if table.shape[1] > 1:
        legend_above(axes, 4)
    return figure


def strip_with_intervals(
    table: pd.DataFrame, labels: Sequence[str], xlabel: str, *, mark: float
) -> Figure:
    """Draw values as dots, one line per label in the table's order, and a dashed line across.

    Parameters
    ----------
    table : DataFrame, (N, 3)
        ``value``, ``low`` and ``high``: the ends of its interval. Several rows of one label are a
        distribution and are drawn without intervals.
    labels : sequence of str, (N,)
        Name of each row.
    xlabel : str
        Of the axis of values.
    mark : float
        Where the dashed line is.
    """
    names = list(dict.fromkeys(labels))
    figure, axes = plt.subplots(figsize=(7.6, 0.34 * len(names) + 1.0), layout="constrained")
    rows = table.assign(label=pd.Categorical(labels, names))
    several = rows["label"].duplicated(keep=False)
    dots = dict(y="label", order=names, orient="h", jitter=False, ax=axes, x="value")
    sns.stripplot(rows[~several], size=7, color=PALETTE[0], **dots)
    sns.stripplot(
        rows[several], size=6, linewidth=1.0, facecolor="none", edgecolor=PALETTE[1], **dots
    )
    single = rows[~several]
    axes.hlines(single["label"].cat.codes, single["low"], single["high"], linewidth=1.6)
    axes.axvline(mark, color="#444444", linestyle="--", linewidth=0.8)
    axes.set(xlabel=xlabel, ylabel="", ylim=(len(names) - 0.4, -0.6))
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

    Parameters
    ----------
    axes : Axes
        With one line per column, in their order.
    lines : DataFrame, (T, K)
        Indexed by date; NaN is filled with the value before.
    labels : mapping
        Name of each column.
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
