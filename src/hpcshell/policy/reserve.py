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
from hpcshell.core.records import WHOLE, Record, Request
from hpcshell.policy.plots import Plots
from hpcshell.policy.room import ALONE, Room, Vector, fits, minus, plus


class Reservation(Record, frozen=True, kw_only=True):
    """From `start` until `end`: `request` is set apart, all of the machine if that is exclusive.

    `users` and `accounts` may use it; nobody, when both are empty: maintenance. `flex`: theirs may
    run in it or, whole, in what everybody may use. `idle`: it is let go when nobody has used it for
    so many seconds.
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
    `later`: (from, for how many seconds, how much). `changes`: it matters when, whoever waits.
    `skip`: so many of the free gpus, counted from the last, are for others."""

    free: Vector
    held: Callable[[], list[tuple[float | None, Vector]]]
    later: list[tuple[float, float | None, Vector]]
    skip: int = 0

    @property
    def changes(self) -> bool:
        return bool(self.later)


class Inside(NamedTuple):
    """A run: in which reservation it is ("": none), what it holds, and its expected end."""

    pool: str
    held: Vector
    end: float | None


class Book:
    """All reservations, by name. `lapsed`: those that time has ended, each with why, until somebody
    takes note and clears it. `plots`: which nodes, or cards, they set apart."""

    def __init__(self, room: Room) -> None:
        self.plots = Plots(room)
        self.known: dict[str, Reservation] = {}
        self.lapsed: list[tuple[Reservation, str]] = []
        self._used: dict[str, float] = {}
        self._wanted: dict[str, int] = {}
        self._busy: set[str] = set()

    def add(self, reservation: Reservation) -> None:
        """Set it apart. What runs already in that part may run on."""
        self.known[reservation.name] = reservation

    def drop(self, name: str) -> None:
        self.known.pop(name, None)
        self.plots.drop(name)
        self._used.pop(name, None)
        self._busy.discard(name)

    def amount(self, reservation: Reservation) -> Vector:
        """What it sets apart, at most what there is (see `Plots`)."""
        return self.plots.amount(reservation, self.known)

    # -- whether anybody uses it -----------------------------------------------------------------

    def used(self, name: str, now: float) -> None:
        """Somebody may have used it until now."""
        if name in self.known:
            self._used[name] = now

    def uses(self) -> dict[str, float]:
        """Until when somebody has used each, as far as that is known."""
        return dict(self._used)

    def join(self, name: str) -> None:
        """A live job is to run in it."""
        if name:
            self._wanted[name] = self._wanted.get(name, 0) + 1

    def leave(self, name: str) -> None:
        """Undo `join`."""
        if name:
            self._wanted[name] -= 1
            if not self._wanted[name]:
                del self._wanted[name]

    def advance(self, now: float) -> None:
        """Those that are over, and those that nobody has used for as long as they say, lapse. Where
        the others are, they stay."""
        self.plots.settle(self.known.values())
        for name, one in list(self.known.items()):
            if name in self._wanted or name in self._busy:
                self._used[name] = now
            if name in self._wanted:
                self._busy.add(name)
            else:
                self._busy.discard(name)
            if one.end <= now:
                self.lapsed.append((one, "it is over"))
                self.drop(name)
            elif self._released(one) <= now:
                self.lapsed.append((one, "nobody has used it"))
                self.drop(name)

    def next_wake(self, now: float) -> float | None:
        """When the next of them begins, ends or is let go."""
        times = (
            time
            for one in self.known.values()
            for time in (one.start, one.end, self._released(one))
        )
        return min((time for time in times if now < time < inf), default=None)

    def _released(self, one: Reservation) -> float:
        if one.idle is None or one.name in self._busy:
            return inf
        return max(one.start, self._used.get(one.name, one.start)) + one.idle

    # -- for a decision ------------------------------------------------------------------------

    def meets(
        self, one: Reservation, need: Vector | None, length: float | None, now: float
    ) -> bool:
        """Whether what asks for that can ever run in it, from now on."""
        if length is None or length > one.end - max(now, one.start):
            return False
        return fits(need, (ALONE, *self.amount(one)[1:]))

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
        it begins or after it ends.

        Runs that began outside may still hold some of it. Where that makes two reservations lack
        something, the one that was made first has it first.
        """
        one = self.known[name]
        begin = max(now, one.start)
        amount = (ALONE, *self.amount(one)[1:])
        mine = [(run.end, run.held) for run in runs if run.pool == name]
        left = amount
        for _, vector in mine:
            left = minus(left, vector)
        there, later = free, []
        for run in runs:
            if run.pool == name:
                continue
            if run.end is not None and run.end <= begin > now:
                there = plus(there, run.held)
            else:
                later.append((run.end, run.held))
        before: list[tuple[float | None, Vector]] = [
            (other.end, self.left(other, runs)) for other in self._before(one, begin)
        ]
        for _, vector in before:
            there = minus(there, (0, *vector[1:]))
        come = _coming(left, there, later + before)
        have = tuple(map(min, left, there))
        held = mine + come
        if begin > now:
            held, have = [(begin, have), *held], minus(amount, amount)
        skip = sum(vector[3] for _, vector in before) // WHOLE
        return Stock(have, lambda: list(held), [(one.end, None, amount)], skip)

    def _before(self, one: Reservation, time: float) -> list[Reservation]:
        """Those that were made before it and are open at that time."""
        names = list(self.known)
        earlier = (self.known[name] for name in names[: names.index(one.name)])
        return [other for other in earlier if other.start <= time < other.end]


def _coming(
    left: Vector, there: Vector, held: list[tuple[float | None, Vector]]
) -> list[tuple[float | None, Vector]]:
    """What of `left` is not `there` yet, and when it will be, as others give back what they
    hold."""
    come = []
    for end, vector in sorted(held, key=lambda one: inf if one[0] is None else one[0]):
        before = tuple(map(min, left, there))
        there = plus(there, vector)
        more = minus(tuple(map(min, left, there)), before)
        if any(more):
            come.append((end, more))
    return come
