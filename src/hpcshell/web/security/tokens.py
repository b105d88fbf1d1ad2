"""Who a token stands for, asked of the store at most every few seconds."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Final

import msgspec

from hpcshell.machine import clock
from hpcshell.track.store import tokens
from hpcshell.track.store.tokens import Token
from hpcshell.web.context import Context
from hpcshell.web.security.callers import ROLES, Caller
from hpcshell.web.security.limits import TOKEN

FRESH: Final = 5.0
"""Seconds for which what the store has said is believed."""
KNOWN: Final = 10_000
"""Tokens that are remembered."""
USED: Final = 60.0
"""Seconds after which it is written down again that a token was used."""


class _Known(msgspec.Struct, frozen=True):
    caller: Caller
    token: Token
    asked: float


class Tokens:
    """The tokens of one server."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def caller(self, text: str, *, session: bool = False) -> Caller | None:
        """Whom a token stands for; `None`: nobody, or no more. One of a session is none that
        could be sent otherwise, nor is another one of a session.

        It is looked up by its digest: how long that takes says nothing about any token.
        """
        if not TOKEN.fullmatch(text):
            return None
        digest = tokens.digest_of(text)
        known = self._known.get(digest)
        if known is None or time.monotonic() - known.asked > FRESH:
            known = await self._ask(digest)
        if known is None or known.token.session != session:
            return None
        return known.caller if known.token.valid(clock.now()) else None

    def is_known(self, text: str) -> bool:
        """Whether it was somebody's when it was asked for last: nobody guesses at it."""
        return tokens.digest_of(text) in self._known

    def forget(self) -> None:
        """Ask the store again: a token has been revoked."""
        self._known.clear()

    async def _ask(self, digest: str) -> _Known | None:
        token = await self._context.read(lambda connection: tokens.find(connection, digest))
        self._known.pop(digest, None)
        if token is None or token.role not in ROLES:
            return None
        self._write_down_use(token)
        rights = ROLES[token.role]
        if token.scopes:
            rights &= frozenset(token.scopes)
        how = "session" if token.session else "token"
        caller = Caller(user=token.user, role=token.role, rights=rights, how=how, token=token.id)
        self._known[digest] = known = _Known(caller, token, time.monotonic())
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return known

    def _write_down_use(self, token: Token) -> None:
        now = clock.now()
        if token.valid(now) and now - (token.used_at or 0.0) > USED:
            self._context.store.enqueue(lambda connection: tokens.used(connection, [token.id], now))
