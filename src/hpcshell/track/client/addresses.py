"""Where the server is, and what it knows us by.

    target = parse("https://tracker.example.org/hpc")
    target.host, target.port, target.path, target.shown

A URL is `http://`, `https://`, or `http+unix://` with the path of a socket, its slashes written as
%2F. A name and password in it are sent as such, and never shown.
"""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Record
from hpcshell.core.words import quote
from hpcshell.machine.paths import Places

_HINT: Final = "write http://host:port, https://host, or http+unix://%2Fpath%2Fto%2Fsocket"
DATABASE_HINT: Final = (
    "HPC_TRACK_URL is where hpc web is; its database is HPC_TRACK__URL (two underscores), track.url"
    " in the configuration"
)
_DATABASES: Final = ("postgres", "postgresql", "sqlite")
_PORTS: Final = {"http": 80, "https": 443, "http+unix": 0}


class Target(Record, frozen=True, kw_only=True):
    """A server. `scheme` is `http`, `https` or `http+unix`, where `host` is the socket's path."""

    scheme: str
    host: str
    port: int
    path: str = ""
    """Before `/api/v1`; no slash at its end."""
    authorization: str = ""
    """The header; empty: none."""

    @property
    def shown(self) -> str:
        """The URL as it may be printed."""
        if self.scheme == "http+unix":
            return f"the socket {self.host}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def parse(url: str, token: str = "") -> Target:
    """The server that a URL means. Raises `Wrong`."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise Wrong("the tracker's URL cannot be understood", _HINT) from None
    if is_database(url):
        raise Wrong(f"{quote(_without_secret(url))} is the URL of a database", DATABASE_HINT)
    if parts.scheme not in _PORTS or not parts.hostname or parts.query or parts.fragment:
        raise Wrong(f"{quote(_without_secret(url))} is no URL of a tracker", _HINT)
    unix = parts.scheme == "http+unix"
    return Target(
        scheme=parts.scheme,
        host=unquote(parts.netloc.rpartition("@")[2]) if unix else parts.hostname,
        port=port or _PORTS[parts.scheme],
        path=parts.path.rstrip("/").removesuffix("/api/v1"),
        authorization=_authorization(parts.username, parts.password, token),
    )


def is_database(url: str) -> bool:
    """Whether it is the URL of a database, and of no server that speaks HTTP."""
    return url.strip().partition("://")[0].partition("+")[0].lower() in _DATABASES


def find_url(given: str | None, environ: Mapping[str, str], places: Places | None) -> str:
    """The URL that counts: said, from the environment, or of the server of this user that runs
    here. Empty: there is none."""
    for candidate in (given, environ.get("HPC_TRACK_URL"), environ.get("TRACKER_API")):
        if candidate is not None and (candidate or given == ""):
            return candidate
    return _first_line(places.web_address) if places else ""


def find_token(given: str | None, environ: Mapping[str, str], places: Places | None) -> str:
    """The token: said, from the environment, or from a file of the user's."""
    if given is not None:
        return given.strip()
    named = environ.get("HPC_TRACK_TOKEN", "").strip()
    return named or (_first_line(places.track.token) if places else "")


def _authorization(user: str | None, password: str | None, token: str) -> str:
    if token:
        return f"Bearer {token}" if token.isascii() and token.isprintable() else ""
    if user is None:
        return ""
    pair = f"{unquote(user)}:{unquote(password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _first_line(path: str) -> str:
    """What our own server or user wrote into a file; empty where there is none."""
    with contextlib.suppress(OSError, ValueError), open(path, encoding="utf-8") as file:
        if os.fstat(file.fileno()).st_uid in (os.geteuid(), 0):
            return file.readline(4096).strip()
    return ""


def _without_secret(url: str) -> str:
    scheme, slashes, rest = url.partition("://")
    return scheme + slashes + rest.rpartition("@")[2]
