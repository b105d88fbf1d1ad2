"""What is remembered of a fleet is brought up to date by looking at what has changed."""

from __future__ import annotations

import pytest

from hpcshell.policy.place.choose import choose
from hpcshell.policy.place.fleet import Fleet
from hpcshell.policy.place.nodes import Demand, Node, NodeState
from hpcshell.policy.place.score import BEST_FIT, Fit, Policy, best_fit
from tests.policy.place.fleets import copy

MANY = 500


def fleet_of(count: int) -> Fleet:
    return Fleet(Node(name=f"n{n}", cpus=8 + n % 3, gpus=("",) * (n % 5)) for n in range(count))


def test_only_nodes_that_have_changed_are_scored_again() -> None:
    looked: list[str] = []

    def score(fit: Fit) -> float:
        looked.append(fit.node.name)
        return best_fit(fit)

    policy, fleet = Policy("counted", score), fleet_of(MANY)
    for _ in range(100):
        placement = choose(fleet, Demand(gpus=25), policy)
        assert placement is not None
        fleet.take(placement)
    assert len(looked) <= MANY + 100


def test_what_is_remembered_is_right_however_much_has_changed_since() -> None:
    fleet = fleet_of(4)
    rare, often = Demand(cpus=3, gpus=100), Demand(cpus=2, gpus=50)
    choose(fleet, rare, BEST_FIT)
    for _ in range(1000):
        placement = choose(fleet, often, BEST_FIT)
        assert placement is not None
        fleet.take(placement)
        fleet.give_back(placement)
    assert fleet.base > 0
    assert len(fleet.log) < 2000
    placement = choose(fleet, often, BEST_FIT)
    assert placement is not None
    fleet.take(placement)
    fleet.set_state("n3", NodeState.DRAIN)
    assert choose(fleet, rare, BEST_FIT) == choose(copy(fleet), rare, BEST_FIT)


def test_only_so_many_demands_are_remembered_the_latest_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hpcshell.policy.place.ranking.REMEMBERED", 100)
    fleet = fleet_of(4)
    for cpus in range(1, 40):
        choose(fleet, Demand(cpus=1), BEST_FIT)
        choose(fleet, Demand(cpus=cpus), BEST_FIT)
    assert len(fleet.rankings) == 20
    assert (BEST_FIT, Demand(cpus=1)) in fleet.rankings
    assert (BEST_FIT, Demand(cpus=2)) not in fleet.rankings
