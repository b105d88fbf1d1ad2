"""The end of a connection whose client still sends, or does not read what it asked for."""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios
from typing import Any, Final

LINGER: Final = 2.0
"""Seconds in which a client that was refused may read why."""
LEFTOVER: Final = 128 << 20
"""Bytes that it may still send meanwhile."""
HASTE: Final = 0.5
"""The same where the server ends."""
HURRY: Final = 1.0
"""Seconds in which a client has to read on where the server ends."""
SLOWEST: Final = 1 << 10
"""Bytes a second that a client has to read where more wait than the kernel keeps for it."""


class Lingering:
    """A transport that, closed while the client still sends, lets it read the answer first. To
    close at once would reset the connection, and the answer would be lost.

    `more`: whether the client still sends. `patience`: seconds in which it has to have read some of
    what waits for it."""

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, patience: float
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._patience = patience
        self._watch: asyncio.TimerHandle | None = None
        self._linger = LINGER
        self._closing = False
        self._dropped = 0
        self.more = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, sent: bytes) -> None:
        """What asyncio's does, as long as it is not closed."""
        if not self._closing:
            self._transport.write(sent)

    def is_closing(self) -> bool:
        """Whether nothing is to be written any more."""
        return self._closing or self._transport.is_closing()

    def close(self) -> None:
        """What asyncio's does."""
        if not self.more:
            self.let_go()
        elif not self.is_closing():
            self._closing = True
            self._transport.write_eof()
            self._transport.resume_reading()
            self._loop.call_later(self._linger, self.let_go)

    def drop(self, count: int) -> None:
        """So many more bytes came that nobody wants."""
        self._dropped += count
        if self._dropped > LEFTOVER:
            self._transport.abort()

    def let_go(self) -> None:
        """Close it; what waits to be sent is sent, as long as somebody reads it."""
        self._closing = True
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self.watch()

    def watch(self) -> None:
        """See to it that what waits is read, and end the connection where it is not."""
        if self._watch is None:
            self._watch = self._loop.call_later(self._patience, self._look, self._unread())

    def hurry(self) -> None:
        """Have less patience from now on."""
        self._linger = HASTE
        self._patience = min(self._patience, HURRY)
        if self._watch is not None:
            self.rest()
            self.watch()

    def rest(self) -> None:
        """Watch no longer: what waited has been read, or nobody is there."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _look(self, before: int) -> None:
        self._watch = None
        if not self._transport.get_write_buffer_size():
            return
        if before - self._unread() < SLOWEST * self._patience:
            self._transport.abort()
        else:
            self.watch()

    def _unread(self) -> int:
        """Bytes that wait here and in the kernel. It lets us go on only when much has gone."""
        waiting = self._transport.get_write_buffer_size()
        end = self._transport.get_extra_info("socket")
        try:
            kept = fcntl.ioctl(end.fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
        except (OSError, AttributeError):  # it is closed
            return waiting
        count: int = struct.unpack("i", kept)[0]
        return waiting + count
