"""The last event of the daemon that the log has, kept in a file: the next one to log goes on there.

It is written after the line of the event: whoever is killed in between says that one twice, and
leaves none out.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import Final

from hpcshell.machine.paths import Places

_SHAPE: Final = re.compile(rb"\d{20}\n")


class Cursor:
    """The number of an event (`seq`), in the file `path`. `last` is the latest event that there is:
    that one, where nothing is kept yet, or what is kept cannot be."""

    def __init__(self, path: str, last: int) -> None:
        self.path = path
        self.seq = min(_kept(path, last), last)

    @classmethod
    def of(cls, places: Places, last: int) -> Cursor:
        """That of the log of the box."""
        return cls(f"{places.state}/gpu-log.seq", last)

    def keep(self, seq: int) -> None:
        """Go on after this one. Where it cannot be written what is kept stays: events are logged
        again."""
        self.seq = seq
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with contextlib.suppress(OSError):
            descriptor = os.open(self.path, flags, 0o600)
            try:
                os.pwrite(descriptor, b"%020d\n" % seq, 0)
            finally:
                os.close(descriptor)


def _kept(path: str, otherwise: int) -> int:
    try:
        with open(path, "rb") as file:
            kept = file.read(64)
    except OSError:
        return otherwise
    return int(kept) if _SHAPE.fullmatch(kept) else otherwise
