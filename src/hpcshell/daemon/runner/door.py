"""The worker's side of the socket: one daemon at a time, the newest wins."""

from __future__ import annotations

import os
import select
import socket
import struct
from typing import Final

from hpcshell.daemon.runner.wire import (
    LONGEST_LINE,
    AnyOrder,
    Complaint,
    Event,
    Started,
    read_orders,
    to_lines,
)
from hpcshell.machine import clock

CHUNK: Final = 64 * 1024
PATIENCE: Final = 0.003
"""Seconds the news of a start may wait for company."""


class Door:
    """Accepts, reads orders, and keeps what is to be said until the end of the turn."""

    def __init__(self, listener: socket.socket, epoll: select.epoll) -> None:
        self.listener = listener
        self.epoll = epoll
        self.connection: socket.socket | None = None
        self.peer = 0
        self.unread = b""
        self.events: list[Event] = []
        self.due = 0.0
        self.unsent = b""
        self.waiting_to_write = False
        self.spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        epoll.register(listener.fileno(), select.EPOLLIN)

    def say(self, event: Event) -> None:
        """Tell the daemon at the end of this turn; if there is none, `Standing` tells it later.

        That a run has started is told `PATIENCE` later at most: of a short one the start travels
        with its end, and the daemon is woken once.
        """
        if self.connection is None:
            return
        if not isinstance(event, Started):
            self.due = 0.0
        elif not self.events:
            self.due = clock.monotonic() + PATIENCE
        self.events.append(event)

    def due_in(self) -> float | None:
        """Seconds until something is to be said; None: nothing is."""
        if self.connection is None or not self.events:
            return None
        return max(0.0, self.due - clock.monotonic())

    def accept(self) -> bool:
        """Take a new connection in place of the old; False when it was none or not one of ours."""
        try:
            connection, _ = self.listener.accept()
        except BlockingIOError:
            return False
        except OSError:
            self._turn_away()
            return False
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        pid, uid, _gid = struct.unpack("=iII", credentials)
        if uid not in (0, os.geteuid()):
            connection.close()
            return False
        self.hang_up()
        connection.setblocking(False)
        self.adopt(connection, pid)
        return True

    def adopt(self, connection: socket.socket, peer: int) -> None:
        """Go on with a connection that is already there."""
        self.connection, self.peer = connection, peer
        self.epoll.register(connection.fileno(), select.EPOLLIN)

    def inherit(self, other: Door) -> None:
        """Go on with the connection of a door that this process had before it was forked."""
        if other.connection is not None:
            self.adopt(other.connection, other.peer)
            self.unread, self.unsent = other.unread, other.unsent

    def listen_at(self, listener: socket.socket) -> None:
        """Accept at another socket from now on."""
        self.epoll.unregister(self.listener.fileno())
        self.listener.close()
        self.listener = listener
        self.epoll.register(listener.fileno(), select.EPOLLIN)

    def close(self) -> None:
        """Let go of our own descriptors; the connection stays."""
        os.close(self.spare)

    def _turn_away(self) -> None:
        # Out of descriptors: give one up to refuse the caller, or the listener would wake us on
        # and on.
        os.close(self.spare)
        try:
            self.listener.accept()[0].close()
        except OSError:
            pass
        finally:
            self.spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> list[AnyOrder]:
        """The orders that have arrived whole. Hangs up at the end of the stream."""
        connection = self.connection
        if connection is None:
            return []
        parts = [self.unread]
        ended = False
        try:
            while True:
                part = connection.recv(CHUNK)
                ended = not part
                parts.append(part)
                if len(part) < CHUNK:
                    break
        except BlockingIOError:
            pass
        except OSError:
            ended = True
        whole, found, rest = b"".join(parts).rpartition(b"\n")
        self.unread = rest
        orders, complaints = read_orders(whole) if found else ([], [])
        self.events.extend(complaints)
        if len(rest) > LONGEST_LINE:
            self.say(Complaint(message="An order is longer than 64 MiB."))
            ended = True
        if ended:
            self.flush()
            self.hang_up()
        return orders

    def flush(self) -> bool:
        """Write what is to be said, in one write where the socket takes it; False: hung up."""
        if self.connection is None or not (self.events or self.unsent):
            return True
        if self.events and not self.due_in():
            self.unsent += to_lines(self.events)
            self.events.clear()
        if not self.unsent:
            return True
        try:
            self.unsent = self.unsent[self.connection.send(self.unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self.hang_up()
            return False
        if bool(self.unsent) != self.waiting_to_write:
            self.waiting_to_write = bool(self.unsent)
            mask = select.EPOLLIN | (select.EPOLLOUT if self.unsent else 0)
            self.epoll.modify(self.connection.fileno(), mask)
        return True

    def hang_up(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection, self.peer = None, 0
        self.unread = self.unsent = b""
        self.events.clear()
        self.waiting_to_write = False
