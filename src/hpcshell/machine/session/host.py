"""The host: the first process of a run that has a session, in the place of the job's own."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import shutil
import signal
import socket
import time
from typing import Final

from hpcshell.machine import spawn
from hpcshell.machine.session.terminal import Returns, Terminal
from hpcshell.machine.session.viewers import SIZE, TYPED, Viewer, Viewers, size_in
from hpcshell.machine.session.window import Window
from hpcshell.machine.session.words import ERRORS, INPUT, Session

LAST_LOOK: Final = 0.5
"""Seconds that viewers get to be shown the end."""
OUTPUT: Final = 1
_OWN: Final = {"SIGKILL", "SIGSTOP", "SIGCHLD", "SIGCONT", "SIGTSTP", "SIGTTIN", "SIGTTOU"}
_FAULTS: Final = {"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS"}
_PASSED_ON: Final = [
    number
    for number in signal.valid_signals()
    if getattr(number, "name", "") not in _OWN | _FAULTS | {"SIGPIPE", "SIGXFSZ", "SIGWINCH"}
]
"""Who signals the process that is shown as the job's means the job."""


def host(session: Session, kept: str, argv: list[str]) -> int:
    """Run the job's command on a terminal that the session shows, and end as it does."""
    woken = _wake_on_signals()
    env = _environment()
    shutil.rmtree(session.directory, ignore_errors=True)
    os.makedirs(session.directory, 0o700)
    terminal = Terminal()
    try:
        first = spawn.spawn_on(
            terminal.name,
            argv,
            env | {"TERM": "screen"},
            keep_input=INPUT in kept,
            keep_errors=ERRORS in kept,
        )
    except spawn.CannotStart as failure:
        spawn.say(2, failure)
        return failure.exit_code
    hosting = Hosting(session, terminal, first, woken)
    with contextlib.suppress(OSError):
        hosting.open(env)
    return _end_as(hosting.run())


def _environment() -> dict[str, str]:
    """What the runner gave us: Python adds to its own copy."""
    with open("/proc/self/environ", "rb", buffering=0) as file:
        words = os.fsdecode(file.read()).split("\0")
    return dict(word.split("=", 1) for word in words if "=" in word)


def _wake_on_signals() -> socket.socket:
    """Has the number of every signal that comes, as a byte."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    ours.setblocking(False)
    signal.set_wakeup_fd(theirs.detach(), warn_on_full_buffer=False)
    for number in (*_PASSED_ON, signal.SIGCHLD):
        signal.signal(number, lambda number, frame: None)
    return ours


def _end_as(status: int) -> int:
    """End by the signal that ended the job, without another core; else its exit code."""
    if not os.WIFSIGNALED(status):
        return os.waitstatus_to_exitcode(status)
    number = os.WTERMSIG(status)
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    small = 1 if most == resource.RLIM_INFINITY else min(1, most)  # 1 forbids pipes, too: core(5)
    resource.setrlimit(resource.RLIMIT_CORE, (small, most))
    with contextlib.suppress(OSError, ValueError):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number


class Hosting:
    """One turn of the loop: whatever has come is passed on; nothing but the file is waited for."""

    def __init__(
        self, session: Session, terminal: Terminal, first: int, woken: socket.socket
    ) -> None:
        self.session = session
        self.terminal = terminal
        self.first = first
        self.woken = woken
        self.status: int | None = None
        self.returns = Returns()
        self.window: Window | None = None
        self.viewers: Viewers | None = None

    def open(self, env: dict[str, str]) -> None:
        """Say who the job's first process is, and have the session shown."""
        with open(self.session.first, "w", encoding="ascii") as file:
            file.write(str(self.first))
        self.viewers = Viewers(self.session.viewers)
        self.window = Window(self.session, env)
        self.window.open()

    def run(self) -> int:
        """How the job's first process ended, as `waitpid` says it."""
        self._on_signals()
        while self.status is None:
            self._turn()
        while self._print():
            pass
        self._write(self.returns.rest())
        if self.viewers is not None:
            self.viewers.see_off(LAST_LOOK)
        if self.window is not None:
            self.window.close()
        return self.status

    def _turn(self) -> None:
        viewers = list(self.viewers or ())
        reading: list[object] = [self.woken, self.terminal.descriptor, *viewers]
        reading += [self.viewers.door] if self.viewers is not None else []
        reading += [self.window.descriptor] if self.window and self.window.descriptor >= 0 else []
        writing: list[object] = [viewer for viewer in viewers if viewer.wants_write]
        writing += [self.terminal.descriptor] if self.terminal.wants_write else []
        ready, able, _ = select.select(reading, writing, [], self._patience())  # type: ignore[type-var]
        if self.terminal.descriptor in ready:
            self._print()
        if self.terminal.descriptor in able:
            self.terminal.type()
        self._attend(ready, able)
        if self.woken in ready:
            self._on_signals()

    def _patience(self) -> float | None:
        due = self.window.due if self.window else None
        return None if due is None else max(0.0, due - time.monotonic())

    # -- the job -----------------------------------------------------------------------------

    def _print(self) -> bool:
        """Copy what the job has printed; False: there is nothing."""
        text = self.terminal.read()
        if text:
            self._write(self.returns.without(text, self.terminal.adds_returns))
            if self.viewers is not None:
                self.viewers.show(text)
        return bool(text)

    def _write(self, text: bytes) -> None:
        try:
            while text:
                text = text[os.write(OUTPUT, text) :]
        except OSError as error:
            told = f"\r\n[hpc: the output file cannot be written: {error.strerror}]\r\n"
            if self.viewers is not None:
                self.viewers.show(told.encode())

    def _on_signals(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for number in self.woken.recv(4096):
                if number != signal.SIGCHLD:
                    with contextlib.suppress(OSError):
                        os.kill(self.first, number)
        self._reap()

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self.first:
                    self.status = ended[1]

    # -- the session -------------------------------------------------------------------------

    def _attend(self, ready: list[object], able: list[object]) -> None:
        if self.viewers is None or self.window is None:
            return
        for viewer in list(self.viewers):
            if viewer in ready:
                self._hear(viewer)
            if viewer in able:
                viewer.flush()
        self.viewers.part()
        if self.viewers.door in ready:
            self.viewers.let_in()
            self.window.opened()
        if self.window.descriptor in ready:
            self.window.ended()
        if self.window.due is not None and self.window.due <= time.monotonic():
            self.window.open()

    def _hear(self, viewer: Viewer) -> None:
        for kind, text in viewer.hear():
            if kind == TYPED:
                self.terminal.type(text)
            elif kind == SIZE:
                self.terminal.resize(*size_in(text))
