"""`hpc gpu start` at work: follows the file of jobs and writes the log, until it is told to end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from hpcshell.client.client import Client
from hpcshell.core.errors import HpcError, NotFound, Refused, Unreachable
from hpcshell.core.settings import Settings
from hpcshell.core.settings_box import BoxSettings
from hpcshell.gpu.cursor import Cursor
from hpcshell.gpu.jobslog import JobsLog
from hpcshell.gpu.lines import LineQueue
from hpcshell.gpu.looking import rows, starts
from hpcshell.gpu.memory import Memory
from hpcshell.gpu.watching import Told, Watcher
from hpcshell.machine.boxfiles import check_apart
from hpcshell.machine.logfile import LogFile
from hpcshell.machine.paths import Places

_LEVELS: Final = {"submitted": "info", "bad": "error", "note": "warning"}
_LOOK: Final = 0.2
_STEP: Final = 0.05
_LEAVING: Final = 2.0
"""Seconds that a process needs to be gone, besides those it may take to stop."""


def log_of(settings: Settings, places: Places, level: str = "") -> JobsLog:
    """The log as it is configured; `level` in place of the configured one."""
    own = settings.daemon
    path = settings.box.log_file or f"{places.state}/gpu.log"
    log = LogFile(path, own.log_size, own.log_files + 1, level or own.log_level)
    client = Client(places, autostart=False)

    def view_of(job: int) -> dict[str, Any]:
        found: dict[str, Any] = client.call("show", ids=[str(job)])["jobs"][0]
        return {**found, "starts": starts(client, job)}

    return JobsLog(log, view_of, structured=settings.box.structured)


def check_files(box: BoxSettings, jobs_file: str) -> None:
    """Raises `Wrong` where what is read and what is written are one file."""
    check_apart(
        {
            "the file of jobs": jobs_file,
            "box.llm_config": box.llm_config,
            "box.state_file": box.state_file,
            "box.log_file": box.log_file,
        }
    )


@contextlib.contextmanager
def told_to_end() -> Iterator[threading.Event]:
    """Set by SIGINT or SIGTERM, while it lasts."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


class Box:
    """One `hpc gpu start`. `tell` is told what happens; so is the log."""

    def __init__(
        self, settings: Settings, places: Places, log: JobsLog, tell: Callable[[Told], None]
    ) -> None:
        self.settings = settings
        self.places = places
        self.log = log
        self._tell = tell
        log.warn = lambda text: tell(Told(what="note", text=text))

    def serve(self, jobs_file: str, stop: threading.Event, *, screen: bool = False) -> str:
        """Follow the file until `stop` is set; what then goes on, in words. Takes no longer to end
        than is configured: a submission under way is finished, and remembered."""
        box = self.settings.box
        memory = Memory.of(jobs_file, self.places, box)
        client = Client(self.places)
        cursor = Cursor.of(self.places, client.call("hello")["last_event"])
        cursor.keep(cursor.seq)
        follow = (Client(self.places, autostart=False), cursor, stop)
        threading.Thread(target=self.log.follow, args=follow, name="events", daemon=True).start()
        self.log.say("info", f"following {jobs_file}")
        queue = LineQueue(client, jobs_file, screen=screen)
        with Watcher(jobs_file, queue, memory, self._told) as watcher:
            left = follow_until(watcher, box.jobs_interval, stop, box.stop_within)
        goes_on = standing(client, left)
        self.log.say("info", f"stopped: {goes_on}")
        return goes_on

    def _told(self, told: Told) -> None:
        text = f"line {told.number}: {told.text}" if told.what == "bad" else told.text
        if told.what == "submitted":
            text = f"line {told.number} submitted"
        self.log.say(_LEVELS[told.what], text, job_id=told.job or None)
        self._tell(told)


def follow_until(watcher: Watcher, interval: float, stop: threading.Event, within: float) -> float:
    """Follow a file until `stop` is set, then for at most `within` seconds; those that are left.

    A handler of signals may set it: this thread never waits for it, which could hold its lock.
    """
    errors: list[BaseException] = []

    def follow() -> None:
        try:
            watcher.follow(interval, stop)
        except BaseException as error:  # raised where it can be told
            errors.append(error)

    thread = threading.Thread(target=follow, name="jobs-file", daemon=True)
    thread.start()
    while thread.is_alive() and not stop.is_set():
        thread.join(_LOOK)
    deadline = time.monotonic() + within
    thread.join(within)
    if errors:
        raise errors[0]
    return max(0.0, deadline - time.monotonic())


def standing(client: Client, within: float) -> str:
    """What still runs and waits, for whoever leaves, who waits no longer for the daemon."""
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(_standing(client)), daemon=True)
    thread.start()
    thread.join(within)
    return found[0] if found else "what runs is not known: the daemon has not answered"


def _standing(client: Client) -> str:
    from hpcshell.gpu.adding import TAG

    try:
        states = [row["state"] for row in rows(client, "queue", tags=[TAG])]
    except HpcError as error:
        return f"what runs is not known: {error.message}"
    running, waiting = states.count("RUNNING"), states.count("PENDING")
    return f"{running:,} running and {waiting:,} waiting jobs go on under the daemon"


# -------------------------------------------------------------------------- one of them at a time


@contextlib.contextmanager
def only_one(places: Places) -> Iterator[None]:
    """While it lasts no other starts, and `end_other` finds this one. Raises `Refused`."""
    descriptor = os.open(_lock(places), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _locked(descriptor):
            raise Refused(
                f"the box runs already (process {_pid(descriptor)})", "end that one: hpc gpu stop"
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def running(places: Places) -> int | None:
    """The process that follows the file of jobs, if there is one."""
    try:
        descriptor = os.open(_lock(places), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return None if _locked(descriptor) else _pid(descriptor)
    finally:
        os.close(descriptor)


def end_other(places: Places, within: float) -> int:
    """Tell the process that follows the file to end, and wait for that; its number. Raises
    `NotFound` where there is none, `Unreachable` if it does not end."""
    pid = running(places)
    if pid is None:
        raise NotFound("nothing follows a file of jobs", "hpc gpu start --daemon does")
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + within + _LEAVING
    while running(places) == pid:
        if time.monotonic() > deadline:
            raise Unreachable(
                f"process {pid} has not ended after {within:g} s",
                f"kill -9 {pid} is safe: nothing is submitted twice",
            )
        time.sleep(_STEP)
    return pid


def _lock(places: Places) -> str:
    return f"{places.state}/gpu-box.lock"


def _locked(descriptor: int) -> bool:
    """Whether it could be locked, which it then is."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pid(descriptor: int) -> int | None:
    word = os.pread(descriptor, 32, 0).strip()
    return int(word) if word.isdigit() else None
