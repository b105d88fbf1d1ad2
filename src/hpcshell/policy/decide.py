"""What starts now: one loop over the ready work with one number, how many promises to keep.

    plan = decide(view, policy, now)
    for start in plan.starts: view.claim(start.claim(run_id, now))
    for run in plan.resumes: view.resume(run, now)

In order of rank, what fits starts. What does not fit is promised the first instant at which it
will, as long as promises are left to give; whatever comes after it may start only if no promise
moves back for it (`places`). No promise is greedy first fit, one is EASY backfill (Lifka 1995;
Mu'alem and Feitelson 2001), some are hybrid, all (`promises=None`) are conservative backfill.

Work that has no time limit counts as running for ever: it is never let past a promise whose
resources it would keep, so nothing starves; see `profile`.

A start can be what other work waits for (`after`), so the owner decides again until nothing starts.

`decide` changes nothing. It gives promises only where they decide something, so an answer costs
next to nothing when nothing can start; `forecast` is the same loop run to its end, with every
promise and reason.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import islice
from operator import itemgetter

from msgspec import field

from hpcshell.core.records import Claim, Reason, Record
from hpcshell.policy.line import UNLIMITED, Entry, Key, Line, Shape
from hpcshell.policy.places import Places
from hpcshell.policy.profile import NEVER, Profile
from hpcshell.policy.reasons import blocked
from hpcshell.policy.room import Vector, fits, minus
from hpcshell.policy.view import Unit, View
from hpcshell.policy.waking import any_may_go_on, sleepers


class Policy(Record, frozen=True, kw_only=True):
    """How to decide. `promises`: how many are kept, None all; `depth`: how many elements one
    decision looks at that it cannot start."""

    promises: int | None = 1
    depth: int = 1000


class Start(Record, frozen=True, kw_only=True):
    """An element that is to start now, with what it is to hold; `end` is the latest instant it may
    run to."""

    job: int
    index: int
    cpus: int
    memory: int = 0
    gpus: tuple[int, ...] = ()
    others: dict[str, int] = field(default_factory=dict)
    exclusive: bool = False
    end: float | None = None

    def claim(self, run: int, now: float) -> Claim:
        """What the run `run` of it holds."""
        return Claim(
            run=run,
            job=self.job,
            index=self.index,
            cpus=self.cpus,
            memory=self.memory,
            gpus=self.gpus,
            others=self.others,
            exclusive=self.exclusive,
            start=now,
            end=self.end,
        )


class Plan(Record, frozen=True, kw_only=True):
    """The answer. `promises`: no later than then (`inf`: once runs without a time limit have
    ended). `resumes`: the suspended runs that go on now.

    `reasons` is filled by `forecast` alone. Not `complete`: `depth` was reached and what comes
    later in the order was not looked at; the same question would get the same answer until the
    view changes. `next_wake`: when time alone may change the answer, None never.
    """

    starts: list[Start]
    resumes: list[int] = field(default_factory=list)
    promises: dict[Unit, float] = field(default_factory=dict)
    reasons: dict[Unit, Reason] = field(default_factory=dict)
    complete: bool = True
    next_wake: float | None = None


def decide(view: View, policy: Policy, now: float) -> Plan:
    """What starts now. The view must have been told the time (`advance`)."""
    if not (_any_room(view, policy) or any_may_go_on(view)):
        return Plan(starts=[], promises=view.promised, next_wake=view.next_wake())
    return Round(view, policy, now, thorough=False, until=None).decide()


def forecast(view: View, policy: Policy, now: float, until: Unit | None = None) -> Plan:
    """As `decide`, with every promise and reason, as far as `until` if one is named."""
    return Round(view, policy, now, thorough=True, until=until).decide()


def _any_room(view: View, policy: Policy) -> bool:
    """Whether anything at all could start; the shapes are asked only while they are few."""
    free, turn = view.room.free, view.queue.turn
    if not turn.heads or free[0] <= 0 or free[1] < turn.least_cpus():
        return False
    if len(turn.heads) > policy.depth:
        return True
    return any(fits(shape.need, free) for _, shape in turn.heads)


class Round:
    """One decision. `free` and `gpus` are what is left as it goes; `_owed` promises not yet worked
    out, `_slots` how many elements of each job have started or been promised to.

    There are no `_places` until a promise must be worked out.
    """

    def __init__(
        self, view: View, policy: Policy, now: float, *, thorough: bool, until: Unit | None
    ) -> None:
        self.view = view
        self.now = now
        self.free = view.room.free
        self.starts: list[Start] = []
        self.resumes: list[int] = []
        self.promises: dict[Unit, float] = {}
        self.reasons: dict[Unit, Reason] = {}
        self._gpus = view.room.gpus
        self._thorough = thorough
        self._until = until
        self._depth = policy.depth
        self._left = UNLIMITED if policy.promises is None else policy.promises
        self._stopped = self._cut = False
        self._owed: list[tuple[Unit, Shape]] = []
        self._places: Places | None = None
        self._taken: list[tuple[float | None, Vector]] = []
        self._slots: dict[int, int] = {}
        self._first: Unit | None = None
        self._sleepers = sleepers(view)
        self._least = -UNLIMITED

    def decide(self) -> Plan:
        if self._left > 1 and self.view.promised:
            self._recall()
        self._walk()
        if self._thorough:
            self._pay()
        if self._places is not None:
            self.promises |= self._places.rest(self._left)
        return Plan(
            starts=self.starts,
            resumes=self.resumes,
            promises=self.promises,
            reasons=self.reasons,
            complete=not self._cut,
            next_wake=self.view.next_wake(),
        )

    def _walk(self) -> None:
        """Offer the ready lines in order, leaving out shapes of which nothing more can come."""
        turn = self.view.queue.turn
        self._least = turn.least_cpus() if turn.heads and not self._thorough else -UNLIMITED
        self._least = min([self._least, *(one.shape.request.cpus for one in self._sleepers)])
        heads = self._heads()
        head = next(heads, None)
        later: list[tuple[Key, Shape, Iterator[Key]]] = []
        while (head or later) and not self._stopped:
            if head is None or (later and later[0][0] < head[0]):
                key, shape, rest = heapq.heappop(later)
            else:
                (key, shape), rest = head, iter(head[1].turn)
                head = next(heads, None)
                next(rest)
            self._go_on(key)
            if self._stopped or not self._offer(key[3]):
                continue
            if (following := next(rest, None)) is not None:
                heapq.heappush(later, (following, shape, rest))
        self._go_on(None)

    def _go_on(self, until: Key | None) -> None:
        """Let suspended runs go on, or promise them when, as far as they stand before that line."""
        while self._sleepers and not self._stopped:
            if until is not None and self._sleepers[-1][:2] > until[:2]:
                return
            sleeper = self._sleepers.pop()
            unit, shape = sleeper.unit, sleeper.shape
            if self._may_start(unit, shape):
                self.resumes.append(sleeper.run)
                self._take(shape)
            else:
                self._wait(unit, shape, slots=0)
            self._stopped = self._stopped or unit == self._until

    def _heads(self) -> Iterator[tuple[Key, Shape]]:
        """The first line of each shape, less those that can neither start nor be promised
        anything."""
        for head in self.view.queue.turn.heads:
            if self._left > 0 or self._thorough or fits(head[1].need, self.free):
                yield head
            elif self._depth > 0:
                self._depth -= 1
            else:
                self._cut = True
                return

    def _offer(self, line: Line) -> bool:
        """Start or promise the line's elements; whether later lines of its shape are worth a
        look."""
        job, shape = line.entry.job, line.shape
        for index in islice(line.elements(), max(0, self._room(line.entry))):
            if self.free[1] < self._least:  # nothing more can start: no more promises are needed
                self._stopped = True
                return False
            unit = (job.id, index)
            if self._may_start(unit, shape):
                self._start(unit, shape)
            elif not self._wait(unit, shape):
                return False
            if unit == self._until:
                self._stopped = True
                return False
        if self._places is not None and self._room(line.entry) <= 0:
            self._places.lapse_of(job.id)
        return True

    def _room(self, entry: Entry) -> int:
        """How many more elements of the job may go besides those that start or are promised to."""
        return entry.room() - self._slots.get(entry.job.id, 0)

    def _may_start(self, unit: Unit, shape: Shape) -> bool:
        if self._places is not None:
            self._places.turn(unit)
        if not fits(shape.need, self.free):
            return False
        if self._owed:
            self._pay()
        return self._places is None or self._places.fits_now(shape)

    def _start(self, unit: Unit, shape: Shape) -> None:
        need, limit, request = shape.need, shape.limit, shape.request
        assert need is not None, "what does not fit is not started"
        end = None if limit is None else self.now + limit
        gpus, self._gpus = tuple(self._gpus[: need[3]]), self._gpus[need[3] :]
        self.starts.append(
            Start(
                job=unit[0],
                index=unit[1],
                cpus=need[1],
                memory=need[2],
                gpus=gpus,
                others=request.others,
                exclusive=request.exclusive,
                end=end,
            )
        )
        self._slots[unit[0]] = self._slots.get(unit[0], 0) + 1
        self._take(shape)

    def _take(self, shape: Shape) -> None:
        """It holds what it asks for from now on."""
        need, limit = shape.need, shape.limit
        assert need is not None, "what does not fit takes nothing"
        self.free = minus(self.free, need)
        if self._places is None:
            self._taken.append((None if limit is None else self.now + limit, need))
        else:
            self._places.take(self.now, shape)

    def _wait(self, unit: Unit, shape: Shape, slots: int = 1) -> bool:
        """Promise what cannot start, if promises are left; whether more of its shape is worth a
        look."""
        if self._depth <= 0:
            self._cut_short(unit)
            return False
        self._depth -= 1
        possible = fits(shape.need, self.view.room.size)
        if self._thorough and self._until in (None, unit):
            self._give_reason(unit, shape)
        elif self._first is None and possible:
            self._first = unit
        if possible and self._left > 0:
            self._owe(unit, shape, slots)
            return self._left > 0 or self._thorough
        return self._thorough

    def _cut_short(self, unit: Unit) -> None:
        """The budget is spent: what is promised stays as it is."""
        self._cut = self._stopped = True
        start = None if self._places is None else self._places.stay()
        if start is not None:
            self.promises[unit] = start

    def _owe(self, unit: Unit, shape: Shape, slots: int) -> None:
        self._left -= 1
        self._slots[unit[0]] = self._slots.get(unit[0], 0) + slots
        self._owed.append((unit, shape))
        if self._places is not None:
            self._pay()
            if self._left <= 0:
                self._places.lapse()

    def _pay(self) -> None:
        """Work out the promises that are owed, in order."""
        places = self._placed()
        for unit, shape in self._owed:
            start = places.first(shape)
            if start is not None:
                places.take(start, shape)
                self.promises[unit] = start
        self._owed.clear()

    def _placed(self) -> Places:
        """The places, with all that this round has started so far."""
        if self._places is None:
            room = self.view.room
            held = room.ends() + self._taken
            self._places = Places(Profile(self.now, self.free, held), self.now)
        return self._places

    def profile(self) -> Profile:
        """What will be free when, with all that this round has started and promised so far."""
        return self._placed().profile

    def _recall(self) -> None:
        """Keep the promises of earlier plans, the first in line first."""
        found: list[tuple[object, Unit, Shape, float]] = []
        for unit, start in self.view.promised.items():
            line = self.view.queue.standing(*unit)
            if line is not None and line.shape.need is not None and start != NEVER:
                found.append((line.turn_of(unit[1]), unit, line.shape, start))
        for _, unit, shape, start in sorted(found, key=itemgetter(0)):
            self._placed().keep(unit, shape, start)

    def _give_reason(self, unit: Unit, shape: Shape) -> None:
        room = self.view.room
        ahead = self._first if self._first != unit else None
        self.reasons[unit] = blocked(shape, room, self.free, ahead)
        if self._first is None and fits(shape.need, room.size):
            self._first = unit
