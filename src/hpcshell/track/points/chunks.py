"""Points of a metric, and the bytes that they are kept as.

encode(solid(Points([1, 2], [5.0, 6.0], [0.3, 0.2])))    48 bytes
decode(chunk, 2)                                         the same as arrays of numpy

A chunk holds `count` steps (int64), then times (float64), then values (float64), little-endian.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote

_STEP: Final = np.dtype("<i8")
_FLOAT: Final = np.dtype("<f8")
_STEPS: Final = range(-(1 << 63), 1 << 63)
_SPECIAL: Final = re.compile(r"\s*[+-]?(nan|inf|infinity)\s*", re.IGNORECASE | re.ASCII)


class Points(NamedTuple):
    """Points of one metric as they came in; the three are as long as each other."""

    steps: Sequence[int]
    times: Sequence[float]
    """Unix seconds, whatever the clock said that gave them."""
    values: Sequence[float]
    """NaN and infinities, too."""

    @classmethod
    def of(cls, points: Sequence[tuple[int, float, float]]) -> Points:
        """From triples of step, time and value."""
        return cls(*zip(*points, strict=True)) if points else cls((), (), ())


class Columns(NamedTuple):
    """Points that were read: int64, float64, float64."""

    steps: NDArray[np.int64]
    times: NDArray[np.float64]
    values: NDArray[np.float64]

    def take(self, which: Any) -> Columns:
        """Those of these indices, or of this slice."""
        return Columns(self.steps[which], self.times[which], self.values[which])


def solid(points: Points) -> Points:
    """The same as machine numbers. Raises `Wrong` for what is not an int64 step, a finite time and
    a number."""
    try:
        steps, times = array("q", points.steps), array("d", points.times)
        values = array("d", points.values)
    except (TypeError, ValueError, OverflowError):
        check(points)
        raise
    if not all(map(math.isfinite, times)) or not len(steps) == len(times) == len(values):
        check(points)
    return Points(steps, times, values)


def encode(points: Points) -> bytes:
    """A chunk of points that are `solid`."""
    return packed(Columns(*map(np.asarray, points)))


def check(points: Points) -> None:
    """Raises `Wrong` for the first point that cannot be kept."""
    if not len(points.steps) == len(points.times) == len(points.values):
        raise Wrong("there are not as many times and values as steps", "give each point all three")
    for step, time, value in zip(points.steps, points.times, points.values, strict=True):
        if not isinstance(step, int) or step not in _STEPS:
            raise Wrong("a step is no whole number of 64 bits", "count steps from 0")
        if not isinstance(time, float | int) or not _finite(time):
            raise Wrong("a time is no finite number", "times are Unix seconds")
        if not isinstance(value, float | int) or not _fits(value):
            raise Wrong("a value is no number of 64 bits", "log numbers; NaN and inf are some")


def decode(chunk: bytes, count: int) -> Columns:
    """The points of a chunk, without a copy."""
    return Columns(
        np.frombuffer(chunk, _STEP, count),
        np.frombuffer(chunk, _FLOAT, count, 8 * count),
        np.frombuffer(chunk, _FLOAT, count, 16 * count),
    )


def joined(parts: Sequence[Columns]) -> Columns:
    """Points of several chunks, in their order."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Columns(np.empty(0, _STEP), np.empty(0, _FLOAT), np.empty(0, _FLOAT))
    return Columns(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def packed(columns: Columns) -> bytes:
    """The chunk of points that were read."""
    return b"".join(
        (
            columns.steps.astype(_STEP, copy=False).tobytes(),
            columns.times.astype(_FLOAT, copy=False).tobytes(),
            columns.values.astype(_FLOAT, copy=False).tobytes(),
        )
    )


def value_of(said: object) -> float:
    """A value as JSON may say it: a number, or one of the words NaN, Infinity, -Infinity, in
    whatever case, also short. Raises `Wrong`."""
    if isinstance(said, float | int):  # true and false, too
        if _fits(said):
            return float(said)
    elif isinstance(said, str) and _SPECIAL.fullmatch(said):
        return float(said)
    raise Wrong(
        f"{quote(str(said))} is no value of a metric",
        'give a number, or "NaN", "Infinity" or "-Infinity"',
    )


def _finite(number: float) -> bool:
    return _fits(number) and math.isfinite(number)


def _fits(number: float) -> bool:
    try:
        float(number)
    except OverflowError:
        return False
    return True
