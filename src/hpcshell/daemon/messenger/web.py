"""One POST to a receiver nobody vouches for.

The name is resolved once and the connection goes to an address that was judged
(`addresses.forbidden`): no second look-up can lead elsewhere. No redirect is followed, no proxy
used. Everything after the look-up shares one deadline, so that a receiver which sends a byte now
and then gains nothing by it, and no more than the head of the answer is read.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

from hpcshell import __version__
from hpcshell.core.addresses import WebAddress, forbidden, split_webhook
from hpcshell.core.errors import Wrong
from hpcshell.core.words import safe
from hpcshell.daemon.messenger.wire import Failed, Ways
from hpcshell.machine import clock

LONGEST_HEAD: Final = 16 * 1024
MOST_INTERIM: Final = 5
LONGEST_TIME: Final = 3600.0
_STATUS = re.compile(rb"\AHTTP/1\.[01] ([1-5][0-9]{2})(?: |\r|\Z)")
_MOVED = re.compile(rb"\r\nlocation:[ \t]*([^\r\n]{1,200})", re.IGNORECASE)
AGAIN: Final = frozenset({408, 425, 429})
"""Refusals that say "later"; so do all of 500 and above."""

Resolve = Callable[..., list[tuple[Any, ...]]]


def post(
    url: str,
    content: bytes,
    ways: Ways,
    headers: dict[str, str] | None = None,
    resolve: Resolve = socket.getaddrinfo,
) -> int:
    """The status of the answer, 200 to 299. Raises `Failed` for everything else."""
    try:
        address = split_webhook(url, "webhook")
    except Wrong as error:
        raise Failed(error.message, again=False) from error
    allowed = find_addresses(address, ways.webhook_private, resolve)
    deadline = clock.monotonic() + min(ways.webhook_timeout, LONGEST_TIME)
    try:
        with _connect(allowed, deadline) as plain, _secured(plain, address, deadline) as line:
            _say(line, _request(address, content, headers or {}), deadline)
            return _verdict(_answer(line, deadline))
    except ssl.SSLCertVerificationError as error:
        raise Failed(f"its certificate is not good: {error.verify_message}", again=False) from error
    except TimeoutError as error:
        raise Failed(f"no answer within {ways.webhook_timeout:g} s", again=True) from error
    except OSError as error:
        raise Failed(f"no connection: {error.strerror or error}", again=True) from error


def find_addresses(address: WebAddress, private: bool, resolve: Resolve) -> list[tuple[Any, ...]]:
    """Where the host leads and may be connected to, as `getaddrinfo` says it. At least one."""
    try:
        found = resolve(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Failed(f"the host {address.host} was not found: {error}", again=True) from error
    judged = [(each, forbidden(each[4][0], private=private)) for each in found]
    allowed = [each for each, why in judged if why is None]
    if not allowed:
        why = judged[0][1] if judged else "nowhere"
        raise Failed(f"{address.host} leads to {why}, where notices are not sent", again=False)
    return allowed


def _left(deadline: float) -> float:
    left = deadline - clock.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _connect(allowed: list[tuple[Any, ...]], deadline: float) -> socket.socket:
    """A connection to the first address that takes one; each is given its share of the time."""
    failure: OSError = TimeoutError()
    for number, (family, kind, protocol, _, where) in enumerate(allowed):
        line = socket.socket(family, kind, protocol)
        try:
            line.settimeout(_left(deadline) / (len(allowed) - number))
            line.connect(where)
            return line
        except OSError as error:
            line.close()
            failure = error
    raise failure


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _secured(plain: socket.socket, address: WebAddress, deadline: float) -> socket.socket:
    if not address.secure:
        return plain
    plain.settimeout(_left(deadline))  # the handshake as a whole is held to it
    return _tls().wrap_socket(plain, server_hostname=address.host.rstrip("."))


def _request(address: WebAddress, content: bytes, headers: dict[str, str]) -> bytes:
    lines = {
        "Host": address.authority,
        "User-Agent": f"HPCShell/{__version__}",
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
        "Connection": "close",
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {address.target} HTTP/1.1\r\n{head}\r\n".encode("ascii") + content


def _say(line: socket.socket, request: bytes, deadline: float) -> None:
    while request:
        line.settimeout(_left(deadline))
        request = request[line.send(request) :]


def _answer(line: socket.socket, deadline: float) -> bytes:
    """The head of the answer; interim ones (100 to 199) are passed over."""
    for head in _heads(line, deadline):
        if not head.startswith((b"HTTP/1.1 1", b"HTTP/1.0 1")):
            return head
    raise Failed("it answered no end of interim heads", again=False)


def _heads(line: socket.socket, deadline: float) -> Iterator[bytes]:
    got = b""
    for _ in range(MOST_INTERIM):
        while b"\r\n\r\n" not in got and len(got) <= LONGEST_HEAD:
            line.settimeout(_left(deadline))
            more = line.recv(4096)
            if not more:
                break
            got += more
        head, _, got = got.partition(b"\r\n\r\n")
        yield head


def _verdict(head: bytes) -> int:
    found = _STATUS.match(head)
    if found is None:
        raise Failed(
            "its answer was not HTTP" if head else "it hung up without an answer", again=not head
        )
    status = int(found[1])
    if 200 <= status < 300:
        return status
    if 300 <= status < 400:
        moved = _MOVED.search(head)
        where = safe(moved[1].decode("utf-8", "replace")) if moved else "another address"
        raise Failed(f"it answered {status}: redirects (to {where}) are not followed", again=False)
    raise Failed(f"it answered {status}", again=status in AGAIN or status >= 500)
