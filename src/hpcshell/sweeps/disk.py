"""Files of a sweep: whole or not there, and appended to line by line."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator

from hpcshell.core.errors import Broken, HpcError, NotYet
from hpcshell.core.words import quote


def trouble(path: str, error: OSError, what: str = "written") -> HpcError:
    """What is said when a file of a sweep cannot be written or read."""
    return Broken(
        f"{quote(path, 200)} cannot be {what}: {error.strerror}",
        "make room or mend the permissions, then go on with: hpc sweep resume",
    )


def write_whole(path: str, pieces: Iterable[bytes]) -> None:
    """The file has its new content, on the disk, or the old one. Raises `Broken`."""
    draft = f"{path}.new"
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
    """One more line, on the disk when this returns. One that was torn before stays apart from it.
    Raises `Broken`; then nothing of it is left."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise trouble(path, error) from None
    try:
        end = os.lseek(descriptor, 0, os.SEEK_END)
        torn = end and os.pread(descriptor, 1, end - 1) != b"\n"
        try:
            _write(descriptor, (b"\n" if torn else b"") + line + b"\n")
            os.fsync(descriptor)
        except OSError as error:
            os.ftruncate(descriptor, end)
            raise trouble(path, error) from None
    finally:
        os.close(descriptor)


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def put(path: str, content: bytes) -> None:
    """A small new file that can be written again: it need not outlive the machine."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
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
