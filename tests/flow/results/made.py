"""Points as the tests make them up."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from hpcshell.flow.results.points import COMPLETED, FAILURES, Point

STATES = (COMPLETED, *FAILURES, "RUNNING", "PENDING", "MISSING")
numbers = st.one_of(
    st.integers(-(1 << 62), 1 << 62), st.floats(allow_nan=True), st.floats(-10, 10), st.booleans()
)
words = st.text(st.characters(codec="utf-8"), max_size=8)
values = st.one_of(
    st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), words, st.none()
)


def points(
    size: int = 40, value: st.SearchStrategy[Any] = values
) -> st.SearchStrategy[list[Point]]:
    """Points of parameters `a`, `b`, `c` (any of which may be left out) with a metric `loss`."""
    one = st.tuples(
        st.dictionaries(st.sampled_from("abc"), value, max_size=3),
        st.just(COMPLETED) | st.sampled_from(STATES),
        st.dictionaries(st.just("loss"), numbers, max_size=1),
        st.none() | st.floats(0, 1e9),
    )
    return st.lists(one, max_size=size).map(
        lambda found: [
            Point(
                index=at,
                id=f"{at:016x}",
                params=params,
                state=state,
                metrics=metrics,
                seconds=seconds,
            )
            for at, (params, state, metrics, seconds) in enumerate(found)
        ]
    )


def point(index: int, params: dict[str, Any], loss: float | None, state: str = COMPLETED) -> Point:
    """One point with these parameters and this loss."""
    metrics = {} if loss is None else {"loss": loss}
    return Point(index=index, id=f"{index:016x}", params=params, state=state, metrics=metrics)
