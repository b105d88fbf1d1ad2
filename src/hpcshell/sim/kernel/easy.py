"""Decisions with one promise or none: EASY backfill, first fit, or a queue that nobody may pass."""

from __future__ import annotations

from math import inf

from hpcshell.sim.kernel.events import begin, find, foresee_length, key_of, least
from hpcshell.sim.kernel.primitives import sort
from hpcshell.sim.kernel.scores import LAST_STATIC
from hpcshell.sim.kernel.state import (
    EXTRA,
    FREE,
    GREEDY,
    LATE,
    NONE,
    QUEUED,
    RUNNING,
    SETTLED,
    SOON,
    UNTAKEN,
    Case,
    Line,
)


def decide_about(case: Case, now: float, job: int, place: int) -> None:
    """Decide after nothing but the arrival of one job, which stands at that place in line."""
    rules, tally = case.rules, case.state.tally
    if not tally[SETTLED] or tally[LATE] > 0 or place == 0 or rules.order > LAST_STATIC:
        decide(case, now)
    elif rules.promises != NONE and may_pass(case, job, now):
        begin(case, job, find(case, case.state.queue, rules.order, job), now)
        case.found.backfilled[job] = 1


def decide(case: Case, now: float) -> None:
    """Start what may start."""
    work, rules, state = case.work, case.rules, case.state
    tally, queue = state.tally, state.queue.jobs
    if rules.order > LAST_STATIC:
        if tally[FREE] < least(case):
            return
        for at in range(tally[QUEUED]):
            foresee_length(case, queue[at])
    resort(case, state.queue, rules.order, now)
    while tally[QUEUED] > 0 and work.procs[queue[0]] <= tally[FREE]:
        begin(case, queue[0], 0, now)
    tally[SETTLED] = 1
    if tally[QUEUED] == 0 or rules.promises == NONE:
        tally[SETTLED] = tally[QUEUED] > 0
        return
    foresee(case, now)
    if tally[FREE] > 0 and tally[QUEUED] > 1:
        backfill(case, now)


def resort(case: Case, line: Line, order: int, now: float) -> None:
    """Put a line in order once more, where the order changes with time."""
    if order <= LAST_STATIC:
        return
    queued = case.state.tally[QUEUED]
    for at in range(queued):
        line.keys[at] = key_of(case, order, line.jobs[at], now)
    sort(line.keys, line.jobs, queued)


def resort_fill(case: Case, now: float) -> None:
    """Put those that may pass the first in line in their order once more; of equals the first in
    line goes first."""
    queue, fill, rules = case.state.queue, case.state.fill, case.rules
    if max(rules.order, rules.fill) <= LAST_STATIC:
        return
    queued = case.state.tally[QUEUED]
    for at in range(queued):
        fill.keys[at] = key_of(case, rules.fill, queue.jobs[at], now)
        fill.jobs[at] = at
    sort(fill.keys, fill.jobs, queued)
    for at in range(queued):
        fill.jobs[at] = queue.jobs[fill.jobs[at]]


def foresee(case: Case, now: float) -> None:
    """Promise the first in line the first instant at which it will fit, the shadow time; `extra`
    is what will be left beside it then (Lifka 1995; Mu'alem and Feitelson 2001)."""
    state, procs = case.state, case.work.procs
    tally, holders = state.tally, state.holders
    if case.rules.promises == GREEDY:
        state.shadow[0], tally[EXTRA] = inf, UNTAKEN
        return
    need = procs[state.queue.jobs[0]] - tally[FREE]
    at = 0
    while need > 0:
        need -= procs[holders[at]]
        at += 1
    shadow = state.ends[at - 1] if at > tally[LATE] else now + SOON
    while at < tally[RUNNING] and (at < tally[LATE] or state.ends[at] <= shadow):
        need -= procs[holders[at]]
        at += 1
    state.shadow[0], tally[EXTRA] = shadow, -need


def may_pass(case: Case, job: int, now: float) -> bool:
    """Whether the job can start without putting off the first in line; it then is let pass."""
    tally = case.state.tally
    procs = case.work.procs[job]
    if procs > tally[FREE]:
        return False
    if now + case.found.estimate[job] <= case.state.shadow[0]:
        return True
    if procs > tally[EXTRA]:
        return False
    tally[EXTRA] -= procs
    return True


def backfill(case: Case, now: float) -> None:
    """Let jobs pass the first in line where they do not put it off."""
    rules, state = case.rules, case.state
    tally, queue = state.tally, state.queue
    apart = rules.fill != rules.order
    if apart:
        resort_fill(case, now)
    line = state.fill.jobs if apart else queue.jobs
    head = queue.jobs[0]
    at = 0 if apart else 1
    while at < tally[QUEUED] and tally[FREE] > 0:
        job = line[at]
        if job != head and may_pass(case, job, now):
            begin(case, job, find(case, queue, rules.order, job) if apart else at, now)
            case.found.backfilled[job] = 1
        else:
            at += 1
