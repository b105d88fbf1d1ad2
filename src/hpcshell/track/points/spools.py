"""Taking in the spool files of directories, those on shared storage too.

    swept = sweep_spools(store, [directory], Sweep(clock=time.time))

Others may write to such a directory. Only plain files in it are read, no link is followed, nothing
is waited for, and a file of somebody else speaks for that user alone.
"""

from __future__ import annotations

import contextlib
import math
import os
import pwd
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec
from sqlalchemy import bindparam, select

from hpcshell.core.errors import Broken, HpcError, NotYet, Wrong
from hpcshell.core.words import quote
from hpcshell.track.client.settled import is_sent, is_settled
from hpcshell.track.points.ingest import Gap, Taken, run_of, take_in
from hpcshell.track.store.store import Store
from hpcshell.track.store.tables import sources

ENDING: Final = ".jsonl"
BLOCK: Final = 4 << 20
"""Bytes of a file that are taken in at a time."""
LONGEST: Final = 64 << 20
"""Bytes of a line."""
ASKED: Final = 500
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_OFFSETS: Final = select(sources.c.source, sources.c.offset).where(
    sources.c.source.in_(bindparam("names", expanding=True))
)


class Trouble(msgspec.Struct, frozen=True):
    """A file or a directory that could not be read on, and why."""

    path: str
    message: str
    hint: str | None = None


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """How directories are gone through. `until`: when to stop, by `clock`. `remove`: what has been
    taken in whole and will not grow goes, where we may write, but for what is sent elsewhere."""

    clock: Callable[[], float]
    until: float = math.inf
    remove: bool = False

    @property
    def over(self) -> bool:
        return self.clock() >= self.until


class Swept(msgspec.Struct, kw_only=True):
    """What was done: how many files had something new, how many lines of them were taken in, how
    many of those were passed over as bad, and what could not be read."""

    files: int = 0
    lines: int = 0
    passed: int = 0
    troubles: list[Trouble] = []

    def add(self, taken: Taken) -> None:
        self.lines += taken.lines
        self.passed += taken.passed


def sweep_spools(store: Store, directories: Iterable[str], how: Sweep) -> Swept:
    """Take in all whole lines of all spool files. A directory that does not exist has none. Raises
    `NotYet` or `Broken` where the database fails."""
    swept = Swept()
    for directory in dict.fromkeys(directories):
        try:
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        except OSError as error:
            swept.troubles.append(_unreadable(directory, error))
            continue
        try:
            _sweep(store, directory, descriptor, swept, how)
        finally:
            os.close(descriptor)
    return swept


def _sweep(store: Store, directory: str, descriptor: int, swept: Swept, how: Sweep) -> None:
    try:
        names = sorted(name for name in os.listdir(descriptor) if name.endswith(ENDING))
    except OSError as error:
        swept.troubles.append(_unreadable(directory, error))
        return
    known = _offsets(store, [name.removesuffix(ENDING) for name in names])
    for name in names:
        if how.over:
            return
        source = name.removesuffix(ENDING)
        try:
            run_of(source)
            with _opened(name, descriptor) as (file, found):
                whole = Reader(store, source, file, found, how).read(known.get(source, 0), swept)
                if how.remove and whole and _may_go(file, how.clock()):
                    with contextlib.suppress(OSError):
                        os.unlink(name, dir_fd=descriptor)
        except (NotYet, Broken):
            raise
        except OSError as error:
            swept.troubles.append(_unreadable(os.path.join(directory, name), error))
        except HpcError as error:
            path = os.path.join(directory, name)
            swept.troubles.append(Trouble(path, error.message, error.hint))


def _offsets(store: Store, names: list[str]) -> dict[str, int]:
    known: dict[str, int] = {}
    with store.reading() as connection:
        for at in range(0, len(names), ASKED):
            rows = connection.execute(_OFFSETS, {"names": names[at : at + ASKED]})
            known.update((source, offset) for source, offset in rows)
    return known


@contextlib.contextmanager
def _opened(name: str, directory: int) -> Iterator[tuple[int, os.stat_result]]:
    """A plain file of a directory. Raises `Wrong` where it is something else, and `OSError`."""
    file = os.open(name, _FILE, dir_fd=directory)
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise Wrong("it is no plain file", "only plain files are taken in")
        yield file, found
    finally:
        os.close(file)


class Reader:
    """A spool file that is read on from where it was."""

    def __init__(
        self,
        store: Store,
        source: str,
        file: int,
        found: os.stat_result,
        how: Sweep,
    ) -> None:
        self._store = store
        self._source = source
        self._file = file
        self._size = found.st_size
        self._user = speaks_for(found.st_uid)
        self._how = how

    def read(self, offset: int, swept: Swept) -> bool:
        """Take in its whole lines from here on; whether it had no others. Raises `Wrong` where it
        is another file than it was, and what `take_in` raises."""
        if offset > self._size:
            raise Wrong(
                f"it has {self._size:,} bytes, and {offset:,} of it were taken in",
                "it was cut or replaced; remove it, and log under another name",
            )
        if offset and os.pread(self._file, 1, offset - 1) != b"\n":
            raise Wrong(
                "it is not the file of which the first part was taken in",
                "it was replaced; remove it, and log under another name",
            )
        new = False
        while offset < self._size and not self._how.over and (lines := self._lines(offset)):
            taken = self._take_in(offset, lines)
            swept.add(taken)
            new = new or taken.lines > 0
            if taken.offset <= offset:
                break
            offset = taken.offset
        swept.files += new
        return offset == self._size

    def _take_in(self, offset: int, lines: bytes) -> Taken:
        now = self._how.clock()
        try:
            return self._store.change(
                lambda connection: take_in(
                    connection, self._source, offset, lines, now, user=self._user
                )
            )
        except Gap as gap:  # the place was that of a transaction that is gone
            return Taken(offset=min(gap.wanted, offset))

    def _lines(self, offset: int) -> bytes:
        """Whole lines from here, as many as a block has and at least one; none: the last is not
        whole yet."""
        length = BLOCK
        while True:
            block = os.pread(self._file, length, offset)
            end = block.rfind(b"\n") + 1
            if end or len(block) < length:
                return block[:end]
            if length >= LONGEST:
                raise Wrong(
                    f"the line at byte {offset:,} is longer than {LONGEST:,} bytes",
                    "remove the file",
                )
            length *= 4


def _may_go(file: int, now: float) -> bool:
    """Whether a file that has been taken in is of no use any more. Raises `OSError`."""
    return is_settled(file, now) and not is_sent(file)


def speaks_for(owner: int) -> str | None:
    """The user as whom a file speaks; `None`: ours, or root's, which may speak for anybody."""
    if owner in (0, os.geteuid()):
        return None
    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return str(owner)


def _unreadable(path: str, error: OSError) -> Trouble:
    said = (error.strerror or str(error)).lower()
    return Trouble(path, f"{quote(path, 200)} cannot be read: {said}", "make it readable for us")
