"""The replay of GPU pods: its arithmetic, and that it comes out as it did."""

from __future__ import annotations

import pytest
from placement import PODS, TRACES, Trace, arrivals, curve, policy_named, read_trace

from hpcshell.policy.place.nodes import Demand, Node
from hpcshell.policy.place.score import POLICIES

SMALL = Trace(
    [Node(name="n0", cpus=8, gpus=("",) * 2), Node(name="n1", cpus=8, gpus=("",) * 2)],
    [Demand(gpus=50), Demand(gpus=100), Demand(gpus=200)],
)


def test_as_much_is_asked_for_as_was_said_in_an_order_by_chance() -> None:
    pods = arrivals(SMALL, 1, 200)
    assert 800 <= sum(pod.gpus for pod in pods) < 1000
    assert set(SMALL.pods) <= set(pods)
    assert pods == arrivals(SMALL, 1, 200)
    assert any(pods != arrivals(SMALL, seed, 200) for seed in range(2, 9))


def test_no_more_is_held_than_was_asked_for() -> None:
    for policy in POLICIES.values():
        shares = curve(SMALL, policy, 1, (50, 100, 200))
        assert shares == sorted(shares)
        assert all(share <= mark for share, mark in zip(shares, (50, 100, 200), strict=True))


@pytest.mark.parametrize(("name", "least"), [("best_fit", 93.0), ("fgd", 95.0)])
def test_the_openb_pods_fill_the_cluster(name: str, least: float) -> None:
    if not (TRACES / PODS).exists():
        pytest.skip("needs the openb trace ($HPCSHELL_TRACES)")
    trace = read_trace(TRACES)
    early, late = curve(trace, policy_named(name, trace), 42, (60, 110))
    assert early == pytest.approx(60, abs=0.2)
    assert late > least
