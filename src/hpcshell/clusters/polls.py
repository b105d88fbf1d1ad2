"""One question about all jobs, asked for all processes of a user, no more often than is fair.

Whoever needs an answer that is fresh enough takes the one that is there; else one process asks
while the others wait for what it learns. Answers are kept as they were given.

An answer is good for the least interval, or for longer: for twenty times what it took to get (so
that we take no more than a twentieth of the scheduler's time), and while nothing changes up to a
minute for those who only wait. After a failure nobody asks for the least interval. After three in a
row the circuit is open: nobody asks for a while that doubles with each further failure, then one
does (half-open), and on success it closes.

The clock may be set: what lies in the future, or farther in it than any pause is long, was written
before that, and holds nobody back.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal

import msgspec

from hpcshell.core.commands import Answer
from hpcshell.core.errors import HpcError
from hpcshell.core.records import Record
from hpcshell.machine import clock

FAILURES: Final = 3
"""Failures in a row after which the circuit opens."""
FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 300.0
SHARE: Final = 20.0
"""An answer is good for so many times what it took."""
JITTER: Final = 0.2
"""The part of itself by which a pause is longer or shorter."""
HANGS: Final = 60.0
"""Seconds after which nobody waits any longer for another process to ask."""
MOMENT: Final = 0.01
GRAIN: Final = 0.001
"""As exactly, in seconds, as a file's date tells an instant."""
OLDEST: Final = 60.0
"""But never for longer than this, however long it took."""
REMEMBERED: Final = 200
"""Questions whose instants are kept, for the rate."""

Circuit = Literal["closed", "open", "half-open"]


class Snapshot(Record, frozen=True, kw_only=True):
    """What was answered, when it was asked (Unix seconds), how long that took, and by which way."""

    at: float
    took: float
    answers: tuple[Answer, ...]
    way: str = ""


class Health(Record, frozen=True, kw_only=True):
    """How a site has answered of late. `until`: nobody asks before that. `trouble`: what it said
    when it last failed. `way`: what led to it then."""

    failures: int = 0
    until: float = 0.0
    trouble: str = ""
    answered: float = 0.0
    asked: tuple[float, ...] = ()
    way: str = ""

    def circuit(self, now: float) -> Circuit:
        if self.failures < FAILURES:
            return "closed"
        return "open" if self.pauses(now) else "half-open"

    def pauses(self, now: float) -> bool:
        """Whether it is to be left alone now."""
        return 0.0 < self.until - now <= LONGEST_PAUSE * (1 + JITTER)

    def rate(self, now: float) -> float:
        """Questions in the last hour."""
        return float(sum(1 for each in self.asked if now - 3600 < each <= now))


class Look(Record, frozen=True, kw_only=True):
    """The latest whole answer (None: there never was one), and why there is none that is newer."""

    snapshot: Snapshot | None
    trouble: str = ""


Ask = Callable[[], Sequence[Answer]]
Judge = Callable[[Sequence[Answer]], str]
"""Why answers are not whole; "" if they are."""

_encode: Final = msgspec.msgpack.Encoder().encode
_snapshot: Final = msgspec.msgpack.Decoder(Snapshot).decode
_health: Final = msgspec.json.Decoder(Health).decode


