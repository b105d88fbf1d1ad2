"""The live jobs: which of their elements wait, in which line, and which run."""

from __future__ import annotations

import heapq
from functools import partial

from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Job, Request, Task
from hpcshell.policy.gang import Gangs
from hpcshell.policy.gates import Gates
from hpcshell.policy.line import NO_TASKS, Entry, Line, Shape, Turn
from hpcshell.policy.regime import Regime
from hpcshell.policy.room import Room
from hpcshell.policy.ties import Ties


class Queue:
    """`jobs` by id; `turn`: the ready in order; `ties`: dependencies; `gates`: what lets go."""

    def __init__(self, room: Room, regime: Regime) -> None:
        self.jobs: dict[int, Entry] = {}
        self.turn = Turn(room, regime.fill, apart=regime.passes is not None)
        self.ties = Ties(partial(_size, self.jobs))
        self.gates = Gates(self.jobs, self.turn, self.ties, Gangs(self.turn, room))
        self._room = room
        self.regime = regime
        self._first: list[tuple[float, int]] = []
        """A heap of ranks and job ids: of all that wait, and of some that do so no more."""

    def put(self, job: Job, waiting: IndexSet) -> Entry:
        """A live job, new or amended."""
        entry = self.jobs.get(job.id)
        before = None if entry is None else entry.job
        tasks: list[Task] = []
        if entry is None:
            shape = self._shape(job, job.request)
            entry = self.jobs[job.id] = Entry(job, waiting, self._rank(job), shape)
        else:
            tasks = self._amend(entry, job, waiting)
        self.gates.touch(self.ties.join(job, before))
        if job.deadline is not None or entry.late:
            self.gates.meet_deadline(entry)
        self.gates.open(entry)
        if entry.waits():
            heapq.heappush(self._first, (entry.rank, job.id))
        for task in tasks:
            self.put_task(task)
        return entry

    def put_task(self, task: Task) -> None:
        """An element of a live job waits with its own record."""
        entry = self.jobs[task.job]
        if not entry.waits():
            heapq.heappush(self._first, (entry.rank, task.job))
        self._leave(entry, task.index)
        if entry.tasks is NO_TASKS:
            entry.tasks = {}
        line = self._line(entry, task.request)
        line.members += 1
        entry.tasks[task.index] = (task, line)
        if task.attempt:
            entry.note_begun(task.index)
        self.gates.stand(entry, task, line)
        self.gates.place(entry)

    def lend(self, entry: Entry, index: int) -> None:
        """The element waits no more and does not run yet: it is to follow a run of its job."""
        self._leave(entry, index)
        entry.lent |= {index}
        self.gates.place(entry)

    def start(self, entry: Entry, index: int) -> bool:
        """The element runs; whether this is its first beginning."""
        fresh = self._leave(entry, index)
        entry.note_begun(index)
        entry.running += 1
        self.gates.place(entry)
        return fresh

    def stop(self, job: int) -> None:
        """One element fewer runs."""
        entry = self.jobs.get(job)
        if entry is not None:
            entry.running -= 1
            self.gates.place(entry)

    def take(self, job: int, index: int) -> bool:
        """The element is over; whether it had ever begun."""
        entry = self.jobs.get(job)
        if entry is None:
            return True
        self._leave(entry, index)
        self.gates.place(entry)
        if index not in entry.begun:
            return False
        entry.forget_begun(index)
        return True

    def take_all(self, job: int, indices: IndexSet) -> None:
        """Many waiting elements wait no more."""
        entry = self.jobs.get(job)
        if entry is None:
            return
        gone_all = indices.ranges == entry.waiting.ranges
        entry.waiting = IndexSet() if gone_all else entry.waiting.minus(indices)
        self.gates.never.forgive(job, indices)
        self.gates.late.forgive(job, indices)
        if entry.freed is not None:
            self.gates.free_all(entry)
        self.gates.place(entry)

    def drop(self, job: int) -> None:
        """The job is live no more."""
        entry = self.jobs.pop(job, None)
        if entry is None:
            return
        if entry.job.gang is not None:
            self.gates.gangs.leave(entry)
        for line in entry.all_lines():
            self.turn.withdraw(line)
            self.turn.leave(line.shape)
        self.gates.never.forget(job)
        self.gates.late.forget(job)
        self.gates.touch(self.ties.leave(entry.job))

    def foremost(self) -> Entry | None:
        """The first in rank of all jobs of which anything waits, ready or not."""
        while self._first:
            rank, job = self._first[0]
            entry = self.jobs.get(job)
            if entry is not None and entry.rank == rank and entry.waits():
                return entry
            heapq.heappop(self._first)
        return None

    def standing(self, job: int, index: int) -> Line | None:
        """The line in which the element stands ready; None when it is not ready."""
        entry = self.jobs.get(job)
        if entry is None:
            return None
        return self.gates.gangs.line_of(entry.job) or entry.standing(index)

    def _leave(self, entry: Entry, index: int) -> bool:
        """Take an element out of wherever it waits; whether it waited and had never begun."""
        job = entry.job.id
        if self.gates.never:
            self.gates.never.forgive(job, (index,))
        if self.gates.late:
            self.gates.late.forgive(job, (index,))
        if index in entry.lent:
            entry.lent -= {index}
            return True
        if index in entry.tasks:
            return self._leave_line(entry, index)
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

    def _leave_line(self, entry: Entry, index: int) -> bool:
        task, line = entry.tasks.pop(index)
        if line.again is not None:
            line.again.discard(index)
        line.members -= 1
        if entry.lines and not line.members and line is not entry:
            self.turn.withdraw(line)
            self.turn.leave(line.shape)
            entry.lines.remove(line)
        return task.attempt == 0

    def _line(self, entry: Entry, request: Request | None) -> Line:
        """The line of the job in which elements with this request stand."""
        if request is None or request == entry.job.request:
            return entry
        shape = self._shape(entry.job, request)
        for line in entry.lines or ():
            if line.shape is shape:
                self.turn.leave(shape)
                return line
        lines = entry.lines or []
        line = Line(min((other.number for other in lines), default=0) - 1, shape)
        line.entry = entry
        entry.lines = [*lines, line]
        return line

    def _amend(self, entry: Entry, job: Job, waiting: IndexSet) -> list[Task]:
        """Change a job that is known; its elements with a record, to be put again."""
        if entry.job.gang is not None:
            self.gates.gangs.settle(entry, False)
        for line in entry.all_lines():
            self.turn.withdraw(line)
        tasks = [task for task, _ in entry.tasks.values()]
        for task in tasks:
            self._leave_line(entry, task.index)
        shape = self._shape(job, job.request)
        self.turn.leave(entry.shape)
        entry.shape = shape
        entry.job, entry.waiting, entry.rank = job, waiting, self._rank(job)
        self.gates.never.forget(job.id)
        self.gates.late.forget(job.id)
        return tasks

    def rerank(self) -> bool:
        """Ask for all ranks again; whether any has changed."""
        changed = False
        for entry in self.jobs.values():
            rank = self._rank(entry.job)
            if rank != entry.rank:
                entry.rank = rank
                changed = True
        for entry in self.jobs.values():
            if entry.waits():
                self._foresee(entry)
        if self.regime.passes is not None:
            repass(self)
        elif changed:
            self.turn.rerank()
        if changed:
            waiting = (entry for entry in self.jobs.values() if entry.waits())
            self._first = sorted((entry.rank, entry.job.id) for entry in waiting)
        return changed

    def _foresee(self, entry: Entry) -> None:
        """Expect something of a waiting job once more."""
        length = self.regime.foresight.length(entry.job, entry.job.request)
        if length == entry.shape.length or entry.lines:
            return
        placed = entry.place is not None
        self.turn.withdraw(entry)
        before, entry.shape = entry.shape, self._shape(entry.job, entry.job.request)
        self.turn.leave(before)
        if placed:
            self.turn.enter(entry)

    def _rank(self, job: Job) -> float:
        typical = self.regime.foresight.typical(job, job.request)
        rank = self.regime.rank(job, typical, self.gates.clock)
        sharing = self.regime.sharing
        return rank if sharing is None else sharing.rank(job, rank)

    def _shape(self, job: Job, request: Request) -> Shape:
        length = self.regime.foresight.length(job, request)
        bounds = self.regime.bounds
        claimant = None if bounds is None else bounds.claimant(job, self._room.held_by(request))
        passes = None
        if self.regime.passes is not None:
            passes = (self.regime.passes(job, length, self.gates.clock), job.id)
        return self.turn.shape(request, length, claimant, job.reservation, passes=passes)


def _size(jobs: dict[int, Entry], job: int) -> int | None:
    entry = jobs.get(job)
    return None if entry is None or entry.untold else entry.size()


def repass(queue: Queue) -> None:
    """Ask again for the ranks by which jobs pass the first in line, as of the time told last."""
    passes = queue.regime.passes
    if passes is None:
        return
    for entry in queue.jobs.values():
        for line in entry.all_lines():
            line.shape.fill = passes(entry.job, line.shape.length, queue.gates.clock)
    queue.turn.rerank()
