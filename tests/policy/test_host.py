"""Which cards and cpus of one machine are given: it changes nothing but their numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.records import WHOLE, Resources
from hpcshell.policy.decide import Policy
from hpcshell.policy.host import Host
from hpcshell.policy.place.deal import WAYS, Way
from hpcshell.policy.place.nodes import Domain, Node
from hpcshell.policy.view import View
from tests.policy.made import elements_of, make_job
from tests.policy.workloads import Load, loads
from tests.policy.world import World

DUAL = Node(
    name="dual",
    cpus=8,
    gpus=("",) * 4,
    domains=(
        Domain(cpus=(0, 1, 2, 3), gpus=(0, 2)),
        Domain(cpus=(4, 5, 6, 7), gpus=(1, 3)),
    ),
    links=((0, 2), (1, 3)),
)
"""Two domains, and the cards of each joined."""


def host_of(total: Resources) -> Node:
    """A machine of that size: its cpus in two domains, with every other card near each."""
    half = total.cpus // 2
    near = tuple(range(0, total.gpus, 2)), tuple(range(1, total.gpus, 2))
    return Node(
        name="made",
        cpus=total.cpus,
        gpus=("",) * total.gpus,
        domains=(
            Domain(cpus=tuple(range(half)), gpus=near[0]),
            Domain(cpus=tuple(range(half, total.cpus)), gpus=near[1]),
        ),
        links=tuple(group for group in near if len(group) > 1),
    )


@given(loads(shares=False), st.sampled_from((0, 1, None)))
def test_how_cards_are_joined_changes_no_start(load: Load, promises: int | None) -> None:
    policy = Policy(promises=promises)
    joined = World(load.total, policy, host=Host(host_of(load.total)))
    for work in load.work:
        joined.submit(work.job, work.script())

    def look(world: World) -> None:
        running = [claim for claim in world.runs.values() if claim.suspended is None]
        cores = [core for claim in running for core in claim.cores]
        assert len(cores) == len(set(cores))
        assert all(len(claim.cores) == claim.cpus for claim in running)

    joined.watch.append(look)
    assert joined.run().starts == load.world(policy).run().starts


def test_cards_are_of_one_group_and_cpus_near_them() -> None:
    world = World(Resources(cpus=8, gpus=4), host=Host(DUAL))
    for number in (1, 2):
        world.submit(make_job(number, gpus=2, cpus=3))
    world.tick()
    first, second = world.view.claims.values()
    assert (first.gpus, first.cores) == ((0, 2), (0, 1, 2))
    assert (second.gpus, second.cores) == ((1, 3), (4, 5, 6))


def test_a_single_card_leaves_the_whole_group_to_others() -> None:
    world = World(Resources(cpus=8, gpus=4), host=Host(DUAL))
    for number, gpus in ((1, 1), (2, 1), (3, 2)):
        world.submit(make_job(number, gpus=gpus))
    world.tick()
    assert [claim.gpus for claim in world.view.claims.values()] == [(0,), (2,), (1, 3)]


def test_where_nothing_is_known_the_first_cards_are_given() -> None:
    world = World(Resources(cpus=8, gpus=4))
    for number, gpus in ((1, 1), (2, 2)):
        world.submit(make_job(number, gpus=gpus))
    world.tick()
    assert [claim.gpus for claim in world.view.claims.values()] == [(0,), (1, 2)]
    assert not any(claim.cores for claim in world.view.claims.values())


def test_more_cards_than_the_host_tells_of_are_given_in_their_order() -> None:
    assert Host(DUAL).give([3, 4, 5], (), 1, 2).gpus == (3, 4)
    assert Host(DUAL).give([1, 3, 4], (), 1, 2).gpus == (1, 3)


def test_the_host_may_be_told_later() -> None:
    view = View(Resources(cpus=8, gpus=4))
    view.set_total(Resources(cpus=8, gpus=4), Host(DUAL))
    job = make_job(1, gpus=2)
    view.put_job(job, elements_of(job))
    assert view.room.given((1, 1, 0, 2 * WHOLE), view.room.gpus).gpus == (0, 2)


@pytest.mark.parametrize(
    ("way", "cores", "cards"),
    [
        (None, (0, 1, 2), (0, 2)),
        ("pack", (0, 1, 2), (0, 2)),
        ("best_fit", (0, 1, 2), (0, 2)),
        ("spread", (0, 1, 4), (0, 1)),
    ],
)
def test_the_way_says_of_which_sockets_cpus_and_cards_are(
    way: str | None, cores: tuple[int, ...], cards: tuple[int, ...]
) -> None:
    host = Host(DUAL, None if way is None else WAYS[way])
    given = host.give(range(4), (), 3, 2)
    assert (given.cores, given.gpus) == (cores, cards)


def test_a_share_is_near_the_cpus_where_that_decides() -> None:
    taken = Host(DUAL).take((100, 100, 0, 40), 4, 40)
    assert taken == (0, 0, 0, 40), "the card with least left goes first"
    given = Host(DUAL).name(taken, (), 4)
    assert (given.shared, given.cores) == (((3, 40),), (4, 5, 6, 7))


@given(
    st.sampled_from((None, *WAYS.values())),
    st.lists(st.integers(0, WHOLE), max_size=4),
    st.integers(0, 8),
    st.integers(1, 4 * WHOLE),
)
def test_a_share_is_given_exactly_where_there_is_one(
    way: Way | None, free: list[int], cpus: int, wanted: int
) -> None:
    taken = Host(DUAL, way).take(free, cpus, wanted)
    count, share = divmod(wanted, WHOLE)
    whole = free.count(WHOLE)
    assert (taken is not None) == (
        whole >= count and (not share or sum(left >= share for left in free) > count)
    )
    if taken is not None:
        assert all(part <= left for part, left in zip(taken, free, strict=True))
        asked = [WHOLE] * count + [share] * (share > 0)
        assert sorted(part for part in taken if part) == sorted(asked)
        given = Host(DUAL, way).name(taken, (), cpus)
        assert (len(given.gpus), [part for _, part in given.shared]) == (
            count,
            [share][: share > 0],
        )