class Polls:
    """The shared question of one cluster; its files lie in `directory`. `way`: what leads to it;
    what was answered by another is of no use."""

    def __init__(
        self,
        directory: str,
        least: float,
        chance: Callable[[], float] | None = None,
        way: str = "",
    ) -> None:
        self.directory = directory
        self.least = least
        self.way = way
        self._chance = chance

    def look(self, ask: Ask, judge: Judge, *, age: float | None = None, since: float = 0.0) -> Look:
        """An answer at most `age` seconds old (None: as fresh as is fair), asked after `since`, and
        after whatever was changed there last."""
        latest = clock.now() + GRAIN  # of a clock that was set back nothing is believed
        since = max((each for each in (since, self._spoiled()) if each <= latest), default=0.0)
        found = self._fresh(age, since)
        if found is not None:
            return Look(snapshot=found)
        with self._turn() as mine:
            if not mine:
                trouble = "another process of yours has been waiting for its answer for long"
                return Look(snapshot=self.snapshot(), trouble=trouble)
            found = self._fresh(age, since)
            if found is not None:
                return Look(snapshot=found)
            health = self.health()
            if health.pauses(clock.now()):
                return Look(snapshot=self.snapshot(), trouble=health.trouble)
            return self._ask(ask, judge, health)

    def spoil(self, when: float | None = None) -> None:
        """What was answered before now (or then) is not so any more: something was changed."""
        path = f"{self.directory}/spoiled"
        instant = clock.now() if when is None else when
        with contextlib.suppress(OSError):
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            os.utime(path, (instant, instant))

    def _spoiled(self) -> float:
        try:
            return os.stat(f"{self.directory}/spoiled").st_mtime + GRAIN / 2
        except OSError:
            return 0.0

    def _fresh(self, age: float | None, since: float) -> Snapshot | None:
        found = self.snapshot()
        if found is None or found.at <= since or found.way != self.way:
            return None
        good = max(self.least if age is None else age, min(OLDEST, SHARE * found.took))
        return found if 0 <= clock.now() - found.at < good else None

    def _ask(self, ask: Ask, judge: Judge, health: Health) -> Look:
        begun, steady = clock.now(), clock.monotonic()
        answers: tuple[Answer, ...] = ()
        try:
            answers = tuple(ask())
            trouble = judge(answers)
        except HpcError as error:  # there is no way to it
            trouble = error.message
        took = clock.monotonic() - steady
        asked = (*health.asked[-REMEMBERED + 1 :], begun)
        if trouble:
            self._failed(health, asked, trouble)
            return Look(snapshot=self.snapshot(), trouble=trouble)
        snapshot = Snapshot(at=begun, took=took, answers=answers, way=self.way)
        self._write("answers", _encode(snapshot))
        answered = Health(answered=begun, asked=asked, way=self.way)
        self._write("health", msgspec.json.encode(answered))
        return Look(snapshot=snapshot)

    def _failed(self, health: Health, asked: tuple[float, ...], trouble: str) -> None:
        failures = health.failures + 1
        pause = min(self.least, LONGEST_PAUSE)
        if failures >= FAILURES:
            doubled = FIRST_PAUSE * 2.0 ** min(failures - FAILURES, 16)
            spread = 1 - JITTER + 2 * JITTER * (self._chance or _chance)()
            pause = max(pause, min(LONGEST_PAUSE, doubled) * spread)
        failed = Health(
            failures=failures,
            until=clock.now() + pause,
            trouble=trouble,
            answered=health.answered,
            asked=asked,
            way=self.way,
        )
        self._write("health", msgspec.json.encode(failed))

    # ------------------------------------------------------------------------------------ the files

    def snapshot(self) -> Snapshot | None:
        try:
            return _snapshot(self._read("answers"))
        except (OSError, msgspec.MsgspecError):
            return None

    def health(self) -> Health:
        try:
            found = _health(self._read("health"))
        except (OSError, msgspec.MsgspecError):
            return Health()
        if found.way == self.way:
            return found
        return Health(answered=found.answered, asked=found.asked)  # who failed came by another way

    def _read(self, name: str) -> bytes:
        with open(f"{self.directory}/{name}", "rb") as file:
            return file.read()

    def _write(self, name: str, content: bytes) -> None:
        path = f"{self.directory}/{name}"
        new = f"{path}.{os.getpid()}"
        with contextlib.suppress(OSError):  # on a full disk everybody asks for himself
            with open(new, "wb", opener=_privately) as file:
                file.write(content)
            os.replace(new, path)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[bool]:
        """Whether nobody else asks, once whoever does is done; False: that takes too long."""
        with exclusive(f"{self.directory}/lock") as mine:
            until = clock.monotonic() + HANGS
            while not mine() and clock.monotonic() < until:
                time.sleep(MOMENT)
            yield mine()


def _privately(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


@contextlib.contextmanager
def exclusive(path: str) -> Iterator[Callable[[], bool]]:
    """A lock that one thread of one process holds, over NFS as well: tells, when called, whether it
    could be had by now. Where no file can be made for it everybody has it."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        yield lambda: True
        return

    def mine() -> bool:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            return True
        return True

    try:
        yield mine
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_UN)  # of a child that was forked meanwhile, too
        os.close(lock)


def _chance() -> float:
    import random  # of no use while all is well

    return random.random()
