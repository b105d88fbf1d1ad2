"""Faults: processors that are gone for a while, and what becomes of the jobs on them.

An outage is played as a run that nobody submitted: it takes its processors at once, and gives them
back when it is over, which the scheduler knows. What ran there is killed, the latest started first,
and submitted again, to run from its start; or it is lost.
"""

from __future__ import annotations

import re
from heapq import heapify
from typing import Any, Final

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Record
from hpcshell.core.units import count, duration
from hpcshell.core.words import quote
from hpcshell.sim.kernel.easy import decide
from hpcshell.sim.kernel.events import arrive, begin, forget
from hpcshell.sim.kernel.state import (
    BEGUN,
    ENDING,
    FREE,
    LATE,
    RUNNING,
    SETTLED,
    SHRUNK,
    Case,
)

NO_ROW: Final = -1
_FAULT: Final = (
    r"(?P<at>.+?) down (?:node (?P<node>\S+)|(?P<cpus>\S+) cpus?) for (?P<span>.+?)"
    r"(?P<lose> losing jobs)?"
)
_HINT: Final = (
    "write: 3d12h down 16 cpus for 2h, or down node node3; and behind it losing jobs, if they do "
    "not run again"
)


class Fault(Record, frozen=True, kw_only=True):
    """`cpus` processors, or all of the `node` of that name, are gone from `at`, on the clock of the
    trace, for `span` seconds. `lose`: the jobs on them do not run again."""

    at: float
    cpus: int
    span: float
    lose: bool = False
    node: str = ""


def fault_of(text: str) -> Fault:
    """Reads `TIME down N cpus for DURATION [losing jobs]`, or `down node NAME`. Raises `Wrong`."""
    found = re.fullmatch(_FAULT, " ".join(text.split()))
    if found is None:
        raise Wrong(f"--fault: {quote(text)} is no fault", _HINT)
    return Fault(
        at=duration(found["at"], "--fault", zero=True),
        cpus=0 if found["node"] else count(found["cpus"], "--fault"),
        node=found["node"] or "",
        span=duration(found["span"], "--fault"),
        lose=found["lose"] is not None,
    )


class Outages:
    """Faults that strike a case of plain lists.

    A job that runs again is one more job of the case, behind those submitted so far: nothing knows
    of the later ones yet, so that their numbers may change. `rows` tells which row of the workload
    each job of the case is, `killed` and `lost` how many of them were.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self.rows = list(range(len(case.work.submit)))
        work = case.work
        self._columns = [work.submit, work.run, work.procs, work.request, work.user]
        if case.rules.predictor == SHRUNK:
            self._columns += [work.alike, work.same]
        self.killed = 0
        self.lost = 0

    def strike(self, fault: Fault, submitted: int) -> int:
        """The fault happens, after all else of that instant; how many have been submitted then."""
        case, tally = self.case, self.case.state.tally
        tally[SETTLED] = 0
        killed = self._make_room(fault.cpus)
        cpus = min(fault.cpus, tally[FREE])
        if cpus:
            place = self._submit(submitted, NO_ROW, self._outage(fault, cpus))
            begin(case, submitted, place, fault.at)
            submitted += 1
        for job in killed:
            row, self.rows[job] = self.rows[job], NO_ROW
            if not fault.lose:
                work = (fault.at, *(column[job] for column in self._columns[1:]))
                self._submit(submitted, row, work)
                submitted += 1
        self.killed += len(killed)
        self.lost += len(killed) if fault.lose else 0
        decide(case, fault.at)
        return submitted

    def _make_room(self, cpus: int) -> list[int]:
        """Kill what was started last until so many processors are free; in the order in which the
        jobs were submitted."""
        state = self.case.state
        killed = []
        running = set(state.holders[: state.tally[RUNNING]])
        for job in reversed(state.begun[: state.tally[BEGUN]]):
            if state.tally[FREE] >= cpus:
                break
            if job in running and self.rows[job] != NO_ROW:
                self._kill(job)
                killed.append(job)
        return sorted(killed)

    def _kill(self, job: int) -> None:
        state, tally = self.case.state, self.case.state.tally
        at = state.holders.index(job)
        tally[LATE] -= at < tally[LATE]
        forget(state, at)
        tally[FREE] += self.case.work.procs[job]
        state.times[:] = [end for end in state.times if state.begun[end[1]] != job]
        heapify(state.times)
        tally[ENDING] -= 1

    def _outage(self, fault: Fault, cpus: int) -> tuple[float, ...]:
        """What a job is that takes so many processors for as long as the fault lasts: like no
        other, and of a user of its own."""
        state = self.case.state
        for history in (state.last, state.before, state.lasts):
            history.append(0)
        known = (state.of_user, state.of_alike, state.of_same)
        for past in known:
            past.sums.append(0.0)
            past.counts.append(0.0)
        user, alike, same = (len(past.sums) - 1 for past in known)
        return (fault.at, fault.span, cpus, fault.span, user, alike, same)[: len(self._columns)]

    def _submit(self, job: int, row: int, work: tuple[float, ...]) -> int:
        """One more job, with this number; its place in line."""
        case, state = self.case, self.case.state
        by_job = (state.expected, state.outrun, state.over, state.planned, state.typical)
        columns: list[tuple[list[Any], Any]] = [
            (self.rows, row),
            *zip(self._columns, work, strict=True),
            *((found, 0) for found in (*case.found, *by_job)),
        ]
        for column, value in columns:
            column.insert(job, value)
        state.begun.append(0)
        return arrive(case, job)
