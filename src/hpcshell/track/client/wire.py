"""One request after the other to a server, over TCP, TLS or a Unix socket.

    server = Server(target)
    answer = server.post("/api/v1/ingest?source=S&offset=0", body)
    answer.status, answer.offset

Loaded only where something is sent: `http.client` loads much.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import os
import socket
import ssl
import urllib.request
import zlib
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from hpcshell.core.records import Record
from hpcshell.track.client.addresses import Target

CONNECT: Final = 5.0
"""Seconds for a connection to be made."""
ANSWER: Final = 30.0
"""Seconds for which an answer may keep silent."""
LONGEST_ANSWER: Final = 1 << 20
PACK_FROM: Final = 8 << 10
"""Bytes from which on a body is packed."""

Failure: Final = (OSError, http.client.HTTPException, ValueError)
"""What `post` raises: nobody there, half an answer, nonsense."""


class Answer(Record, frozen=True, kw_only=True):
    """What a server said. `offset` None: it did not say one; `retry_after` in seconds."""

    status: int
    offset: int | None = None
    bad: int = 0
    """Lines that it could not read."""
    retry_after: float | None = None
    said: str = ""


class Server:
    """A connection that is made when it is needed, kept, and made again."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._connection: http.client.HTTPConnection | None = None
        self._prefix = target.path

    def post(self, path: str, body: bytes) -> Answer:
        """Ask, and once more on a new connection where a kept one was closed. Raises `Failure`."""
        kept = self._connection is not None
        try:
            return self._exchange(path, body)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self.close()
            if not kept:
                raise
        except Failure:
            self.close()
            raise
        try:
            return self._exchange(path, body)
        except Failure:
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(Exception):  # nobody needs it any more, however it ends
                self._connection.close()
            self._connection = None

    def _exchange(self, path: str, body: bytes) -> Answer:
        if self._connection is None:
            self._connection, self._prefix = _connection(self.target)
        headers = {"Content-Type": "application/x-ndjson", "User-Agent": "hpcshell-track"}
        if self.target.authorization:
            headers["Authorization"] = self.target.authorization
        if len(body) >= PACK_FROM:
            packer = zlib.compressobj(1, wbits=31)
            body = packer.compress(body) + packer.flush()
            headers["Content-Encoding"] = "gzip"
        self._connection.request("POST", self._prefix + path, body, headers)
        if self._connection.sock is not None:
            self._connection.sock.settimeout(ANSWER)
        response = self._connection.getresponse()
        said = response.read(LONGEST_ANSWER)
        if not response.isclosed():  # more than anybody has to say
            self.close()
        return _answer(response, said)


class _Unix(http.client.HTTPConnection):
    """HTTP over a Unix socket, whose path is the host."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=CONNECT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CONNECT)
        self.sock.connect(self._path)


def _connection(target: Target) -> tuple[http.client.HTTPConnection, str]:
    """A connection, and what is written before the path of each request."""
    if target.scheme == "http+unix":
        return _Unix(target.host), target.path
    proxy = _proxy(target)
    host, port = proxy or (target.host, target.port)
    if target.scheme == "https":
        secure = http.client.HTTPSConnection(
            host, port, timeout=CONNECT, context=ssl.create_default_context()
        )
        if proxy:
            secure.set_tunnel(target.host, target.port)
        return secure, target.path
    return http.client.HTTPConnection(host, port, timeout=CONNECT), (
        target.shown if proxy else target.path
    )


def _proxy(target: Target) -> tuple[str, int] | None:
    """The proxy that the environment names for this server; never one for ourselves."""
    if _is_loopback(target.host) or urllib.request.proxy_bypass(f"{target.host}:{target.port}"):
        return None
    found = urlsplit(urllib.request.getproxies_environment().get(target.scheme, ""))
    return (found.hostname, found.port or 3128) if found.hostname else None


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _answer(response: http.client.HTTPResponse, said: bytes) -> Answer:
    document: Any = None
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
        document = msgspec.json.decode(said)
    fields = document if isinstance(document, dict) else {}
    offset, bad = fields.get("offset"), fields.get("bad")
    detail = fields.get("detail") or fields.get("title") or response.reason
    return Answer(
        status=response.status,
        offset=offset if isinstance(offset, int) and offset >= 0 else None,
        bad=len(bad) if isinstance(bad, list) else 0,
        retry_after=_seconds(response.headers.get("Retry-After")),
        said=str(detail)[:300],
    )


def _seconds(text: str | None) -> float | None:
    """Of a Retry-After that is a number; a date is as good as none."""
    return float(text) if text is not None and text.isdecimal() and len(text) < 9 else None


def nobody_there(error: BaseException) -> str:
    """Why a request failed, in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__
