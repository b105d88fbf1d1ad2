"""Folders of sweeps that nobody needs any more, and how they are taken away."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from hpcshell.core.errors import HpcError, Refused
from hpcshell.core.records import Record
from hpcshell.core.units import DAY
from hpcshell.machine import clock
from hpcshell.sweeps import disk, folder
from hpcshell.sweeps.face import Sweep, listed
from hpcshell.sweeps.snapshots import SNAPSHOTS
from hpcshell.sweeps.standing import GOOD

_GONE: Final = ".gone-"
"""What the folder of a sweep is called while it is deleted."""


class Removable(Record, frozen=True, kw_only=True):
    """A sweep with the bytes of its folder. `why`: why it stays; "": it may go."""

    sweep: Sweep
    size: int
    why: str = ""

    @property
    def id(self) -> str:
        return self.sweep.id


def removable(sweeps: Iterable[Sweep], *, before: float, keep_incomplete: bool) -> list[Removable]:
    """Each of them, and whether it may go: nothing of it is live, and nothing has happened since
    `before`."""
    return [
        Removable(sweep=sweep, size=_size(sweep), why=_why(sweep, before, keep_incomplete))
        for sweep in sweeps
    ]


def _why(sweep: Sweep, before: float, keep_incomplete: bool) -> str:
    if os.path.islink(sweep.folder.path):
        return "its folder is a link, and what that leads to may be needed elsewhere"
    try:
        status = sweep.status()
    except HpcError as error:
        return error.message
    if status["live"]:
        return "something of it waits or runs: hpc sweep cancel ends it"
    last = max(status["created"], status["last_end"] or 0.0)
    if last > before:
        return f"something has happened in it within {(clock.now() - before) / DAY:g} days"
    done = sum(status["counts"].get(state, 0) for state in GOOD)
    if keep_incomplete and done < status["points"]:
        return "not all of its points have completed"
    return ""


def _size(sweep: Sweep) -> int:
    """Bytes of the files in its folder."""
    total = 0
    for where, _, names in os.walk(sweep.folder.path):
        for name in names:
            with suppress(OSError):
                total += os.lstat(f"{where}/{name}").st_size
    return total


def remove(chosen: Removable) -> None:
    """Take the folder away, and the copy of the project that only it used. Raises `Refused` where
    somebody has submitted points of it meanwhile."""
    sweep = chosen.sweep
    path, project = sweep.folder.path, sweep.manifest.project
    with sweep.folder.lock():
        if sweep.status()["live"]:
            raise Refused(f"something of sweep {sweep.id} waits or runs", "hpc sweep cancel")
        codes = _codes(sweep)
        gone = f"{os.path.dirname(path)}/{_GONE}{sweep.id}-{os.getpid()}"
        try:
            os.rename(path, gone)  # nobody ever sees half of it
            shutil.rmtree(gone)
        except OSError as error:
            raise disk.trouble(error.filename or path, error, "deleted") from None
    others, damaged = listed(project)
    if damaged:
        return  # nobody knows what they run in
    used = {code for other in others for code in _codes(other)}
    for code in codes - used:
        shutil.rmtree(f"{project}/{SNAPSHOTS}/{code}", ignore_errors=True)


def finish(project: str) -> None:
    """Delete what is left of sweeps whose deletion was broken off."""
    root = folder.outputs(project)
    with suppress(OSError), os.scandir(root) as entries:
        for one in entries:
            if one.name.startswith(_GONE) and one.is_dir(follow_symlinks=False):
                shutil.rmtree(one.path, ignore_errors=True)


def _codes(sweep: Sweep) -> set[str]:
    """The copies of the project that its points run in."""
    intents = sweep.folder.ledger().intents.values()
    return {code for code in (sweep.manifest.code, *(one.code for one in intents)) if code}
