"""The profile of what will be free agrees with adding up by hand."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from hpcshell.policy.profile import LATE, Profile

TIMES = st.integers(1, 20).map(float)
LIMITS = st.one_of(st.none(), TIMES)
PARTS = st.lists(st.tuples(st.integers(0, 20).map(float), LIMITS, st.integers(1, 4)), max_size=6)
TOTAL = 12


def by_hand(runs: list[tuple[float | None, int]], parts: object, at: float) -> int:
    """What is free at `at`, from the definition."""
    free = TOTAL - sum(cpus for end, cpus in runs if (inf if end is None else end) > at)
    for start, limit, cpus in parts:  # type: ignore[attr-defined]
        end = inf if limit is None else start + limit
        if start <= at < end or (at == inf and (limit is None or start == inf)):
            free -= cpus
    return free


@given(st.lists(st.tuples(LIMITS, st.integers(1, 3)), max_size=4), PARTS)
def test_what_is_free_at_each_instant(
    runs: list[tuple[float | None, int]], parts: list[tuple[float, float | None, int]]
) -> None:
    free = TOTAL - sum(cpus for _, cpus in runs)
    profile = Profile(0.0, (free,), [(end, (cpus,)) for end, cpus in runs])
    for start, limit, cpus in parts:
        profile.take(start, limit, (cpus,))
    assert profile.times == sorted(set(profile.times))
    for at, left in zip(profile.times, profile.free[0], strict=True):
        assert left == by_hand(runs, parts, at)
    for start, limit, cpus in parts:
        profile.give_back(start, limit, (cpus,))
    for at, left in zip(profile.times, profile.free[0], strict=True):
        assert left == by_hand(runs, [], at)


@given(
    st.lists(st.tuples(LIMITS, st.integers(1, 3)), max_size=4),
    PARTS,
    LIMITS,
    st.integers(1, TOTAL),
)
def test_the_earliest_start_fits_and_no_earlier_one_does(
    runs: list[tuple[float | None, int]],
    parts: list[tuple[float, float | None, int]],
    limit: float | None,
    need: int,
) -> None:
    free = TOTAL - sum(cpus for _, cpus in runs)
    profile = Profile(0.0, (free,), [(end, (cpus,)) for end, cpus in runs])
    for start, length, cpus in parts:
        profile.take(start, length, (cpus,))
    found = profile.earliest(limit, (need,))
    before = [at for at in profile.times if found is None or at < found]
    assert not any(profile.fits(at, limit, (need,)) for at in before)
    if found is not None:
        assert profile.fits(found, limit, (need,))


@given(
    st.lists(st.tuples(LIMITS, st.integers(1, 3)), min_size=1, max_size=4),
    st.sampled_from((0.0, 4.0)),
    st.sampled_from((0.0, 8.0)),
)
def test_what_is_let_go_was_never_held(
    runs: list[tuple[float | None, int]], resolution: float, now: float
) -> None:
    def profile(held: list[tuple[float | None, int]]) -> Profile:
        free = TOTAL - sum(cpus for _, cpus in held)
        return Profile(now, (free,), [(end, (cpus,)) for end, cpus in held], resolution)

    (end, cpus), *others = runs
    found, meant = profile(runs), profile(others)
    found.let_go(end, (cpus,))
    for at in found.times:
        assert found.least(at, 0.0) == meant.least(at, 0.0)


def test_a_run_that_should_have_ended_is_about_to() -> None:
    profile = Profile(100.0, (0,), [(90.0, (2,))])
    assert profile.earliest(5.0, (1,)) == 100.0 + LATE


def test_what_has_no_limit_waits_for_the_end_that_nobody_knows() -> None:
    profile = Profile(0.0, (1,), [(None, (1,)), (5.0, (1,))])
    assert profile.earliest(1.0, (2,)) == 5.0
    assert profile.earliest(None, (3,)) == inf
    assert profile.earliest(None, (4,)) is None
    assert profile.longest((1,)) is None
    profile.take(5.0, 3.0, (2,))
    assert profile.longest((1,)) == 5.0
