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
from hpcshell.sim.kernel.profile import (
    add_up,
    earlier,
    earliest,
    edge,
    fits_now,
    give_back,
    open_at,
    remember,
    take,
)
from hpcshell.sim.kernel.state import (
    ALL,
    FREE,
    LATE,
    OVERDRAWN,
    QUEUED,
    RUNNING,
    SOON,
    SPARE,
    UNTAKEN,
    Case,
)


def lay_out(case: Case, now: float) -> None:
    """What is free from when: beside what runs, and beside what has been promised. Most edges are
    those of the decision before."""
    state, procs, lengths = case.state, case.work.procs, case.found.estimate
    tally, profile, planned = state.tally, state.profile, state.planned
    first = open_at(profile, now)
    for at in range(tally[RUNNING]):
        end = max(now, state.ends[at]) if at >= tally[LATE] else now + SOON
        profile.room[edge(profile, end, 0)] += procs[state.holders[at]]
    for at in range(tally[QUEUED]):
        job = state.queue.jobs[at]
        if planned[job] == inf:
            break
        if planned[job] >= now:
            profile.room[edge(profile, planned[job], 0)] -= procs[job]
            profile.room[edge(profile, planned[job] + lengths[job], 0)] += procs[job]
    add_up(profile, first, tally[FREE], tally[RUNNING] + 2 * tally[QUEUED] + SPARE)


def place(case: Case, job: int) -> Any:
    """The job gives its place back, if it has one, and takes the first that disturbs nobody. One
    in the past was lost to a run that is overdue."""
    profile, planned = case.state.profile, case.state.planned
    procs, length, own = case.work.procs[job], case.found.estimate[job], planned[job]
    start, placed = inf, profile.edges[0] <= own < inf
    if placed and not profile.tally[OVERDRAWN]:
        start = earlier(profile, procs, length, own)
    if start != own or not placed:
        if placed:
            give_back(profile, procs, own, length)
        if start == inf:
            start = earliest(profile, procs, length)
        take(profile, procs, start, length)
        planned[job] = start
    remember(profile, procs, length, start)
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
    state, rules, procs, lengths = case.state, case.rules, case.work.procs, case.found.estimate
    tally, profile, queue = state.tally, state.profile, state.queue.jobs
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
        elif fits_now(profile, procs[job], lengths[job]):
            take(profile, procs[job], now, lengths[job])
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
