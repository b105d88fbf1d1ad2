"""Every scenario through the pure scheduler: the starts, and how it all ends, are as written."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from hpcshell.core.records import Job, Outcome, Request
from hpcshell.policy.choice import choice
from hpcshell.policy.reserve import Reservation
from hpcshell.predict.foresight import Predicted
from hpcshell.predict.runtimes import PREDICTORS
from tests.policy.made import make_job
from tests.policy.world import Act, World
from tests.scenarios.scenario import Apart, Scenario, Work, paths, read

ME = make_job(1).user


def job_of(scenario: Scenario, number: int, work: Work) -> Job:
    return make_job(
        number,
        name=work.job_name(),
        submit_time=work.at,
        request=work.request(),
        dependencies=scenario.dependencies(work),
        priority=_priority(scenario, work),
        nice=work.nice,
        account=work.account,
        qos=work.qos,
        partition=work.partition,
        begin=work.begin,
        deadline=work.deadline,
        reservation=work.reservation,
        array=work.array_record(),
        held="user" if work.hold else "",
        retry=work.retry(),
    )


def _priority(scenario: Scenario, work: Work) -> int:
    """That of its partition and its QOS added, as when it is submitted."""
    settings = scenario.settings(1.0, ME)
    qos = settings.qos.get(work.qos)
    own = work.priority + settings.partitions[work.partition].priority
    return own + (0 if qos is None else qos.priority)


def played(scenario: Scenario) -> World:
    total, settings = scenario.machine.resources(), scenario.settings(1.0, ME)
    foresight = PREDICTORS[settings.scheduler.predict].make()
    world = World(total, *choice(settings, total, foresight=Predicted(foresight)))
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
