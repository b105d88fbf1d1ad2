"""The fast scheduler of one pool of processors: rigid jobs, one countable resource, no names.

It is the loop of `policy.decide` for the plain case a workload log describes, on bare numbers, so
that years of a log take less than a second. A law holds it to `decide`: equal starts, whatever the
work. The source is run by the interpreter as it stands, or compiled by numba (`compiled`); so it is
written in the subset of Python that both understand, and calls `primitives` for its lists.

Times are seconds. Jobs are numbered by their place in the log, which is sorted by submit time.
"""

from __future__ import annotations

from math import inf
from typing import Any, Final, NamedTuple

from hpcshell.sim.primitives import (
    cut,
    floats,
    growing_floats,
    growing_ints,
    ints,
    left_of,
    pop,
    push,
    put,
    right_of,
    top,
)

NONE: Final = -2
ALL: Final = -1
GREEDY: Final = 0
EASY: Final = 1

# places in State.tally
QUEUED, RUNNING, ENDING, FREE, BEGUN = 0, 1, 2, 3, 4

REQUEST, CLAIRVOYANT, LAST_TWO = 0, 1, 2
FIFO, SJF, LJF, SAF = 0, 1, 2, 3

CORRECTIONS: Final = (
    60.0,
    300.0,
    900.0,
    1800.0,
    3600.0,
    7200.0,
    18000.0,
    36000.0,
    72000.0,
    180000.0,
    360000.0,
)


class Work(NamedTuple):
    """The log, by job. `run` is at most `request`."""

    submit: Any
    run: Any
    procs: Any
    request: Any
    user: Any


class Rules(NamedTuple):
    """The policy in numbers. `stepwise`: a decision after every single event, as published
    simulators of these logs do, instead of one for all events of an instant."""

    total: int
    promises: int
    order: int
    fill: int
    predictor: int
    stepwise: bool


class State(NamedTuple):
    """What the simulation keeps. `queue` are the waiting in order, `keys` what puts them there;
    `ends` the running by expected end, `holders` who they are; `times` and `jobs` a heap of real
    ends."""

    tally: Any
    queue: Any
    keys: Any
    ends: Any
    holders: Any
    times: Any
    turns: Any
    begun: Any
    expected: Any
    outrun: Any
    over: Any
    last: Any
    before: Any
    lasts: Any
    shorts: Any
    lengths: Any


class Found(NamedTuple):
    """The answer, by job."""

    start: Any
    estimate: Any
    backfilled: Any


def simulate(work: Work, rules: Rules, users: int) -> Found:
    """Run the whole log; users are numbered from 0."""
    number = len(work.submit)
    state = State(
        ints(5),
        growing_ints(number),
        growing_floats(number),
        growing_floats(number),
        growing_ints(number),
        growing_floats(number),
        growing_ints(number),
        ints(number),
        floats(number),
        ints(number),
        ints(number),
        floats(users),
        floats(users),
        ints(users),
        growing_ints(number),
        growing_floats(number),
    )
    found = Found(floats(number), floats(number), ints(number))
    state.tally[FREE] = rules.total
    submitted = 0
    tally = state.tally
    while submitted < number or tally[ENDING] > 0:
        now = work.submit[submitted] if submitted < number else inf
        if tally[ENDING] > 0:
            now = min(now, top(state.times, tally[ENDING]))
        if tally[RUNNING] > 0:
            now = min(now, state.ends[0])
        expire(work, state, found, now, rules)
        while submitted < number and work.submit[submitted] <= now:
            arrive(work, rules, state, found, submitted)
            submitted += 1
            if rules.stepwise:
                decide(work, rules, state, found, now)
        while tally[ENDING] > 0 and top(state.times, tally[ENDING]) <= now:
            finish(work, state)
            if rules.stepwise:
                decide(work, rules, state, found, now)
        if not rules.stepwise:
            decide(work, rules, state, found, now)
    return found


