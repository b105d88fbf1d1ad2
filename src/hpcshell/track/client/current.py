"""The runs that go on in this process, and the functions for the one at hand.

The run at hand is the one that this thread (or task) has begun last; a thread that has begun none
has the latest of the process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final, SupportsInt

from hpcshell.track.client import say
from hpcshell.track.client.active import ActiveRun

going: Final[list[ActiveRun]] = []
"""All of this process that have not ended, in the order in which they began."""
_here: Final[ContextVar[tuple[ActiveRun, ...]]] = ContextVar("hpcshell_track_runs", default=())


def begun(run: ActiveRun) -> None:
    going.append(run)
    _here.set((*_here.get(), run))


def ended(run: ActiveRun) -> None:
    if run in going:
        going.remove(run)
    _here.set(tuple(each for each in _here.get() if each is not run))


def enclosing() -> ActiveRun | None:
    """The run that this thread is within, if it is within one."""
    return next((each for each in reversed(_here.get()) if each in going), None)


def active() -> ActiveRun | None:
    """The run at hand; None: there is none."""
    return enclosing() or (going[-1] if going else None)


def log(metrics: Any = None, /, step: SupportsInt | None = None, **more: Any) -> None:
    """Record metrics of the run at hand; see `ActiveRun.log`."""
    if run := _needed():
        run.log(metrics, step, **more)


def log_many(metrics: Mapping[str, Any], step: SupportsInt | None = None) -> None:
    """Record metrics with any names; see `ActiveRun.log_many`."""
    if run := _needed():
        run.log_many(metrics, step)


def params(params: Any = None, /, **more: Any) -> None:
    """Record parameters; see `ActiveRun.params`."""
    if run := _needed():
        run.params(params, **more)


def tag(tags: Any = None, /, **more: Any) -> None:
    """Tag the run at hand; see `ActiveRun.tag`."""
    if run := _needed():
        run.tag(tags, **more)


def artifact(path: str | os.PathLike[str], name: str | None = None) -> None:
    """Record where a file lies; see `ActiveRun.artifact`."""
    if run := _needed():
        run.artifact(path, name)


def checkpoint(path: str | os.PathLike[str], step: int | None = None) -> None:
    """Record where a checkpoint lies; see `ActiveRun.checkpoint`."""
    if run := _needed():
        run.checkpoint(path, step)


def note(text: str) -> None:
    """Write the note of the run at hand; see `ActiveRun.note`."""
    if run := _needed():
        run.note(text)


def _needed() -> ActiveRun | None:
    run = active()
    if run is None:
        say.once("no run", "nothing is recorded: no run has begun. Begin one with track.run(...)")
    return run
