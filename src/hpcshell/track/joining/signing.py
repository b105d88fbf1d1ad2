"""The signature by which an epilog proves that it knows the key.

X-HPC-Signature: t=1700000000,id=6f1c...,v1=HMAC-SHA256 of "kind.t.id.body" in hexadecimal digits

The kind of scheduler is that of the address to which it is sent: the job 12 of one is not that of
another. The time bounds how long a request that was overheard is of use, the id says which are the
same. Neither of the three has a point in it, so that what is signed can be read in one way only.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import re
import secrets
from typing import Final

import msgspec

from hpcshell.core.errors import Broken
from hpcshell.machine.paths import Places

HEADER: Final = "X-HPC-Signature"
FORM: Final = (
    "write t=UNIX_SECONDS,id=ID,v1=DIGEST: an id of 8 to 64 letters, digits and _ : -, "
    "a digest of 64 hexadecimal digits in small letters"
)
BYTES: Final = 32
BLOCK: Final = 64
"""Bytes of a block of SHA-256: the key as HMAC takes it."""
_SAID: Final = re.compile(
    r"t=(?P<time>[0-9]{1,12}),id=(?P<id>[A-Za-z0-9_:-]{8,64}),v1=(?P<digest>[0-9a-f]{64})",
    re.ASCII,
)


class Signature(msgspec.Struct, frozen=True):
    """What is said of a body: when it was signed, which event it is, and the proof."""

    time: int
    id: str
    digest: str

    def __str__(self) -> str:
        return f"t={self.time},id={self.id},v1={self.digest}"


def read(text: str) -> Signature | None:
    """The signature that a header says; None: it says none."""
    found = _SAID.fullmatch(text.strip())
    return None if found is None else Signature(int(found["time"]), found["id"], found["digest"])


def sign(key: bytes, kind: str, time: int, id: str, body: bytes) -> Signature:
    """The signature of what is told of a job of this kind of scheduler."""
    return Signature(time, id, _digest(key, kind, time, id, body))


def is_genuine(key: bytes, kind: str, signature: Signature, body: bytes) -> bool:
    """Whether who signed it, for this kind, knows the key. Takes as long whatever the answer."""
    expected = _digest(key, kind, signature.time, signature.id, body)
    return hmac.compare_digest(expected, signature.digest)


def pads(key: bytes) -> tuple[bytes, bytes]:
    """The blocks that begin the inner and the outer hash of HMAC (RFC 2104): who has them can sign
    with nothing but a program for SHA-256."""
    block = key.ljust(BLOCK, b"\0")
    return bytes(each ^ 0x36 for each in block), bytes(each ^ 0x5C for each in block)


def _digest(key: bytes, kind: str, time: int, id: str, body: bytes) -> str:
    return hmac.new(key, f"{kind}.{time}.{id}.".encode() + body, "sha256").hexdigest()


def webhook_key(places: Places) -> bytes:
    """The key of this installation, made when it is first asked for. Raises `Broken`."""
    path = places.track.webhook_key
    try:
        _make(path)
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            key = file.read(BYTES + 1)
    except OSError as error:
        raise Broken(
            f"the key of webhooks {path}: {error.strerror}", "remove it: another is made"
        ) from error
    if mode & 0o077:
        raise Broken(f"{path} may be read by others (mode {mode:04o})", f"chmod 600 {path}")
    if len(key) != BYTES:
        raise Broken(f"{path} holds no key", "remove it: another is made")
    return key


def _make(path: str) -> None:
    """Make it, whole or not at all, and only once."""
    if os.path.lexists(path):
        return
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    own = f"{path}.{secrets.token_hex(8)}"
    with open(
        os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb"
    ) as new:
        new.write(secrets.token_bytes(BYTES))
        new.flush()
        os.fsync(new.fileno())
    try:
        with contextlib.suppress(FileExistsError):
            os.link(own, path)
    finally:
        os.unlink(own)
