"""Where the last lines of a file begin."""

from __future__ import annotations

import os
from typing import BinaryIO, Final

_CHUNK: Final = 1 << 16


def start_of_last(file: BinaryIO, lines: int, within: int | None = None) -> int:
    """Where the last `lines` lines begin, read from the end: a log may be huge. Those that begin
    before the last `within` bytes are not looked for: it is there then."""
    at = size = file.seek(0, os.SEEK_END)
    if lines == 0:
        return size
    first = 0 if within is None else max(0, size - within)
    seen = 0 if _ends_open(file, size) else -1
    while at > first:
        step = min(at - first, _CHUNK)
        at -= step
        file.seek(at)
        chunk = file.read(step)
        place = len(chunk)
        while (place := chunk.rfind(b"\n", 0, place)) >= 0:
            seen += 1
            if seen == lines:
                return at + place + 1
    return first


def _ends_open(file: BinaryIO, size: int) -> bool:
    """Whether the last line has no newline (yet)."""
    if size == 0:
        return False
    file.seek(size - 1)
    return file.read(1) != b"\n"
