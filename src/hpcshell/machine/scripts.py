"""Scripts that must lie in certain directories: opened so that no link leads out of them.

Symbolic links and `..` are followed first, and where they lead must lie in one of the directories.
From there the script is opened beneath it with no link on the way, so that what is changed
meanwhile is refused, too. A hard link cannot be told from the file it is another name of: whoever
may make one there may copy a script there as well.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Iterable
from typing import Final

from hpcshell.core.errors import NotFound, Refused, Wrong
from hpcshell.core.words import quote

LONG: Final = 200
"""Characters of a path that are shown."""
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DOWN: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPENAT2: Final = 437
"""The number of the system call, the same on every machine but Alpha."""
_NO_MAGIC_LINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08
_LACKING: Final = (errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.E2BIG)
"""What a kernel without the call answers, or a sandbox that does not let it through."""


class _How(ctypes.Structure):
    """`struct open_how`, see openat2(2)."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def allowed(path: str, roots: Iterable[str]) -> str:
    """Where a script really lies, which is in one of the directories `roots` (any, without them).

    Raises `NotFound` for no script, `Refused` for one that lies elsewhere or was changed meanwhile.
    """
    os.close(open_allowed(path, roots))
    return os.path.realpath(path)


def open_allowed(path: str, roots: Iterable[str]) -> int:
    """A descriptor to read it; raises as `allowed` does."""
    real, directories = _real(path), [_directory(root) for root in roots]
    if not directories:
        return _checked(_beneath("/", real.lstrip("/"), path), path)
    for root in directories:
        if real.startswith(f"{root.rstrip('/')}/"):
            return _checked(_beneath(root, os.path.relpath(real, root), path), path)
    where = "" if real == os.path.abspath(path) else f" (it is {quote(real, LONG)})"
    raise Refused(
        f"{quote(path, LONG)}{where} is in none of the directories that scripts may lie in",
        f"they are: {', '.join(directories)}; see: hpc config show security",
    )


def _real(path: str) -> str:
    try:
        os.stat(path)  # a file with a slash after it is none
        return os.path.realpath(path, strict=True)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"there is no script {quote(path)}", "look at the spelling") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Wrong(f"{quote(path)} cannot be read: {reason}", "name another script") from None


def _directory(root: str) -> str:
    return os.path.realpath(os.path.expanduser(root))


def _beneath(root: str, inner: str, path: str) -> int:
    """The file at `inner` below `root`, with no link on the way."""
    try:
        top = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Refused(
            f"{quote(root, LONG)} cannot be entered: {error.strerror}",
            "mend it, or take it out of security.allowed_script_paths",
        ) from None
    try:
        try:
            return _openat2(top, inner)
        except OSError as error:
            if error.errno not in _LACKING:
                raise
            return _walk(top, inner)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EXDEV, errno.ENOENT, errno.ENOTDIR):
            raise Refused(
                f"{quote(path)} was changed while it was looked at", "look who writes there"
            ) from None
        raise Wrong(f"{quote(path)} cannot be read: {error.strerror}", "chmod u+r it") from None
    finally:
        os.close(top)


def _openat2(top: int, inner: str) -> int:
    how = _How(_READ, 0, _NO_MAGIC_LINKS | _NO_SYMLINKS | _BENEATH)
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    found: int = call(
        ctypes.c_long(_OPENAT2),
        ctypes.c_int(top),
        ctypes.c_char_p(os.fsencode(inner)),
        ctypes.byref(how),
        ctypes.c_size_t(ctypes.sizeof(how)),
    )
    if found < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return found


def _walk(top: int, inner: str) -> int:
    """The same, step by step."""
    *steps, name = inner.split("/")
    here = os.dup(top)
    try:
        for step in steps:
            below = os.open(step, _DOWN, dir_fd=here)
            os.close(here)
            here = below
        return os.open(name, _READ | os.O_NOFOLLOW, dir_fd=here)
    finally:
        os.close(here)


def _checked(descriptor: int, path: str) -> int:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Wrong(f"{quote(path)} is no plain file", "name a script")
    return descriptor
