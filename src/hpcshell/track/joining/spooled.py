"""Events that an epilog could not send, taken in from the directory where it has left them.

Each is one file, `ID.event`: the signature on its first line, the kind of scheduler on its second,
and the rest is the body as it would have been sent. A file is removed once what it says is stored;
one that is not genuine, or makes no sense, becomes `ID.event.bad` and is not looked at again. How
old one is does not matter: only who has the key can have written it, and it counts once.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl

import msgspec
from sqlalchemy import Connection

from hpcshell.core.errors import HpcError, Wrong
from hpcshell.machine import clock
from hpcshell.track.joining import signing
from hpcshell.track.joining.hooks import told
from hpcshell.track.joining.signing import Signature
from hpcshell.track.store import seen
from hpcshell.track.store.jobstates import Told, take
from hpcshell.track.store.store import Store

ENDING: Final = ".event"
BAD: Final = ".bad"
LONGEST: Final = 80 << 10
"""Bytes of a file."""
PAGE: Final = 500
MOST_FIELDS: Final = 200


class Outcome(msgspec.Struct, frozen=True):
    """How many events were taken in, and the files that were none."""

    taken: int = 0
    bad: tuple[str, ...] = ()


def take_in(store: Store, directory: str, key: bytes) -> Outcome:
    """Take in all that lies in a directory; one that is not there holds nothing. Raises `HpcError`
    of the store."""
    taken, bad = 0, []
    page: list[tuple[str, Signature, Told]] = []
    for path in _files(directory):
        try:
            page.append((path, *read(path, key)))
        except HpcError:
            bad.append(path)
            with contextlib.suppress(OSError):
                os.rename(path, path + BAD)
        if len(page) == PAGE:
            taken += _take(store, page)
            page = []
    return Outcome(taken + _take(store, page), tuple(bad))


def is_any(directory: str) -> bool:
    """Whether there are events in a directory."""
    return any(_files(directory))


def read(path: str, key: bytes) -> tuple[Signature, Told]:
    """What such a file says. Raises `Wrong` where it is none."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Wrong(f"{path} is no file", "remove it")
            first, second, body = (file.read(LONGEST) + b"\n\n").split(b"\n", 2)
    except OSError as error:
        raise Wrong(f"{path}: {error.strerror}", "remove it") from None
    body = body.removesuffix(b"\n\n")
    signature = signing.read(first.decode("latin-1"))
    kind = second.decode("latin-1")
    if signature is None or not signing.is_genuine(key, kind, signature, body):
        raise Wrong(f"{path} is not signed with our key", "hpc track epilog --install")
    return signature, told(kind, fields_of(body), float(signature.time))


def fields_of(body: bytes) -> dict[str, str]:
    """The fields of a form. Raises `Wrong`."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="surrogateescape",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise Wrong("the body is no form", "send job_id=12&event=end") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Wrong("a field is there twice", "send each once")
    return fields


def _take(store: Store, page: list[tuple[str, Signature, Told]]) -> int:
    """Store a page, then remove its files: if that fails they come again, and count once."""
    now = clock.now()

    def work(connection: Connection) -> int:
        new = [each for _, signature, each in page if seen.first(connection, signature.id, now)]
        take(connection, new, now)
        return len(new)

    taken = store.change(work) if page else 0
    for path, _, _ in page:
        with contextlib.suppress(OSError):
            os.unlink(path)
    return taken


def _files(directory: str) -> Iterator[str]:
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return
    for name in names:
        if name.endswith(ENDING) and not name.startswith("."):
            yield os.path.join(directory, name)
