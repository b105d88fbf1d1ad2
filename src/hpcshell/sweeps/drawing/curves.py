"""Curves: the metric over the steps of points."""

from __future__ import annotations

from typing import Final

from matplotlib.figure import FigureBase

from hpcshell.sim.report.ink import COLOURS
from hpcshell.sweeps.drawing.chosen import Drawn
from hpcshell.sweeps.drawing.scales import by_logarithm, cut, logarithmic
from hpcshell.sweeps.drawing.shades import Shades, clipped, limits

BEST: Final = 3
"""Curves of the best that are drawn thick and named."""


def curves(figure: FigureBase, drawn: Drawn) -> None:
    """Draw those that were read, the best last."""
    axes = figure.subplots()
    lasts = [curve.steps[-1][1] for curve in drawn.curves]
    colours = Shades(lasts, drawn.direction)
    for curve in reversed(drawn.curves[BEST:]):
        axes.plot(*zip(*curve.steps, strict=True), color=colours.of(curve.steps[-1][1]),
                  linewidth=0.9, alpha=0.7)  # fmt: skip
    for at, curve in reversed(list(enumerate(drawn.curves[:BEST]))):
        name = f"{cut(curve.id, 16)} (rank {curve.place + 1})"
        axes.plot(*zip(*curve.steps, strict=True), color=COLOURS[(1, 3, 6)[at]], linewidth=1.8,
                  label=name)  # fmt: skip
    every = [value for curve in drawn.curves for _, value in curve.steps]
    low, high = limits(every)
    if low < high and by_logarithm(clipped(every)):
        axes.set_yscale("log")
        logarithmic(axes.yaxis, low, high)
    elif high > low:
        axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    axes.set(xlabel="step", ylabel=cut(drawn.metric, 40))
    axes.margins(x=0.01)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1])
    colours.bar(figure, axes, f"last {cut(drawn.metric, 40)}")
