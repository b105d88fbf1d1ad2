"""One decision as it goes: who has had a turn, what starts, what has been promised."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import islice
from operator import itemgetter

from hpcshell.core.records import NO_INDEX, Reason
from hpcshell.policy.bounds import Allowance
from hpcshell.policy.gang import Together, claimants_of
from hpcshell.policy.ground import Ground
from hpcshell.policy.host import NOTHING
from hpcshell.policy.line import UNLIMITED, Entry, Key, Line, Shape
from hpcshell.policy.parts import Parts
from hpcshell.policy.plan import Plan, Policy, Preempt, Start
from hpcshell.policy.preempt import preempts
from hpcshell.policy.profile import NEVER, Profile
from hpcshell.policy.reasons import blocked
from hpcshell.policy.room import Vector
from hpcshell.policy.setapart import no_reservation, set_apart
from hpcshell.policy.view import Unit, View, any_may_yield
from hpcshell.policy.waking import sleepers


class Round:
    """One decision. `_slots`: how many elements of each job have started or been promised to;
    `_done`: those that need no second look. `_patient`: the walk goes on when all cpus are taken;
    `_over`: nothing more starts; `_cores`: the numbers of those that what starts has been given.
    `thorough`: with all promises and reasons, as far as `until`."""

    def __init__(
        self, view: View, policy: Policy, now: float, *, thorough: bool, until: Unit | None
    ) -> None:
        self.view = view
        self.policy = policy
        self.now = now
        self.starts: list[Start] = []
        self.resumes: list[int] = []
        self.preempts: list[Preempt] = []
        self.reasons: dict[Unit, Reason] = {}
        self.parts = Parts(view, policy, now)
        self.public = self.parts.public
        self._limits = Allowance(view.bounds)
        self._preempting = any_may_yield(view)
        self._patient = bool(view.book.known) or self._preempting
        self._thorough = thorough
        self._until = until
        self._depth = self._reasons_left = policy.depth
        self._dropped: set[Shape] = set()
        most = policy.max_backfill_jobs
        self._most_behind = UNLIMITED if most is None else most
        self._stopped = self._cut = self._filling = self._filled = self._over = False
        self._flexible: list[tuple[Unit, Line]] = []
        self._bent: list[Unit] = []
        self._slots: dict[int, int] = {}
        self._done: set[Unit] = set()
        self._sleepers = sleepers(view)
        self._least = -UNLIMITED
        self._cores: tuple[int, ...] = ()

    def decide(self) -> Plan:
        if self.public.left > 1 and self.view.promised:
            self._recall()
        self._walk(self._heads())
        if self._filling:
            self._fill()
            if self._thorough:  # once more, for the reasons of those that may not pass
                self._over = True
                self._walk(self._heads())
        if self._cut or self.public.barred:  # however many wait: they may wait for what it holds
            self._stopped = False
            self._go_on(None)
        promises: dict[Unit, float] = {}
        spots: dict[Unit, Vector] = {}
        self._bend()
        for ground in self.parts:
            if self._thorough:
                ground.pay()
            promises |= ground.settle()
            spots |= ground.spots
        for unit in self._bent:
            promises.pop(unit, None)
        if self.view.book.known:
            promises = {unit: at for unit, at in promises.items() if self._in_time(unit, at)}
        return Plan(
            starts=self.starts,
            resumes=self.resumes,
            preempts=self.preempts,
            promises=promises,
            spots=spots,
            reasons=self.reasons,
            complete=not self._cut,
            next_wake=self.view.next_wake(self.now),
        )

    # -- in what order ---------------------------------------------------------------------------

    def _walk(self, heads: Iterator[tuple[Key, Shape]]) -> None:
        """Offer the ready lines in order, leaving out shapes of which nothing more can come."""
        turn = self.view.queue.turn
        if turn.heads and not self._thorough and not self._patient:
            self._least = min(
                [turn.least_cpus(), *(one.shape.request.cpus for one in self._sleepers)]
            )
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

    def _heads(self) -> Iterator[tuple[Key, Shape]]:
        """The first line of each shape, less those that can neither start nor be promised
        anything."""
        if self.view.closed:
            return
        turn = self.view.queue.turn
        all_matter = self._thorough or not self.policy.backfill
        first_matters = turn.fills is not None or self._preempting or self._most_behind < UNLIMITED
        for head in turn.heads:
            if not self.parts.is_open(head[1]):
                yield head
                continue
            if not self._thorough and self._limits.refused(head[1].claimant):
                continue
            ground = self.parts.of(head[1])
            matters = all_matter or ground.left > 0 or (first_matters and ground.first is None)
            if matters or self.parts.any_free(head[1]):
                yield head
            elif self._limits.allow_all(claimants_of(head[0][3])) is not None:
                continue  # whoever a limit keeps is not one of those that are looked at
            elif self._depth > 0:
                self._depth -= 1
            else:
                self._cut = True
                return

    def _fill(self) -> None:
        """Let those behind the first in line pass it, in the order in which they may."""
        self._filled, self._stopped = True, False
        self._go_on(None)
        heads = self._fills()
        head = next(heads, None)
        later: list[tuple[float, Key, Shape, Iterator[Key]]] = []
        while (head or later) and not self._stopped:
            if head is None or (later and later[0][:2] < head[:2]):
                fill, key, shape, rest = heapq.heappop(later)
            else:
                (fill, key, shape), rest = head, iter(head[2].turn)
                head = next(heads, None)
                next(rest)
            if not self.parts.any_free(shape) or not self._offer(key[3]):
                continue
            if (following := next(rest, None)) is not None:
                heapq.heappush(later, (fill, following, shape, rest))

    def _fills(self) -> Iterator[tuple[float, Key, Shape]]:
        """The first line of each shape that may pass, less those for which there is no room."""
        for head in self.view.queue.turn.fills or ():
            shape = head[2]
            if not self.parts.is_open(shape) or not self.parts.of(shape).passing:
                continue
            if not self._thorough and self._limits.refused(shape.claimant):
                continue
            if self.parts.any_free(shape):
                yield head
            elif self._limits.allow_all(claimants_of(head[1][3])) is not None:
                continue  # as in `_heads`
            elif self._depth > 0:
                self._depth -= 1
            else:
                self._cut = True
                return

    def _go_on(self, until: Key | None) -> None:
        """Let suspended runs go on, or promise them when, as far as they stand before that line."""
        while self._sleepers and not self._stopped:
            if until is not None and self._sleepers[-1][:2] > until[:2]:
                return
            sleeper = self._sleepers.pop()
            unit, shape = sleeper.unit, sleeper.shape
            ground = self.parts.pool(shape.pool)
            if (need := ground.may_start(unit, shape, on=True)) is not None:
                self.resumes.extend(sleeper.runs)
                ground.take(need, shape.length)
            elif self._depth > 0:
                self._wait(unit, shape, ground, slots=0)
            else:
                ground.stay(unit)
            self._stopped = self._stopped or unit == self._until

    # -- one after the other ---------------------------------------------------------------------

    def _offer(self, line: Line) -> bool:
        """Start or promise the line's elements; whether later lines of its shape are worth a
        look."""
        job, shape = line.entry.job, line.shape
        if not self.parts.is_open(shape):
            return self._thorough and self._no_pool(line)
        ground, flex = self.parts.of(shape), self.parts.bends(shape)
        if ground.passing and not self._filled:
            return False
        for index in islice(line.elements(), max(0, self._room(line.entry))):
            if ground.free[1] < self._least:  # nothing more can start: no more promises are needed
                self._stopped = True
                return False
            unit = (job.id, index)
            if unit in self._done:
                continue
            if not self._allowed(unit, line):
                return False
            need = None if self._over else ground.may_start(unit, shape)
            if need is not None:
                self._begin(unit, line, ground, need)
            else:
                if flex:
                    self._flexible.append((unit, line))
                if not self._wait(unit, shape, ground):
                    return False
            if unit == self._until and not flex:
                self._stopped = True
                return False
        if self._room(line.entry) <= 0:
            ground.lapse_of(job.id)
        return True

    def _bend(self) -> None:
        """What may run outside its reservation, too, takes what all others leave there."""
        begun = {(start.job, start.index) for start in self.starts}
        for unit, line in dict(self._flexible).items():  # some have been met twice
            if unit in begun:
                continue
            promised = unit in self._done
            possible = promised or self._room(line.entry) > 0
            if not possible or not self._allowed(unit, line):
                continue
            if (need := self.public.may_start(unit, line.shape)) is not None:
                if promised:
                    self._slots[unit[0]] -= 1
                self._bent.append(unit)
                self._begin(unit, line, self.public, need)

    def _in_time(self, unit: Unit, start: float) -> bool:
        """Whether its reservation is still there then: after that it starts nowhere."""
        entry = self.view.entry(unit[0])
        one = None if entry is None else self.view.book.known.get(entry.job.reservation)
        return one is None or start < one.end

    def _room(self, entry: Entry) -> int:
        """How many more elements of the job may go besides those that start or are promised to."""
        return entry.room() - self._slots.get(entry.job.id, 0)

    def _no_pool(self, line: Line) -> bool:
        """Say so of all elements of the line; always true."""
        for index in line.elements():
            unit = (line.entry.job.id, index)
            self.reasons[unit] = no_reservation(line.shape.pool)
            self._stopped = self._stopped or unit == self._until
        return True

    def _allowed(self, unit: Unit, line: Line) -> bool:
        """Whether no limit of a user, account, QOS or partition keeps the element."""
        reason = self._limits.allow_all(claimants_of(line))
        if reason is not None and self._thorough:
            self.reasons[unit] = reason
            self._stopped = self._stopped or unit == self._until
        return reason is None

    def _begin(self, unit: Unit, line: Line, ground: Ground, need: Vector) -> None:
        """Start the element, or all of a gang."""
        ground.take(need, line.shape.length)
        if not isinstance(line, Together):
            self._start(unit, line.shape, ground, need)
            return
        for one, mine in zip(line.parts, line.split(need), strict=True):
            self._start((one.job.id, NO_INDEX), one.shape, ground, mine)

    def _start(self, unit: Unit, shape: Shape, ground: Ground, need: Vector) -> None:
        request = shape.request
        given = self.view.room.given(need, ground.gpus, self._cores)
        if given is not NOTHING:
            ground.gpus = [gpu for gpu in ground.gpus if gpu not in given.gpus]
            self._cores += given.cores
        self.starts.append(
            Start(
                job=unit[0],
                index=unit[1],
                cpus=need[1],
                memory=need[2],
                gpus=given.gpus,
                others=request.others,
                exclusive=request.exclusive,
                end=None if request.time_limit is None else self.now + request.time_limit,
                reservation="" if ground is self.public else shape.pool,
                cores=given.cores,
                nodes=given.nodes,
                shared=given.shared,
            )
        )
        self._slots[unit[0]] = self._slots.get(unit[0], 0) + 1
        self._done.add(unit)
        self._limits.add(shape.claimant)

    def _wait(self, unit: Unit, shape: Shape, ground: Ground, slots: int = 1) -> bool:
        """Promise what cannot start, if promises are left; whether more of its shape is worth a
        look."""
        if not self._spend(shape):
            self._cut = self._stopped = True
            ground.stay(unit)
            return False
        possible = self.parts.possible(shape, ground)
        if possible and ground.first is None:
            self._depth = min(self._depth, self._most_behind)
        if self._thorough and self._until in (None, unit):
            ahead = ground.first if ground.first != unit else None
            kept = set_apart(self.view, shape, ground, self.now, ahead)
            self.reasons[unit] = kept or blocked(shape, self.view.room, ground.free, ahead)
        if possible and ground.first is None:
            ground.lead(unit, shape)
            if self._preempting and ground is self.public:
                profile = ground.places().at_hand
                self.preempts = preempts(self.view, unit, shape, profile, self.now)
                ground.kept = bool(self.preempts)  # what is free is its own, too
        more = False
        if possible and ground.may_owe(unit, promised=unit in self.view.promised):
            self._slots[unit[0]] = self._slots.get(unit[0], 0) + slots
            self._done.add(unit)
            ground.owe(unit, shape)
            more = ground.left > 0
        if not more:
            self._dropped.add(shape)
        if possible and (ground.left <= 0 or not self.policy.backfill or ground.kept):
            self._narrow(ground)
        return more or self._thorough

    def _spend(self, shape: Shape) -> bool:
        """Whether the budget allows to look at another that cannot start. What a plain decision
        would not look at, for its shape, has one of its own."""
        if shape in self._dropped:
            self._reasons_left -= 1
            return self._reasons_left > 0
        self._depth -= 1
        return self._depth >= 0

    def _narrow(self, ground: Ground) -> None:
        """All promises are given, or nobody may pass: the others go in an order of their own, or
        wait."""
        if not self.policy.backfill or ground.kept:
            ground.barred = True
            self._stopped = self._stopped or not (self._thorough or self.view.book.known)
        elif self.view.queue.turn.fills is not None and not self._filled:
            ground.passing = self._filling = True
            self._stopped = self._stopped or not self.view.book.known

    # -- what there is ---------------------------------------------------------------------------

    def profile(self, shape: Shape) -> Profile:
        """What will be free when, with all that this round has started and promised so far."""
        return self.parts.of(shape).places().profile

    def _recall(self) -> None:
        """Keep the promises of earlier plans, the first in line first. Whoever a limit keeps by now
        is promised nothing any more: it would only stand in the way of others."""
        found: list[tuple[object, Unit, Shape, float]] = []
        for unit, start in self.view.promised.items():
            line = self.view.queue.standing(*unit)
            if line is None or not self.parts.is_open(line.shape):
                continue
            if self._limits.allow_all(claimants_of(line)) is not None:
                continue
            if line.shape.need is not None and start != NEVER:
                found.append((line.turn_of(unit[1]), unit, line.shape, start))
        for _, unit, shape, start in sorted(found, key=itemgetter(0)):
            need = shape.need if shape.place is None else self.view.spots.get(unit)
            if need is not None and len(need) != len(self.view.room.size):
                need = None  # cards counted in another way then
            self.parts.of(shape).places().keep(unit, shape, start, need)
