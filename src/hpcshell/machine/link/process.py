"""One program run to its end, at hardly more than the price of the system calls.

The child is spawned (never forked), in a process group of its own, all of which can be killed. One
that may look for a terminal gets a session of its own and has none; that is not free: where the
kernel shares out its time by sessions, setting up one takes longer than all else.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from hpcshell.machine import clock
from hpcshell.machine.link.contract import CANNOT_RUN, MOST_OUTPUT, NO_COMMAND

_CHUNK: Final = 1 << 18
_WIDE: Final = 1 << 20
_LONGEST_WAIT: Final = 3600.0
_LOOK_AGAIN: Final = 0.02
_LOOK_SOON: Final = 0.001
_QUIET: Final = 0.03
_BREATH: Final = 0.005
_CLOSED: Final = -1
_USUAL: Final = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT)
"""Signals that Python, or whoever started it, may have set aside: a program gets them as usual."""


class Ended(NamedTuple):
    """What came of a program. `code` is None when it was killed by us; `why` says for what."""

    code: int | None
    out: bytes = b""
    err: bytes = b""
    missing: bool = False
    why: str = ""


def nothing() -> None:
    """No work."""


def run(
    argv: Sequence[str],
    env: Mapping[str, str],
    stdin: bytes = b"",
    patience: float = 30.0,
    *,
    session: bool = True,
    work: Callable[[], None] = nothing,
    hear: Callable[[bytes], None] | None = None,
) -> Ended:
    """Runs a program that is looked for in the PATH of its own environment. `work` is done before
    it is fed, while it starts, also if it cannot be run; what that raises kills it. `hear` is told
    each piece of its output that comes before it has ended."""
    program = found(argv[0], env.get("PATH", os.defpath))
    if not program:
        work()
        return Ended(NO_COMMAND, err=not_found(argv[0]), missing=True)
    try:
        child = _Child(program, argv, env, piped=bool(stdin), session=session)
    except OSError as error:
        work()
        return Ended(CANNOT_RUN, err=f"{argv[0]}: {error.strerror}".encode())
    try:
        child.hear = hear
        work()
        return child.talk(stdin, patience)
    finally:
        child.close()


def not_found(program: str) -> bytes:
    return os.fsencode(f"{program}: command not found")


def found(program: str, path: str) -> str:
    """The file that this name means, "" if there is none; one that cannot be run counts only if
    there is no other."""
    if "/" in program:
        return program if os.path.exists(program) else ""
    second = ""
    for directory in path.split(":"):
        file = f"{directory or '.'}/{program}"
        if os.access(file, os.X_OK) and not os.path.isdir(file):
            return file
        if not second and os.path.isfile(file):
            second = file
    return second


class _Child:
    """A program at work, and our ends of its pipes."""

    def __init__(
        self,
        program: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        piped: bool,
        session: bool,
    ) -> None:
        self.fds: dict[str, int] = {}
        theirs: list[int] = []
        try:
            actions = self._open(theirs, piped)
            self.pid = os.posix_spawn(
                program,
                tuple(argv),
                env,
                file_actions=actions,
                setsigmask=(),
                setsigdef=_USUAL,
                **({"setsid": True} if session else {"setpgroup": 0}),
            )
        except BaseException:
            self._close_all()
            raise
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        self.status: int | None = None
        self.quiet: select.poll | None = None
        """Tells of its end alone."""
        self.got: dict[str, list[bytes]] = {"out": [], "err": []}
        self.size = 0
        self.hear: Callable[[bytes], None] | None = None
        """Is told what it says on standard output."""
        with contextlib.suppress(OSError):
            self.fds["end"] = os.pidfd_open(self.pid)

    def _open(self, theirs: list[int], piped: bool) -> list[tuple[int, int, int] | _Open]:
        actions: list[tuple[int, int, int] | _Open] = []
        for number, name in ((1, "out"), (2, "err")):
            self.fds[name], writing = os.pipe()
            theirs.append(writing)
            os.set_blocking(self.fds[name], False)
            actions.append((os.POSIX_SPAWN_DUP2, writing, number))
        if not piped:
            return [*actions, (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)]
        reading, self.fds["in"] = os.pipe()
        theirs.append(reading)
        os.set_blocking(self.fds["in"], False)
        return [*actions, (os.POSIX_SPAWN_DUP2, reading, 0)]

    def talk(self, stdin: bytes, patience: float) -> Ended:
        """Feeds and hears it until it has ended, its patience is over or it says too much."""
        deadline = clock.monotonic() + patience
        rest = memoryview(stdin)
        poll = select.poll()
        for name, descriptor in self.fds.items():
            poll.register(descriptor, select.POLLOUT if name == "in" else select.POLLIN)
        if rest:
            rest = self._feed(rest, poll)  # what fits into the pipe needs no waiting
        self._wait_quietly(rest, patience)
        while not self._over():
            self._let_it_speak()
            left = deadline - clock.monotonic()
            if left <= 0:
                return self._killed(f"no answer within {patience:g} s")
            if self.size > MOST_OUTPUT:
                return self._killed(f"more than {MOST_OUTPUT >> 20} MiB of output")
            ready = {descriptor for descriptor, _ in poll.poll(1000 * self._wait(left))}
            if self.fds.get("in", _CLOSED) in ready:
                rest = self._feed(rest, poll)
            for name in ("out", "err"):
                if self.fds.get(name, _CLOSED) in ready:
                    self._hear(name, poll)
            if self.fds.get("end", _CLOSED) in ready:
                self._reap(0)
        self._hear_rest()
        return Ended(self._code(), *self._said())

    def _wait_quietly(self, rest: memoryview, patience: float) -> None:
        """Most programs have ended soon, and what they say fits into the pipes: to wake up for each
        word of one takes longer than all else where others want the processor, too."""
        if "end" in self.fds and not rest:
            self.quiet = select.poll()
            self.quiet.register(self.fds["end"], select.POLLIN)
            if not self.quiet.poll(1000 * min(_QUIET, patience)):
                with contextlib.suppress(OSError):
                    fcntl.fcntl(self.fds["out"], fcntl.F_SETPIPE_SZ, _WIDE)

    def _let_it_speak(self) -> None:
        """Between two words of a long answer: programs write 4 KiB at a time, and to wake up for
        each of them would slow down both it and us."""
        if self.quiet is not None and self.got["out"]:
            self.quiet.poll(1000 * _BREATH)

    def _over(self) -> bool:
        """Whether it has ended; what it left behind may hold the pipes open for ever."""
        if self.status is None and "end" not in self.fds:
            self._reap(os.WNOHANG)
        return self.status is not None

    def _wait(self, left: float) -> float:
        """How long to wait for a word of it: where the kernel does not tell of its end, it is
        looked for."""
        if "end" in self.fds:
            return min(left, _LONGEST_WAIT)
        return min(left, _LOOK_AGAIN if {"out", "err"} & set(self.fds) else _LOOK_SOON)

    def _feed(self, rest: memoryview, poll: select.poll) -> memoryview:
        try:
            rest = rest[os.write(self.fds["in"], rest[:_CHUNK]) :]
        except BlockingIOError:
            return rest
        except BrokenPipeError:
            rest = rest[:0]
        if not rest:
            self._close("in", poll)
        return rest

    def _hear(self, name: str, poll: select.poll) -> None:
        try:
            piece = os.read(self.fds[name], _WIDE)
        except BlockingIOError:
            return
        self.got[name].append(piece)
        self.size += len(piece)
        if not piece:
            self._close(name, poll)
        elif self.hear is not None and name == "out":
            self.hear(piece)

    def _hear_rest(self) -> None:
        """What it said is in the pipes by now; what others go on saying is not part of it."""
        for name in {"out", "err"} & set(self.fds):
            with contextlib.suppress(BlockingIOError):
                while self.size <= MOST_OUTPUT and (piece := os.read(self.fds[name], _CHUNK)):
                    self.got[name].append(piece)
                    self.size += len(piece)

    def _said(self) -> tuple[bytes, bytes]:
        return b"".join(self.got["out"]), b"".join(self.got["err"])

    def _reap(self, flags: int) -> None:
        try:
            pid, status = os.waitpid(self.pid, flags)
        except ChildProcessError:  # somebody else in this process has taken its exit code
            pid, status = self.pid, -1
        if pid:
            self.status = status

    def _code(self) -> int | None:
        if self.status is None or self.status < 0:
            return None
        code = os.waitstatus_to_exitcode(self.status)
        return code if code >= 0 else 128 - code

    def _killed(self, why: str) -> Ended:
        self._hear_rest()
        self.close()
        return Ended(None, *self._said(), why=why)

    def _close(self, name: str, poll: select.poll) -> None:
        descriptor = self.fds.pop(name)
        poll.unregister(descriptor)
        os.close(descriptor)

    def _close_all(self) -> None:
        while self.fds:
            os.close(self.fds.popitem()[1])

    def close(self) -> None:
        """Kills what has not ended yet, with all its process group."""
        self._close_all()
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._reap(0)


_Open = tuple[int, int, str, int, int]
