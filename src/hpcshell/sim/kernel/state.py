"""What the kernel is told, keeps and finds: tuples of lists, and what the numbers mean."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Final, NamedTuple

NONE: Final = -2
ALL: Final = -1
GREEDY: Final = 0
EASY: Final = 1
"""`Rules.promises`: nobody passes the first in line; a promise for all; none; one; or so many."""

REQUEST, CLAIRVOYANT, LAST_TWO, SHRUNK = 0, 1, 2, 3
"""`Rules.predictor`."""

# places in State.tally
QUEUED, RUNNING, LATE, ENDING, BEGUN, FREE, SETTLED, EXTRA = range(8)
TALLIES: Final = 8
SOON: Final = 1.0
"""A run that should have ended by now is taken to end so many seconds from now, as by `decide`."""
UNTAKEN: Final = 1 << 62

# places in Profile.tally
SEGMENTS, OVERDRAWN = range(2)
SPARE: Final = 64
"""So many edges more than could be needed are kept from one decision to the next."""
SLOTS: Final = 64
"""So many sizes of jobs are remembered, with the instant before which nothing like them fits."""
REACH: Final = 1e9
"""Seconds; longer jobs are remembered in one place."""


class Work(NamedTuple):
    """The log, by job. Users are numbered from 0, so many; so are those jobs `alike` that have a
    user and a request in common, and the `same`, of as many processors, too. (These two are looked
    at by the predictor SHRUNK alone.)"""

    submit: Any
    run: Any
    procs: Any
    request: Any
    user: Any
    users: int
    alike: Any
    alikes: int
    same: Any
    sames: int


class Rules(NamedTuple):
    """The policy in numbers. `order` puts the waiting in line, `fill` those that may pass the
    first.

    `stepwise`: a decision after every single event, in the order that the simulators behind the
    published schedules take them, instead of one for all events of an instant.
    """

    total: int
    promises: int
    order: int
    fill: int
    predictor: int
    stepwise: bool


def plans(rules: Rules) -> bool:
    """Whether more than the first in line is promised a start."""
    return rules.promises == ALL or rules.promises > EASY


class Line(NamedTuple):
    """Waiting jobs, and the ascending `keys` that put them in order."""

    jobs: Any
    keys: Any


class Past(NamedTuple):
    """What part of their requests ended jobs have used: faded sums and counts, by key."""

    sums: Any
    counts: Any


class Profile(NamedTuple):
    """What is free from when (`OVERDRAWN`: at some time less than nothing). By slot: before the
    instant `since` nothing of so many `procs` fits for so long."""

    tally: Any
    edges: Any
    room: Any
    procs: Any
    lengths: Any
    since: Any


class State(NamedTuple):
    """What a simulation keeps.

    `queue` is the line, `fill` the same jobs in the order in which they may pass the first. `ends`
    are the expected ends of what runs, ascending, `holders` whose they are, the first LATE of them
    overdue; `times` and `turns` a heap of the real ends, with the number of the start (`begun`
    tells the job). By job: `expected` end, how often `outrun`, whether taken for `over`, and
    `planned` start. By user: the run times of the `last` job and of the one `before`, and how many
    there were. By job: the `typical` length it is put in order by; and what is known of the ratio
    of run to request of its user, and of jobs like it.
    """

    tally: Any
    shadow: Any
    queue: Line
    fill: Line
    ends: Any
    holders: Any
    times: Any
    turns: Any
    begun: Any
    expected: Any
    outrun: Any
    over: Any
    planned: Any
    profile: Profile
    last: Any
    before: Any
    lasts: Any
    typical: Any
    of_user: Past
    of_alike: Past
    of_same: Past


class Found(NamedTuple):
    """The answer, by job. `backfilled`: it passed one that came before it in line."""

    start: Any
    estimate: Any
    backfilled: Any


class Case(NamedTuple):
    """All of one simulation."""

    work: Work
    rules: Rules
    state: State
    found: Found


def prepared(work: Work, rules: Rules, lists: ModuleType) -> Case:
    """The empty machine; `lists` are `primitives` or `arrays`, as those of `work` are."""
    number = len(work.submit)
    most = 8 * (number + SPARE) if plans(rules) else 0  # kept, moved and new ones, two a job each
    state = State(
        tally=lists.ints(TALLIES),
        shadow=lists.floats(1),
        queue=Line(lists.growing_ints(number), lists.growing_floats(number)),
        fill=Line(lists.growing_ints(number), lists.growing_floats(number)),
        ends=lists.growing_floats(number),
        holders=lists.growing_ints(number),
        times=lists.growing_floats(number),
        turns=lists.growing_ints(number),
        begun=lists.ints(number),
        expected=lists.floats(number),
        outrun=lists.ints(number),
        over=lists.ints(number),
        planned=lists.floats(number),
        profile=Profile(
            lists.ints(2),
            lists.growing_floats(most),
            lists.growing_ints(most),
            lists.ints(SLOTS),
            lists.floats(SLOTS),
            lists.floats(SLOTS),
        ),
        last=lists.floats(work.users),
        before=lists.floats(work.users),
        lasts=lists.ints(work.users),
        typical=lists.floats(number),
        of_user=Past(lists.floats(work.users), lists.floats(work.users)),
        of_alike=Past(lists.floats(work.alikes), lists.floats(work.alikes)),
        of_same=Past(lists.floats(work.sames), lists.floats(work.sames)),
    )
    state.tally[FREE] = rules.total
    return Case(
        work, rules, state, Found(lists.floats(number), lists.floats(number), lists.ints(number))
    )
