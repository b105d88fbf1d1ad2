"""`make_app`: all routes as one ASGI application, behind the gate.

A route is found by a caller only, unless it says `opt={"open": True}`; what the caller may do is
asked by its guard, `needs(...)`. Routes raise the errors of `core.errors`, and have `context`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, Final

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.types import Scope

from hpcshell.core.errors import HpcError
from hpcshell.web import openapi
from hpcshell.web.api import (
    clusters,
    compare,
    events,
    experiments,
    files,
    health,
    ingest,
    jobs,
    logs,
    machine,
    metrics,
    prometheus,
    queue,
    runs,
    simulate,
    sweeps,
    tokens,
    webhooks,
    whatif,
)
from hpcshell.web.context import Context
from hpcshell.web.counting import Counting
from hpcshell.web.mlflow import routes as mlflow
from hpcshell.web.pages import routes as pages
from hpcshell.web.pages.refusals import respond
from hpcshell.web.requests.queries import declared
from hpcshell.web.requests.request import Strict
from hpcshell.web.security.authentication import Authentication
from hpcshell.web.security.gate import Gate

VERSIONED: Final = (
    *(experiments, runs, metrics, files, ingest, compare),
    *(jobs, queue, logs, machine, clusters, sweeps, simulate, whatif, events, webhooks, tokens),
)
"""Modules whose routes are below /api/v1; those of the others are where they say."""


CONTEXT: Final = "hpcshell.context"
AUTHENTICATION: Final = "hpcshell.authentication"
"""Keys of the ASGI scope."""


def make_app(context: Context) -> Gate:
    """The whole server, as ASGI. It does not close the context."""
    authentication = Authentication(context)
    application = _routes()

    async def served(scope: Any, receive: Any, send: Any) -> None:
        scope[CONTEXT], scope[AUTHENTICATION] = context, authentication
        await application(scope, receive, send)

    counted = Counting(served, context.counts)
    return Gate(counted, context.settings.web, authentication, _open(application))


@functools.cache
def _routes() -> Litestar:
    """They are made once, for it takes a while, and know no context but that of the scope."""
    return Litestar(
        route_handlers=[
            Router(
                "/api/v1",
                route_handlers=[each for m in VERSIONED for each in m.handlers],
                guards=[declared],
                request_class=Strict,
            ),
            *(each for m in (health, prometheus, mlflow, pages) for each in m.handlers),
            *openapi.served(),
        ],
        dependencies={
            "context": Provide(_context, sync_to_thread=False),
            "authentication": Provide(_authentication, sync_to_thread=False),
        },
        exception_handlers={
            HpcError: respond,
            HTTPException: respond,
            Exception: respond,
        },
        openapi_config=openapi.config(),
        request_max_body_size=None,
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )


def _context(scope: Scope) -> Context:
    context: Context = scope[CONTEXT]  # type: ignore[typeddict-item]
    return context


def _authentication(scope: Scope) -> Authentication:
    authentication: Authentication = scope[AUTHENTICATION]  # type: ignore[typeddict-item]
    return authentication


def _open(application: Litestar) -> Callable[[str], bool]:
    """Whether a path is that of a route that needs no caller."""
    patterns = [
        re.sub(
            r"\{[^{}]*\}", "[^/]+", re.escape(route.path).replace(r"\{", "{").replace(r"\}", "}")
        )
        for route in application.routes
        for handler in getattr(route, "route_handlers", ())
        if handler.opt.get(openapi.OPEN)
    ]
    found = re.compile("|".join(sorted(set(patterns))) or "(?!)")
    return lambda path: found.fullmatch(path) is not None
