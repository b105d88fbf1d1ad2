"""Errors as MLflow's client reads them: `{"error_code": ..., "message": ...}`."""

from __future__ import annotations

import logging
from typing import Any, Final

import msgspec
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException

from hpcshell.core.errors import Broken, HpcError, NotFound, NotYet, Refused, Unreachable, Wrong
from hpcshell.track.store.errors import Exists
from hpcshell.track.store.trouble import Full
from hpcshell.web.security.callers import Unauthenticated

_log = logging.getLogger(__name__)


class Disabled(NotFound):
    """A part of MLflow that is not served here."""


class NoEndpoint(NotFound):
    """A path that is not served here."""


class Unsupported(Wrong):
    """Asked for in a way that is not served; the client knows another."""


_TOLD: Final[tuple[tuple[type[HpcError], int, str], ...]] = (
    (Unsupported, 501, "NOT_IMPLEMENTED"),
    (Disabled, 404, "FEATURE_DISABLED"),
    (NoEndpoint, 404, "ENDPOINT_NOT_FOUND"),
    (Exists, 400, "RESOURCE_ALREADY_EXISTS"),
    (Unauthenticated, 401, "UNAUTHENTICATED"),
    (Refused, 403, "PERMISSION_DENIED"),
    (NotFound, 404, "RESOURCE_DOES_NOT_EXIST"),
    (Wrong, 400, "INVALID_PARAMETER_VALUE"),
    (NotYet, 503, "TEMPORARILY_UNAVAILABLE"),
    (Unreachable, 503, "TEMPORARILY_UNAVAILABLE"),
    (Full, 507, "RESOURCE_EXHAUSTED"),
    (HpcError, 500, "INTERNAL_ERROR"),
)
"""The first that fits. The client asks again by itself after a 429, 500, 502, 503 or 504."""
_CODES: Final = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "ENDPOINT_NOT_FOUND",
    405: "ENDPOINT_NOT_FOUND",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
}


class Problem(msgspec.Struct, frozen=True):
    """The answer."""

    error_code: str
    message: str


def problem_of(error: Exception) -> tuple[int, Problem]:
    """The status of HTTP and what is said."""
    if isinstance(error, HTTPException):
        code = "INTERNAL_ERROR" if error.status_code >= 500 else "BAD_REQUEST"
        return error.status_code, Problem(_CODES.get(error.status_code, code), error.detail)
    if not isinstance(error, HpcError):
        _log.error("a request of MLflow's failed", exc_info=error)
        error = Broken("the server failed at this", "its log tells more")
    status, code = next((status, code) for kind, status, code in _TOLD if isinstance(error, kind))
    hint = f" ({error.hint})" if error.hint else ""
    return status, Problem(code, error.message + hint)


def answer(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The answer to a request that failed."""
    status, problem = problem_of(error)
    headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}.get(status, {})
    body = msgspec.json.encode(problem)
    return Response(body, status_code=status, media_type=MediaType.JSON, headers=headers)
