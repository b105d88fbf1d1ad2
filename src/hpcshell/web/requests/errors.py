"""What is wrong with a request before anybody has looked at what it asks for."""

from __future__ import annotations

from hpcshell.core.errors import NotYet, Refused, Wrong


class HostNotAllowed(Refused):
    """The name by which we are called is none of ours."""


class OriginNotAllowed(Refused):
    """A page of somebody else sent this."""


class MethodNotAllowed(Wrong):
    """What is there does not take this method. `allowed`: those that it takes."""

    def __init__(self, message: str, hint: str, allowed: tuple[str, ...]) -> None:
        super().__init__(message, hint)
        self.allowed = allowed


class TooLarge(Wrong):
    """More than is taken in."""


class Unsupported(Wrong):
    """The body is of a kind that is not read."""


class Slow(Wrong):
    """The request took too long to arrive."""


class TooMany(NotYet):
    """Requests came faster than is allowed. `after`: seconds until the next one may come."""

    def __init__(self, message: str, hint: str, after: float) -> None:
        super().__init__(message, hint)
        self.after = after


class Cut(Wrong):
    """The client has gone before all of its request was there."""


class Ending(NotYet):
    """The server ends, and a request is not carried out for that."""

    def __init__(self) -> None:
        super().__init__("the server is ending", "send the request again when it is back")


class HeadTooLarge(Wrong):
    """The line and the headers of the request are too long."""


class NotSatisfiable(Wrong):
    """A range begins behind the end of the file. `size`: of the whole file."""

    def __init__(self, size: int) -> None:
        super().__init__(
            f"the file has {size:,} bytes: the range lies behind its end", "ask for an earlier part"
        )
        self.size = size


class CsrfMissing(Refused):
    """A change by a session, which did not come from a form of ours."""
