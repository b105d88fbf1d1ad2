"""HTTP as uvicorn speaks it, with bounds on the head of a request and an end for its streams."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hpcshell.core.errors import HpcError, Wrong
from hpcshell.web.answers.problems import answer_of
from hpcshell.web.requests.errors import Ending, HeadTooLarge
from hpcshell.web.security.authentication import PEER
from hpcshell.web.security.gate import STREAM
from hpcshell.web.security.heads import guarded
from hpcshell.web.security.limits import unknown_method

HEAD: Final = 64 << 10
"""Bytes of a request's line and headers."""
HEADERS: Final = 100
LINGER: Final = 2.0
"""Seconds in which a client that was refused may read why."""
HASTE: Final = 0.5
"""The same where the server ends."""


class Protocol(HttpToolsProtocol):
    """One connection. `patience`: seconds in which the head of a request has to be there."""

    patience: float = 30.0

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._timer: asyncio.TimerHandle | None = None
        self._in_head = True
        self._size = 0
        self._peer: int | None = None
        self._refusal: HpcError | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(Lingering(transport, self.loop))  # type: ignore[arg-type]
        self._peer = _peer_of(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return  # what was refused already
        if self._in_head and self._timer is None:
            self._await_head()
        if self._in_head:
            self._size += len(data)  # set to 0 where the head is complete
        super().data_received(data)
        if self._size > HEAD and not self.transport.is_closing():
            self._refuse(_too_large())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._peer is not None:
            self.scope[PEER] = self._peer  # type: ignore[typeddict-unknown-key]

    def eof_received(self) -> None:
        self._ending.let_go()

    def on_headers_complete(self) -> None:
        self._stop_timer()
        self._in_head, self._size, self._ending.more = False, 0, True
        self._refusal = self._fault()
        if self._refusal is not None:
            raise ValueError("refused")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._ending.more = True, False
        super().on_message_complete()

    @property
    def _ending(self) -> Lingering:
        return self.transport  # type: ignore[return-value]

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._refusal or Wrong("this is no HTTP/1.1", "send HTTP/1.1"))

    def shutdown(self) -> None:
        """End what would go on for ever, refuse what is still being sent; let the rest finish."""
        cycle = self.cycle
        self._ending.linger = HASTE
        if cycle is None or cycle.response_complete or self.pipeline:
            super().shutdown()
        elif cycle.scope.get(STREAM):
            if cycle.chunked_encoding and not self.transport.is_closing():
                self.transport.write(b"0\r\n\r\n")
            self._give_up()
            self._ending.let_go()
        elif cycle.more_body and not cycle.response_started:
            self._refuse(Ending())
            self._give_up()
        else:
            super().shutdown()

    def _give_up(self) -> None:
        """To the application it is as if the client had gone."""
        self.cycle.disconnected = True
        self.cycle.message_event.set()

    def _fault(self) -> HpcError | None:
        if self.parser.get_method() == b"CONNECT":
            return unknown_method()
        if not self.url.startswith(b"/"):
            return Wrong("the address must begin with /", "this is no proxy")
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        return _too_large() if size > HEAD or len(self.headers) > HEADERS else None

    def _await_head(self) -> None:
        self._timer = self.loop.call_later(self.patience, self._too_late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        if not self.transport.is_closing():
            self._ending.let_go()

    def _refuse(self, error: HpcError) -> None:
        answer = answer_of(error, "/")
        lines = [f"HTTP/1.1 {answer.status} \r\n".encode("ascii")]
        headers = [pair for pair in guarded(answer.headers) if pair[0] != b"connection"]
        lines += [b"%s: %s\r\n" % pair for pair in [*headers, (b"connection", b"close")]]
        self._stop_timer()
        self._ending.more = True
        self.transport.write(b"".join([*lines, b"\r\n", answer.body]))
        self.transport.close()


class Lingering:
    """A transport that, closed while the client still sends, lets it read the answer first. To
    close at once would reset the connection, and the answer would be lost.

    `more`: whether the client still sends. `linger`: for how long it is let, in seconds."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._closing = False
        self.more = False
        self.linger = LINGER

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether nothing is to be written any more."""
        return self._closing or self._transport.is_closing()

    def close(self) -> None:
        """What asyncio's does."""
        if not self.more:
            self.let_go()
        elif not self.is_closing():
            self._closing = True
            self._transport.write_eof()
            self._transport.resume_reading()
            self._loop.call_later(self.linger, self.let_go)

    def let_go(self) -> None:
        """Close it at once."""
        self._closing = True
        self._transport.close()


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
