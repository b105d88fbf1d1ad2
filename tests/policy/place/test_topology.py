"""Which CPUs and cards of a node are given: near each other."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from msgspec.structs import replace

from hpcshell.core.records import WHOLE
from hpcshell.policy.place.choose import choose
from hpcshell.policy.place.fleet import Fleet
from hpcshell.policy.place.nodes import Demand, Domain, Node, NodeState, Part
from hpcshell.policy.place.score import BEST_FIT
from tests.policy.place.fleets import demands, node


def sockets(*cpus: int, memory: int = 0, gpus: int = 0) -> tuple[Domain, ...]:
    """Domains with so many CPUs, each with as much memory and as many cards."""
    return tuple(
        Domain(
            cpus=tuple(range(sum(cpus[:number]), sum(cpus[: number + 1]))),
            memory=memory,
            gpus=tuple(range(number * gpus, (number + 1) * gpus)),
        )
        for number in range(len(cpus))
    )


TWO_SOCKETS = Node(name="n", cpus=32, domains=sockets(16, 16))
EIGHT_GPUS = Node(
    name="n",
    cpus=32,
    memory=64,
    gpus=("a100",) * 8,
    domains=sockets(16, 16, memory=32, gpus=4),
    links=((0, 1, 2, 3), (4, 5, 6, 7)),
)


def given_of(fleet: Fleet, demand: Demand) -> Part:
    """What is given, and taken."""
    placement = choose(fleet, demand, BEST_FIT)
    assert placement is not None
    fleet.take(placement)
    return placement.parts[0]


def domains_of(node: Node, part: Part) -> list[int]:
    """The domains that CPUs are given of."""
    return [n for n, domain in enumerate(node.domains) if set(domain.cpus) & set(part.numbers)]


@pytest.mark.parametrize(("cpus", "domains"), [(8, [0]), (16, [0]), (32, [0, 1])])
def test_cpus_are_of_one_socket_if_they_fit_into_one(cpus: int, domains: list[int]) -> None:
    part = given_of(Fleet([TWO_SOCKETS]), Demand(cpus=cpus))
    assert domains_of(TWO_SOCKETS, part) == domains


def test_the_fuller_socket_that_has_room_is_filled() -> None:
    fleet = Fleet([TWO_SOCKETS])
    taken = [domains_of(TWO_SOCKETS, given_of(fleet, Demand(cpus=n))) for n in (10, 8, 6, 8)]
    assert taken == [[0], [1], [0], [1]]


def test_cpus_that_fit_into_no_socket_come_from_as_few_as_can_be() -> None:
    node = Node(name="n", cpus=20, domains=sockets(4, 8, 4, 4))
    assert domains_of(node, given_of(Fleet([node]), Demand(cpus=12))) == [1, 3]


def test_memory_comes_from_where_the_cpus_are_and_then_from_beside() -> None:
    part = given_of(Fleet([EIGHT_GPUS]), Demand(cpus=4, memory=20))
    assert part.memory == (20, 0)
    part = given_of(Fleet([EIGHT_GPUS]), Demand(cpus=4, memory=40))
    assert sum(part.memory) == 40
    assert max(part.memory) == 32


def test_cards_are_of_one_link_group_near_the_cpus() -> None:
    fleet = Fleet([EIGHT_GPUS])
    first = given_of(fleet, Demand(cpus=8, gpus=200))
    assert (first.numbers, first.gpus) == (tuple(range(8)), ((0, 100), (1, 100)))
    second = given_of(fleet, Demand(cpus=8, gpus=300))
    assert second.numbers == tuple(range(16, 24))
    assert second.gpus == ((4, 100), (5, 100), (6, 100))
    third = given_of(fleet, Demand(cpus=4, gpus=200))
    assert (third.numbers, third.gpus) == ((8, 9, 10, 11), ((2, 100), (3, 100)))


def test_cards_come_before_a_closer_fit_of_the_cpus() -> None:
    fleet = Fleet([EIGHT_GPUS])
    given_of(fleet, Demand(cpus=1, gpus=400))
    given_of(fleet, Demand(cpus=1))
    part = given_of(fleet, Demand(cpus=4, gpus=100))
    assert (domains_of(EIGHT_GPUS, part), part.gpus) == ([1], ((4, 100),))


def test_a_share_is_of_the_fullest_card_with_room_and_linked_to_the_whole_ones() -> None:
    fleet = Fleet([EIGHT_GPUS])
    assert given_of(fleet, Demand(gpus=60)).gpus == ((0, 60),)
    assert given_of(fleet, Demand(gpus=40)).gpus == ((0, 40),)
    part = given_of(fleet, Demand(gpus=250))
    assert part.gpus == ((1, 100), (2, 100), (3, 50))


@given(node(), demands(nodes=1))
def test_no_fewer_domains_or_link_groups_would_do(node: Node, demand: Demand) -> None:
    demand = replace(demand, memory=0, exclusive=False, constraint="")
    placement = choose(Fleet([replace(node, state=NodeState.UP)]), demand, BEST_FIT)
    if placement is None:
        return
    part = placement.parts[0]
    fewer = max(0, len(domains_of(node, part)) - 1)
    for some in combinations(node.domains, fewer):
        assert sum(len(domain.cpus) for domain in some) < demand.cpus or not demand.cpus
    cards = {card for card, share in part.gpus if share == WHOLE}
    if node.links and not demand.gpu_type:
        touched = sum(bool(cards & set(group)) for group in node.links)
        assert touched == 1 or all(len(group) < len(cards) for group in node.links) or not cards
