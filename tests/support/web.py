"""A real web server for a test, and tokens for it."""

from __future__ import annotations

import contextlib
import os
import signal
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
