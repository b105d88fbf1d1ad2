"""Several nodes, and all that a regime does with one: gangs, preemption, suspension, reservations,
nodes that are drained."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.records import Gang, Request
from hpcshell.policy.cluster import Cluster
from hpcshell.policy.decide import Policy, forecast
from hpcshell.policy.explain import explain
from hpcshell.policy.joint import Joint
from hpcshell.policy.place.deal import WAYS
from hpcshell.policy.place.nodes import Node, NodeState
from hpcshell.policy.preempt import Rights
from hpcshell.policy.reserve import Reservation
from tests.policy.apart import check_apart, make, reserve, stay
from tests.policy.clusters import Load, check_nodes, loads
from tests.policy.made import make_job
from tests.policy.pauses import suspend, wake
from tests.policy.promised import run_as_promised
from tests.policy.test_preempt import entitled, graces, rights
from tests.policy.workloads import OWNERS
from tests.policy.world import Act, World, same
from tests.policy.yields import check_debts

PROMISES = st.sampled_from((0, 1, 2, None))
NAMES = ("r1", "r2")
PAIR = tuple(Node(name=f"n{number}", cpus=2, gpus=("",)) for number in range(2))


def pair(policy: Policy | None = None) -> World:
    return World(Cluster(PAIR), policy or Policy())


# -- preemption and suspension -----------------------------------------------------------------


@st.composite
def owned(draw: st.DrawFn) -> Load:
    """As `loads`, of several QOS and partitions; all make room within one time."""
    load, grace = draw(loads()), draw(graces)
    work = [(replace(job, grace=grace, **draw(OWNERS)), run) for job, run in load.work]
    return load._replace(work=work)


@given(owned(), PROMISES, rights)
def test_nobody_makes_room_on_nodes_but_for_one_who_then_starts(
    load: Load, promises: int | None, rights: Rights
) -> None:
    """That none of them is too many is checked on the way."""
    world = load.world(Policy(promises=promises), entitled(rights))
    world.watch += [check_nodes, check_debts]
    world.run()
    assert not world.left
    assert not world.yielded.debts
    assert world.view.room.free == world.view.room.size


@given(loads(), PROMISES, st.lists(st.integers(0, 12), max_size=4), st.data())
def test_what_stands_still_on_nodes_goes_on_there(
    load: Load, promises: int | None, times: list[int], data: st.DataObject
) -> None:
    held: dict[int, list[str]] = {}

    def pause() -> None:
        running = [run for run, claim in world.runs.items() if claim.suspended is None]
        if running:
            run = data.draw(st.sampled_from(running))
            suspend(world, run)
            world.at(world.now + 2.0, lambda: wake(world, run) if run in world.runs else None)

    def look(world: World) -> None:
        for run, claim in world.runs.items():
            names = [one.node for one in claim.nodes]
            assert held.setdefault(run, names) == names

    world = load.world(Policy(promises=promises))
    world.watch += [check_nodes, look]
    for at in times:
        world.at(float(at), pause)
    world.run()
    assert not world.left


# -- gangs -------------------------------------------------------------------------------------


@st.composite
def ganged(draw: st.DrawFn) -> Load:
    """As `loads`; some of the jobs start with the next ones, and all of these come at once."""
    load = draw(loads(exclusive=False))
    work, number = [], 0
    while number < len(load.work):
        size = min(draw(st.sampled_from((1, 1, 2, 3))), len(load.work) - number)
        members = load.work[number : number + size]
        gang = Gang(name=f"g{number}", size=size)
        at = members[-1][0].submit_time
        counts = [draw(st.sampled_from((1, 1, 2))) for _ in members]
        requests = [
            replace(job.request, nodes=count)
            for (job, _), count in zip(members, counts, strict=True)
        ]
        fits = Cluster(load.nodes, WAYS[load.way])
        fits.share(1)
        if size > 1 and Joint(fits, requests)(fits.size) is not None:
            members = [
                (replace(job, submit_time=at, gang=gang, request=request), run)
                for (job, run), request in zip(members, requests, strict=True)
            ]
        work += members
        number += size
    return load._replace(work=sorted(work, key=lambda each: each[0].submit_time))


def check_gangs(world: World) -> None:
    """All of a gang have started, and at the same instant, or none has."""
    for job in world.jobs.values():
        if job.gang is not None:
            mine = [one.id for one in world.jobs.values() if one.gang == job.gang]
            begun = [world.starts.get((number, -1)) for number in mine]
            assert len(set(begun)) == 1


@given(ganged(), PROMISES)
def test_a_gang_starts_together_over_nodes_or_not_at_all(load: Load, promises: int | None) -> None:
    world = load.world(Policy(promises=promises))
    world.watch += [check_nodes, check_gangs]
    world.run()
    assert not world.left
    assert world.view.room.free == world.view.room.size


@given(ganged(), st.sampled_from((1, 2, None)))
def test_no_gang_starts_later_than_its_first_promise(load: Load, promises: int | None) -> None:
    run_as_promised(load.world(Policy(promises=promises)))


def test_the_members_of_a_gang_may_be_on_different_nodes() -> None:
    world = pair()
    for number in (1, 2):
        gang = Gang(name="both", size=2)
        world.submit(make_job(number, cpus=2, gpu_share=60, gang=gang, time_limit=5.0))
    world.run()
    assert world.starts == {(1, -1): 0.0, (2, -1): 0.0}


def test_a_gang_waits_until_there_are_nodes_for_all() -> None:
    world = pair()
    world.submit(make_job(1, cpus=1, time_limit=5.0), same(Act(5.0)))
    for number in (2, 3):
        world.submit(make_job(number, cpus=2, gang=Gang(name="both", size=2), time_limit=5.0))
    world.tick()
    told = explain(world.view, world.policy, 2, -1, 0.0)
    assert told.start == 5.0
    assert world.starts.keys() == {(1, -1)}
    assert told.reason.sentence == "it waits for 4 cpus (3 of 4 are free)"
    world.run()
    assert world.starts == {(1, -1): 0.0, (2, -1): 5.0, (3, -1): 5.0}


# -- reservations ------------------------------------------------------------------------------


class Site(NamedTuple):
    """A load, and the reservations that are made, and when each is."""

    load: Load
    made: tuple[tuple[float, Reservation], ...]

    def world(self, policy: Policy) -> World:
        world = self.load.world(policy)
        for at, one in self.made:
            world.at(at, partial(make, world, one), order=0)
        return world


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """Nodes of which some are set apart for a time."""
    load, made = draw(loads()), []
    for name in NAMES[: draw(st.integers(1, 2))]:
        at = float(draw(st.sampled_from((0, 0, 2, 5))))
        start = at + draw(st.sampled_from((0.0, 1.0, 4.0)))
        made.append(
            (
                at,
                Reservation(
                    name=name,
                    start=start,
                    end=start + draw(st.sampled_from((3, 12, 1000))),
                    request=Request(
                        cpus=draw(st.integers(1, 2)),
                        nodes=draw(st.sampled_from((1, 1, 2))),
                    ),
                    users=draw(st.sampled_from((("u",), ()))),
                ),
            )
        )
    pools = ("", "", *(one.name for _, one in made if one.users))
    work = [(replace(job, reservation=draw(st.sampled_from(pools))), run) for job, run in load.work]
    return Site(load._replace(work=work), tuple(made))


def one_of_two_ends() -> Site:
    """When r2 is over, n0, on which some of job 3 runs, would do for r1."""
    nodes = (Node(name="n0", cpus=2), Node(name="n1", cpus=3))
    jobs = (
        make_job(1, submit_time=5.0, cpus=1, exclusive=True, time_limit=1.0),
        make_job(2, submit_time=5.0, cpus=1, time_limit=4.0),
        make_job(3, submit_time=5.0, cpus=2, time_limit=4.0),
    )
    made = (
        (0.0, reservation("r2", 0.0, 12.0, Request(cpus=1, nodes=1))),
        (2.0, reservation("r1", 2.0, 14.0, Request(cpus=2, nodes=1))),
    )
    work = [(job, job.request.time_limit or 1.0) for job in jobs]
    return Site(Load(nodes, "best_fit", work), made)


def reservation(name: str, start: float, end: float, request: Request) -> Reservation:
    return Reservation(name=name, start=start, end=end, request=request, users=("u",))


@given(sites(), PROMISES)
@example(one_of_two_ends(), 0)
def test_nodes_that_are_set_apart_are_left_to_their_users(site: Site, promises: int | None) -> None:
    world = site.world(Policy(promises=promises))
    world.watch += [check_nodes, partial(check_apart, {one.name: at for at, one in site.made})]
    world.watch.append(partial(stay, {}))
    world.run()
    for job in world.left:
        assert world.jobs[job].reservation
    assert not world.view.claims


def test_two_reservations_are_of_different_nodes() -> None:
    world = pair()
    for name in NAMES:
        assert reserve(world, reservation(name, 0.0, 9.0, Request(cpus=2)))
    world.submit(make_job(1, cpus=1, time_limit=1.0))
    for number, name in enumerate(NAMES, 2):
        world.submit(make_job(number, cpus=2, time_limit=1.0, reservation=name))
    world.tick()
    assert [[one.node for one in claim.nodes] for claim in world.runs.values()] == [["n0"], ["n1"]]
    assert not reserve(world, reservation("r3", 5.0, 9.0, Request(cpus=1)))


def test_a_reservation_stays_on_its_node_when_another_ends_and_leaves_it_when_it_is_drained() -> (
    None
):
    world = pair()
    for name, end in zip(NAMES, (5.0, 20.0), strict=True):
        assert reserve(world, reservation(name, 0.0, end, Request(cpus=2)))
    two = world.view.book.known["r2"]

    def at(now: float) -> str:
        world.now = now
        world.tick()
        [share] = world.view.room.given(world.view.book.amount(two), []).nodes
        return share.node

    assert at(0.0) == "n1"
    assert at(5.0) == "n1"
    world.view.set_node("n1", NodeState.DRAIN)
    assert at(6.0) == "n0"
    world.view.set_node("n1", NodeState.UP)
    assert at(7.0) == "n0"
    for name in ("n0", "n1"):
        world.view.set_node(name, NodeState.DRAIN)
    world.tick()
    world.view.set_node("n1", NodeState.UP)
    world.view.set_node("n0", NodeState.UP)
    assert at(8.0) == "n0"


# -- nodes that take no new work ---------------------------------------------------------------


@given(loads(), PROMISES, st.data())
def test_a_drained_node_gets_nothing_new_and_what_runs_there_runs_on(
    load: Load, promises: int | None, data: st.DataObject
) -> None:
    since: dict[str, float] = {}
    world = load.world(Policy(promises=promises))

    def change(name: str, state: NodeState) -> None:
        world.view.set_node(name, state)
        since.pop(name, None)
        if state is not NodeState.UP:
            since[name] = world.now

    def look(world: World) -> None:
        for claim in world.runs.values():
            for one in claim.nodes:
                assert one.node not in since or claim.start <= since[one.node]

    for node in load.nodes:
        for at in data.draw(st.lists(st.integers(0, 15), max_size=3)):
            state = data.draw(st.sampled_from(NodeState))
            world.at(float(at), partial(change, node.name, state), order=2)
        world.at(40.0, partial(change, node.name, NodeState.UP), order=2)
    world.watch += [check_nodes, look]
    world.run()
    assert not world.left


def test_whoever_needs_a_drained_node_is_told_so_and_is_in_nobodys_way() -> None:
    world = pair()
    world.view.set_node("n1", NodeState.DRAIN)
    world.submit(make_job(1, cpus=2, nodes=2, time_limit=5.0))
    world.submit(make_job(2, cpus=2, time_limit=5.0), same(Act(5.0)))
    world.tick()
    told = explain(world.view, world.policy, 1, -1, 0.0)
    assert told.reason.code == "Drained"
    assert told.reason.sentence == "it waits for nodes that take no new work: n1"
    assert world.starts == {(2, -1): 0.0}
    world.view.set_node("n1", NodeState.UP)
    assert forecast(world.view, world.policy, 0.0).promises == {(1, -1): 5.0}
