"""Where demands go: the laws that every policy keeps, and what each is for."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Broken
from hpcshell.core.records import WHOLE
from hpcshell.policy.place.choose import choose
from hpcshell.policy.place.fleet import Fleet
from hpcshell.policy.place.lacking import lacking
from hpcshell.policy.place.nodes import Demand, Node, NodeState, Placement
from hpcshell.policy.place.score import (
    BEST_FIT,
    CLUSTERING,
    FIRST_FIT,
    PACK,
    POLICIES,
    RANDOM,
    WORST_FIT,
    Policy,
)
from tests.policy.place.fleets import ALL, NODES, copy, demands

POLICY = st.sampled_from(ALL)
HISTORY = st.lists(st.tuples(demands(), st.booleans()), max_size=12)
History = list[tuple[Demand, bool]]


def lived(
    nodes: tuple[Node, ...], history: History, policy: Policy
) -> tuple[Fleet, list[Placement]]:
    """A fleet after demands were placed, some of which have gone again; and what is still there."""
    fleet, there = Fleet(nodes), []
    for number, (demand, stays) in enumerate(history):
        placement = choose(fleet, demand, policy, number)
        if placement is not None:
            fleet.take(placement)
            there.append(placement)
        if not stays and there:
            fleet.give_back(there.pop(0))
    return fleet, there


@given(NODES, HISTORY, POLICY)
def test_nothing_is_ever_given_twice(
    nodes: tuple[Node, ...], history: History, policy: Policy
) -> None:
    _, there = lived(nodes, history, policy)
    for node in nodes:
        parts = [part for placement in there for part in placement.parts if part.node == node.name]
        assert sum(part.cpus for part in parts) <= node.cpus
        assert sum(sum(part.memory) for part in parts) <= node.memory
        numbers = [cpu for part in parts for cpu in part.numbers]
        assert len(set(numbers)) == len(numbers)
        for number, domain in enumerate(node.domains):
            assert sum(part.memory[number] for part in parts) <= domain.memory
        for card in range(len(node.gpus)):
            assert sum(share for part in parts for c, share in part.gpus if c == card) <= WHOLE


@given(NODES, HISTORY, POLICY, demands())
def test_what_is_given_is_what_was_asked_for(
    nodes: tuple[Node, ...], history: History, policy: Policy, demand: Demand
) -> None:
    fleet, _ = lived(nodes, history, policy)
    placement = choose(fleet, demand, policy)
    if placement is None:
        return
    assert len({part.node for part in placement.parts}) == demand.nodes
    for part in placement.parts:
        node = fleet.nodes[fleet.number[part.node]]
        assert node.state is NodeState.UP
        assert len(part.numbers) == (part.cpus if node.domains else 0)
        if demand.exclusive:
            assert fleet.free[fleet.number[node.name]] == fleet.whole[fleet.number[node.name]]
            assert (part.cpus, sum(part.memory)) == (node.cpus, node.memory)
            continue
        assert (part.cpus, sum(part.memory)) == (demand.cpus, demand.memory)
        assert sum(share for _, share in part.gpus) == demand.gpus
        assert sum(share < WHOLE for _, share in part.gpus) == bool(demand.gpus % WHOLE)
        assert all(demand.gpu_type in ("", node.gpus[card]) for card, _ in part.gpus)


@given(NODES, HISTORY, POLICY, demands())
def test_giving_back_undoes_taking(
    nodes: tuple[Node, ...], history: History, policy: Policy, demand: Demand
) -> None:
    fleet, there = lived(nodes, history, policy)
    before = list(fleet.free)
    placement = choose(fleet, demand, policy)
    if placement is not None:
        fleet.take(placement)
        fleet.give_back(placement)
    assert fleet.free == before
    for placement in there:
        fleet.give_back(placement)
    assert fleet.free == fleet.whole


@given(NODES, HISTORY, POLICY, demands(), st.integers(0, 3))
def test_equal_fleets_give_equal_places_whatever_they_remember(
    nodes: tuple[Node, ...], history: History, policy: Policy, demand: Demand, number: int
) -> None:
    fleet, _ = lived(nodes, history, policy)
    assert choose(fleet, demand, policy, number) == choose(copy(fleet), demand, policy, number)


@given(NODES, HISTORY, demands())
def test_if_one_policy_finds_a_place_all_do(
    nodes: tuple[Node, ...], history: History, demand: Demand
) -> None:
    fleet, _ = lived(nodes, history, BEST_FIT)
    assert len({choose(copy(fleet), demand, policy) is None for policy in ALL}) == 1


@given(NODES, HISTORY, demands())
def test_what_has_no_place_is_told_why(
    nodes: tuple[Node, ...], history: History, demand: Demand
) -> None:
    fleet, there = lived(nodes, history, PACK)
    if choose(fleet, demand, PACK) is not None:
        return
    told = lacking(fleet, demand)
    left = [len(nodes), *(step.nodes for step in told.steps)]
    assert all(more > fewer for more, fewer in pairwise(left))
    assert left[-1] < demand.nodes or "together" in told.sentence
    for placement in there:
        fleet.give_back(placement)
    for node in nodes:
        fleet.set_state(node.name, NodeState.UP)
    assert told.never == (choose(fleet, demand, PACK) is None)


def nodes(*cards: int, cpus: int = 8) -> list[Node]:
    return [
        Node(name=f"n{number}", cpus=cpus, gpus=("t4",) * count)
        for number, count in enumerate(cards)
    ]


def where(fleet: Fleet, policy: Policy, number: int = 0, **asked: int) -> str:
    """The node that is chosen, and taken."""
    placement = choose(fleet, Demand(**asked), policy, number)  # type: ignore[arg-type]
    assert placement is not None
    fleet.take(placement)
    return placement.parts[0].node


def test_best_fit_leaves_least_and_worst_fit_most() -> None:
    fleet = Fleet([Node(name="large", cpus=16), Node(name="small", cpus=4)])
    assert where(fleet, BEST_FIT, cpus=4) == "small"
    assert where(fleet, WORST_FIT, cpus=1) == "large"
    assert where(fleet, FIRST_FIT, cpus=1) == "large"


def test_packing_fills_a_card_in_use_before_it_opens_another() -> None:
    fleet = Fleet(nodes(4, 2))
    assert where(fleet, PACK, gpus=50) == "n1"
    assert [where(fleet, PACK, gpus=50) for _ in range(4)] == ["n1", "n1", "n1", "n0"]


def test_clustering_puts_like_beside_like() -> None:
    fleet = Fleet(nodes(4, 4))
    assert where(fleet, CLUSTERING, gpus=50) == "n0"
    assert where(fleet, CLUSTERING, gpus=100) == "n1"
    assert where(fleet, CLUSTERING, gpus=50) == "n0"
    assert where(fleet, CLUSTERING, gpus=100) == "n1"


def test_chance_is_what_the_caller_gives() -> None:
    chosen = [where(Fleet(nodes(*[1] * 20)), RANDOM, number, gpus=100) for number in range(60)]
    again = [where(Fleet(nodes(*[1] * 20)), RANDOM, number, gpus=100) for number in range(60)]
    assert chosen == again
    assert len(set(chosen)) > 10


def test_a_share_goes_beside_whole_cards_on_one_more() -> None:
    fleet = Fleet(nodes(3))
    where(fleet, BEST_FIT, gpus=30)
    placement = choose(fleet, Demand(gpus=150), BEST_FIT)
    assert placement is not None
    assert placement.parts[0].gpus == ((0, 50), (1, 100))


def test_alternatives_hold_for_all_nodes_alike_and_counts_are_kept() -> None:
    racks = [
        Node(name=f"n{number}", cpus=4, features=frozenset(features))
        for number, features in enumerate((["r1"], ["r2", "gpu"], ["r1"], ["r2"], ["r2"]))
    ]
    for policy in POLICIES.values():
        placement = choose(Fleet(racks), Demand(nodes=3, constraint="[r1|r2]"), policy)
        assert placement is not None
        assert {part.node for part in placement.parts} == {"n1", "n3", "n4"}
    placement = choose(Fleet(racks), Demand(nodes=3, constraint="[r1*1&r2*1&gpu*1]"), FIRST_FIT)
    assert placement is not None
    assert "n1" in {part.node for part in placement.parts}
    assert choose(Fleet(racks), Demand(nodes=4, constraint="[r1|r2]"), FIRST_FIT) is None
    told = lacking(Fleet(racks), Demand(nodes=4, constraint="[r1|r2]"))
    assert told.never
    assert told.sentence == (
        "4 nodes are wanted; of 5: no 4 that have the features [r1|r2] together"
    )


def test_what_is_lacking_is_told_with_figures() -> None:
    fleet = Fleet([*nodes(2, 2, 0), Node(name="off", cpus=8, gpus=("t4",), state=NodeState.DOWN)])
    where(fleet, FIRST_FIT, gpus=150)
    told = lacking(fleet, Demand(nodes=2, gpus=200))
    assert not told.never
    assert told.sentence == (
        "2 nodes are wanted; of 4: 3 up, of these 2 with 2 GPUs, of these 1 with 2 GPUs free"
    )


def test_a_node_that_is_drained_keeps_what_it_holds_and_takes_no_more() -> None:
    fleet = Fleet(nodes(1))
    placement = choose(fleet, Demand(gpus=50), BEST_FIT)
    assert placement is not None
    fleet.take(placement)
    fleet.set_state("n0", NodeState.DRAIN)
    assert choose(fleet, Demand(gpus=50), BEST_FIT) is None
    fleet.give_back(placement)
    assert choose(fleet, Demand(gpus=50), BEST_FIT) is None
    fleet.set_state("n0", NodeState.UP)
    assert choose(fleet, Demand(gpus=50), BEST_FIT) == placement


def test_what_is_not_free_is_not_taken_nor_what_is_not_held_given_back() -> None:
    fleet = Fleet(nodes(1))
    placement = choose(fleet, Demand(gpus=80), BEST_FIT)
    assert placement is not None
    with pytest.raises(Broken):
        fleet.give_back(placement)
    fleet.take(placement)
    before = list(fleet.free)
    with pytest.raises(Broken):
        fleet.take(placement)
    assert fleet.free == before
