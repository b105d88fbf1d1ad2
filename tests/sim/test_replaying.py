"""Laws of what is replayed: it is what the kernel finds where that knows the policy, and it holds
to the machine and its nodes where it does not."""

from __future__ import annotations

import signal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.errors import Wrong
from hpcshell.policy.place.deal import WAYS
from hpcshell.policy.place.nodes import Node
from hpcshell.sim import replay
from hpcshell.sim.faults import Fault
from hpcshell.sim.machines import Layout, machine_of
from hpcshell.sim.outage import NOBODY
from hpcshell.sim.policies import NAMED, Policy, policy_of
from hpcshell.sim.replaying import fitting, replay_of
from hpcshell.sim.simulate import Simulation, replayed, simulate
from hpcshell.trace.clean import Workload
from tests.sim.made import ANY, JOB, MACHINE, POLICIES, Rows, workload
from tests.sim.test_faults import FAULTS
from tests.sim.test_simulate import most_busy, same

KEPT = st.lists(JOB.filter(lambda job: job[3] >= 1), max_size=30).map(workload)
"""Jobs that run no longer than they asked for."""
CLEAR = st.builds(policy_of, st.sampled_from([*NAMED, "hybrid:2"]))


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """As many processors as the workloads have, on several nodes."""
    cuts = sorted(draw(st.sets(st.integers(1, MACHINE - 1), max_size=4)))
    sizes = np.diff([0, *cuts, MACHINE]).tolist()
    memory = draw(st.sampled_from((0, 0, 8)))
    nodes = (
        Node(name=f"node{number}", cpus=cpus, memory=memory) for number, cpus in enumerate(sizes, 1)
    )
    return Layout(tuple(nodes), draw(st.sampled_from(sorted(WAYS))))


def with_memory(work: Workload) -> Workload:
    """Some of the jobs ask for memory."""
    return replace(work, memory=np.arange(len(work)) % 3 * work.procs.astype(np.float64))


@settings(max_examples=200)
@given(KEPT, POLICIES, FAULTS)
def test_a_replay_finds_what_the_kernel_finds(
    work: Workload, policy: Policy, faults: tuple[Fault, ...]
) -> None:
    known, found = (way(work, policy, faults=faults) for way in (simulate, replayed))
    assert same(known, found)
    assert (known.killed, known.lost) == (found.killed, found.lost)


@settings(max_examples=200)
@given(KEPT, ANY, FAULTS)
def test_whatever_the_policy_every_job_runs_and_never_more_than_there_is(
    work: Workload, policy: Policy, faults: tuple[Fault, ...]
) -> None:
    found = simulate(work, policy, faults=faults)
    assert int((~found.started).sum()) == found.lost
    assert (found.start[found.started] >= work.submit[found.started]).all()
    assert most_busy(found) <= MACHINE


@given(KEPT, CLEAR, st.sampled_from(sorted(WAYS)))
def test_one_big_node_is_the_plain_machine(work: Workload, policy: Policy, way: str) -> None:
    layout = Layout((Node(name="node1", cpus=MACHINE),), way)
    assert same(simulate(work, policy), simulate(work, policy, layout=layout))


@settings(max_examples=200)
@given(KEPT, ANY, layouts(), FAULTS, st.booleans())
def test_on_nodes_every_job_that_fits_them_runs(
    work: Workload, policy: Policy, layout: Layout, faults: tuple[Fault, ...], lose: bool
) -> None:
    struck = (*faults, Fault(at=20.0, cpus=0, span=30.0, node="node1", lose=lose))
    try:
        work = fitting(with_memory(work), layout)
    except Wrong:
        return
    found = simulate(work, policy, faults=struck, layout=layout)
    assert int((~found.started).sum()) == found.lost
    assert most_busy(found) <= MACHINE
    assert found.engine == "replay"


@given(KEPT, CLEAR, layouts())
def test_nothing_runs_on_a_node_that_is_down(
    work: Workload, policy: Policy, layout: Layout
) -> None:
    play = replay_of(work, policy, (Fault(at=10.0, cpus=0, span=25.0, node="node1"),), layout)
    begun = replay.Replay._decide

    def look(self: replay.Replay, now: float) -> None:
        begun(self, now)
        for claim in self.view.claims.values():
            if 10.0 < now < 35.0 and any(one.node == "node1" for one in claim.nodes):
                assert claim.job == NOBODY

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay.Replay, "_decide", look)
        play.play()


def test_what_was_on_a_node_runs_again_when_it_fails() -> None:
    layout = Layout(
        machine_of("m", b"[[node]]\ncount = 2\ncpus = 8\n").machine.nodes(), "first_fit"
    )
    rows: Rows = [(0, 40, 8, 1.0, 1), (0, 40, 8, 1.0, 1)]
    fault = Fault(at=10.0, cpus=0, span=5.0, node="node1")
    found = simulate(workload(rows), policy_of("easy"), faults=(fault,), layout=layout)
    assert found.start.tolist() == [15, 0]
    assert (found.killed, found.lost) == (1, 0)
    lost = simulate(
        workload(rows), policy_of("easy"), faults=(replace(fault, lose=True),), layout=layout
    )
    assert np.isnan(lost.start[0])
    assert lost.lost == 1


def test_jobs_that_fit_no_nodes_are_left_out_and_counted() -> None:
    work = workload([(0, 40, 8, 1.0, 1), (0, 40, 8, 1.0, 1)])
    work = replace(work, memory=np.array([8.0, 100.0]))
    layout = Layout((Node(name="a", cpus=8, memory=9), Node(name="b", cpus=8, memory=9)), "pack")
    kept = fitting(work, layout)
    assert kept.oddities == {"over_nodes": 1}
    assert kept.examples == {"over_nodes": ("job 2",)}
    assert kept.id.tolist() == [1]
    with pytest.raises(Wrong, match="no job fits the nodes"):
        fitting(replace(work, memory=np.array([100.0, 100.0])), layout)


def test_a_fault_of_a_node_that_is_not_there_is_wrong() -> None:
    work, fault = workload([(0, 1, 1, 1.0, 1)]), Fault(at=1.0, cpus=0, span=1.0, node="x")
    with pytest.raises(Wrong, match="there is no node 'x'"):
        simulate(work, policy_of("easy"), faults=(fault,))
    layout = Layout((Node(name="node1", cpus=MACHINE),), "pack")
    with pytest.raises(Wrong, match="there is no node 'x'"):
        simulate(work, policy_of("easy"), faults=(fault,), layout=layout)


def test_an_interrupt_leaves_what_was_replayed_until_then() -> None:
    work = workload([(at, 10, 8, 1.0, 1) for at in range(100)])
    policy = policy_of("conservative", order="sjf")
    told: list[int] = []

    def interrupt(started: int) -> None:
        told.append(started)
        if started >= 20:
            signal.raise_signal(signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "OFTEN", 1)
        found = simulate(work, policy, progress=interrupt)
    whole: Simulation = simulate(work, policy)
    assert found.cut_short
    assert told == sorted(told)
    assert 20 <= found.measures.jobs < 100
    assert np.array_equal(found.start[found.started], whole.start[found.started])
