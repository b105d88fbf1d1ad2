"""Output files in Slurm's own patterns, where they can say the same."""

from __future__ import annotations

import re
from typing import Final

from hpcshell.backends.contract import Order
from hpcshell.core.patterns import expand
from hpcshell.core.submission import Submission

_FIELD: Final = r"(?a)%(?:%|(\d{0,9})([A-Za-z]))"
_SAME: Final = frozenset("AauN")
"""Fields that mean the same to Slurm and to us."""


def native_file(order: Order) -> tuple[str, str] | None:
    """Patterns for output and errors ("": they go where the output goes); None where the job's
    script has to open its files itself: a backslash ends all patterns for Slurm, it knows fewer
    fields (and other indices, in a part of an array), it makes no directories whose names are only
    known on the node, and takes the working directory for a part of a pattern that begins there."""
    submission = order.spec.submission
    array = bool(submission.array)
    if order.offset or (_begins_there(submission) and re.search(r"[%\\]", submission.cwd)):
        return None
    shown = [
        _in_slurm(pattern, submission.name, array) if pattern else ""
        for pattern in (submission.stdout, submission.stderr)
    ]
    if None in shown or any("%" in parent_of(pattern or "") for pattern in shown):
        return None
    return shown[0] or "", shown[1] or ""


def _begins_there(submission: Submission) -> bool:
    """Whether a file is named from the working directory on."""
    named = (each for each in (submission.stdout, submission.stderr) if each)
    return not all(each.startswith("/") for each in named)


def parent_of(pattern: str) -> str:
    """The directory that a pattern's files are in; "" for the job's own."""
    return pattern.rpartition("/")[0]


def directories(order: Order) -> list[str]:
    """Those that have to be there for Slurm to open the files: it makes none."""
    submission, named = order.spec.submission, native_file(order)
    found = []
    for pattern in (named or ()) if submission.stdout else ():
        parent = parent_of(pattern)
        whole = parent if parent.startswith("/") else f"{submission.cwd}/{parent}"
        if parent not in ("", "/dev") and whole.rstrip("/") != submission.cwd.rstrip("/"):
            found.append(whole)
    return list(dict.fromkeys(found))


def _in_slurm(pattern: str, name: str, array: bool) -> str | None:
    """The same pattern for Slurm; None where it cannot say it."""
    if "\\" in pattern:
        return None
    parts, last = [], 0
    for found in re.finditer(_FIELD, pattern):
        field = _field(found, name, array)
        if field is None or "%" in pattern[last : found.start()]:
            return None
        parts += [pattern[last : found.start()], field]
        last = found.end()
    return None if "%" in pattern[last:] else "".join(parts) + pattern[last:]


def _field(found: re.Match[str], name: str, array: bool) -> str | None:
    """One field; what is known already is put in its place."""
    width, letter = found[1] or "", found[2]
    if letter is None:
        return "%%"
    if letter in _SAME:
        return f"%{width}{letter}"
    if letter == "j":  # to Slurm that is the number of an element, which says nothing to people
        return f"%{width}A" if width or not array else "%A_%a"
    if letter in "xnts":
        known = expand(found[0], job=0, element=None, name=name, user="", node="")
        return known.replace("%", "%%") if "\\" not in known else None
    return None
