"""Receivers of notices for tests: web servers on a free loopback port, and programs that take mail.

with Receiver() as receiver:                 answers 200 and keeps what it got
    receiver.url, receiver.got.get(timeout=10)
with Receiver([503, 503, 200]) as receiver:  answers each in turn, the last for ever
with Trickle() as trickle:                   answers a byte now and then, and never finishes
with Silent() as silent:                     takes connections and never says a word
mailer(tmp_path) -> (command, folder)        a sendmail that keeps each mail and its arguments
"""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

PATIENCE = 20.0
"""Seconds a test waits for something that is about to come."""


@dataclass
class Got:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class Receiver:
    """A web server that keeps what it is sent."""

    def __init__(
        self,
        statuses: list[int] | None = None,
        location: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.got: queue.Queue[Got] = queue.Queue()
        answers = list(statuses or [200])
        got = self.got

        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                got.put(Got(self.path, dict(self.headers), content))
                self.send_response(answers.pop(0) if len(answers) > 1 else answers[0])
                if location:
                    self.send_header("Location", location)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = int(self.server.server_address[1])
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/hook/s3cret?a=1"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def next(self) -> Got:
        return self.got.get(timeout=PATIENCE)


class Silent:
    """Listens, lets the kernel accept, and never answers."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


class Trickle(Silent):
    """Accepts, and sends one more byte of a head that has no end, until nobody listens."""

    def __enter__(self) -> Self:
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._drip, daemon=True)
        self._thread.start()
        return self

    def _drip(self) -> None:
        with contextlib.suppress(OSError):
            line, _ = self.socket.accept()
            with line:
                line.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not self._leave.wait(0.01):
                    line.sendall(b"z")

    def __exit__(self, *_: object) -> None:
        self._leave.set()
        self.socket.close()


def script(path: Path, text: str) -> str:
    """An executable shell script."""
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def mailer(folder: Path) -> tuple[tuple[str, ...], Path]:
    """A command that keeps each mail as N.eml and its arguments, one a line, as N.args."""
    kept = folder / "mails"
    kept.mkdir()
    keep = f"cat > {kept}/$$.part\nmv {kept}/$$.part {kept}/$$.eml\n"
    text = f'printf "%s\\n" "$@" > {kept}/$$.args\n{keep}'
    return (script(folder / "fake-sendmail", text), "-t", "-i"), kept
