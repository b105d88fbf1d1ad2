"""What lets waiting work go: holds, dependencies, begin times, back-off, throttles, deadlines.

A job's elements are ready when it is not held, its gate (begin time, dependencies) is open and its
throttle has room; an element with its own record must besides be free of its own hold and
back-off. Whatever is not ready is outside the order, and enters it when the fact or the instant
that it waits for comes.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator
from math import inf, nextafter
from typing import Final

from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Job, Request, Task
from hpcshell.policy.depend import NOT_YET, Verdict
from hpcshell.policy.gang import Gangs, bound
from hpcshell.policy.line import Entry, Line, Turn
from hpcshell.policy.order import Sorted
from hpcshell.policy.ties import Ties, Touched

ALL: Final = -2
"""In place of an index: everything of the job that waits."""


def latest_start(job: Job, request: Request) -> float | None:
    """The last instant at which it could start and still end by its deadline; None: no deadline."""
    return None if job.deadline is None else job.deadline - (request.time_limit or 0.0)


def _after(instant: float | None) -> float | None:
    """The first instant after this one."""
    return None if instant is None else nextafter(instant, inf)


class Doomed:
    """Indices (or `ALL`) that can never start any more, by job."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[int, dict[int, None]] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((job, index) for job, indices in self._found.items() for index in indices)

    def __contains__(self, element: tuple[int, int]) -> bool:
        return element[1] in self._found.get(element[0], ())

    def add(self, job: int, index: int) -> None:
        self._found.setdefault(job, {})[index] = None

    def forgive(self, job: int, indices: Collection[int] | IndexSet) -> None:
        """These wait no more, or have hope again."""
        found = self._found.get(job)
        if found is None:
            return
        for index in [index for index in found if index in indices]:
            del found[index]
        if not found:
            del self._found[job]

    def forget(self, job: int) -> None:
        self._found.pop(job, None)


