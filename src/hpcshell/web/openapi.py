"""The OpenAPI 3.1 document of all routes, with what the gate adds to each: who may ask, and how it
is told that something is wrong."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final, get_args

import msgspec
from litestar import Litestar, Request, Response, Router, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig

from hpcshell import __version__
from hpcshell.web.answers.problems import MEDIA, Problem
from hpcshell.web.meanings import meanings

OPEN: Final = "open"
"""The option of a route that needs no caller."""
ANSWERS: Final = "answers"
"""The option of a route that answers other than JSON: the media types of what it sends."""
ALSO: Final = "ALSO"
"""The attribute of a struct that says what its fields together must be, as JSON Schema."""
RIGHT: Final = "x-right"
"""Where an operation says which right a caller needs."""
METHODS: Final = frozenset({"get", "put", "post", "delete", "patch"})
ANYWHERE: Final = {
    400: "Wrong: it will fail again as it is.",
    404: "There is no such thing.",
    429: "Too many requests; `Retry-After` says when the next may come.",
    503: "Not possible now: the store, the daemon or a cluster does not answer.",
}
CALLERS: Final = {401: "Nobody known is calling.", 403: "The caller may not do this."}
CHANGES: Final = {
    408: "The body took too long to arrive.",
    409: "Something else is there already, or has been said before.",
    413: "The body is too large.",
    415: "The body is of a kind that is not read.",
    507: "There is no room left to store it.",
}
SCHEMES: Final = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of `hpc web token create`.",
    },
    "password": {
        "type": "http",
        "scheme": "basic",
        "description": "A token as the password, with any name, for programs that know no tokens.",
    },
}
_NAME: Final = re.compile(r"\W+")


class _Nowhere(Router):
    """Litestar would serve pages of its own, which load scripts from other machines."""

    def register(self, value: Any) -> list[Any]:
        return []


def config() -> OpenAPIConfig:
    """What Litestar makes the document from."""
    return OpenAPIConfig(
        title="HPCShell",
        version=__version__,
        summary="Jobs, clusters, sweeps, and the experiment tracker",
        use_handler_docstrings=True,
        operation_id_creator=_operation_id,
        openapi_router=_Nowhere("/", route_handlers=[]),
    )


def _operation_id(handler: HTTPRouteHandler, method: str, path: list[Any]) -> str:
    module = handler.fn.__module__.rpartition(".")[2]
    name = f"{module}_{handler.handler_name}"
    if len(handler.http_methods) > 1:
        name += f"_{method.lower()}"
    if len(handler.paths) > 1:
        name += "_" + _NAME.sub("_", "_".join(str(getattr(each, "name", each)) for each in path))
    return name


def document(application: Litestar) -> dict[str, Any]:
    """The whole document, as JSON has it."""
    made: dict[str, Any] = application.openapi_schema.to_schema()
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    spoken = _spoken(application)
    _, parts = msgspec.json.schema_components(
        [Problem, *spoken], ref_template="#/components/schemas/{name}"
    )
    schemas.update(parts)  # these tell more: what is refused, what the fields mean
    for kind in spoken:
        fields = schemas.get(kind.__name__, {}).get("properties", {})
        for name, meaning in meanings(kind).items():
            fields.get(name, {}).setdefault("description", meaning)
        if also := getattr(kind, ALSO, None):
            schemas[kind.__name__].update(also)
    made["components"]["securitySchemes"] = SCHEMES
    made["components"]["responses"] = {"Problem": _answer("Something is wrong.")} | {
        f"Problem{status}": _answer(text) for status, text in (ANYWHERE | CALLERS | CHANGES).items()
    }
    made["security"] = [{name: []} for name in SCHEMES]
    handlers = _handlers(application)
    for path, item in made["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                _complete(operation, method, handlers[path, method])
    made["paths"] = _in_order(made["paths"])
    return made


def _in_order(paths: dict[str, Any]) -> dict[str, Any]:
    """Those of one tag by name: a route with several paths has them in no order."""
    of = {
        path: next((o["tags"][0] for o in item.values() if "tags" in o), "")
        for path, item in paths.items()
    }
    tags = list(dict.fromkeys(of.values()))
    return dict(sorted(paths.items(), key=lambda pair: (tags.index(of[pair[0]]), pair[0])))


def _complete(operation: dict[str, Any], method: str, handler: HTTPRouteHandler) -> None:
    """Add to an operation whom the gate lets in, and what it answers."""
    opened = bool(handler.opt.get(OPEN))
    if opened:
        operation["security"] = []
    rights = [guard.right for guard in handler.guards or () if hasattr(guard, "right")]
    if rights:
        operation[RIGHT] = rights[0]
    if (sent := operation.get("requestBody")) and _may_be_left_out(handler):
        sent["required"] = False
    told = ANYWHERE if opened else ANYWHERE | CALLERS
    told = told if method == "get" else told | CHANGES
    answers = operation.setdefault("responses", {})
    if kinds := handler.opt.get(ANSWERS):
        content = {kind: {"schema": {"type": "string"}} for kind in kinds}
        answers["200"] = {"description": "what was asked for", "content": content}
    said = {str(each): {"$ref": f"#/components/responses/Problem{each}"} for each in told}
    kept = {status: answer for status, answer in answers.items() if status not in said}
    operation["responses"] = dict(sorted((kept | said).items())) | {
        "default": {"$ref": "#/components/responses/Problem"}
    }


def _may_be_left_out(handler: HTTPRouteHandler) -> bool:
    """Whether there need be no body."""
    field = handler.parsed_fn_signature.parameters.get("data")
    return field is not None and field.has_default


def _answer(text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": text, "content": {MEDIA: {"schema": schema}}}


def _handlers(application: Litestar) -> dict[tuple[str, str], HTTPRouteHandler]:
    return {
        (route.path_format, method.lower()): handler
        for route in application.routes
        for handler in getattr(route, "route_handlers", ())
        for method in handler.http_methods
    }


def _spoken(application: Litestar) -> set[type[msgspec.Struct]]:
    """The types of all bodies, sent and answered, and of what is in them."""
    found: set[type[msgspec.Struct]] = set()
    for handler in _handlers(application).values():
        signature = handler.parsed_fn_signature
        for field in (signature.return_type, *signature.parameters.values()):
            _collect(field.annotation, found)
    return found


def _collect(annotation: Any, into: set[type[msgspec.Struct]]) -> None:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        if annotation in into:
            return
        into.add(annotation)
        for field in msgspec.structs.fields(annotation):
            _collect(field.type, into)
    for part in get_args(annotation):
        _collect(part, into)


def served() -> list[Any]:
    """The routes of the document. It is made when it is first asked for."""
    made: list[bytes] = []

    @get(
        ["/openapi.json", "/api/v1/openapi.json"],
        opt={OPEN: True},
        include_in_schema=False,
    )
    async def openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
        if not made:
            made.append(msgspec.json.encode(await asyncio.to_thread(document, request.app)))
        return Response(made[0], media_type="application/json")

    return [openapi]
