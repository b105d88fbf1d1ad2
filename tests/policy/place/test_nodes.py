"""Records of placement refuse what cannot be."""

from __future__ import annotations

import pytest

from hpcshell.core.errors import Broken, Wrong
from hpcshell.policy.place.fleet import Fleet
from hpcshell.policy.place.nodes import Demand, Domain, Node


def test_demands_for_less_than_nothing_are_refused() -> None:
    for wrong in ({"nodes": 0}, {"cpus": -1}, {"memory": -1}, {"gpus": -1}):
        with pytest.raises(Wrong):
            Demand(**wrong)  # type: ignore[arg-type]


def test_nodes_whose_parts_do_not_make_up_the_whole_are_refused() -> None:
    one = Domain(cpus=(0, 1), memory=4, gpus=(0,))
    for wrong in (
        {"cpus": 3, "memory": 4, "gpus": ("",), "domains": (one,)},
        {"cpus": 2, "memory": 5, "gpus": ("",), "domains": (one,)},
        {"cpus": 4, "memory": 8, "gpus": ("",), "domains": (one, one)},
        {"cpus": 2, "memory": 4, "domains": (one,)},
        {"cpus": 2, "gpus": ("", ""), "links": ((0, 1), (1,))},
        {"cpus": -1},
    ):
        with pytest.raises(Wrong):
            Node(name="n", **wrong)


def test_two_nodes_of_one_name_are_no_fleet() -> None:
    with pytest.raises(Broken):
        Fleet([Node(name="n", cpus=1), Node(name="n", cpus=2)])
