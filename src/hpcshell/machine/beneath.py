"""Files that strangers name, opened beneath one directory and nowhere else.

    descriptor = open_beneath("/shared/logs", "exp-1/train.log")

The kernel itself keeps to the directory (`openat2` with RESOLVE_BENEATH, Linux 5.6); where it
cannot, each step is opened by itself and no symbolic link is followed. No test of a name comes
before an opening of that name: what is swapped in between is refused as well.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from hpcshell.core.errors import Broken, HpcError, NotFound, Refused, Wrong
from hpcshell.core.words import quote

LONGEST: Final = 1000
"""Characters of a name with all its parts."""
LONGEST_PART: Final = 255
"""Bytes of a part: what a file's name may have."""

_OPENAT2: Final = 437
"""The same number on every architecture but Alpha."""
_NO_MAGICLINKS: Final = 0x02
_NO_SYMLINKS: Final = 0x04
_BENEATH: Final = 0x08
_HOW: Final = struct.Struct("=QQQ")
_TRIES: Final = 32
"""The kernel says EAGAIN while somebody renames directories around it."""
_FILE: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_DIRECTORY: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_DIRECTORY
_libc: Final = ctypes.CDLL(None, use_errno=True)

Opening = Callable[[int, Sequence[str], int], int]
"""(directory, parts, flags) -> descriptor; raises `OSError`."""


def parts_of(name: str) -> tuple[str, ...]:
    """The parts of a relative name, between `/`. Raises `Wrong`.

    Refused: absolute names, empty parts, `.` and `..`, NUL and other control bytes, names too long.
    Kept as they are: backslashes, `%2e`, `#`, `?`, `:`; nothing is decoded here.
    """
    parts = tuple(name.split("/"))
    said = quote(name)
    if len(name) > LONGEST:
        raise Wrong(f"the path {said} is longer than {LONGEST} characters", "use a shorter one")
    if name.startswith("/"):
        raise Wrong(f"the path {said} is absolute", "name it from within its directory")
    if any(part in ("", ".", "..") for part in parts):
        raise Wrong(f"the path {said} has an empty part, '.' or '..'", "write it without")
    if any(character < " " or character == "\x7f" for character in name):
        raise Wrong(f"the path {said} holds a control character", "leave it out")
    for part in parts:
        _check_part(part)
    return parts


def _check_part(part: str) -> None:
    try:
        length = len(part.encode())
    except UnicodeEncodeError:
        raise Wrong(f"the path's part {quote(part)} is not UTF-8", "use another name") from None
    if length > LONGEST_PART:
        raise Wrong(
            f"the path's part {quote(part)} has {length:,} bytes", f"{LONGEST_PART} are possible"
        )


def open_beneath(root: str, name: str, *, owner: int | None = None) -> int:
    """A descriptor of a plain file, for reading. Raises `NotFound`, `Refused`, `Wrong`.

    Refused: symbolic links on the way beneath the root (which may be one itself), directories,
    FIFOs, sockets, devices, and a hard link (more than one name) to a file of another user than
    `owner` (ours, if not said): anybody can put such a link into a directory of their own.
    """
    parts = parts_of(name)
    with directory(root) as top, _told(name):
        descriptor = _open(top, parts, _FILE)
    try:
        _check_file(descriptor, name, os.geteuid() if owner is None else owner)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_file(descriptor: int, name: str, owner: int) -> None:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise Refused(f"{quote(name)} is no plain file", "name a file")
    if found.st_nlink > 1 and found.st_uid != owner:
        raise Refused(
            f"{quote(name)} is another name of a file of user {found.st_uid}", "copy that file"
        )
    os.set_blocking(descriptor, True)


@contextlib.contextmanager
def directory(root: str) -> Iterator[int]:
    """A descriptor of the root itself. Raises `NotFound`, `Refused`."""
    with _told(root):
        descriptor = os.open(root, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def directory_beneath(top: int, parts: Sequence[str], *, make: bool = False) -> Iterator[int]:
    """A descriptor of a directory some steps below one; with `make`, what is missing is made."""
    with _told("/".join(parts)):
        step = os.dup(top)
        try:
            for part in parts:
                step = _enter(step, part, make=make)
        except BaseException:
            os.close(step)
            raise
    try:
        yield step
    finally:
        os.close(step)


def _enter(step: int, part: str, *, make: bool) -> int:
    """Closes the one it comes from, unless it raises."""
    if make:
        with contextlib.suppress(FileExistsError):
            os.mkdir(part, 0o700, dir_fd=step)
            os.fsync(step)
    below = os.open(part, _DIRECTORY, dir_fd=step)
    os.close(step)
    return below


# ------------------------------------------------------------------------------- the two ways


def _open(top: int, parts: Sequence[str], flags: int) -> int:
    try:
        return by_kernel(top, parts, flags)
    except OSError as error:
        # Containers that do not know the call say EPERM as often as ENOSYS.
        if error.errno not in (errno.ENOSYS, errno.EPERM, errno.EAGAIN):
            raise
    return by_steps(top, parts, flags)


def by_kernel(top: int, parts: Sequence[str], flags: int) -> int:
    """Opened by `openat2`. Raises `OSError`: ELOOP for a link, EXDEV for what leads outside."""
    how = _HOW.pack(flags, 0, _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS)
    path = os.fsencode("/".join(parts))
    code = 0
    for _ in range(_TRIES):
        found = int(_libc.syscall(_OPENAT2, top, path, how, _HOW.size))
        if found >= 0:
            return found
        if (code := ctypes.get_errno()) not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(code, os.strerror(code))


def by_steps(top: int, parts: Sequence[str], flags: int) -> int:
    """Opened step by step, each beneath the one before. Raises `OSError`, as `by_kernel` does but
    for links to directories, of which O_NOFOLLOW says ENOTDIR."""
    step = os.dup(top)
    try:
        for part in parts[:-1]:
            step = _enter(step, part, make=False)
        return os.open(parts[-1], flags, dir_fd=step)
    finally:
        os.close(step)


# ---------------------------------------------------------------------------------- the errors


@contextlib.contextmanager
def _told(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _error(name, error) from None


def _error(name: str, error: OSError) -> HpcError:
    said = quote(name)
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR | errno.ENAMETOOLONG:
            return NotFound(f"there is no {said}", "look at the list of files")
        case errno.ELOOP | errno.EXDEV:
            return Refused(
                f"{said} leads through a symbolic link, which is not followed",
                "name the file that it means",
            )
        case errno.EACCES | errno.EPERM:
            return Refused(f"{said} may not be read", "ask its owner for leave to read it")
        case errno.ENXIO | errno.ENODEV | errno.EISDIR:
            return Refused(f"{said} is no plain file", "name a file")
        case errno.ENOSPC | errno.EDQUOT:
            return Broken(f"there is no room for {said}", "make room, then try again")
    return Broken(f"{said} cannot be opened: {error.strerror}", "hpc doctor looks for the reason")
