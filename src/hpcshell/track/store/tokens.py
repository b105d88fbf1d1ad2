"""Tokens: who may ask the server. Only their digests are kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, bindparam, select

from hpcshell.core.errors import NotFound
from hpcshell.track.store import texts
from hpcshell.track.store.tables import tokens

MARK: Final = "hpc_"
"""What tokens begin with, for those who search texts for secrets."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a token; the token itself only its owner has."""

    id: int
    name: str
    user: str
    role: str
    scopes: list[str] = []
    """Rights, fewer than the role has; none: all that it has."""
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    used_at: float | None = None
    session: bool = False
    """Whether it is of somebody who has logged in with another token."""

    def valid(self, now: float) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


_COLUMNS: Final = tuple(tokens.c[name] for name in Token.__struct_fields__)
_found: Final = select(*_COLUMNS).where(tokens.c.digest == bindparam("digest"))


def digest_of(token: str) -> str:
    """By what it is found."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def create(
    connection: Connection,
    name: str,
    *,
    user: str,
    role: str,
    scopes: Sequence[str] = (),
    expires_at: float | None = None,
    session: bool = False,
    now: float,
) -> tuple[str, Token]:
    """A new token, and what is known of it. Raises `Wrong`."""
    token = MARK + secrets.token_urlsafe(32)
    values = {
        "name": texts.key(name, "name"),
        "digest": digest_of(token),
        "user": texts.key(user, "user"),
        "role": role,
        "scopes": " ".join(scopes),
        "created_at": now,
        "expires_at": None if expires_at is None else texts.instant(expires_at, "expires_at"),
        "session": session,
    }
    connection.execute(tokens.insert(), values)
    made = find(connection, digest_of(token))
    assert made is not None
    return token, made


def find(connection: Connection, digest: str) -> Token | None:
    """The one with this digest, valid or not."""
    row = connection.execute(_found, {"digest": digest}).first()
    return None if row is None else _token(row)


def listed(connection: Connection, *, sessions: bool = False) -> list[Token]:
    """All of them, the oldest first, those of sessions on demand."""
    statement = select(*_COLUMNS).order_by(tokens.c.id)
    if not sessions:
        statement = statement.where(tokens.c.session.is_(False))
    return [_token(row) for row in connection.execute(statement)]


def revoke(connection: Connection, id: int, now: float) -> Token:
    """It is valid no more; again does nothing. Raises `NotFound`."""
    its = tokens.c.id == texts.row_id(id, "token")
    connection.execute(
        tokens.update().where(its, tokens.c.revoked_at.is_(None)).values(revoked_at=now)
    )
    row = connection.execute(select(*_COLUMNS).where(its)).first()
    if row is None:
        raise NotFound(f"there is no token {id}", "hpc web token list")
    return _token(row)


def used(connection: Connection, ids: Sequence[int], now: float) -> None:
    """They were used; told from time to time, not on every use."""
    connection.execute(tokens.update().where(tokens.c.id.in_(ids)).values(used_at=now))


def _token(row: Row[Any]) -> Token:
    known: dict[str, Any] = dict(row._mapping)
    return Token(**known | {"scopes": known["scopes"].split()})
