"""What the pictures say beside what they draw."""

from __future__ import annotations

import pytest

from hpcshell.sim.policies import policy_of
from hpcshell.sim.simulate import simulate
from tests.sim.made import workload


@pytest.mark.parametrize(
    ("largest", "labels"),
    [
        (1, ["1"]),
        (2, ["1", "2 and more"]),
        (8, ["1", "2-3", "4-7", "8 and more"]),
        (11, ["1", "2-3", "4-7", "8 and more"]),
    ],
)
def test_each_job_is_in_one_named_class_of_sizes(largest: int, labels: list[str]) -> None:
    pytest.importorskip("matplotlib")
    from hpcshell.sim.report.pictures import pictures

    found = simulate(workload([(0, 10, 1, 1.0, 1), (1, 10, largest, 1.0, 1)]), policy_of("easy"))
    [axes] = dict(pictures([found]))["slowdown"].axes
    assert [label.get_text() for label in axes.get_xticklabels()] == labels
