"""Files of a sweep: whole or not there, and appended to line by line."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from typing import Final

from hpcshell.core.errors import Broken, NotYet
from hpcshell.core.words import quote

_PIECE: Final = 1 << 16


class Unwritable(Broken):
    """A file of a sweep cannot be written or read."""


def trouble(path: str, error: OSError, what: str = "written") -> Unwritable:
    """What is said of it."""
    return Unwritable(
        f"{quote(path, 200)} cannot be {what}: {error.strerror}",
        "make room or mend the permissions, then go on with: hpc sweep resume",
    )


def opened(path: str, flags: int) -> int:
    """A descriptor of a regular file; nothing else is waited for, and no link is followed. Raises
    `OSError`."""
    usual = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY
    descriptor = os.open(path, flags | usual, 0o644)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", path)
    return descriptor


def read(path: str, most: int = -1) -> bytes:
    """The content of a file, or so many bytes of it. Raises `OSError`."""
    with os.fdopen(opened(path, os.O_RDONLY), "rb") as file:
        return file.read(most)


def lines(path: str) -> Iterator[bytes]:
    """The lines of a file, as they are; none where there is no file. Raises `Unwritable`."""
    try:
        with os.fdopen(opened(path, os.O_RDONLY), "rb") as file:
            yield from file
    except FileNotFoundError:
        return
    except OSError as error:
        raise trouble(path, error, "read") from None


def write_whole(path: str, pieces: Iterable[bytes]) -> None:
    """The file has its new content, on the disk, or the old one, whoever else writes it at the same
    time. Raises `Unwritable`."""
    draft = f"{path}.{secrets.token_hex(4)}"
    try:
        with open(draft, "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise trouble(path, error) from None


def append(path: str, line: bytes) -> None:
    """One more line, on the disk when this returns. What is left of one that was torn before goes.
    Raises `Unwritable`; then nothing of the new one is left."""
    try:
        descriptor = opened(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise trouble(path, error) from None
    try:
        end = _end_of_lines(descriptor)
        os.ftruncate(descriptor, end)
        os.lseek(descriptor, end, os.SEEK_SET)
        try:
            _write(descriptor, line + b"\n")
            os.fsync(descriptor)
        except OSError as error:
            os.ftruncate(descriptor, end)
            raise trouble(path, error) from None
    finally:
        os.close(descriptor)


def _end_of_lines(descriptor: int) -> int:
    """Where the last whole line ends."""
    end = os.lseek(descriptor, 0, os.SEEK_END)
    while end:
        first = max(0, end - _PIECE)
        cut = os.pread(descriptor, end - first, first).rfind(b"\n")
        if cut >= 0:
            return first + cut + 1
        end = first
    return 0


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def put(path: str, content: bytes) -> None:
    """A small new file that can be written again: it need not outlive the machine."""
    descriptor = opened(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        _write(descriptor, content)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: str, *, wait: bool = True) -> Iterator[None]:
    """Nobody else is within. Raises `NotYet` where somebody is and it is not waited for."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise trouble(path, error) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise NotYet("somebody else is at this sweep", "try again in a moment") from None
        yield
    finally:
        os.close(descriptor)
