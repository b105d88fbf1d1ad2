"""Fragmentation is what its definition says, and the policy goes down its slope."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.records import WHOLE
from hpcshell.policy.place.choose import choose
from hpcshell.policy.place.fleet import Fleet
from hpcshell.policy.place.fragments import Workload, gradient
from hpcshell.policy.place.nodes import Demand, Node
from tests.policy.place.fleets import GPUS, MODELS

TASKS = st.lists(
    st.tuples(
        st.builds(
            Demand,
            cpus=st.integers(0, 8),
            gpus=GPUS,
            gpu_type=st.sampled_from(("", *MODELS)),
        ),
        st.integers(1, 5),
    ),
    min_size=1,
    max_size=6,
)
CARDS = st.lists(
    st.tuples(st.sampled_from(MODELS), st.sampled_from((0, 1, 25, 40, 50, 75, WHOLE))),
    max_size=5,
)


def by_definition(task: Demand, models: list[str], cpus: int, gpus: list[int]) -> int:
    """F_n(m), as the paper defines it."""
    mine = [left for model, left in zip(models, gpus, strict=True) if task.gpu_type in ("", model)]
    count, share = divmod(task.gpus, WHOLE)
    whole = mine.count(WHOLE)
    fits = whole >= count and (
        not share or whole > count or any(share <= left < WHOLE for left in mine)
    )
    if not task.gpus or task.cpus > cpus or not fits:
        return sum(gpus)
    return sum(gpus) - sum(left for left in mine if left >= (share or WHOLE))


@given(TASKS, CARDS, st.integers(0, 10))
def test_fragmentation_is_the_mean_of_what_the_usual_tasks_cannot_use(
    tasks: list[tuple[Demand, int]], cards: list[tuple[str, int]], cpus: int
) -> None:
    models, gpus = [model for model, _ in cards], [left for _, left in cards]
    total = sum(n * by_definition(task, models, cpus, gpus) for task, n in tasks)
    mean = total / sum(n for _, n in tasks)
    workload = Workload(tasks)
    assert workload.fragmentation(tuple(models), cpus, tuple(gpus)) == pytest.approx(mean)


def test_a_share_goes_where_it_breaks_up_least() -> None:
    """Where whole cards are what is usually asked for, a share goes onto a card that is in use
    already, and onto one that lacks the CPUs for more."""
    policy = gradient(Workload([(Demand(cpus=4, gpus=WHOLE), 1.0)]))
    fleet = Fleet(
        [Node(name="rich", cpus=32, gpus=("",) * 2), Node(name="poor", cpus=3, gpus=("",) * 2)]
    )
    for _ in range(2):
        placement = choose(fleet, Demand(gpus=50), policy)
        assert placement is not None
        assert placement.parts[0].node == "poor"
        assert placement.parts[0].gpus == ((0, 50),)
        fleet.take(placement)
