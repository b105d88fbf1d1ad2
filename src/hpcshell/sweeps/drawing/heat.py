"""A heat map: the median of the metric over the values of two parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from hpcshell.flow.results.figures import median
from hpcshell.flow.results.levels import levels
from hpcshell.sweeps.drawing.chosen import Drawn
from hpcshell.sweeps.drawing.scales import cut, labels
from hpcshell.sweeps.drawing.shades import Shades

MOST_FIGURES: Final = 100
"""Cells that have their number written in them, at most."""
BRIGHT: Final = 0.5
EMPTY: Final = "#e8e8e8"


def heat(figure: FigureBase, drawn: Drawn) -> None:
    """Draw it; a cell without a point is grey."""
    assert drawn.heat is not None
    across, up = drawn.heat
    columns = levels([point.params.get(across) for point in drawn.points])
    rows = levels([point.params.get(up) for point in drawn.points])
    cells = np.full((len(rows), len(columns)), np.nan)
    for y, (_, members) in enumerate(rows):
        inside = set(members)
        for x, (_, others) in enumerate(columns):
            if both := [drawn.values[at] for at in others if at in inside]:
                cells[y, x] = median(both)
    axes = figure.subplots()
    colours = Shades(cells[~np.isnan(cells)].tolist(), drawn.direction)
    axes.set_facecolor(EMPTY)
    edges = (np.arange(len(columns) + 1) - 0.5, np.arange(len(rows) + 1) - 0.5)
    axes.pcolormesh(
        *edges, cells, norm=colours.norm, cmap=colours.map, edgecolor="white", linewidth=0.6
    )
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    _label(axes, [name for name, _ in columns], [name for name, _ in rows])
    axes.set_xlabel(cut(across, 60), weight="bold")
    axes.set_ylabel(cut(up, 40), weight="bold")
    if cells.size <= MOST_FIGURES:
        _write(axes, cells, colours)
    colours.bar(figure, axes, f"median {cut(drawn.metric, 40)}")


def _label(axes: Axes, across: Sequence[str], up: Sequence[str]) -> None:
    shown = labels(across, 22)
    turned = sum(map(len, shown)) > 80
    axes.set_xticks(
        range(len(shown)),
        shown,
        rotation=45 if turned else 0,
        ha="right" if turned else "center",
        rotation_mode="anchor",
        size=8 if len(shown) <= 20 else 6,
    )
    axes.set_yticks(range(len(up)), labels(up, 18), size=8 if len(up) <= 20 else 6)


def _write(axes: Axes, cells: np.ndarray[Any, Any], colours: Shades) -> None:
    for (y, x), value in np.ndenumerate(cells):
        if not np.isnan(value):
            red, green, blue, _ = colours.of(value)
            bright = 0.299 * red + 0.587 * green + 0.114 * blue > BRIGHT
            axes.text(
                x, y, f"{value:.3g}", ha="center", va="center", size=8,
                color="black" if bright else "white",
            )  # fmt: skip
