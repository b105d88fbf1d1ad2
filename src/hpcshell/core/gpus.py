"""The cards of a machine, as its drivers tell of them.

Units inside: bytes, degrees Celsius, watts; loads are parts of one. None: the card (or its driver)
does not tell.
"""

from __future__ import annotations

import re
from functools import lru_cache

from hpcshell.core.records import Record


class Card(Record, frozen=True, kw_only=True):
    """A card that work can be given to; a MIG slice is one of its own, `parent` the uuid of what it
    is a slice of.

    Cards are numbered from 0 by their place in a `Survey`: in the order of the PCI bus, slices
    where their card is. `uuid` is "" where it has none. `alone`: its compute mode lets one process
    in at a time, so that it is never shared; `closed`: it lets none in.
    """

    uuid: str = ""
    model: str = ""
    memory: int = 0
    bus: str = ""
    parent: str = ""
    alone: bool = False
    closed: bool = False


class Tenant(Record, frozen=True, kw_only=True):
    """A process on a card. `run`: which run of this scheduler's it is of, 0 for a stranger.
    `since`: the Unix time it was started at; `user` "" and no `since`: there is no such process
    (any more), or it is in another PID namespace, and its memory is held all the same."""

    pid: int
    memory: int | None = None
    user: str = ""
    command: str = ""
    since: float | None = None
    run: int = 0


class Reading(Record, frozen=True, kw_only=True):
    """What one card tells at a time. `trouble`: why it told nothing (`lost: ...`), else "".
    `ecc`: uncorrected memory errors since the driver was loaded; `xid`: the number of the last
    error that the driver reported of it, 0 for none."""

    uuid: str = ""
    trouble: str = ""
    load: float | None = None
    memory: int | None = None
    temperature: float | None = None
    power: float | None = None
    power_limit: float | None = None
    ecc: int | None = None
    xid: int = 0
    tenants: tuple[Tenant, ...] = ()


class Survey(Record, frozen=True, kw_only=True):
    """All cards at one time. `readings` are in the order of `cards`; `links`: the groups of cards
    joined by NVLink (or its like), by number; `domains`: the NUMA domain of each, -1 where that is
    not known. `trouble`: why there are none, or why this may not be all. `mps`: the pipe directory
    of a CUDA MPS daemon that answers, "" where there is none."""

    provider: str
    time: float
    driver: str = ""
    cards: tuple[Card, ...] = ()
    readings: tuple[Reading, ...] = ()
    links: tuple[tuple[int, ...], ...] = ()
    domains: tuple[int, ...] = ()
    mps: str = ""
    trouble: str = ""


@lru_cache(maxsize=4096)
def is_model(model: str, wanted: str) -> bool:
    """Whether cards of this model are what somebody means who writes `wanted`: some of its words,
    in their order, however they are joined. `a100` means `NVIDIA A100-SXM4-80GB`, and `a10` does
    not; `rtx4090` means `NVIDIA GeForce RTX 4090`. A card of which no model is known may be any."""
    words, asked = _words(model), "".join(_words(wanted))
    if not words or not asked:
        return True
    ends = range(1, len(words) + 1)
    return any("".join(words[at:end]) == asked for end in ends for at in range(end))


def _words(model: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", model.lower())
