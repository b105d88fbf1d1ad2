"""What can never be set apart, and what can never run in what is: refused when it is asked for."""

from __future__ import annotations

from typing import Final

from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.records import Job
from hpcshell.core.units import format_size
from hpcshell.core.words import nearest, quote
from hpcshell.policy.reasons import amount, joined, span
from hpcshell.policy.reserve import Book, Reservation
from hpcshell.policy.room import ALONE, Room, Vector, fits, minus, plus
from hpcshell.policy.setapart import contents

PAST: Final = 60.0
"""Seconds by which a reservation may begin in the past: clocks differ, and people type."""
SHORTEST: Final = 1.0
"""Seconds that a reservation lasts, and that it is kept though nobody uses it, at the least."""


def check_reservation(one: Reservation, book: Book, room: Room, now: float) -> None:
    """Raise `Wrong` or `Refused`, with figures, for one that cannot be set apart; of that name
    another may be known, which it replaces."""
    _check_times(one, book, now)
    _check_size(one, room)
    others = [other for other in book.known.values() if other.name != one.name]
    for time in sorted({one.start, *(other.start for other in others)}):
        if one.start <= time < one.end:
            beside = [other for other in others if other.start <= time < other.end]
            _check_beside(one, beside, book, room)


def admit_into(job: Job, book: Book, room: Room, now: float) -> None:
    """Raise `Wrong` or `Refused` for a job that may not, or can never, run in its reservation."""
    name = job.reservation
    if not name:
        return
    one = book.known.get(name)
    if one is None:
        raise _unknown(name, book)
    if not one.admits(job.user, job.account):
        account = f" in account {quote(job.account)}" if job.account else ""
        raise Refused(
            f"reservation {name} is not for {job.user}{account}: it is for {allowed(one)}",
            "leave --reservation out, or ask for another one",
        )
    if one.flex:
        return
    size: Vector = (ALONE, *book.amount(one)[1:])
    if not fits(room.need(job.request), size):
        has = contents(room, one)
        raise Wrong(
            f"asks for {_asked(job)}; reservation {name} sets apart {has}",
            f"ask for no more than {has}",
        )
    left = one.end - max(now, one.start, job.begin)
    limit = job.request.time_limit
    if left <= 0:
        raise Wrong(f"reservation {name} ends before it may begin", "give it an earlier --begin")
    if limit is None or limit > left:
        asks = "has no time limit" if limit is None else f"asks for {span(limit)}"
        raise Wrong(
            f"{asks}; reservation {name} leaves it {span(float(int(left)))}",
            f"ask for at most --time={span(float(int(left)), '')}",
        )


def allowed(one: Reservation) -> str:
    """Whom it is for: `users ann and ben`, `account physics`, `nobody (maintenance)`."""
    parts = []
    for word, names in (("user", one.users), ("account", one.accounts)):
        if names:
            parts.append(f"{word}{'s' * (len(names) > 1)} {joined(list(names))}")
    return " and ".join(parts) or "nobody (maintenance)"


def _check_times(one: Reservation, book: Book, now: float) -> None:
    before = book.known.get(one.name)
    if one.end <= now:
        raise Wrong(
            f"reservation {one.name}: it would have ended {span(float(int(now - one.end)))} ago",
            "give an end that is to come",
        )
    if one.start < now - PAST and (before is None or before.start != one.start):
        raise Wrong(
            f"reservation {one.name}: it would have begun {span(float(int(now - one.start)))} ago",
            "give a start that is to come, or: --start now",
        )
    if one.end - one.start < SHORTEST:
        raise Wrong(f"reservation {one.name}: it lasts less than a second", "give a later end")
    if one.idle is not None and one.idle < SHORTEST:
        raise Wrong(
            f"reservation {one.name}: nobody can use it within {one.idle:g} s",
            "keep it for a second at least",
        )


def _check_size(one: Reservation, room: Room) -> None:
    asked = one.request
    for name in asked.others:
        if name not in room.total.others:
            known = ", ".join(["cpus", "memory", "gpus", *room.names])
            raise Wrong(
                f"reservation {one.name}: this machine has no {quote(name)}", f"there are {known}"
            )
    if asked.exclusive:
        return
    if not asked.cpus and (one.users or one.accounts):
        raise Wrong(
            f"reservation {one.name}: it sets apart no cpus, and every job needs one",
            "give --cpus N, or --all",
        )
    need = room.need(asked)
    assert need is not None, "it names nothing that is not here"
    if not any(need[1:]):
        raise Wrong(f"reservation {one.name}: it sets nothing apart", "give --cpus N, or --all")
    if not fits(need, room.size):
        over = _over(need, room.size, room)
        raise Wrong(
            f"reservation {one.name}: it sets apart {_said(need, over, room)}; this machine has "
            f"{_said(room.size, over, room)}",
            "set apart no more than there is; --all is all of it",
        )


def _check_beside(one: Reservation, beside: list[Reservation], book: Book, room: Room) -> None:
    left = room.size
    for other in beside:
        left = minus(left, book.amount(other))
    need = book.amount(one)
    if fits(need, left):
        return
    names = joined([other.name for other in beside])
    which = f"reservation{'s' * (len(beside) > 1)} {names}"
    over = _over(need, left, room)
    if not over and (room.several or room.by_card):
        raise Refused(
            f"reservation {one.name} would overlap with {which}, and there are not enough "
            f"{'nodes' if room.several else 'cards'} that are in none of them",
            "give it another time, or set less apart",
        )
    if one.request.exclusive or not over or any(each.request.exclusive for each in beside):
        raise Refused(
            f"reservation {one.name} would overlap with {which}, and one of them is for the whole "
            "machine",
            "give it another time",
        )
    used = minus(room.size, left)
    sum_ = plus(used, need)
    raise Refused(
        f"reservation {one.name} would overlap with {which}: together they would set apart "
        f"{_said(sum_, over, room)}, and this machine has {_said(room.size, over, room)}",
        f"set apart at most {_said(tuple(max(0, n) for n in left), over, room)}, "
        "or give it another time",
    )


def _over(need: Vector, size: Vector, room: Room) -> list[int]:
    """The places of all there is in all, but for the first, in which `need` is over `size`."""
    return [at for at in range(1, 4 + len(room.names)) if need[at] > size[at]]


def _said(vector: Vector, places: list[int], room: Room) -> str:
    names = ("", "cpus", "memory", "gpus", *room.names)
    return joined([amount(names[at], vector[at]) for at in places])


def _asked(job: Job) -> str:
    request = job.request
    if request.exclusive:
        return "the whole machine"
    counts = {"cpus": request.cpus, "gpus": request.gpu_hundredths, **request.others}
    parts = [amount(name, count) for name, count in counts.items() if count]
    if request.memory:
        parts.append(f"{format_size(request.memory)} of memory")
    return joined(parts)


def _unknown(name: str, book: Book) -> Wrong:
    near = nearest(name, list(book.known))
    hint = f"did you mean {near}? " if near else ""
    there = ", ".join(sorted(book.known)) or "none"
    return Wrong(f"there is no reservation {quote(name)}", f"{hint}there are: {there}")
