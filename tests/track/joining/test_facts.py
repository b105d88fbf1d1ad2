"""What witnesses tell of a job comes to the same in whatever order they tell it."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.track.joining.facts import ENDED, LIVE, OVER, STATES, JobFacts, merged, plain

INSTANTS = st.floats(0, 1e4, allow_nan=False).map(lambda t: round(t, 1))
OPTIONAL = st.none() | INSTANTS
COUNTS = st.none() | st.integers(0, 9)
TEXTS = st.sampled_from(["", "train", "train-a", "train-b"])


def facts(attempts: st.SearchStrategy[int | None]) -> st.SearchStrategy[JobFacts]:
    return st.builds(
        JobFacts,
        attempt=attempts,
        state=st.sampled_from(sorted(STATES)),
        time=INSTANTS,
        seen=INSTANTS,
        reason=st.none() | TEXTS,
        exit_code=COUNTS,
        signal=COUNTS,
        start_time=OPTIONAL,
        end_time=OPTIONAL,
        nodes=st.sets(st.sampled_from("abc")).map(lambda names: tuple(sorted(names))),
        cpu_time=OPTIONAL,
        max_rss=COUNTS,
        unknown_since=OPTIONAL,
        name=TEXTS,
        submit_time=OPTIONAL,
        cpus=COUNTS,
    )


OF_ANY = facts(st.integers(1, 3))
OF_ONE = facts(st.sampled_from([None, 2]))


@given(OF_ANY)
def test_what_is_told_twice_is_told_once(told):
    assert merged(told, told) == plain(told)


@given(OF_ANY, OF_ANY)
def test_who_tells_first_does_not_matter(one, other):
    assert merged(one, other) == merged(other, one)


@given(st.lists(OF_ANY, min_size=3, max_size=3))
def test_the_order_of_several_does_not_matter(several):
    outcomes = {repr(all_of(order)) for order in permutations(several)}
    assert len(outcomes) == 1


@given(st.lists(OF_ONE, min_size=3, max_size=3))
def test_witnesses_who_count_no_attempts_tell_of_the_one_that_is_known(several):
    known = plain(JobFacts(attempt=2))
    outcomes = {repr(all_of((known, *order))) for order in permutations(several)}
    assert len(outcomes) == 1


@given(OF_ANY, OF_ANY)
def test_what_has_ended_is_not_alive_again_in_the_same_attempt(known, told):
    if known.state in OVER and told.attempt == known.attempt:
        assert merged(known, told).state in OVER


@given(OF_ANY, OF_ANY)
def test_a_later_attempt_says_how_it_stands(known, told):
    later = replace(told, attempt=(known.attempt or 1) + 1)
    assert merged(known, later).state == told.state


@given(OF_ANY)
def test_only_what_is_over_has_an_end(told):
    assert plain(told).end_time is None or told.state in OVER


def test_an_end_before_its_start_gets_its_start():
    end = JobFacts(state="COMPLETED", time=20, end_time=20, exit_code=0)
    start = JobFacts(state="RUNNING", time=10, start_time=10)
    known = merged(end, start)
    assert (known.state, known.start_time, known.end_time) == ("COMPLETED", 10, 20)


def test_who_knows_more_of_an_end_is_believed():
    code = JobFacts(state="FAILED", time=30, exit_code=1)
    for state in ENDED[2:]:
        assert merged(code, JobFacts(state=state, time=20)).state == state


def test_a_job_is_unknown_since_it_was_last_seen_until_it_is_seen_again():
    running = JobFacts(state="RUNNING", time=10, seen=10, start_time=5)
    lost = merged(running, JobFacts(unknown_since=10))
    assert (lost.state, lost.unknown_since) == ("RUNNING", 10)
    assert merged(lost, JobFacts(state="RUNNING", time=50)).unknown_since is None
    assert merged(lost, JobFacts(state="FAILED", time=50, end_time=40)).unknown_since is None


def test_the_states_are_those_of_jobs():
    assert {*LIVE, *ENDED, "UNKNOWN", "GONE"} == STATES


def all_of(several):
    first, *rest = several
    known = plain(first)
    for each in rest:
        known = merged(known, each)
    return known
