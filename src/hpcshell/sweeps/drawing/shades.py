"""Colours by a metric, and the limits within which its values are told apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import FigureBase

from hpcshell.flow.results.figures import quantile
from hpcshell.flow.spec import Direction
from hpcshell.sweeps.drawing.scales import by_logarithm, logarithmic

COLOURS: Final = "viridis"
"""Told apart by colour-blind people, and in grey. The best are dark."""
FAR: Final = 4.0
"""Values that lie further out than so many times the middle nine tenths are drawn at the edge."""
MIDDLE: Final = (0.05, 0.95)


def limits(values: Sequence[float]) -> tuple[float, float]:
    """The lowest and the highest value, without outliers that would flatten all others."""
    ordered = sorted(values)
    low, high = (quantile(ordered, share) for share in MIDDLE)
    reach = FAR * (high - low)
    if not reach:
        return ordered[0], ordered[-1]
    return max(ordered[0], low - reach), min(ordered[-1], high + reach)


def clipped(values: Sequence[float]) -> list[float]:
    """The values, outliers at the limits."""
    low, high = limits(values)
    return [min(max(value, low), high) for value in values]


class Shades:
    """The colour of each value of a metric."""

    def __init__(self, values: Sequence[float], direction: Direction) -> None:
        low, high = limits(values)
        self._logarithmic = low < high and by_logarithm(clipped(values))
        kind = LogNorm if self._logarithmic else Normalize
        if low == high:
            low, high = low - 0.5, high + 0.5
        self._limits = low, high
        self.norm: Normalize = kind(low, high, clip=True)
        self.map = colormaps[COLOURS if direction == "minimize" else f"{COLOURS}_r"]

    def of(self, value: float) -> tuple[float, float, float, float]:
        """Red, green, blue and how opaque."""
        red, green, blue, opaque = self.map(float(self.norm(value)))
        return red, green, blue, opaque

    def bar(self, figure: FigureBase, axes: Axes, label: str) -> None:
        """Say beside the picture which value has which colour."""
        shown = ScalarMappable(self.norm, self.map)
        bar = figure.colorbar(shown, ax=axes, label=label, pad=0.02, aspect=30)
        if bar.solids is not None:  # a page takes no images
            bar.solids.set(rasterized=False, edgecolor="face")
        if self._logarithmic:
            logarithmic(bar.ax.yaxis, *self._limits)
