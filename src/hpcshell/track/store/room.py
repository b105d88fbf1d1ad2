"""Whether the disk of a database has room."""

from __future__ import annotations

import os
from typing import Final

from hpcshell.core.units import format_size
from hpcshell.core.words import safe
from hpcshell.track.store.trouble import Full

FLOOR: Final = 16 << 20
"""Bytes free: with fewer SQLite cannot be expected to go on."""


def check_room(file: str) -> None:
    """Raises `Full`."""
    directory = os.path.dirname(os.path.abspath(file))
    disk = os.statvfs(directory)
    free = disk.f_bavail * disk.f_frsize
    if free < FLOOR:
        raise Full(
            f"the disk of the tracker's database has {format_size(free)} left",
            f"make room in {safe(directory)}: less than {format_size(FLOOR)} is too little",
        )
