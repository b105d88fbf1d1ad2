"""Those who look at a job's terminal: told what it shows, heard what is typed."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from typing import Final

SHOWN: Final = 1 << 16
"""Bytes of what was printed that a new viewer is shown."""
BEHIND: Final = 1 << 20
"""Bytes that a viewer may be behind; then it is not shown the rest of them."""
CHUNK: Final = 1 << 16

TYPED: Final = b"t"
SIZE: Final = b"s"
_HEAD: Final = struct.Struct("!cH")
_ROOM: Final = struct.Struct("!HH")

Word = tuple[bytes, bytes]


def framed(kind: bytes, text: bytes) -> bytes:
    """A message of a viewer; at most 65,535 bytes."""
    return _HEAD.pack(kind, len(text)) + text


def framed_size(rows: int, columns: int) -> bytes:
    return framed(SIZE, _ROOM.pack(rows, columns))


def size_in(text: bytes) -> tuple[int, int]:
    """Rows and columns that a message tells."""
    rows, columns = _ROOM.unpack(text)
    return rows, columns


class Viewer:
    """One of them. `gone` once it cannot be spoken to any more."""

    def __init__(self, link: socket.socket, shown: bytes) -> None:
        link.setblocking(False)
        self.link = link
        self.gone = False
        self._unsent = bytearray(shown)
        self._unread = b""

    def fileno(self) -> int:
        return self.link.fileno()

    @property
    def wants_write(self) -> bool:
        return bool(self._unsent)

    def show(self, text: bytes) -> None:
        """Send it as soon as the viewer takes it."""
        if len(self._unsent) + len(text) > BEHIND:
            skipped = len(self._unsent) + len(text) - SHOWN
            text = bytes(self._unsent + text)[-SHOWN:]
            self._unsent = bytearray(f"\r\n[{skipped:,} bytes not shown]\r\n".encode())
        self._unsent += text
        self.flush()

    def flush(self) -> None:
        """Send what it takes now."""
        try:
            while self._unsent:
                del self._unsent[: self.link.send(self._unsent[:CHUNK])]
        except BlockingIOError:
            return
        except OSError:
            self.gone = True

    def hear(self) -> Iterator[Word]:
        """The messages that have come whole."""
        try:
            text = self.link.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            text = b""
        self.gone = self.gone or not text
        self._unread += text
        while len(self._unread) >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._unread)
            end = _HEAD.size + length
            if len(self._unread) < end:
                return
            yield kind, self._unread[_HEAD.size : end]
            self._unread = self._unread[end:]


class Viewers:
    """All of them, and the door they come in by."""

    def __init__(self, path: str) -> None:
        self.door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.door.bind(path)
        self.door.listen(4)
        self._all: list[Viewer] = []
        self._shown = bytearray()

    def __iter__(self) -> Iterator[Viewer]:
        return iter(self._all)

    def let_in(self) -> None:
        with contextlib.suppress(OSError):
            self._all.append(Viewer(self.door.accept()[0], bytes(self._shown)))

    def show(self, text: bytes) -> None:
        """Show it to all, and to those who come later."""
        self._shown += text
        if len(self._shown) > 2 * SHOWN:
            del self._shown[:-SHOWN]
        for viewer in self._all:
            viewer.show(text)

    def part(self) -> None:
        """Forget those who have gone."""
        for viewer in [viewer for viewer in self._all if viewer.gone]:
            viewer.link.close()
            self._all.remove(viewer)

    def see_off(self, patience: float) -> None:
        """Show all that is left to those who take it within so many seconds, then close."""
        self.door.close()
        for viewer in self._all:
            viewer.link.settimeout(patience)
            viewer.flush()
            viewer.link.close()
        self._all.clear()
