"""A guard against parameters that an address does not have, or has only once.

Router("/api/v1", guards=[declared])

Passed over, a mistyped one (`?form=json` where it is called `format`) would get the answer to
another question; and so would one of two (`?limit=1&limit=2`), of which programs on the way may
have looked at the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.datastructures.multi_dicts import MultiMixin
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler
from litestar.typing import FieldDefinition
from litestar.utils.signature import ParsedSignature

from hpcshell.core.errors import Wrong
from hpcshell.core.words import nearest, quote

_GIVEN: Final = frozenset({"request", "data", "scope"})
"""Arguments of routes that are not from the address."""


def declared(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Raises `Wrong` for a parameter that the route does not declare, and for one that it has once
    and that comes again."""
    given = connection.query_params
    if not given:
        return
    taken = _names(handler.parsed_fn_signature, handler.resolve_dependencies())
    known = {name: many for name, many in taken.items() if name not in connection.path_params}
    for name in given:
        if name not in known:
            raise Wrong(f"this address has no parameter {quote(name)}", _hint(name, [*known]))
        if not known[name]:
            only(given, name)


def only(query: MultiMixin[str], name: str, absent: str = "") -> str:
    """The value of a parameter that may come once. Raises `Wrong`."""
    values = query.getall(name, [absent])
    if len(values) > 1:
        raise Wrong(f"the parameter {quote(name)} comes {len(values)} times", "send it once")
    return values[0]


def _names(signature: ParsedSignature, provided: Mapping[str, Provide]) -> dict[str, bool]:
    """What a route, and what provides its arguments, take from the address; and of each whether it
    may come more than once."""
    names: dict[str, bool] = {}
    for name, field in signature.parameters.items():
        said = field.kwarg_definition
        if name in provided:
            names |= _names(provided[name].parsed_fn_signature, provided)
        elif name not in _GIVEN and not getattr(said, "header", None):
            called = getattr(said, "query", None) or getattr(said, "name", None) or name
            names[called] = _is_list(field)
    return names


def _is_list(field: FieldDefinition) -> bool:
    return field.is_non_string_sequence or any(map(_is_list, field.inner_types))


def _hint(name: str, known: list[str]) -> str:
    if near := nearest(name, known):
        return f"did you mean {near}?"
    return "there are " + ", ".join(known) if known else "leave it out"
