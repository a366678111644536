"""Figures as SVG in the width of a report's column, with what a pointer over them can read."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, DateLocator, num2date
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from matplotlib.transforms import Bbox

#: inches: of a column, of a figure that spans both, and from which width on a figure spans both
COLUMN, BOTH, WIDE = 4.1, 8.4, 9.0
#: inches per label of a category, and of the rest of a figure
LABEL, REST = 0.19, 0.6
#: height of a figure without categories, by its width
RATIO = 0.66
PAD = 0.04
#: points of a line that a pointer can read at most
POINTS = 400
OWN_ID = re.compile(r' id="([^"]+)"')


def is_wide(figure: Figure) -> bool:
    """Return whether a figure spans both columns of a page."""
    return bool(figure.get_size_inches()[0] >= WIDE)


def plain_ticks(figure: Figure) -> None:
    """Give percentages round ticks and the decimals that separate them."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            formatter = axis.get_major_formatter()
            if isinstance(formatter, PercentFormatter):
                formatter.decimals = None
                axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10]))


def save_vector(figure: Figure, path: Path) -> None:
    """Write a figure as SVG in the width of a column, or of both when it is wide.

    A file with the ending ``.json`` next to it holds what a pointer can read: per panel its box, as
    fractions of the picture, the ranges of its axes and the points of its lines.
    """
    wide = is_wide(figure)
    width, height = figure.get_size_inches()
    figure.set_size_inches(
        BOTH if wide else COLUMN, height * BOTH / width if wide else _height(figure)
    )
    if not wide:
        _narrow(figure)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    box = figure.get_tightbbox(canvas.get_renderer()).padded(PAD)
    readings = list(filter(None, [_reading(figure, axes, box) for axes in figure.axes]))
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": path.stem}):
        figure.savefig(buffer, format="svg", bbox_inches=box, metadata={"Date": None})
    path.write_text(_slim(buffer.getvalue(), path.stem), encoding="utf-8")
    path.with_suffix(".json").write_text(json.dumps(readings, ensure_ascii=False), encoding="utf-8")


def _height(figure: Figure) -> float:
    """Return the height of a figure in a column, in inches, by its labels of categories."""
    labels = sum(len(axes.get_yticklabels()) for axes in figure.axes if _categorical(axes))
    panels = max(len(figure.axes), 1)
    height = figure.get_size_inches()[1]
    return max(COLUMN * RATIO, LABEL * labels + REST, min(height, 1.1 * panels))


def _categorical(axes: Axes) -> bool:
    """Return whether the vertical axis has names."""
    texts = "".join(label.get_text() for label in axes.get_yticklabels())
    return any(character.isalpha() for character in texts)


def _narrow(figure: Figure) -> None:
    """Give the axes of dates fewer ticks."""
    for axes in figure.axes:
        if isinstance(axes.xaxis.get_major_locator(), DateLocator):
            locator = AutoDateLocator(minticks=3, maxticks=6)
            axes.xaxis.set_major_locator(locator)
            axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))


def _reading(figure: Figure, axes: Axes, box: Bbox) -> dict | None:
    """Return what a pointer reads in a panel of lines; None for any other panel."""
    dated = isinstance(axes.xaxis.get_major_locator(), DateLocator)
    lines = [line for line in axes.get_lines() if np.size(line.get_xdata()) > 2]
    if not dated or not lines:
        return None
    place = axes.get_window_extent().transformed(figure.dpi_scale_trans.inverted())
    low, high = axes.get_xlim()
    series = []
    for line in lines:
        x, y = np.asarray(line.get_xdata(orig=False), float), np.asarray(line.get_ydata(), float)
        known = np.isfinite(x) & np.isfinite(y)
        x, y = x[known], y[known]
        kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).astype(int))
        if not len(x):
            continue
        points = [[_day(x[index]), round(float(y[index]), 4)] for index in kept]
        label = str(line.get_label())
        name = "" if label.startswith("_") else label
        series.append(
            {"name": name, "colour": mpl.colors.to_hex(line.get_color()), "points": points}
        )
    percent = isinstance(axes.yaxis.get_major_formatter(), PercentFormatter)
    return {
        "left": round((place.x0 - box.x0) / box.width, 4),
        "right": round((place.x1 - box.x0) / box.width, 4),
        "top": round((box.y1 - place.y1) / box.height, 4),
        "bottom": round((box.y1 - place.y0) / box.height, 4),
        "first": _day(low),
        "last": _day(high),
        "percent": percent,
        "series": series,
    }


def _day(number: float) -> str:
    return f"{num2date(number):%Y-%m-%d}"


def _slim(svg: str, stem: str) -> str:
    """Return an SVG without its prologue and the ids that nothing refers to; the others get the
    figure's name, so that two figures on a page do not share one.
    """
    svg = svg[svg.index("<svg") :]
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', svg))
    svg = OWN_ID.sub(lambda match: match[0] if match[1] in used else "", svg)
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{stem}-", svg)
    return re.sub(r"\n\s*", "\n", svg)
