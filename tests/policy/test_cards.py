"""Cards that differ, cards that are closed: who gets which, and how much of it."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.errors import Wrong
from hpcshell.core.gpus import is_model
from hpcshell.core.records import WHOLE, Claim, Request, Resources
from hpcshell.core.settings import Settings
from hpcshell.policy.admit import admit
from hpcshell.policy.cards import kinds, part_of, settled
from hpcshell.policy.decide import Policy, decide, forecast
from hpcshell.policy.explain import explain
from hpcshell.policy.holdings import close_cards
from hpcshell.policy.host import Host
from hpcshell.policy.place.deal import WAYS
from hpcshell.policy.place.nodes import Node
from hpcshell.policy.room import Room, cards_held
from tests.policy.made import make_job
from tests.policy.world import Act, World, same

GIB = 1 << 30
MODELS = {"NVIDIA A100-SXM4-80GB": 80 * GIB, "NVIDIA A10": 24 * GIB, "Tesla T4": 16 * GIB}


class Box(NamedTuple):
    """A machine, what is asked of it, and which cards are closed after which decision."""

    node: Node
    asked: list[Request]
    closures: list[set[int]]
    way: str

    def world(self) -> World:
        total = Resources(cpus=64, gpus=len(self.node.gpus))
        return World(Room(total, Host(self.node, WAYS.get(self.way))), Policy(promises=1))


@st.composite
def nodes(draw: st.DrawFn, most: int = 6) -> Node:
    models = draw(st.lists(st.sampled_from(sorted(MODELS)), min_size=1, max_size=most))
    alone = draw(st.sets(st.integers(0, len(models) - 1), max_size=2))
    return Node(
        name="box",
        cpus=64,
        gpus=tuple(models),
        gpu_memory=tuple(MODELS[model] for model in models),
        alone=tuple(sorted(alone)),
    )


@st.composite
def requests(draw: st.DrawFn, node: Node) -> Request:
    hundredths = draw(st.sampled_from((0, 1, 25, 50, 99, 100, 150, 200, 233)))
    memory = draw(st.sampled_from((0, 0, 1 * GIB, 10 * GIB, 20 * GIB, 80 * GIB)))
    some = st.sets(st.integers(0, len(node.gpus) - 1), min_size=1)
    allowed = draw(st.one_of(st.just(set[int]()), some))
    return Request(
        gpus=hundredths // WHOLE,
        gpu_share=hundredths % WHOLE,
        gpu_mem=memory,
        gpu_type=draw(st.sampled_from(("", "", "a100", "A10", "t4"))),
        gpus_allowed=tuple(sorted(allowed)) if hundredths or memory else (),
        time_limit=draw(st.sampled_from((1.0, 3.0, 10.0))),
    )


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    node = draw(nodes())
    asked = draw(st.lists(requests(node), min_size=1, max_size=12))
    some = st.sets(st.integers(0, len(node.gpus) - 1), max_size=3)
    way = draw(st.sampled_from(("topology", "pack", "best_fit", "spread")))
    return Box(node, asked, draw(st.lists(some, max_size=4)), way)


def admitted(request: Request, node: Node) -> Request | None:
    """As it is taken in; None: it never can be met."""
    request = settled(request, node)
    try:
        total = Resources(cpus=node.cpus, gpus=len(node.gpus))
        admit(request, total, Settings(), "main", node)
    except Wrong:
        return None
    return request


def check_cards(world: World, node: Node) -> None:
    """No card is given twice over, in parts or in memory; none alone is shared."""
    taken: dict[int, list[int]] = {}
    for claim in world.runs.values():
        request = world.jobs[claim.job].request
        held = cards_held(claim)
        assert sum(held.values()) >= request.gpu_hundredths
        for card, share in held.items():
            taken.setdefault(card, []).append(share)
            assert is_model(node.gpus[card], request.gpu_type)
            assert not request.gpus_allowed or card in request.gpus_allowed
            assert share * node.gpu_memory[card] >= request.gpu_mem * WHOLE
    for card, shares in taken.items():
        assert sum(shares) <= WHOLE
        assert card not in node.alone or shares == [WHOLE]


@given(boxes())
def test_no_card_is_given_twice_over_and_everything_that_fits_ends(box: Box) -> None:
    world, closures = box.world(), list(box.closures)
    closed_since: dict[int, float] = {}

    def look(world: World) -> None:
        check_cards(world, box.node)
        for claim in world.runs.values():
            for card in cards_held(claim):
                assert claim.start <= closed_since.get(card, claim.start)
        closed = closures.pop() if closures else set()
        for card in set(closed_since) - closed:
            del closed_since[card]
        for card in closed:
            closed_since.setdefault(card, world.now)
        close_cards(world.view, dict.fromkeys(closed, "tried"))

    world.watch.append(look)
    for number, asked in enumerate(box.asked, 1):
        if (request := admitted(asked, box.node)) is not None:
            job = make_job(number)
            world.arrive(replace(job, request=request), same(Act(1.0)))
    world.tick()
    world.run()
    close_cards(world.view, {})
    closures.clear()
    closed_since.clear()
    world.tick()
    world.run()
    assert not world.left
    assert world.view.room.free == world.view.room.size


@pytest.mark.parametrize("way", ["topology", "spread"])
def test_a_thousand_jobs_over_64_cards_all_end(way: str) -> None:
    chance = Random(1)
    node = Node(name="box", cpus=2048, gpus=("a100",) * 64, gpu_memory=(80 * GIB,) * 64)
    total = Resources(cpus=2048, gpus=64)
    world = World(Room(total, Host(node, WAYS.get(way))), Policy(promises=1))
    world.watch.append(lambda world: check_cards(world, node))
    for number in range(1, 1001):
        gpus, share = divmod(chance.randrange(1, 400), WHOLE)
        memory = chance.choice((0, 0, 10, 40)) * GIB
        asked = Request(gpus=gpus, gpu_share=share, gpu_mem=memory, time_limit=60.0)
        job = replace(make_job(number), request=settled(asked, node))
        arrives = chance.uniform(0, 300)
        world.submit(replace(job, submit_time=arrives), same(Act(chance.uniform(1, 60))))
    world.run()
    assert not world.left
    assert world.view.room.free == world.view.room.size


@given(boxes())
def test_equal_inputs_give_equal_places(box: Box) -> None:
    def places() -> list[tuple[int, ...]]:
        world = box.world()
        for number, asked in enumerate(box.asked, 1):
            if (request := admitted(asked, box.node)) is not None:
                world.arrive(replace(make_job(number), request=request), same(Act(1.0)))
        plan = decide(world.view, world.policy, world.now)
        assert plan == decide(world.view, world.policy, world.now)
        return [(start.job, *start.gpus, *sum(start.shared, ())) for start in plan.starts]

    assert places() == places()


@given(nodes(), st.data())
def test_what_is_taken_in_has_a_place_on_the_empty_machine(node: Node, data: st.DataObject) -> None:
    request = admitted(data.draw(requests(node)), node)
    if request is None or not request.picks_cards:
        return
    room = Room(Resources(cpus=64, gpus=len(node.gpus)), Host(node))
    room.share(1)
    assert bool(room.part(request))
    for kind in kinds(request, node):
        assert kind.wanted >= request.gpu_hundredths


@given(st.integers(1, 1 << 40), st.integers(1, 1 << 40))
def test_a_part_of_a_card_holds_the_memory_that_is_asked_for(memory: int, whole: int) -> None:
    part = part_of(memory, whole)
    assert part * whole >= memory * WHOLE
    assert (part - 1) * whole < memory * WHOLE


# ------------------------------------------------------------------------------------------ cases


MIXED = Node(
    name="box",
    cpus=64,
    gpus=("NVIDIA A100-SXM4-80GB", "NVIDIA A10", "NVIDIA A10", "NVIDIA A100-SXM4-80GB"),
    gpu_memory=(80 * GIB, 24 * GIB, 24 * GIB, 80 * GIB),
    alone=(3,),
)


def mixed(*asked: Request, closed: dict[int, str] | None = None) -> World:
    """The mixed box, with jobs that ask for this."""
    world = World(Room(Resources(cpus=64, gpus=4), Host(MIXED)), Policy())
    close_cards(world.view, closed or {})
    for number, request in enumerate(asked, 1):
        request = settled(replace(request, time_limit=10.0), MIXED)
        world.arrive(replace(make_job(number), request=request), same(Act(10.0)))
    world.tick()
    return world


def held(world: World) -> list[dict[int, int]]:
    claims: list[Claim] = list(world.runs.values())
    return [cards_held(claim) for claim in claims]


def test_memory_is_a_larger_part_of_a_smaller_card_and_small_cards_go_first() -> None:
    world = mixed(*[Request(gpu_mem=12 * GIB)] * 5)
    assert held(world) == [{1: 50}, {1: 50}, {2: 50}, {2: 50}, {0: 15}]


def test_what_no_small_card_holds_goes_to_a_large_one() -> None:
    assert held(mixed(Request(gpu_mem=40 * GIB))) == [{0: 50}]


def test_a_card_for_one_process_is_given_whole_and_last() -> None:
    share = Request(gpu_share=50, gpu_type="a100")
    assert held(mixed(share, share, share)) == [{0: 50}, {0: 50}, {3: 100}]


def test_all_cards_of_a_job_are_of_one_kind() -> None:
    world = mixed(Request(gpus=1, gpu_share=50, gpu_mem=20 * GIB))
    assert held(world) == [{1: 100, 2: 84}]


def test_cards_that_are_closed_are_named_with_why() -> None:
    world = mixed(Request(gpus=1, gpu_type="a10"), closed={1: "paused by ann", 2: "lost"})
    told = explain(world.view, world.policy, 1, -1, world.now)
    assert told.reason.code == "GpusClosed"
    assert told.reason.sentence == (
        "it waits for gpus that take no new work: gpu 1 (paused by ann) and gpu 2 (lost)"
    )
    close_cards(world.view, {2: "lost"})
    world.tick()
    assert held(world) == [{1: 100}]


def test_who_waits_for_cards_is_told_of_those_that_are_closed() -> None:
    world = mixed(Request(gpus=2), Request(gpus=2), closed={0: "paused by ann"})
    reason = forecast(world.view, world.policy, world.now).reasons[2, -1]
    assert reason.sentence == (
        "it waits for 2 gpus (1 of 3 is free); no new work is taken by gpu 0 (paused by ann)"
    )


def test_no_more_is_shared_of_a_card_than_strangers_leave_and_whole_ones_come_last() -> None:
    node = Node(name="box", cpus=64, gpus=("a100",) * 2, gpu_memory=(80 * GIB,) * 2)

    def placed(*asked: Request) -> list[dict[int, int]]:
        world = World(Room(Resources(cpus=64, gpus=2), Host(node)), Policy())
        close_cards(world.view, {}, {0: 70})
        for number, request in enumerate(asked, 1):
            request = settled(replace(request, time_limit=9.0), node)
            world.arrive(replace(make_job(number), request=request), same(Act(9.0)))
        world.tick()
        return held(world)

    assert placed(Request(gpu_mem=60 * GIB)) == [{1: 75}]
    assert placed(*[Request(gpu_share=25)] * 6) == [{0: 25}, *[{1: 25}] * 4]
    assert placed(Request(gpus=1), Request(gpus=1)) == [{1: 100}, {0: 100}]
    assert placed(Request(gpus=2)) == [{0: 100, 1: 100}]


def test_what_runs_on_a_card_that_is_closed_runs_on_and_gives_nothing_back() -> None:
    world = mixed(Request(gpus=4), Request(gpus=4))
    close_cards(world.view, {0: "paused"})
    assert world.view.free.gpus == 0
    world.run()
    assert set(world.left) == {2}
    assert world.view.free.gpus == 3


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Request(gpus=1, gpu_type="h100"), "asks for gpus of type 'h100'; there is none"),
        (Request(gpus=3, gpu_type="a10"), "asks for 3 gpus of type a10; there are 2"),
        (Request(gpus=1, gpus_allowed=(9,)), "--gpus-allowed names card 9, and there is none"),
        (Request(gpus_allowed=(1,)), "--gpus-allowed names cards, and none is asked for"),
        (
            Request(gpu_mem=81 * GIB),
            "asks for 81G of memory of one gpu; the largest has 80G",
        ),
        (
            Request(gpu_mem=25 * GIB, gpus_allowed=(1, 2)),
            "asks for 25G of memory of one gpu; the largest among the cards 1, 2 has 24G",
        ),
        (
            Request(gpus=1, gpu_share=50, gpus_allowed=(1,)),
            "asks for 1.5 gpus among the cards 1; there are 1",
        ),
    ],
)
def test_what_no_card_will_ever_do_for_is_refused(asked: Request, said: str) -> None:
    with pytest.raises(Wrong) as refused:
        admit(settled(asked, MIXED), Resources(cpus=64, gpus=4), Settings(), "main", MIXED)
    assert refused.value.message == said
    assert refused.value.hint


@pytest.mark.parametrize(
    ("model", "wanted", "is_it"),
    [
        ("NVIDIA A100-SXM4-80GB", "a100", True),
        ("NVIDIA A100-SXM4-80GB", "A100-SXM4", True),
        ("NVIDIA A100-SXM4-80GB", "a10", False),
        ("NVIDIA GeForce RTX 4090", "rtx4090", True),
        ("NVIDIA GeForce RTX 4090", "4090", True),
        ("NVIDIA GeForce RTX 4090", "409", False),
        ("NVIDIA GeForce RTX 4090", "", True),
        ("", "a100", True),
    ],
)
def test_models_are_known_by_their_words(model: str, wanted: str, is_it: bool) -> None:
    assert is_model(model, wanted) is is_it
