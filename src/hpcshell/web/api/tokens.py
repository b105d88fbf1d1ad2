"""Routes of tokens: for admins."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final

import msgspec
from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from hpcshell.core.errors import Wrong
from hpcshell.machine import clock
from hpcshell.track.store import tokens as kept
from hpcshell.track.store.tokens import Token
from hpcshell.web.answers.asking import read
from hpcshell.web.context import Context
from hpcshell.web.requests.stated import Name, Time, example
from hpcshell.web.security import sessions
from hpcshell.web.security.authentication import Authentication
from hpcshell.web.security.callers import (
    ADMIN,
    ALIASES,
    ROLES,
    SCOPES,
    needs,
    role_of,
    scopes_of,
)


class NewToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to make."""

    ALSO: ClassVar = example(name="notebook", user="ann", role="viewer")

    name: Name
    user: Name
    role: Annotated[str, msgspec.Meta(extra_json_schema={"enum": [*ROLES, *ALIASES]})] = "user"
    scopes: list[Annotated[str, msgspec.Meta(extra_json_schema={"enum": sorted(SCOPES)})]] = []
    """Rights, fewer than the role has; none: all that it has."""
    expires_at: Time | None = None


class MadeToken(msgspec.Struct, frozen=True, kw_only=True):
    """A new token."""

    schema: int = 1
    token: str
    """To be sent as `Authorization: Bearer`; it is told this once."""
    about: Token


class TokenList(msgspec.Struct, frozen=True, kw_only=True):
    """All tokens, those that are valid no more, too."""

    schema: int = 1
    rows: list[Token]


@get("/tokens", guards=[needs(ADMIN)], summary="List the tokens", tags=["tokens"])
async def listing(context: NamedDependency[Context]) -> Response[TokenList]:
    return await read(context, "tokens", lambda opened: TokenList(rows=kept.listed(opened)))


@post("/tokens", guards=[needs(ADMIN)], summary="Make a token", tags=["tokens"])
async def create(context: NamedDependency[Context], data: JSONBody[NewToken]) -> MadeToken:
    now = clock.now()
    role = role_of(data.role)
    scopes = scopes_of(role, data.scopes)
    if data.expires_at is not None and data.expires_at <= now:
        raise Wrong("expires_at lies in the past", "give a later one, in Unix seconds")
    text, about = await context.change(
        lambda connection: kept.create(
            connection,
            data.name,
            user=data.user,
            role=role,
            scopes=scopes,
            expires_at=data.expires_at,
            now=now,
        )
    )
    return MadeToken(token=text, about=about)


@delete(
    "/tokens/{token_id:int}",
    guards=[needs(ADMIN)],
    status_code=200,
    summary="Revoke a token, and the sessions that began with it",
    tags=["tokens"],
)
async def revoke(
    context: NamedDependency[Context],
    authentication: NamedDependency[Authentication],
    token_id: FromPath[int],
) -> Token:
    revoked = await context.change(
        lambda connection: sessions.revoke(connection, token_id, clock.now())
    )
    authentication.tokens.forget()
    return revoked


handlers: Final[list[Any]] = [listing, create, revoke]
