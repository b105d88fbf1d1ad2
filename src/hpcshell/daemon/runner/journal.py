"""The runner's memory on disk, and the table of runs that follows from it.

Append-only lines, one `write` each and no fsync: it need only outlive processes, for a restart of
the machine ends every run anyway. `Table.apply` is the one way a run's entry changes: the worker
applies what it writes, recovery applies what it reads. The worker appends; keepers append, under a
lock, what they learned of runs left to them. A torn line spoils only itself.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from hpcshell.daemon.runner.wire import Warn
from hpcshell.machine import clock, kernel

COMPACT_ABOVE: Final = 2 * 1024 * 1024
RESERVE: Final = 1024 * 1024
UNKNOWN: Final = 1 << 60
KEEP_FREE: Final = 64 * 1024
_OPEN: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class Note(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A line of the journal: a JSON list, its kind first."""


class Head(Note, frozen=True, array_like=True, tag="head"):
    """First line: which boot of the machine the pids and monotonic times below belong to."""

    boot: str
    format: int = 1


class Spawning(Note, frozen=True, array_like=True, tag="spawning"):
    """Written before the process is made: from here on this run is never started again.

    `session`: its leader is the host of one, and the job's own first process a child of that.
    """

    run: int
    ticks: int
    comm: str
    time_limit: float | None
    grace: float
    warn: Warn | None
    tag: str
    session: bool = False


class Spawned(Note, frozen=True, array_like=True, tag="spawned"):
    """`certain` unless this process was only found, and may be another than the leader. `floor`:
    less than this is never told of its memory, whatever it used (see `kernel.own_peak`).
    """

    run: int
    pid: int
    ticks: int
    monotonic: float
    time: float
    certain: bool = True
    floor: int = UNKNOWN


class Unborn(Note, frozen=True, array_like=True, tag="unborn"):
    """Known for certain: no process was made. The run may be started."""

    run: int


class Unable(Note, frozen=True, array_like=True, tag="unable"):
    """It could not be started and never will be."""

    run: int
    exit_code: int
    message: str
    time: float


class Limited(Note, frozen=True, array_like=True, tag="limited"):
    run: int
    time_limit: float | None


class Warned(Note, frozen=True, array_like=True, tag="warned"):
    run: int


class Stopping(Note, frozen=True, array_like=True, tag="stopping"):
    """Somebody or the time limit wants it ended; it is killed at `kill_at` (monotonic).

    Not before `stop_at` it is sent `signal`, if it has not been (0: it has).
    """

    run: int
    cause: str
    kill_at: float
    stop_at: float = 0.0
    signal: int = signal.SIGTERM


class Suspended(Note, frozen=True, array_like=True, tag="suspended"):
    """It stands still `since` then (monotonic; None: it goes on), and did for `before` seconds
    earlier; it is ended `until` then if it has not gone on (monotonic; None: never)."""

    run: int
    since: float | None
    before: float = 0.0
    until: float | None = None


class Exited(Note, frozen=True, array_like=True, tag="exited"):
    """The leader has ended; `clean` when nothing else of the run was left."""

    run: int
    status: int
    time: float
    cpu_user: float
    cpu_system: float
    max_rss: int
    clean: bool = False


class Clean(Note, frozen=True, array_like=True, tag="clean"):
    """What the leader left behind is gone too."""

    run: int


class Gone(Note, frozen=True, array_like=True, tag="gone"):
    """The leader is not alive, and how it ended cannot be known; `clean` as in `Exited`."""

    run: int
    reason: str
    time: float
    clean: bool = False


class Acked(Note, frozen=True, array_like=True, tag="acked"):
    runs: list[int]


AnyNote = (
    Head
    | Spawning
    | Spawned
    | Unborn
    | Unable
    | Limited
    | Warned
    | Stopping
    | Suspended
    | Exited
    | Clean
    | Gone
    | Acked
)

_encode = msgspec.json.encode
_decoder = msgspec.json.Decoder(AnyNote)


class Entry:
    """A run as the runner knows it: the notes about it, and what only this process knows."""

    __slots__ = (
        "exited",
        "gone",
        "next_try",
        "over",
        "pidfd",
        "run",
        "spawned",
        "spawning",
        "stopping",
        "successor",
        "suspended",
        "time_limit",
        "tries",
        "unable",
        "wake",
        "warned",
    )

    def __init__(self, spawning: Spawning) -> None:
        self.run = spawning.run
        self.spawning = spawning
        self.spawned: Spawned | None = None
        self.unable: Unable | None = None
        self.time_limit = spawning.time_limit
        self.warned = False
        self.stopping: Stopping | None = None
        self.suspended: Suspended | None = None
        self.exited: Exited | None = None
        self.gone: Gone | None = None
        self.over = False
        self.successor = 0
        self.pidfd = -1
        self.next_try = 0.0
        self.tries = 0
        self.wake: float | None = None

    def notes(self) -> Iterator[Note]:
        """What has to be written to know all of this again."""
        yield self.spawning
        if self.time_limit != self.spawning.time_limit:
            yield Limited(self.run, self.time_limit)
        if self.spawned:
            yield self.spawned
        if self.warned:
            yield Warned(self.run)
        for note in (self.suspended, self.stopping, self.unable, self.exited, self.gone):
            if note is not None:
                yield note
        end = self.exited or self.gone
        if self.over and end is not None and not end.clean:
            yield Clean(self.run)

    @property
    def stands_still(self) -> bool:
        """Whether it is suspended; what is being ended no longer is."""
        return self.suspended is not None and self.suspended.since is not None and not self.stopping

    @property
    def ended(self) -> bool:
        """Whether its leader has ended; what it left may still be alive unless it is `over`."""
        return self.over or self.exited is not None or self.gone is not None


