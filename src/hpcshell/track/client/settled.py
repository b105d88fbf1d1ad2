"""Spool files that will not grow any more: once they have been taken in they can go."""

from __future__ import annotations

import contextlib
import os
from typing import Final

SETTLED: Final = 7 * 86400.0
"""Seconds after which a file that has no end is taken for one that will not grow."""
_LINE: Final = 4096
"""Bytes within which the last line is looked for."""
_SENT: Final = b'{"k":"run","to":"'
"""How the first line begins then; see `start`."""


def is_settled(file: int, now: float) -> bool:
    """Whether the run of an open file has ended, or has said nothing for a week. Raises
    `OSError`."""
    found = os.fstat(file)
    last = os.pread(file, _LINE, max(0, found.st_size - _LINE)).splitlines()[-1:]
    return b'"k":"end"' in b"".join(last) or now - found.st_mtime >= SETTLED


def is_sent(file: int) -> bool:
    """Whether whoever writes the file sends it to a server that was named. Raises `OSError`."""
    return os.pread(file, len(_SENT), 0) == _SENT


def remove_settled(path: str, now: float) -> bool:
    """Remove a file that has been taken in, if it will not grow any more; whether it was."""
    with contextlib.suppress(OSError), open(path, "rb", buffering=0) as file:
        if is_settled(file.fileno(), now):
            os.unlink(path)
            return True
    return False
