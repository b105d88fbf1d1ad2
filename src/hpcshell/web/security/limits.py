"""How much a request may ask of us: methods, words of its address, sizes, times, how often."""

from __future__ import annotations

import re
import time
import zlib
from collections import OrderedDict
from typing import Final
from urllib.parse import parse_qsl

import numpy as np

from hpcshell.core.errors import Wrong
from hpcshell.core.settings_web import WebSettings
from hpcshell.web.requests.errors import MethodNotAllowed, TooLarge, TooMany, Unsupported
from hpcshell.web.security.heads import Head

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OVERRIDES: Final = (b"x-http-method-override", b"x-method-override", b"x-http-method")
SECRETS: Final = frozenset(
    {"token", "access_token", "api_key", "apikey", "auth", "authorization", "password", "secret"}
)
"""Words of a query whose values would be secrets; addresses end up in logs and histories."""
TOKEN: Final = re.compile(r"hpc_[A-Za-z0-9_-]{43}")
FORMS: Final = (b"application/x-www-form-urlencoded", b"multipart/form-data", b"text/plain")
"""What a form of any page can send."""
FOR_UPLOADS: Final = re.compile(r"/api/(?:v\d+/runs/[^/]+/artifacts|2\.0/mlflow-artifacts)/")
FOR_EVENTS: Final = re.compile(r"/api/v\d+/webhooks/")
EVENT: Final = 64 << 10
"""Bytes of what an epilog says, and of a form in which somebody logs in."""
DEEPEST: Final = 64
"""Brackets within brackets of a JSON document."""
DIGITS: Final = 18
"""Of the length of a body."""
BURST: Final = 2.0
"""Seconds' worth of requests that may come at once."""
FRONT: Final = 5
"""Parts of an address by which routes are told apart, as in /api/v1/runs/ID, the first empty."""
PEERS: Final = 10_000
"""Callers whose rate is remembered."""

PIECE: Final = 1 << 16
"""Brackets that are counted at a time."""

_PLAIN: Final = bytes(each for each in range(256) if each not in b'[]{}"')
_STEPS: Final = np.array([{"[": 1, "{": 1, "]": -1, "}": -1}.get(chr(n), 0) for n in range(256)])
"""Of each byte, by how much what follows lies deeper."""


def check_method(head: Head) -> None:
    """Raises `MethodNotAllowed`, and `Wrong` for a method within a method."""
    if head.method not in METHODS:
        raise unknown_method()
    if any(name in head.headers for name in OVERRIDES):
        raise _another_method()
    if head.headers.get(b"upgrade", b"").lower() == b"websocket":
        raise Wrong("there are no websockets here", "events are streamed: GET /api/v1/events")


def _another_method() -> Wrong:
    return Wrong("a method cannot stand for another", "send the request with its own method")


def unknown_method() -> MethodNotAllowed:
    """The error for TRACE, CONNECT, and whatever else there may be."""
    allowed = tuple(sorted(METHODS))
    return MethodNotAllowed("nothing here takes that method", f"use {', '.join(allowed)}", allowed)


