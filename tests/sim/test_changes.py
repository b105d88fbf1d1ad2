"""What somebody would do, done to a forward run, is what it would be if it were done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.dependencies import parse
from hpcshell.core.errors import HpcError, NotFound, NotYet, Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Array, Dependencies, Dependency, Gang, Job, Outcome, Resources
from hpcshell.core.settings import SchedulerSettings, Settings
from hpcshell.core.settings_read import Layer, read_layers
from hpcshell.policy.decide import Policy
from hpcshell.policy.snapshot import Snapshot, elements_of, regime_of, standing
from hpcshell.policy.view import PLAIN
from hpcshell.sim.changes import Changes, Wish, changes_of, ordered, policy_named
from hpcshell.sim.forward import Forward
from hpcshell.sim.gains import Row, compare
from hpcshell.sim.lengths import part_of_limit
from tests.policy.made import make_job
from tests.policy.pauses import suspend, wake
from tests.policy.workloads import Load, loads
from tests.policy.world import Act, World, same
from tests.sim.queues import load_to_limits, snapshot_of, world_until

Doing = tuple[Callable[[World], None], Callable[[Forward], None]]


def cancelled(number: int) -> Doing:
    def in_world(world: World) -> None:
        for unit in [unit for unit in world.tasks if unit[0] == number]:
            world.cancel(unit)
        if number in world.left and world.waiting(number):
            world.drop(number, Outcome.CANCELLED)

    def in_forward(forward: Forward) -> None:
        entry = forward.view.entry(number)
        if entry is not None:
            waits = IndexSet((*entry.waiting.ranges,))
            indices = [*waits, *entry.tasks]
            if indices:
                part = PLAIN if indices == [-1] else IndexSet.of(indices)
                forward.cancel(number, part)

    return in_world, in_forward


def prioritized(number: int, priority: int) -> Doing:
    return (
        lambda world: world.amend(number, priority=priority),
        lambda forward: forward.amend(number, priority=priority),
    )


def resized(cpus: int) -> Doing:
    return (
        lambda world: world.view.set_total(replace(world.view.total, cpus=cpus)),
        lambda forward: forward.resize(replace(forward.view.total, cpus=cpus)),
    )


def ruled(promises: int | None) -> Doing:
    def in_world(world: World) -> None:
        world.policy = Policy(promises=promises)
        world.view.keep({})

    return in_world, lambda forward: forward.rule(Policy(promises=promises))


@given(loads(), st.sampled_from((0, 1, None)), st.data())
def test_what_is_done_to_the_run_is_as_if_it_were_done(
    load: Load, promises: int | None, data: st.DataObject
) -> None:
    load = load_to_limits(load)
    world = load.world(Policy(promises=promises))
    last = max(work.job.submit_time for work in load.work)
    world_until(world, last + data.draw(st.integers(0, 10)))
    number = data.draw(st.sampled_from(sorted(world.jobs)))
    doings = [
        cancelled(number),
        prioritized(number, data.draw(st.sampled_from((0, 700, 1000)))),
        resized(load.total.cpus + data.draw(st.integers(0, 2))),
        ruled(data.draw(st.sampled_from((0, 1, 2, None)))),
    ]
    in_world, in_forward = data.draw(st.sampled_from(doings))
    forward = Forward(snapshot_of(world), part_of_limit())
    begun = set(world.starts)
    in_forward(forward)
    forward.play()
    in_world(world)
    world.tick()
    world.run()
    came = {unit: start for unit, start in world.starts.items() if unit not in begun}
    assert forward.starts == came


@given(loads(), st.sampled_from((0, 1, None)), st.integers(0, 20))
def test_without_a_change_nothing_changes(load: Load, promises: int | None, later: int) -> None:
    world = load.world(Policy(promises=promises))
    world_until(world, max(work.job.submit_time for work in load.work) + later)
    snapshot = snapshot_of(world)
    changes = changes_of(Wish(), snapshot, "u", Settings())
    assert not changes.any()
    before = Forward(snapshot, part_of_limit()).play()
    after = Forward(snapshot, part_of_limit())
    changes.make(after)
    after.play(snapshot.now + later)
    changes.make(after)
    compared = compare(before, after.play())
    assert not any(row.changed for row in compared.rows)
    assert compared.before == compared.after
    assert not compared.cut


@given(loads(simple=True, most=6), st.integers(0, 12))
def test_looking_less_far_tells_the_same_as_far_as_it_looks(load: Load, horizon: int) -> None:
    world = load.world(Policy())
    world_until(world, max(work.job.submit_time for work in load.work))
    snapshot = snapshot_of(world)
    whole = Forward(snapshot, part_of_limit()).play()
    short = Forward(snapshot, part_of_limit()).play(snapshot.now + horizon)
    assert short.starts == {
        unit: start for unit, start in whole.starts.items() if start <= snapshot.now + horizon
    }
    assert short.cut == bool([end for end in whole.ends.values() if end > snapshot.now + horizon])


# -- single changes --------------------------------------------------------------------------------


def queue(*jobs: Job, cpus: int = 4, **more: object) -> Snapshot:
    """Jobs that wait, at the instant 0."""
    waiting = tuple(standing(job, elements_of(job)) for job in jobs)
    total = Resources(cpus=cpus, **more)  # type: ignore[arg-type]
    return Snapshot(now=0.0, total=total, jobs=waiting, last_job=max(job.id for job in jobs))


FOUR = queue(
    make_job(1, cpus=4, time_limit=100.0),
    make_job(2, cpus=4, time_limit=100.0, name="second"),
    make_job(3, cpus=4, array="0-3", time_limit=10.0),
    make_job(4, cpus=1, time_limit=10.0, held="user", user="ada"),
)


def asked(**words: object) -> Changes:
    return changes_of(Wish(**words), FOUR, "u", Settings())  # type: ignore[arg-type]


def starts(changes: Changes) -> dict[tuple[int, int], float]:
    forward = Forward(FOUR, part_of_limit())
    changes.make(forward)
    return forward.play().starts


def test_a_job_with_another_limit_lets_the_others_start_at_another_time() -> None:
    assert starts(asked(time=("1=50",)))[2, -1] == 3000.0  # a bare number is minutes
    assert starts(asked(time=("1=30s",)))[2, -1] == 30.0


def test_a_run_whose_limit_changes_ends_by_the_new_one() -> None:
    forward = Forward(FOUR, part_of_limit()).play(10.0)
    changes = asked(time=("1=40s",))
    changes.make(forward)
    assert forward.play().starts[2, -1] == 40.0


def test_jobs_are_named_as_everywhere() -> None:
    assert asked(cancel=("second",)).cancel == {2: None}
    assert asked(cancel=("@",)).cancel == {3: None}
    assert asked(cancel=("1-2",)).cancel == {1: None, 2: None}
    assert asked(cancel=("3_1", "3[2-3]")).cancel == {3: IndexSet.parse("1-3")}
    assert (3, 1) not in starts(asked(cancel=("3_1",)))


def test_what_is_held_may_be_released_and_what_waits_held() -> None:
    assert (4, -1) not in starts(asked())
    assert starts(asked(release=("4",)))[4, -1] == 220.0 + 20.0
    held = starts(asked(hold=("1", "3_0")))
    assert (1, -1) not in held
    assert (3, 0) not in held
    assert held[2, -1] == 0.0


def test_a_new_job_may_wait_for_others_and_be_many() -> None:
    new = make_job(5, cpus=1, time_limit=10.0, array=Array(indices="0-2"))
    told = starts(asked(jobs=(new,), parents={5: parse("afterok:1")}))
    assert told[5, 0] == told[5, 2] == 240.0
    assert starts(asked(jobs=(new,)))[5, 1] == 240.0


def test_a_machine_may_grow_and_shrink() -> None:
    assert starts(asked(add=("cpus=4",)))[2, -1] == 0.0
    less = starts(asked(remove=("cpus=2",)))
    assert less == {}


def test_the_order_may_be_another() -> None:
    short_first = starts(asked(order="sjf"))
    assert short_first[3, 0] == 0.0
    assert starts(asked(order="ljf"))[3, 0] == 200.0
    assert starts(asked(order="fairshare"))[1, -1] == 0.0


@pytest.mark.parametrize(
    ("name", "promises", "backfill"),
    [
        ("none", 1, False),
        ("FCFS", 1, False),
        ("greedy", 0, True),
        ("easy", 1, True),
        ("hybrid:3", 3, True),
        ("conservative", None, True),
    ],
)
def test_policies_have_names(name: str, promises: int | None, backfill: bool) -> None:
    policy = policy_named(name, SchedulerSettings(depth=7, promises=5))
    assert (policy.promises, policy.backfill, policy.depth) == (promises, backfill, 7)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"cancel": ("17",)}, "no job '17' in the queue"),
        ({"cancel": ("nobody",)}, "no job 'nobody'"),
        ({"cancel": ("1_3",)}, "job 1 is no array"),
        ({"hold": ("3_9",)}, "job 3 has no element 9"),
    ],
)
def test_what_is_not_there_is_named(words: dict[str, tuple[str, ...]], said: str) -> None:
    with pytest.raises(NotFound) as error:
        asked(**words)
    assert said in error.value.message


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"cancel": ("1",), "time": ("1=5m",)}, "cancelled and changed at once"),
        ({"cancel": ("3",), "hold": ("3_1",)}, "cancelled and changed at once"),
        ({"hold": ("2",), "release": ("second",)}, "held and released at once"),
        ({"time": ("1=5m", "1-2=6m")}, "job 1 is given two values"),
        ({"time": ("1",)}, "is not ID=VALUE"),
        ({"time": ("1=soon",)}, "'soon' is no duration"),
        ({"time": ("3_1=5m",)}, "names elements"),
        ({"priority": ("1=2000",)}, "--priority"),
        ({"add": ("gpus",)}, "is not NAME=NUMBER"),
        ({"add": ("gpus=x",)}, "--add"),
        ({"add": ("",)}, "is not NAME=NUMBER"),
        ({"add": ("cpus=1",), "remove": ("cpu=1",)}, "cannot be added and removed"),
        ({"remove": ("cpus=9",)}, "the machine has 4 cpus"),
        ({"remove": ("cpus=4",)}, "runs nothing"),
        ({"policy": "conservativ"}, "no policy 'conservativ'"),
        ({"policy": "hybrid:x"}, "no whole number"),
        ({"order": "fifi"}, "no order 'fifi'"),
        ({"jobs": (make_job(5, cpus=8),)}, "8 cpus; this machine has 4"),
        ({"jobs": (make_job(5, partition="gone"),)}, "no partition 'gone'"),
        ({"jobs": (make_job(5, gpus=1),)}, "this machine has none"),
        ({"jobs": (make_job(5, others={"lic": 1}),)}, "a resource 'lic'"),
        ({"jobs": (make_job(5, cpus=4),), "remove": ("cpus=1",)}, "this machine has 3"),
        (
            {"jobs": (make_job(5),), "parents": {5: parse("afterok:1")}, "cancel": ("1",)},
            "--cancel takes away",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(words: dict[str, object], said: str) -> None:
    with pytest.raises(Wrong) as error:
        asked(**words)
    assert said in error.value.message
    assert error.value.hint


def test_orders_know_no_case() -> None:
    assert ordered("SJF", Settings()).scheduler.order == "sjf"


def test_what_changes_nothing_is_said() -> None:
    assert asked(release=("4",)).idle == ()
    assert asked(release=("1", "3_1")).idle == (
        "--release changes nothing: job 1 is not held",
        "--release changes nothing: job 3 is not held",
    )
    assert asked(hold=("4",)).idle == ("--hold changes nothing: job 4 is held already",)


FIFO = read_layers([Layer(source="ours", tables={"scheduler": {"order": "fifo"}})]).settings
GAP = read_layers([Layer(source="ours", tables={"scheduler": {"preempt_gap": 50}})]).settings


@pytest.mark.parametrize(
    ("words", "site", "said"),
    [
        ({"hold": ("1",)}, Settings(), "--hold changes nothing: nothing of job 1 waits"),
        ({"hold": ("3_0",)}, Settings(), "--hold changes nothing: nothing of job 3 waits"),
        ({"hold": ("3_1",)}, Settings(), ""),
        ({"hold": ("3",)}, Settings(), ""),
        (
            {"priority": ("1=900",)},
            Settings(),
            "--priority changes nothing: nothing of job 1 waits",
        ),
        ({"priority": ("1=900",)}, GAP, ""),
        ({"priority": ("2=900",)}, Settings(), ""),
        ({"priority": ("1=900",)}, FIFO, "the order fifo does not look at it"),
        ({"priority": ("2=500",)}, Settings(), "job 2 has that priority already"),
        ({"priority": ("2=900",)}, FIFO, "the order fifo does not look at it"),
        ({"priority": ("2=900",), "order": "multifactor"}, FIFO, ""),
        ({"priority": ("2=900",), "order": "sjf"}, Settings(), "the order sjf does not look at it"),
        ({"add": ("bananas=3",)}, Settings(), "--add changes nothing: nothing asks for bananas"),
        ({"add": ("gpus=1", "cpus=1")}, Settings(), "--add changes nothing: nothing asks for gpus"),
        ({"remove": ("lic=1",)}, Settings(), "--remove changes nothing: nothing asks for lic"),
        ({"add": ("gpus=1",), "jobs": (make_job(5, gpus=1),)}, Settings(), ""),
    ],
)
def test_an_option_that_changes_nothing_is_said_to(
    words: dict[str, object], site: Settings, said: str
) -> None:
    world = World(Resources(cpus=4, others={"lic": 2}))
    for job in (
        make_job(1, cpus=3, time_limit=100.0),
        make_job(2, cpus=4, time_limit=100.0),
        make_job(3, cpus=1, array="0-1", time_limit=50.0),
    ):
        world.arrive(job, same(Act(100.0)))
    world.tick()
    snapshot = replace(snapshot_of(world), settings=site)
    told = changes_of(Wish(**words), snapshot, "u", Settings()).idle  # type: ignore[arg-type]
    assert bool(told) == bool(said)
    assert said in "".join(told)


def test_what_is_suspended_is_listed_with_when_it_goes_on() -> None:
    world = World(Resources(cpus=2))
    for job in (make_job(1, cpus=2, time_limit=50.0), make_job(2, cpus=2, time_limit=30.0)):
        world.arrive(job, same(Act(100.0)))
    world.tick()
    suspend(world, 1)
    wake(world, 1)
    snapshot = replace(snapshot_of(world), waking=())
    still = Forward(snapshot, part_of_limit()).play()
    goes_on = Forward(replace(snapshot, waking=(1,)), part_of_limit()).play()
    rows = {row.job.id: row for row in compare(still, goes_on).rows}
    assert (rows[1].stands, rows[1].before, rows[1].after) == (True, None, 0.0)
    assert (rows[2].stands, rows[2].before, rows[2].after) == (False, 0.0, 50.0)
    (first, _) = sorted(compare(still, still).rows, key=lambda row: row.job.id)
    assert first.why == "it is suspended until: hpc resume 1"
    assert first.elements == 1


# -- what submit refuses ---------------------------------------------------------------------------

SITE = read_layers(
    [
        Layer(
            source="ours",
            tables={
                "qos": {"short": {"max_time": "1h"}, "few": {"max_submit_jobs_per_user": 3}},
                "accounts": {"physics": {"users": {"u": 1}}},
            },
        )
    ]
).settings


def foreseen(**fields: Any) -> Row:
    """The row of a new job at a site that has QOS and accounts."""
    snapshot = replace(FOUR, settings=SITE)
    changes = changes_of(Wish(jobs=(make_job(5, **fields),)), snapshot, "u", Settings())
    before, after = (Forward(snapshot, part_of_limit(), regime_of(snapshot)) for _ in range(2))
    changes.make(after)
    (new,) = [row for row in compare(before.play(), after.play()).rows if row.new]
    return new


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"qos": "bogus"}, Wrong, "--submit: there is no QOS 'bogus'"),
        ({"account": "bogus"}, Wrong, "--submit: there is no account 'bogus'"),
        ({"reservation": "nosuch"}, Wrong, "--submit: there is no reservation 'nosuch'"),
        (
            {"qos": "short", "time_limit": 7200.0},
            Wrong,
            "--submit: a job in QOS short may run for 1h",
        ),
        ({"qos": "few", "array": "0-4"}, NotYet, "has 0; this would add 5"),
        ({"deadline": -5.0}, Wrong, "--submit: the deadline is"),
        ({"gang": Gang(name="z", size=2), "array": "0-1"}, Wrong, "cannot be in a gang"),
    ],
)
def test_a_new_job_is_refused_as_it_would_be(
    fields: dict[str, object], error: type[HpcError], said: str
) -> None:
    with pytest.raises(error) as refused:
        foreseen(**fields)
    assert said in refused.value.message
    assert refused.value.hint


def test_what_runs_counts_towards_the_most_that_may_be_submitted() -> None:
    world = World(Resources(cpus=4))
    for job in (make_job(1, qos="few", cpus=4), make_job(2, qos="few", cpus=4)):
        world.arrive(job, same(Act(100.0)))
    world.tick()
    snapshot = replace(snapshot_of(world), settings=SITE)
    new = make_job(3, qos="few", array="0-1")
    changes = changes_of(Wish(jobs=(new,)), snapshot, "u", Settings())
    with pytest.raises(NotYet) as refused:
        changes.make(Forward(snapshot, part_of_limit(), regime_of(snapshot)))
    assert "has 2; this would add 2" in refused.value.message


def test_a_new_member_of_a_gang_waits_for_the_others() -> None:
    new = foreseen(gang=Gang(name="z", size=2), time_limit=10.0)
    assert new.after is None
    assert "gang" in new.why


def test_a_sentence_does_not_name_a_job_that_is_not_there() -> None:
    snapshot = queue(make_job(1, cpus=4, time_limit=100.0), cpus=4)
    before, after = (Forward(snapshot, part_of_limit()) for _ in range(2))
    after.submit(make_job(2, cpus=1, held="user"))
    parents = Dependencies(terms=(Dependency(kind="afterok", job=2),))
    after.submit(make_job(3, cpus=1, dependencies=parents))
    rows = {row.job.id: row for row in compare(before.play(), after.play()).rows}
    assert "the new job" in rows[3].why
    assert "2" not in rows[3].why
