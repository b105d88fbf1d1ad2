"""The laws of deciding over several nodes."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.records import Resources
from hpcshell.policy.cluster import Cluster
from hpcshell.policy.decide import Policy, decide, forecast
from hpcshell.policy.explain import explain
from hpcshell.policy.place.deal import WAYS
from hpcshell.policy.place.nodes import Node
from hpcshell.policy.view import Unit
from tests.policy.clusters import Load, check_nodes, loads, nodes, ways
from tests.policy.made import make_job
from tests.policy.promised import run_as_promised
from tests.policy.world import Act, World, same

PROMISES = st.sampled_from((0, 1, 2, None))


@settings(max_examples=300)
@given(loads(), PROMISES)
def test_no_node_is_over_allocated_constraints_hold_and_every_job_ends(
    load: Load, promises: int | None
) -> None:
    world = load.world(Policy(promises=promises))
    world.watch.append(check_nodes)
    world.run()
    assert not world.left
    assert not world.view.claims
    assert world.view.room.free == world.view.room.size
    assert world.view.room.gpus == list(range(world.view.total.gpus))


@given(loads())
def test_once_decided_nothing_more_can_start_at_the_same_instant(load: Load) -> None:
    def look(world: World) -> None:
        assert not decide(world.view, world.policy, world.now).starts

    world = load.world(Policy())
    world.watch.append(look)
    world.run()


@given(loads(), PROMISES)
def test_deciding_twice_gives_the_same(load: Load, promises: int | None) -> None:
    policy = Policy(promises=promises)

    def look(world: World) -> None:
        first = decide(world.view, policy, world.now)
        forecast(world.view, policy, world.now)
        assert decide(world.view, policy, world.now) == first

    world = load.world(policy)
    world.watch.append(look)
    world.run()


@settings(max_examples=300)
@given(loads())
def test_easy_never_pushes_back_the_promise_of_the_first_in_line(load: Load) -> None:
    policy = Policy(promises=1)
    promised: dict[Unit, float] = {}

    def look(world: World) -> None:
        for unit, start in forecast(world.view, policy, world.now).promises.items():
            assert start <= promised.get(unit, start)
            promised[unit] = start

    world = load.world(policy)
    world.watch.append(look)
    world.run()
    for unit, start in promised.items():
        assert world.starts[unit] <= start


@settings(max_examples=300)
@given(loads(), st.sampled_from((2, 3, None)))
def test_no_job_starts_later_than_its_first_promise(load: Load, promises: int | None) -> None:
    world = load.world(Policy(promises=promises))
    run_as_promised(world)


def queue_of(random: Random) -> World:
    """A queue for few nodes, half of it for any of them."""
    nodes = [Node(name=f"n{i}", cpus=random.randint(1, 4)) for i in range(random.randint(2, 4))]
    way = WAYS[random.choice(sorted(WAYS))]
    world = World(Cluster(nodes, way), Policy(promises=random.choice((2, 3, None, None))))
    at = 0.0
    for number in range(1, random.randint(6, 16)):
        at += random.choice((0, 0, 1, 2))
        limit = random.randint(1, 12)
        anywhere = random.random() < 0.5
        cpus = random.randint(1, 6) if anywhere else random.randint(1, 3)
        count = 0 if anywhere else random.randint(1, 2)
        job = make_job(number, submit_time=at, cpus=cpus, nodes=count, time_limit=float(limit))
        if world.view.room.part(job.request) is not None:
            world.submit(job, same(Act(float(random.randint(1, limit)))))
    return world


def test_promises_hold_in_queues_for_which_nodes_must_be_remembered() -> None:
    """Some of these need that a promise is of nodes, and not of an instant alone."""
    for seed in range(110):
        world = queue_of(Random(seed))
        run_as_promised(world)


@given(loads(exclusive=False), PROMISES)
def test_one_big_node_is_the_plain_machine(load: Load, promises: int | None) -> None:
    """Whatever is asked for of any nodes, or of one."""
    one = load.nodes[0]
    big = replace(one, cpus=one.cpus * 2, memory=one.memory * 2, domains=())
    cluster = World(Cluster([big], WAYS[load.way]), Policy(promises=promises))
    total = Resources(cpus=big.cpus, memory=big.memory, gpus=len(big.gpus))
    plain = World(total, Policy(promises=promises))
    for job, run in load.work:
        request = replace(job.request, constraint="", nodes=min(job.request.nodes, 1))
        if cluster.view.room.part(request) is None:
            continue
        for world in (cluster, plain):
            world.submit(replace(job, request=request), same(Act(run)))
    assert cluster.run().starts == plain.run().starts


@given(loads(), PROMISES)
def test_names_are_nothing_but_names(load: Load, promises: int | None) -> None:
    policy = Policy(promises=promises)
    renamed = {
        node.name: f"other{number * 7 % 5}{number}" for number, node in enumerate(load.nodes)
    }
    others = tuple(replace(node, name=renamed[node.name]) for node in load.nodes)
    worlds = [one.world(policy) for one in (load, load._replace(nodes=others))]
    held: list[list[object]] = [[], []]
    for world, found in zip(worlds, held, strict=True):
        world.watch.append(lambda world, found=found: found.append(list(world.runs.values())))  # type: ignore[misc]
        world.run()
    for before, after in zip(*held, strict=True):
        assert [
            replace(claim, nodes=tuple(replace(one, node=renamed[one.node]) for one in claim.nodes))
            for claim in before
        ] == after


@given(loads(), PROMISES)
def test_whoever_waits_is_told_why(load: Load, promises: int | None) -> None:
    policy = Policy(promises=promises)

    def look(world: World) -> None:
        for job in world.jobs:
            if world.waiting(job):
                told = explain(world.view, policy, job, -1, world.now)
                assert told.reason.code in ("Resources", "Priority")
                assert explain(world.view, policy, job, -1, world.now, brief=True)

    world = load.world(policy)
    world.watch.append(look)
    world.run()


@given(nodes(), ways, st.integers(1, 9), st.integers(1, 3))
def test_what_is_never_free_together_is_told(
    made: tuple[Node, ...], way: str, cpus: int, count: int
) -> None:
    world = World(Cluster(made, WAYS[way]), Policy())
    room = world.view.room
    job = make_job(1, cpus=cpus, nodes=count, time_limit=1.0)
    world.submit(job)
    world.tick()
    if room.part(job.request) is None:
        assert explain(world.view, world.policy, 1, -1, 0.0).reason.code == "TooLarge"
    else:
        assert world.starts


def test_a_request_that_is_free_in_parts_says_what_it_waits_for() -> None:
    made = [Node(name=name, cpus=2) for name in ("a", "b")]
    world = World(Cluster(made, WAYS["spread"]), Policy())
    world.submit(make_job(1, cpus=2, nodes=0, time_limit=5.0), same(Act(5.0)))
    world.submit(make_job(2, cpus=2, nodes=1, time_limit=5.0), same(Act(5.0)))
    world.tick()
    told = explain(world.view, world.policy, 2, -1, 0.0)
    assert told.reason.sentence == "it waits for a node with 2 cpus free"
    assert told.start == 5.0


def test_a_request_for_nodes_that_are_not_there_says_so() -> None:
    world = World(Cluster([Node(name=name, cpus=2) for name in ("a", "b")]), Policy())
    world.submit(make_job(1, cpus=3, nodes=1, time_limit=5.0))
    world.tick()
    told = explain(world.view, world.policy, 1, -1, 0.0)
    assert told.reason.sentence == "it asks for a node with 3 cpus, and this machine has none"
