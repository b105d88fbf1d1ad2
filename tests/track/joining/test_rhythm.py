"""A cluster is asked often while things change, seldom while nothing does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hpcshell.track.joining.rhythm import JITTER, LATEST, LONGEST, SOONEST, Rhythm

STEPS = st.lists(st.sampled_from(["changed", "same", "failed"]), max_size=40)
CHANCE = st.floats(0, 1)


def after(steps, chance=0.5):
    rhythm = Rhythm()
    for step in steps:
        if step == "failed":
            rhythm = rhythm.failed(chance)
        else:
            rhythm = rhythm.answered(changed=step == "changed")
    return rhythm


@given(STEPS, CHANCE)
def test_a_pause_is_neither_too_short_nor_too_long(steps, chance):
    assert SOONEST <= after(steps, chance).pause <= LONGEST * (1 + JITTER)


@given(STEPS)
def test_after_a_change_it_is_asked_soon(steps):
    assert after([*steps, "changed"]) == Rhythm(SOONEST)


@given(STEPS)
def test_while_nothing_changes_pauses_grow_to_two_minutes(steps):
    quiet = [after([*steps, "changed", *["same"] * count]).pause for count in range(10)]
    assert quiet == sorted(quiet)
    assert quiet[-1] == LATEST


def test_while_it_does_not_answer_it_is_asked_ever_more_seldom():
    pauses = [after(["failed"] * count).pause for count in range(1, 12)]
    assert pauses == sorted(pauses)
    assert pauses[0] == 10.0
    assert pauses[-1] == LONGEST


def test_those_that_failed_together_are_not_asked_together():
    assert after(["failed"], 0.0).pause < after(["failed"], 1.0).pause