def estimate_of(work: Work, rules: Rules, state: State, job: int) -> float:
    """How long the job is expected to run, as far as is known when it comes."""
    request = work.request[job]
    if rules.predictor == CLAIRVOYANT:
        return work.run[job]
    if rules.predictor == LAST_TWO:
        user = work.user[job]
        if state.lasts[user] >= 2:
            return max(1.0, min(request, (state.last[user] + state.before[user]) // 2.0))
    return request


def arrive(work: Work, rules: Rules, state: State, found: Found, job: int) -> None:
    """A job is submitted: it goes to its place in the queue."""
    estimate = estimate_of(work, rules, state, job)
    found.estimate[job] = estimate
    tally = state.tally
    key = rank(rules.order, work, estimate, job)
    place = right_of(state.keys, tally[QUEUED], key)
    put(state.queue, tally[QUEUED], place, job)
    put(state.keys, tally[QUEUED], place, key)
    if rules.fill != rules.order:
        key = rank(rules.fill, work, estimate, job)
        place = right_of(state.lengths, tally[QUEUED], key)
        put(state.shorts, tally[QUEUED], place, job)
        put(state.lengths, tally[QUEUED], place, key)
    tally[QUEUED] += 1


def rank(order: int, work: Work, estimate: float, job: int) -> float:
    if order == SJF:
        return estimate
    if order == LJF:
        return -estimate
    if order == SAF:
        return estimate * work.procs[job]
    return work.submit[job]


def finish(work: Work, state: State) -> None:
    """The next run is over: its processors are free, and its user's history is longer."""
    tally = state.tally
    job = state.begun[pop(state.times, state.turns, tally[ENDING])]
    tally[ENDING] -= 1
    if not state.over[job]:
        at = left_of(state.ends, tally[RUNNING], state.expected[job])
        while state.holders[at] != job:
            at += 1
        cut(state.ends, tally[RUNNING], at)
        cut(state.holders, tally[RUNNING], at)
        tally[RUNNING] -= 1
        tally[FREE] += work.procs[job]
    user = work.user[job]
    state.before[user] = state.last[user]
    state.last[user] = work.run[job]
    state.lasts[user] += 1


def expire(work: Work, state: State, found: Found, now: float, rules: Rules) -> None:
    """Runs that were expected to have ended: expected later, or, at their limit, taken for over."""
    tally = state.tally
    while tally[RUNNING] > 0 and state.ends[0] <= now:
        job = state.holders[0]
        cut(state.ends, tally[RUNNING], 0)
        cut(state.holders, tally[RUNNING], 0)
        tally[RUNNING] -= 1
        start = found.start[job]
        if start + work.run[job] > now:
            later = corrected(found.estimate[job], state.outrun[job], work.request[job])
            state.outrun[job] += 1
            expect(state, job, start + later)
        else:
            state.over[job] = 1
            tally[FREE] += work.procs[job]


def corrected(base: float, times: int, request: float) -> float:
    """The next expectation of a run that has outrun its estimate so many times before."""
    return min(base + CORRECTIONS[min(times, 10)], request)


def expect(state: State, job: int, end: float) -> None:
    """The job runs and is expected to end then."""
    tally = state.tally
    state.expected[job] = end
    place = right_of(state.ends, tally[RUNNING], end)
    put(state.ends, tally[RUNNING], place, end)
    put(state.holders, tally[RUNNING], place, job)
    tally[RUNNING] += 1


def begin(work: Work, state: State, found: Found, job: int, now: float) -> None:
    """The job starts."""
    tally = state.tally
    found.start[job] = now
    tally[FREE] -= work.procs[job]
    expect(state, job, now + found.estimate[job])
    state.begun[tally[BEGUN]] = job
    push(state.times, state.turns, tally[ENDING], now + work.run[job], tally[BEGUN])
    tally[ENDING] += 1
    tally[BEGUN] += 1


def decide(work: Work, rules: Rules, state: State, found: Found, now: float) -> None:
    """Start what may start."""
    tally, queue = state.tally, state.queue
    while tally[QUEUED] > 0 and work.procs[queue[0]] <= tally[FREE]:
        job = queue[0]
        drop(work, rules, state, found, job, 0)
        begin(work, state, found, job, now)
    if tally[QUEUED] < 2 or rules.promises == NONE or tally[FREE] <= 0:
        return
    backfill(work, rules, state, found, now)


def drop(work: Work, rules: Rules, state: State, found: Found, job: int, place: int) -> None:
    """The job at this place of the queue waits no more."""
    tally = state.tally
    cut(state.queue, tally[QUEUED], place)
    cut(state.keys, tally[QUEUED], place)
    if rules.fill != rules.order:
        key = rank(rules.fill, work, found.estimate[job], job)
        place = left_of(state.lengths, tally[QUEUED], key)
        while state.shorts[place] != job:
            place += 1
        cut(state.shorts, tally[QUEUED], place)
        cut(state.lengths, tally[QUEUED], place)
    tally[QUEUED] -= 1


def backfill(work: Work, rules: Rules, state: State, found: Found, now: float) -> None:
    """Let jobs pass the first in line where they do not put it off."""
    tally, queue, procs = state.tally, state.queue, work.procs
    shadow, extra = inf, 1 << 62
    if rules.promises == EASY:
        need = procs[queue[0]] - tally[FREE]
        at = 0
        while need > 0:
            need -= procs[state.holders[at]]
            at += 1
        shadow = state.ends[at - 1]
        while at < tally[RUNNING] and state.ends[at] == shadow:
            need -= procs[state.holders[at]]
            at += 1
        extra = -need
    sorted_apart = rules.fill != rules.order
    line = state.shorts if sorted_apart else queue
    head = queue[0]
    at = 0
    while at < tally[QUEUED] and tally[FREE] > 0:
        job = line[at]
        if job != head and procs[job] <= tally[FREE]:
            ends_in_time = now + found.estimate[job] <= shadow
            if ends_in_time or procs[job] <= extra:
                if not ends_in_time:
                    extra -= procs[job]
                place = at
                if sorted_apart:
                    key = rank(rules.order, work, found.estimate[job], job)
                    place = left_of(state.keys, tally[QUEUED], key)
                    while queue[place] != job:
                        place += 1
                drop(work, rules, state, found, job, place)
                begin(work, state, found, job, now)
                found.backfilled[job] = 1
                continue
        at += 1


FUNCTIONS: Final = (
    estimate_of,
    arrive,
    rank,
    finish,
    expire,
    corrected,
    expect,
    begin,
    decide,
    drop,
    backfill,
)
"""What `simulate` calls: to be compiled with it."""
