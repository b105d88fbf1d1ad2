"""Parallel coordinates: a line for each point through the values of its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import FigureBase

from hpcshell.flow.results.points import Point
from hpcshell.sweeps.drawing.chosen import Drawn
from hpcshell.sweeps.drawing.scales import BELOW, Scale, labels, scaled
from hpcshell.sweeps.drawing.shades import Shades, clipped

Array: TypeAlias = np.ndarray[Any, Any]
MOST_AXES: Final = 8
"""Parameters that are drawn: those that explain most."""
MOST_LINES: Final = 1000
SPREAD: Final = 0.06
"""How far lines through one word lie apart, in lengths of the axis."""
LABEL: Final = {
    "boxstyle": "square,pad=0.12",
    "facecolor": "white",
    "edgecolor": "none",
    "alpha": 0.8,
}


def parallel(figure: FigureBase, drawn: Drawn) -> None:
    """Draw it; the best points are drawn last, over the others."""
    params = drawn.params[:MOST_AXES]
    points, values = drawn.some(MOST_LINES)
    longest = 18 if len(params) < 5 else 10
    scales = [scaled([point.params.get(param) for point in points], longest) for param in params]
    last = scaled(clipped(values))
    axes = figure.subplots()
    order = np.argsort(np.argsort(np.array(values) * drawn.sign, kind="stable"))
    heights = [_spread(scale, order) for scale in scales] + [np.array(last.places)]
    lines = np.stack(
        [np.stack([np.full(len(points), at), ys], 1) for at, ys in enumerate(heights)], 1
    )
    colours = Shades(values, drawn.direction)
    _lines(axes, lines, order, [colours.of(value) for value in values])
    _rulers(axes, [*params, drawn.metric], [*scales, last])


def _lines(axes: Axes, lines: Array, order: Array, colours: Sequence[Any]) -> None:
    """The best are drawn last, and those among the first tenth stand out."""
    count = len(lines)
    faint = min(0.9, max(0.2, 60 / count))
    shades = np.array(colours)
    shades[:, 3] = np.where(order < max(1, count // 10), 0.95, faint)
    behind_first = np.argsort(-order)
    axes.add_collection(
        LineCollection(
            list(lines[behind_first]),
            colors=shades[behind_first],
            linewidths=0.9 if count > 100 else 1.4,
        )
    )


def _spread(scale: Scale, order: Array) -> Array:
    """Lines through one word lie side by side, the best ones lowest, so that each can be seen."""
    places = np.array(scale.places)
    if not scale.words:
        return places
    step = min(1.0, 1 / max(1, len(scale.ticks) - 1))
    return places + (order / max(1, len(order) - 1) - 0.5) * min(SPREAD, step / 2)


def _rulers(axes: Axes, names: Sequence[str], scales: Sequence[Scale]) -> None:
    axes.set_xlim(-0.15, len(names) - 0.6)
    unset = any(place == BELOW for scale in scales for place in scale.places)
    axes.set_ylim(BELOW - 0.06 if unset else -0.06, 1.06)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    for at, scale in enumerate(scales):
        axes.plot([at, at], [0, 1], color="#333", linewidth=1.0, zorder=3)
        for place, label in _apart(scale.ticks):
            axes.plot([at, at + 0.03], [place, place], color="#333", linewidth=0.8, zorder=3)
            axes.text(at + 0.045, place, label, va="center", size=7.5, zorder=4, bbox=LABEL)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    turned = max(map(len, names)) > 11
    axes.set_xticks(
        range(len(names)),
        labels(names, 26),
        rotation=20 if turned else 0,
        ha="left" if turned else "center",
        weight="bold",
    )


def _apart(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Of very many labels as many as have room."""
    step = -(-len(ticks) // 24)
    return list(ticks[::step])


def shown(points: Sequence[Point]) -> int:
    """How many of the points have a line."""
    return min(len(points), MOST_LINES)
