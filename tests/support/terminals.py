"""A terminal with somebody at it: a program is run on it, read, and typed to."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator

from tests.support.clusters.packages import need

PATIENCE = 20.0
DRAWING = re.compile(rb"\x1b(\[[0-9;?>]*[a-zA-Z]|[()][0-9A-B]|[=>78M]|\][^\x07\x1b]*(\x07|\x1b\\))")
"""What draws instead of being shown."""


def programs_needed() -> None:
    """Installs screen and tmux where they are missing, and we may."""
    need({"screen": "screen", "tmux": "tmux"})


class Person:
    """Who sits there. `seen` is all that the program has shown so far."""

    def __init__(self, master: int, pid: int) -> None:
        self.master = master
        self.pid = pid
        self.seen = b""
        self.status: int | None = None

    def sees(self, text: str, patience: float = PATIENCE) -> None:
        """Wait until the text has been shown since the last time; drawing apart."""
        until = time.monotonic() + patience
        while text.encode() not in DRAWING.sub(b"", self.seen):
            more = self._more(until - time.monotonic())
            assert more, f"{text!r} is not among {DRAWING.sub(b'', self.seen)[-2000:]!r}"
            self.seen += more
        self.seen = b""

    def types(self, *keys: str) -> None:
        """Press keys as fast as people do: tmux takes what comes faster for pasted text."""
        for key in keys:
            os.write(self.master, key.encode())
            time.sleep(0.02)

    def resizes(self, rows: int, columns: int) -> None:
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def leaves(self, patience: float = PATIENCE) -> int:
        """Wait for the end of the program: its exit code."""
        until = time.monotonic() + patience
        while more := self._more(until - time.monotonic()):
            self.seen += more
        assert time.monotonic() < until, f"it has not left: {self.seen[-2000:]!r}"
        _, status = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def _more(self, patience: float) -> bytes:
        if patience <= 0 or not select.select([self.master], [], [], patience)[0]:
            return b""
        with contextlib.suppress(OSError):
            return os.read(self.master, 65536)
        return b""


@contextlib.contextmanager
def terminal(words: list[str], env: dict[str, str] | None = None) -> Iterator[Person]:
    """Run this on a terminal of 30 by 100; what is left of it at the end is killed."""
    master, slave = os.openpty()
    name = os.ttyname(slave)
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, name, os.O_RDWR, 0),
        (os.POSIX_SPAWN_DUP2, 0, 1),
        (os.POSIX_SPAWN_DUP2, 0, 2),
    ]
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    environment = {**os.environ, "TERM": "xterm", **(env or {})}
    pid = os.posix_spawnp(words[0], words, environment, file_actions=actions, setsid=True)
    os.close(slave)
    person = Person(master, pid)
    try:
        yield person
    finally:
        os.close(master)
        if person.status is None:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
