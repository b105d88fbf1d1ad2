"""What the value of an option may depend on beyond its text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hpcshell.core.instants import Offset
from hpcshell.core.records import Record


class Place(Record, frozen=True, kw_only=True):
    """Where a submission is made: the clock, the zone, the caller's directory and environment.

    `site` is the dialect of the cluster that options are read for; "": this one machine. `home` is
    what `~` stands for there, where it is another machine.
    """

    now: float
    offset: Offset
    cwd: str
    env: Mapping[str, str]
    umask: int = 0o022
    site: str = ""
    home: str = ""


Reader = Callable[[str, str, Place], Any]
"""(text, origin, place) -> the value."""
