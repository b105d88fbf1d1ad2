"""Whether a request was meant for us: by the name it calls us, and by the page that sent it.

A page of somebody else can make a browser send requests here, and, by changing where its own name
points, even read the answers. It cannot choose what the browser says of it: Host, Origin and
Sec-Fetch-Site. They are checked on every method.
"""

from __future__ import annotations

import re
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote
from hpcshell.web.requests.errors import HostNotAllowed, OriginNotAllowed
from hpcshell.web.security.heads import Head

LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
PORTS: Final = {"http": "80", "https": "443"}
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")
API: Final = ("/api/", "/metrics", "/openapi")
"""Addresses that are no pages: no link of another site leads to one."""


class Hosts:
    """The names that are ours. `known`: more of them, with a port or for any port."""

    def __init__(self, known: tuple[str, ...]) -> None:
        self._known = frozenset(name.lower() for name in known)

    def check(self, head: Head) -> None:
        """Raises `HostNotAllowed`, and `Wrong` where no name is given."""
        said = head.headers.get(b"host", b"").decode("latin-1").lower()
        if not said:
            raise Wrong("the request has no Host header", "send one: HTTP/1.1 asks for it")
        if not self._ours(said, head):
            raise HostNotAllowed(
                f"this server is not called {quote(said)}", self._hint(_parted(said)[0], head)
            )

    def _hint(self, name: str, head: Head) -> str:
        address, own = head.server
        port = "" if own is None or PORTS[head.scheme] == str(own) else f":{own}"
        ours = LOOPBACK if own is None else (*LOOPBACK, _bracketed(address))
        names = [*dict.fromkeys(each + port for each in ours), *sorted(self._known)]
        return (
            f"it is called {', '.join(names)}; another name is added by web.hosts in the "
            f'configuration, as in hosts = ["{name or "tracker.example.org"}"]'
        )

    def _ours(self, said: str, head: Head) -> bool:
        name, port = _parted(said)
        if said in self._known or name in self._known:
            return True
        address, own = head.server
        if own is None:  # a Unix socket: no browser gets here but through a proxy
            return name in LOOPBACK
        if (port or PORTS[head.scheme]) != str(own):
            return False
        # an address is no name that could be made to point elsewhere
        return name in LOOPBACK or name == _bracketed(address)


def check_origin(head: Head) -> None:
    """Raises `OriginNotAllowed` for what a page of somebody else has sent."""
    origin = head.headers.get(b"origin")
    if origin is not None and not _same(origin.decode("latin-1"), head):
        raise OriginNotAllowed(
            "a page of another origin sent this request", "only pages of this server may"
        )
    site = head.headers.get(b"sec-fetch-site", b"none")
    if site not in (b"same-origin", b"none") and not _follows_a_link(head):
        raise OriginNotAllowed(
            "a page of another site sent this request", "only pages of this server may"
        )


def _same(origin: str, head: Head) -> bool:
    scheme, _, place = origin.lower().partition("://")
    if scheme not in PORTS or not place or "/" in place or "@" in place:
        return False
    host = head.headers[b"host"].decode("latin-1").lower()
    (name, port), (ours, own) = _parted(place), _parted(host)
    return name == ours and (port or PORTS[scheme]) == (own or PORTS[scheme])


def _follows_a_link(head: Head) -> bool:
    """Whether somebody has come to one of our pages from elsewhere. No cookie comes along."""
    return (
        head.method in ("GET", "HEAD")
        and head.headers.get(b"sec-fetch-mode") == b"navigate"
        and head.headers.get(b"sec-fetch-dest") == b"document"
        and not head.path.startswith(API)
    )


def _bracketed(address: str) -> str:
    """An address as it stands in a Host header."""
    return f"[{address}]" if ":" in address else address


def _parted(host: str) -> tuple[str, str]:
    """Name and port of a host; the port is empty where there is none, both where it is no host."""
    found = _HOST.fullmatch(host)
    return (found[1], found[2] or "") if found else ("", "")
