"""The terminal of a job, and the text of its output file as it was before that terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import termios
from typing import Final

CHUNK: Final = 1 << 16
READS: Final = 32
"""How often it is read at a time: the kernel gives a page at most."""
PATIENCE: Final = 1 << 16
"""Bytes typed ahead that are kept for a job which does not read."""
ROWS, COLUMNS = 24, 80
"""Its size until somebody looks."""
_OUTPUT: Final = 1


class Terminal:
    """Our end of a pseudo-terminal; the job has the other, called `name`.

    We hold that one, too: a job may close it, and open it again to ask something.
    """

    def __init__(self) -> None:
        self.descriptor, self._other = os.openpty()
        self.name = os.ttyname(self._other)
        self._typed = b""
        self.resize(ROWS, COLUMNS)
        os.set_blocking(self.descriptor, False)

    def resize(self, rows: int, columns: int) -> None:
        """The job is told by WINCH."""
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self) -> bytes:
        """What the job has printed; b"" when that is all there is now (the kernel sees to it that
        nothing written before is on its way still)."""
        found: list[bytes] = []
        with contextlib.suppress(BlockingIOError):
            for _ in range(READS):
                found.append(os.read(self.descriptor, CHUNK))
        return b"".join(found)

    @property
    def adds_returns(self) -> bool:
        """Whether it puts a carriage return before each newline, as a job that has set it to raw
        does not want."""
        mode = termios.tcgetattr(self.descriptor)[_OUTPUT]
        return bool(mode & termios.OPOST and mode & termios.ONLCR)

    @property
    def wants_write(self) -> bool:
        return bool(self._typed)

    def type(self, text: bytes = b"") -> None:
        """Hand over what was typed, as much as it takes now."""
        self._typed = (self._typed + text)[:PATIENCE]
        try:
            self._typed = self._typed[os.write(self.descriptor, self._typed) :]
        except BlockingIOError:
            return


class Returns:
    """Takes out the carriage returns that a terminal has put before newlines."""

    def __init__(self) -> None:
        self._held = b""

    def without(self, text: bytes, added: bool) -> bytes:
        """The text as it was printed; a return at its end is kept until it is known what follows.

        `added`: whether the terminal added any. It adds one to every newline, so exactly one is
        taken from each, and what the job itself wrote stays.
        """
        text, self._held = self._held + text, b""
        if not added:
            return text
        if text.endswith(b"\r"):
            text, self._held = text[:-1], b"\r"
        return text.replace(b"\r\n", b"\n")

    def rest(self) -> bytes:
        """What is still kept, at the end."""
        held, self._held = self._held, b""
        return held
