"""A file of what one process logs: append-only, unbuffered, whole lines.

    spool = open_spool(directories, run_id, nonce, first_line)
    spool.write(b'{"k":"h","t":1.0}\\n')      never raises

What `write` has taken is in the file when it returns, and survives the death of the process. On a
full disk up to a megabyte is kept in memory until there is room; after that lines are lost, and
said to be.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Final

from hpcshell.core.words import safe
from hpcshell.track.client import say

KEPT: Final = 1 << 20
"""Bytes kept in memory while the disk is full."""
PAUSE: Final = 1.0
"""Seconds between tries to write what is kept."""
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class Spool:
    """An open spool file. Any number of threads, and signal handlers between, may write."""

    def __init__(self, path: str, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self.lost = 0
        """Lines that found no room."""
        self._lock = threading.RLock()  # a signal handler may write while its thread does
        self._kept: list[bytes] = []
        self._kept_size = 0
        self._torn = False
        self._again = 0.0

    @property
    def source(self) -> str:
        """What the server calls this file."""
        return os.path.basename(self.path).removesuffix(".jsonl")

    @property
    def size(self) -> int:
        """Bytes in the file."""
        try:
            return os.fstat(self.descriptor).st_size
        except OSError:
            return 0

    @property
    def waits(self) -> bool:
        """Whether there are lines that found no room yet."""
        return bool(self._kept)

    def write(self, line: bytes) -> None:
        """Append one whole line."""
        with self._lock:
            if self._kept or self._torn:
                self._write_late(line)
                return
            try:
                written = os.write(self.descriptor, line)
            except OSError as error:
                self._trouble(error)
                self._keep(line)
                return
            if written != len(line):
                self._mend(written)
                self._keep(line)

    def retry(self) -> None:
        """Write what was kept, if there is room again."""
        with self._lock:
            if self._kept:
                self._write_kept()

    def remove(self, taken: int) -> bool:
        """Remove the file, of which so many bytes are kept elsewhere; not if there is more. What is
        written after that is lost, and said to be."""
        with self._lock:
            if self._kept or self.size > taken:
                return False
            with contextlib.suppress(OSError):  # whoever finds it knows that it is taken in
                os.unlink(self.path)
            self._let_go()
            return True

    def _let_go(self) -> None:
        if self.descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(self.descriptor)
        self.descriptor = -1

    def close(self) -> None:
        with self._lock:
            self._again = 0.0
            self._write_kept()
            if self._kept:
                self.lost += len(self._kept)
                self._kept = []
            self._let_go()
            if self.lost:
                say.once(f"lost {self.path}", f"{self.lost} lines of {self.path} were lost")

    def abandon(self) -> None:
        """In a forked child: the file is the parent's."""
        self._lock = threading.RLock()
        self._let_go()

    def _write_late(self, line: bytes) -> None:
        self._keep(line)
        if time.monotonic() >= self._again:
            self._write_kept()

    def _write_kept(self) -> None:
        self._again = time.monotonic() + PAUSE
        while self._kept:
            line = self._kept[0]
            whole = b"\n" + line if self._torn else line
            try:
                written = os.write(self.descriptor, whole)
            except OSError as error:
                self._trouble(error)
                return
            if written != len(whole):
                self._mend(written)
                return
            self._torn = False
            self._kept.pop(0)
            self._kept_size -= len(line)

    def _keep(self, line: bytes) -> None:
        if self._kept_size + len(line) > KEPT:
            self.lost += 1
            return
        if not self._kept:
            self._again = time.monotonic() + PAUSE
        self._kept.append(line)
        self._kept_size += len(line)

    def _mend(self, written: int) -> None:
        """Take a part of a line away again; where that fails the next line begins with an end."""
        say.once(self.path, f"the disk of {self.path} is full: {_WHAT_THEN}")
        try:
            os.ftruncate(self.descriptor, os.fstat(self.descriptor).st_size - written)
        except OSError:
            self._torn = True

    def _trouble(self, error: OSError) -> None:
        say.once(self.path, f"{self.path} cannot be written ({error.strerror}): {_WHAT_THEN}")


_WHAT_THEN: Final = "training goes on, what it logs is kept in memory as long as that is little"


class Nowhere(Spool):
    """Where no directory takes a file: everything is lost, and training goes on."""

    def __init__(self) -> None:
        super().__init__("", -1)

    def write(self, line: bytes) -> None:
        pass

    def close(self) -> None:
        pass


def open_spool(directories: Iterable[str], run_id: str, nonce: str, first: bytes) -> Spool:
    """A new file in the first directory that takes one, else below the system's temporary one."""
    tried: list[str] = []
    for directory in (*directories, None):
        try:
            where = _temporary() if directory is None else directory
            os.makedirs(where, exist_ok=True)
            name = f"{run_id}-{nonce}{os.urandom(4).hex()}.jsonl"
            spool = _begun(os.path.join(where, name), first)
        except (OSError, TypeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            tried.append(f"{directory or 'the temporary directory'}: {reason}")
            continue
        if tried:
            say.once(
                f"spool {tried}",
                f"no file can be made in {'; '.join(tried)}. What is logged goes to {spool.path};"
                f" later: hpc track sync {where}",
            )
        return spool
    say.once("no spool", f"nothing is logged: no file can be made in {'; '.join(tried)}")
    return Nowhere()


def _begun(path: str, first: bytes) -> Spool:
    """A file with its first line. Raises `OSError` and leaves none."""
    spool = Spool(path, os.open(path, _FLAGS, 0o666))
    try:
        if os.write(spool.descriptor, first) != len(first):
            raise OSError(errno.ENOSPC, "there is no room")
    except OSError:
        spool.abandon()
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise
    return spool


def _temporary() -> str:
    """A directory of ours alone, below the temporary one that is everybody's."""
    import tempfile

    where = os.path.join(tempfile.gettempdir(), f"hpcshell-spool-{os.geteuid()}")
    with contextlib.suppress(FileExistsError):
        os.mkdir(where, 0o700)
    found = os.lstat(where)
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    if ours and not stat.S_IMODE(found.st_mode) & 0o022:
        return where
    return tempfile.mkdtemp(prefix="hpcshell-spool-")


def spool_files(directory: str) -> Iterator[str]:
    """The paths of the spool files of a directory, by name. Raises `OSError`."""
    with os.scandir(directory) as found:
        names = sorted(
            each.name
            for each in found
            if each.name.endswith(".jsonl") and each.is_file(follow_symlinks=False)
        )
    return (os.path.join(directory, name) for name in names if safe(name) == name)
