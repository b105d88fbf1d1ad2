"""What starts now: one loop over the ready work with one number, how many promises to keep.

    plan = decide(view, policy, now)
    for start in plan.starts: view.claim(start.claim(run_id, now))
    for run in plan.resumes: view.resume(run, now)

In order of rank, what fits starts. What does not fit is promised the first instant at which it
will, as long as promises are left to give; whatever comes after it may start only if no promise
moves back for it (`places`). No promise is greedy first fit, one is EASY backfill (Lifka 1995;
Mu'alem and Feitelson 2001), some are hybrid, all (`promises=None`) are conservative backfill.

Work that has no time limit counts as running for ever: it is never let past a promise whose
resources it would keep, so nothing starves; see `profile`.

A start can be what other work waits for (`after`), so the owner decides again until nothing starts.

`decide` changes nothing. It gives promises only where they decide something, so an answer costs
next to nothing when nothing can start; `forecast` is the same loop run to its end, with every
promise and reason.
"""

from __future__ import annotations

from hpcshell.policy.plan import Plan, Policy, Start
from hpcshell.policy.room import fits
from hpcshell.policy.round import Round
from hpcshell.policy.view import Unit, View, any_may_yield
from hpcshell.policy.waking import any_may_go_on

__all__ = ["Plan", "Policy", "Start", "decide", "forecast"]


def decide(view: View, policy: Policy, now: float) -> Plan:
    """What starts now. The view must have been told the time (`advance`)."""
    starts = not view.closed and (any_may_yield(view) or _any_room(view, policy))
    if not (starts or any_may_go_on(view)):
        return Plan(starts=[], promises=view.promised, spots=view.spots, next_wake=view.next_wake())
    return Round(view, policy, now, thorough=False, until=None).decide()


def forecast(view: View, policy: Policy, now: float, until: Unit | None = None) -> Plan:
    """As `decide`, with every promise and reason, as far as `until` if one is named."""
    return Round(view, policy, now, thorough=True, until=until).decide()


def _any_room(view: View, policy: Policy) -> bool:
    """Whether anything at all could start; the shapes are asked only while they are few."""
    free, turn = view.room.free, view.queue.turn
    if not turn.heads or free[0] <= 0 or free[1] < turn.least_cpus():
        return False
    if len(turn.heads) > policy.depth:
        return True
    return any(fits(shape.need, free) for _, shape in turn.heads)
