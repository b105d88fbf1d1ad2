"""Every scenario through the pure scheduler: the starts, and how it all ends, are as written."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from hpcshell.core.records import Job, Outcome, Request
from hpcshell.policy.decide import Policy
from hpcshell.policy.reserve import Reservation
from tests.policy.made import make_job
from tests.policy.world import Act, World
from tests.scenarios.scenario import Apart, Scenario, Work, paths, read


def job_of(scenario: Scenario, number: int, work: Work) -> Job:
    return make_job(
        number,
        name=work.job_name(),
        submit_time=work.at,
        request=work.request(),
        dependencies=scenario.dependencies(work),
        priority=work.priority,
        begin=work.begin,
        deadline=work.deadline,
        reservation=work.reservation,
        array=work.array_record(),
        held="user" if work.hold else "",
        retry=work.retry(),
    )


def played(scenario: Scenario) -> World:
    world = World(scenario.machine.resources(), Policy(promises=scenario.promises()))
    for number, work in enumerate(scenario.job, 1):
        job = job_of(scenario, number, work)
        world.submit(job, partial(act, work))
    for one in scenario.reservation:
        world.at(one.made, partial(world.view.reserve, reservation_of(one)), order=-1)
    return world.run()


def reservation_of(one: Apart) -> Reservation:
    return Reservation(
        name=one.name,
        start=one.start,
        end=one.end,
        request=Request(cpus=one.cpus, gpus=one.gpus, exclusive=one.all),
        users=() if one.maintenance else ("u",),
        flex=one.flex,
        idle=one.idle,
    )


def act(work: Work, index: int, attempt: int) -> Act:
    return Act(work.run_time(index), work.exit_code(attempt), work.overstays)


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_starts_and_outcomes_are_as_written(path: Path) -> None:
    scenario = read(path)
    world = played(scenario)
    starts: dict[str, list[float]] = {}
    for time, unit in world.restarts:
        starts.setdefault(scenario.label(*unit), []).append(time)
    assert starts == scenario.expect.all_starts()
    outcomes = {
        scenario.label(*unit): task.outcome.value
        for unit, task in world.tasks.items()
        if task.outcome not in (None, Outcome.COMPLETED)
    }
    assert outcomes == scenario.expect.outcomes
