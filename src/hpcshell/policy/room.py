"""What the machine has, what is held of it and what is free, as vectors of whole numbers.

The first place of a vector counts machines-to-oneself: every run takes 1 of `ALONE`, an exclusive
one all of it, so "alone on the machine" is the same arithmetic as everything else. Then come cpus,
memory (bytes), gpus and the site's own countables in the order of their names.

A run that is suspended holds none of the first two: its cpus are free, and it is in nobody's way,
nor anybody in its. Memory, gpus and the rest stay held.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from operator import add, le, sub
from typing import Final

from msgspec.structs import replace

from hpcshell.core.records import Claim, Request, Resources
from hpcshell.policy.host import Given, Host, first_given

Vector = tuple[int, ...]
Place = Callable[[Vector], Vector | None]
"""What is free -> what a request takes of it; None: it does not fit."""

ALONE: Final = 1 << 40
COUNTED: Final = ("cpus", "memory", "gpus")
"""What every machine has some of, or none."""


def fits(need: Vector | None, free: Vector) -> bool:
    """Whether `need` is within `free` in every place; None (a resource we do not have) never is."""
    return need is not None and all(map(le, need, free))


def plus(left: Vector, right: Vector) -> Vector:
    return tuple(map(add, left, right))


def minus(left: Vector, right: Vector) -> Vector:
    return tuple(map(sub, left, right))


class Room:
    """The machine's countable things. `free` may be negative in a place after the machine
    shrank. `host`: how its cards and cpus are joined, where that is known."""

    __slots__ = ("_held", "claims", "free", "gpus", "host", "names", "size", "total")

    def __init__(self, total: Resources, host: Host | None = None) -> None:
        self.claims: dict[int, Claim] = {}
        self._held: dict[int, Vector] = {}
        self.host = host
        self.set_total(total)

    def set_total(self, total: Resources) -> None:
        """The machine has changed; what is held stays held."""
        self.total = total
        self.names = tuple(sorted(total.others))
        self.size: Vector = self._whole()
        self.free: Vector = self.size
        held_gpus = {gpu for claim in self.claims.values() for gpu in claim.gpus}
        self.gpus = [gpu for gpu in range(total.gpus) if gpu not in held_gpus]
        for run, claim in self.claims.items():
            self._held[run] = self._vector(claim)
            self.free = minus(self.free, self._held[run])

    def need(self, request: Request) -> Vector | None:
        """What `request` takes; None when it names a resource that this machine does not have."""
        if any(count and name not in self.total.others for name, count in request.others.items()):
            return None
        others = (request.others.get(name, 0) for name in self.names)
        if request.exclusive:
            all_of_it = self.held_by(request)
            return (ALONE, all_of_it.cpus, all_of_it.memory, all_of_it.gpus, *others)
        return (1, request.cpus, request.memory, request.gpus, *others)

    def place(self, request: Request) -> Place | None:
        """Chooses what `request` takes, where there is a choice; None: it takes its need. Where
        there is one, the need is what it takes in all, and what is chosen is a longer vector."""
        return None

    def part(self, request: Request) -> Vector | None:
        """What `request` takes of the machine while nobody is on it; None: there is no such."""
        return self.need(request)

    def within(self, need: Vector, request: Request) -> Vector:
        """What `request` takes of `need`, which is of all that start together."""
        mine = self.need(request)
        assert mine is not None, "what starts asks for what there is"
        return mine

    def given(self, need: Vector, gpus: list[int], cores: tuple[int, ...] = ()) -> Given:
        """Which of the free `gpus`, and which cpus but for `cores`, who takes `need` is given."""
        if self.host is None:
            return first_given(gpus, need[3])
        running = (claim for claim in self.claims.values() if claim.suspended is None)
        held = {core for claim in running for core in claim.cores}
        return self.host.give(gpus, held.union(cores), need[1], need[3])

    def held_by(self, request: Request) -> Request:
        """What a run of `request` holds, as a request: one alone on the machine holds all of it."""
        if not request.exclusive:
            return request
        most = {name: max(getattr(self.total, name), getattr(request, name)) for name in COUNTED}
        return replace(request, **most)

    def hold(self, claim: Claim) -> None:
        """Take what `claim` says out of what is free."""
        vector = self._vector(claim)
        self.claims[claim.run] = claim
        self._held[claim.run] = vector
        self.free = minus(self.free, vector)
        for gpu in claim.gpus:
            if gpu in self.gpus:
                self.gpus.remove(gpu)

    def let_go(self, run: int) -> Claim | None:
        """Give back what the run held; None when it held nothing."""
        claim = self.claims.pop(run, None)
        if claim is None:
            return None
        self.free = plus(self.free, self._held.pop(run))
        for gpu in claim.gpus:
            if gpu < self.total.gpus:
                insort(self.gpus, gpu)
        return claim

    def change(self, claim: Claim) -> None:
        """A run holds something else from now on, on the same gpus."""
        vector = self._vector(claim)
        self.claims[claim.run] = claim
        self.free = plus(self.free, minus(self._held[claim.run], vector))
        self._held[claim.run] = vector

    def suspend(self, run: int, now: float) -> Claim:
        """Give back the cpus of a run that stands still; what it holds now."""
        self.change(replace(self.claims[run], suspended=now))
        return self.claims[run]

    def resume(self, run: int, now: float) -> Claim:
        """Undo `suspend`: it may run on for as long as it might have then. What it holds now."""
        self.change(resumed(self.claims[run], now))
        return self.claims[run]

    def to_give(self, run: int) -> Vector:
        """What a run would give back if it were suspended."""
        return minus(self._held[run], self._vector(replace(self.claims[run], suspended=0.0)))

    def to_go_on(self, run: int) -> Vector:
        """What a suspended run takes besides what it holds when it goes on; nothing, if it runs."""
        claim = self.claims[run]
        return minus(self._vector(replace(claim, suspended=None)), self._held[run])

    def held(self, run: int) -> Vector:
        """The vector of what a run holds."""
        return self._held[run]

    def resources(self, vector: Vector) -> Resources:
        """A vector in words; nothing below zero."""
        cpus, memory, gpus, *others = (max(0, count) for count in vector[1 : 4 + len(self.names)])
        return Resources(
            cpus=cpus,
            memory=memory,
            gpus=gpus,
            others=dict(zip(self.names, others, strict=True)),
        )

    def _whole(self) -> Vector:
        total = self.total
        others = (total.others[name] for name in self.names)
        return (ALONE, total.cpus, total.memory, total.gpus, *others)

    def _vector(self, claim: Claim) -> Vector:
        others = (claim.others.get(name, 0) for name in self.names)
        alone, cpus = (ALONE if claim.exclusive else 1), claim.cpus
        if claim.suspended is not None:
            alone = cpus = 0
        return (alone, cpus, claim.memory, len(claim.gpus), *others)


def resumed(claim: Claim, now: float) -> Claim:
    """The claim of a run that goes on: its end moves by as long as it stood still."""
    if claim.suspended is None:
        return claim
    still = max(0.0, now - claim.suspended)
    end = None if claim.end is None else claim.end + still
    return replace(claim, suspended=None, paused=claim.paused + still, end=end)
