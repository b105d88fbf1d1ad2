"""Four levels and ageing: a rank that never changes orders by the level that always does."""

from __future__ import annotations

from fractions import Fraction
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.policy.levels import Ageing, Level, level_named
from hpcshell.policy.ranks import ByLevel, level_of
from tests.policy.made import make_job

boosts = st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 60.0])
waiting = st.lists(st.tuples(st.sampled_from(Level), st.integers(0, 40_000)), max_size=8)


def exact_level(level: int, submit: int, now: int, boost: float) -> Fraction:
    """The definition, without rounding."""
    return max(Fraction(0), level - Fraction(boost) * (now - submit) / 3600)


@given(jobs=waiting, boost=boosts, later=st.integers(0, 100_000))
def test_the_order_of_ranks_is_the_order_of_levels_at_every_instant(
    jobs: list[tuple[Level, int]], boost: float, later: int
) -> None:
    ageing = Ageing(boost=boost)
    now = max((submit for _, submit in jobs), default=0) + later
    ranked = sorted(jobs, key=lambda job: ageing.rank(*job))
    levels = [exact_level(*job, now, boost) for job in ranked]
    assert levels == sorted(levels)


@given(jobs=waiting, boost=boosts.filter(bool))
def test_of_those_at_the_top_whoever_got_there_first_goes_first(
    jobs: list[tuple[Level, int]], boost: float
) -> None:
    ageing = Ageing(boost=boost)
    arrivals = [submit + level * Fraction(3600) / Fraction(boost) for level, submit in jobs]
    assert [ageing.rank(*job) for job in jobs] == [float(arrival) for arrival in arrivals]
    for job, arrival in zip(jobs, arrivals, strict=True):
        assert ageing.level_at(*job, float(arrival)) == pytest.approx(0.0, abs=1e-9)


@given(
    level=st.sampled_from(Level),
    submit=st.floats(0, 2e9),
    waited=st.floats(0, 1e9),
    more=st.floats(0, 1e9),
    boost=st.just(0.0) | st.floats(1e-6, 1e6),
)
def test_who_waits_never_falls_and_stays_between_the_levels(
    level: Level, submit: float, waited: float, more: float, boost: float
) -> None:
    ageing = Ageing(boost=boost)
    now = ageing.level_at(level, submit, submit + waited)
    assert 0.0 <= ageing.level_at(level, submit, submit + waited + more) <= now <= level


@given(level=st.sampled_from(Level), one=st.integers(0, 10**9), other=st.integers(0, 10**9))
def test_within_a_level_the_older_goes_first(level: Level, one: int, other: int) -> None:
    ageing = Ageing()
    assert (ageing.rank(level, one) < ageing.rank(level, other)) == (one < other)


def test_an_hour_is_a_level_unless_it_is_said_otherwise() -> None:
    ageing = Ageing()
    assert ageing.level_at(Level.LOW, 0.0, 3600.0) == Level.NORMAL
    assert ageing.level_at(Level.LOW, 0.0, 5400.0) == 1.5
    assert ageing.level_at(Level.HIGH, 0.0, 86400.0) == Level.CRITICAL
    assert ageing.rank(Level.LOW, 0.0) == ageing.rank(Level.NORMAL, 3600.0)
    assert Ageing(boost=0.0).level_at(Level.LOW, 0.0, 1e9) == Level.LOW
    assert Ageing(boost=0.0).rank(Level.LOW, 5.0) == 3.0


def test_a_clock_set_back_takes_no_level_away() -> None:
    assert Ageing().level_at(Level.NORMAL, 100.0, 50.0) == Level.NORMAL


@pytest.mark.parametrize("boost", [nan, inf, -1.0, 1e7, 1e-7, "fast", True])
def test_a_boost_that_means_nothing_is_refused(boost: float) -> None:
    with pytest.raises(Wrong, match="priority boost"):
        Ageing(boost=boost)


def test_levels_are_known_by_name() -> None:
    assert [level_named(name) for name in ("critical", "High", " NORMAL ", "low")] == list(Level)
    with pytest.raises(Wrong, match="'hihg' is no level") as caught:
        level_named("hihg")
    assert caught.value.hint == "did you mean high? write critical, high, normal, low"


@given(
    priority=st.integers(0, 1000),
    boost=st.sampled_from((0.0, 0.5, 1.0, 7.0)),
    waited=st.floats(0.0, 1e6),
)
def test_what_is_shown_of_a_level_adds_up(priority: int, boost: float, waited: float) -> None:
    job = make_job(1, priority=priority, submit_time=100.0)
    rows = list(ByLevel(Ageing(boost=boost)).rows(job, None, 100.0 + waited))
    assert all(row.value * row.weight == pytest.approx(row.points, abs=1e-9) for row in rows)
    level = Ageing(boost=boost).level_at(level_of(priority), 100.0, 100.0 + waited)
    assert sum(row.points for row in rows) == pytest.approx(Level.LOW - level)
