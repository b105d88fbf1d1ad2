"""What starts now: one loop over the ready work with one number, how many promises to keep.

    plan = decide(view, policy, now)
    for start in plan.starts: view.claim(start.claim(run_id, now))

In order of rank, what fits starts. What does not fit is promised the first instant at which it
will, as long as promises are left to give; whatever comes after it may start only if no promise
moves back for it. No promise is greedy first fit, one is EASY backfill (Lifka 1995; Mu'alem and
Feitelson 2001), some are hybrid, all (`promises=None`) are conservative backfill.

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
from math import inf

from msgspec import field

from hpcshell.core.records import Claim, Reason, Record
from hpcshell.policy.line import UNLIMITED, Key, Line, Shape
from hpcshell.policy.profile import NEVER, Profile
from hpcshell.policy.reasons import blocked
from hpcshell.policy.room import Vector, fits, minus
from hpcshell.policy.view import Unit, View


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
    ended).

    `reasons` is filled by `forecast` alone. Not `complete`: `depth` was reached and what comes
    later in the order was not looked at; the same question would get the same answer until the
    view changes. `next_wake`: when time alone may change the answer, None never.
    """

    starts: list[Start]
    promises: dict[Unit, float] = field(default_factory=dict)
    reasons: dict[Unit, Reason] = field(default_factory=dict)
    complete: bool = True
    next_wake: float | None = None


def decide(view: View, policy: Policy, now: float) -> Plan:
    """What starts now. The view must have been told the time (`advance`)."""
    if not view.queue.turn.heads or not _any_room(view, policy):
        return Plan(starts=[], promises=view.promised, next_wake=view.next_wake())
    return Round(view, policy, now, thorough=False, until=None).decide()


def forecast(view: View, policy: Policy, now: float, until: Unit | None = None) -> Plan:
    """As `decide`, with every promise and reason, as far as `until` if one is named."""
    return Round(view, policy, now, thorough=True, until=until).decide()


def _any_room(view: View, policy: Policy) -> bool:
    """Whether anything at all could start; the shapes are asked only while they are few."""
    free, turn = view.room.free, view.queue.turn
    if free[0] <= 0 or free[1] < turn.least_cpus():
        return False
    if len(turn.heads) > policy.depth:
        return True
    return any(fits(shape.need, free) for _, shape in turn.heads)


