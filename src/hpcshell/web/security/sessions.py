"""Those who have logged in with a token in a browser: a cookie that no script reads, and a word
that proves that a form is one of ours.

A session is a token of its own, which only the cookie may carry, and ends with the one before it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Final
from urllib.parse import parse_qs

from sqlalchemy import Connection

from hpcshell.track.store import tokens
from hpcshell.track.store.tokens import Token
from hpcshell.web.requests.errors import CsrfMissing
from hpcshell.web.security.callers import Caller
from hpcshell.web.security.heads import Head

LASTS: Final = 12 * 3600.0
"""Seconds after which one has to log in again."""
LOGIN: Final = "/login"
"""Where one logs in, by a form that is proved by a cookie of its own."""
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
HEADER: Final = b"x-csrf-token"
FIELD: Final = "csrf"


def name_of(head: Head) -> str:
    """The cookie's name: servers on several ports of one machine share their cookies."""
    return f"hpc_session_{head.server[1] or 0}"


def form_name_of(head: Head) -> str:
    """The name of the cookie of somebody who is about to log in."""
    return f"hpc_form_{head.server[1] or 0}"


def form_secret(head: Head) -> str:
    """What that cookie holds; empty: there is none that we could have given."""
    said = cookies_of(head).get(form_name_of(head), "")
    return said if _SECRET.fullmatch(said) else ""


def cookies_of(head: Head) -> dict[str, str]:
    """The cookies of a request; the first of a name counts."""
    found: dict[str, str] = {}
    for part in head.headers.get(b"cookie", b"").decode("latin-1").split(";"):
        name, _, value = part.strip().partition("=")
        found.setdefault(name, value)
    return found


def cookie(name: str, value: str, head: Head, lasts: float) -> str:
    """A Set-Cookie header. It comes back only to us, and only from pages of ours."""
    origin = head.headers.get(b"origin", b"")
    secure = "; Secure" if head.scheme == "https" or origin.startswith(b"https:") else ""
    return f"{name}={value}; Path=/; Max-Age={lasts:.0f}; HttpOnly; SameSite=Strict{secure}"


def csrf_of(secret: str) -> str:
    """The word that a form has to carry; only who knows the cookie can tell it."""
    return hmac.new(secret.encode(), b"form", hashlib.sha256).hexdigest()


def new_secret() -> str:
    """For the cookie of somebody who has not logged in yet."""
    return secrets.token_urlsafe(32)


def check_csrf(head: Head, body: bytes | None, secret: str) -> None:
    """Raises `CsrfMissing` where a change is asked for without the word. `secret`: the cookie."""
    if head.method in SAFE or head.path == LOGIN:  # of whoever has logged in in another tab since
        return
    said = head.headers.get(HEADER, b"").decode("latin-1")
    if not said and body is not None and b"form" in head.headers.get(b"content-type", b""):
        said = field(body, FIELD)
    if not hmac.compare_digest(said.encode(), csrf_of(secret).encode()):
        raise CsrfMissing("this did not come from a form of ours", "load the page again")


def field(form: bytes, name: str) -> str:
    """A field of a form; empty where there is none. It has to be one of few."""
    try:
        return parse_qs(form.decode("latin-1"), max_num_fields=20).get(name, [""])[0]
    except ValueError:
        return ""


# ------------------------------------------------------------------------------------ the store


def begin(connection: Connection, caller: Caller, now: float) -> str:
    """The cookie of a new session of a caller who has shown a token."""
    parent = next(each for each in tokens.listed(connection) if each.id == caller.token)
    until = now + LASTS if parent.expires_at is None else min(parent.expires_at, now + LASTS)
    text, _ = tokens.create(
        connection,
        _name(parent.id),
        user=parent.user,
        role=parent.role,
        scopes=parent.scopes,
        expires_at=until,
        session=True,
        now=now,
    )
    return text


def revoke(connection: Connection, id: int, now: float) -> Token:
    """End a token and all sessions that began with it. Raises `NotFound`."""
    revoked = tokens.revoke(connection, id, now)
    for each in tokens.listed(connection, sessions=True):
        if each.session and each.name == _name(id) and each.valid(now):
            tokens.revoke(connection, each.id, now)
    return revoked


def _name(parent: int) -> str:
    return f"session of token {parent}"
