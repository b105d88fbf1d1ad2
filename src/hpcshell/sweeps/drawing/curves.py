"""Curves: the metric over the steps of points."""

from __future__ import annotations

from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from hpcshell.sim.report.ink import COLOURS
from hpcshell.sweeps.drawing.chosen import Drawn
from hpcshell.sweeps.drawing.scales import by_logarithm, cut, logarithmic, tame
from hpcshell.sweeps.drawing.shades import Shades, clipped, limits
from hpcshell.sweeps.reporting import Curve

STANDING_OUT: Final = (COLOURS[1], COLOURS[3], COLOURS[6])
"""The colours of the curves of the best, which are drawn thick and named."""


def curves(figure: FigureBase, drawn: Drawn) -> None:
    """Draw those that were read, the best last."""
    axes = figure.subplots()
    values = [[tame(value) for _, value in curve.steps] for curve in drawn.curves]
    colours = Shades([those[-1] for those in values], drawn.direction)
    for at in reversed(range(len(values))):
        _line(axes, drawn.curves[at], values[at], at, colours)
    every = [value for those in values for value in those]
    low, high = limits(every)
    if low < high and by_logarithm(clipped(every)):
        axes.set_yscale("log")
        logarithmic(axes.yaxis, low, high)
    elif low < high:
        axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    axes.set(xlabel="step", ylabel=cut(drawn.metric, 40))
    axes.margins(x=0.01)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1])
    colours.bar(figure, axes, f"last {cut(drawn.metric, 40)}")


def _line(axes: Axes, curve: Curve, values: list[float], at: int, colours: Shades) -> None:
    steps = [tame(step) for step, _ in curve.steps]
    if at < len(STANDING_OUT):
        name = f"{cut(curve.id, 16)} (rank {curve.place + 1})"
        axes.plot(steps, values, color=STANDING_OUT[at], linewidth=1.8, label=name)
    else:
        axes.plot(steps, values, color=colours.of(values[-1]), linewidth=0.9, alpha=0.7)