class Round:
    """One decision. `free` and `gpus` are what is left as it goes; `_owed` promises not yet worked
    out.

    `_kept` holds the promises of earlier plans, at their places in the profile until their owner's
    turn; `_mine` the place of the one whose turn it is, which it has given back. `_since` is from
    when each shape is worth looking for: what is promised only ever takes room away.
    """

    def __init__(
        self, view: View, policy: Policy, now: float, *, thorough: bool, until: Unit | None
    ) -> None:
        self.view = view
        self.now = now
        self.free = view.room.free
        self.starts: list[Start] = []
        self.promises: dict[Unit, float] = {}
        self.reasons: dict[Unit, Reason] = {}
        self.profile: Profile | None = None
        self._gpus = view.room.gpus
        self._thorough = thorough
        self._until = until
        self._depth = policy.depth
        self._left = UNLIMITED if policy.promises is None else policy.promises
        self._stopped = self._cut = False
        self._owed: list[tuple[Unit, Shape]] = []
        self._kept: dict[Unit, tuple[float, Shape]] = {}
        self._taken: list[tuple[float | None, Vector]] = []
        self._begun: dict[int, int] = {}
        self._first: Unit | None = None
        self._mine: float | None = None
        self._since: dict[Shape, float] = {}
        self._least = -UNLIMITED

    def decide(self) -> Plan:
        if self._left > 1 and self.view.promised:
            self._recall()
        self._walk()
        if self._thorough:
            self._pay()
        self.promises.update((unit, start) for unit, (start, _) in self._kept.items())
        return Plan(
            starts=self.starts,
            promises=self.promises,
            reasons=self.reasons,
            complete=not self._cut,
            next_wake=self.view.next_wake(),
        )

    def _walk(self) -> None:
        """Offer the ready lines in order, leaving out shapes of which nothing more can come."""
        turn = self.view.queue.turn
        self._least = turn.least_cpus() if turn.heads and not self._thorough else -UNLIMITED
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
            if self._offer(key[3]) and (following := next(rest, None)) is not None:
                heapq.heappush(later, (following, shape, rest))

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
        room = line.entry.room() - self._begun.get(job.id, 0)
        for index in islice(line.elements(), max(0, room)):
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
        return True

    def _may_start(self, unit: Unit, shape: Shape) -> bool:
        self._mine = None
        if self._kept:
            mine = self._kept.pop(unit, None)
            if mine is not None and self.profile is not None and shape.need is not None:
                self._mine = mine[0]
                self.profile.give_back(mine[0], shape.limit, shape.need)
            elif not self._is_free(shape):
                self._outrank()
        return self._is_free(shape)

    def _is_free(self, shape: Shape) -> bool:
        if not fits(shape.need, self.free):
            return False
        if self._owed:
            self._pay()
        return self.profile is None or self.profile.fits(self.now, shape.limit, shape.need)

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
        self._begun[unit[0]] = self._begun.get(unit[0], 0) + 1
        self.free = minus(self.free, need)
        if self.profile is None:
            self._taken.append((end, need))
        else:
            self.profile.take(self.now, limit, need)
            self._moved(self.now)

    def _wait(self, unit: Unit, shape: Shape) -> bool:
        """Promise what cannot start, if promises are left; whether more of its shape is worth a
        look."""
        if self._depth <= 0:
            self._cut = self._stopped = True
            return False
        self._depth -= 1
        possible = fits(shape.need, self.view.room.size)
        if self._thorough and self._until in (None, unit):
            self._give_reason(unit, shape)
        elif self._first is None and possible:
            self._first = unit
        if possible and self._left > 0:
            self._left -= 1
            self._owed.append((unit, shape))
            if self.profile is not None:
                self._pay()
            return self._left > 0 or self._thorough
        return self._thorough

    def _pay(self) -> None:
        """Work out the promises that are owed, in order."""
        profile = self.profile_now()
        for unit, shape in self._owed:
            since = self._since.get(shape, self.now)
            if self._mine is not None:  # its place was given back: it may start before its end
                since = -inf if shape.limit is None else min(since, self._mine - shape.limit)
            start = profile.earliest(shape.limit, shape.need, since)
            if start is not None and shape.need is not None:
                profile.take(start, shape.limit, shape.need)
                self._moved(start)
                self.promises[unit] = self._since[shape] = start
        self._owed.clear()

    def _moved(self, start: float) -> None:
        """What had been given back is taken again at `start`; if not all, others may come
        earlier."""
        if self._mine is not None and start != self._mine:
            self._since.clear()

    def profile_now(self) -> Profile:
        """What will be free when, with all that this round has started and promised so far."""
        if self.profile is None:
            room = self.view.room
            held = [(claim.end, room.held(run)) for run, claim in room.claims.items()]
            self.profile = Profile(self.now, self.free, held + self._taken)
        return self.profile

    def _recall(self) -> None:
        """Put the promises of earlier plans in their places."""
        for unit, start in self.view.promised.items():
            line = self.view.queue.standing(*unit)
            if line is None or line.shape.need is None or start == NEVER:
                continue
            start = max(start, self.now)
            self._kept[unit] = (start, line.shape)
            self.profile_now().take(start, line.shape.limit, line.shape.need)

    def _outrank(self) -> None:
        """Something new goes before what was promised: from here on promises are made afresh."""
        for start, shape in self._kept.values():
            if self.profile is not None and shape.need is not None:
                self.profile.give_back(start, shape.limit, shape.need)
        self._kept.clear()
        self._since.clear()

    def _give_reason(self, unit: Unit, shape: Shape) -> None:
        room = self.view.room
        ahead = self._first if self._first != unit else None
        self.reasons[unit] = blocked(shape, room, self.free, ahead)
        if self._first is None and fits(shape.need, room.size):
            self._first = unit
