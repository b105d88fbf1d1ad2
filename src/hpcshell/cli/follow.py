"""Reading output files while jobs write them.

The daemon tells when elements begin and end; between these, and only while something runs, the
files are looked at every few milliseconds while they grow and a few times a second while they do
not. (They may lie on a network file system, where no notice of a change ever comes.)
"""

from __future__ import annotations

import os
import select
import stat
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from hpcshell.cli.describe import LIVE
from hpcshell.client.client import Client
from hpcshell.client.connection import Connection, Lost
from hpcshell.client.wire import error_of
from hpcshell.machine.tails import start_of_last

SHORTEST: Final = 0.01
LONGEST: Final = 0.25
_CHUNK: Final = 1 << 16
_TURN: Final = 64
"""Chunks that one file may pass on before others, and Ctrl-C, have their turn."""

_MANY: Final = 100
"""Elements from which on the daemon is asked for their states at most once a second."""

Sink = Callable[[bytes], None]
Row = dict[str, Any]


class Tail:
    """One growing file. What is new in it goes to the sink; it may not exist yet.

    With `lines` it begins at the last so many lines of what is there at first. Closed and opened
    again (a job that is tried again appends to its file) it goes on where it was, unless the name
    has come to mean another file.
    """

    def __init__(self, path: str, sink: Sink, lines: int | None = None) -> None:
        self.path = path
        self.sink = sink
        self._lines = lines
        self._file: int | None = None
        self._at = 0
        self._inode = 0

    def pump(self, at_most: int | None = _TURN) -> bool:
        """Pass on what is new, `at_most` so many chunks of it; whether there was anything."""
        if self._file is None and not self._open():
            return False
        assert self._file is not None
        if os.fstat(self._file).st_size < self._at:
            self._at = 0
        passed = 0
        while passed != at_most and (chunk := os.pread(self._file, _CHUNK, self._at)):
            self._at += len(chunk)
            self.sink(chunk)
            passed += 1
        return passed > 0

    def _open(self) -> bool:
        try:
            self._file = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            return False
        found = os.fstat(self._file)
        if not stat.S_ISREG(found.st_mode):  # a device or a pipe has no past to read
            os.close(self._file)
            self._file = None
            return False
        if found.st_ino != self._inode:
            self._inode, self._at = found.st_ino, 0
        if self._lines is not None:
            with open(self._file, "rb", closefd=False) as file:
                self._at = start_of_last(file, self._lines)
            self._lines = None
        return True

    def close(self) -> None:
        """Pass on the rest and let the file go."""
        try:
            self.pump(None)
        finally:
            if self._file is not None:
                os.close(self._file)
                self._file = None


class Following:
    """Elements whose output is passed on until all of them have ended.

    `tails` gives the files of an element that has begun. `wake` is a file descriptor that
    interrupts the waiting; `woken` is called then.
    """

    def __init__(self, client: Client, ids: list[str], tails: Callable[[Row], list[Tail]]) -> None:
        self.client = client
        self.ids = ids
        self.tails = tails
        self.rows: dict[str, Row] = {}
        self.wake = -1
        self.woken: Callable[[], None] = lambda: None
        self._tails: dict[str, list[Tail]] = {}
        self._active: set[str] = set()
        self._over: set[str] = set()
        self._question = 0
        self._asked = 0.0
        self._stale = True

    def run(self, patience: float | None = None) -> bool:
        """Follow to the end of all. False if nothing had begun after `patience` seconds."""
        until = None if patience is None else time.monotonic() + patience
        while True:
            try:
                return self._follow(until)
            except Lost:
                self.client.await_return()

    @property
    def ended(self) -> bool:
        return bool(self.rows) and len(self._over) == len(self.rows)

    @property
    def begun(self) -> bool:
        return any(row["run"] for row in self.rows.values())

    def _follow(self, until: float | None) -> bool:
        news = self.client.connect()
        try:
            # The daemon reads a connection in order: it listens for us before it tells the states.
            news.ask("events", {"ids": self.ids, "follow": True})
            self._question, self._stale = 0, True
            pause = SHORTEST
            while not self.ended:
                if until is not None and not self.begun and time.monotonic() >= until:
                    return False
                if self._stale and not self._question and self._may_ask():
                    self._ask(news)
                self._wait(news, self._timeout(pause, until))
                pause = 0.0 if self._pump() else min(max(pause * 1.5, SHORTEST), LONGEST)
            return True
        finally:
            news.close()

    def _may_ask(self) -> bool:
        return len(self.rows) < _MANY or time.monotonic() >= self._asked + 1.0

    def _ask(self, news: Connection) -> None:
        self._stale = False
        self._asked = time.monotonic()
        self._question = news.ask("outputs", {"ids": self.ids})

    def _timeout(self, pause: float, until: float | None) -> float | None:
        times = [pause] if self._active else []
        if self._stale and not self._question:
            times.append(max(0.0, self._asked + 1.0 - time.monotonic()))
        if until is not None and not self.begun:
            times.append(max(0.0, until - time.monotonic()))
        return min(times, default=None)

    def _wait(self, news: Connection, timeout: float | None) -> None:
        """Sleep until something happens, and take in what the daemon says."""
        sources: list[Any] = [news] if self.wake < 0 else [news, self.wake]
        ready = select.select(sources, [], [], timeout)[0]
        if self.wake in ready:
            os.read(self.wake, 64)
            self.woken()
        if news in ready:
            self._hear(news)
            while news.pending:
                self._hear(news)

    def _hear(self, news: Connection) -> None:
        said = news.hear(patient=True)
        if said.error is not None:
            raise error_of(said.error)
        if said.event is not msgspec.UNSET:
            self._stale = True
        elif said.id == self._question:
            self._question = 0
            for row in said.ok["outputs"]:
                self._take(row)

    def _take(self, row: Row) -> None:
        label, state = row["label"], row["state"]
        self.rows[label] = row
        if label in self._over:
            return
        if row["run"] and label not in self._tails:
            self._tails[label] = self.tails(row)
        if state in LIVE and state != "PENDING":
            self._active.add(label)
            return
        self._active.discard(label)
        for tail in self._tails.get(label, ()):
            tail.close()
        if state not in LIVE:
            self._over.add(label)

    def _pump(self) -> bool:
        moved = [tail.pump() for label in self._active for tail in self._tails[label]]
        return any(moved)
