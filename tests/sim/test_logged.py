"""Whose the jobs of a log are, and that gangs start together or not at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.errors import Wrong
from hpcshell.core.settings_read import Layer, read_layers
from hpcshell.sim.logged import NOBODY, has_gangs, jobs_of, strangers
from hpcshell.sim.machines import Layout
from hpcshell.sim.policies import Policy, policy_of
from hpcshell.sim.replaying import fitting
from hpcshell.sim.simulate import simulate
from hpcshell.trace.clean import Workload
from tests.sim.configured import OWNED, policy_with, tables
from tests.sim.made import ANY, MACHINE, workload
from tests.sim.test_replay import held_at_once
from tests.sim.test_replaying import CLEAR, KEPT, layouts

GANGS = st.lists(st.sampled_from((-1, -1, 0, 0, 1, 2)), min_size=1, max_size=9)


def in_gangs(work: Workload, gangs: list[int]) -> Workload:
    """Its jobs in these gangs, in turn; of gangs that fit the machine."""
    return replace(work, gang=np.resize(np.array(gangs, np.int64), len(work)))


def fit(work: Workload, layout: Layout | None = None) -> Workload | None:
    """What of it fits the machine; None: nothing."""
    try:
        return fitting(work, layout)
    except Wrong:
        return None


def starts_of_gangs(work: Workload, start: Any) -> list[set[float]]:
    return [set(start[work.gang == gang].tolist()) for gang in np.unique(work.gang[work.gang >= 0])]


@given(KEPT, ANY, GANGS)
def test_a_gang_starts_together_and_every_job_does(
    work: Workload, policy: Policy, gangs: list[int]
) -> None:
    kept = fit(in_gangs(work, gangs))
    if kept is None:
        return
    found = simulate(kept, policy)
    assert found.started.all()
    assert held_at_once(found) <= MACHINE
    assert all(len(starts) == 1 for starts in starts_of_gangs(kept, found.start))
    assert not has_gangs(kept) or found.engine == "replay"


@given(KEPT, CLEAR, layouts(), GANGS)
def test_on_nodes_too(work: Workload, policy: Policy, layout: Layout, gangs: list[int]) -> None:
    kept = fit(in_gangs(work, gangs), layout)
    if kept is None:
        return
    found = simulate(kept, policy, layout=layout)
    assert found.started.all()
    assert held_at_once(found) <= MACHINE
    assert all(len(starts) == 1 for starts in starts_of_gangs(kept, found.start))


@given(OWNED, tables().map(policy_with), GANGS, st.sampled_from((0.0, 3.0)))
def test_and_where_they_take_turns_or_make_room(
    work: Workload, policy: Policy, gangs: list[int], saves: float
) -> None:
    kept = fit(replace(in_gangs(work, gangs), saves=saves))
    if kept is None:
        return
    found = simulate(kept, policy)
    assert int((~found.started).sum()) == found.toll.cancelled
    assert held_at_once(found) <= MACHINE
    for gang in np.unique(kept.gang[kept.gang >= 0]):
        starts = found.start[(kept.gang == gang) & found.started]
        assert len(set(starts.tolist())) <= 1


@given(KEPT, CLEAR)
def test_a_gang_of_one_is_a_job_like_others(work: Workload, policy: Policy) -> None:
    alone = replace(work, gang=np.arange(len(work)))
    assert not has_gangs(alone)
    assert np.array_equal(simulate(alone, policy).start, simulate(work, policy).start)


def test_a_gang_that_never_fits_is_left_out_and_counted() -> None:
    work = in_gangs(workload([(0, 5, 9, 1.0, 1), (0, 5, 9, 1.0, 1), (0, 5, 9, 1.0, 1)]), [0, 0, -1])
    kept = fitting(work, None)
    assert kept.id.tolist() == [3]
    assert kept.oddities == {"over_gang": 2}
    with pytest.raises(Wrong, match="no gang fits the machine"):
        fitting(in_gangs(work, [0]), None)


def test_gangs_take_turns_as_one() -> None:
    rows = [(0, 20, 8, 2.0, 1), (0, 20, 8, 2.0, 1), (1, 10, 16, 2.0, 2)]
    work = in_gangs(workload(rows), [0, 0, -1])
    policy = policy_with(
        {
            "scheduler": {"order": "priority", "time_slice": "5s"},
            "partitions": {"main": {"time_sliced": True}},
        }
    )
    found = simulate(work, policy)
    assert found.start.tolist() == [0, 0, 5]
    assert found.schedule.end.tolist() == [30, 30, 20]


def test_what_limits_never_let_start_together_is_told() -> None:
    rows = [(0, 5, 4, 1.0, 1), (0, 5, 4, 1.0, 1)]
    policy = policy_with({"limits": {"max_jobs": 1}})
    found = simulate(in_gangs(workload(rows), [0]), policy)
    assert not found.started.any()
    assert found.workload.oddities == {"never_started": 2}
    assert found.workload.examples == {"never_started": ("job 1", "job 2")}


# ------------------------------------------------------------------------------------ whose it is

TABLES: dict[str, Any] = {
    "defaults": {"account": "", "qos": "", "priority": 100},
    "accounts": {"lab": {"users": {"ann": 1}}, "phys": {"parent": "lab"}},
    "partitions": {"main": {}, "cpu": {"priority": 10}},
    "qos": {"high": {"priority": 5}, "low": {}},
}
SETTINGS = read_layers([Layer(source="ours", tables=TABLES)]).settings


def said(user: str, group: str, queue: str, qos: str) -> Workload:
    """A job of which the log says this."""
    words = {"user": user, "group": group, "queue": queue, "qos": qos}
    columns = {column: np.array([0 if word else -1]) for column, word in words.items()}
    names = {column: (word,) for column, word in words.items() if word}
    return replace(workload([(0, 1, 1, 1.0, 1)]), **columns, names=names)


@pytest.mark.parametrize(
    ("words", "owner"),
    [
        (("ann", "phys", "cpu", "high"), ("ann", "phys", "cpu", "high", 115)),
        (("ann", "other", "gpu", "none"), ("ann", "lab", "main", "", 100)),
        (("bob", "", "", ""), ("bob", "", "main", "", 100)),
        (("", "", "", ""), (NOBODY, "", "main", "", 100)),
    ],
)
def test_a_job_is_whose_the_log_says_where_the_configuration_knows_that(
    words: tuple[str, str, str, str], owner: tuple[str | int, ...]
) -> None:
    [job] = jobs_of(said(*words), None, SETTINGS)
    assert (job.user, job.account, job.partition, job.qos, job.priority) == owner


def test_without_a_configuration_it_is_the_logs() -> None:
    [job] = jobs_of(said("ann", "lab", "cpu", "high"), None, None)
    assert (job.user, job.account, job.qos) == ("ann", "lab", "high")
    numbers = replace(said("ann", "lab", "cpu", "high"), names={}, user=np.array([7]))
    [job] = jobs_of(numbers, None, None)
    assert (job.user, job.account) == ("7", "0")


def test_what_nobody_is_of_is_told_with_the_names_that_there_are() -> None:
    told = list(strangers(said("ann", "phys", "gpu", "low"), SETTINGS))
    assert told == [("partitions", "cpu", ["gpu"]), ("qos", "high", ["low"])]


def test_a_partition_refuses_what_it_would_refuse_in_the_daemon() -> None:
    policy = policy_with({"partitions": {"main": {"max_cpus": 4, "max_time": "10s"}}})
    work = workload([(0, 5, 5, 1.0, 1), (0, 11, 1, 1.0, 1), (0, 5, 4, 1.0, 1)])
    found = simulate(work, policy)
    assert found.workload.id.tolist() == [3]
    assert found.workload.oddities == {"over_limits": 2}
    assert policy_of("easy").settings is None
