"""The daemon's side of notices: who is to be told of what, and the messenger process that does it.

    notices = Notices(settings.notify, log, selector)
    notices.offer(job, "begin", view)     after the commit that recorded it; never blocks or raises
    notices.close()

The messenger is started by the first notice that somebody asked for. Between it and the daemon lie
a pipe that never blocks and a bounded queue; what does not fit is dropped and logged.
"""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec

from hpcshell.core.records import Job, Outcome
from hpcshell.daemon.messenger.wire import (
    LONGEST_LINE,
    Notice,
    Report,
    Ways,
    line,
    read_report,
    session_of,
)
from hpcshell.machine import clock

EVENTS: Final = frozenset({"begin", "end", "fail", "requeue", "time_limit"})
ARRAY_TASKS: Final = "array_tasks"
"""The word that asks for notices about each element of an array instead of the array as a whole."""

_TOLD = """
    id label name user state exit_code signal reason submit_time start_time end_time run attempt
    cpus memory gpus time_limit nodes partition account qos priority tags comment array element
    cwd stdout stderr usage
"""
TOLD: Final = tuple(_TOLD.split())
"""What of a job's document leaves the machine: not its command line or environment."""

QUEUE: Final = 1 << 20
"""Bytes of notices that may wait for the messenger to read them."""

MOST_STARTS: Final = 3
STARTS_WITHIN: Final = 60.0
"""A messenger that keeps dying is started this often in so many seconds."""

GOODBYE: Final = 1.0
"""How long `close` waits: as a whole, at most."""

COMMAND: Final = (sys.executable, "-P", "-m", "hpcshell.daemon.messenger")


class Log(Protocol):
    """What is needed of the daemon's log."""

    def write(self, level: str, message: str, /, **fields: Any) -> None: ...


class Notices:
    """Decides who is told, and says so to the messenger.

    `session_of_job` gives the environment a job was submitted from; it is asked only about jobs
    that want a note on a desktop.
    """

    def __init__(
        self,
        settings: object,
        log: Log,
        selector: selectors.BaseSelector,
        session_of_job: Callable[[Job], Mapping[str, str]] | None = None,
    ) -> None:
        self._log = log
        self._environment = session_of_job
        self._once: set[tuple[int, str]] = set()
        self._link = MessengerLink(ways_of(settings), log, selector)

    def settle(self, settings: object) -> None:
        """Use the `[notify]` section of a configuration that was read again."""
        self._link.settle(ways_of(settings))

    def offer(self, job: Job, what: str, document: dict[str, Any]) -> None:
        """Tell of an event if the job asked for it: `begin end fail requeue time_limit`.

        `document` is the view of the job, or of the element where the event is one element's
        (`document["element"]`). Offer `end` or `fail` once for each end, as `end_word` says.
        """
        if job.notify is None or not self._wanted(job, what, document):
            return
        try:
            self._link.send(line(self._notice(job, what, document)))
        except Exception as error:  # whatever it is, it is no reason to stop scheduling
            self._log.write("error", "a notice could not be made", job=job.id, error=repr(error))

    def close(self) -> None:
        """Hand over what still waits and let the messenger end; about a second at most."""
        self._link.close()

    def _wanted(self, job: Job, what: str, document: dict[str, Any]) -> bool:
        """Elements are told of where that was asked for; else the array, as one job.

        Of an array as a whole the first requeue and the first time limit are told, not a million.
        """
        asked = job.notify.on if job.notify is not None else ()
        of_element = document.get("element") is not None
        if what in ("end", "fail") and not of_element:
            self._once.difference_update([(job.id, "requeue"), (job.id, "time_limit")])
        if what not in EVENTS or not (what in asked or (what == "fail" and "end" in asked)):
            return False
        if job.array is None:
            return True
        if ARRAY_TASKS in asked:
            return of_element
        if not of_element:
            return True
        if what not in ("requeue", "time_limit") or (job.id, what) in self._once:
            return False
        self._once.add((job.id, what))
        return True

    def _notice(self, job: Job, what: str, document: dict[str, Any]) -> Notice:
        """Somebody who named no receiver gets mail as a user of this machine, as with Slurm."""
        asked = job.notify
        assert asked is not None
        told = {name: document[name] for name in TOLD if name in document}
        elements = document.get("elements")
        told["elements"] = elements and {name: elements.get(name) for name in ("total", "counts")}
        session: dict[str, str] = {}
        if asked.desktop and self._environment is not None:
            session = session_of(self._environment(job))
        nobody = not (asked.mail or asked.webhook or asked.desktop)
        return Notice(
            event=what,
            time=clock.now(),
            job=told,
            mail=job.user if nobody else asked.mail,
            webhook=asked.webhook,
            desktop=asked.desktop,
            session=session,
        )


def end_word(outcome: Outcome) -> str:
    """`end` for what completed or was cancelled, `fail` for every other end, as Slurm has it."""
    return "end" if outcome in (Outcome.COMPLETED, Outcome.CANCELLED) else "fail"


def ways_of(settings: object) -> Ways:
    """The messenger's part of the configuration; what a section lacks has its default."""
    found = {
        field.name: getattr(settings, field.name)
        for field in msgspec.structs.fields(Ways)
        if hasattr(settings, field.name)
    }
    return Ways(**found)


