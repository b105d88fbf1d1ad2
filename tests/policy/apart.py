"""Reservations in a world, and what must be true of them."""

from __future__ import annotations

from operator import eq

from hpcshell.core.errors import HpcError
from hpcshell.policy.booking import check_reservation
from hpcshell.policy.reserve import Reservation
from hpcshell.policy.room import Vector, fits, plus
from tests.policy.world import World


def make(world: World, one: Reservation) -> None:
    """Make it, if it may be made."""
    reserve(world, one)


def reserve(world: World, one: Reservation) -> bool:
    """Make it, if it may be made; whether it was."""
    try:
        check_reservation(one, world.view.book, world.view.room, world.now)
    except HpcError:
        return False
    world.view.reserve(one)
    return True


def stay(places: dict[str, Vector], world: World) -> None:
    """What a reservation sets apart is the same as when it was in `places`, and is put there; cards
    count only now and then."""
    for one in world.view.book.known.values():
        found = world.view.book.amount(one)
        before = places.setdefault(one.name, found)
        assert all(map(eq, before, found))
        places[one.name] = max(before, found, key=len)


def check_apart(made: dict[str, float], world: World) -> None:
    """Who is in a reservation holds no more than that sets apart; who is not, and began after it
    was made, nothing of it."""
    view = world.view
    opened = [one for one in view.book.known.values() if one.start <= world.now]
    apart = tuple(0 for _ in view.room.size)
    for one in opened:
        apart = plus(apart, view.book.amount(one))
        inside = tuple(0 for _ in view.room.size)
        for run, claim in view.claims.items():
            if claim.reservation == one.name:
                inside = plus(inside, view.room.held[run])
        assert fits(inside[1:], view.book.amount(one)[1:])
    if not opened:
        return
    last = max(made[one.name] for one in opened)
    for run, claim in view.claims.items():
        if claim.reservation not in view.book.known and claim.start >= last:
            apart = plus(apart, view.room.held[run])
    assert fits(apart[1:], view.room.size[1:])
