"""The errors a person sees: what is wrong, then what to do.

Three kinds (DESIGN rule 6) and the exit codes of the one documented table. A class stands for a
kind;
`exit_code` may be narrowed by a subclass. Everything else that escapes is a defect of ours.
"""

from __future__ import annotations


class HpcError(Exception):
    """What is wrong in one sentence, and a hint saying what to do about it."""

    kind = "broken"
    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class Broken(HpcError):
    """Ours to mend, or the machine's: disk full, database damaged, a process that would not
    start."""


class Wrong(HpcError):
    """Will always fail as it was asked."""

    kind = "wrong"
    exit_code = 2


class NotFound(HpcError):
    """Names a job, an element or a file that is not there."""

    kind = "not_found"
    exit_code = 3


class Refused(HpcError):
    """Understood, and not allowed: somebody else's job, a state that does not permit it."""

    kind = "refused"
    exit_code = 4


class Unreachable(HpcError):
    """The daemon does not answer."""

    kind = "unreachable"
    exit_code = 5


class WaitTimedOut(HpcError):
    """A wait ended before what it waited for."""

    kind = "wait_timed_out"
    exit_code = 6


class NotYet(HpcError):
    """May succeed later without any change of the request."""

    kind = "not_yet"
    exit_code = 75


KINDS: dict[str, type[HpcError]] = {
    cls.kind: cls for cls in (Broken, Wrong, NotFound, Refused, Unreachable, WaitTimedOut, NotYet)
}
"""How an error that crossed the socket becomes the same class again."""
