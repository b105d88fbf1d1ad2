"""The loop over the instants of a log."""

from __future__ import annotations

from math import inf

from hpcshell.sim.kernel.easy import decide, decide_about
from hpcshell.sim.kernel.events import arrive, expire, finish
from hpcshell.sim.kernel.plan import decide_all, decide_new
from hpcshell.sim.kernel.primitives import top
from hpcshell.sim.kernel.state import ALL, ENDING, LATE, RUNNING, SETTLED, Case, plans


def play(case: Case, submitted: int, until: float) -> int:
    """Go on where so many jobs had been submitted, with all that happens up to and at `until`;
    how many have been submitted then. From 0 to `inf` is the whole log."""
    if case.rules.stepwise:
        return play_events(case, submitted, until)
    return play_instants(case, submitted, until)


def next_instant(case: Case, submitted: int) -> float:
    """When something happens next: `inf` at the end."""
    state = case.state
    now = case.work.submit[submitted] if submitted < len(case.work.submit) else inf
    if state.tally[ENDING] > 0:
        now = min(now, top(state.times, state.tally[ENDING]))
    if state.tally[RUNNING] > state.tally[LATE]:
        now = min(now, state.ends[state.tally[LATE]])
    return now


def play_instants(case: Case, submitted: int, until: float) -> int:
    """All that happens at an instant, then one decision."""
    submit, state = case.work.submit, case.state
    tally, number = state.tally, len(submit)
    planning = plans(case.rules)
    now = next_instant(case, submitted)
    while now < inf and now <= until:
        news = expire(case, now)
        while tally[ENDING] > 0 and top(state.times, tally[ENDING]) <= now:
            finish(case)
            news = True
        first, place = submitted, 0
        while submitted < number and submit[submitted] <= now:
            place = arrive(case, submitted)
            submitted += 1
        if submitted - first > 1:
            tally[SETTLED] = 0
        if planning and (news or submitted > first):
            decide_all(case, now)
        elif news or submitted > first:
            decide_about(case, now, submitted - 1, place)
        now = next_instant(case, submitted)
    return submitted


def play_events(case: Case, submitted: int, until: float) -> int:
    """A decision after every event: at one instant first those that come, then those that end.

    With promises for all, one that comes is given a promise and nothing else changes; the others
    are looked at again when a run has ended.
    """
    rules, submit, state = case.rules, case.work.submit, case.state
    tally, number = state.tally, len(submit)
    planning = plans(rules)
    now = next_instant(case, submitted)
    while now < inf and now <= until:
        expire(case, now)
        while submitted < number and submit[submitted] <= now:
            place = arrive(case, submitted)
            submitted += 1
            if rules.promises == ALL:
                decide_new(case, now)
            elif planning:
                decide_all(case, now)
            else:
                decide_about(case, now, submitted - 1, place)
        while tally[ENDING] > 0 and top(state.times, tally[ENDING]) <= now:
            finish(case)
            if planning:
                decide_all(case, now)
            else:
                decide(case, now)
        now = next_instant(case, submitted)
    return submitted
