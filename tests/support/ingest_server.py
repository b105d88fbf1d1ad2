"""A server that takes spool files in, for tests: the offset protocol, and what goes wrong.

with IngestServer() as server:              takes in what is sent
    server.url, server.taken, server.lines("SOURCE")
    server.wait(lambda: server.taken)       until something has come true
with IngestServer(faults=[503, Hang()]):    answers the first requests so, then takes in

A fault is a status to answer with, or `Answered(status, headers, document)`, `Hang()` (reads, and
never answers), `Half(bytes)` (reads so much of the body and closes) or `Unsaid()` (takes the body
in, and closes without a word).
"""

from __future__ import annotations

import gzip
import json
import os
import socketserver
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

PATIENCE = 20.0
"""Seconds a test waits for something that is about to come."""


@dataclass(frozen=True)
class Answered:
    """Answer so, and take nothing in."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Hang:
    """Never answer."""


@dataclass(frozen=True)
class Half:
    """Close within the body."""

    size: int = 10


@dataclass(frozen=True)
class Unsaid:
    """Take it in, and close without an answer."""


Fault = int | Answered | Hang | Half | Unsaid


class IngestServer:
    """One at a time, in threads of the test's process."""

    def __init__(
        self,
        faults: Sequence[Fault] = (),
        *,
        token: str = "",
        socket: str = "",
        tls: ssl.SSLContext | None = None,
        largest: int = 32 << 20,
    ) -> None:
        self.taken: dict[str, bytes] = {}
        self.requests: list[tuple[str, dict[str, str], int]] = []
        """(path, headers, bytes of the unpacked body) of each."""
        self.faults = list(faults)
        self.bad: list[dict[str, Any]] = []
        """Lines that it says it did not take."""
        self.token = token
        self.largest = largest
        self.changed = threading.Condition()
        self.ended = threading.Event()
        self._server = self._listening(socket, tls)
        plain = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"
        self.url = "http+unix://" + socket.replace("/", "%2F") if socket else plain

    def _listening(self, path: str, tls: ssl.SSLContext | None) -> Any:
        ours = self

        class Requests(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                ours.answer(self)

            def address_string(self) -> str:
                return ""

            def log_message(self, format: str, *args: Any) -> None:
                pass

        if path:
            return _UnixServer(path, Requests)
        server = _Server(("127.0.0.1", 0), Requests)
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        return server

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    # ------------------------------------------------------------------------------- for tests

    def lines(self, source: str | None = None) -> list[dict[str, Any]]:
        """The lines of a source, or of all."""
        with self.changed:
            found = [body for name, body in self.taken.items() if source in (None, name)]
        return [json.loads(line) for body in found for line in body.splitlines()]

    def values(self, key: str) -> list[float]:
        """Of a metric, in the order in which they came."""
        return [line["v"][key] for line in self.lines() if line["k"] == "m" and key in line["v"]]

    def wait(self, true: Callable[[], object], patience: float = PATIENCE) -> None:
        with self.changed:
            assert self.changed.wait_for(true, patience), "never came true"

    # -------------------------------------------------------------------------------- answering

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        with self.changed:
            fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Half):
            request.rfile.read(min(fault.size, int(request.headers["Content-Length"])))
            request.close_connection = True
            return
        body = request.rfile.read(int(request.headers["Content-Length"]))
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        with self.changed:
            self.requests.append((request.path, dict(request.headers), len(body)))
            self.changed.notify_all()
        self._answer(request, body, fault)

    def _answer(self, request: BaseHTTPRequestHandler, body: bytes, fault: Fault | None) -> None:
        match fault:
            case Hang():
                self.ended.wait()
                request.close_connection = True
            case Unsaid():
                self._take_in(request.path, body)
                request.close_connection = True
            case int():
                _say(request, Answered(fault, {}, {"detail": "as the test wants it"}))
            case Answered():
                _say(request, fault)
            case _:
                _say(request, self._checked(request, body))

    def _checked(self, request: BaseHTTPRequestHandler, body: bytes) -> Answered:
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return Answered(401, {"WWW-Authenticate": "Bearer"}, {"detail": "no such token"})
        if len(body) > self.largest:
            return Answered(413, {}, {"detail": "too large"})
        return self._take_in(request.path, body)

    def _take_in(self, path: str, body: bytes) -> Answered:
        asked = {key: values[0] for key, values in parse_qs(urlsplit(path).query).items()}
        source, offset = asked["source"], int(asked["offset"])
        assert not body or body.endswith(b"\n"), "half a line"
        with self.changed:
            known = self.taken.get(source, b"")
            if offset > len(known):
                return Answered(409, {}, {"detail": "a gap", "offset": len(known)})
            if offset + len(body) > len(known):
                self.taken[source] = known + body[len(known) - offset :]
            self.changed.notify_all()
            return Answered(200, {}, {"offset": len(self.taken.get(source, b"")), "bad": self.bad})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class _UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def server_close(self) -> None:
        super().server_close()
        os.unlink(str(self.server_address))


def _say(request: BaseHTTPRequestHandler, answered: Answered) -> None:
    text = json.dumps(answered.document).encode()
    request.send_response(answered.status)
    for name, value in answered.headers.items():
        request.send_header(name, value)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(text)))
    request.end_headers()
    request.wfile.write(text)
