"""Figures that no machine can mean, and texts that no terminal or file system would take, are
refused before they are recorded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any, Final

from hpcshell.core.errors import Wrong
from hpcshell.core.models import check_dtype, check_mode
from hpcshell.core.options.read import CAUSES, GROWS
from hpcshell.core.patterns import LONGEST_PATH, check_pattern
from hpcshell.core.records import ModelAsk
from hpcshell.core.submission import Submission
from hpcshell.core.units import LARGEST
from hpcshell.core.words import check_name, one_line, quote

MOST: Final = 2**31
"""No figure of a person's is larger, in either direction."""
LONGEST: Final = 1e10
"""Seconds; three hundred years."""
LATEST: Final = 1e12
"""An instant in the year 33658."""
MOST_TAGS: Final = 1000

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
    "checkpoint.number": (1, 64),
    "checkpoint.before": (0, LONGEST),
    "model.ctx": (0, MOST),
    "model.batch": (0, MOST),
    "model.cards": (0, MOST),
    "model.predicted": (0, LARGEST),
}


_EXIT: Final = r"(?a)exit:[0-9]{1,3}\Z"


def _tags(tags: tuple[str, ...], where: str) -> None:
    if len(tags) > MOST_TAGS:
        raise Wrong(f"{len(tags):,} tags are too many", f"the limit is {MOST_TAGS:,}")
    for tag in tags:
        check_name(tag, where)


def _directory(text: str, where: str) -> None:
    """What it is called is the file system's affair, and how long that is the kernel's."""
    if len(text.encode()) > LONGEST_PATH:
        raise Wrong(f"{where}: {len(text):,} characters are too long", f"at most {LONGEST_PATH:,}")


def _model(ask: ModelAsk, where: str) -> None:
    check_name(ask.name, where)
    check_mode(ask.mode, f"{where}.mode")
    if ask.dtype:
        check_dtype(ask.dtype, f"{where}.dtype")
    if ask.family:
        check_name(ask.family, f"{where}.family")


TEXTS: Final[dict[str, Callable[[Any, str], object]]] = {
    "name": check_name,
    "account": check_name,
    "qos": check_name,
    "reservation": check_name,
    "profile": check_name,
    "tags": _tags,
    "comment": one_line,
    "model": _model,
    "cwd": _directory,
    "stdin": check_pattern,
    "stdout": check_pattern,
    "stderr": check_pattern,
}
"""Texts that are kept, shown to people and used as paths, and what they must be."""


def check_texts(submission: Submission) -> None:
    """Raise `Wrong` for the first text that could not be kept or shown."""
    for name, check in TEXTS.items():
        if text := getattr(submission, name):
            check(text, name)


def check_figures(submission: Submission) -> None:
    """Raise `Wrong` for the first figure out of bounds."""
    for name, value in _figures(submission):
        low, high = _BOUNDS[name]
        if value is not None and not low <= value <= high:
            raise Wrong(f"{name} cannot be {value}", f"give {low:,} to {high:,}")
    for name, factor in (*submission.retry.grow.items(), *submission.retry.cap.items()):
        if name not in GROWS:
            raise Wrong(f"{quote(name)} cannot grow", f"what can: {', '.join(GROWS)}")
        if not (factor > 0 and isfinite(factor)):
            raise Wrong(f"a request cannot grow by {name}={factor}", "give a number above 0")
    if submission.on_never not in ("end", "hold"):
        raise Wrong(f"on_never cannot be {quote(submission.on_never)}", "give end or hold")
    for warn in (submission.warn, submission.checkpoint):
        if warn is not None and warn.to not in ("leader", "all"):
            raise Wrong(f"a signal cannot go to {quote(warn.to)}", "give leader or all")
    for cause in submission.retry.on:
        if cause not in CAUSES and not re.match(_EXIT, cause):
            raise Wrong(f"{quote(cause)} is no cause to try again", f"give {', '.join(CAUSES)}")


def _figures(submission: Submission) -> Iterator[tuple[str, float | None]]:
    for name in ("priority", "nice", "umask", "begin", "deadline", "grace"):
        yield name, getattr(submission, name)
    yield "time_limit", submission.request.time_limit
    for name in ("limit", "delay", "factor", "max_delay", "jitter"):
        yield f"retry.{name}", getattr(submission.retry, name)
    for name, warn in (("warn", submission.warn), ("checkpoint", submission.checkpoint)):
        if warn is not None:
            yield f"{name}.number", warn.number
            yield f"{name}.before", warn.before
    if (model := submission.model) is not None:
        for name in ("ctx", "batch", "cards", "predicted"):
            yield f"model.{name}", getattr(model, name)
