"""Conservative and hybrid backfill of the kernel: a start for all that wait, or for the first few.

Every decision lays out what runs until its expected end, and on that the promises given before.
Then each job in the order of the line gives its place back and takes the first one that disturbs
nobody: the same, or an earlier one when a run has ended early (the compression of Feitelson and
Weil 1998; Mu'alem and Feitelson 2001). What has no promise may start only beside all of them.
"""

from __future__ import annotations

from math import inf
from typing import Any

from hpcshell.sim.kernel.events import begin, least
from hpcshell.sim.kernel.primitives import append, clear, left_of, put
from hpcshell.sim.kernel.state import (
    ALL,
    FREE,
    LATE,
    QUEUED,
    RUNNING,
    SEGMENTS,
    SOON,
    UNTAKEN,
    Case,
)


def lay_out(case: Case, now: float) -> None:
    """What is free from when: beside what runs, and beside what has been promised."""
    state, procs = case.state, case.work.procs
    tally, edges, room = state.tally, state.edges, state.room
    free = tally[FREE]
    clear(edges)
    clear(room)
    append(edges, 0, now)
    append(room, 0, free)
    last = 0
    for at in range(tally[RUNNING]):
        free += procs[state.holders[at]]
        end = state.ends[at] if at >= tally[LATE] else now + SOON
        if end > edges[last]:
            last += 1
            append(edges, last, end)
            append(room, last, free)
        room[last] = free
    tally[SEGMENTS] = last + 1
    for at in range(tally[QUEUED]):
        job = state.queue.jobs[at]
        if state.planned[job] == inf:
            break
        if state.planned[job] >= now:
            take(case, job, state.planned[job], procs[job])


def edge(case: Case, time: float) -> int:
    """The number of the segment that begins at `time`, made if there is none."""
    state = case.state
    segments = state.tally[SEGMENTS]
    place = left_of(state.edges, segments, time)
    if place == segments or state.edges[place] != time:
        put(state.edges, segments, place, time)
        put(state.room, segments, place, state.room[place - 1])
        state.tally[SEGMENTS] = segments + 1
    return place


def take(case: Case, job: int, start: float, procs: int) -> None:
    """Hold `procs` from `start` for as long as the job is expected to run; give back what is
    negative."""
    room = case.state.room
    first = edge(case, start)
    for at in range(first, edge(case, start + case.found.estimate[job])):
        room[at] -= procs


def earliest(case: Case, job: int) -> Any:
    """The first instant at which the job fits for as long as it is expected to run."""
    state = case.state
    edges, room = state.edges, state.room
    procs, length = case.work.procs[job], case.found.estimate[job]
    segments = state.tally[SEGMENTS]
    start = 0
    end = edges[0] + length
    at = 0
    while at < segments and (at == start or edges[at] < end):
        if room[at] < procs:
            start = at + 1
            end = edges[start] + length if start < segments else inf
        at += 1
    return edges[start]


def fits_now(case: Case, job: int, now: float) -> bool:
    """Whether the job may start beside all that runs and is promised."""
    state = case.state
    procs = case.work.procs[job]
    last = left_of(state.edges, state.tally[SEGMENTS], now + case.found.estimate[job])
    for at in range(max(1, last)):  # noqa: SIM110 - compiled, too
        if state.room[at] < procs:
            return False
    return True


def place(case: Case, job: int) -> Any:
    """The job gives its place back, if it has one, and takes the first that disturbs nobody. One
    in the past was lost to a run that is overdue."""
    state, procs = case.state, case.work.procs[job]
    if state.edges[0] <= state.planned[job] < inf:
        take(case, job, state.planned[job], -procs)
    start = earliest(case, job)
    take(case, job, start, procs)
    state.planned[job] = start
    return start


def matter(case: Case, now: float) -> bool:
    """Whether promises decide anything now. Where none is given yet, those first in line start that
    fit; if nobody after them does, nobody needs to know a start."""
    state, procs = case.state, case.work.procs
    tally, queue = state.tally, state.queue.jobs
    if tally[QUEUED] > 0 and state.planned[queue[0]] < inf:
        return True
    while tally[QUEUED] > 0 and procs[queue[0]] <= tally[FREE]:
        begin(case, queue[0], 0, now)
    for at in range(tally[QUEUED]):  # noqa: SIM110 - compiled, too
        if procs[queue[at]] <= tally[FREE]:
            return True
    return False


def decide_all(case: Case, now: float) -> None:
    """Everybody's turn, in the order of the line, as long as anything can start.

    Where nothing can, nobody needs to know a start yet; as published (`stepwise`), all do.
    """
    state, rules = case.state, case.rules
    tally, queue = state.tally, state.queue.jobs
    enough = 0 if rules.stepwise else least(case)
    if tally[FREE] < enough or not (rules.stepwise or matter(case, now)):
        return
    lay_out(case, now)
    left = UNTAKEN if rules.promises == ALL else rules.promises
    at = 0
    while at < tally[QUEUED] and tally[FREE] >= enough:
        job = queue[at]
        starts = False
        if left > 0 or state.planned[job] < inf:
            starts = place(case, job) <= now
            left -= not starts
        elif fits_now(case, job, now):
            take(case, job, now, case.work.procs[job])
            starts = True
        if starts:
            case.found.backfilled[job] = at > 0
            begin(case, job, at, now)
        else:
            at += 1


def decide_new(case: Case, now: float) -> None:
    """A promise for the last in line alone; all others keep theirs."""
    tally = case.state.tally
    last = tally[QUEUED] - 1
    job = case.state.queue.jobs[last]
    lay_out(case, now)
    if place(case, job) <= now:
        case.found.backfilled[job] = last > 0
        begin(case, job, last, now)
