"""Laws of runs that make room for others in a replay: nothing is held twice, all ends, nobody makes
room for nothing, and it is what the daemon would have done."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.records import NO_INDEX, Claim, Job, Outcome, Resources
from hpcshell.policy.plan import Preempt
from hpcshell.policy.snapshot import Snapshot
from hpcshell.sim.bouts import Bouts
from hpcshell.sim.forward import Forward
from hpcshell.sim.logged import jobs_of
from hpcshell.sim.policies import Policy
from hpcshell.sim.replay import Replay
from hpcshell.sim.replaying import replay_of, ruled
from hpcshell.sim.simulate import Simulation, simulate
from hpcshell.trace.clean import Workload
from tests.policy.world import Act, World, same
from tests.sim.configured import OWNED, owned, policy_with, tables
from tests.sim.made import MACHINE, workload
from tests.sim.test_faults import FAULTS

POLICIES = st.builds(policy_with, tables(), st.sampled_from(("instant", "instant", "sc15")))
SAVES = st.sampled_from((0.0, 0.0, 3.0))


def held_at_once(found: Simulation) -> int:
    """The largest number of processors that jobs held at once."""
    held = found.schedule.held
    procs = found.schedule.procs[held.job]
    instants = np.concatenate([held.end, held.start])
    order = np.lexsort((np.repeat([0, 1], len(procs)), instants))
    return int(np.cumsum(np.concatenate([-procs, procs])[order]).max(initial=0))


@given(OWNED, POLICIES, SAVES)
def test_every_job_ends_and_no_processor_is_held_twice(
    work: Workload, policy: Policy, saves: float
) -> None:
    found = simulate(replace(work, saves=saves), policy)
    assert int((~found.started).sum()) == found.toll.cancelled
    assert "never_started" not in found.workload.oddities
    assert held_at_once(found) <= MACHINE
    assert (found.start[found.started] >= work.submit[found.started]).all()


@given(OWNED, POLICIES, FAULTS, SAVES)
def test_and_where_processors_go_down_too(
    work: Workload, policy: Policy, faults: tuple[Any, ...], saves: float
) -> None:
    found = simulate(replace(work, saves=saves), policy, faults=faults)
    assert int((~found.started).sum()) == found.toll.cancelled + found.lost
    assert held_at_once(found) <= MACHINE


@given(OWNED, POLICIES, SAVES)
def test_what_was_held_is_what_jobs_ran_and_what_was_lost(
    work: Workload, policy: Policy, saves: float
) -> None:
    play = replay_of(replace(work, saves=saves), policy)
    play.play()
    held = sum((span.end - span.start) * span.cpus for _, span in play.pieces())
    ran = (work.run * work.procs)[np.isfinite(play.starts)].sum()
    if policy.variant == "instant":
        assert held == pytest.approx(ran + play.toll.lost_work)
    assert play.toll.lost_work >= 0


@given(OWNED, POLICIES)
def test_nobody_makes_room_unless_who_it_is_made_for_starts_then(
    work: Workload, policy: Policy
) -> None:
    """Of two that stand still for each other at one instant, in turns, one goes on: nobody loses
    anything."""
    made: list[tuple[float, int]] = []
    begun: set[tuple[float, int]] = set()
    yields, holds, resumes = Replay._make_room, Replay._hold, Bouts.go_on

    def make_room(self: Replay, one: Preempt, now: float) -> None:
        if one.mode != "suspend" or self.regime.sharing is None:
            made.append((now, one.job))
        yields(self, one, now)

    def hold(self: Replay, claim: Claim, end: float) -> None:
        begun.add((claim.start, claim.job))
        holds(self, claim, end)

    def go_on(self: Bouts, run: int, now: float) -> Claim:
        begun.add((now, self.view.claims[run].job))
        return resumes(self, run, now)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Replay, "_make_room", make_room)
        patch.setattr(Replay, "_hold", hold)
        patch.setattr(Bouts, "go_on", go_on)
        simulate(work, policy)
    assert set(made) <= begun


def world_of(work: Workload, policy: Policy) -> World:
    """The same in a pure world."""
    rules, regime = ruled(work, policy, work.run.tolist())
    world = World(Resources(cpus=work.machine), rules, regime)
    for job in jobs_of(work, None, policy.settings):
        world.submit(job, same(Act(float(work.run[int(job.name)]))))
    return world.run()


@given(OWNED, tables(sliced=False).map(policy_with))
def test_jobs_start_and_end_when_they_do_in_a_pure_world(work: Workload, policy: Policy) -> None:
    world, found = world_of(work, policy), simulate(work, policy)
    jobs = jobs_of(work, None, policy.settings)
    ended = [job for job in jobs if world.outcome(job.id) is Outcome.COMPLETED]
    assert found.started.tolist() == [job in ended for job in jobs]
    starts = [world.starts[job.id, NO_INDEX] for job in ended]
    assert found.start[found.started].tolist() == starts
    ends = [world.tasks[job.id, NO_INDEX].end_time for job in ended]
    assert found.schedule.end.tolist() == ends


def forward_of(work: Workload, policy: Policy) -> Forward:
    """The same queue played forward, as for `hpc whatif`."""
    rules, regime = ruled(work, policy, work.run.tolist())
    empty = Snapshot(now=0.0, total=Resources(cpus=work.machine), policy=rules)

    def length(job: Job, cpus: int, limit: float | None) -> float:
        return float(work.run[int(job.name)])

    forward = Forward(empty, length, regime)
    jobs = jobs_of(work, None, policy.settings)
    for at in np.unique(work.submit).tolist():
        forward.play(at - 0.5)
        forward.now = at
        for job in jobs:
            if job.submit_time == at:
                forward.submit(job)
    return forward.play()


@given(OWNED, tables().map(policy_with))
def test_and_when_they_do_in_a_queue_that_is_played_forward(work: Workload, policy: Policy) -> None:
    found, forward = simulate(work, policy), forward_of(work, policy)
    for row, job in enumerate(jobs_of(work, None, policy.settings)):
        if found.started[row]:
            assert found.start[row] == forward.starts[job.id, NO_INDEX]


@given(OWNED, tables(sliced=False))
def test_rights_that_nobody_has_change_nothing(work: Workload, told: dict[str, Any]) -> None:
    told["qos"] = {"other": {"preempts": ["low"]}, "low": {}}
    told["scheduler"].pop("preempt_gap", None)
    told["partitions"] = {"main": {}}
    kept = replace(work, qos=np.full(len(work), -1))
    found = simulate(kept, policy_with(told))
    plain = simulate(kept, policy_with({"scheduler": told["scheduler"]}))
    assert np.array_equal(found.start, plain.start)
    assert found.toll == plain.toll
    assert found.measures == plain.measures


# ------------------------------------------------------------------------------------- scenarios

LOW, HIGH = 0, 1
TWO = owned(workload([(0, 100, 16, 2.0, 1), (30, 50, 8, 2.0, 2)]), queue=[0], qos=[LOW, HIGH])
"""One of QOS low has all processors when one of QOS high comes."""


def preempting(mode: str, **scheduler: Any) -> Policy:
    """QOS high preempts QOS low, in that way."""
    return policy_with(
        {
            "scheduler": {"order": "priority", "preempt_mode": mode, **scheduler},
            "qos": {"low": {}, "high": {"preempts": ["low"]}},
        }
    )


@pytest.mark.parametrize(
    ("mode", "saves", "ends", "lost"),
    [
        ("suspend", 0, [150, 80], 0),
        ("requeue", 0, [180, 80], 30 * 16),
        ("requeue", 20, [160, 80], 10 * 16),
        ("cancel", 0, [80], 30 * 16),
    ],
)
def test_a_job_makes_room_at_once_and_its_wait_is_that_for_its_first_start(
    mode: str, saves: float, ends: list[float], lost: float
) -> None:
    found = simulate(replace(TWO, saves=saves), preempting(mode))
    assert found.start[1] == 30
    assert found.schedule.end.tolist() == ends
    assert found.measures.max_wait == 0
    assert found.toll.lost_work == lost
    counts = (found.toll.suspended, found.toll.requeued, found.toll.cancelled)
    assert counts == tuple(int(mode == one) for one in ("suspend", "requeue", "cancel"))


def test_slowdown_counts_until_the_last_end() -> None:
    """The first would have run for 100 s, and ends after 180."""
    found = simulate(TWO, preempting("requeue"))
    assert found.measures.avebsld == (180 / 100 + 1) / 2
    assert found.measures.makespan == 180
    assert found.measures.utilization == (100 * 16 + 50 * 8) / (180 * 16)


def test_a_run_is_safe_for_as_long_as_the_file_says() -> None:
    found = simulate(TWO, preempting("requeue", preempt_exempt_time="45s"))
    assert found.start.tolist() == [0, 45]


def test_a_fresh_checkpoint_makes_a_run_the_cheapest() -> None:
    """The second has run for less, but saved nothing yet."""
    work = owned(
        workload([(0, 100, 8, 2.0, 1), (12, 100, 8, 2.0, 1), (21, 9, 8, 2.0, 2)]),
        queue=[0],
        qos=[LOW, LOW, HIGH],
    )
    ends = [
        simulate(replace(work, saves=saves), preempting("requeue")).schedule.end.tolist()
        for saves in (0.0, 20.0)
    ]
    assert ends == [[100, 130, 30], [110, 112, 30]]


SLICED = {
    "scheduler": {"order": "priority", "time_slice": "5s"},
    "partitions": {"main": {}, "shared": {"time_sliced": True}},
}


def test_groups_take_turns() -> None:
    work = owned(workload([(0, 20, 16, 2.0, 1), (1, 10, 16, 2.0, 2)]), queue=[2], qos=[LOW])
    found = simulate(work, policy_with(SLICED))
    assert found.start.tolist() == [0, 5]
    assert found.schedule.end.tolist() == [30, 20]
    assert found.toll.suspended == 3


def test_who_stands_still_goes_behind_who_came_at_that_instant() -> None:
    work = owned(workload([(0, 9, 16, 2.0, 1), (5, 2, 1, 2.0, 2)]), queue=[2], qos=[LOW])
    found = simulate(work, policy_with(SLICED))
    assert found.start.tolist() == [0, 5]
    assert found.schedule.end.tolist() == [11, 7]
