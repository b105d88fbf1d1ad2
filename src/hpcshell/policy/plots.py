"""Which nodes, or cards, reservations set apart, where there is a choice.

What was chosen stays, whatever becomes of other reservations: their users may run there already,
and everybody else runs beside it. Only what cannot be had there any more (a node is drained, a card
is closed, the reservation is another) is chosen anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from hpcshell.core.records import WHOLE, Request
from hpcshell.policy.room import ALONE, Room, Vector, minus

if TYPE_CHECKING:
    from hpcshell.policy.reserve import Reservation


class Plots:
    """`chosen`: what each reservation was found to set apart last, by name; `news`: that has
    changed since somebody took note and cleared it."""

    def __init__(self, room: Room) -> None:
        self.chosen: dict[str, Vector] = {}
        self.news = False
        self._room = room

    def amount(self, one: Reservation, known: Mapping[str, Reservation]) -> Vector:
        """What it sets apart beside those that are `known`."""
        if not _matters(self._room):
            return amount_of(one, self._room, self._room.size)
        return self.amounts({**known, one.name: one}.values())[one.name]

    def amounts(self, known: Iterable[Reservation]) -> dict[str, Vector]:
        """What each sets apart, at most what there is; where there is a choice, what it has been
        found to set apart, or else nothing of what others do, those that were made first, first."""
        room, known = self._room, list(known)
        if not _matters(room):
            return {one.name: amount_of(one, room, room.size) for one in known}
        taken: list[tuple[Reservation, Vector]] = []
        for one in known:
            if (kept := self._kept(one, _beside(one, taken, room))) is not None:
                taken.append((one, kept))
        found = {one.name: vector for one, vector in taken}
        for one in known:
            if one.name not in found:
                vector = found[one.name] = amount_of(one, room, _beside(one, taken, room))
                taken.append((one, vector))
        return found

    def settle(self, known: Iterable[Reservation]) -> None:
        """From now on they keep what they are found to set apart, if they can be had there."""
        if not _matters(self._room):
            return
        known = list(known)
        found = self.amounts(known)
        for one in known:
            vector, before = found[one.name], self.chosen.get(one.name, ())
            if before[: len(vector)] == vector:  # cards that are not counted now may be again
                continue
            if _part(one.request, self._room, vector) is not None:
                self.chosen[one.name] = vector
                self.news = True

    def drop(self, name: str) -> None:
        """There is no such reservation any more."""
        self.news = self.chosen.pop(name, None) is not None or self.news

    def follow(self, other: Plots) -> None:
        """Go on where another left off."""
        self.restore(other.chosen)
        self.news = other.news

    def restore(self, chosen: Mapping[str, Vector]) -> None:
        """Take over what was chosen before."""
        self.chosen = dict(chosen)

    def _kept(self, one: Reservation, free: Vector) -> Vector | None:
        """What it sets apart of what was chosen, as far as that is `free`; None: not enough."""
        chosen, room = self.chosen.get(one.name), self._room
        if chosen is None:
            return None
        rest = free[len(chosen) :]
        if room.each_card(chosen):
            rest = (0,) * len(rest)
        need = _part(one.request, room, tuple(map(min, (*chosen, *rest), free)))
        return None if need is None else _within(one, need, room)


def amount_of(one: Reservation, room: Room, free: Vector) -> Vector:
    """What it sets apart of a machine, at most what there is: where it matters what, of what is
    `free` if that suffices."""
    need = _part(one.request, room, free) or _part(one.request, room, room.size) or room.size
    return _within(one, need, room)


def _matters(room: Room) -> bool:
    """Whether it matters what is set apart, and not only how much."""
    return room.several or room.by_card


def _beside(one: Reservation, taken: list[tuple[Reservation, Vector]], room: Room) -> Vector:
    """What those leave while it is there."""
    free = room.size
    for other, vector in taken:
        if other.start < one.end and one.start < other.end:
            free = minus(free, (0, *vector[1:]))
    return free


def _within(one: Reservation, need: Vector, room: Room) -> Vector:
    """That, of what there is."""
    return (ALONE if one.request.exclusive else 1, *map(min, need[1:], room.size[1:]))


def _part(request: Request, room: Room, free: Vector) -> Vector | None:
    """Of the cards of one machine the last ones: nobody else is given these first."""
    place, need = room.place(request), room.need(request)
    if place is None or need is None:
        return need
    if room.several:
        return place(free)
    cards = room.each_card(free)
    last = [card for card, left in enumerate(cards) if left == WHOLE][-request.gpus :]
    if len(last) < request.gpus:
        return None
    return (*need, *(WHOLE * (card in last) for card in range(len(cards))))
