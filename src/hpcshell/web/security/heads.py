"""The head of a request, as the checks see it, and the headers that every answer has."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from hpcshell.core.errors import Wrong

Scope = Any
"""A connection as ASGI describes it."""

HEAD: Final = "hpcshell.head"
"""Key of the ASGI scope under which the `Head` is."""
PROXY_SECRET: Final = b"x-hpc-proxy-secret"
"""The header by which a proxy shows that it is one."""
ONCE: Final = frozenset(
    (
        *(b"host", b"authorization", b"content-length", b"content-type", b"content-encoding"),
        *(b"origin", b"cookie", b"transfer-encoding", b"sec-fetch-site", PROXY_SECRET),
    )
)
"""Headers that mean nothing sure when they come twice."""
API_POLICY: Final = b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
PAGE_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    b"connect-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    b"base-uri 'none'"
)
"""What a page of ours may do: load what is ours, and run nothing that stands in the page itself."""
ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""On every answer."""
UNLESS_GIVEN: Final = (
    (b"content-security-policy", API_POLICY),
    (b"cache-control", b"no-store"),
)
"""On every answer that does not say otherwise."""


class Head(msgspec.Struct, frozen=True):
    """What is known of a request before its body."""

    method: str
    path: str
    query: str
    headers: dict[bytes, bytes]
    peer: str
    """The address of whoever is connected; empty on a Unix socket."""
    server: tuple[str, int | None]
    """Our own address and port on this connection."""
    scheme: str


def head_of(scope: Scope) -> Head:
    """The head of a request. Raises `Wrong` for one that can be read in two ways."""
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in headers:
            if name in ONCE:
                raise Wrong(f"the header {name.decode('latin-1')} comes twice", "send it once")
            headers[name] += b", " + value
        else:
            headers[name] = value
    client, server = scope.get("client"), scope.get("server")
    return Head(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        peer=str(client[0]) if client else "",
        server=(str(server[0]), server[1]) if server else ("", None),
        scheme=scope.get("scheme", "http"),
    )


def head_in(scope: Scope) -> Head:
    """The head of the request that a route answers."""
    head: Head = scope[HEAD]
    return head


def guarded(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of an answer with those of ours."""
    given = {name.lower() for name, _ in headers}
    headers = [pair for pair in headers if not pair[0].lower().startswith(b"access-control-")]
    headers += [pair for pair in ALWAYS if pair[0] not in given]
    headers += [pair for pair in UNLESS_GIVEN if pair[0] not in given]
    return headers
