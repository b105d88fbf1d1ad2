"""Where output goes. The job script opens the job's files itself, so that they can be read while it
runs; what the shell says before that goes to a file in the job's directory.

Only paths whose characters nobody on the way (qsub, server, the copying on the node) gives a
meaning of its own are handed to PBS.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from hpcshell.backends.contract import Order
from hpcshell.core.errors import Wrong
from hpcshell.core.submission import Submission
from hpcshell.core.words import quote

_PLAIN: Final = re.compile(r"/[A-Za-z0-9_./+@%=-]*\Z")
_FIELD: Final = re.compile(r"%(%|\d*[jAaxNutnbsr])")
_INDEX: Final = "^array_index^"
"""What OpenPBS puts an element's index in place of; Torque adds it at the end by itself."""


def output_words(order: Order, torque: bool) -> Iterable[tuple[str, ...]]:
    if order.capture:
        yield from _captured(order, torque)
    else:
        yield from _handed_on(order, torque)


def _captured(order: Order, torque: bool) -> Iterable[tuple[str, ...]]:
    yield ("-j", "oe")
    if _PLAIN.match(order.directory) is None:
        yield ("-o", "/dev/null")
        return
    element = f".{_INDEX}" if order.indices and not torque else ""
    yield ("-o", f"{order.directory}/scheduler.out{element}")


def _handed_on(order: Order, torque: bool) -> Iterable[tuple[str, ...]]:
    submission = order.spec.submission
    yield ("-W", f"umask={submission.umask:03o}")
    if submission.stdout:
        yield ("-o", _path(submission.stdout, submission, bool(order.indices), torque))
    if submission.stderr:
        yield ("-e", _path(submission.stderr, submission, bool(order.indices), torque))
    else:
        yield ("-j", "oe")


def _path(pattern: str, submission: Submission, array: bool, torque: bool) -> str:
    def value(found: re.Match[str]) -> str:
        if found[1] == "%":
            return "%"
        if found[1] == "x":
            return submission.name
        if found[1] == "a" and array and not torque:
            return _INDEX
        raise Wrong(
            f"PBS cannot put {found[0]} into the name of an output file", "use %x, or %a in arrays"
        )

    named = _FIELD.sub(value, pattern)
    path = named if named.startswith("/") else f"{submission.cwd}/{named}"
    if _PLAIN.match(path.replace(_INDEX, "")) is None:
        raise Wrong(
            f"PBS cannot be trusted with the output path {quote(path)}",
            "use letters, digits and . _ + - @ % = in it",
        )
    return path
