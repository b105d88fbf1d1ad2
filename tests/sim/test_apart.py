"""Laws of reservations in a replay: what is set apart is left to those who may use it, and nobody
waits for ever."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Request
from hpcshell.policy.reserve import Reservation
from hpcshell.sim.apart import Use
from hpcshell.sim.machines import Layout
from hpcshell.sim.policies import Policy, policy_of
from hpcshell.sim.replaying import fitting
from hpcshell.sim.simulate import Simulation, replayed, simulate
from hpcshell.trace.clean import Workload
from tests.sim.configured import OWNED, policy_with, tables
from tests.sim.made import ANY, MACHINE, workload
from tests.sim.test_replay import held_at_once
from tests.sim.test_replaying import CLEAR, KEPT, layouts


@st.composite
def reservations(draw: st.DrawFn) -> tuple[Reservation, ...]:
    """One or two that do not overlap, for users or for nobody."""
    found: list[Reservation] = []
    at = 0
    for number in range(draw(st.integers(1, 2))):
        start = at + draw(st.integers(0, 60))
        at = start + draw(st.integers(1, 50))
        users = draw(st.sampled_from(((), ("1",), ("1", "2"))))
        found.append(
            Reservation(
                name=f"r{number}",
                start=float(start),
                end=float(at),
                request=Request(cpus=draw(st.integers(1, MACHINE)), nodes=0),
                users=users,
                flex=bool(users) and draw(st.booleans()),
                idle=draw(st.sampled_from((None, None, 5.0))),
            )
        )
    return tuple(found)


@given(KEPT, ANY, reservations())
def test_every_job_runs_whatever_is_set_apart(
    work: Workload, policy: Policy, apart: tuple[Reservation, ...]
) -> None:
    found = simulate(work, policy, reservations=apart)
    assert found.started.all()
    assert held_at_once(found) <= MACHINE


@given(OWNED, tables().map(policy_with), reservations())
def test_and_where_runs_make_room_for_others(
    work: Workload, policy: Policy, apart: tuple[Reservation, ...]
) -> None:
    found = simulate(work, policy, reservations=apart)
    assert int((~found.started).sum()) == found.toll.cancelled
    assert held_at_once(found) <= MACHINE


@given(KEPT, CLEAR, layouts(), reservations())
def test_and_on_nodes(
    work: Workload, policy: Policy, layout: Layout, apart: tuple[Reservation, ...]
) -> None:
    try:
        work = fitting(work, layout)
    except Wrong:
        return
    found = simulate(work, policy, layout=layout, reservations=apart)
    assert found.started.all()
    assert held_at_once(found) <= MACHINE


def strangers_hold(found: Simulation, one: Reservation, at: float) -> int:
    """What jobs hold at an instant that may not use the reservation."""
    work, start = found.workload, found.start
    there = (start <= at) & (at < start + work.run)
    theirs = np.isin(work.words("user"), one.users)
    return int(work.procs[there & ~theirs].sum())


@given(KEPT, st.sampled_from(("easy", "fcfs", "greedy", "conservative")), reservations())
def test_others_keep_out_of_what_is_set_apart(
    work: Workload, name: str, apart: tuple[Reservation, ...]
) -> None:
    """As far as run times are known beforehand."""
    found = simulate(work, policy_of(name), reservations=apart)
    for one in apart:
        if one.idle is not None:
            continue
        for at in {one.start, *found.start.tolist()}:
            if one.start <= at < one.end:
                assert strangers_hold(found, one, at) <= MACHINE - one.request.cpus


@given(KEPT, st.sampled_from(("easy", "fcfs", "greedy", "conservative")), reservations())
@example(
    workload([(0, 2, 7, 1.0, 1), (1, 1, 1, 1.0, 1), (1, 2, 5, 1.0, 1)]),
    "easy",
    (  # the third job starts outside, as it would not end in time within
        Reservation(name="r", start=1.0, end=3.0, request=Request(cpus=5), users=("1",), flex=True),
    ),
)
def test_what_became_of_a_reservation_is_told_of_each_that_is_for_somebody(
    work: Workload, name: str, apart: tuple[Reservation, ...]
) -> None:
    found = simulate(work, policy_of(name), reservations=apart)
    assert [use.name for use in found.uses] == [one.name for one in apart if one.users]
    for use in found.uses:
        [one] = [one for one in apart if one.name == use.name]
        inside = (one.start <= found.start) & (found.end <= one.end)
        assert 0 <= use.jobs <= int((inside & np.isin(work.words("user"), one.users)).sum())
        if use.let_go is not None:
            assert one.idle is not None
            assert one.start + one.idle <= use.let_go < one.end


@given(KEPT, CLEAR)
def test_what_is_over_before_the_first_job_changes_nothing(work: Workload, policy: Policy) -> None:
    later = workload([(int(at) + 100, *row) for at, *row in _rows(work)])  # type: ignore[misc]
    past = Reservation(name="past", start=5.0, end=50.0, request=Request(cpus=MACHINE))
    found = simulate(later, policy, reservations=(past,))
    assert np.array_equal(found.start, replayed(later, policy).start)


def _rows(work: Workload) -> list[tuple[float, int, int, float, int]]:
    factor = work.request / work.run
    columns = (work.submit, work.run, work.procs, factor, work.user)
    return list(zip(*(column.tolist() for column in columns), strict=True))


# ------------------------------------------------------------------------------------- scenarios


def course(**fields: object) -> Reservation:
    """Half of the machine, from 20 until 60, for user 1."""
    told = {"users": ("1",), "request": Request(cpus=8)} | fields
    return Reservation(name="course", start=20.0, end=60.0, **told)  # type: ignore[arg-type]


def test_a_job_that_would_run_into_it_waits_and_a_short_one_does_not() -> None:
    work = workload([(0, 50, 16, 1.0, 2), (1, 15, 16, 1.0, 2)])
    found = simulate(work, policy_of("easy"), reservations=(course(),))
    assert found.start.tolist() == [60, 1]


def test_whose_it_is_runs_in_it_while_it_is_open() -> None:
    work = workload([(21, 30, 8, 1.0, 1), (21, 30, 16, 1.0, 2), (22, 30, 8, 1.0, 2)])
    found = simulate(work, policy_of("fcfs"), reservations=(course(),))
    assert found.start.tolist() == [21, 60, 90]


@pytest.mark.parametrize(("flex", "start"), [(False, 40), (True, 25)])
def test_they_wait_there_for_each_other_unless_it_is_flexible(flex: bool, start: float) -> None:
    work = workload([(20, 20, 8, 1.0, 1), (25, 10, 8, 1.0, 1)])
    found = simulate(work, policy_of("easy"), reservations=(course(flex=flex),))
    assert found.start.tolist() == [20, start]


def test_what_waits_in_it_when_it_is_over_waits_outside() -> None:
    work = workload([(20, 39, 8, 1.0, 1), (21, 10, 8, 3.0, 1), (22, 100, 8, 1.0, 2)])
    found = simulate(work, policy_of("easy"), reservations=(course(),))
    assert found.start.tolist() == [20, 60, 22]


def test_it_is_let_go_when_nobody_comes() -> None:
    work = workload([(21, 50, 16, 1.0, 2)])
    kept, let_go = (
        simulate(work, policy_of("easy"), reservations=(course(idle=idle),)).start.tolist()
        for idle in (None, 10.0)
    )
    assert (kept, let_go) == ([60], [30])


def test_it_is_told_how_many_jobs_ran_in_it_and_when_nobody_came_any_more() -> None:
    work = workload([(21, 5, 8, 1.0, 1), (22, 5, 8, 1.0, 1), (23, 5, 8, 1.0, 2), (90, 1, 1, 1, 1)])
    found = simulate(work, policy_of("easy"), reservations=(course(idle=10.0),))
    assert found.uses == (Use(name="course", jobs=2, let_go=41.0),)
    found = simulate(work, policy_of("easy"), reservations=(course(users=("7",)),))
    assert found.uses == (Use(name="course", jobs=0, let_go=None),)
