"""The daemon's side of the runner.

    link = RunnerLink(places)
    link.open()          connect; launch a runner when none is there. False: call again in
                         `link.retry_after` seconds. Never blocks.
    selector.register(link.fileno(), EVENT_READ | (EVENT_WRITE if link.wants_write else 0))
    link.send([Start(...), ...])
                         orders, carried out in their order; what the socket does not take at once
                         is kept (`wants_write`) and goes with the next `send` or `flush`
    for event in link.receive(): ...
                         never blocks; the first event of every connection is `Standing`
    if link.closed: link.open()
                         the worker died, or was never born: connect again

After each `Standing` (one comes on every connection, and again when the worker is replaced under a
living connection): a run that is not in it and was ordered but never `Started` may be ordered again
under its id; orders are idempotent. Reports in it that are not `Started` are ends to be recorded
and acknowledged. `link.runner_pid` and `link.keeper_pid` are the processes of the last `Standing`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
from collections.abc import Iterable
from typing import Final

from hpcshell.core.errors import Broken
from hpcshell.daemon.runner.process import LISTENER_DESCRIPTOR, LOCK_DESCRIPTOR, take_lock
from hpcshell.daemon.runner.wire import AnyEvent, AnyOrder, Standing, read_events, to_lines
from hpcshell.machine.listening import listen
from hpcshell.machine.paths import Places
from hpcshell.machine.spawn import spawn_own

CHUNK: Final = 64 * 1024
_LOG: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class RunnerLink:
    """One connection at a time to the runner of one state directory."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.connection: socket.socket | None = None
        self.runner_pid = 0
        self.keeper_pid = 0
        self.retry_after = 0.05
        self.launched = 0
        self._unread = b""
        self._unsent = b""

    @property
    def closed(self) -> bool:
        """Whether there is no connection."""
        return self.connection is None

    @property
    def wants_write(self) -> bool:
        """Whether orders wait for the socket to take them."""
        return bool(self._unsent)

    def fileno(self) -> int:
        if self.connection is None:
            raise Broken("There is no connection to the runner.")
        return self.connection.fileno()

    def open(self) -> bool:
        """Connect, launching a runner when none runs; False: try again in `retry_after` seconds."""
        self.close()
        self._bury()
        if self._connect():
            return True
        lock = take_lock(self.places)
        if lock is None:
            self._ask_to_listen()
            return False
        try:
            self.launched = self._launch(lock)
        finally:
            os.close(lock)
        return self._connect()

    def send(self, orders: Iterable[AnyOrder]) -> None:
        """Write orders; they are gone when the connection turns out to be broken."""
        self._unsent += to_lines(orders)
        self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self.connection is None or not self._unsent:
            return
        try:
            self._unsent = self._unsent[self.connection.send(self._unsent) :]
        except BlockingIOError:
            return
        except OSError:
            self.close()

    def receive(self) -> list[AnyEvent]:
        """What the runner has said since; sets `closed` at the end of the stream."""
        if self.connection is None:
            return []
        parts = [self._unread]
        ended = False
        try:
            while True:
                part = self.connection.recv(CHUNK)
                ended = not part
                parts.append(part)
                if len(part) < CHUNK:
                    break
        except BlockingIOError:
            pass
        except OSError:
            ended = True
        whole, _, self._unread = b"".join(parts).rpartition(b"\n")
        if ended:
            self.close()
        events = read_events(whole)
        for event in events:
            if isinstance(event, Standing):
                self.runner_pid, self.keeper_pid = event.runner_pid, event.keeper_pid
        return events

    def close(self) -> None:
        """Hang up; the runner and its runs go on."""
        if self.connection is not None:
            self.connection.close()
        self.connection = None
        self._unread = self._unsent = b""

    def _connect(self) -> bool:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            connection.connect(self.places.runner_socket)
        except OSError:
            connection.close()
            return False
        self.connection = connection
        return True

    def _ask_to_listen(self) -> None:
        """A runner lives but its socket's name is gone: have the worker, whose pid is in the lock
        file, make it again.
        """
        try:
            with open(self.places.runner_lock, encoding="ascii") as file:
                pid = int(file.read().split()[0])
            if pid > 1:
                os.kill(pid, signal.SIGHUP)
        except (OSError, ValueError, IndexError):
            return

    def _launch(self, lock: int) -> int:
        """Start a runner with our lock and our listening socket, so that we can connect at once."""
        with contextlib.ExitStack() as opened:

            def kept(descriptor: int) -> int:
                opened.callback(os.close, descriptor)
                return descriptor

            listener = opened.enter_context(listen(self.places.runner_socket))
            log = kept(os.open(self.places.runner_log, _LOG, 0o600))
            null = kept(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC))
            # Copies above every target number: dup2 must not tread on a source not yet copied.
            given = (null, log, lock, listener.fileno())
            sources = [kept(fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 10)) for each in given]
            targets = [(sources[0], 0), (sources[1], 1), (sources[1], 2)]
            targets += [(sources[2], LOCK_DESCRIPTOR), (sources[3], LISTENER_DESCRIPTOR)]
            actions = [(os.POSIX_SPAWN_DUP2, source, target) for source, target in targets]
            return spawn_own(["hpcshell.daemon.runner", "--inherited"], actions)

    def _bury(self) -> None:
        """Reap the runner we launched, if it has ended."""
        if self.launched:
            try:
                if os.waitpid(self.launched, os.WNOHANG)[0]:
                    self.launched = 0
            except ChildProcessError:
                self.launched = 0
