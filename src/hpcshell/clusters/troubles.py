"""A site's troubles as errors for a person: its own words are kept, and the exit code is ours."""

from __future__ import annotations

from typing import Final

from hpcshell.backends.contract import Kind, Trouble
from hpcshell.core.errors import Broken, HpcError, NotFound, NotYet, Refused, Unreachable, Wrong

UNANSWERED: Final[tuple[Kind, ...]] = ("busy", "unset", "broken")
"""Kinds of trouble in which nothing was said of the jobs themselves."""


class NotSetUp(Unreachable):
    """The site's commands are not there: nothing was asked of it, and nothing taken."""


_ERRORS: Final[dict[Kind, type[HpcError]]] = {
    "wrong": Wrong,
    "limit": NotYet,
    "busy": NotYet,
    "denied": Refused,
    "gone": NotFound,
    "unset": NotSetUp,
    "broken": Broken,
}
_HINTS: Final[dict[Kind, str]] = {
    "limit": "it can be submitted once others of yours have ended",
    "busy": "try again later; how it answers: hpc cluster status",
    "denied": "ask the site for the right to do this",
    "gone": "hpc queue and hpc history list what there is",
    "unset": "set its commands up: do they answer by hand?",
    "broken": "the words above are the scheduler's own",
}


def raised(trouble: Trouble, cluster: str) -> HpcError:
    """The error to raise for it."""
    hint = trouble.hint or _HINTS.get(trouble.kind)
    return _ERRORS[trouble.kind](f"{cluster}: {trouble.message}", hint)
