"""Different wrong words are counted, and the same one only once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.web.security import guessing
from hpcshell.web.security.guessing import WITHIN, Guesses

MOST = 4


@given(st.lists(st.sampled_from("abcdefgh"), max_size=40))
def test_as_many_different_words_are_answered_however_often_they_come(words: list[str]) -> None:
    guesses = Guesses(MOST)
    answered = list(dict.fromkeys(words))[:MOST]
    for word in words:
        wait = guesses.take("peer", word)
        assert (wait == 0) == (word in answered)
        assert 0 <= wait <= WITHIN


@given(st.lists(st.tuples(st.floats(0, 90), st.integers(0, 30)), max_size=60))
def test_in_no_minute_are_more_answered(guesses: list[tuple[float, int]]) -> None:
    now, answered = 1000.0, []
    counted = Guesses(MOST)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("time.monotonic", lambda: now)
        for pause, word in guesses:
            now += pause
            if counted.take("peer", str(word)) == 0:
                answered.append((now, word))
            recent = {each for when, each in answered if now - when < WITHIN}
            assert len(recent) <= MOST


def test_after_the_wait_that_is_told_another_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    guesses = Guesses(1)
    assert guesses.take("peer", "a") == 0
    now += 20
    wait = guesses.take("peer", "b")
    assert wait == pytest.approx(40)
    now += wait
    assert guesses.take("peer", "b") == 0
    assert guesses.take("peer", "a") > 0


def test_peers_are_counted_apart_and_only_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guessing, "PEERS", 3)
    guesses = Guesses(1)
    assert [guesses.take(str(peer), "a") for peer in range(5)] == [0] * 5
    assert guesses.take("4", "b") > 0
    assert guesses.take("0", "b") == 0
