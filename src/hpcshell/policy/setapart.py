"""Reservations in words: what keeps a job from starting, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpcshell.core.records import Reason
from hpcshell.policy.plots import amount_of
from hpcshell.policy.profile import Profile
from hpcshell.policy.reasons import amount, figures, joined, lacking, span
from hpcshell.policy.reserve import Reservation, Stock
from hpcshell.policy.room import ALONE, Room, Vector, fits, plus

if TYPE_CHECKING:
    from hpcshell.policy.ground import Ground
    from hpcshell.policy.line import Shape
    from hpcshell.policy.view import View


def no_reservation(name: str) -> Reason:
    """Why what is to run in it does not start, where there is no such reservation."""
    told = f"there is no reservation {name}, or it is over"
    return Reason(code="ReservationDeleted", sentence=told)


def stock_of(view: View, shape: Shape, now: float) -> Stock:
    """What requests of that shape are to be met from, but for what a decision would start now."""
    free, runs = view.room.free, view.inside()
    if shape.pool in view.book.known:
        return view.book.within(shape.pool, now, free, runs)
    return view.book.public(now, free, runs)


def coming(view: View) -> Vector:
    """What comes free of what is not set apart, once all that is being ended has."""
    found = (0,) * len(view.room.size)
    for run in view.leaving:
        if run in view.claims and not view.set_apart(run):
            found = plus(found, view.room.held[run])
    return found


def set_apart(
    view: View, shape: Shape, ground: Ground | Stock, now: float, ahead: tuple[int, int] | None
) -> Reason | None:
    """The reason of ready work that cannot start for a reservation, its own or that of others;
    None: no reservation keeps it. `ahead`: the first in line that cannot start either."""
    if not view.book.known or not fits(shape.need, view.room.size):
        return None
    if shape.pool in view.book.known:
        one = view.book.known[shape.pool]
        sentence = _inside(view, one, shape, ground.free, now, ahead)
    else:
        sentence = _outside(view, shape, ground.free, now)
    return None if sentence is None else Reason(code="Reservation", sentence=sentence)


def told(view: View, one: Reservation, now: float) -> str:
    """`reservation maint (8 cpus), which begins in 2h and lasts 3h`."""
    if one.start <= now:
        when = f"which ends in {_span(one.end - now)}"
    else:
        when = f"which begins in {_span(one.start - now)} and lasts {_span(one.end - one.start)}"
    return f"reservation {one.name} ({contents(view.room, one)}), {when}"


def contents(room: Room, one: Reservation) -> str:
    """What it sets apart: `8 cpus and 2 gpus`, `the whole machine`."""
    if one.request.exclusive:
        return "the whole machine"
    has = figures(room.resources(amount_of(one, room, room.size)))
    return joined([amount(name, count) for name, count in has.items()]) or "nothing"


def _inside(
    view: View,
    one: Reservation,
    shape: Shape,
    free: Vector,
    now: float,
    ahead: tuple[int, int] | None,
) -> str | None:
    """Why it cannot start in its own reservation; None: it waits for its turn there."""
    size: Vector = (ALONE, *view.book.amount(one)[1:])
    if not fits(shape.need, size):
        over = joined(lacking(shape, view.room, size, size))
        return (
            f"it asks for {over}, and reservation {one.name} sets apart {contents(view.room, one)}"
        )
    if shape.length is None:
        return f"it has no time limit, and reservation {one.name} ends in {_span(one.end - now)}"
    left = one.end - max(now, one.start)
    if shape.length > left:
        time = span(shape.length)
        return f"it may run for {time}, and reservation {one.name} leaves it {_span(left)}"
    if now < one.start:
        return f"reservation {one.name} begins in {_span(one.start - now)}"
    if ahead is not None:
        return None
    lack = lacking(shape, view.room, free, size)
    return f"it waits for {joined(lack)} in reservation {one.name}" if lack else None


def _outside(view: View, shape: Shape, free: Vector, now: float) -> str | None:
    """Which reservation of others keeps it from what is free; None: none does."""
    book, need = view.book, shape.need
    assert need is not None, "what fits the machine asks for what there is"
    runs = view.inside()
    if not fits(need, free):
        given = free
        for one in book.known.values():
            if one.start <= now < one.end:
                given = plus(given, book.left(one, runs))
                if fits(need, given):
                    return f"what it needs is set apart by {told(view, one, now)}"
        return None
    stock = book.public(now, view.room.free, runs)
    for one in sorted(book.known.values(), key=lambda one: one.start):
        if now < one.start and (shape.length is None or one.start < now + shape.length):
            profile = Profile(now, free, stock.held())
            for start, length, vector in stock.later:
                if start <= one.start:
                    profile.take(start, length, vector)
            if not profile.fits(now, shape.length, need):
                return f"it would run into {told(view, one, now)}"
    return None


def _span(seconds: float) -> str:
    return span(float(max(0, round(seconds))))
