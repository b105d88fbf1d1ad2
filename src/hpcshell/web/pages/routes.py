"""Routes of the pages: the API to read and to try, and to log in."""

from __future__ import annotations

import hmac
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from hpcshell import __version__
from hpcshell.core.errors import HpcError, NotFound
from hpcshell.machine import clock
from hpcshell.web.answers.problems import answer_of
from hpcshell.web.context import Context
from hpcshell.web.requests.queries import only
from hpcshell.web.security import sessions
from hpcshell.web.security.authentication import Authentication
from hpcshell.web.security.callers import CALLER, Caller, caller_of
from hpcshell.web.security.heads import PAGE_POLICY, head_in

KINDS: Final = {
    "site.css": "text/css",
    "docs.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
"""The files that pages load."""
FIRST: Final = "/docs"
"""Where one is after logging in."""

Asked = Request[Any, Any, Any]


@cache
def _environment() -> Environment:
    loader = PackageLoader("hpcshell.web.pages")
    return Environment(
        loader=loader, autoescape=select_autoescape(), undefined=StrictUndefined, trim_blocks=True
    )


def page(
    request: Asked,
    name: str,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **words: Any,
) -> Response[str]:
    """A page of a template. It knows the user and the word for forms, where a session asks."""
    caller, csrf = request.scope.get(CALLER), ""
    if isinstance(caller, Caller) and caller.how == "session":
        head = head_in(request.scope)
        csrf = sessions.csrf_of(sessions.cookies_of(head)[sessions.name_of(head)])
    user = caller.user if isinstance(caller, Caller) else ""
    text = _environment().get_template(name).render(user=user, csrf=csrf, **words)
    policy = {"content-security-policy": PAGE_POLICY.decode()}
    return Response(
        text,
        status_code=status,
        media_type="text/html",
        headers=policy | (headers or {}),
    )


@get("/docs", opt={"open": True}, include_in_schema=False)
async def docs(request: Asked) -> Response[str]:
    return page(request, "docs.html", version=__version__)


@get("/static/{name:str}", opt={"open": True}, include_in_schema=False)
async def static(name: FromPath[str]) -> Response[bytes]:
    if name not in KINDS:
        raise NotFound("there is no such file", "see /docs")
    return Response(_file(name), media_type=KINDS[name], headers={"cache-control": "no-cache"})


@cache
def _file(name: str) -> bytes:
    return files("hpcshell.web.pages").joinpath("static", name).read_bytes()


@get("/login", opt={"open": True}, include_in_schema=False)
async def login_form(request: Asked) -> Response[str]:
    return _form(request, next=only(request.query_params, "next", FIRST))


@post("/login", opt={"open": True}, include_in_schema=False, status_code=303)
async def login(
    request: Asked,
    context: NamedDependency[Context],
    authentication: NamedDependency[Authentication],
) -> Response[Any]:
    head = head_in(request.scope)
    form = await request.body()
    secret = sessions.cookies_of(head).get(sessions.FORM, "")
    said = sessions.field(form, sessions.FIELD).encode()
    target = sessions.field(form, "next")
    if not secret or not hmac.compare_digest(said, sessions.csrf_of(secret).encode()):
        return _form(request, next=target, status=403, trouble="The form was old: try again.")
    token = sessions.field(form, "token").strip()
    caller = await authentication.tokens.caller(token)
    if caller is None:
        return _refused(request, authentication.failed(head, token), target)
    session = await context.change(
        lambda connection: sessions.begin(connection, caller, clock.now())
    )
    cookie = sessions.cookie(sessions.name_of(head), session, head, sessions.LASTS)
    return _elsewhere(_ours(target), cookie)


@post("/logout", include_in_schema=False, status_code=303)
async def logout(
    request: Asked,
    context: NamedDependency[Context],
    authentication: NamedDependency[Authentication],
) -> Response[bytes]:
    head = head_in(request.scope)
    caller = caller_of(request)
    if caller.how == "session" and (number := caller.token) is not None:
        await context.change(lambda connection: sessions.revoke(connection, number, clock.now()))
        authentication.tokens.forget()
    cookie = sessions.cookie(sessions.name_of(head), "", head, 0)
    return _elsewhere("/login", cookie)


def _elsewhere(location: str, cookie: str) -> Response[bytes]:
    headers = {"location": location, "set-cookie": cookie}
    return Response(b"", status_code=303, media_type="text/plain", headers=headers)


def _form(request: Asked, *, next: str, status: int = 200, trouble: str = "") -> Response[str]:
    head = head_in(request.scope)
    secret = sessions.new_secret()
    cookie = sessions.cookie(sessions.FORM, secret, head, 3600)
    return page(
        request,
        "login.html",
        status=status,
        headers={"set-cookie": cookie},
        form=sessions.csrf_of(secret),
        next=_ours(next),
        trouble=trouble,
    )


def _refused(request: Asked, error: HpcError, target: str) -> Response[str]:
    answer = answer_of(error, "/login")
    form = _form(request, next=target, status=answer.status, trouble=f"{error.message}.")
    for name, value in answer.headers[2:]:
        form.headers[name.decode()] = value.decode()
    return form


def _ours(target: str) -> str:
    """An address of this server; whatever else is asked for, the first page."""
    plain = target.isascii() and target.isprintable() and "\\" not in target
    return target if plain and target.startswith("/") and target[1:2] != "/" else FIRST


handlers: Final[list[Any]] = [docs, static, login_form, login, logout]