def check_address(head: Head) -> None:
    """Raises `Wrong` where a secret stands in the address, or another method, and where a part of
    its front is empty: routes would pass over it, and what we know by how it begins would not
    hold. What ends it may be any name."""
    if "//" in "/".join(head.path.split("/", FRONT)[:FRONT]):
        raise Wrong(
            "there is nothing at an address with // in it",
            "write / once, and the address of the server without / at its end",
        )
    if not head.query and "hpc_" not in head.path:
        return
    try:
        words = parse_qsl(head.query, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise Wrong("the query has more than 100 parts", "send a shorter one") from None
    if any(name == "_method" for name, _ in words):
        raise _another_method()
    if (
        any(name.lower() in SECRETS for name, _ in words)
        or any(TOKEN.search(value) for _, value in words)
        or TOKEN.search(head.path)
    ):
        raise Wrong(
            "a token must not stand in an address: addresses are kept in logs and histories",
            "send it as a header, Authorization: Bearer ..., and revoke this one",
        )


def check_kind(head: Head) -> None:
    """Raises `Unsupported` for a body that a form of any page could send to the API."""
    kind = head.headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    signed = FOR_EVENTS.match(head.path)  # a page cannot sign, and its session is not taken there
    if head.method == "POST" and head.path.startswith("/api/") and kind in FORMS and not signed:
        files = head.path.endswith(("/artifacts", "/checkpoints"))
        hint = (
            "upload a file as it is: PUT .../artifacts/PATH" if files else "send application/json"
        )
        raise Unsupported(f"{kind.decode('latin-1')} is not read here", hint)


def largest(head: Head, web: WebSettings, known: bool) -> int:
    """Bytes that the body of this request may have. `known`: we know who sends it; of others there
    may be many."""
    if not known or FOR_EVENTS.match(head.path):
        return min(EVENT, web.body_limit)
    return web.upload_limit if streamed(head) else web.body_limit


def streamed(head: Head) -> bool:
    """Whether the body goes to the route as it arrives, and not when it is all there."""
    return head.method == "PUT" and FOR_UPLOADS.match(head.path) is not None


def check_length(head: Head, most: int) -> None:
    """Raises `TooLarge` where the request says itself that it is."""
    said = head.headers.get(b"content-length", b"0")
    if not said.isdigit() or len(said) > DIGITS:
        raise Wrong("Content-Length is no number", "send the number of bytes")
    if int(said) > most:
        raise too_large(most)


def too_large(most: int) -> TooLarge:
    """The error."""
    return TooLarge(f"the body has more than {most:,} bytes", "send less at once")


def unpacked(body: bytes, encoding: bytes, most: int) -> bytes:
    """The body as it was before it was packed. Raises `TooLarge`, `Unsupported` and `Wrong`."""
    match encoding.strip().lower():
        case b"" | b"identity":
            return body
        case b"gzip" | b"x-gzip":
            pass
        case _:
            raise Unsupported("that Content-Encoding is not read", "send it as gzip, or as it is")
    unpacking = zlib.decompressobj(31)
    try:
        found = unpacking.decompress(body, most + 1)
    except zlib.error:
        raise Wrong("the body is no gzip", "is it damaged?") from None
    if len(found) > most:
        raise too_large(most)
    if not unpacking.eof or unpacking.unused_data:
        raise Wrong("the body is not one whole gzip", "is it cut off?")
    return found


def check_depth(body: bytes) -> None:
    """Raises `Wrong` for JSON with too many brackets within brackets. Whether they match is for who
    reads it: this takes as long whatever they are."""
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = body.translate(None, _PLAIN).replace(b'""', b"")  # of texts those with brackets stay
    brackets = np.frombuffer(b"".join(marks.split(b'"')[::2]), np.uint8)  # those in no text
    level = 0
    for begin in range(0, len(brackets), PIECE):
        levels = level + _STEPS[brackets[begin : begin + PIECE]].cumsum(dtype=np.int64)
        if levels.max() > DEEPEST:
            raise Wrong(f"the document is nested more than {DEEPEST} deep", "send a flatter one")
        level = int(levels[-1])


class Rates:
    """So many a second of each caller, and so many at once as would come in a second or two."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: OrderedDict[object, tuple[float, float]] = OrderedDict()

    def take(self, who: object) -> float:
        """Count one more. 0, or the seconds after which it would be allowed."""
        now = time.monotonic()
        left, since = self._buckets.pop(who, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._rate)
        wait = 0.0 if left >= 1 else (1 - left) / self._rate
        self._buckets[who] = (left if wait else left - 1, now)
        if len(self._buckets) > PEERS:
            self._buckets.popitem(last=False)
        return wait


def rates(web: WebSettings) -> Rates:
    """As often as the configuration lets one ask."""
    return Rates(web.rate, web.rate * BURST)


def check_rate(rates: Rates, who: object) -> None:
    """Raises `TooMany`."""
    if wait := rates.take(who):
        raise TooMany("too many requests", "send fewer, and more in each; web.rate allows", wait)
