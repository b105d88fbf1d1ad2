"""Reading what a point wrote: only regular files, only so much of them, and never waiting."""

from __future__ import annotations

import os
import stat
from typing import Final

from hpcshell.core.records import Record

_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC


class Piece(Record, frozen=True, kw_only=True):
    """The bytes that were read. `whole`: nothing was left out. `trouble`: why there are none
    though there is a file."""

    content: bytes = b""
    whole: bool = True
    trouble: str = ""


def ends(path: str, head: int, tail: int) -> Piece | None:
    """A file's first `head` and last `tail` bytes, all of it where that is no more; between them
    the line that was cut is dropped on each side. None: there is no such file."""
    try:
        descriptor = os.open(path, _READ)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if os.path.islink(path):
            return Piece(trouble="is a link: not read")
        return Piece(trouble=f"cannot be read: {error.strerror}")
    try:
        return _ends(descriptor, head, tail)
    except OSError as error:
        return Piece(trouble=f"cannot be read: {error.strerror}")
    finally:
        os.close(descriptor)


def _ends(descriptor: int, head: int, tail: int) -> Piece:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        return Piece(trouble="is not a regular file: not read")
    if status.st_size <= head + tail:
        return Piece(content=_some(descriptor, head + tail, 0))
    first = _some(descriptor, head, 0)
    last = _some(descriptor, tail, status.st_size - tail)
    cut = last.find(b"\n") + 1  # 0 where all of it is one line
    return Piece(content=first[: first.rfind(b"\n") + 1] + last[cut:], whole=False)


def _some(descriptor: int, most: int, at: int) -> bytes:
    """Up to `most` bytes from there on; a file that grows meanwhile is not followed."""
    content = os.pread(descriptor, most, at)
    while content and len(content) < most:
        more = os.pread(descriptor, most - len(content), at + len(content))
        if not more:
            break
        content += more
    return content
