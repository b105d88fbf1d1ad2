"""What is said of waiting work is true: reasons, promises, and the advice that is given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.lifecycle import Event, Kind, step
from hpcshell.core.records import NO_INDEX, Dependencies, Dependency, Gang, Job, Resources, Retry
from hpcshell.core.units import size, time_limit
from hpcshell.policy import advice as advice_module
from hpcshell.policy.codes import REASONS
from hpcshell.policy.decide import Policy, decide
from hpcshell.policy.explain import explain
from hpcshell.policy.explanation import Explanation
from hpcshell.policy.retry import End
from hpcshell.policy.view import Unit, View
from tests.policy.made import elements_of, make_job
from tests.policy.picture import picture
from tests.policy.workloads import Load, loads
from tests.policy.world import Act, World, same

LONG = same(Act(100.0))


def world_of(*jobs: Job, cpus: int = 2, **total: object) -> World:
    """These jobs, put in at their submit times, each running for 100 s; time stands at 0."""
    world = World(Resources(cpus=cpus, **total))  # type: ignore[arg-type]
    for job in jobs:
        world.arrive(job, LONG)
        world.tick()
    return world


def told(world: World, job: int, index: int = NO_INDEX) -> Explanation:
    return explain(world.view, world.policy, job, index, world.now)


def after_ok(job: int) -> Dependencies:
    return Dependencies(terms=(Dependency(kind="afterok", job=job),))


# -- each reason -----------------------------------------------------------------------------------


def test_the_first_in_line_lacks_resources_and_is_told_when_it_gets_them() -> None:
    world = world_of(make_job(1, time_limit=100.0), make_job(2, cpus=2, time_limit=5.0))
    said = told(world, 2)
    assert said.reason.code == "Resources"
    assert said.reason.sentence == "it waits for 2 cpus (1 of 2 is free)"
    assert (said.start, said.promised) == (100.0, True)
    assert [(by.id, by.until) for by in said.blockers] == [(1, 100.0)]
    assert said.advice == "with --cpus=1 it would start now"


def test_the_second_in_line_is_told_who_is_before_it() -> None:
    world = world_of(
        make_job(1, cpus=2, time_limit=100.0),
        make_job(2, cpus=2, time_limit=5.0),
        make_job(3, cpus=2, time_limit=5.0),
    )
    said = told(world, 3)
    assert said.reason.code == "Priority"
    assert "job 2 is before it" in said.reason.sentence
    assert (said.start, said.promised) == (105.0, False)
    assert "estimated" in said.why


def test_what_may_not_pass_a_promise_is_told_how_short_it_would_have_to_be() -> None:
    world = world_of(
        make_job(1, time_limit=600.0),
        make_job(2, cpus=2, time_limit=60.0),
        make_job(3, time_limit=3600.0),
    )
    said = told(world, 3)
    assert said.reason.code == "Priority"
    assert "kept for job 2" in said.reason.sentence
    assert said.advice == "with --time=10m or less it would start now"


def test_runs_without_a_limit_make_no_promise() -> None:
    world = world_of(make_job(1), make_job(2, cpus=2))
    said = told(world, 2)
    assert (said.start, said.promised) == (None, False)
    assert "nobody knows" in said.why
    assert said.blockers[0].why == "runs without a time limit"


def test_what_the_machine_has_not_got_any_more() -> None:
    world = world_of(make_job(1, cpus=2), make_job(2, cpus=2))
    world.view.set_total(Resources(cpus=1))
    said = told(world, 2)
    assert said.reason.code == "TooLarge"
    assert said.reason.sentence == "it asks for 2 cpus; this machine has 1 cpu"
    assert said.start is None
    assert said.advice == "ask for no more than --cpus=1"


def test_what_is_held_says_how_to_let_it_go() -> None:
    world = world_of(make_job(1, held="user"), make_job(2, held="admin"), make_job(3, array="0-3"))
    assert told(world, 1).reason.code == "JobHeldUser"
    assert told(world, 1).advice == "let it go with: hpc release 1"
    assert told(world, 2).reason.code == "JobHeldAdmin"
    world.put(step(world.task((3, 2)), Event(kind=Kind.HOLD, time=0.0)))
    assert told(world, 3, 2).reason.code == "JobHeldUser"
    assert told(world, 3, 2).advice == "let it go with: hpc release 3_2"


def test_what_waits_for_others_names_them() -> None:
    world = world_of(make_job(1), make_job(2, dependencies=after_ok(1)))
    said = told(world, 2)
    assert said.reason.code == "Dependency"
    assert said.reason.sentence == "it waits for job 1 to complete"
    assert [by.id for by in said.blockers] == [1]
    assert said.start is None


def test_a_delay_after_a_parent_says_when_it_is_over() -> None:
    delayed = Dependencies(terms=(Dependency(kind="afterok", job=1, delay=60.0),))
    world = world_of(make_job(1), make_job(2, dependencies=delayed))
    assert told(world, 2).start is None
    world.end_run(1, End(time=0.0, exit_code=0))
    world.tick()
    said = told(world, 2)
    assert (said.reason.code, said.start) == ("Dependency", 60.0)


def test_what_is_tried_again_waits_for_a_parent_that_began_again() -> None:
    """At 6.6 both have failed once, and the parent has begun anew at 4."""
    again = Retry(limit=1, delay=2.0, jitter=0.0)
    delayed = Dependencies(terms=(Dependency(kind="after", job=1, delay=3.0),))
    world = World(Resources(cpus=2))
    world.arrive(make_job(1, retry=again), same(Act(2.0, 1)))
    world.arrive(make_job(2, retry=again, dependencies=delayed), same(Act(1.5, 1)))
    for world.now in (0.0, 2.0, 3.0, 4.0, 4.5, 6.6):
        world.tick()
    said = told(world, 2)
    assert [reason.code for reason in said.reasons] == ["Dependency"]
    assert said.reason.sentence == "3s have to pass after job 1"
    assert said.start == 7.0
    assert world.run().restarts[-1] == (7.0, (2, -1))


def test_what_can_never_start_says_so() -> None:
    job = make_job(
        2, dependencies=Dependencies(terms=after_ok(1).terms, on_never="hold"), submit_time=0.0
    )
    world = world_of(make_job(1), job)
    world.end_run(1, End(time=0.0, exit_code=1))
    world.tick()
    assert world.jobs[2].held == "dependency"
    said = told(world, 2)
    assert "never starts" in said.why
    assert "hpc edit 2" in said.advice
    assert said.reason.code == "DependencyNeverSatisfied"
    assert "job 1 did not complete" in said.reason.sentence


def test_times_are_counted_from_now() -> None:
    world = world_of(make_job(1, begin=90.0), make_job(2, deadline=65.0, time_limit=60.0, held="u"))
    world.now = 30.0
    world.view.advance(30.0)
    said = told(world, 1)
    assert said.reason.code == "BeginTime"
    assert said.reason.sentence == "it begins no earlier than 1m from now"
    assert said.start == 90.0
    assert [reason.code for reason in told(world, 2).reasons] == ["JobHeldUser", "Deadline"]


def test_a_throttled_array_says_how_many_run() -> None:
    world = world_of(make_job(1, array="0-9", throttle=1))
    said = told(world, 1)
    assert said.reason.code == "ArrayTaskLimit"
    assert said.reason.sentence == "1 of its elements run, and no more may run at once"
    assert [(by.id, by.element) for by in said.blockers] == [(1, 0)]
    assert "--throttle=2" in said.advice


def test_what_is_tried_again_says_when() -> None:
    world = World(Resources(cpus=1))
    retry = Retry(limit=1, delay=20.0, jitter=0.0)
    world.arrive(make_job(1, retry=retry), same(Act(1.0, 1)))
    world.tick()
    world.now = 1.0
    world.tick()
    said = told(world, 1)
    assert said.reason.code == "BackOff"
    assert said.start == 21.0


def test_what_is_too_far_back_is_not_worked_out() -> None:
    world = world_of(*(make_job(number, cpus=2, time_limit=9.0) for number in range(1, 9)))
    world.policy = Policy(depth=3)
    said = told(world, 8)
    assert [reason.code for reason in said.reasons] == ["Priority", "Depth"]
    assert said.start is None


def test_what_would_miss_its_deadline_as_things_stand_is_warned_of() -> None:
    world = world_of(
        make_job(1, cpus=2, time_limit=100.0), make_job(2, time_limit=10.0, deadline=50.0)
    )
    assert [reason.code for reason in told(world, 2).reasons] == ["Resources", "Deadline"]


def test_what_does_not_wait_is_no_error() -> None:
    world = world_of(make_job(1))
    for job in (1, 99):
        assert told(world, job).reason.code == "None"


# -- all of it -------------------------------------------------------------------------------------


def waiting(world: World) -> Iterator[Unit]:
    for number in world.left:
        for index in elements_of(world.jobs[number]):
            if world.task((number, index)).state.value == "PENDING":
                yield number, index


@given(loads(), st.sampled_from((0, 1, 2, None)))
def test_every_reason_is_in_the_list_and_asking_changes_nothing(
    load: Load, promises: int | None
) -> None:
    def look(world: World) -> None:
        before = picture(world.view)
        for unit in waiting(world):
            said = told(world, *unit)
            assert said.reason == said.reasons[0]
            for reason in said.reasons:
                assert reason.code in REASONS
                assert reason.sentence
            assert said.reason.code != "None"  # after a decision, whatever can start has started
            brief = explain(world.view, world.policy, *unit, world.now, brief=True)
            assert brief.reason.code == said.reason.code
            assert said.start is None or said.start >= world.now
            assert said.why
        assert picture(world.view) == before

    world = load.world(Policy(promises=promises))
    world.watch.append(look)
    world.run()


@given(loads(simple=True), st.sampled_from((1, 2, None)))
def test_what_was_promised_is_kept(load: Load, promises: int | None) -> None:
    promised: dict[Unit, float] = {}

    def look(world: World) -> None:
        for unit in waiting(world):
            said = told(world, *unit)
            if said.promised and said.start is not None:
                promised.setdefault(unit, said.start)

    world = load.world(Policy(promises=promises))
    world.watch.append(look)
    world.run()
    if promises == 1:
        assert all(world.starts[unit] <= start for unit, start in promised.items())


def amended(job: Job, advice: str) -> Job | None:
    """The job changed as the advice says; None when it says nothing of the kind."""
    found = re.match(r"with (.*?)(?: or less)? it would start now$", advice)
    request = job.request
    if "any --time" in advice:
        return replace(job, request=replace(request, time_limit=1e6))
    if found is None or "fewer" in advice:
        return None
    for option in found[1].split():
        name, _, value = option.removeprefix("--").partition("=")
        if name == "time":
            request = replace(request, time_limit=time_limit(value))
        else:
            request = replace(request, **{name: size(value) if name == "memory" else int(value)})
    return replace(job, request=request)


@given(loads(simple=True), st.sampled_from((1, None)))
def test_advice_works(load: Load, promises: int | None) -> None:
    def look(world: World) -> None:
        for job, index in waiting(world):
            entry = world.view.entry(job)
            assert entry is not None
            if world.jobs[job].array is not None and index != entry.waiting.first:
                continue
            changed = amended(world.jobs[job], told(world, job, index).advice)
            if changed is not None:
                view = again(world, changed)
                starts = decide(view, world.policy, world.now).starts
                assert (job, index) in [(start.job, start.index) for start in starts]

    world = load.world(Policy(promises=promises))
    world.watch.append(look)
    with mock.patch.object(advice_module, "SHORTEST", 1.0):
        world.run()


def again(world: World, changed: Job) -> View:
    """The same view with one job changed."""
    view = View(world.view.total)
    view.advance(world.now)
    for number in sorted(world.left):
        entry = world.view.entry(number)
        assert entry is not None
        view.put_job(changed if number == changed.id else world.jobs[number], entry.waiting)
    for claim in world.runs.values():
        view.claim(claim)
    view.keep({unit: at for unit, at in world.view.promised.items() if unit[0] != changed.id})
    return view


def test_a_gang_is_told_that_a_member_is_not_in_the_queue() -> None:
    gang = Gang(name="g", size=3)
    world = world_of(make_job(1, gang=gang), make_job(2, gang=gang))
    said = told(world, 1)
    assert said.reason.code == "Gang"
    assert said.why == "1 of its 3 members is not in the queue: none starts without it"
    assert said.advice == "submit the missing one with --gang g:3, or: hpc cancel 1 2"
    world.arrive(make_job(3, gang=gang, held="user"), LONG)
    assert told(world, 1).advice == ""


def test_what_decisions_do_not_look_at_is_told_so() -> None:
    world = world_of(make_job(1, cpus=2, time_limit=9.0), make_job(2, cpus=2, time_limit=9.0))
    world.arrive(make_job(3, time_limit=9.0), LONG)
    world.policy = Policy(max_backfill_jobs=0)
    said = told(world, 3)
    assert [reason.code for reason in said.reasons] == ["Priority", "Depth"]
    assert "no more than 0 elements behind the first" in said.reasons[1].sentence
