"""What happens to jobs: they come, start, are over, or outrun what was expected of them."""

from __future__ import annotations

from math import ceil, inf
from typing import Any

from hpcshell.predict.runtimes import corrected
from hpcshell.predict.shrunk import FADES, LEAST, MARGIN
from hpcshell.sim.kernel.primitives import cut, left_of, pop, push, put, right_of
from hpcshell.sim.kernel.scores import FIFO, LAST_STATIC, score
from hpcshell.sim.kernel.state import (
    BEGUN,
    CLAIRVOYANT,
    ENDING,
    FREE,
    LAST_TWO,
    LATE,
    QUEUED,
    RUNNING,
    SETTLED,
    SHRUNK,
    UNTAKEN,
    Case,
    Line,
    Past,
    State,
)


def estimate_of(case: Case, job: int) -> Any:
    """How long the job is expected to run, as far as is known when it comes."""
    work, state = case.work, case.state
    if case.rules.predictor == CLAIRVOYANT:
        return work.run[job]
    request = work.request[job]
    user = work.user[job]
    if case.rules.predictor == LAST_TWO and state.lasts[user] >= 2:
        return max(1.0, min(request, (state.last[user] + state.before[user]) // 2.0))
    return request


def foresee_length(case: Case, job: int) -> None:
    """Expect something of a job that waits: when it comes, or once more."""
    if case.rules.predictor == SHRUNK:
        typical = shrunk(case, job)
        case.state.typical[job] = typical
        case.found.estimate[job] = max(1.0, min(case.work.request[job], ceil(MARGIN * typical)))
    else:
        estimate = estimate_of(case, job)
        case.state.typical[job] = case.found.estimate[job] = estimate


def shrunk(case: Case, job: int) -> Any:
    """The run time of `predict.shrunk.Shrunk`: the request times the part that is used of such."""
    work, state = case.work, case.state
    ratio = 1.0
    ratio = shrink(state.of_user, work.user[job], ratio)
    ratio = shrink(state.of_alike, work.alike[job], ratio)
    ratio = shrink(state.of_same, work.same[job], ratio)
    return max(LEAST, ratio * work.request[job])


def shrink(past: Past, key: int, ratio: float) -> Any:
    """What is known under the key, drawn to `ratio` as if that had been seen once."""
    return (past.sums[key] + ratio) / (past.counts[key] + 1.0)


def learn(past: Past, key: int, ratio: float) -> None:
    """Another ratio under the key; the earlier ones count less."""
    past.sums[key] = past.sums[key] * FADES + ratio
    past.counts[key] = past.counts[key] * FADES + 1.0


def least(case: Case) -> int:
    """The fewest processors that anything waiting asks for."""
    found = UNTAKEN
    for at in range(case.state.tally[QUEUED]):
        found = min(found, case.work.procs[case.state.queue.jobs[at]])
    return found


def key_of(case: Case, order: int, job: int, now: float) -> Any:
    """What puts the job in its place in an order; the least goes first. The line goes by typical
    lengths, those that may pass the first in it by the lengths that promises rest on."""
    work = case.work
    submit = work.submit[job]
    if order == FIFO:
        return submit
    lengths = case.state.typical if order == case.rules.order else case.found.estimate
    return score(order, now - submit, lengths[job], work.procs[job], submit)


def arrive(case: Case, job: int) -> int:
    """A job is submitted: it goes to its place in line, which is returned."""
    rules, state = case.rules, case.state
    tally = state.tally
    foresee_length(case, job)
    place = join(case, state.queue, rules.order, job)
    if rules.fill != rules.order:
        among_equals(case, job, join(case, state.fill, rules.fill, job))
    tally[QUEUED] += 1
    state.planned[job] = inf
    return place


def join(case: Case, line: Line, order: int, job: int) -> int:
    """Put the job into a line."""
    key = key_of(case, order, job, case.work.submit[job])
    queued = case.state.tally[QUEUED]
    place = right_of(line.keys, queued, key)
    put(line.jobs, queued, place, job)
    put(line.keys, queued, place, key)
    return place


def among_equals(case: Case, job: int, place: int) -> None:
    """Of those that may pass the first in line alike, the first in line goes first; the job is the
    last of them."""
    line, order, submit = case.state.fill, case.rules.order, case.work.submit
    key = key_of(case, order, job, submit[job])
    while place > 0 and line.keys[place - 1] == line.keys[place]:
        other = line.jobs[place - 1]
        if key_of(case, order, other, submit[other]) <= key:
            return
        line.jobs[place - 1], line.jobs[place] = job, other
        place -= 1


def find(case: Case, line: Line, order: int, job: int) -> int:
    """Where in a line the job stands."""
    place = 0
    if max(order, case.rules.order) <= LAST_STATIC:  # else keys may be of an earlier instant
        place = left_of(line.keys, case.state.tally[QUEUED], key_of(case, order, job, 0.0))
    while line.jobs[place] != job:
        place += 1
    return place


def leave(case: Case, job: int, place: int) -> None:
    """The job, at that place in the queue, waits no more."""
    rules, state = case.rules, case.state
    queued = state.tally[QUEUED]
    cut(state.queue.jobs, queued, place)
    cut(state.queue.keys, queued, place)
    if rules.fill != rules.order:
        place = find(case, state.fill, rules.fill, job)
        cut(state.fill.jobs, queued, place)
        cut(state.fill.keys, queued, place)
    state.tally[QUEUED] = queued - 1


def begin(case: Case, job: int, place: int, now: float) -> None:
    """The job, at that place in the queue, starts."""
    leave(case, job, place)
    work, state, found = case.work, case.state, case.found
    tally = state.tally
    found.start[job] = now
    tally[FREE] -= work.procs[job]
    expect(state, job, now + found.estimate[job])
    state.begun[tally[BEGUN]] = job
    push(state.times, state.turns, tally[ENDING], now + work.run[job], tally[BEGUN])
    tally[ENDING] += 1
    tally[BEGUN] += 1


def expect(state: State, job: int, end: float) -> None:
    """The job runs and is expected to end then."""
    running = state.tally[RUNNING]
    state.expected[job] = end
    place = right_of(state.ends, running, end)
    put(state.ends, running, place, end)
    put(state.holders, running, place, job)
    state.tally[RUNNING] = running + 1


def forget(state: State, at: int) -> None:
    """No end is expected any more of what runs at that place."""
    running = state.tally[RUNNING]
    cut(state.ends, running, at)
    cut(state.holders, running, at)
    state.tally[RUNNING] = running - 1


def finish(case: Case) -> None:
    """The next run is over: its processors are free, and its user's history is longer."""
    work, state = case.work, case.state
    tally = state.tally
    job = state.begun[pop(state.times, state.turns, tally[ENDING])]
    tally[ENDING] -= 1
    tally[SETTLED] = 0
    if not state.over[job]:
        at = left_of(state.ends, tally[RUNNING], state.expected[job])
        while state.holders[at] != job:
            at += 1
        tally[LATE] -= at < tally[LATE]
        forget(state, at)
        tally[FREE] += work.procs[job]
    user = work.user[job]
    state.before[user] = state.last[user]
    state.last[user] = work.run[job]
    state.lasts[user] += 1
    if case.rules.predictor == SHRUNK:
        ratio = min(work.run[job], work.request[job]) / work.request[job]
        learn(state.of_user, user, ratio)
        learn(state.of_alike, work.alike[job], ratio)
        learn(state.of_same, work.same[job], ratio)


def expire(case: Case, now: float) -> bool:
    """Runs that were expected to have ended: they have, or are expected later, or are overdue;
    whether any is expected later."""
    work, state, found = case.work, case.state, case.found
    tally = state.tally
    changed = False
    while tally[RUNNING] > tally[LATE] and state.ends[tally[LATE]] <= now:
        job = state.holders[tally[LATE]]
        tally[SETTLED] = 0
        start = found.start[job]
        if case.rules.predictor == SHRUNK:
            later = start + min(work.request[job], ceil(MARGIN * (now - start)))
        else:
            later = start + corrected(found.estimate[job], state.outrun[job], work.request[job])
        if start + work.run[job] <= now:
            forget(state, tally[LATE])
            state.over[job] = 1
            tally[FREE] += work.procs[job]
        elif later > now:
            forget(state, tally[LATE])
            state.outrun[job] += 1
            expect(state, job, later)
            changed = True
        else:
            tally[LATE] += 1
    return changed
