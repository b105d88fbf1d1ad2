"""What every request passes before any route sees it, in this order: host, origin, limits, caller,
body. Whatever its method is; and what every answer gets on its way out."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

from hpcshell.core.errors import HpcError
from hpcshell.core.settings_web import WebSettings
from hpcshell.web.answers.problems import answer_of, told
from hpcshell.web.mlflow import problems as mlflow
from hpcshell.web.security import limits, sessions
from hpcshell.web.security.authentication import Authentication
from hpcshell.web.security.bodies import taken_in
from hpcshell.web.security.callers import CALLER, Caller, Unauthenticated
from hpcshell.web.security.heads import HEAD, Head, guarded, head_of
from hpcshell.web.security.origins import Hosts, check_origin

Asgi = Callable[[Any, Any, Any], Awaitable[None]]
STREAM: Final = "hpcshell.stream"
"""Key of the ASGI scope that says that an answer goes on until the client, or we, end it."""
EVENTS: Final = b"text/event-stream"
STANDS_FOR: Final = {"HEAD": "GET", "OPTIONS": "ALLOWED"}
"""What routes are asked instead. No route takes the second, and the refusal names what it takes."""
_ALIASES: Final = ("/experiments", "/runs", "/webhooks")
_log: Final = logging.getLogger("hpcshell.web")


class Gate:
    """An ASGI application around another. `is_open`: whether a path needs no caller."""

    def __init__(
        self,
        app: Asgi,
        web: WebSettings,
        authentication: Authentication,
        is_open: Callable[[str], bool],
    ) -> None:
        self._app = app
        self._web = web
        self._is_open = is_open
        self._hosts = Hosts(self._web.hosts)
        self._rates = limits.rates(self._web)
        self.authentication = authentication

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._serve(scope, receive, _Sending(send, scope))

    async def _serve(self, scope: Any, receive: Any, sending: _Sending) -> None:
        _rewrite(scope)
        path = scope["path"]
        try:
            head = head_of(scope)
            caller = await self._check(head, scope)
            received, body = await taken_in(head, receive, self._web, known=caller is not None)
            if caller is not None and caller.how == "session":
                session = sessions.cookies_of(head)[sessions.name_of(head)]
                sessions.check_csrf(head, body, session)
            scope[HEAD] = head
            if head.method in STANDS_FOR:
                scope = {**scope, "method": STANDS_FOR[head.method]}
                received = sending.until_answered(received)
            await self._app(scope, received, sending)
        except ConnectionResetError:
            pass  # nobody is there to be answered
        except Exception as error:
            if sending.started:
                raise
            await _refuse(told(error), path, sending)

    async def _check(self, head: Head, scope: Any) -> Caller | None:
        """All that needs no body. Puts the caller into the scope."""
        self._hosts.check(head)
        check_origin(head)
        limits.check_method(head)
        limits.check_address(head)
        caller = await self.authentication.caller(head, scope)
        limits.check_rate(self._rates, head.peer if caller is None else (caller.user, caller.token))
        if caller is not None:
            scope[CALLER] = caller
        elif not self._is_open(head.path):
            raise Unauthenticated(
                "this needs a token", "Authorization: Bearer ...; make one: hpc web token create"
            )
        limits.check_kind(head)
        return caller


class _Sending:
    """The way out: every answer gets its headers; one to HEAD has no body."""

    def __init__(self, send: Any, scope: Any) -> None:
        self._send = send
        self._scope = scope
        self._method = scope["method"]
        self._bare = self._method == "HEAD"
        self.started = False

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = guarded(list(message.get("headers", ())))
            if any(name == b"content-type" and value.startswith(EVENTS) for name, value in headers):
                self._scope[STREAM] = True
            status = message["status"]
            if self._method == "OPTIONS" and status == HTTPStatus.METHOD_NOT_ALLOWED:
                status, headers = HTTPStatus.NO_CONTENT, [pair for pair in headers if _kept(pair)]
                self._bare = True
            await self._send({**message, "status": int(status), "headers": headers})
            if self._bare:
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        elif not self._bare:
            await self._send(message)

    def until_answered(self, receive: Any) -> Any:
        """What a route receives for HEAD: nothing more once the head of its answer is out."""

        async def received() -> Any:
            return {"type": "http.disconnect"} if self.started else await receive()

        return received


def _kept(header: tuple[bytes, bytes]) -> bool:
    """Whether it says anything of an answer without a body."""
    return not header[0].lower().startswith(b"content-t") and header[0] != b"content-length"


def _rewrite(scope: Any) -> None:
    """Short addresses are those of the newest version."""
    path = scope["path"]
    if path.startswith(_ALIASES) and any(
        path == alias or path.startswith(alias + "/") for alias in _ALIASES
    ):
        scope["path"] = "/api/v1" + path
        scope["raw_path"] = b"/api/v1" + scope.get("raw_path", path.encode())


async def _refuse(error: HpcError, path: str, sending: _Sending) -> None:
    answer = mlflow.answer_of(error, path) if mlflow.speaks(path) else answer_of(error, path)
    start = {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
    await sending(start)
    await sending({"type": "http.response.body", "body": answer.body, "more_body": False})
