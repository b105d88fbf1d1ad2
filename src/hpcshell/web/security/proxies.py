"""Reverse proxies whose word on who is calling is taken: by their address, with a secret where
others have the same one, or by their user, where they come over our Unix socket."""

from __future__ import annotations

import errno
import hmac
import ipaddress
import os
import pwd
import socket
import stat
from typing import Final

from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.settings_web import WebSettings
from hpcshell.core.words import quote, safe
from hpcshell.web.security.callers import ROLES, Caller
from hpcshell.web.security.heads import PROXY_SECRET, Head

UID: Final = "uid:"
"""What a proxy is called that is known by its user."""
SHORTEST: Final = 16
"""Characters of a secret."""
_HINT: Final = 'write an address, as in proxies = ["192.0.2.7"], or a user: "uid:www-data"'


class Proxies:
    """Those of one server. Raises `Wrong` for what is none, and `Refused` for one that anybody on
    this machine could be taken for."""

    def __init__(self, web: WebSettings) -> None:
        self._web = web
        users = [each for each in web.proxies if each.startswith(UID)]
        self.uids = frozenset(_uid_of(each.removeprefix(UID)) for each in users)
        self._addresses = frozenset(_plain(each) for each in web.proxies if each not in users)
        self._secret = _secret_in(web.proxy_secret) if web.proxy_secret else None
        if self._secret is None:
            for each in sorted(self._addresses):
                _check_shared(each)

    def told(self, head: Head, uid: int | None) -> Caller | None:
        """Who is calling, by a proxy's word; `uid`: of whoever is connected over a Unix socket."""
        said = head.headers.get(self._web.proxy_header.lower().encode())
        if said is None or not self._is_one(head, uid):
            return None
        user = said.decode("utf-8", "replace").strip()
        if not user or b"," in said:
            return None
        role = "user"
        if user in self._web.admins:
            role = "admin"
        elif user in self._web.operators:
            role = "operator"
        return Caller(user=user, role=role, rights=ROLES[role], how="proxy")

    def _is_one(self, head: Head, uid: int | None) -> bool:
        if uid is not None:
            return uid in self.uids
        if not head.peer or _plain(head.peer) not in self._addresses:
            return False
        if self._secret is None:
            return True
        return hmac.compare_digest(head.headers.get(PROXY_SECRET, b""), self._secret)


def _plain(text: str) -> str:
    """An address, written in the one way in which it is compared. Raises `Wrong`."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise Wrong(f"web.proxies: {quote(text)} is no address", _HINT) from None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _uid_of(name: str) -> int:
    try:
        return int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid
    except KeyError:
        raise Wrong(
            f"web.proxies: there is no user {quote(name)}", "name the user who runs the proxy"
        ) from None


def _check_shared(address: str) -> None:
    """Raises `Refused` for an address from which every user of this machine may come."""
    if ipaddress.ip_address(address).is_loopback or _is_ours(address):
        raise Refused(
            f"web.proxies: {address} is this machine's: every user of this machine could say who "
            "they are",
            "let the proxy send a secret, and name the file that holds it in web.proxy_secret; or "
            "serve on a Unix socket, and name the proxy's user: uid:www-data",
        )


def _is_ours(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            return error.errno not in (errno.EADDRNOTAVAIL, errno.EINVAL)
    return True


def _secret_in(path: str) -> bytes:
    """The secret that a file holds, which nobody else reads. Raises `Refused` and `Wrong`."""
    path = os.path.expanduser(path)
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            found = os.fstat(file.fileno())
            secret = file.read(4096).strip()
    except OSError as error:
        raise Wrong(
            f"web.proxy_secret: {safe(path)}: {error.strerror}",
            f"umask 077; openssl rand -hex 32 > {safe(path)}",
        ) from None
    if found.st_uid not in (0, os.geteuid()) or stat.S_IMODE(found.st_mode) & 0o077:
        raise Refused(
            f"web.proxy_secret: {safe(path)} may be read or written by others",
            f"make it yours alone: chmod 600 {safe(path)}, and make another secret",
        )
    if len(secret) < SHORTEST or b"\n" in secret:
        raise Wrong(
            f"web.proxy_secret: {safe(path)} holds no secret of {SHORTEST} characters or more on "
            "one line",
            f"openssl rand -hex 32 > {safe(path)}",
        )
    return secret
