"""Laws of faults: what goes down is not used, what was on it runs again or is lost, and nothing
else changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.sim.faults import Fault, fault_of
from hpcshell.sim.policies import Policy, policy_of
from hpcshell.sim.simulate import Simulation, simulate
from hpcshell.trace.clean import Workload
from tests.sim.made import MACHINE, POLICIES, WORKLOADS, workload

FAULTS = st.lists(
    st.builds(
        Fault,
        at=st.integers(0, 150).map(float),
        cpus=st.integers(1, MACHINE),
        span=st.integers(1, 80).map(float),
        lose=st.booleans(),
    ),
    max_size=3,
).map(tuple)


def busy(found: Simulation, at: float) -> int:
    """Processors in use at an instant, by what was not killed."""
    schedule = found.schedule
    return int(schedule.procs[(schedule.start <= at) & (at < schedule.end)].sum())


def outages(faults: tuple[Fault, ...]) -> list[Fault]:
    """What goes down in the end: a fault takes no more than earlier ones have left."""
    happened: list[Fault] = []
    for fault in sorted(faults, key=lambda fault: fault.at):
        left = MACHINE - down(happened, fault.at)
        happened.append(Fault(at=fault.at, cpus=min(left, fault.cpus), span=fault.span))
    return happened


def down(happened: list[Fault], at: float) -> int:
    """Processors gone at an instant."""
    return sum(fault.cpus for fault in happened if fault.at <= at < fault.at + fault.span)


@given(WORKLOADS, POLICIES, FAULTS)
def test_what_is_down_is_not_used(
    work: Workload, policy: Policy, faults: tuple[Fault, ...]
) -> None:
    found = simulate(work, policy, faults=faults)
    for at in {*found.start[found.started].tolist(), *(fault.at for fault in faults)}:
        assert busy(found, at) <= MACHINE - down(outages(faults), at)


@given(WORKLOADS, POLICIES, FAULTS)
def test_every_job_runs_to_its_end_or_is_counted_as_lost(
    work: Workload, policy: Policy, faults: tuple[Fault, ...]
) -> None:
    found = simulate(work, policy, faults=faults)
    assert int((~found.started).sum()) == found.lost <= found.killed
    assert (found.start[found.started] >= work.submit[found.started]).all()
    assert found.lost == 0 or any(fault.lose for fault in faults)


@given(WORKLOADS, POLICIES)
def test_a_fault_after_all_is_over_changes_nothing(work: Workload, policy: Policy) -> None:
    late = simulate(work, policy, faults=(Fault(at=1e6, cpus=MACHINE, span=5.0),))
    assert np.array_equal(late.start, simulate(work, policy).start)
    assert late.killed == 0


@given(WORKLOADS, POLICIES, FAULTS)
def test_nothing_changes_before_the_first_fault(
    work: Workload, policy: Policy, faults: tuple[Fault, ...]
) -> None:
    first = min((fault.at for fault in faults), default=1e9)
    calm, struck = simulate(work, policy), simulate(work, policy, faults=faults)
    ended = calm.start + work.run <= first
    assert np.array_equal(calm.start[ended], struck.start[ended])


def test_the_latest_started_is_killed_and_runs_again_from_its_start() -> None:
    work = workload([(0, 100, 6, 1.0, 1), (10, 50, 6, 1.0, 1)])
    found = simulate(work, policy_of("easy"), faults=(Fault(at=30.0, cpus=8, span=10.0),))
    assert found.start.tolist() == [0, 40]
    assert found.killed == 1


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("3d12h down 16 cpus for 2h", Fault(at=302400.0, cpus=16, span=7200.0)),
        ("0 down 1 cpu for 90s losing jobs", Fault(at=0.0, cpus=1, span=90.0, lose=True)),
        ("1h down node node3 for 90s", Fault(at=3600.0, cpus=0, span=90.0, node="node3")),
    ],
)
def test_a_fault_is_written_in_words(text: str, fault: Fault) -> None:
    assert fault_of(text) == fault


@pytest.mark.parametrize(
    "text", ["", "1h down 3", "1h down node for 1h", "1h down x cpus for 1h", "1h up 3 cpus for 1h"]
)
def test_anything_else_is_wrong(text: str) -> None:
    with pytest.raises(Wrong) as refused:
        fault_of(text)
    assert refused.value.hint
