"""Clusters by chance, with work for them."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

from hpcshell.core.records import WHOLE, Job
from hpcshell.policy.cluster import Cluster
from hpcshell.policy.place.deal import WAYS
from hpcshell.policy.place.nodes import Domain, Node
from hpcshell.policy.plan import Policy
from hpcshell.policy.regime import Regime
from tests.policy.made import make_job
from tests.policy.world import Act, World, same

FEATURES = ("a", "b")
CONSTRAINTS = ("", "", "", "a", "a&b", "a|b", "[a|b]", "a*1", "[a*1&b*1]")
SHARES = (0, 0, 0, 0, 30, 50, 60)
ways = st.sampled_from(sorted(WAYS))


@st.composite
def nodes(draw: st.DrawFn, most: int = 4) -> tuple[Node, ...]:
    """Up to `most` nodes with few of everything."""
    with_memory = draw(st.booleans())
    found = []
    for number in range(draw(st.integers(1, most))):
        cpus, cards = draw(st.integers(1, 4)), draw(st.sampled_from((0, 0, 1, 2, 3)))
        memory = draw(st.integers(1, 8)) if with_memory else 0
        near = tuple(range(cards))
        domains = (Domain(cpus=tuple(range(cpus)), memory=memory, gpus=near),)
        found.append(
            Node(
                name=f"n{number}",
                cpus=cpus,
                memory=memory,
                gpus=("",) * cards,
                features=draw(st.frozensets(st.sampled_from(FEATURES))),
                domains=draw(st.sampled_from(((), domains))),
                links=draw(st.sampled_from(((), (near,)))) if cards else (),
            )
        )
    return tuple(found)


class Load(NamedTuple):
    """Jobs for nodes, and how long each runs."""

    nodes: tuple[Node, ...]
    way: str
    work: list[tuple[Job, float]]

    def world(self, policy: Policy, regime: Regime | None = None) -> World:
        world = World(Cluster(self.nodes, WAYS[self.way]), policy, regime)
        for job, run in self.work:
            world.submit(job, same(Act(run)))
        return world


@st.composite
def loads(draw: st.DrawFn, *, exclusive: bool = True, most: int = 12, shares: bool = True) -> Load:
    """Jobs that fit the nodes once nobody is on them, with a limit that they keep."""
    made, way = draw(nodes()), draw(ways)
    room = Cluster(made, WAYS[way])
    work, at = [], 0.0
    for number in range(1, draw(st.integers(1, most)) + 1):
        at += draw(st.sampled_from((0, 0, 1, 2, 5)))
        limit = draw(st.integers(1, 9))
        count = draw(st.sampled_from((0, 0, 1, 1, 2, 3)))
        job = make_job(
            number,
            submit_time=at,
            cpus=draw(st.integers(1, 8 if count == 0 else 3)),
            memory=draw(st.sampled_from((0, 0, 1, 2, 5))),
            gpus=draw(st.sampled_from((0, 0, 0, 1, 2))),
            gpu_share=draw(st.sampled_from(SHARES)) if shares else 0,
            nodes=count,
            constraint=draw(st.sampled_from(CONSTRAINTS)),
            exclusive=exclusive and draw(st.integers(0, 6)) == 0,
            time_limit=float(limit),
        )
        if room.part(job.request) is not None:
            work.append((job, float(draw(st.integers(1, limit)))))
    return Load(made, way, work)


def check_nodes(world: World) -> None:
    """Of no node more is held than it has, added up from what runs; and who asked for so many
    nodes, of such features, to itself, has them."""
    room = world.view.room
    assert isinstance(room, Cluster)
    claims = [claim for claim in world.runs.values() if claim.suspended is None]
    for node in room.nodes:
        mine = [(claim, one) for claim in claims for one in claim.nodes if one.node == node.name]
        assert sum(one.cpus for _, one in mine) <= node.cpus
        assert sum(one.memory for _, one in mine) <= node.memory
        cards = [card for _, one in mine for card in one.gpus]
        parts = [part for _, one in mine for part in one.shared]
        assert len(cards) == len(set(cards))
        assert {*cards, *(card for card, _ in parts)} <= set(range(len(node.gpus)))
        for card in range(len(node.gpus)):
            held = sum(share for other, share in parts if other == card)
            assert held + WHOLE * cards.count(card) <= WHOLE
        assert len(mine) < 2 or not any(claim.exclusive for claim, _ in mine)
    for claim in claims:
        asked = world.jobs[claim.job].request
        names = [one.node for one in claim.nodes]
        assert len(names) == len(set(names))
        assert claim.cpus == sum(one.cpus for one in claim.nodes)
        assert len(claim.gpus) == sum(len(one.gpus) for one in claim.nodes)
        features = [node.features for node in room.nodes if node.name in names]
        assert holds(asked.constraint, features)
        if asked.nodes:
            assert len(names) == asked.nodes
            assert all(one.cpus >= asked.cpus for one in claim.nodes)
            assert all(one.memory >= asked.memory for one in claim.nodes)
            assert all(len(one.gpus) >= asked.gpus for one in claim.nodes)
            if not claim.exclusive:
                shares = [[share for _, share in one.shared] for one in claim.nodes]
                assert shares == [[asked.gpu_share] * bool(asked.gpu_share)] * asked.nodes
        else:
            assert claim.cpus >= asked.cpus
            assert claim.memory >= asked.memory
            assert len(claim.gpus) >= asked.gpus


def holds(constraint: str, features: list[frozenset[str]]) -> bool:
    """The definition of those of `CONSTRAINTS`."""
    a, b = sum("a" in one for one in features), sum("b" in one for one in features)
    every = len(features)
    return {
        "": True,
        "a": a == every,
        "a&b": a == b == every,
        "a|b": all(features),
        "[a|b]": every in (a, b),
        "a*1": a > 0,
        "[a*1&b*1]": a > 0 and b > 0 and every > 1,
    }[constraint]
