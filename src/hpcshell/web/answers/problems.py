"""How an error is answered over HTTP: RFC 9457, `application/problem+json`.

Routes raise the errors that all of HPCShell raises; nothing else about them is theirs to do.
"""

from __future__ import annotations

import http
import logging
import math
import re
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from hpcshell.core.errors import Broken, HpcError, NotFound, NotYet, Refused, Unreachable, Wrong
from hpcshell.track import artifacts
from hpcshell.track.points.ingest import Gap
from hpcshell.track.store.errors import Exists, NotInstalled
from hpcshell.track.store.trouble import Full
from hpcshell.web.answers import faults
from hpcshell.web.masking import masked
from hpcshell.web.requests import errors
from hpcshell.web.security.callers import Unauthenticated

MEDIA: Final = "application/problem+json"
AGAIN: Final = 5
"""Seconds after which a client should try again what is not possible yet."""
ROOM: Final = 60
"""The same where the disk is full: somebody has to make room."""

STATUSES: Final[dict[type[HpcError], int]] = {
    Wrong: 400,
    Unauthenticated: 401,
    Refused: 403,
    NotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.Slow: 408,
    Exists: 409,
    Gap: 409,
    artifacts.TooLarge: 413,
    errors.TooLarge: 413,
    errors.Unsupported: 415,
    errors.NotSatisfiable: 416,
    errors.TooMany: 429,
    errors.HeadTooLarge: 431,
    Broken: 500,
    NotInstalled: 501,
    NotYet: 503,
    Unreachable: 503,
    Full: 507,
}
"""The status of each error: of its class, or of the nearest that is listed."""
CLOSING: Final = (errors.Slow, errors.TooLarge)
"""After these the rest of the request is not waited for."""

_WORD: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_log: Final = logging.getLogger("hpcshell.web")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, for a program and for a person."""

    type: str
    """What kind of problem: `urn:hpcshell:not-found`, `urn:hpcshell:host-not-allowed`, ..."""
    title: str
    status: int
    detail: str
    """What is wrong, in one sentence."""
    hint: str | None
    """What to do about it."""
    kind: str
    """`wrong`, `not_found`, `refused`, `not_yet`, `unreachable` or `broken`, as in the CLI."""
    instance: str
    """The address that was asked."""


class Answer(msgspec.Struct, frozen=True):
    """A problem as it goes out."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def status_of(error: HpcError) -> int:
    """The HTTP status of an error."""
    return next((STATUSES[cls] for cls in type(error).__mro__ if cls in STATUSES), 500)


def answer_of(error: HpcError, path: str) -> Answer:
    """The error as it is answered."""
    status = status_of(error)
    problem = Problem(
        type="urn:hpcshell:" + _WORD.sub("-", type(error).__name__).lower(),
        title=http.HTTPStatus(status).phrase,
        status=status,
        detail=error.message,
        hint=error.hint,
        kind=error.kind,
        instance=masked(path),
    )
    body = msgspec.json.encode(problem)
    headers = [
        (b"content-type", MEDIA.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    return Answer(status, headers + _told_besides(error), body)


def _told_besides(error: HpcError) -> list[tuple[bytes, bytes]]:
    headers = []
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b"Bearer"))
    if (wait := _wait(error)) is not None:
        headers.append((b"retry-after", str(wait).encode()))
    if isinstance(error, errors.NotSatisfiable):
        headers.append((b"content-range", f"bytes */{error.size}".encode()))
    if isinstance(error, errors.MethodNotAllowed) and error.allowed:
        headers.append((b"allow", ", ".join(error.allowed).encode()))
    if isinstance(error, CLOSING):
        headers.append((b"connection", b"close"))
    return headers


def _wait(error: HpcError) -> int | None:
    """Seconds after which the same may be asked again; None: that will not mend it."""
    match error:
        case errors.TooMany():
            return max(1, math.ceil(error.after))
        case Full():
            return ROOM
        case NotYet() | Unreachable():
            return AGAIN
    return None


def told(error: Exception) -> HpcError:
    """Any error as one for people. What nobody foresaw is written to the log, and not told."""
    match error:
        case HpcError():
            return error
        case RecursionError():
            return Wrong("the document is nested too deeply", "send a flatter one")
        case HTTPException():
            return _of_litestar(error)
    _log.error("a defect of the server", exc_info=error)
    return Broken("the server has failed", "its log says how: this is a defect of hpc")


def _of_litestar(error: HTTPException) -> HpcError:
    if isinstance(error, ValidationException):
        return faults.wrong(error)
    match error.status_code:
        case 404:
            return NotFound("there is nothing at this address", "see /docs for what there is")
        case 405:
            return _not_allowed(dict(error.headers or {}).get("allow", ""))
        case 413:
            return errors.TooLarge("the body is too large", "send less at once")
        case 415:
            return errors.Unsupported(error.detail, "send application/json")
        case status if status < 500:
            return Wrong(error.detail, faults.SEE)
    _log.error("a defect of the server", exc_info=error)
    return Broken("the server has failed", "its log says how: this is a defect of hpc")


def _not_allowed(methods: str) -> errors.MethodNotAllowed:
    allowed = {each for each in methods.split(", ") if each}
    if "GET" in allowed:
        allowed.add("HEAD")
    return errors.MethodNotAllowed(
        "this address does not take that method",
        "it takes " + ", ".join(sorted(allowed)),
        tuple(sorted(allowed)),
    )


def told_in(request: Request[Any, Any, Any], error: Exception) -> HpcError:
    """The same, where it is known what was asked."""
    if isinstance(error, ValidationException):
        return faults.hinted(request, error)
    return told(error)


def respond(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The exception handler of the application."""
    answer = answer_of(told_in(request, error), request.scope["path"])
    kept = {name.decode(): value.decode() for name, value in answer.headers[2:]}
    return Response(answer.body, status_code=answer.status, media_type=MEDIA, headers=kept)
