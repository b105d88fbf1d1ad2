"""Figures that no machine can mean are refused before they are recorded."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.submission import Submission

MOST: Final = 2**31
"""No figure of a person's is larger, in either direction."""
LONGEST: Final = 1e10
"""Seconds; three hundred years."""
LATEST: Final = 1e12
"""An instant in the year 33658."""

_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "priority": (-MOST, MOST),
    "nice": (-MOST, MOST),
    "umask": (0, 0o777),
    "begin": (0, LATEST),
    "deadline": (0, LATEST),
    "grace": (0, LONGEST),
    "time_limit": (0, LONGEST),
    "retry.limit": (0, 1_000_000),
    "retry.delay": (0, LONGEST),
    "retry.factor": (0, 1e6),
    "retry.max_delay": (0, LONGEST),
    "retry.jitter": (0, 1),
    "warn.number": (1, 64),
    "warn.before": (0, LONGEST),
}


def check_figures(submission: Submission) -> None:
    """Raise `Wrong` for the first figure out of bounds."""
    for name, value in _figures(submission):
        low, high = _BOUNDS[name]
        if value is not None and not low <= value <= high:
            raise Wrong(f"{name} cannot be {value}", f"give {low:g} to {high:g}")
    for name, factor in (*submission.retry.grow.items(), *submission.retry.cap.items()):
        if not (factor > 0 and isfinite(factor)):
            raise Wrong(f"a request cannot grow by {name}={factor}", "give a number above 0")
    if submission.on_never not in ("end", "hold"):
        raise Wrong(f"on_never cannot be {submission.on_never!r}", "give end or hold")
    if submission.warn is not None and submission.warn.to not in ("leader", "all"):
        raise Wrong(f"a signal cannot go to {submission.warn.to!r}", "give leader or all")


def _figures(submission: Submission) -> Iterator[tuple[str, float | None]]:
    for name in ("priority", "nice", "umask", "begin", "deadline", "grace"):
        yield name, getattr(submission, name)
    yield "time_limit", submission.request.time_limit
    for name in ("limit", "delay", "factor", "max_delay", "jitter"):
        yield f"retry.{name}", getattr(submission.retry, name)
    if submission.warn is not None:
        yield "warn.number", submission.warn.number
        yield "warn.before", submission.warn.before
