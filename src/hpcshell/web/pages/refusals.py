"""What is refused, as a page where a browser shows what it is answered, and else as a problem."""

from __future__ import annotations

import http
from typing import Any, Final

from litestar import Request, Response

from hpcshell.core.errors import HpcError
from hpcshell.web.answers import problems
from hpcshell.web.answers.problems import Answer
from hpcshell.web.pages.rendering import rendered
from hpcshell.web.security.heads import PAGE_POLICY
from hpcshell.web.security.origins import API

HTML: Final = b"text/html"


def answer_of(error: HpcError, scope: Any) -> Answer:
    """The error as it is answered to this request."""
    problem = problems.answer_of(error, scope["path"])
    return _as_page(problem, error, scope) if _shown(scope) else problem


def respond(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The exception handler of the application."""
    if not _shown(request.scope):
        return problems.respond(request, error)
    answer = answer_of(problems.told_in(request, error), request.scope)
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    return Response(answer.body, status_code=answer.status, headers=headers)


def _shown(scope: Any) -> bool:
    """Whether somebody looks at the answer: scripts take whatever comes."""
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept")
    return HTML in accepted and not scope["path"].startswith(API)


def _as_page(problem: Answer, error: HpcError, scope: Any) -> Answer:
    status = http.HTTPStatus(problem.status)
    page = rendered(
        scope,
        "refusal.html",
        status=status.value,
        phrase=status.phrase,
        message=error.message,
        hint=error.hint,
    ).encode()
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", str(len(page)).encode()),
        (b"content-security-policy", PAGE_POLICY),
    ]
    return Answer(problem.status, headers + problem.headers[2:], page)
