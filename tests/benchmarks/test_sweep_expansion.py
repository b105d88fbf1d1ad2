"""The studies of the benchmark are as large as it says."""

from __future__ import annotations

import pytest
import sweep_expansion as bench

from hpcshell.flow.expand import exact, most
from hpcshell.flow.reading import read


@pytest.mark.parametrize("name", bench.STUDIES)
def test_a_study_of_the_benchmark_has_a_million_points(name: str) -> None:
    spec = read(bench.STUDIES[name])
    assert most(spec) == 1_001_000 if spec.blocks[0].exclude else 1_000_000
    assert exact(spec) is not bool(spec.blocks[0].exclude or spec.blocks[1:])


def test_a_cost_is_of_all_points() -> None:
    found = bench.cost("command: t\nsweep: {grid: {a: [1, 2, 3]}}")
    assert found.made == 3
    assert found.seconds > 0 < found.megabytes
