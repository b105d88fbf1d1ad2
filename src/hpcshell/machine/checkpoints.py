"""When a run last wrote a checkpoint: it touches a file of its own, and the time is what counts.

The file's name is the run's id. A run gets its path as HPC_CHECKPOINT_FILE; nobody makes it but the
run, and its content is not looked at.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection

from hpcshell.machine import clock


def path_of(directory: str, run: int) -> str:
    """What the run is to touch."""
    return f"{directory}/{run}"


def last_checkpoint(directory: str, run: int) -> float | None:
    """When the run last said that it had written one; None: it never has. Never in the future."""
    try:
        return min(os.stat(path_of(directory, run)).st_mtime, clock.now())
    except OSError:
        return None


def last_checkpoints(directory: str) -> dict[int, float]:
    """The same of all runs that ever have written one."""
    found: dict[int, float] = {}
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.isdecimal() and (time := last_checkpoint(directory, int(entry.name))):
                found[int(entry.name)] = time
    return found


def move(directory: str, by: float) -> None:
    """The clock was set forward by so much: what was written before then keeps its age."""
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                moved = entry.stat().st_mtime + by
                if entry.name.isdecimal() and moved <= clock.now():
                    os.utime(entry.path, (moved, moved))


def tidy(directory: str, alive: Collection[int]) -> None:
    """Remove what runs left behind that are over."""
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            if not (name.isdigit() and int(name) in alive):
                with contextlib.suppress(OSError):
                    os.unlink(f"{directory}/{name}")
