"""Who a token stands for, asked of the store at most every few seconds."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import OrderedDict
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from hpcshell.track.store.tables import tokens
from hpcshell.web.context import Context
from hpcshell.web.security.callers import ROLES, Caller
from hpcshell.web.security.limits import TOKEN

FRESH: Final = 5.0
"""Seconds for which what the store has said is believed."""
KNOWN: Final = 10_000
"""Tokens that are remembered."""


class _Known(msgspec.Struct, frozen=True):
    caller: Caller
    digest: str
    expires_at: float | None
    asked: float


class Tokens:
    """The tokens of one server."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def caller(self, token: str, how: str = "token") -> Caller | None:
        """Whom the token stands for; `None`: nobody, or no more."""
        if not TOKEN.fullmatch(token):
            return None
        digest = hashlib.sha256(token.encode()).hexdigest()
        known = self._known.get(digest)
        if known is None or time.monotonic() - known.asked > FRESH:
            known = await self._ask(digest, how)
        if known is None or not hmac.compare_digest(known.digest, digest):
            return None
        if known.expires_at is not None and known.expires_at <= time.time():
            return None
        return known.caller

    def forget(self) -> None:
        """Ask the store again: a token has been revoked."""
        self._known.clear()

    async def _ask(self, digest: str, how: str) -> _Known | None:
        row = await self._context.read(lambda connection: _found(connection, digest))
        self._known.pop(digest, None)
        if row is None or row.role not in ROLES:
            return None
        rights = ROLES[row.role]
        if row.scopes:
            rights &= frozenset(row.scopes.split())
        caller = Caller(user=row.user, role=row.role, rights=rights, how=how, token=row.id)
        known = _Known(caller, row.digest, row.expires_at, time.monotonic())
        self._known[digest] = known
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return known


def _found(connection: Connection, digest: str) -> Any:
    query = select(tokens).where(tokens.c.digest == digest, tokens.c.revoked_at.is_(None))
    return connection.execute(query).one_or_none()
