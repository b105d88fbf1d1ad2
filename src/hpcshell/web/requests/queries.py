"""A guard against parameters that an address does not have.

Router("/api/v1", guards=[declared])

Passed over, a mistyped one (`?form=json` where it is called `format`) would get the answer to
another question.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler
from litestar.utils.signature import ParsedSignature

from hpcshell.core.errors import Wrong
from hpcshell.core.words import nearest, quote

_GIVEN: Final = frozenset({"request", "data", "scope"})
"""Arguments of routes that are not from the address."""


def declared(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Raises `Wrong` for a parameter that the route does not declare."""
    if not connection.query_params:
        return
    taken = _names(handler.parsed_fn_signature, handler.resolve_dependencies())
    known = [name for name in taken if name not in connection.path_params]
    for name in connection.query_params:
        if name not in known:
            raise Wrong(f"this address has no parameter {quote(name)}", _hint(name, known))


def _names(signature: ParsedSignature, provided: Mapping[str, Provide]) -> list[str]:
    """What a route, and what provides its arguments, take from the address."""
    names = []
    for name, field in signature.parameters.items():
        said = field.kwarg_definition
        if name in provided:
            names += _names(provided[name].parsed_fn_signature, provided)
        elif name not in _GIVEN and not getattr(said, "header", None):
            names.append(getattr(said, "query", None) or getattr(said, "name", None) or name)
    return names


def _hint(name: str, known: list[str]) -> str:
    if near := nearest(name, known):
        return f"did you mean {near}?"
    return "there are " + ", ".join(known) if known else "leave it out"
