"""The live jobs and what lets each of their elements go: the waiting half of the view.

A job's elements are ready when it is not held, its gate (begin time, dependencies) is open and its
throttle has room; an element with its own record must besides be free of its own hold and
back-off. Whatever is not ready is outside the order and enters when the fact or the instant that
it waits for comes.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable
from math import inf, nextafter
from typing import Final

from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Job, Request, Task
from hpcshell.core.units import format_duration
from hpcshell.policy.depend import NOT_YET, Verdict
from hpcshell.policy.line import NO_TASKS, Entry, Line, Turn
from hpcshell.policy.order import Rank, Sorted
from hpcshell.policy.room import Room
from hpcshell.policy.ties import Ties, Touched

ALL: Final = -2
"""In place of an index: everything of the job that waits."""
NOBODY: Final[dict[int, None]] = {}


def latest_start(job: Job, request: Request) -> float | None:
    """The last instant at which it could start and still end by its deadline; None: no deadline."""
    return None if job.deadline is None else job.deadline - (request.time_limit or 0.0)


def deadline_sentence(entry: Entry, index: int) -> str:
    """Why what waits of the job (or one element) cannot end by its deadline any more."""
    request = entry.job.request if index == ALL else entry.request_of(index)
    if request.time_limit is None:
        return "its deadline has passed before it could start"
    span = format_duration(request.time_limit)
    return f"it may run for {span}, and that much is not left until its deadline"


def _after(instant: float | None) -> float | None:
    """The first instant after this one."""
    return None if instant is None else nextafter(instant, inf)


class Queue:
    """`never` and `late`: for each job, the indices (or `ALL`) that can never start any more."""

    def __init__(self, room: Room, rank: Rank) -> None:
        self.jobs: dict[int, Entry] = {}
        self.turn = Turn()
        self.ties = Ties(self._size)
        self.clock = 0.0
        self.never: dict[int, dict[int, None]] = {}
        self.late: dict[int, dict[int, None]] = {}
        self._room = room
        self._rank = rank
        self._alarms: list[tuple[float, int, int]] = []

    def put(self, job: Job, waiting: IndexSet) -> None:
        entry = self.jobs.get(job.id)
        if entry is None:
            shape = self.turn.shape(job.request, self._room)
            entry = self.jobs[job.id] = Entry(job, waiting, self._rank(job), shape)
            entry.running = sum(claim.job == job.id for claim in self._room.claims.values())
        else:
            self._amend(entry, job, waiting)
        self.touch(self.ties.join(job))
        latest = latest_start(job, job.request)
        entry.late = latest is not None and latest < self.clock
        if latest is not None:
            self._late(entry, ALL, latest)
        self._open(entry)

    def put_task(self, task: Task) -> None:
        entry = self.jobs[task.job]
        self._leave(entry, task.index)
        if entry.tasks is NO_TASKS:
            entry.tasks = {}
        line = self._line(entry, task.request)
        line.members += 1
        entry.tasks[task.index] = (task, line)
        if task.attempt:
            entry.note_begun(task.index)
        self._stand(entry, task, line)
        self._place(entry)

    def start(self, entry: Entry, index: int) -> bool:
        """The element runs; whether this is its first beginning."""
        fresh = self._leave(entry, index)
        entry.note_begun(index)
        entry.running += 1
        self._place(entry)
        return fresh

    def stop(self, job: int) -> None:
        """One element fewer runs."""
        entry = self.jobs.get(job)
        if entry is not None:
            entry.running -= 1
            self._place(entry)

    def take(self, job: int, index: int) -> bool:
        """The element waits no more; whether it had ever begun."""
        entry = self.jobs.get(job)
        if entry is None:
            return True
        self._leave(entry, index)
        self._place(entry)
        begun = index in entry.begun
        entry.begun -= {index}
        return begun

    def take_all(self, job: int, indices: IndexSet) -> None:
        """Many waiting elements wait no more."""
        entry = self.jobs.get(job)
        if entry is None:
            return
        if indices.ranges == entry.waiting.ranges:
            entry.waiting = IndexSet()
        else:
            entry.waiting = entry.waiting.minus(indices)
        self._forgive(entry, indices)
        if entry.freed is not None:
            self._free_all(entry)
        self._place(entry)

    def drop(self, job: int) -> None:
        entry = self.jobs.pop(job, None)
        if entry is None:
            return
        for line in entry.all_lines():
            self.turn.withdraw(line)
            self.turn.leave(line.shape)
        self.never.pop(job, None)
        self.late.pop(job, None)
        self.touch(self.ties.leave(job))

    def touch(self, touched: Iterable[Touched]) -> None:
        """Look again at those whose parents have changed."""
        for child, index in touched:
            entry = self.jobs.get(child)
            if entry is None:
                continue
            if index is None:
                self._open(entry)
            else:
                self._free(entry, index)
                self._place(entry)

    def standing(self, job: int, index: int) -> Line | None:
        """The line in which the element stands ready; None when it is not ready."""
        entry = self.jobs.get(job)
        if entry is None:
            return None
        held = entry.tasks.get(index)
        line = entry if held is None else held[1]
        if line.place is None:
            return None
        if held is not None:
            return line if line.again is not None and index in line.again else None
        return line if index in (entry.waiting if entry.freed is None else entry.freed) else None

    def advance(self, now: float) -> None:
        """What time alone makes ready becomes ready. A clock that goes back undoes nothing."""
        self.clock = max(self.clock, now)
        alarms = self._alarms
        while alarms and alarms[0][0] <= self.clock:
            _, job, index = heapq.heappop(alarms)
            entry = self.jobs.get(job)
            if entry is not None:
                self._ring(entry, index)

    def next_wake(self) -> float | None:
        alarms = self._alarms
        while alarms and not self._rings(*alarms[0]):
            heapq.heappop(alarms)
        return alarms[0][0] if alarms else None

    # ------------------------------------------------------------------------------ one element

    def _leave(self, entry: Entry, index: int) -> bool:
        """Take an element out of wherever it waits; whether it waited and had never begun."""
        if self.never or self.late:
            self._forgive(entry, (index,))
        if index in entry.tasks:
            task, line = entry.tasks.pop(index)
            if line.again is not None:
                line.again.discard(index)
            line.members -= 1
            if entry.lines and not line.members and line is not entry:
                self.turn.withdraw(line)
                self.turn.leave(line.shape)
                entry.lines.remove(line)
            return task.attempt == 0
        waiting = entry.waiting
        if waiting and waiting.first == index:
            entry.waiting = waiting.rest
        elif index in waiting:
            entry.waiting = waiting.without(index)
        else:
            return False
        if entry.freed is not None:
            entry.freed.discard(index)
        return True

    def _line(self, entry: Entry, request: Request | None) -> Line:
        """The line of the job in which elements with this request stand."""
        if request is None or request == entry.job.request:
            return entry
        shape = self.turn.shape(request, self._room)
        for line in entry.lines or ():
            if line.shape is shape:
                self.turn.leave(shape)
                return line
        lines = entry.lines or []
        line = Line(min((other.number for other in lines), default=0) - 1, shape)
        line.entry = entry
        entry.lines = [*lines, line]
        return line

    def _stand(self, entry: Entry, task: Task, line: Line) -> None:
        """Find out whether an element with its own record is ready, or when it will be."""
        if line.again is not None:
            line.again.discard(task.index)
        latest = latest_start(entry.job, line.shape.request)
        late = latest is not None and self._late(entry, task.index, latest)
        own = self._own_gate(entry, task)
        if own is None:
            self.never.setdefault(entry.job.id, {})[task.index] = None
        since = max(task.not_before, NOT_YET if own is None else own)
        if since > self.clock:
            self._alarm(since, entry.job.id, task.index)
        elif not late and not task.held:
            line.again = line.again or Sorted()
            line.again.add(task.index)

    def _own_gate(self, entry: Entry, task: Task) -> Verdict:
        """From when an element may go that waits for its like in another array."""
        if entry.freed is None or task.attempt:
            return 0.0
        return self.ties.element(entry.job.id, task.index)

    # -------------------------------------------------------------------------------- one job

    def _amend(self, entry: Entry, job: Job, waiting: IndexSet) -> None:
        for line in entry.all_lines():
            self.turn.withdraw(line)
        tasks = [task for task, _ in entry.tasks.values()]
        for task in tasks:
            self._leave(entry, task.index)
        shape = self.turn.shape(job.request, self._room)
        self.turn.leave(entry.shape)
        entry.shape = shape
        entry.job, entry.waiting, entry.rank = job, waiting, self._rank(job)
        self.never.pop(job.id, None)
        self.late.pop(job.id, None)
        for task in tasks:
            self.put_task(task)

    def _open(self, entry: Entry) -> None:
        """Work out from when the job may go, as far as its begin time and parents say."""
        job = entry.job.id
        bond = self.ties.bond(job)
        when = self.ties.gate(job)
        if when is None:
            self.never.setdefault(job, {})[ALL] = None
            when = NOT_YET
        elif self.never:
            self.never.get(job, {}).pop(ALL, None)
        each = bond is not None and bool(bond.each)
        either = each and bond is not None and bond.dependencies.any
        entry.freed = Sorted() if each and not (either and when <= self.clock) else None
        entry.gate = max(entry.job.begin, 0.0 if either else when)
        for instant in (entry.gate, when):
            if self.clock < instant < NOT_YET:
                self._alarm(instant, job, ALL)
        if entry.freed is not None:
            self._free_all(entry)
        self._place(entry)

    def _free_all(self, entry: Entry) -> None:
        job = entry.job.id
        entry.freed = Sorted()
        told = self.ties.ended_elements(job)
        for index in entry.waiting if self.ties.over(job) else told:
            self._free(entry, index)
        for task, line in list(entry.tasks.values()):
            self._stand(entry, task, line)

    def _free(self, entry: Entry, index: int) -> None:
        """Find out whether one element is freed by its own parents, or when it will be."""
        if entry.freed is None:
            return
        if index in entry.tasks:
            self._stand(entry, *entry.tasks[index])
        elif index in entry.waiting:
            when = self.ties.element(entry.job.id, index)
            if when is None:
                self.never.setdefault(entry.job.id, {})[index] = None
            elif when <= self.clock:
                entry.freed.discard(index)
                entry.freed.add(index)
            elif when < NOT_YET:
                self._alarm(when, entry.job.id, index)

    def _place(self, entry: Entry) -> None:
        """Put the job's lines in the order of the ready, or take them out."""
        going = not entry.job.held and entry.gate <= self.clock and entry.room() > 0
        for line in entry.all_lines() if entry.lines else (entry,):
            ready = going and line.any_ready()
            if ready and line.place is None:
                self.turn.enter(line)
            elif not ready and line.place is not None:
                self.turn.withdraw(line)

    # ---------------------------------------------------------------------------------- time

    def _late(self, entry: Entry, index: int, latest: float) -> bool:
        if latest >= self.clock:
            self._alarm(nextafter(latest, inf), entry.job.id, index)
            return False
        self.late.setdefault(entry.job.id, {})[index] = None
        return True

    def _forgive(self, entry: Entry, indices: Collection[int] | IndexSet) -> None:
        """These wait no more, so they are not to be reported any more."""
        for found in (self.never, self.late):
            told = found.get(entry.job.id, NOBODY)
            for index in [index for index in told if index in indices]:
                del told[index]

    def _alarm(self, time: float, job: int, index: int) -> None:
        if time < NOT_YET:
            heapq.heappush(self._alarms, (time, job, index))

    def _rings(self, time: float, job: int, index: int) -> bool:
        """Whether an alarm still means something; a stale one would do no harm."""
        entry = self.jobs.get(job)
        if entry is None:
            return False
        if index in entry.tasks:
            task, line = entry.tasks[index]
            latest = latest_start(entry.job, line.shape.request)
            return time in (max(task.not_before, self._own_gate(entry, task) or 0.0), _after(latest))
        if index == ALL:
            latest = latest_start(entry.job, entry.job.request) if entry.waiting else None
            return time in (entry.gate, self.ties.gate(job), _after(latest))
        return entry.freed is not None and time == self.ties.element(job, index)

    def _ring(self, entry: Entry, index: int) -> None:
        if index == ALL:
            latest = latest_start(entry.job, entry.job.request)
            if latest is not None and latest < self.clock:
                entry.late = True
                self._late(entry, ALL, latest)
            if entry.freed is not None:
                self._open(entry)
        elif index in entry.tasks:
            self._stand(entry, *entry.tasks[index])
        else:
            self._free(entry, index)
        self._place(entry)

    def _size(self, job: int) -> int | None:
        entry = self.jobs.get(job)
        if entry is None:
            return None
        array = entry.job.array
        return 1 if array is None else len(IndexSet.parse(array.indices))
