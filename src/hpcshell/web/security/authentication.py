"""Who is calling: a token, a session, a proxy's word, or the kernel's on a Unix socket."""

from __future__ import annotations

import base64
import binascii
import os
from typing import Any, Final

from hpcshell.core.errors import HpcError
from hpcshell.web.context import Context
from hpcshell.web.requests.errors import TooMany
from hpcshell.web.security import limits, sessions
from hpcshell.web.security.callers import ROLES, Caller, Unauthenticated
from hpcshell.web.security.guessing import Guesses
from hpcshell.web.security.heads import Head
from hpcshell.web.security.proxies import Proxies
from hpcshell.web.security.tokens import Tokens

GUESSES: Final = 10
"""Different tokens that nobody has, of one peer, that are answered in a minute."""
MISTAKES: Final = 60
"""The same of words that can be no token: whoever sends these guesses at nothing."""
PEER: Final = "hpcshell.peer"
"""Key of the ASGI scope under which the user id of a Unix socket's peer is."""


class Authentication:
    """All ways of being known."""

    def __init__(self, context: Context) -> None:
        self.tokens = Tokens(context)
        self.proxies = Proxies(context.settings.web)
        self._unknown = limits.rates(context.settings.web)
        """How often each peer has sent what had to be looked up."""
        self._guesses = Guesses(GUESSES)
        self._mistakes = Guesses(MISTAKES)

    async def caller(self, head: Head, scope: Any) -> Caller | None:
        """Who sends this; `None`: nobody says so. Raises `Unauthenticated` and `TooMany`."""
        given = head.headers.get(b"authorization")
        if given is not None:
            token = _token_in(given)
            caller = await self._whose(head, token)
            if caller is None:
                might_be = limits.TOKEN.fullmatch(token) is not None
                raise self.failed(head, given.decode("latin-1"), guess=might_be)
            return caller
        session = sessions.cookies_of(head).get(sessions.name_of(head), "")
        if session and (caller := await self._whose(head, session, session=True)):
            return caller
        uid = scope.get(PEER)
        if uid in (0, os.geteuid()) and uid not in self.proxies.uids:
            return Caller(user=f"uid {uid}", role="admin", rights=ROLES["admin"], how="socket")
        return self.proxies.told(head, uid)

    async def _whose(self, head: Head, text: str, *, session: bool = False) -> Caller | None:
        """Whom a token stands for. To find out costs a look into the store, unless it was right
        before; raises `TooMany` for a peer who makes us look too often."""
        if not self.tokens.is_known(text):
            limits.check_rate(self._unknown, head.peer)
        return await self.tokens.caller(text, session=session)

    def failed(self, head: Head, word: str, *, guess: bool = True) -> HpcError:
        """The error for a word that is no token, or nobody's. Different ones are counted, and who
        sends a right one is not kept out. `guess`: it might have been one."""
        counted = self._guesses if guess else self._mistakes
        if wait := counted.take(head.peer, word):
            return TooMany("too many wrong tokens", "wait, then send a right one", wait)
        return Unauthenticated(
            "that token is not known, has expired or was revoked", "hpc web token create"
        )


def _token_in(header: bytes) -> str:
    """The token of an Authorization header; empty: there is none."""
    scheme, _, rest = header.decode("latin-1").partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip()
        case "basic":  # as in http://token:TOKEN@host, for programs that know no tokens
            try:
                return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
            except (binascii.Error, ValueError):
                return ""
    return ""
