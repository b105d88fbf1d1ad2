"""Shares of cards: each of one card, never more than all of it, beside no whole one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.records import WHOLE, Claim, Resources
from hpcshell.policy.decide import Policy, decide, forecast
from hpcshell.policy.explain import explain
from hpcshell.policy.host import Host
from hpcshell.policy.place.deal import WAYS
from hpcshell.policy.place.nodes import Node
from hpcshell.policy.room import Room
from tests.policy.made import make_job
from tests.policy.promised import run_as_promised
from tests.policy.workloads import Load, loads
from tests.policy.world import Act, World, same

PROMISES = st.sampled_from((0, 1, 2, None))
CARDS = Resources(cpus=16, gpus=2)


def hundredths(claim: Claim) -> list[int]:
    return [share for _, share in claim.shared]


def started(world: World, *asked: float, limit: float = 10.0) -> list[Claim]:
    """What jobs that ask for so many gpus hold, one after the other, as far as they start."""
    for number, gpus in enumerate(asked, len(world.jobs) + 1):
        whole, share = divmod(round(gpus * WHOLE), WHOLE)
        job = make_job(number, gpus=whole, gpu_share=share, time_limit=limit)
        world.arrive(job, same(Act(limit)))
        world.tick()
    return list(world.runs.values())


def cards_of(claims: list[Claim]) -> list[list[int]]:
    return [[*claim.gpus, *(card for card, _ in claim.shared)] for claim in claims]


@given(loads(), PROMISES)
def test_each_holds_as_much_as_it_asked_for_and_a_share_is_of_one_card(
    load: Load, promises: int | None
) -> None:
    def look(world: World) -> None:
        for claim in world.runs.values():
            request = world.task((claim.job, claim.index)).request or world.jobs[claim.job].request
            if not claim.exclusive:
                assert len(claim.gpus) == request.gpus
                assert hundredths(claim) == [request.gpu_share] * bool(request.gpu_share)

    world = load.world(Policy(promises=promises))
    world.watch.append(look)
    world.run()
    assert world.view.room.free == world.view.room.size


@given(loads(simple=True), st.sampled_from((1, 2, None)))
def test_no_promise_is_pushed_back_where_cards_are_shared(load: Load, promises: int | None) -> None:
    run_as_promised(load.world(Policy(promises=promises)))


@given(loads())
def test_cards_are_counted_one_by_one_only_while_something_shares_them(load: Load) -> None:
    def look(world: World) -> None:
        asked = [world.jobs[job].request for job in world.left]
        asked += [task.request for task in world.tasks.values() if task.request is not None]
        sharing = any(claim.shared for claim in world.runs.values())
        if world.view.room.by_card:
            assert sharing or any(request.gpu_share for request in asked)
        else:
            assert not sharing

    world = load.world(Policy())
    world.watch.append(look)
    world.run()
    assert not world.view.room.by_card or world.left


def test_what_fits_in_all_but_on_no_card_waits_until_one_has_room() -> None:
    world = World(CARDS, Policy())
    claims = started(world, 0.6, 0.6, 0.5)
    assert cards_of(claims) == [[0], [1]]
    plan = forecast(world.view, world.policy, world.now)
    assert plan.promises == {(3, -1): 10.0}
    sentence = plan.reasons[3, -1].sentence
    assert sentence == "it waits for 0.5 gpus on one card (0.4 and 0.4 of cards are free)"
    world.run()
    assert world.starts[3, -1] == 10.0


def test_a_whole_card_is_not_one_that_others_share() -> None:
    world = World(CARDS, Policy())
    claims = started(world, 0.01, 1, 1)
    assert cards_of(claims) == [[0], [1]]
    reason = forecast(world.view, world.policy, world.now).reasons[3, -1]
    assert reason.sentence == "it waits for 1 gpu (0.99 of 2 are free)"


def test_one_and_a_half_is_a_card_alone_and_half_of_another() -> None:
    [claim, other] = started(World(CARDS, Policy()), 1.5, 0.5)
    assert (len(claim.gpus), hundredths(claim)) == (1, [50])
    assert other.shared == claim.shared


@pytest.mark.parametrize(
    ("way", "cards"),
    [
        ("pack", [[0], [1], [1], [0]]),
        ("best_fit", [[0], [1], [1], [0]]),
        ("spread", [[0], [1], [0], [1]]),
    ],
)
def test_the_way_chooses_the_card(way: str, cards: list[list[int]]) -> None:
    node = Node(name="made", cpus=16, gpus=("", ""))
    world = World(Room(CARDS, Host(node, WAYS[way])), Policy())
    assert cards_of(started(world, 0.5, 0.6, 0.4, 0.3)) == cards


def test_a_hundred_hundredths_are_one_card_exactly() -> None:
    world = World(Resources(cpus=101, gpus=1), Policy())
    claims = started(world, *([0.01] * 101))
    assert len(claims) == 100
    assert not decide(world.view, world.policy, world.now).starts


def test_a_smaller_share_that_would_start_sooner_is_named() -> None:
    world = World(CARDS, Policy())
    started(world, 0.6, 0.6, 0.5, limit=1000.0)
    told = explain(world.view, world.policy, 3, -1, world.now, others=())
    assert [one.id for one in told.blockers] == [1]
    assert told.change is not None
    assert (told.change.options, told.change.start) == ("--gpus=0.4", 0.0)
