"""One socket to the daemon: a line out, lines in."""

from __future__ import annotations

import os
import socket
import struct
from typing import Any, Final

import msgspec

from hpcshell.client.wire import Answer, error_of, read_answer, request_line
from hpcshell.core.errors import Broken, Unreachable, Wrong

PATIENCE: Final = 60
"""Seconds of silence after which the kernel gives up a read or a write on our behalf."""

_CHUNK: Final = 1 << 16


class Lost(Unreachable):
    """The daemon went away, or was never there. `asked`: it may have read the request."""

    def __init__(self, message: str, hint: str | None = None, *, asked: bool = False) -> None:
        super().__init__(message, hint)
        self.asked = asked


class Connection:
    """A connected socket. Not for several threads at once."""

    __slots__ = ("_inbox", "_number", "_owner", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._inbox = bytearray()
        self._number = 0
        self._owner = os.getpid()

    @classmethod
    def to(cls, path: str) -> Connection:
        """Connect to the socket file. Raises `OSError` when nobody listens there."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        patience = struct.pack("ll", PATIENCE, 0)
        try:  # the kernel's own timeouts: Python's would cost a poll() for every read
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
            sock.connect(path)
        except OSError as error:
            sock.close()
            if "too long" in str(error):
                raise Wrong(
                    f"the path of the control socket is too long for the system: {path}",
                    "set HPCSHELL_HOME (or XDG_RUNTIME_DIR) to a shorter directory",
                ) from None
            raise
        return cls(sock)

    def fileno(self) -> int:
        """For `select`: readable when a line may have come (see also `pending`)."""
        return self.sock.fileno()

    @property
    def pending(self) -> bool:
        """Whether a whole line has been read already, so that `select` would wait in vain."""
        return b"\n" in self._inbox

    def usable(self) -> bool:
        """Whether the next request would reach the daemon this was connected to."""
        if self._owner != os.getpid():  # after a fork two processes would read each other's lines
            return False
        try:
            return self.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def ask(self, verb: str, args: dict[str, Any]) -> int:
        """Send a request and return its number."""
        self._number += 1
        line = request_line(self._number, verb, args)
        try:
            self.sock.sendall(line)
        except BlockingIOError:
            raise Lost(f"the daemon has not read a request for {PATIENCE} s", ADVICE) from None
        except OSError:
            raise Lost("the daemon went away before it was asked", ADVICE) from None
        return self._number

    def hear(self, *, patient: bool = False) -> Answer:
        """The next line; `patient` waits for it without end. Raises `Lost`."""
        while True:
            at = self._inbox.find(b"\n")
            if at >= 0:
                line = bytes(self._inbox[:at])
                del self._inbox[: at + 1]
                return read_answer(line)
            line = self._receive(patient)
            if line.endswith(b"\n") and line.count(b"\n") == 1 and not self._inbox:
                return read_answer(line)  # nearly always: one answer, whole
            self._inbox += line

    def _receive(self, patient: bool) -> bytes:
        while True:
            try:
                chunk = self.sock.recv(_CHUNK)
            except BlockingIOError:
                if patient:
                    continue
                raise Lost(f"the daemon has not answered for {PATIENCE} s", ADVICE) from None
            except OSError:
                chunk = b""
            if not chunk:
                raise Lost("the daemon went away before it answered", ADVICE, asked=True)
            return chunk

    def answer(self, number: int, *, patient: bool = False) -> Any:
        """What the daemon says to request `number`; the error it answers is raised."""
        while True:
            said = self.hear(patient=patient)
            if said.error is not None:
                raise error_of(said.error)
            if said.ok is not msgspec.UNSET and said.id == number:
                return said.ok
            if said.event is msgspec.UNSET:
                raise Broken("the daemon answered another question", ADVICE)

    def close(self) -> None:
        self.sock.close()


ADVICE: Final = "see what it says: hpc daemon status, hpc daemon logs"
