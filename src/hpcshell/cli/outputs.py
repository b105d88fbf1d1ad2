"""The files that a simulation writes: none may be one that it reads, and each is written once.

A file is told by what it is, not by its name alone: links give it several.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hpcshell.cli.contenders import is_file
from hpcshell.core.errors import Wrong
from hpcshell.core.words import safe
from hpcshell.sim.policies import Policy, policy_names

STDOUT: Final = "-"


def jobs_path(path: str, policy: Policy, policies: int) -> str:
    """Where the jobs go: of several policies, the name stands before the ending of the file's."""
    if policies == 1:
        return path
    stem, ending = os.path.splitext(path)
    return f"{stem}-{policy.slug}{ending}"


def check_outputs(chosen: Mapping[str, Any], policies: list[Policy]) -> None:
    """Refuse before anything long begins what could not be written, and what would destroy an
    input or another output. Raises `Wrong`."""
    taken = {mark: what for what, path in _inputs(chosen) for mark in _marks(path)}
    for option, path in _outputs(chosen, policies):
        told = f"{option}: {safe(path)}"
        if path != STDOUT:
            _check_place(told, path)
        marks = list(_marks(path))
        other = next((taken[mark] for mark in marks if mark in taken), None)
        if other is not None:
            raise Wrong(f"{told} is {other}", "name another file")
        taken |= dict.fromkeys(marks, f"what {option} writes already")
    _check_pictures(chosen["plot"], taken)


def _inputs(chosen: Mapping[str, Any]) -> Iterator[tuple[str, str | int]]:
    """What each file that is read is to this simulation, and its path or descriptor."""
    trace = chosen["trace"]
    if trace == "-":
        trace = _stdin()
    if trace is not None:
        yield "the trace itself", trace
    named = [*chosen["policies"]]
    if chosen["compare"] is not None:
        named += policy_names(chosen["compare"])
    for name in filter(is_file, named):
        yield "the policy file itself", name
    for option, what in (
        ("machine", "the machine file itself"),
        ("gangs", "the gangs file itself"),
    ):
        if chosen[option] is not None:
            yield what, chosen[option]


def _stdin() -> int | None:
    try:
        return sys.stdin.fileno()
    except OSError:  # a stream of text with no file behind it
        return None


def _outputs(chosen: Mapping[str, Any], policies: list[Policy]) -> Iterator[tuple[str, str]]:
    """The option of each file that is written, and its path; of several policies each has its
    own."""
    for option in ("csv", "jobs_out", "report", "plot", "out"):
        path = chosen[option]
        if path is None:
            continue
        told = f"--{option.replace('_', '-')}"
        if option != "jobs_out":
            yield told, path
            continue
        if path == STDOUT and len(policies) > 1:
            raise Wrong(f"{told}: of several policies each has its own file", "name a file")
        for policy in policies:
            yield told, jobs_path(path, policy, len(policies))


def _marks(path: str | int) -> Iterator[object]:
    """By what a file is known: what it is, if it is there, and where it is. Devices and the like
    have none: nothing is lost that is written there."""
    if path == STDOUT:
        yield STDOUT
        return
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        found = None
    if found is not None and not stat.S_ISREG(found.st_mode):
        return
    if found is not None:
        yield found.st_dev, found.st_ino
    if isinstance(path, str):
        yield os.path.realpath(path)


def _check_place(told: str, path: str) -> None:
    """A file can be made there, and whoever reads a named pipe is there."""
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise Wrong(f"{told} cannot be written", f"there is no directory {safe(folder)}")
    try:
        if stat.S_ISFIFO(os.stat(path).st_mode):
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise Wrong(f"{told} is a pipe that nobody reads", "name a file") from None
    except ValueError as error:  # a zero byte
        raise Wrong(f"{told} cannot be written: {error}", "name another file") from None


def _check_pictures(plot: str | None, taken: Mapping[object, str]) -> None:
    """No picture that is drawn into a directory may be one of the other files."""
    if plot is None or (os.path.splitext(plot)[1] and not os.path.isdir(plot)):
        return
    folder = os.path.realpath(plot)
    for mark, what in taken.items():
        if isinstance(mark, str) and mark.endswith(".png") and os.path.dirname(mark) == folder:
            raise Wrong(f"--plot: in {safe(plot)} is {what}", "name another directory")
