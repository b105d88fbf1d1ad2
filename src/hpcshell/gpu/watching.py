"""Following a file of jobs: each new line is submitted, once.

with Watcher(path, queue, memory, tell) as watcher:
    watcher.round()                what is new is submitted, what is wrong is told
    watcher.follow(5.0, stop)      again and again, until `stop` is set
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Literal, Protocol

from hpcshell.core.errors import HpcError, NotYet, Unreachable
from hpcshell.core.jobsfile import JobLine
from hpcshell.core.records import Record
from hpcshell.gpu.memory import Memory
from hpcshell.gpu.reading import Contents, JobsFile

AGAIN: Final = 60.0
"""Seconds after which a line that was refused is tried again: the script may be there by then."""
BATCH: Final = 50
"""Lines that are submitted at once, and remembered at once."""


class Told(Record, frozen=True, kw_only=True):
    """Something worth a line. `number` is that of a line of the file, 0 for none."""

    what: Literal["submitted", "bad", "note"]
    number: int = 0
    text: str = ""
    job: str = ""


class Queue(Protocol):
    """Where lines go; see `lines.LineQueue`."""

    def known(self) -> dict[str, str]: ...

    def room(self) -> float: ...

    def submit(self, lines: Sequence[JobLine]) -> list[str]: ...


class Watcher:
    """One file of jobs. `tell` is told what happens, of each thing once. `once`: whoever looks at
    the file once asks for what keeps it from being read (`unread`), and is not told."""

    def __init__(
        self,
        path: str,
        queue: Queue,
        memory: Memory,
        tell: Callable[[Told], None],
        now: Callable[[], float] = time.monotonic,
        *,
        once: bool = False,
    ) -> None:
        self.queue = queue
        self.memory = memory
        self.bad = 0
        """Lines that are no jobs, or that were refused."""
        self.unread: HpcError | None = None
        """What kept the file from being read when it was last looked at."""
        self._file = JobsFile(path, now)
        self._now = now
        self._once = once
        self._tell = tell
        self._told: set[tuple[object, ...]] = set()
        self._waiting: dict[str, JobLine] = {}
        self._refused: dict[str, float] = {}
        self._rest = False
        self._unsure = True

    def __enter__(self) -> Watcher:
        self.memory.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.memory.save()
        finally:
            self.memory.close()

    @property
    def unfinished(self) -> bool:
        """Whether the last line of the file may not be whole yet."""
        return self._rest

    @property
    def done(self) -> bool:
        """Whether each line that can be is submitted."""
        return not self._rest and not (self._waiting.keys() - self._refused.keys())

    def follow(self, interval: float, stop: threading.Event) -> None:
        """Round after round, until `stop` is set."""
        while not stop.is_set():
            self.round(stop)
            stop.wait(interval)

    def round(self, stop: threading.Event | None = None) -> None:
        """Look at the file, and submit what is new. The daemon's absence is told; it is tried
        again at the next round."""
        found = self._file.look()
        if found is not None:
            self._take(found)
        try:
            self._submit_all(stop)
        except (Unreachable, NotYet) as error:
            self._unsure = True
            self._note(f"nothing is submitted: {error.message}", until="submitted")
        self.memory.save()

    def _take(self, found: Contents) -> None:
        self.unread = found.trouble
        if found.trouble is not None and not self._once:
            self._note(_whole(found.trouble), until="read")
        else:
            self._forget("read")
        self._rest = found.rest
        for line in found.bad:
            self._complain(line.number, line.key, line.reason)
        for number, first in found.same:
            self._note(f"line {number} says the same as line {first}: it is one job")
        self._waiting = {line.key: line for line in found.jobs}

    def _submit_all(self, stop: threading.Event | None) -> None:
        if not self._waiting:
            return
        if self._unsure:
            self.memory.submitted |= self.queue.known()
            self._unsure = False
        for key in self.memory.submitted.keys() & self._waiting.keys():
            del self._waiting[key]
        due = [line for key, line in self._waiting.items() if self._due(key)]
        if not due:
            return
        left = self.queue.room()
        while due and not (stop is not None and stop.is_set()):
            if left < 1:
                self._note("the queue is full: the other lines wait", until="submitted")
                return
            batch = due[: int(min(BATCH, left))]
            due = due[len(batch) :]
            left -= self._submit(batch)
            self.memory.save()

    def _due(self, key: str) -> bool:
        return self._refused.get(key, 0.0) <= self._now()

    def _submit(self, lines: Sequence[JobLine]) -> int:
        """How many jobs they made: of lines that are refused together each is tried alone."""
        try:
            jobs = self.queue.submit(lines)
        except (Unreachable, NotYet):
            raise
        except HpcError as error:
            if len(lines) > 1:
                return sum(self._submit([line]) for line in lines)
            self._refused[lines[0].key] = self._now() + AGAIN
            self._complain(lines[0].number, lines[0].key, _whole(error))
            return 0
        self._forget("submitted")
        for line, job in zip(lines, jobs, strict=True):
            self.memory.remember(line.key, job)
            del self._waiting[line.key]
            self._tell(Told(what="submitted", number=line.number, job=job))
        return len(jobs)

    def _complain(self, number: int, key: str, reason: str) -> None:
        if ("bad", key, reason) not in self._told:
            self._told.add(("bad", key, reason))
            self.bad += 1
            self._tell(Told(what="bad", number=number, text=reason))

    def _note(self, text: str, until: str = "") -> None:
        """Tell something once, or once again after that has happened which it keeps from."""
        if (until, text) not in self._told:
            self._told.add((until, text))
            self._tell(Told(what="note", text=text))

    def _forget(self, until: str) -> None:
        self._told = {each for each in self._told if each[0] != until}


def _whole(error: HpcError) -> str:
    """What is wrong, and what to do."""
    return f"{error.message}; {error.hint}" if error.hint else error.message
