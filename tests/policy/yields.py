"""Runs of a world that make room for others; what must be true of it is checked on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from hpcshell.core.records import NO_INDEX, Claim
from hpcshell.policy.line import Shape
from hpcshell.policy.plan import Plan, Preempt
from hpcshell.policy.preempt import room_after
from hpcshell.policy.room import plus
from hpcshell.policy.setapart import stock_of
from hpcshell.policy.view import Unit
from hpcshell.policy.waking import sleepers
from tests.policy.pauses import end_later, suspend, wake

if TYPE_CHECKING:
    from tests.policy.world import World

STOPS = {"requeue": "preempt", "cancel": "evict"}
"""How the mode is called when a run is stopped."""


class Debt(NamedTuple):
    """An element that runs make room for, since when, and the jobs that went before it then."""

    maker: Unit
    runs: set[int]
    since: float
    before: set[int]


class Yielded:
    """All that was preempted, and for whom."""

    def __init__(self) -> None:
        self.preempts: list[tuple[float, Preempt]] = []
        self.debts: list[Debt] = []


def make_room(world: World, plan: Plan) -> None:
    """Carry it out."""
    if not plan.preempts:
        return
    check_rights(world, plan.preempts)
    check_none_is_too_many(world, plan)
    makers = {(one.job, one.index) for one in plan.preempts}
    assert len(makers) == 1, "one at a time"
    maker, runs = makers.pop(), {one.run for one in plan.preempts}
    world.yielded.debts.append(Debt(maker, runs, world.now, _before(world, maker)))
    for one in plan.preempts:
        assert one.cause
        world.yielded.preempts.append((world.now, one))
        _yield(world, one)


def _yield(world: World, one: Preempt) -> None:
    if one.mode == "suspend":
        suspend(world, one.run)
        wake(world, one.run)
        return
    grace = room_after(world.jobs[world.runs[one.run].job])
    end, until = world.ends[one.run], world.now + grace
    if until < end.time or not grace:
        end = replace(end, time=until, exit_code=None, signal=15, stopped_by=STOPS[one.mode])
    if grace:
        world.view.leave(one.run, end.time)
        end_later(world, one.run, end)
    else:
        world.end_run(one.run, end)


def check_rights(world: World, preempts: list[Preempt]) -> None:
    """Each may be preempted, in this way, and has had its time."""
    for one in preempts:
        claim = world.runs[one.run]
        assert by_right(world, one, claim) or in_turn(world, one, claim)
        assert claim.suspended is None
        assert one.run not in world.view.leaving


def by_right(world: World, one: Preempt, claim: Claim) -> bool:
    """Whether the run has to make room for a job that has the right to it."""
    rights = world.regime.rights
    if rights is None or world.now - claim.start - claim.paused < rights.exempt:
        return False
    return one.mode == rights.mode_of(world.jobs[one.job], world.jobs[claim.job]) != ""


def in_turn(world: World, one: Preempt, claim: Claim) -> bool:
    """Whether its slice is over, and another of no less priority is to have its turn."""
    sharing, maker, victim = world.regime.sharing, world.jobs[one.job], world.jobs[claim.job]
    if sharing is None or one.mode != "suspend" or victim.priority > maker.priority:
        return False
    since = world.view.on_since(claim)
    return sharing.shares(maker) and sharing.shares(victim) and world.now >= since + sharing.slice


def check_none_is_too_many(world: World, plan: Plan) -> None:
    """Without any one of them the element would not fit, whatever else is being ended."""
    first, room = plan.preempts[0], world.view.room
    shape = lacked(world, (first.job, first.index))
    free = stock_of(world.view, shape, world.now).free
    for run in world.view.leaving:
        if world.view.pools.get(run) not in world.view.book.known:
            free = plus(free, room.held[run])
    frees = {
        one.run: room.to_give(one.run) if one.mode == "suspend" else room.held[one.run]
        for one in plan.preempts
    }
    for kept in frees:
        left = free
        for run, vector in frees.items():
            left = left if run == kept else plus(left, vector)
        assert shape.taken(left) is None, "one of them need not make room"
        free_all = plus(left, frees[kept])
        assert shape.taken(free_all) is not None


def lacked(world: World, unit: Unit) -> Shape:
    """As what the element would start, or go on."""
    for sleeper in sleepers(world.view):
        if sleeper.unit == unit:
            return sleeper.shape
    entry = world.view.entry(unit[0])
    assert entry is not None
    return entry.shape_of(unit[1])


def check_debts(world: World) -> None:
    """Whoever was made room for has started, or gone on if it stood still, as soon as it was made,
    unless it was overtaken by something that goes before it and did not when room began to be
    made."""
    for debt in world.yielded.debts[:]:
        if any(_holds(world, run) for run in debt.runs):
            continue
        world.yielded.debts.remove(debt)
        went_on = [(at, (job, index)) for at, job, index in world.resumed]
        begun = [at for at, unit in (*world.restarts, *went_on) if unit == debt.maker]
        if not any(at >= debt.since for at in begun):
            assert _before(world, debt.maker) - debt.before


def _holds(world: World, run: int) -> bool:
    claim = world.runs.get(run)
    return claim is not None and claim.suspended is None


def _before(world: World, maker: Unit) -> set[int]:
    """The jobs that go before it. In some orders time alone lets them, so that one which was there
    already may overtake it while runs that make room take their grace."""
    mine = world.view.entry(maker[0])
    assert mine is not None
    assert maker[1] == NO_INDEX or mine.job.array is not None
    others = ((job, world.view.entry(job)) for job in world.jobs)
    return {
        job
        for job, other in others
        if other is not None and (other.rank, job) < (mine.rank, mine.job.id)
    }
