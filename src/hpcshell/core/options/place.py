"""What the value of an option may depend on beyond its text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hpcshell.core.instants import Offset
from hpcshell.core.records import ModelAsk, Record


class Sized(Record, frozen=True, kw_only=True):
    """What a model needs of GPUs: hundredths of them (`gpus`), and bytes of each that it uses
    (`gpu_mem`, 0: not known, or not for us to say); no hundredths: the part of one that these are.

    `ask` has all of it filled in; `told` is the arithmetic in a sentence, `lines` all of it.
    """

    ask: ModelAsk
    gpus: int = 0
    gpu_mem: int = 0
    told: str = ""
    lines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


Sizer = Callable[[ModelAsk, bool], Sized]
"""(what is said of a model, whether only whole GPUs can be had) -> what it needs."""


class Place(Record, frozen=True, kw_only=True):
    """Where a submission is made: the clock, the zone, the caller's directory and environment.

    `site` is the dialect of the cluster that options are read for; "": this one machine. `home` is
    what `~` stands for there, where it is another machine. `sizer` knows what models need; without
    it, what is said of one is kept, and nothing follows from it.
    """

    now: float
    offset: Offset
    cwd: str
    env: Mapping[str, str]
    umask: int = 0o022
    site: str = ""
    home: str = ""
    sizer: Sizer | None = None


Reader = Callable[[str, str, Place], Any]
"""(text, origin, place) -> the value."""
