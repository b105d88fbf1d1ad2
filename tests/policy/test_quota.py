"""Used parts of a quota: worked figures, bounds, and numbers only."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.policy.quota import Quota, QuotaWeights, quota_score

amounts = st.floats(0, 1e9)
quotas = st.builds(Quota, cpu=amounts, memory=amounts)


@pytest.mark.parametrize(
    ("cpu", "memory", "shown"), [(20, 100, "83.00%"), (60, 200, "52.00%"), (10, 50, "91.50%")]
)
def test_the_worked_figures(cpu: float, memory: float, shown: str) -> None:
    assert f"{quota_score(cpu, memory, Quota(cpu=100.0, memory=1000.0)):.2%}" == shown


@given(
    cpu=amounts, memory=amounts, more=amounts, quota=st.builds(Quota, cpu=amounts, memory=amounts)
)
def test_a_score_lies_between_0_and_1_and_more_usage_never_raises_it(
    cpu: float, memory: float, more: float, quota: Quota
) -> None:
    score = quota_score(cpu, memory, quota)
    assert 0.0 <= score <= 1.0
    assert quota_score(cpu + more, memory, quota) <= score
    assert quota_score(cpu, memory + more, quota) <= score


def test_who_has_used_nothing_has_all_and_who_is_over_has_nothing() -> None:
    assert quota_score(0, 0, Quota()) == 1.0
    assert quota_score(200, 0, Quota()) == 0.0
    assert quota_score(1e6, 1000, Quota(cpu=0.0)) == pytest.approx(0.7)


@pytest.mark.parametrize("number", [nan, inf, -0.5])
@pytest.mark.parametrize("name", ["cpu", "memory"])
def test_what_is_no_number_is_refused(name: str, number: float) -> None:
    with pytest.raises(Wrong, match=f"{name} quota"):
        Quota(**{name: number})
    with pytest.raises(Wrong, match=f"weight of {name}"):
        QuotaWeights(**{name: number})
