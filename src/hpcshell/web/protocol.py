"""HTTP as uvicorn speaks it, with bounds on all that is no body, and an end for its streams."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from hpcshell.core.errors import HpcError, Wrong
from hpcshell.web.answers.problems import answer_of
from hpcshell.web.lingering import Lingering
from hpcshell.web.requests.errors import Ending, HeadTooLarge
from hpcshell.web.security.authentication import PEER
from hpcshell.web.security.gate import STREAM
from hpcshell.web.security.heads import guarded
from hpcshell.web.security.limits import unknown_method

HEAD: Final = 64 << 10
"""Bytes of a request's line and headers, and of what stands between the parts of its body."""
HEADERS: Final = 100
"""Most of them, and most trailers."""


class Protocol(HttpToolsProtocol):
    """One connection. `patience`: seconds in which the head of a request has to be there, and in
    which its client has to read on."""

    patience: float = 30.0

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.app = _closing_if_unread(self.app)
        self._timer: asyncio.TimerHandle | None = None
        self._in_head = True
        self._size = 0
        """Bytes that came since a head was complete, or a part of a body was there."""
        self._trailers = 0
        self._peer: int | None = None
        self._refusal: HpcError | None = None

    def connection_made(self, transport: Any) -> None:
        ending = Lingering(transport, self.loop, self.patience)
        super().connection_made(ending)  # type: ignore[arg-type]
        self._peer = _peer_of(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._ending.rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            self._ending.drop(len(data))  # what was refused already
            return
        if self._in_head and self._timer is None:
            self._await_head()
        self._size += len(data)
        super().data_received(data)
        if self._size > HEAD and not self.transport.is_closing():
            self._refuse(_too_large())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._peer is not None:
            self.scope[PEER] = self._peer  # type: ignore[typeddict-unknown-key]

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            super().on_header(name, value)
            return
        # A trailer: it comes when the headers have decided everything, and is none of them.
        self._trailers += 1
        if self._trailers > HEADERS:
            self._refusal = _too_large()
            raise ValueError("refused")

    def on_body(self, body: bytes) -> None:
        self._size = 0
        super().on_body(body)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._ending.watch()

    def resume_writing(self) -> None:
        if not self.transport.is_closing():
            self._ending.rest()
        super().resume_writing()

    def eof_received(self) -> None:
        self._ending.let_go()

    def on_headers_complete(self) -> None:
        self._stop_timer()
        self._in_head, self._size, self._trailers, self._ending.more = False, 0, 0, True
        self._refusal = _fault(self.parser.get_method(), self.url, self.headers)
        if self._refusal is not None:
            raise ValueError("refused")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._size, self._ending.more = True, 0, False
        super().on_message_complete()

    @property
    def _ending(self) -> Lingering:
        return self.transport  # type: ignore[return-value]

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._refusal or Wrong("this is no HTTP/1.1", "send HTTP/1.1"))

    def shutdown(self) -> None:
        """End what would go on for ever, refuse what is still being sent; let the rest finish."""
        cycle = self.cycle
        self._ending.hurry()
        if cycle is None or cycle.response_complete or self.pipeline:
            super().shutdown()
        elif cycle.scope.get(STREAM):
            if cycle.chunked_encoding and not self.transport.is_closing():
                self.transport.write(b"0\r\n\r\n")
            _break_off(cycle)
            self._ending.let_go()
        elif cycle.more_body and not cycle.response_started:
            self._refuse(Ending())
        else:
            super().shutdown()

    def _await_head(self) -> None:
        self._timer = self.loop.call_later(self.patience, self._ending.let_go)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, error: HpcError) -> None:
        self._stop_timer()
        self._ending.more = True
        if _break_off(self.cycle):
            self.transport.close()
            return
        answer = answer_of(error, "/")
        lines = [f"HTTP/1.1 {answer.status} \r\n".encode("ascii")]
        headers = [pair for pair in guarded(answer.headers) if pair[0] != b"connection"]
        lines += [b"%s: %s\r\n" % pair for pair in [*headers, (b"connection", b"close")]]
        self.transport.write(b"".join([*lines, b"\r\n", answer.body]))
        self.transport.close()


def _closing_if_unread(app: Any) -> Any:
    """The application; what it answers before it has all of a body ends the connection, for nobody
    wants the rest."""

    async def answering(scope: Any, receive: Any, send: Any) -> None:
        cycle: RequestResponseCycle = send.__self__

        async def sent(message: Any) -> None:
            if cycle.more_body and not cycle.response_started:
                cycle.keep_alive = False
            await send(message)

        try:
            await app(scope, receive, sent)
        except asyncio.CancelledError:  # the server ends, and has waited for long enough
            cycle.disconnected = True
            cycle.transport.abort()

    return answering


def _break_off(cycle: RequestResponseCycle | None) -> bool:
    """End the request that is at work; whether its answer has begun, so that no other can be
    given."""
    if cycle is None or cycle.response_complete:
        return False
    cycle.disconnected = True
    cycle.message_event.set()
    return cycle.response_started


def _fault(method: bytes, url: bytes, headers: list[tuple[bytes, bytes]]) -> HpcError | None:
    """What is wrong with the head of a request."""
    if method == b"CONNECT":
        return unknown_method()
    if not url.startswith(b"/"):
        return Wrong("the address must begin with /", "this is no proxy")
    size = len(url) + sum(len(name) + len(value) for name, value in headers)
    return _too_large() if size > HEAD or len(headers) > HEADERS else None


def _too_large() -> HpcError:
    return HeadTooLarge(f"the head of a request has at most {HEAD:,} bytes", "send a shorter one")


def _peer_of(transport: Any) -> int | None:
    """The user id at the other end of a Unix socket, by the kernel's word."""
    end = transport.get_extra_info("socket")
    if end is None or end.family != socket.AF_UNIX:
        return None
    found = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid: int = struct.unpack("3i", found)[1]
    return uid
