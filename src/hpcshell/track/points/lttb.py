"""Fewer points that look the same: largest triangle, three buckets.

Sveinn Steinarsson, "Downsampling Time Series for Visual Representation", 2013. Of each bucket that
point is kept that spans the largest triangle with the one kept before and the mean of the next
bucket. Besides, the first and the last point, the least and the greatest value, and where gaps
(NaN, infinities) begin are always kept.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

LEAST: Final = 4
"""Points that are kept at least: the first, the last, the least and the greatest."""

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


def pick(x: Floats, y: Floats, most: int) -> Indices:
    """The indices, ascending, of at most `most` (4 or more) of the points, which are in the order
    of `x`."""
    if len(x) <= most:
        return np.arange(len(x))
    finite = np.flatnonzero(np.isfinite(y))
    kept = {0, len(x) - 1}
    if len(finite):
        kept |= {int(finite[np.argmin(y[finite])]), int(finite[np.argmax(y[finite])])}
    gaps = _spread(_beginnings(y), min(most // 4, most - len(kept)))
    fixed = np.union1d(np.fromiter(kept, np.intp), gaps)
    room = most - len(fixed)
    shape = finite[_triangles(_scaled(x[finite]), _scaled(y[finite]), room)]
    return np.union1d(fixed, shape)


def _beginnings(y: Floats) -> Indices:
    """Where numbers end and a gap begins."""
    gap = ~np.isfinite(y)
    return np.flatnonzero(gap[1:] & ~gap[:-1]) + 1


def _spread(indices: Indices, most: int) -> Indices:
    """At most so many of them, evenly."""
    if len(indices) <= most:
        return indices
    return indices[np.linspace(0, len(indices) - 1, most).astype(np.intp)]


def _scaled(numbers: Floats) -> Floats:
    """Within -1 and 1, so that no product of two is too large."""
    peak = np.abs(numbers).max(initial=0.0)
    return numbers / peak if peak > 0 else numbers


def _triangles(x: Floats, y: Floats, most: int) -> Indices:
    """At most `most` points, the first and the last among them where there is room for three."""
    if len(x) <= most:
        return np.arange(len(x))
    if most < 3:
        return np.empty(0, np.intp)
    edges = np.linspace(1, len(x) - 1, most - 1).astype(np.intp)
    widths = np.diff(np.append(edges, len(x)))
    mean_x = np.add.reduceat(x, edges) / widths
    mean_y = np.add.reduceat(y, edges) / widths
    chosen = np.empty(most, np.intp)
    chosen[0], chosen[-1] = 0, len(x) - 1
    at = 0
    bounds = edges.tolist()
    for bucket in range(most - 2):
        low, high = bounds[bucket], bounds[bucket + 1]
        from_x, from_y = x[at], y[at]
        across, up = mean_x[bucket + 1] - from_x, mean_y[bucket + 1] - from_y
        areas = np.abs(across * (y[low:high] - from_y) - (x[low:high] - from_x) * up)
        at = low + int(areas.argmax())
        chosen[bucket + 1] = at
    return chosen
