"""Fleets and demands by chance."""

from __future__ import annotations

from hypothesis import strategies as st

from hpcshell.core.records import WHOLE
from hpcshell.policy.place.fleet import Fleet
from hpcshell.policy.place.fragments import Workload, gradient
from hpcshell.policy.place.nodes import Demand, Domain, Node, NodeState
from hpcshell.policy.place.score import POLICIES

MODELS = ("a100", "t4")
FEATURES = ("ib", "ssd", "rack1", "rack2")
CONSTRAINTS = ("", "ib", "ib&ssd", "ib|ssd", "[rack1|rack2]", "ib*1", "(ib|ssd)&rack1")
USUAL = (
    (Demand(cpus=1, gpus=WHOLE), 4.0),
    (Demand(cpus=2, gpus=50), 2.0),
    (Demand(cpus=4, gpus=2 * WHOLE), 1.0),
    (Demand(cpus=1, gpus=150, gpu_type="t4"), 1.0),
    (Demand(cpus=4), 2.0),
)
ALL = (*POLICIES.values(), gradient(Workload(USUAL)))
"""Every policy."""


@st.composite
def node(draw: st.DrawFn, name: str = "n") -> Node:
    """A node with up to 3 NUMA domains, or none told, and up to 4 cards."""
    cards = draw(st.integers(0, 4))
    model = draw(st.sampled_from(MODELS))
    models = draw(
        st.one_of(
            st.just((model,) * cards),
            st.lists(st.sampled_from(MODELS), min_size=cards, max_size=cards).map(tuple),
        )
    )
    features = draw(st.frozensets(st.sampled_from(FEATURES)))
    state = draw(st.sampled_from([NodeState.UP] * 8 + [NodeState.DRAIN, NodeState.DOWN]))
    split = draw(st.integers(0, cards))
    links = draw(st.sampled_from([(), (tuple(range(split)), tuple(range(split, cards)))]))
    sizes = draw(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 8)), max_size=3))
    if not sizes:
        cpus, memory = draw(st.integers(1, 8)), draw(st.integers(0, 16))
        return Node(
            name=name,
            cpus=cpus,
            memory=memory,
            gpus=models,
            features=features,
            links=links,
            state=state,
        )
    domains, first = [], 0
    for number, (count, memory) in enumerate(sizes):
        near = tuple(card for card in range(cards) if card % len(sizes) == number)
        domains.append(Domain(cpus=tuple(range(first, first + count)), memory=memory, gpus=near))
        first += count
    return Node(
        name=name,
        cpus=first,
        memory=sum(memory for _, memory in sizes),
        gpus=models,
        features=features,
        domains=tuple(domains),
        links=links,
        state=state,
    )


NODES = st.integers(1, 5).flatmap(
    lambda count: st.tuples(*(node(f"n{number}") for number in range(count)))
)
GPUS = st.one_of(st.just(0), st.sampled_from((1, 25, 50, 100, 150, 200, 300, 330)))


@st.composite
def demands(draw: st.DrawFn, nodes: int = 3) -> Demand:
    """A demand on up to `nodes` nodes."""
    return Demand(
        nodes=draw(st.integers(1, nodes)),
        cpus=draw(st.integers(0, 6)),
        memory=draw(st.integers(0, 10)),
        gpus=draw(GPUS),
        gpu_type=draw(st.sampled_from(("", "", *MODELS))),
        constraint=draw(st.sampled_from(CONSTRAINTS)),
        exclusive=draw(st.sampled_from((False, False, False, True))),
    )


def copy(fleet: Fleet) -> Fleet:
    """An equal fleet that remembers nothing."""
    other = Fleet(fleet.nodes)
    other.free = list(fleet.free)
    return other