class MessengerLink:
    """The messenger process, the pipe to it and the lines that wait for room in the pipe."""

    def __init__(self, ways: Ways, log: Log, selector: selectors.BaseSelector) -> None:
        self._ways = ways
        self._log = log
        self._selector = selector
        self._child: subprocess.Popen[bytes] | None = None
        self._starts: deque[float] = deque(maxlen=MOST_STARTS)
        self._lines: deque[bytes] = deque()
        self._waiting = 0
        self._sent = 0
        self._heard = b""
        self._dropped = 0
        self._watching = False

    @property
    def pid(self) -> int:
        """Of the messenger; 0 while there is none."""
        return self._child.pid if self._child is not None else 0

    def settle(self, ways: Ways) -> None:
        """Tell the messenger of another configuration, now or when it is started."""
        self._ways = ways
        if self._child is not None:
            self._queue(line(ways))
            self._flush()

    def send(self, text: bytes) -> None:
        """Queue one line, start the messenger if there is none, write what the pipe takes."""
        if len(text) > LONGEST_LINE:
            self._log.write("warning", "a notice is too long and was dropped", bytes=len(text))
            return
        if self._waiting + len(text) > QUEUE:
            self._dropped += 1
            if self._dropped == 1:
                self._log.write("warning", "the messenger does not keep up: notices are dropped")
            return
        self._queue(text)
        if self._child is None:
            self._start()
        self._flush()

    def close(self) -> None:
        """Write what waits, close the pipe, log the last reports; within `GOODBYE` seconds."""
        deadline = clock.monotonic() + GOODBYE
        while self._child is not None and self._lines and self._ready(deadline, writing=True):
            self._flush()
        if self._child is None:
            return
        self._unwatch(self._child)
        assert self._child.stdin is not None
        self._child.stdin.close()
        while self._child is not None and self._ready(deadline, writing=False):
            self._hear()
        if self._child is not None:  # it has something under way, and ends by itself soon
            self._child.poll()
            self._child = None

    # -- the queue -------------------------------------------------------------------------------

    def _queue(self, text: bytes) -> None:
        self._lines.append(text)
        self._waiting += len(text)

    def _flush(self) -> None:
        """Write until the pipe is full; the selector says when it is not."""
        child = self._child
        if child is None:
            return
        assert child.stdin is not None
        try:
            while self._lines:
                self._sent += os.write(child.stdin.fileno(), self._lines[0][self._sent :])
                if self._sent == len(self._lines[0]):
                    self._waiting -= len(self._lines.popleft())
                    self._sent = 0
        except BlockingIOError:
            self._watch_writing(child, True)
        except OSError:
            self._lost()
        else:
            self._watch_writing(child, False)
            self._caught_up()

    def _caught_up(self) -> None:
        if self._dropped:
            self._log.write("warning", "notices were dropped", count=self._dropped)
            self._dropped = 0

    def _watch_writing(self, child: subprocess.Popen[bytes], wanted: bool) -> None:
        if wanted != self._watching and child.stdin is not None:
            if wanted:
                self._selector.register(child.stdin, selectors.EVENT_WRITE, self._flush)
            else:
                self._selector.unregister(child.stdin)
            self._watching = wanted

    def _ready(self, deadline: float, *, writing: bool) -> bool:
        """Wait, in `close` alone, until the messenger reads or speaks."""
        child = self._child
        left = deadline - clock.monotonic()
        if child is None or left <= 0:
            return False
        poll = select.poll()
        stream = child.stdin if writing else child.stdout
        assert stream is not None
        poll.register(stream, select.POLLOUT if writing else select.POLLIN)
        return bool(poll.poll(left * 1000))

    # -- the process -----------------------------------------------------------------------------

    def _start(self) -> None:
        """Start the messenger, unless it has died too often of late."""
        now = clock.monotonic()
        if len(self._starts) == MOST_STARTS and now - self._starts[0] < STARTS_WITHIN:
            return
        self._starts.append(now)
        try:
            child = subprocess.Popen(
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd="/",
                env={"RES_OPTIONS": "timeout:2 attempts:2", **os.environ},
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            self._log.write("error", "the messenger could not be started", error=str(error))
            return
        assert child.stdin is not None
        assert child.stdout is not None
        os.set_blocking(child.stdin.fileno(), False)
        os.set_blocking(child.stdout.fileno(), False)
        self._selector.register(child.stdout, selectors.EVENT_READ, self._hear)
        self._child = child
        self._lines.appendleft(text := line(self._ways))
        self._waiting += len(text)
        self._log.write("info", "the messenger has started", pid=child.pid)

    def _hear(self) -> None:
        """Log what the messenger reports; nothing more to read means that it is gone."""
        child = self._child
        if child is None or child.stdout is None:
            return
        try:
            chunk = os.read(child.stdout.fileno(), 1 << 16)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._lost()
            return
        *lines, self._heard = (self._heard + chunk).split(b"\n")
        self._heard = self._heard[-(1 << 16) :]
        for text in lines:
            self._log_report(text)

    def _log_report(self, text: bytes) -> None:
        try:
            report = read_report(text)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            report = Report(level="warning", message="the messenger said something else")
        fields = {
            name: value
            for name in ("job", "event", "to", "error")
            if (value := getattr(report, name))
        }
        self._log.write(report.level, report.message, **fields)

    def _lost(self) -> None:
        """The messenger is gone, and what it had with it; what still waits goes to another one."""
        child, self._child = self._child, None
        if child is None:
            return
        closing = child.stdin is not None and child.stdin.closed
        self._unwatch(child)
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()
        child.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(GOODBYE)
        self._heard, self._sent = b"", 0
        if closing:
            return
        self._log.write("warning", "the messenger has died", exit_code=child.returncode)
        if self._lines:
            self._start()
            self._flush()

    def _unwatch(self, child: subprocess.Popen[bytes]) -> None:
        self._watch_writing(child, False)
        if child.stdout is not None:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(child.stdout)
