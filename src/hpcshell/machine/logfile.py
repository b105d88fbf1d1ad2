"""A log of JSON lines that never grows beyond its bounds and never stops its writer."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from hpcshell.machine import clock

LEVELS: Final = ("debug", "info", "warning", "error")
_encoder = msgspec.json.Encoder(enc_hook=str)


class LogFile:
    """At most `files` files of about `size` bytes: `name`, `name.1` (the newest before it),
    `name.2`, ...

    A line that cannot be written (disk full, directory gone) is dropped and counted; the count goes
    with the next line that can be.
    """

    def __init__(
        self, path: str | Path, size: int = 10 * 1024 * 1024, files: int = 5, least: str = "debug"
    ) -> None:
        self.path = Path(path)
        self.least = LEVELS.index(least)
        self.size = max(1, size)
        self.files = max(1, files)
        self.dropped = 0
        self.trouble = ""
        """Why the last line could not be written; "" if it was."""
        self._descriptor = -1
        self._written = 0
        self._torn = False

    def write(self, level: str, message: str, /, **fields: Any) -> None:
        """Add a line: `time` (ISO, UTC), `level`, `message`, and the fields given.

        Levels below `least` are not written.
        """
        now = datetime.fromtimestamp(clock.now(), UTC).isoformat(timespec="milliseconds")
        line = {"time": now, "level": level, "message": message, **fields}
        if self.dropped:
            line["dropped"] = self.dropped
        self.put(level, _encode(line))

    def put(self, level: str, line: bytes) -> None:
        """Add a line that is written already, its end included."""
        if LEVELS.index(level) < self.least:
            return
        try:
            self._append(line)
        except OSError as error:
            self.dropped += 1
            self.trouble = error.strerror or str(error)
            self.close()
        else:
            self.dropped = 0
            self.trouble = ""

    def open(self) -> None:
        """Open the file before there is a line. Raises `OSError`."""
        if self._descriptor < 0:
            self._open()

    def close(self) -> None:
        """Let go of the file; the next line opens it again."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
        self._descriptor = -1

    def _append(self, line: bytes) -> None:
        if self._descriptor >= 0 and self._written + len(line) > self.size and self._written:
            self._rotate()
        if self._descriptor < 0:
            self._open()
        text = b"\n" + line if self._torn else line
        done = os.write(self._descriptor, text)
        self._written += done
        self._torn = done != len(text)
        if self._torn:
            raise OSError("short write")

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self.path, flags, 0o600)
        self._written = os.fstat(self._descriptor).st_size

    def _rotate(self) -> None:
        self.close()
        names = [self.path, *(Path(f"{self.path}.{each}") for each in range(1, self.files))]
        if len(names) == 1:
            os.truncate(self.path, 0)
        for older, newer in zip(reversed(names), reversed(names[:-1]), strict=False):
            with contextlib.suppress(FileNotFoundError):
                os.replace(newer, older)


def _encode(line: dict[str, Any]) -> bytes:
    try:
        return _encoder.encode(line) + b"\n"
    except (TypeError, UnicodeEncodeError):
        # Lone surrogates (names that are not UTF-8) cannot be said in JSON: show them escaped.
        return _encoder.encode({key: ascii(value) for key, value in line.items()}) + b"\n"
