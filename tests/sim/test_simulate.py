"""Laws of simulated schedules, whatever the workload and the policy."""

from __future__ import annotations

import signal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.sim import simulate as module
from hpcshell.sim.policies import Policy, policy_of
from hpcshell.sim.simulate import Engine, Simulation, engine_for, simulate
from hpcshell.trace.clean import Workload
from hpcshell.trace.measures import NOTHING
from tests.sim.made import MACHINE, POLICIES, WORKLOADS, workload


def most_busy(found: Simulation) -> int:
    """The largest number of processors that were busy at once."""
    start, end = found.start[found.started], found.schedule.end
    procs = found.schedule.procs
    instants = np.concatenate([end, start])
    order = np.lexsort((np.repeat([0, 1], len(start)), instants))
    return int(np.cumsum(np.concatenate([-procs, procs])[order]).max(initial=0))


def same(one: Simulation, other: Simulation) -> bool:
    return all(
        np.array_equal(getattr(one, column), getattr(other, column), equal_nan=True)
        for column in ("start", "estimate", "backfilled")
    )


@given(WORKLOADS, POLICIES)
def test_every_job_starts_no_earlier_than_it_comes_and_never_is_more_busy_than_there_is(
    work: Workload, policy: Policy
) -> None:
    found = simulate(work, policy)
    assert found.started.all()
    assert (found.start >= work.submit).all()
    assert most_busy(found) <= MACHINE
    assert found.measures.jobs == len(work)


@given(WORKLOADS, POLICIES, st.integers(1, 7))
def test_slices_change_nothing(work: Workload, policy: Policy, slice_: int) -> None:
    whole = simulate(work, policy)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SLICE", slice_)
        told: list[int] = []
        assert same(whole, simulate(work, policy, progress=told.append))
    assert told == sorted(told)
    assert not len(work) or told[-1] == len(work)


@settings(max_examples=200)
@given(WORKLOADS, POLICIES)
def test_both_engines_find_the_same(work: Workload, policy: Policy) -> None:
    pytest.importorskip("numba")
    plain, compiled = (simulate(work, policy, engine) for engine in ("python", "compiled"))
    assert same(plain, compiled)
    assert plain.measures == compiled.measures
    assert (plain.engine, compiled.engine) == ("python", "compiled")


@given(WORKLOADS)
def test_first_come_first_served_starts_nobody_before_an_earlier_one(work: Workload) -> None:
    found = simulate(work, policy_of("fcfs"))
    assert (np.diff(found.start) >= 0).all()
    assert not found.backfilled.any()


@given(WORKLOADS, st.integers(1, 5))
def test_more_promises_than_jobs_are_promises_for_all(work: Workload, more: int) -> None:
    hybrid = simulate(work, policy_of(f"hybrid:{len(work) + more}"))
    assert same(hybrid, simulate(work, policy_of("conservative")))


@given(WORKLOADS)
def test_clairvoyance_expects_what_happens(work: Workload) -> None:
    found = simulate(work, policy_of("easy", predict="clairvoyant"))
    assert np.array_equal(found.estimate, work.run)


def test_no_jobs_are_simulated_in_no_time() -> None:
    found = simulate(workload([]), policy_of("easy"))
    assert found.measures == NOTHING
    assert found.backfilled_share == 0
    assert not found.cut_short


def test_a_job_larger_than_the_machine_is_wrong() -> None:
    with pytest.raises(Wrong, match="has jobs larger than its machine of 4 processors"):
        simulate(workload([(0, 1, 5, 1.0, 1)], machine=4), policy_of("easy"))


def test_an_interrupt_leaves_what_was_simulated_until_then() -> None:
    work = workload([(at, 10, 8, 1.0, 1) for at in range(100)])

    def interrupt(started: int) -> None:
        if started >= 20:
            signal.raise_signal(signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SLICE", 10)
        patch.setattr(module, "QUICK", 0.0)
        found = simulate(work, policy_of("easy"), progress=interrupt)
    whole = simulate(work, policy_of("easy"))
    assert found.cut_short
    assert 20 <= found.measures.jobs < 100
    assert np.array_equal(found.start[found.started], whole.start[found.started])


@pytest.mark.parametrize(
    ("engine", "jobs", "chosen"),
    [("auto", 10, "python"), ("auto", 10**6, "compiled"), ("python", 10**6, "python")],
)
def test_the_engine_is_chosen_by_the_number_of_jobs(engine: Engine, jobs: int, chosen: str) -> None:
    pytest.importorskip("numba")
    assert engine_for(jobs, engine) == chosen


def test_without_numba_plain_python_runs_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_can_compile", lambda: False)
    assert engine_for(10**6) == "python"
    with pytest.raises(Wrong) as refused:
        engine_for(1, "compiled")
    assert refused.value.hint == "pip install 'hpcshell[sim]'"
