"""Who is calling, and what they may do.

    @get("/jobs", guards=[needs(READ)])

A role is a set of rights; a token may have fewer (its scopes) and never more than its role.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.words import nearest, quote

READ: Final = "read"
"""See everything that one's role may see."""
TRACK: Final = "track"
"""Make and change experiments and runs, log metrics, upload files."""
JOBS: Final = "jobs"
"""Submit jobs and sweeps, and change one's own."""
EVENTS: Final = "events"
"""Say what became of a cluster's jobs, as epilogs do."""
OPERATE: Final = "operate"
"""Change what is others', and the machine's state."""
ADMIN: Final = "admin"
"""Tokens, retention, and all else."""

ROLES: Final[dict[str, frozenset[str]]] = {
    "viewer": frozenset({READ}),
    "user": frozenset({READ, TRACK, JOBS}),
    "operator": frozenset({READ, TRACK, JOBS, EVENTS, OPERATE}),
    "admin": frozenset({READ, TRACK, JOBS, EVENTS, OPERATE, ADMIN}),
}
ALIASES: Final = {"guest": "viewer", "reader": "viewer", "readonly": "viewer", "read": "viewer"}
SCOPES: Final = ROLES["admin"]
CALLER: Final = "hpcshell.caller"
"""Key of the ASGI scope under which the `Caller` is."""


class Caller(msgspec.Struct, frozen=True):
    """Whoever sends a request."""

    user: str
    role: str
    rights: frozenset[str]
    how: str
    """`token`, `session`, `proxy` or `socket`."""
    token: int | None = None
    """The number of the token."""

    def may(self, right: str) -> bool:
        """Whether this caller has the right."""
        return right in self.rights


def role_of(word: str) -> str:
    """The role that is meant. Raises `Wrong`."""
    role = ALIASES.get(word.strip().lower(), word.strip().lower())
    if role not in ROLES:
        near = nearest(role, ROLES)
        hint = f"did you mean {near}?" if near else "there are " + ", ".join(ROLES)
        raise Wrong(f"there is no role {quote(word)}", hint)
    return role


def scopes_of(role: str, words: Sequence[str]) -> list[str]:
    """The rights that are meant, of those of a role. Raises `Wrong`."""
    rights = ROLES[role]
    for word in words:
        if word not in rights:
            near = nearest(word, rights)
            hint = f"did you mean {near}?" if near else "there are " + ", ".join(sorted(rights))
            raise Wrong(f"the role {role} has no right {quote(word)}", hint)
    return sorted(set(words))


class Unauthenticated(Refused):
    """Nobody known is calling."""


def caller_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Caller:
    """Who sends this request. Raises `Unauthenticated`."""
    caller = connection.scope.get(CALLER)
    if not isinstance(caller, Caller):
        raise Unauthenticated(
            "this needs a token", "Authorization: Bearer ...; make one: hpc web token create"
        )
    return caller


def needs(right: str) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]:
    """A guard that lets only those through who have the right."""

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        caller = caller_of(connection)
        if not caller.may(right):
            raise Refused(
                f"this needs the right {right!r}, which a token of role {caller.role} "
                "with its scopes does not have",
                "make another: hpc web token create --role ROLE",
            )

    guard.right = right  # type: ignore[attr-defined]  # for the OpenAPI document
    return guard