class Gates:
    """The gates of all live jobs. `never`: dependencies that cannot be met; `late`: deadlines."""

    def __init__(self, jobs: dict[int, Entry], turn: Turn, ties: Ties, gangs: Gangs) -> None:
        self.gangs = gangs
        self.clock = 0.0
        self.never = Doomed()
        self.late = Doomed()
        self._jobs = jobs
        self._turn = turn
        self._ties = ties
        self._alarms: list[tuple[float, int, int]] = []

    # -- one job ---------------------------------------------------------------------------------

    def open(self, entry: Entry) -> None:
        """Work out from when the job may go, as far as its begin time and parents say."""
        job, bond = entry.job.id, self._ties.bond(entry.job.id)
        when = self._ties.gate(job)
        if when is None:
            self.never.add(job, ALL)
            when = NOT_YET
        elif self.never:
            self.never.forgive(job, (ALL,))
        singly = bond is not None and bool(bond.each)
        either = singly and bond is not None and bond.dependencies.any
        entry.gate = max(entry.job.begin, 0.0 if either else when)
        for instant in (entry.gate, when):
            if instant > self.clock:
                self._alarm(instant, job, ALL)
        if entry.freed is not None or singly:
            entry.freed = Sorted() if singly and not (either and when <= self.clock) else None
            self.free_all(entry)
        self.place(entry)

    def meet_deadline(self, entry: Entry) -> None:
        """Find out whether new elements of the job can still end in time, and until when."""
        latest = latest_start(entry.job, entry.job.request)
        entry.late = latest is not None and self._is_late(entry, ALL, latest)

    def place(self, entry: Entry) -> None:
        """Put the job's lines in the order of the ready, or take them out."""
        going = not entry.job.held and entry.gate <= self.clock and entry.room() > 0
        if entry.job.gang is not None:
            ready = going and bound(entry) and entry.any_ready()
            self.gangs.settle(entry, ready)
            going = going and not bound(entry)
        for line in entry.all_lines() if entry.lines else (entry,):
            ready = going and line.any_ready()
            if ready and line.place is None:
                self._turn.enter(line)
            elif not ready and line.place is not None:
                self._turn.withdraw(line)

    def touch(self, touched: Iterable[Touched]) -> None:
        """Look again at those whose parents have changed."""
        for child, index in touched:
            entry = self._jobs.get(child)
            if entry is None:
                continue
            if index is None:
                self.open(entry)
            else:
                self._free(entry, index)
                self.place(entry)

    # -- one element -----------------------------------------------------------------------------

    def stand(self, entry: Entry, task: Task, line: Line) -> None:
        """Find out whether an element with its own record is ready, or when it will be."""
        if line.again is not None:
            line.again.discard(task.index)
        latest = latest_start(entry.job, line.shape.request)
        late = latest is not None and self._is_late(entry, task.index, latest)
        own = self._own_gate(entry, task)
        if own is None:
            self.never.add(entry.job.id, task.index)
            own = NOT_YET
        since = max(task.not_before, own)
        if since > self.clock:
            self._alarm(since, entry.job.id, task.index)
        elif not late and not task.held:
            line.again = line.again or Sorted()
            line.again.add(task.index)

    def free_all(self, entry: Entry) -> None:
        """Find out anew which elements are freed by their own parents."""
        bond = self._ties.bond(entry.job.id)
        if entry.freed is not None and bond is not None:
            entry.freed = Sorted()
            heard = bond.heard_of(self._ties.facts)
            for index in entry.waiting if heard is None else heard:
                self._free(entry, index)
        for task, line in list(entry.tasks.values()):
            self.stand(entry, task, line)

    def _free(self, entry: Entry, index: int) -> None:
        """Find out whether one element is freed by its own parents, or when it will be."""
        if entry.freed is None:
            return
        if index in entry.tasks:
            self.stand(entry, *entry.tasks[index])
        elif index in entry.waiting:
            when = self._element(entry, index)
            if when is None:
                self.never.add(entry.job.id, index)
            elif when <= self.clock:
                entry.freed.discard(index)
                entry.freed.add(index)
            else:
                self._alarm(when, entry.job.id, index)

    def _own_gate(self, entry: Entry, task: Task) -> Verdict:
        """From when an element may go that waits for its like in another array."""
        return 0.0 if entry.freed is None or task.attempt else self._element(entry, task.index)

    def _element(self, entry: Entry, index: int) -> Verdict:
        bond = self._ties.bond(entry.job.id)
        return 0.0 if bond is None else bond.element(self._ties.facts, index)

    # -- time ------------------------------------------------------------------------------------

    def advance(self, now: float) -> None:
        """What time alone makes ready becomes ready. A clock that goes back undoes nothing."""
        self.clock = max(self.clock, now)
        alarms = self._alarms
        while alarms and alarms[0][0] <= self.clock:
            _, job, index = heapq.heappop(alarms)
            if (entry := self._jobs.get(job)) is not None:
                self._ring(entry, index)

    def next_wake(self) -> float | None:
        """The next instant at which time alone changes something; None: never."""
        alarms = self._alarms
        while alarms and not self._rings(*alarms[0]):
            heapq.heappop(alarms)
        return alarms[0][0] if alarms else None

    def _alarm(self, time: float, job: int, index: int) -> None:
        if time < NOT_YET:
            heapq.heappush(self._alarms, (time, job, index))

    def _is_late(self, entry: Entry, index: int, latest: float) -> bool:
        if latest >= self.clock:
            self._alarm(nextafter(latest, inf), entry.job.id, index)
            return False
        self.late.add(entry.job.id, index)
        return True

    def _rings(self, time: float, job: int, index: int) -> bool:
        """Whether an alarm still means something; a stale one would do no harm."""
        entry = self._jobs.get(job)
        if entry is None:
            return False
        if index in entry.tasks:
            task, line = entry.tasks[index]
            latest = latest_start(entry.job, line.shape.request)
            since = max(task.not_before, self._own_gate(entry, task) or 0.0)
            return time in (since, _after(latest))
        if index == ALL:
            latest = latest_start(entry.job, entry.job.request) if entry.waiting else None
            return time in (entry.gate, self._ties.gate(job), _after(latest))
        return entry.freed is not None and time == self._element(entry, index)

    def _ring(self, entry: Entry, index: int) -> None:
        if index == ALL:
            if not entry.late:
                self.meet_deadline(entry)
            if entry.freed is not None:
                self.open(entry)
        elif index in entry.tasks:
            self.stand(entry, *entry.tasks[index])
        else:
            self._free(entry, index)
        self.place(entry)
