"""Marginals: the metric over the values of each parameter, all others averaged over."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from hpcshell.flow.results.figures import median, quantile
from hpcshell.flow.results.levels import levels
from hpcshell.sim.report.ink import COLOURS
from hpcshell.sweeps.drawing.chosen import Drawn
from hpcshell.sweeps.drawing.scales import BELOW, Scale, by_logarithm, cut, logarithmic, scaled
from hpcshell.sweeps.drawing.shades import clipped, limits

MOST: Final = 9
"""Parameters that are drawn: those that explain most."""
COLUMNS: Final = 3
MOST_DOTS: Final = 400
JITTER: Final = 0.22
LETTER: Final = 0.03
"""The width of a letter, in lengths of the axis."""


def rows(drawn: Drawn) -> int:
    """Rows of small pictures."""
    return math.ceil(min(MOST, len(drawn.params)) / COLUMNS)


def marginals(figure: FigureBase, drawn: Drawn) -> None:
    """Draw them: a dot for each point, and the median and the middle half of each level."""
    params = drawn.params[:MOST]
    columns = min(COLUMNS, len(params))
    panels = figure.subplots(rows(drawn), columns, sharey=True, squeeze=False)
    for panel in panels.flat[len(params) :]:
        panel.set_visible(False)
    for panel, param in zip(panels.flat, params, strict=False):
        _panel(panel, drawn, param)
    _limit(panels.flat[0], drawn.values)
    for row in panels:
        row[0].set_ylabel(cut(drawn.metric, 24))


def _limit(axes: Axes, values: Sequence[float]) -> None:
    """The heights that all panels share."""
    low, high = limits(values)
    if low < high and by_logarithm(clipped(values)):
        axes.set_yscale("log")
        logarithmic(axes.yaxis, low, high)
        axes.set_ylim(low / (high / low) ** 0.06, high * (high / low) ** 0.06)
    elif low < high:
        axes.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))


def _panel(axes: Axes, drawn: Drawn, param: str) -> None:
    values = [point.params.get(param) for point in drawn.points]
    scale = scaled(values, 12)
    parts = levels(values)
    few = scale.words or len(scale.ticks) == len(parts)
    width = 1 / max(2, len(parts)) if few else 0.0
    _dots(axes, drawn, scale, width)
    places = [median([scale.places[at] for at in members]) for _, members in parts]
    groups = [sorted(drawn.values[at] for at in members) for _, members in parts]
    middles = [quantile(group, 0.5) for group in groups]
    below = [middle - quantile(group, 0.25) for middle, group in zip(middles, groups, strict=True)]
    above = [quantile(group, 0.75) - middle for middle, group in zip(middles, groups, strict=True)]
    axes.errorbar(
        places,
        middles,
        (below, above),
        color=COLOURS[1],
        marker="o",
        markersize=4,
        linestyle="none",
        capsize=2.5,
        zorder=3,
    )
    if not scale.words:
        line = [at for at, place in enumerate(places) if place != BELOW]
        axes.plot([places[at] for at in line], [middles[at] for at in line], color=COLOURS[1])
    axes.set_xlim(min(-0.1, min(scale.places) - 0.08), 1.1)
    _ticks(axes, scale)
    explained = f"explains {drawn.effects[param].explained_ranks:.0%}"
    axes.set_title(f"{cut(param, 26)}\n{explained}", size=8.5)


def _dots(axes: Axes, drawn: Drawn, scale: Scale, width: float) -> None:
    """Of very many points some, taken evenly; side by side where many stand on one value."""
    step = -(-len(drawn.points) // MOST_DOTS)
    at = np.arange(0, len(drawn.points), step)
    aside = (np.modf(at * 0.618034)[0] - 0.5) * 2 * JITTER * width
    axes.scatter(
        np.array(scale.places)[at] + aside,
        np.array(drawn.values)[at],
        s=7,
        color=COLOURS[0],
        alpha=min(0.6, max(0.2, 40 / len(at))),
        linewidths=0,
    )


def _ticks(axes: Axes, scale: Scale) -> None:
    ticks: Sequence[tuple[float, str]] = scale.ticks[:: -(-len(scale.ticks) // 12)]
    turned = any(
        (len(label) + len(after) + 3) * LETTER / 2 > there - here
        for (here, label), (there, after) in pairwise(ticks)
    )
    axes.set_xticks(
        [place for place, _ in ticks],
        [label for _, label in ticks],
        rotation=40 if turned else 0,
        ha="right" if turned else "center",
        rotation_mode="anchor",
        size=7.5,
    )
