"""Files that a command is given to read: plain ones, and pipes that somebody writes to; never more
than so many bytes, and nobody is waited for who never comes."""

from __future__ import annotations

import os
import stat
import sys
from io import BytesIO
from typing import Final, Protocol

from hpcshell.core.errors import NotFound, Wrong
from hpcshell.core.words import safe
from hpcshell.trace.gunzip import MOST

LARGEST_LIST: Final = 64 << 20
"""Bytes of a list with a line for each job: some million of them."""
LARGEST_TABLE: Final = 4 << 20
"""Bytes of a file that people write, such as one of a machine."""

_PIECE: Final = 1 << 20


class Readable(Protocol):
    """A file of bytes that is open."""

    def read(self, most: int, /) -> bytes | None:
        """The next of them; nothing at the end, None where there are none yet."""


def content(path: str, most: int = MOST) -> bytes:
    """The bytes of a file. Raises `NotFound`; and `Wrong`: it cannot be read, is no plain file, or
    has more than `most` bytes."""
    told = safe(path)
    try:
        with open(path, "rb", buffering=0, opener=_without_waiting) as file:
            kind = stat.S_IFMT(os.fstat(file.fileno()).st_mode)
            if kind not in (stat.S_IFREG, stat.S_IFIFO):
                raise _no_file(told)
            start = _first(file, told) if kind == stat.S_IFIFO else b""
            os.set_blocking(file.fileno(), True)
            return _rest(file, start, told, most)
    except FileNotFoundError:
        raise NotFound(f"{told}: there is no such file", "check the path") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise Wrong(f"{told}: cannot be read: {why}", "name a file that can be read") from None


def stdin_content(most: int = MOST) -> bytes:
    """What stands on stdin. Raises `Wrong`: it is a device without an end, or has more."""
    try:
        number = sys.stdin.fileno()
    except OSError:  # a stream with no file behind it
        number = None
    if number is not None and not os.isatty(number):
        mode = os.fstat(number).st_mode
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            raise _no_file("stdin")
    return _rest(sys.stdin.buffer, b"", "stdin", most)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _no_file(told: str) -> Wrong:
    return Wrong(f"{told} is no plain file: it is not read", "name a file")


def _first(pipe: Readable, told: str) -> bytes:
    """What stands in a pipe by now. Raises `Wrong`: nobody writes to it."""
    found = pipe.read(_PIECE)
    if found == b"":  # and not None, which is: they did not yet
        raise Wrong(f"{told} is a pipe that nobody writes to", "name a file")
    return found or b""


def _rest(file: Readable, start: bytes, told: str, most: int) -> bytes:
    text = BytesIO()  # pieces that are joined in the end would be there twice
    piece: bytes | None = start or file.read(_PIECE)
    while piece:
        if text.tell() + len(piece) > most:
            raise Wrong(f"{told}: has more than {most:,} bytes", "give less of it")
        text.write(piece)
        piece = file.read(_PIECE)
    return text.getvalue()
