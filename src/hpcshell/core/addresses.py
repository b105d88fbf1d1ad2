"""Who may be told about a job: mail addresses and webhooks, checked before anything is sent.

check_mail("ada@example.org, bob") -> "ada@example.org,bob"
check_webhook("https://example.org/hook") -> the same text
split_webhook("https://example.org/hook") -> WebAddress(host="example.org", port=443, ...)
forbidden("169.254.169.254", private=True) -> "a link-local address"    None: may be connected to

Only what these let through may become an argument of a mail program, a header or a connection. The
name of a host says nothing about where it leads: `forbidden` judges what it resolves to as well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Record
from hpcshell.core.words import quote

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

MOST_RECEIVERS: Final = 10
LONGEST_ADDRESS: Final = 254
LONGEST_URL: Final = 2048

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_MAIL = re.compile(
    rf"\A[A-Za-z0-9_][A-Za-z0-9._%+=~'-]{{0,63}}(?:@{_LABEL}(?:\.{_LABEL})*)?\Z", re.ASCII
)
"""No blanks, quotes, `;`, `|`, `<` or leading dash: nothing a mail program reads otherwise."""

_URL = re.compile(
    r"\A(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:(?P<login>[^/?#@]*)@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^/?#:@\[\]]*)(?::(?P<port>[0-9]*))?(?P<rest>[/?][^#]*)?(?P<mark>#.*)?\Z",
    re.ASCII,
)
_HOST = re.compile(rf"\A(?:{_LABEL}\.)*{_LABEL}\.?\Z", re.ASCII)
_QUAD = re.compile(r"\A(?:(?:0|[1-9][0-9]{0,2})(?:\.|\Z)){4}\Z", re.ASCII)
_NUMBER_LIKE = re.compile(r"(?:\A|\.)(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?\Z", re.ASCII)
"""`2130706433`, `127.1` and `0x7f.1`: spellings of an address that no host has for a name."""

METADATA: Final = frozenset(
    {"169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"}
)
"""Where clouds hand a machine's credentials to whoever asks."""


class WebAddress(Record, frozen=True, kw_only=True):
    """The parts of a webhook. `host` is without brackets, `target` the path with its query."""

    secure: bool
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """`example.org` or `[::1]:8080`, as the Host header says it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    @property
    def site(self) -> str:
        """The address without its path, which is often a secret: what may be logged."""
        return f"{'https' if self.secure else 'http'}://{self.authority}"


def check_mail(text: str, option: str = "--mail-user") -> str:
    """One to ten addresses or local users, separated by commas; the same without blanks."""
    found = [part.strip(" \t") for part in text.split(",", MOST_RECEIVERS + 1)]
    if len(found) > MOST_RECEIVERS:
        raise Wrong(f"{option}: more than {MOST_RECEIVERS} receivers", "use a mailing list")
    for part in found:
        if len(part) > LONGEST_ADDRESS or not _MAIL.match(part):
            raise Wrong(
                f"{option}: {quote(part)} is no mail address",
                "write ada@example.org, or the name of a user of this machine",
            )
    return ",".join(found)


def check_webhook(url: str, option: str = "--webhook", *, private: bool = True) -> str:
    """The address itself if it can be posted to. `private` False refuses what is surely within."""
    address = split_webhook(url, option)
    if not private and address.host.rstrip(".").lower().split(".")[-1] == "localhost":
        raise _forbidden_error(option, address.host, "this machine itself")
    if _is_literal(address.host) and (why := forbidden(address.host, private=private)):
        raise _forbidden_error(option, address.host, why)
    return url


def split_webhook(url: str, option: str = "--webhook") -> WebAddress:
    """The parts of an http or https address in plain ASCII. Raises `Wrong`."""
    if len(url) > LONGEST_URL:
        raise Wrong(f"{option}: {len(url):,} characters are too long", f"at most {LONGEST_URL:,}")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise Wrong(
            f"{option}: {quote(url)} holds a character that a web address cannot have",
            "write it as %XX, a host's name as xn--...",
        )
    found = _URL.match(url)
    if found is None:
        raise Wrong(f"{option}: {quote(url)} is no web address", "write https://HOST/PATH")
    scheme = found["scheme"].lower()
    if scheme not in ("http", "https"):
        raise Wrong(f"{option}: {quote(scheme)} is not how notices are sent", "use http or https")
    if found["login"] is not None or found["mark"] is not None:
        raise Wrong(
            f"{option}: an address with a user name or a # part is not taken",
            "put the receiver's token into the path or the query",
        )
    return WebAddress(
        secure=scheme == "https",
        host=_host(found["host"], option),
        port=_port(found["port"], 443 if scheme == "https" else 80, option),
        target=_target(found["rest"] or ""),
    )


def _target(rest: str) -> str:
    return rest if rest.startswith("/") else "/" + rest


def _host(text: str, option: str) -> str:
    if text.startswith("["):
        if _ip(text[1:-1]) is None:
            raise Wrong(
                f"{option}: {quote(text)} is no address of a machine", "write [2001:db8::1]"
            )
        return text[1:-1]
    if (
        len(text) > 253
        or not _HOST.match(text)
        or (_NUMBER_LIKE.search(text) and not _is_quad(text))
    ):
        raise Wrong(f"{option}: {quote(text)} is no name of a machine", "write https://HOST/PATH")
    return text


def _port(text: str | None, default: int, option: str) -> int:
    if text is None:
        return default
    if not 1 <= len(text) <= 5 or not 1 <= int(text) <= 65535:
        raise Wrong(f"{option}: {quote(text)} is no port", "ports go from 1 to 65535")
    return int(text)


def _is_quad(host: str) -> bool:
    return bool(_QUAD.match(host)) and _ip(host) is not None


def _is_literal(host: str) -> bool:
    return ":" in host or _is_quad(host)


def _forbidden_error(option: str, host: str, why: str) -> Wrong:
    return Wrong(
        f"{option}: {quote(host)} is {why}, where notices are not sent",
        "private addresses are allowed by: [notify] webhook_private = true"
        if why in (_LOOPBACK, _PRIVATE, "this machine itself")
        else "name a host that may be reached from here",
    )


# ------------------------------------------------------------------------------------ addresses

_LOOPBACK = "a loopback address"
_PRIVATE = "a private address"


def forbidden(address: str, *, private: bool) -> str | None:
    """What is wrong with connecting to this IP address; None if nothing is.

    Loopback and private networks are allowed where `private` says so; link-local addresses, those
    of clouds' metadata, multicast and "any" never are. IPv4 hidden in IPv6 is judged as IPv4.
    """
    ip = _ip(address)
    if ip is None:
        return "no address of a machine"
    ip = _unwrapped(ip)
    if ip.is_link_local:
        return "a link-local address"
    if str(ip) in METADATA:
        return "an address of a cloud's own services"
    if ip.is_multicast or ip.is_unspecified or str(ip) == "255.255.255.255":
        return "no address of a single machine"
    if private or (ip.is_global and not ip.is_reserved):
        return None
    return _LOOPBACK if ip.is_loopback else _PRIVATE


def _ip(text: str) -> IPv4Address | IPv6Address | None:
    from ipaddress import ip_address  # only where there is a webhook: start-up does not pay for it

    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _unwrapped(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address leads to, where it is known to."""
    from ipaddress import IPv4Address

    if ip.version == 4:
        return ip
    packed = ip.packed
    if packed[:12] in (bytes(12), bytes.fromhex("0064ff9b") + bytes(8)) and packed[12:15] != bytes(
        3
    ):
        return IPv4Address(packed[12:])  # ::a.b.c.d, or translated (NAT64)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None) or ip
