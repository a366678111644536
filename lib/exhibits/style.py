"""House style of the figures: fonts, colours, the source line below each figure."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import matplotlib.pyplot as plt
import pylopdf_fonts_zh_cn
from matplotlib import font_manager
from matplotlib.figure import Figure

#: Okabe and Ito's colours, distinct for colour-blind readers and, in this order, in greyscale
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555")
#: colours of a rise and of a fall; the side of the axis shows the direction as well
UP = "#0072B2"
DOWN = "#D55E00"
#: red for a rise, as Chinese readers expect, darker than the green so that they differ in greyscale
UP_RED = "#B2182B"
DOWN_GREEN = "#5AAE61"
DPI = 150
STYLE = Path(__file__).resolve().parent / "house.mplstyle"


@lru_cache(maxsize=1)
def _chinese_font() -> str:
    path = Path(pylopdf_fonts_zh_cn.__file__).parent / "NotoSansSC-Regular.otf"
    font_manager.fontManager.addfont(str(path))
    return font_manager.FontProperties(fname=str(path)).get_name()


def apply_style() -> None:
    """Set the house style for all figures; Chinese characters come from a packaged font."""
    plt.style.use(["default", str(STYLE)])
    plt.rcParams["font.family"] = ["DejaVu Sans", _chinese_font()]


def sign_colours(language: str, rise: str = "auto") -> tuple[str, str]:
    """Return the colours of a rise and of a fall.

    Parameters
    ----------
    language : str
        Of the report.
    rise : str
        ``red``: falls are green; ``blue``: falls are orange; ``auto``: red in Chinese reports, blue
        otherwise.
    """
    red = rise == "red" or (rise == "auto" and language == "zh")
    return (UP_RED, DOWN_GREEN) if red else (UP, DOWN)


def add_source_line(figure: Figure, line: str, synthetic: str = "") -> None:
    """Write the source below a figure, and a mark of synthetic data at its top right corner.

    Parameters
    ----------
    figure : Figure
        Changed in place.
    line : str
        Source and date of the data.
    synthetic : str
        The mark; empty for real data.
    """
    # a second call replaces what the first one wrote
    for text in list(figure.texts):
        if text.get_gid() in ("source", "synthetic"):
            text.remove()
    figure.text(0.005, -0.005, line, ha="left", va="top", fontsize=7, color="#555555", gid="source")
    if synthetic:
        figure.text(
            0.995,
            1.005,
            synthetic.upper(),
            ha="right",
            va="bottom",
            fontsize=7.5,
            color="#8A2A00",
            gid="synthetic",
        )


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG; the same figure gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI, bbox_inches="tight", pad_inches=0.08, metadata={"Software": None})
