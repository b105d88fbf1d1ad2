"""Bringing the daemon up when nobody answers.

Any number of clients may find it down at once: they queue on a lock, the first starts it, the rest
find it there. The daemon says when it is ready by writing a line to an inherited pipe, so nothing
here sleeps for a guessed time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from hpcshell.client.connection import Connection
from hpcshell.client.places import Places
from hpcshell.core.errors import KINDS, Broken, HpcError, Unreachable

READY_WITHIN: Final = 60.0
"""Seconds a new daemon has to recover its queue and listen."""

SOCKET_WITHIN: Final = 5.0
"""Seconds a daemon at work has to put its socket file back, or to go if it is stopping."""

MODULE: Final = "hpcshell.daemon.hpcd"

_started: list[subprocess.Popen[bytes]] = []
"""Daemons that are children of this process, kept until they can be reaped."""


def start(places: Places, *options: str) -> Connection:
    """A connection to the daemon, which is started if need be, with these options of its own.
    Raises what it says went wrong."""
    with _one_at_a_time(places):
        with contextlib.suppress(OSError):  # another client was faster
            return Connection.to(places.daemon_socket)
        pid = daemon_pid(places)
        if pid is not None and (connection := _recall(places, pid)) is not None:
            return connection
        trouble = _launch(places, options)
        with contextlib.suppress(OSError):
            return Connection.to(places.daemon_socket)
        pid = daemon_pid(places)
        if pid is not None and (connection := _recall(places, pid)) is not None:
            return connection
        raise trouble or Unreachable("the daemon started and went away", "hpc daemon logs says why")


def daemon_pid(places: Places) -> int | None:
    """The process that holds the state directory, if it lives."""
    try:
        pid = int(Path(places.daemon_lock).read_text().split()[0])
        command = Path("/proc", str(pid), "cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return None
    return pid if MODULE.encode() in command else None


@contextlib.contextmanager
def _one_at_a_time(places: Places) -> Iterator[None]:
    directory = os.path.dirname(places.daemon_socket)
    try:
        for private in (places.state, directory):  # the second may lie in the first
            os.makedirs(private, mode=0o700, exist_ok=True)
        lock = os.open(os.path.join(directory, "start.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Broken(
            f"{directory}: {error.strerror}",
            "the daemon needs a directory of yours to listen in; see hpc doctor",
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _recall(places: Places, pid: int) -> Connection | None:
    """Reach a daemon that lives and has no socket file: it was wiped, or it is stopping."""
    deadline = time.monotonic() + READY_WITHIN
    pause, called = 0.002, False
    while daemon_pid(places) == pid:
        with contextlib.suppress(OSError):
            return Connection.to(places.daemon_socket)
        if not called and _catches_hangup(pid):
            called = True
            deadline = time.monotonic() + SOCKET_WITHIN
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGHUP)
        if time.monotonic() > deadline:
            raise Unreachable(
                f"the daemon (process {pid}) lives and does not listen at {places.daemon_socket}",
                "hpc daemon restart; running jobs go on",
            )
        time.sleep(pause)
        pause = min(pause * 2, 0.05)
    return None


def _catches_hangup(pid: int) -> bool:
    """Whether SIGHUP would be heard; a daemon that only just begins would die of it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc", str(pid), "status").read_text().splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) & 1 << (signal.SIGHUP - 1))
    return False


def _launch(places: Places, options: Iterable[str]) -> HpcError | None:
    """Start the daemon and wait until it listens or says what is wrong (returned, not raised).

    The caller tries to connect in either case: somebody else's daemon may have come up instead.
    """
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as pipe, _stderr(places) as stderr:
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", MODULE, *options, "--ready-fd", str(writing)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                env=_environment(),
                cwd="/",
                pass_fds=(writing,),
                start_new_session=True,
            )
        except OSError as error:
            return Unreachable(f"the daemon cannot be started: {error}", "see: hpc doctor")
        finally:
            os.close(writing)
        line = _first_line(pipe.fileno())
    _started[:] = [each for each in _started if each.poll() is None]
    _started.append(process)
    return _verdict(line, places)


def _environment() -> dict[str, str]:
    """Ours, less what marks a process as a job's: a daemon started in a job is no part of it.

    The daemon has another directory: a home given by a relative name is made absolute.
    """
    found = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HPC_", "SLURM_")) or "__" in name
    }
    if found.get("HPCSHELL_HOME"):
        found["HPCSHELL_HOME"] = os.path.abspath(os.path.expanduser(found["HPCSHELL_HOME"]))
    return found


@contextlib.contextmanager
def _stderr(places: Places) -> Iterator[int]:
    """Where the daemon's last words go if it dies before it has a log."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    try:
        os.makedirs(places.state, mode=0o700, exist_ok=True)
        descriptor = os.open(places.daemon_stderr, flags, 0o600)
    except OSError:
        descriptor = os.open(os.devnull, os.O_WRONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _first_line(descriptor: int) -> str | None:
    """What the daemon wrote until it closed the pipe; None if it wrote nothing in time."""
    deadline = time.monotonic() + READY_WITHIN
    poll = select.poll()  # a program that asks may have more files open than select() can watch
    poll.register(descriptor, select.POLLIN)
    said = b""
    while b"\n" not in said:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return None
        chunk = os.read(descriptor, 4096)
        if not chunk:
            break
        said += chunk
    return said.decode(errors="replace").strip()


def _verdict(line: str | None, places: Places) -> HpcError | None:
    if line == "ok":
        return None
    if line is None:
        return Unreachable(
            f"the daemon was started and is not ready after {READY_WITHIN:g} s",
            "it may be recovering a long queue: hpc daemon logs",
        )
    kind, _, rest = line.partition("|")
    message, _, hint = rest.partition("|")
    if kind == "running":  # another daemon was faster; its own message names its process
        return Unreachable(message, hint)
    if kind in KINDS and message:
        return KINDS[kind](message, hint or None)
    told = last_words(places)
    return Unreachable(
        "the daemon died while it started" + (f": {told}" if told else ""),
        f"all that it said: {places.daemon_stderr}",
    )


def last_words(places: Places) -> str:
    """The last line that the latest daemon wrote to stderr, which is silent while all is well."""
    with contextlib.suppress(OSError):
        lines = Path(places.daemon_stderr).read_text(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""
    return ""
