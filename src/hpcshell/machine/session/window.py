"""The program that shows a session: opened, opened anew when it was killed, and closed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pwd
import select
import signal
import subprocess
import time
from typing import Final

from hpcshell.machine import spawn
from hpcshell.machine.session.words import PART, Session, configuration, joining, opening

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 30.0
STARTING: Final = 5.0
"""Seconds that tmux gets to say that it is there."""
LASTING: Final = 5.0
"""Seconds after which it is taken to have been open for good."""
CLOSING: Final = 1.0
"""Seconds that it gets to close, and the same again once it is told to."""


class Window:
    """`descriptor` is a pidfd while it is open, else -1; `due` is when to try again (monotonic)."""

    def __init__(self, session: Session, env: dict[str, str]) -> None:
        self.session = session
        self.descriptor = -1
        self.due: float | None = None
        # Who submits from within a session of his own does not mean that one.
        self._env = {name: text for name, text in env.items() if name not in ("STY", "TMUX")}
        self._env[PART] = session.name
        self._sockets = env.get("SCREENDIR", "")
        self._pid = 0
        self._since = 0.0
        self._pause = FIRST_PAUSE
        with open(session.configuration, "w", encoding="utf-8") as file:
            file.write(configuration(session))

    def open(self) -> None:
        """Have it started; whether it comes up shows when a viewer comes in."""
        self.due, self._since = None, time.monotonic()
        try:
            self._pid = self._start()
            self.descriptor = os.pidfd_open(self._pid) if self._pid else -1
        except (OSError, subprocess.SubprocessError, spawn.CannotStart) as error:
            self._complain(str(error))
        if self.descriptor < 0:
            self._again()

    def _start(self) -> int:
        """The process that will show it; 0: there is none, and the program has said why."""
        words = opening(self.session)
        program = spawn.find_program(words[0], self._env)
        with open(self.session.said, "wb") as said:
            started = subprocess.Popen(
                [program, *words[1:]],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=said if self.session.program == "screen" else subprocess.PIPE,
                stderr=said,
            )
        if self.session.program == "screen":
            started.returncode = 0  # it is waited for with all other children
            return started.pid
        try:
            told = started.communicate(timeout=STARTING)[0].strip()
            return int(told) if told.isdigit() else 0
        finally:
            started.kill()

    def opened(self) -> None:
        """A viewer has come: it can be joined, and this is how."""
        words = joining(self.session, self._pid, self._sockets)
        draft = f"{self.session.join}.new"
        with contextlib.suppress(OSError):
            with open(draft, "w", encoding="utf-8") as file:
                json.dump(words, file)
            os.rename(draft, self.session.join)
        if self.session.program == "screen":
            _forget_dead(self._sockets, self._env.get("HOME", ""))

    def ended(self) -> None:
        """It has gone, and is opened anew in a while."""
        os.close(self.descriptor)
        self.descriptor = -1
        with contextlib.suppress(OSError):
            os.unlink(self.session.join)
        self._again()

    def _again(self) -> None:
        now = time.monotonic()
        if now - self._since > LASTING:
            self._pause = FIRST_PAUSE
        elif self.session.program == "screen" and self._sockets != self.session.server:
            self._take_own_directory()
        self.due = now + self._pause
        self._pause = min(LONGEST_PAUSE, 2 * self._pause)

    def _take_own_directory(self) -> None:
        """The directory that screen takes for its sockets may be the trouble."""
        self._sockets = self._env["SCREENDIR"] = self.session.server
        with contextlib.suppress(OSError):
            os.mkdir(self._sockets, 0o700)

    def _complain(self, text: str) -> None:
        with contextlib.suppress(OSError), open(self.session.said, "a", encoding="utf-8") as said:
            said.write(f"{text}\n")

    def close(self) -> None:
        """Its viewer has gone, and so does it; told to, if people have opened more in it."""
        if self.descriptor < 0:
            return
        if not self._gone():
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self.descriptor, signal.SIGTERM)
            self._gone()
        os.close(self.descriptor)
        self.descriptor = -1

    def _gone(self) -> bool:
        return bool(select.select([self.descriptor], [], [], CLOSING)[0])


def _forget_dead(sockets: str, home: str) -> None:
    """Take the sessions of runs that were killed with all that was in them out of screen's list.
    What is alive is never touched, as `screen -wipe` might while it starts."""
    user = pwd.getpwuid(os.getuid()).pw_name
    for directory in [sockets] if sockets else [f"/run/screen/S-{user}", f"{home}/.screen"]:
        with contextlib.suppress(OSError):
            for name in os.listdir(directory):
                pid, _, called = name.partition(".")
                if pid.isdecimal() and called.startswith("hpc-") and not _exists(int(pid)):
                    os.unlink(f"{directory}/{name}")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno != errno.ESRCH
    return True
