"""Errors as MLflow's client reads them: `{"error_code": ..., "message": ...}`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException

from hpcshell.core.errors import HpcError, NotFound, NotYet, Refused, Unreachable, Wrong
from hpcshell.track.store.errors import Exists
from hpcshell.track.store.trouble import Full
from hpcshell.web.answers import problems
from hpcshell.web.answers.problems import Answer
from hpcshell.web.requests import errors
from hpcshell.web.security.callers import Unauthenticated

PATHS: Final = ("/api/2.0/mlflow", "/api/3.0/mlflow", "/v1/traces")
"""Whoever asks at these is MLflow's client."""


class Disabled(NotFound):
    """A part of MLflow that is not served here."""


class NoEndpoint(NotFound):
    """A path that is not served here."""


class NotImplementedHere(Wrong):
    """A way that is not served; the client knows another."""


_TOLD: Final[tuple[tuple[type[HpcError], int | None, str], ...]] = (
    (NotImplementedHere, 501, "NOT_IMPLEMENTED"),
    (Disabled, 404, "FEATURE_DISABLED"),
    (NoEndpoint, 404, "ENDPOINT_NOT_FOUND"),
    (errors.MethodNotAllowed, 405, "ENDPOINT_NOT_FOUND"),
    (errors.TooMany, 429, "REQUEST_LIMIT_EXCEEDED"),
    (errors.TooLarge, 413, "BAD_REQUEST"),
    (Exists, 400, "RESOURCE_ALREADY_EXISTS"),
    (Unauthenticated, 401, "UNAUTHENTICATED"),
    (Refused, None, "PERMISSION_DENIED"),
    (NotFound, None, "RESOURCE_DOES_NOT_EXIST"),
    (Wrong, None, "INVALID_PARAMETER_VALUE"),
    (NotYet, None, "TEMPORARILY_UNAVAILABLE"),
    (Unreachable, None, "TEMPORARILY_UNAVAILABLE"),
    (Full, None, "RESOURCE_EXHAUSTED"),
    (HpcError, None, "INTERNAL_ERROR"),
)
"""The first that fits: its status, where it is not the one of all of HPCShell, and its code. The
client asks again by itself after a 408, 429, 500, 502, 503 or 504."""


class Problem(msgspec.Struct, frozen=True):
    """The answer."""

    error_code: str
    message: str


@contextlib.contextmanager
def told_invalid(kind: type[HpcError]) -> Iterator[None]:
    """Errors of this kind are told as values that are not valid, which the client knows."""
    try:
        yield
    except kind as error:
        raise Wrong(error.message, error.hint) from None


def speaks(path: str) -> bool:
    """Whether MLflow's client asks at this path."""
    return path.startswith(PATHS)


def answer_of(error: HpcError, path: str) -> Answer:
    """The error as it is answered to MLflow's client."""
    ours = problems.answer_of(error, path)
    status, code = next((status, code) for kind, status, code in _TOLD if isinstance(error, kind))
    hint = f" ({error.hint})" if error.hint else ""
    body = msgspec.json.encode(Problem(code, error.message + hint))
    headers = [
        (b"content-type", MediaType.JSON.encode()),
        (b"content-length", str(len(body)).encode()),
        *(each for each in ours.headers if not each[0].startswith(b"content-")),
    ]
    return Answer(ours.status if status is None else status, headers, body)


def respond(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The exception handler of MLflow's routes."""
    if isinstance(error, HTTPException) and error.status_code == 404:
        error = NoEndpoint("there is nothing at this path", "is the client newer than this server?")
    answer = answer_of(problems.told(error), request.scope["path"])
    kept = {
        name.decode(): value.decode()
        for name, value in answer.headers
        if not name.startswith(b"content-")
    }
    return Response(answer.body, status_code=answer.status, media_type=MediaType.JSON, headers=kept)
