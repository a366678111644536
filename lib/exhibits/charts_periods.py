"""Heat map of returns by calendar period."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure


def period_heat_map(
    panels: Sequence[pd.DataFrame], titles: Sequence[str], colours: tuple[str, str]
) -> Figure:
    """Draw one heat map of returns per panel, below each other, each on its own scale.

    Parameters
    ----------
    panels : sequence of DataFrame, (R, P)
        Fractions, rows by label, periods as columns; NaN is left blank.
    titles : sequence of str
        One per panel.
    colours : tuple of str
        Of a rise and of a fall.
    """
    shades = LinearSegmentedColormap.from_list("signs", [colours[1], "white", colours[0]])
    rows = [len(panel) for panel in panels]
    figure, grid = plt.subplots(
        len(panels),
        1,
        figsize=(9.0, 0.34 * sum(rows) + 1.0 * len(panels)),
        layout="constrained",
        height_ratios=rows,
        squeeze=False,
    )
    for axes, panel, title in zip(grid[:, 0], panels, titles, strict=True):
        reach = float(np.nanmax(np.abs(panel.to_numpy(float)), initial=1e-6))
        sns.heatmap(
            panel * 100,
            ax=axes,
            cmap=shades,
            vmin=-130 * reach,
            vmax=130 * reach,
            annot=True,
            fmt=".1f",
            annot_kws={"size": 7.5},
            cbar=False,
            linewidths=0.6,
        )
        axes.set(title=title, xlabel="", ylabel="")
        axes.grid(visible=False)
        axes.tick_params(axis="both", length=0)
        axes.tick_params(axis="y", rotation=0)
        axes.tick_params(axis="x", rotation=0)
    return figure
