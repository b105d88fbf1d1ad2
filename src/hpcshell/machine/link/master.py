"""One ssh connection that all commands share, held by ssh itself (ControlMaster).

Only its start may ask for a password, a code or a host key, on the terminal. Everything after it
goes through its socket, and asks nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.machine import clock
from hpcshell.machine.link.contract import LinkDown
from hpcshell.machine.link.troubles import link_down, nobody_spoke
from hpcshell.machine.paths import LONGEST_SOCKET

_SSH_APPENDS: Final = 17
"""Bytes: ssh makes its socket under a longer name first."""
_PERSIST: Final = 600
_CONNECT: Final = 20
_TO_TYPE: Final = 180.0
_TO_ANSWER: Final = 60.0
_LOOK: Final = 0.01
_MOST_ERRORS: Final = 1 << 16
_USUAL: Final = (
    *("-T", "-x", "-o", "LogLevel=ERROR", "-o", "ServerAliveInterval=15"),
    *(
        "-o",
        "ServerAliveCountMax=3",
        "-o",
        f"ConnectTimeout={_CONNECT}",
        "-o",
        "RemoteCommand=none",
    ),
    *("-o", "ClearAllForwardings=yes", "-o", "PermitLocalCommand=no"),
)


class Master:
    """The shared connection to one destination. `options` are more words for ssh."""

    def __init__(self, destination: str, jump: str, options: Sequence[str], directory: str) -> None:
        for name in (destination, jump):
            if name.startswith("-") or any(each.isspace() or each == "\0" for each in name):
                raise Wrong(f"{name!r} is not a host for ssh.", hint="Give it as USER@HOST.")
        if not destination:
            raise Wrong("The host for ssh has no name.", hint="Give it as USER@HOST.")
        self.destination = destination
        self._options = (*(("-J", jump) if jump else ()), *options)
        self.socket = f"{directory}/{_short(destination, *self._options)}"
        _check_socket(self.socket)
        self.account = f"{self.socket}.account"
        """What was learnt of the far account, as long as the connection lasts."""

    def session(self, *command: str) -> list[str]:
        """The words for ssh to have one command line run there, through the shared connection."""
        return self._ssh("-o", "ControlMaster=no", "-o", "BatchMode=yes", command=command)

    def _ssh(self, *own: str, command: Sequence[str] = ()) -> list[str]:
        """What ssh is told first counts: what we cannot do without, what was asked for, and what
        is usual."""
        first = ("ssh", "-S", self.socket.replace("%", "%%"), *own)
        return [*first, *self._options, *_USUAL, "--", self.destination, *command]

    def up(self) -> bool:
        """Whether the connection is held by somebody."""
        import socket

        with socket.socket(socket.AF_UNIX) as knock:
            knock.settimeout(1.0)
            try:
                knock.connect(self.socket)
            except (FileNotFoundError, ConnectionRefusedError):
                return False
            except OSError:  # somebody is there, and busy
                return True
        return True

    def ensure(self) -> None:
        """Connects, unless somebody has. Raises `LinkDown`."""
        if self.up():
            return
        os.makedirs(os.path.dirname(self.socket), 0o700, exist_ok=True)
        with self._alone():
            if not self.up():
                for left in (self.socket, self.account):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(left)
                self._connect()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Two that connect at once would leave one connection that nobody uses."""
        descriptor = os.open(f"{self.socket}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _connect(self) -> None:
        asking = _has_terminal()
        batch = "no" if asking else "yes"
        persist = f"ControlPersist={_PERSIST}"
        level = "INFO" if asking else "ERROR"
        own = ("-o", persist, "-o", f"BatchMode={batch}", "-o", f"LogLevel={level}")
        code, text = _started(self._ssh("-M", "-N", "-f", *own), asking)
        if code != 0 or not self.up():
            raise self._down(text, asking)

    def _down(self, text: str, asking: bool) -> LinkDown:
        """Why there is no connection: where nobody answered, it may be a host on the way."""
        from hpcshell.machine.link import jumps

        hops = jumps.jumps(self._ssh("-G")) if nobody_spoke(text) else []
        if not hops:
            return link_down(self.destination, text)
        if (down := jumps.failing(hops, _USUAL, self._options, asking)) is not None:
            return jumps.on_the_way(self.destination, down)
        own = ("-o", "ControlMaster=no", "-o", "ControlPersist=no", "-o", "BatchMode=yes")
        over = jumps.told_over(self._ssh(*own, command=("true",)))
        return link_down(self.destination, over or text, hops[-1])

    def close(self) -> None:
        """Ends the connection, for all who share it."""
        from hpcshell.machine.link import process

        if self.up():
            process.run(self._ssh("-O", "exit"), os.environ, patience=5.0)


def _started(argv: Sequence[str], asking: bool) -> tuple[int | None, str]:
    """Runs ssh until it goes to the background or gives up. If it may ask, it has our terminal,
    and what it says besides is shown there as well. That goes to a file first: the one in the
    background would hold a pipe open."""
    errors = os.memfd_create("ssh")
    try:
        null = (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDWR, 0)
        actions = [null, (os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, errors, 2)]
        try:
            pid = os.posix_spawnp(argv[0], tuple(argv), os.environ, file_actions=actions)
        except FileNotFoundError:
            raise LinkDown(
                "There is no ssh on this machine.", hint="Install OpenSSH's client."
            ) from None
        code = _awaited(pid, _TO_TYPE if asking else _TO_ANSWER, errors if asking else None)
        text = os.pread(errors, _MOST_ERRORS, 0).decode(errors="replace")
        return code, text if code is not None else f"{text}\nConnection timed out"
    finally:
        os.close(errors)


def _awaited(pid: int, patience: float, shown: int | None) -> int | None:
    import signal
    import time

    deadline = clock.monotonic() + patience
    offset = 0
    try:
        while clock.monotonic() < deadline:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if shown is not None:
                offset += _show(os.pread(shown, _MOST_ERRORS, offset))
            if ended:
                pid = 0
                return os.waitstatus_to_exitcode(status)
            time.sleep(_LOOK)
        return None
    finally:
        if pid:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)


def _show(text: bytes) -> int:
    """On the terminal, wherever our own streams lead; how much it was."""
    if text:
        with contextlib.suppress(OSError), open("/dev/tty", "wb", buffering=0) as terminal:
            terminal.write(text)
    return len(text)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY))
    except OSError:
        return bool(os.environ.get("SSH_ASKPASS"))
    return True


def _short(*words: str) -> str:
    import hashlib

    return hashlib.sha256(os.fsencode("\0".join(words))).hexdigest()[:12]


def _check_socket(path: str) -> None:
    length = len(os.fsencode(path))
    if length + _SSH_APPENDS > LONGEST_SOCKET or "${" in path:
        raise Wrong(
            f"ssh cannot have its socket at {path}: that name is too long or holds a variable.",
            hint="Set HPCSHELL_HOME to a shorter directory.",
        )
