"""Orders for the tests of PBS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hpcshell.backends.contract import Order, Site
from hpcshell.core.errors import Wrong
from hpcshell.core.jobspec import JobSpec, Layout
from hpcshell.core.records import Request
from hpcshell.core.submission import Submission

T = TypeVar("T")
OPENPBS = Site(version="23.06.06", flavour="openpbs")
TORQUE = Site(version="6.1.2", flavour="torque")


def order(
    *,
    layout: Layout | None = None,
    time: float | None = None,
    native: tuple[str, ...] = (),
    setup: tuple[str, ...] = (),
    asked: dict[str, Any] | None = None,
    **said: Any,
) -> Order:
    """A job that runs `true`; `said` are fields of the submission, `asked` those of the order."""
    submission = Submission(
        **{
            "argv": ("true",),
            "cwd": "/home/alice",
            "env": {},
            "name": "job",
            "request": Request(time_limit=time),
            **said,
        }
    )
    spec = JobSpec(submission=submission, layout=layout or Layout(), native=native, setup=setup)
    return Order(**{"spec": spec, "key": "k-1", "directory": "/home/alice/.hpc/1", **(asked or {})})


def directives(text: str) -> list[str]:
    """The #PBS lines of a script, without the marker."""
    return [line[5:] for line in text.splitlines() if line.startswith("#PBS ")]


def unless_refused(make: Callable[[], T]) -> T | None:
    """What it makes; None where that was refused, with a hint."""
    try:
        return make()
    except Wrong as refusal:
        hint = refusal.hint
    assert hint
    return None
