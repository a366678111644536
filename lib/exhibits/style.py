"""The house style of the figures: fonts, colours, the line of origin below each."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import matplotlib.pyplot as plt
import pylopdf_fonts_zh_cn
from matplotlib import font_manager
from matplotlib.figure import Figure

#: Okabe and Ito's colours, told apart by colour-blind readers and, in this order, in greyscale
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555")
#: a rise and a fall; both directions are also told by the side of the axis they are on
UP, DOWN = "#0072B2", "#D55E00"
#: red for a rise, as Chinese readers expect, darker than the green so that greyscale keeps them apart
UP_RED, DOWN_GREEN = "#B2182B", "#5AAE61"
DPI = 150
STYLE = Path(__file__).resolve().parent / "house.mplstyle"


@lru_cache(maxsize=1)
def _chinese_font() -> str:
    path = Path(pylopdf_fonts_zh_cn.__file__).parent / "NotoSansSC-Regular.otf"
    font_manager.fontManager.addfont(str(path))
    return font_manager.FontProperties(fname=str(path)).get_name()


def apply_style() -> None:
    """Use the house style for every figure from here on; Chinese comes from a packaged font."""
    plt.style.use(["default", str(STYLE)])
    plt.rcParams["font.family"] = ["DejaVu Sans", _chinese_font()]


def sign_colours(language: str, rise: str = "auto") -> tuple[str, str]:
    """Return the colours of a rise and of a fall.

    Parameters
    ----------
    language : str
        Of the edition.
    rise : str
        ``red``: falls are green; ``blue``: falls are orange; ``auto``: red in the Chinese edition, blue otherwise.
    """
    red = rise == "red" or (rise == "auto" and language == "zh")
    return (UP_RED, DOWN_GREEN) if red else (UP, DOWN)


def add_source_line(figure: Figure, line: str, synthetic: str = "") -> None:
    """Write the line of origin below a figure, and across its top right corner that the data are synthetic."""
    figure.text(0.005, -0.005, line, ha="left", va="top", fontsize=7, color="#555555")
    if synthetic:
        figure.text(0.995, 1.005, synthetic.upper(), ha="right", va="bottom", fontsize=7.5, color="#8A2A00")


def save(figure: Figure, path: Path) -> None:
    """Write a PNG that is the same for the same figure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI, bbox_inches="tight", pad_inches=0.08, metadata={"Software": None})
