"""A file of jobs as it lies there, and changes: what is new in it, and what is wrong with it."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from typing import Final

from hpcshell.core.errors import HpcError, NotFound, Wrong
from hpcshell.core.jobsfile import BadLine, JobLine, Lines, read_line
from hpcshell.core.records import Record
from hpcshell.core.words import quote

PIECE: Final = 1 << 16
SETTLED: Final = 2.0
"""Seconds after which a last line without its end counts as it stands."""
MOST: Final = 100_000
"""Lines that are jobs or bad; what comes after them is not looked at."""
_OPEN: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_SHOWN: Final = 200
_HEAD: Final = 4096
"""Bytes of the first line that are looked at to tell text from anything else."""


class Contents(Record, frozen=True):
    """What a file holds: jobs (each once, where it stands first), bad lines, and lines that repeat
    another (number, number of the first). `rest`: a last line may not be whole yet. `trouble`: what
    keeps it from being read, or from being read whole."""

    jobs: tuple[JobLine, ...] = ()
    bad: tuple[BadLine, ...] = ()
    same: tuple[tuple[int, int], ...] = ()
    rest: bool = False
    trouble: HpcError | None = None


_Stamp = tuple[int, ...]


class JobsFile:
    """Looked at again and again; `now` is a clock that only goes on."""

    def __init__(self, path: str, now: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._now = now
        self._stamp: _Stamp | None = None
        self._since = 0.0
        self._open_end = False

    def look(self) -> Contents | None:
        """What it holds, None where that has not changed. What is wrong with the file is told as
        its trouble, whenever it is looked at; nothing waits for a writer."""
        try:
            descriptor = _opened(self.path)
        except HpcError as trouble:
            self._stamp = None
            return Contents(trouble=trouble)
        try:
            return self._look(descriptor)
        except OSError as error:
            self._stamp = None
            said = f"{quote(self.path, _SHOWN)} cannot be read: {error.strerror}"
            return Contents(trouble=Wrong(said, "it is tried again"))
        finally:
            os.close(descriptor)

    def _look(self, descriptor: int) -> Contents | None:
        stamp, now = _stamp(descriptor), self._now()
        if stamp != self._stamp:
            self._stamp, self._since, self._open_end = stamp, now, False
        elif not self._open_end or now < self._since + SETTLED:
            return None
        contents = _contents(descriptor, self.path, whole=self._open_end)
        self._open_end = contents.rest
        return contents


def _stamp(descriptor: int) -> _Stamp:
    found = os.fstat(descriptor)
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _opened(path: str) -> int:
    shown = quote(path, _SHOWN)
    try:
        descriptor = os.open(path, _OPEN)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"there is no file {shown}", "make it, one job a line") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Wrong(f"{shown} cannot be read: {reason}", "name a file that you may read") from None
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    what = "a directory" if stat.S_ISDIR(mode) else "no plain file"
    raise Wrong(f"{shown} is {what}", "name a file of jobs, one a line")


def _contents(descriptor: int, path: str, *, whole: bool) -> Contents:
    """All of it; `whole`: its last line counts though it has no end."""
    if b"\0" in os.pread(descriptor, _HEAD, 0).partition(b"\n")[0]:
        return Contents(trouble=_no_text(path))
    jobs: dict[str, JobLine] = {}
    bad: dict[str, BadLine] = {}
    same: list[tuple[int, int]] = []
    lines = Lines()
    for number, line in _lines(descriptor, lines, whole=whole):
        found = read_line(number, line)
        if isinstance(found, BadLine):
            bad.setdefault(found.key, found)
        elif found is not None and found.key in jobs:
            same.append((number, jobs[found.key].number))
        elif found is not None:
            jobs[found.key] = found
        if len(jobs) + len(bad) + len(same) > MOST:
            said = f"{quote(path, _SHOWN)} has more than {MOST:,} lines: the others are not read"
            return Contents(
                tuple(jobs.values()), tuple(bad.values()), trouble=Wrong(said, "part it")
            )
    rest = bool(lines.rest) and not whole
    return Contents(tuple(jobs.values()), tuple(bad.values()), tuple(same), rest)


def _no_text(path: str) -> Wrong:
    return Wrong(f"{quote(path, _SHOWN)} is no text", "save it as UTF-8, one job a line")


def _lines(descriptor: int, lines: Lines, *, whole: bool) -> Iterator[tuple[int, bytes]]:
    while piece := os.read(descriptor, PIECE):
        yield from lines.feed(piece)
    if whole and lines.rest:
        yield lines.number + 1, lines.rest
