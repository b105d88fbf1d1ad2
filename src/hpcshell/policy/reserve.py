"""Reservations: parts of the machine set apart for a time, for some, or for nobody (maintenance).

What a reservation sets apart is a stock of its own: those who may use it compete for that and for
nothing else, and everybody else competes for what it leaves. What runs inside it gives its share
back to the reservation, not to the machine, until the reservation ends.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import NamedTuple

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Record, Request
from hpcshell.policy.room import ALONE, Room, Vector, minus


class Reservation(Record, frozen=True, kw_only=True):
    """From `start` until `end`: `request` is set apart, all of the machine if that is exclusive.

    `users` and `accounts` may use it; nobody, when both are empty: maintenance. `flex`: theirs may
    also use what everybody may. `idle`: it is let go when nobody has used it for so many seconds.
    Raises `Wrong` for one that ends before it starts.
    """

    name: str
    start: float
    end: float
    request: Request
    users: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    flex: bool = False
    idle: float | None = None

    def __post_init__(self) -> None:
        if not self.start < self.end < inf:
            raise Wrong(
                f"reservation {self.name}: it ends before it starts", "give an end after its start"
            )

    def admits(self, user: str, account: str) -> bool:
        """Whether jobs of this user in this account may use it."""
        return user in self.users or (bool(account) and account in self.accounts)


class Stock(NamedTuple):
    """What one group of jobs may use: `free` now, what is `held` until when, and what will be taken
    `later`: (from, for how many seconds, how much). `changes`: it matters when, whoever waits."""

    free: Vector
    held: Callable[[], list[tuple[float | None, Vector]]]
    later: list[tuple[float, float | None, Vector]]

    @property
    def changes(self) -> bool:
        return bool(self.later)


class Inside(NamedTuple):
    """A run: in which reservation it is ("": none), what it holds, and its expected end."""

    pool: str
    held: Vector
    end: float | None


class Book:
    """All reservations, by name."""

    def __init__(self, room: Room) -> None:
        self.known: dict[str, Reservation] = {}
        self._room = room
        self._used: dict[str, float] = {}

    def add(self, reservation: Reservation) -> None:
        """Set it apart. What runs already in that part may run on."""
        self.known[reservation.name] = reservation

    def drop(self, name: str) -> None:
        self.known.pop(name, None)
        self._used.pop(name, None)

    def amount(self, reservation: Reservation) -> Vector:
        """What it sets apart, at most what there is."""
        need = self._room.need(reservation.request) or self._room.size
        size = self._room.size
        vector = tuple(min(n, s) for n, s in zip(need, size, strict=True))
        return (ALONE if reservation.request.exclusive else 1, *vector[1:])

    def used(self, name: str, now: float) -> None:
        """Somebody uses it, or asks for it."""
        if name in self.known:
            self._used[name] = now

    def advance(self, now: float, inside: set[str]) -> list[str]:
        """Those that are over, and those that nobody has used for as long as they say, are gone;
        their names. `inside`: those that something runs in or waits for."""
        gone = []
        for name, one in list(self.known.items()):
            if name in inside:
                self._used[name] = now
            if one.end <= now or self._released(one) <= now:
                gone.append(name)
                self.drop(name)
        return gone

    def next_wake(self, now: float) -> float | None:
        """When the next of them begins, ends or is let go."""
        times = (
            time
            for one in self.known.values()
            for time in (one.start, one.end, self._released(one))
        )
        return min((time for time in times if now < time < inf), default=None)

    def _released(self, one: Reservation) -> float:
        if one.idle is None:
            return inf
        return max(one.start, self._used.get(one.name, one.start)) + one.idle

    # -- for a decision ------------------------------------------------------------------------

    def public(self, now: float, free: Vector, runs: list[Inside]) -> Stock:
        """What everybody may use."""
        held: list[tuple[float | None, Vector]] = []
        later: list[tuple[float, float | None, Vector]] = []
        for run in runs:
            one = self.known.get(run.pool)
            end = run.end
            if one is not None and end is not None:
                end = max(end, one.end)
            held.append((end, run.held))
        for one in self.known.values():
            if one.end <= now:
                continue
            if one.start <= now:
                left = self.left(one, runs)
                free = minus(free, left)
                held.append((one.end, left))
            else:
                later.append((one.start, one.end - one.start, self.amount(one)))
        return Stock(free, lambda: held, later)

    def left(self, one: Reservation, runs: list[Inside]) -> Vector:
        """What of an open reservation nobody uses."""
        left = self.amount(one)
        for run in runs:
            if run.pool == one.name:
                left = minus(left, (0, *run.held[1:]))
        return tuple(max(0, n) for n in left)

    def within(self, name: str, now: float, free: Vector, runs: list[Inside]) -> Stock:
        """What those in the reservation may use, of what is `free` of the machine; nothing before
        it begins or after it ends."""
        one = self.known[name]
        amount = (ALONE, *self.amount(one)[1:])
        if now < one.start:
            nothing = minus(amount, amount)
            return Stock(nothing, lambda: [(one.start, amount)], [(one.end, None, amount)])
        mine = [(run.end, (0, *run.held[1:])) for run in runs if run.pool == name]
        left = amount
        for _, vector in mine:
            left = minus(left, vector)
        within = tuple(min(n, f) for n, f in zip(left, free, strict=True))
        return Stock(within, lambda: list(mine), [(one.end, None, amount)])
