"""The order: priority, then submission; and the collection that keeps it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.policy import order
from hpcshell.policy.order import Sorted
from hpcshell.policy.regime import by_priority
from tests.policy.made import make_job


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=300))
def test_sorted_is_a_sorted_set(changes: list[tuple[bool, int]]) -> None:
    kept: Sorted[int] = Sorted()
    model: set[int] = set()
    for adding, value in changes:
        if adding and value not in model:
            kept.add(value)
            model.add(value)
        elif not adding:
            kept.discard(value)
            model.discard(value)
        assert (value in kept) == (value in model)
        assert bool(kept) == bool(model)
    assert list(kept) == sorted(model)
    assert len(kept) == len(model)
    if model:
        assert kept.first == min(model)


def test_sorted_stays_in_order_when_it_parts_its_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "CHUNK", 4)
    kept: Sorted[int] = Sorted()
    values = [(n * 37) % 101 for n in range(101)]
    for value in values:
        kept.add(value)
    assert list(kept) == list(range(101))
    for value in values[:90]:
        kept.remove(value)
    assert list(kept) == sorted(values[90:])


def test_removing_what_is_not_there_is_an_error() -> None:
    kept: Sorted[int] = Sorted()
    with pytest.raises(KeyError):
        kept.remove(3)
    kept.add(4)
    with pytest.raises(KeyError):
        kept.remove(3)
    with pytest.raises(KeyError):
        kept.remove(5)


def test_higher_priority_goes_first_and_nice_makes_it_lower() -> None:
    jobs = [make_job(1), make_job(2, priority=900), make_job(3, priority=900, nice=500)]
    assert [job.id for job in sorted(jobs, key=by_priority)] == [2, 1, 3]
