"""What does not fit in a request, in words for people: which part, and what it has to be.

Routes declare their arguments and bodies by types; what is found wrong with those comes from a
library in its own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, Literal, get_args, get_origin

import msgspec
from litestar import Request
from litestar.exceptions import ValidationException

from hpcshell.core.errors import Wrong
from hpcshell.core.words import nearest, quote

SEE: Final = "see /docs for what is expected"
BODY: Final = "data"
"""What our routes call the body."""
TYPES: Final = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}
"""What is called otherwise by a library."""
_EXPECTED: Final = re.compile("Expected `([^`]+)`, got `([^`]+)`")
_UNKNOWN: Final = re.compile("Object contains unknown field `(.*)`", re.DOTALL)
_MISSING: Final = re.compile("Object missing required field `(.*)`", re.DOTALL)
_PLACE: Final = re.compile(r"`\$\.data(.*)`$", re.DOTALL)


def wrong(error: ValidationException) -> Wrong:
    """The same as one of our errors."""
    faults = [_fault(each, error.__cause__) for each in _extra(error)]
    return Wrong("; ".join(faults) or error.detail, SEE)


def hinted(request: Request[Any, Any, Any], error: ValidationException) -> Wrong:
    """The same, with what the route that was asked has to offer."""
    arguments = request.route_handler.parsed_fn_signature.parameters
    found = []
    for each in _extra(error):
        key = str(each.get("key", ""))
        argument = arguments.get(key)
        if argument is not None and (words := _words_of(argument.annotation)):
            found.append(f"{key} is one of {', '.join(words)}")
        unknown = _UNKNOWN.match(str(each.get("message", "")))
        if unknown is not None and BODY in arguments:
            names = [*dict.fromkeys(_fields_of(arguments[BODY].annotation))]
            near = nearest(unknown[1], names)
            found.append(f"did you mean {near}?" if near else "there are " + ", ".join(names))
    told = wrong(error)
    return Wrong(told.message, "; ".join(found)) if found else told


def _extra(error: ValidationException) -> list[dict[str, Any]]:
    said = error.extra if isinstance(error.extra, list) else []
    return [each for each in said if isinstance(each, dict)]


def _fault(extra: dict[str, Any], cause: BaseException | None) -> str:
    key, message = extra.get("key"), str(extra.get("message", ""))
    if key == BODY:
        place = _PLACE.search(str(cause))
        key = "the body" + (place[1] if place else "")
    if message == f"'{BODY}'":  # which is no more than that it was looked for
        message = "there is none"
    return f"{key}: {_said(message)}" if key else _said(message)


def _said(message: str) -> str:
    if found := _EXPECTED.fullmatch(message):
        kinds = [TYPES.get(kind, kind) for kind in found[1].split(" | ") if kind != "null"]
        return f"it has to be {' or '.join(kinds)}, and is {TYPES.get(found[2], found[2])}"
    if found := _UNKNOWN.fullmatch(message):
        return f"there is no field {quote(found[1])}"
    if found := _MISSING.fullmatch(message):
        return f"the field {quote(found[1])} is missing"
    return message


def _words_of(annotation: Any) -> list[str]:
    """The words that there are for what is one of some."""
    if get_origin(annotation) is Literal:
        return [str(word) for word in get_args(annotation)]
    return [word for part in get_args(annotation) for word in _words_of(part)]


def _fields_of(annotation: Any) -> Iterator[str]:
    """The fields that any object in a body may have."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        for field in msgspec.structs.fields(annotation):
            yield field.encode_name
            yield from _fields_of(field.type)
    for part in get_args(annotation):
        yield from _fields_of(part)
