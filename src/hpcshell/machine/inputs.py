"""What a process has on standard input, under a name by which another process can read it.

A file has its path. A pipe has none, but whoever may read it can open it once more through /proc:
the same bytes, read by the other as they come, and those it does not read are left where they are.
The name of a pipe holds its inode number, so that no other pipe is ever taken for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import stat
from typing import Final, NamedTuple

CHUNK: Final = 1 << 16
_HELD: Final = re.compile(r"(/proc/\d+/fd/\d+) pipe:\[(\d+)\]")
_LOOK: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Input(NamedTuple):
    """`name` is for `opened` in another process; `lasting` if it can be read from the start more
    than once, and after we have ended.
    """

    name: str
    lasting: bool


def input_of(descriptor: int) -> Input | None:
    """What can be read here; None for a terminal, and where nothing can be read.

    Nothing is read from a pipe, nor waited for. What no other process can open, a socket or the
    rest of a file that is half read, is poured into a pipe while we live.
    """
    try:
        found = os.fstat(descriptor)
        access = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
    except OSError:
        return None
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFCHR and not os.isatty(descriptor):
        return _by_path(descriptor, found)
    if access == os.O_WRONLY:
        return None
    if kind == stat.S_IFIFO and _can_be_opened(f"/proc/self/fd/{descriptor}"):
        return _held(descriptor)
    if kind == stat.S_IFREG and os.lseek(descriptor, 0, os.SEEK_CUR) == 0:
        return _by_path(descriptor, found) or _poured(descriptor)
    return _poured(descriptor) if kind in (stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK) else None


def readable(descriptor: int, patience: float) -> bool | None:
    """Whether there is something to be read here, be it only the end; False if that is not known
    after `patience` seconds. None for a terminal, for /dev/null, and where nothing can be read."""
    try:
        kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
        access = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
    except OSError:
        return None
    if access == os.O_WRONLY or kind not in (stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK):
        return None
    return bool(select.select([descriptor], [], [], patience)[0])


def whole(descriptor: int, most: int) -> bytes | None:
    """All that can be read here until it ends; None if that is more than `most` bytes. A file's own
    place is left where it is."""
    kept = stat.S_ISREG(os.fstat(descriptor).st_mode) and os.lseek(descriptor, 0, os.SEEK_CUR)
    found = b""
    while len(found) <= most:
        select.select([descriptor], [], [])  # it may be one that does not wait by itself
        if not (chunk := os.read(descriptor, CHUNK)):
            break
        found += chunk
    if kept is not False:
        os.lseek(descriptor, kept, os.SEEK_SET)
    return found if len(found) <= most else None


def opened(name: str, flags: int) -> int | None:
    """A descriptor of the pipe that is meant, None if `name` means a file. Raises `OSError` when
    the pipe is there no more.
    """
    held = _HELD.fullmatch(name)
    if held is None:
        return None
    descriptor = os.open(held[1], flags)
    found = os.fstat(descriptor)
    if not stat.S_ISFIFO(found.st_mode) or found.st_ino != int(held[2]):
        os.close(descriptor)
        raise FileNotFoundError(name)
    return descriptor


def _held(descriptor: int) -> Input:
    inode = os.fstat(descriptor).st_ino
    return Input(f"/proc/{os.getpid()}/fd/{descriptor} pipe:[{inode}]", lasting=False)


def _by_path(descriptor: int, found: os.stat_result) -> Input | None:
    """The file itself, if its path still leads to it."""
    path = os.readlink(f"/proc/self/fd/{descriptor}")
    with contextlib.suppress(OSError, UnicodeEncodeError):
        path.encode()
        if os.path.samestat(os.stat(path), found) and _can_be_opened(path):
            return Input(path, lasting=True)
    return None


def _can_be_opened(path: str) -> bool:
    """Not so for a pipe or file that was another user's to open, and was handed to us."""
    try:
        os.close(os.open(path, _LOOK))
    except OSError:
        return False
    return True


def _poured(descriptor: int) -> Input:
    import threading

    reading, writing = os.pipe2(os.O_CLOEXEC)
    threading.Thread(target=_pour, args=(descriptor, writing), daemon=True).start()
    return _held(reading)


def _pour(source: int, pipe: int) -> None:
    """A file's own place is left where it is: whoever shares it reads on from there."""
    with contextlib.suppress(OSError):
        if stat.S_ISREG(os.fstat(source).st_mode):
            at = os.lseek(source, 0, os.SEEK_CUR)
            while sent := os.sendfile(pipe, source, at, CHUNK):
                at += sent
        else:
            while chunk := memoryview(os.read(source, CHUNK)):
                while chunk:
                    chunk = chunk[os.write(pipe, chunk) :]
    os.close(pipe)
