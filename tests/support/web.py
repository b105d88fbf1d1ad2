"""A real web server for a test, and tokens for it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from hpcshell.track.store import tokens
from hpcshell.track.store.store import Store

ENDS_WITHIN = 10.0
"""Seconds in which a server that was told to end has ended."""


@dataclass(frozen=True)
class Heard:
    """An answer. The names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> str:
        """What kind of problem it tells of: `host-not-allowed`."""
        return str(json.loads(self.body)["type"]).removeprefix("urn:hpcshell:")


@dataclass(frozen=True)
class Server:
    """A running `hpc web`."""

    url: str
    token: str
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def client(self, token: str | None = None, **named: Any) -> httpx.Client:
        """A client with the admin's token, or with another."""
        headers = {"Authorization": f"Bearer {token or self.token}", **named.pop("headers", {})}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, **named)

    def ask(self, method: str, path: str, *headers: str, body: bytes = b"") -> Heard:
        """One request, byte for byte: the Host is ours unless a header says another."""
        lines = [f"{method} {path} HTTP/1.1", *headers]
        if not any(line.lower().startswith("host:") for line in headers):
            lines.insert(1, f"Host: 127.0.0.1:{self.port}")
        return self.send("\r\n".join([*lines, "", ""]).encode() + body)

    def send(self, sent: bytes) -> Heard:
        """What these bytes are answered with."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as link:
            link.sendall(sent)
            answer = http.client.HTTPResponse(link, method=sent.split(b" ")[0].decode())
            answer.begin()
            return Heard(answer.status, dict(answer.getheaders()), answer.read())

    @property
    def known(self) -> str:
        """The header that makes one known."""
        return f"Authorization: Bearer {self.token}"

    def end(self) -> int:
        """Tell it to end; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(ENDS_WITHIN)


@contextlib.contextmanager
def serving(*words: str, token: str = "", env: dict[str, str] | None = None) -> Iterator[Server]:
    """`hpc web --port 0 WORDS...` in the environment of the test, while it is used. Its stderr is
    `process.stderr`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hpcshell", "web", *(words or ("--port", "0"))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | (env or {}),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        url = process.stdout.readline().strip()
        assert url, process.stderr.read()
        yield Server(url, token, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        process.stdout.close()
        process.stderr.close()


def make_token(
    store: Store,
    role: str = "admin",
    *,
    scopes: Iterable[str] = (),
    expires_at: float | None = None,
    user: str = "tester",
) -> str:
    """The text of a new token."""
    text, _ = store.change(
        lambda connection: tokens.create(
            connection,
            "test",
            user=user,
            role=role,
            scopes=tuple(scopes),
            expires_at=expires_at,
            now=time.time(),
        )
    )
    return text
