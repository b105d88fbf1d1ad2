"""What the machine has, what is held of it and what is free, as vectors of whole numbers.

The first place of a vector counts machines-to-oneself: every run takes 1 of `ALONE`, an exclusive
one all of it, so "alone on the machine" is the same arithmetic as everything else. Then come cpus,
memory (bytes), gpus (hundredths) and the site's own countables in the order of their names. As
long as anything live asks for a part of a card or for certain cards, or holds a part of one, what
is free of each card stands behind them, and what is held, now or later, names its cards; otherwise
cards are only counted.

Cards that are `closed` are not there for who starts anything: nothing of them is free, nor held by
those who hold them all the same. Of cards that strangers hold some of (`burdens`) no more is shared
than they leave, and whole ones are given last.

A run that is suspended holds none of the first two: its cpus are free, and it is in nobody's way,
nor anybody in its. Memory, gpus and the rest stay held.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache, partial
from operator import add, le, sub
from typing import Final

from msgspec.structs import replace

from hpcshell.core.records import WHOLE, Claim, Request, Resources, Share
from hpcshell.policy.cards import Kind, kinds
from hpcshell.policy.host import Given, Host, first_given, plain_host

Vector = tuple[int, ...]
Place = Callable[[Vector], Vector | None]
"""What is free -> what a request takes of it; None: it does not fit."""

ALONE: Final = 1 << 40
COUNTED: Final = ("cpus", "memory", "gpus")
"""What every machine has some of, or none."""


def fits(need: Vector | None, free: Vector) -> bool:
    """Whether `need` is within `free` in every place; None (a resource we do not have) never is.
    Of what is held beyond what there is, nothing is free: that is enough for who asks for none."""
    if need is None:
        return False
    if all(map(le, need, free)):
        return True
    return min(free) < 0 and all(n <= f or not n for n, f in zip(need, free, strict=False))


def plus(left: Vector, right: Vector) -> Vector:
    return tuple(map(add, left, right))


def minus(left: Vector, right: Vector) -> Vector:
    return tuple(map(sub, left, right))


class Room:
    """The machine's countable things. `free` may be negative in a place after the machine
    shrank. `held`: what each run holds. `host`: how its cards and cpus are joined, where that is
    known. `by_card`: cards count one by one (`_cards` of them); `closed`: those that take no new
    work, and why; `burdens`: hundredths of cards that strangers hold; `reshaped` is called when
    these, and so all vectors, have changed."""

    __slots__ = (
        "_cards",
        "_sharing",
        "burdens",
        "by_card",
        "claims",
        "closed",
        "free",
        "gpus",
        "held",
        "host",
        "names",
        "reshaped",
        "size",
        "total",
    )

    several = False
    """Whether it is nodes, of each of which something is free."""

    def __init__(self, total: Resources, host: Host | None = None) -> None:
        self.claims: dict[int, Claim] = {}
        self.held: dict[int, Vector] = {}
        self._sharing = 0
        self.by_card = False
        self.closed: dict[int, str] = {}
        self.burdens: dict[int, int] = {}
        self.reshaped: Callable[[], None] = lambda: None
        self.host = host
        self.set_total(total)

    def set_total(self, total: Resources) -> None:
        """The machine has changed; what is held stays held."""
        self.total = total
        self.names = tuple(sorted(total.others))
        self._cards = total.gpus if self.by_card else 0
        self.size: Vector = self._whole()
        self.free: Vector = self.size
        held_gpus = {gpu for claim in self.claims.values() for gpu in claim.gpus}
        self.gpus = [gpu for gpu in _open(self.total, self.closed) if gpu not in held_gpus]
        for run, claim in self.claims.items():
            self.held[run] = self._vector(claim)
            self.free = minus(self.free, self.held[run])

    def close(self, cards: dict[int, str], burdens: dict[int, int]) -> None:
        """These cards take no new work, each for its reason, and all others do; and so much of
        cards is held by strangers."""
        same = cards.keys() == self.closed.keys() and burdens == self.burdens
        self.closed, self.burdens = dict(cards), dict(burdens)
        if not same:
            self.by_card = self._sharing > 0 or bool(burdens)
            self.set_total(self.total)
            self.reshaped()

    def share(self, by: int) -> None:
        """So many more of all that lives ask for a part of a card or for certain cards, or hold a
        part of one."""
        self._sharing += by
        if self.by_card != (self._sharing > 0 or bool(self.burdens)):
            self.by_card = not self.by_card
            self.set_total(self.total)
            self.reshaped()

    def need(self, request: Request) -> Vector | None:
        """What `request` takes; None when it names a resource that this machine does not have."""
        if any(count and name not in self.total.others for name, count in request.others.items()):
            return None
        others = in_order(request.others, self.names)
        if request.exclusive:
            all_of_it = self.held_by(request)
            counts = (all_of_it.cpus, all_of_it.memory, all_of_it.gpu_hundredths)
            return (ALONE, *counts, *others, *_each_open(self._cards, self.closed))
        gpus = request.gpu_hundredths
        return (1, request.cpus, request.memory, gpus, *others, *(0,) * (not gpus and self._cards))

    def place(self, request: Request) -> Place | None:
        """Chooses what `request` takes, where there is a choice; None: it takes its need. Where
        there is one, the need is what it takes in all, and what is chosen is a longer vector."""
        if not self._cards or request.exclusive or not request.gpu_hundredths:
            return None
        node = _known(self.host, self.total.gpus).node
        return partial(_with_cards, self, request, kinds(request, node))

    def each_card(self, vector: Vector) -> Vector:
        """What a vector has of each card; nothing, where they are only counted."""
        return vector[4 + len(self.names) :]

    def part(self, request: Request) -> Vector | None:
        """What `request` takes of the machine while nobody is on it; None: there is no such."""
        place = self.place(request)
        return self.need(request) if place is None else place(self.size)

    def given(self, need: Vector, gpus: list[int], cores: tuple[int, ...] = ()) -> Given:
        """Which of the free `gpus`, and which cpus but for `cores`, who takes `need` is given."""
        if self.host is None and not self._cards:
            return first_given(gpus, need[3] // WHOLE)
        running = (claim for claim in self.claims.values() if claim.suspended is None)
        held = {core for claim in running for core in claim.cores}.union(cores)
        if self._cards:
            return _known(self.host, self._cards).name(self.each_card(need), held, need[1])
        return _known(self.host, 0).give(gpus, held, need[1], need[3] // WHOLE)

    def held_by(self, request: Request) -> Request:
        """What a run of `request` holds, as a request: one alone on the machine holds all of it
        that is open."""
        if not request.exclusive:
            return request
        total = self.total
        if self.closed:
            total = replace(total, gpus=len(_open(total, self.closed)))
        most = {name: max(getattr(total, name), getattr(request, name)) for name in COUNTED}
        return replace(request, gpu_share=0, **most)

    def hold(self, claim: Claim) -> None:
        """Take what `claim` says out of what is free."""
        if claim.shared:
            self.share(1)
        vector = self._vector(claim)
        self.claims[claim.run] = claim
        self.held[claim.run] = vector
        self.free = minus(self.free, vector)
        for gpu in claim.gpus:
            if gpu in self.gpus:
                self.gpus.remove(gpu)

    def let_go(self, run: int) -> Claim | None:
        """Give back what the run held; None when it held nothing."""
        claim = self.claims.pop(run, None)
        if claim is None:
            return None
        self.free = plus(self.free, self.held.pop(run))
        for gpu in claim.gpus:
            if gpu < self.total.gpus and gpu not in self.closed:
                insort(self.gpus, gpu)
        if claim.shared:
            self.share(-1)
        return claim

    def change(self, claim: Claim) -> None:
        """A run holds something else from now on, on the same gpus."""
        vector = self._vector(claim)
        self.claims[claim.run] = claim
        self.free = plus(self.free, minus(self.held[claim.run], vector))
        self.held[claim.run] = vector

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
        return minus(self.held[run], self._vector(replace(self.claims[run], suspended=0.0)))

    def to_go_on(self, run: int) -> Vector:
        """What a suspended run takes besides what it holds when it goes on; nothing, if it runs."""
        claim = self.claims[run]
        return minus(self._vector(replace(claim, suspended=None)), self.held[run])

    def resources(self, vector: Vector) -> Resources:
        """A vector in words; nothing below zero."""
        cpus, memory, gpus, *others = (max(0, count) for count in vector[1 : 4 + len(self.names)])
        return Resources(
            cpus=cpus,
            memory=memory,
            gpus=gpus // WHOLE,
            gpu_share=gpus % WHOLE,
            others=dict(zip(self.names, others, strict=True)),
        )

    def _whole(self) -> Vector:
        total = self.total
        others = in_order(total.others, self.names)
        gpus = len(_open(total, self.closed)) * WHOLE
        cards = _each_open(self._cards, self.closed)
        return (ALONE, total.cpus, total.memory, gpus, *others, *cards)

    def _vector(self, claim: Claim) -> Vector:
        others = in_order(claim.others, self.names)
        alone, cpus = (ALONE if claim.exclusive else 1), claim.cpus
        if claim.suspended is not None:
            alone = cpus = 0
        gpus = len(claim.gpus) * WHOLE
        if claim.shared:
            gpus += sum(share for _, share in claim.shared)
        if not self._cards and not self.closed:
            return (alone, cpus, claim.memory, gpus, *others)
        taken = {card: held for card, held in cards_held(claim).items() if card not in self.closed}
        gpus = sum(taken.values())
        columns = (taken.get(card, 0) for card in range(self._cards))
        return (alone, cpus, claim.memory, gpus, *others, *columns)


def _with_cards(
    room: Room, request: Request, those: tuple[Kind, ...], free: Vector
) -> Vector | None:
    """What a request takes, of the first of those kinds of cards that there is enough of."""
    each = room.each_card(free)
    ways = [each]
    if room.burdens:
        ways = [_unburdened(each, room.burdens)]
        if not request.gpu_share:
            ways.append(each)
    for left in ways:
        taken = _taken(room, request, those, left)
        need = None if taken is None else room.need(request)
        if taken is not None and need is not None:
            return (*need[:3], sum(taken), *need[4:], *taken)
    return None


def _unburdened(each: Vector, burdens: dict[int, int]) -> Vector:
    """What strangers leave of each card."""
    return tuple(left - burdens.get(card, 0) for card, left in enumerate(each))


def _taken(
    room: Room, request: Request, those: tuple[Kind, ...], each: Vector
) -> tuple[int, ...] | None:
    """How much of each card, of which so much is free."""
    most = _most(each)
    for kind in those:
        if not _enough(most, kind.wanted):
            continue
        mine = each
        if len(kind.cards) < len(each):
            mine = tuple(left if card in kind.cards else 0 for card, left in enumerate(each))
        taken = _known(room.host, len(each)).take(mine, request.cpus, kind.wanted)
        if taken is not None:
            return taken
    return None


@lru_cache(maxsize=256)
def _most(each: Vector) -> tuple[int, int]:
    """How many cards are wholly free, and the most that is free of any other."""
    return each.count(WHOLE), max((left for left in each if left < WHOLE), default=0)


def _enough(most: tuple[int, int], wanted: int) -> bool:
    """Whether there may be so much, on cards of which `most` is free: which of them will do is
    looked at only then."""
    whole, part = most
    count, share = divmod(wanted, WHOLE)
    return count < whole or (count == whole and share <= part)


def _open(total: Resources, closed: Collection[int]) -> list[int]:
    """The numbers of the cards that take new work."""
    return [card for card in range(total.gpus) if card not in closed]


def _each_open(cards: int, closed: Collection[int]) -> Vector:
    """All of each card, where they count one by one; nothing of those that are closed."""
    return tuple(WHOLE * (card not in closed) for card in range(cards))


def _known(host: Host | None, cards: int) -> Host:
    """The host; where it is not known of so many cards how they are joined, they are all alike."""
    if host is None or len(host.node.gpus) < cards:
        return plain_host(cards)
    return host


def in_order(others: dict[str, int], names: Sequence[str]) -> list[int]:
    """How many of each of these."""
    return [others.get(name, 0) for name in names]


def cards_held(one: Claim | Share) -> dict[int, int]:
    """How many hundredths of each card."""
    return dict.fromkeys(one.gpus, WHOLE) | dict(one.shared)


def resumed(claim: Claim, now: float) -> Claim:
    """The claim of a run that goes on: its end moves by as long as it stood still."""
    if claim.suspended is None:
        return claim
    still = max(0.0, now - claim.suspended)
    end = None if claim.end is None else claim.end + still
    return replace(claim, suspended=None, paused=claim.paused + still, end=end)