class Table(dict[int, Entry]):
    """Every run that is alive or not yet acknowledged, by its id."""

    def apply(self, note: Note) -> None:
        """Change what is known by one note. Notes about unknown runs change nothing."""
        kind = type(note)
        if kind is Acked:
            for run in note.runs:  # type: ignore[attr-defined]
                self.pop(run, None)
            return
        if kind is Spawning:
            self.setdefault(note.run, Entry(note))  # type: ignore[attr-defined,arg-type]
            return
        entry = None if kind is Head else self.get(note.run)  # type: ignore[attr-defined]
        if entry is not None:
            if kind is Unborn:
                del self[entry.run]
            else:
                _amend(entry, note)

    def notes(self) -> Iterator[Note]:
        for entry in self.values():
            yield from entry.notes()


def _amend(entry: Entry, note: Note) -> None:
    match note:
        case Spawned():
            entry.spawned = note
        case Exited() if not entry.ended:
            entry.exited = note
            entry.over = note.clean
        case Clean():
            entry.over = True
        case Unable():
            entry.unable, entry.over = note, True
        case Gone() if not entry.ended:
            entry.gone = note
            entry.over = note.clean
        case Limited():
            entry.time_limit = note.time_limit
        case Warned():
            entry.warned = True
        case Stopping():
            entry.stopping = note
        case Suspended():
            entry.suspended = note
        case _:
            pass


def as_line(note: Note) -> bytes:
    return _encode(note) + b"\n"


def read_notes(text: bytes) -> Iterator[Note]:
    """Notes from a journal's bytes; lines that are no notes are passed over."""
    for line in text.split(b"\n"):
        if line:
            try:
                yield _decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue


class Journal:
    """The file. One worker writes through `append`; keepers through `append_as_keeper`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.descriptor = -1
        self.size = 0
        self.reserved = 0
        self.read_to = 0
        self.torn = False
        self.waiting: list[Note] = []

    def load(self) -> tuple[str, Table]:
        """The boot id the journal was written under ('' when new), and the runs it tells of. Open
        from now on.
        """
        table = Table()
        boot = ""
        if self.descriptor < 0:
            self.descriptor = os.open(self.path, _OPEN, 0o600)
        self.read_to = 0
        for note in self.catch_up():
            if isinstance(note, Head):
                boot = note.boot
            else:
                table.apply(note)
        # Whoever wrote last may have been killed in the middle of a line.
        self.torn = True
        return boot, table

    def catch_up(self) -> Iterator[Note]:
        """What was written behind the last `load`, `rewrite` or `catch_up`, ours included."""
        size = os.fstat(self.descriptor).st_size
        text = os.pread(self.descriptor, size - self.read_to, self.read_to)
        self.read_to, self.size = size, size
        return read_notes(text)

    def rewrite(self, table: Table) -> list[Exited]:
        """Replace the file by the shortest that says the same. Returns what keepers wrote since
        the last look; it is applied to the table already.
        """
        fresh = self.path.with_suffix(".new")
        news: list[Exited] = []
        with self._locked():
            for note in self.catch_up():
                if isinstance(note, Exited):
                    entry = table.get(note.run)
                    if entry is not None and not entry.ended:
                        table.apply(note)
                        news.append(note)
            text = as_line(Head(clock.boot_id())) + b"".join(
                as_line(note) for note in table.notes()
            )
            descriptor = os.open(fresh, _OPEN | os.O_TRUNC, 0o600)
            try:
                if os.write(descriptor, text) != len(text):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.rename(fresh, self.path)
            except OSError:
                os.close(descriptor)
                raise
            self.close()
            self.descriptor = descriptor
        self.size = self.read_to = len(text)
        self.reserved, self.torn = 0, False
        self.waiting.clear()
        return news

    def go_on(self, notes: list[Note]) -> None:
        """When there is no room to rewrite: keep the file that is there, with these notes added."""
        self.waiting = notes
        self.retry()

    def append(self, note: Note) -> bool:
        """Write one note; False when it could not be and waits to be written by the next append."""
        if self.waiting:
            self.waiting.append(note)
            return self.retry()
        if self._write(as_line(note)):
            return True
        self.waiting.append(note)
        return False

    def append_if_room(self, note: Note) -> bool:
        """Write a note that begins something new: only with room left for what must follow it."""
        if self.waiting and not self.retry():
            return False
        if self.size + KEEP_FREE > self.reserved:
            try:
                kernel.reserve(self.descriptor, self.size, RESERVE)
            except OSError:
                return False
            self.reserved = self.size + RESERVE
        return self._write(as_line(note))

    def retry(self) -> bool:
        """Write what waits; True when nothing waits any longer."""
        while self.waiting:
            if not self._write(as_line(self.waiting[0])):
                return False
            self.waiting.pop(0)
        return True

    def _write(self, line: bytes) -> bool:
        if self.torn:
            line = b"\n" + line
        try:
            done = os.write(self.descriptor, line)
        except OSError:
            return False
        self.size += done
        self.torn = done != len(line)
        return not self.torn

    def append_as_keeper(self, notes: list[Note]) -> bool:
        """Append to whatever file stands there now, beginning on a line of its own."""
        try:
            with self._locked():
                descriptor = os.open(self.path, _OPEN, 0o600)
                try:
                    line = b"\n" + b"".join(as_line(note) for note in notes)
                    return os.write(descriptor, line) == len(line)
                finally:
                    os.close(descriptor)
        except OSError:
            return False

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
