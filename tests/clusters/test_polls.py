"""One question for all who look, no more often than is fair, whatever the clock does."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.backends.contract import Answer
from hpcshell.clusters.polls import FAILURES, FIRST_PAUSE, LONGEST_PAUSE, Look, Polls
from hpcshell.core.errors import Unreachable
from hpcshell.machine import clock
from tests.store.test_model import FAST

GOOD = [Answer(code=0, out="all is well")]


def judge(answers: Sequence[Answer]) -> str:
    return "" if answers[0].code == 0 else "it does not answer"


class Bench:
    """Polls under a clock that is set by hand; `answers` are what comes of each question."""

    def __init__(self, directory: str, least: float = 5.0, chance: float = 0.5) -> None:
        self.now = 1000.0
        self.asked: list[float] = []
        self.fails = False
        self.polls = Polls(directory, least, lambda: chance)

    def ask(self) -> list[Answer]:
        self.asked.append(self.now)
        return [Answer(code=None)] if self.fails else GOOD

    def look(self, **how: Any) -> Look:
        return self.polls.look(self.ask, judge, **how)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(str(tmp_path))
    monkeypatch.setattr(clock, "now", lambda: made.now)
    return made


def on_bench(check: Callable[[Bench], None], **how: float) -> None:
    """A bench for one example."""
    directory = tempfile.mkdtemp(dir=FAST)
    made = Bench(directory, **how)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: made.now)
        try:
            check(made)
        finally:
            shutil.rmtree(directory)


STEPS = st.lists(
    st.tuples(st.floats(0, 20), st.booleans(), st.sampled_from([None, 5.0, 30.0])), max_size=60
)


@given(steps=STEPS, least=st.floats(0.5, 30), chance=st.floats(0, 1))
def test_the_rate_never_exceeds_what_is_configured_however_often_one_looks(
    steps, least, chance
) -> None:
    def check(bench: Bench) -> None:
        for passes, fails, age in steps:
            bench.now += passes
            bench.fails = fails
            bench.look(age=None if age is None or age < least else age)
        gaps = [after - before for before, after in zip(bench.asked, bench.asked[1:], strict=False)]
        assert all(gap >= least - 1e-6 for gap in gaps)

    on_bench(check, least=least, chance=chance)


@given(steps=st.lists(st.tuples(st.floats(-1e6, 1e6), st.booleans()), max_size=40))
def test_a_clock_that_jumps_neither_stops_the_questions_nor_floods(steps) -> None:
    def check(bench: Bench) -> None:
        for jump, fails in steps:
            bench.now = max(1.0, bench.now + jump)
            bench.fails = fails
            before = len(bench.asked)
            for _ in range(5):
                bench.look(since=bench.now + 50.0)
            assert len(bench.asked) - before <= 1, "one more for each time that the clock is set"
        bench.fails = False
        before = len(bench.asked)
        bench.now += LONGEST_PAUSE * 1.2 + 1
        assert bench.look().snapshot is not None
        assert len(bench.asked) == before + 1, "it is asked again after the longest pause"

    on_bench(check)


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_the_circuit_opens_pauses_twice_as_long_each_time_and_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chance: float
) -> None:
    bench = Bench(str(tmp_path), least=1.0, chance=chance)
    monkeypatch.setattr(clock, "now", lambda: bench.now)
    bench.fails = True
    for _ in range(FAILURES):
        assert bench.polls.health().circuit(bench.now) == "closed"
        bench.look()
        bench.now += 1.0
    pause = FIRST_PAUSE
    for _ in range(10):
        health = bench.polls.health()
        assert health.circuit(bench.now) == "open"
        length = health.until - bench.asked[-1]
        assert length == pytest.approx(pause * (0.8 + 0.4 * chance))
        before = len(bench.asked)
        bench.now = health.until - 0.01
        assert bench.look().trouble == "it does not answer"
        assert len(bench.asked) == before, "nobody asks while it is open"
        bench.now = health.until
        assert health.circuit(bench.now) == "half-open"
        bench.look()
        assert len(bench.asked) == before + 1, "half-open, one does"
        pause = min(LONGEST_PAUSE, pause * 2)
    bench.now = bench.polls.health().until
    bench.fails = False
    assert not bench.look().trouble
    assert bench.polls.health().circuit(bench.now) == "closed"
    assert bench.polls.health().failures == 0


def test_what_cannot_be_reached_is_a_failure_like_any_other(bench: Bench) -> None:
    def ask() -> list[Answer]:
        raise Unreachable("the way is closed")

    look = bench.polls.look(ask, judge)
    assert (look.snapshot, look.trouble) == (None, "the way is closed")
    assert bench.polls.health().failures == 1


def test_an_older_answer_stays_beside_the_trouble(bench: Bench) -> None:
    bench.look()
    bench.fails, bench.now = True, bench.now + 100
    look = bench.look()
    assert look.trouble
    assert look.snapshot is not None
    assert look.snapshot.at == 1000.0


def test_whoever_changed_something_gets_an_answer_from_after_that(bench: Bench) -> None:
    bench.look()
    bench.now += 1
    assert bench.look(since=1000.5).snapshot.at == 1001.0  # type: ignore[union-attr]
    assert bench.look(since=1000.5).snapshot.at == 1001.0  # type: ignore[union-attr]
    assert len(bench.asked) == 2


@pytest.mark.parametrize("content", [b"", b"{", b"\xff" * 40, b'{"failures": "many"}'])
def test_files_that_are_damaged_are_as_none(bench: Bench, content: bytes) -> None:
    bench.look()
    for name in ("answers", "health"):
        (Path(bench.polls.directory) / name).write_bytes(content)
    assert bench.look().snapshot is not None
    assert len(bench.asked) == 2


def test_threads_that_look_at_once_ask_once(tmp_path: Path) -> None:
    asked: list[int] = []
    found: list[Look] = []
    all_there = threading.Barrier(8)
    polls = Polls(str(tmp_path), 60.0)

    def ask() -> list[Answer]:
        asked.append(1)
        return GOOD

    def look() -> None:
        all_there.wait(30)
        found.append(polls.look(ask, judge))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(asked) == 1
    assert [look.trouble for look in found] == [""] * 8


def _look(directory: str, ready: int, asked: str) -> None:
    def ask() -> list[Answer]:
        with open(asked, "a") as file:
            file.write("asked\n")
        return GOOD

    os.read(ready, 1)
    assert Polls(directory, 60.0).look(ask, judge).snapshot is not None


def test_processes_that_look_at_once_ask_once(tmp_path: Path) -> None:
    begin, ready = os.pipe()
    fork = multiprocessing.get_context("fork")
    where = (str(tmp_path / "polls"), begin, str(tmp_path / "asked"))
    several = [fork.Process(target=_look, args=where) for _ in range(8)]
    for each in several:
        each.start()
    os.write(ready, b"." * 8)
    for each in several:
        each.join()
    assert [each.exitcode for each in several] == [0] * 8
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_whoever_hangs_while_he_asks_holds_nobody_up_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.look()
    bench.now += 100
    monkeypatch.setattr("hpcshell.clusters.polls.HANGS", 0.0)
    told: list[Look] = []

    def ask() -> list[Answer]:
        told.append(bench.look())
        return GOOD

    bench.polls.look(ask, judge)
    assert "another process" in told[0].trouble
    assert told[0].snapshot is not None


def test_a_failure_by_another_way_holds_nobody_back(bench: Bench) -> None:
    bench.fails = True
    for _ in range(FAILURES):
        bench.now += 100
        bench.look()
    assert bench.look().trouble == "it does not answer"
    assert bench.polls.health().circuit(bench.now) == "open"
    bench.fails = False
    other = Polls(bench.polls.directory, 5.0, way="SLURM_CONF=/another")
    assert other.health().circuit(bench.now) == "closed"
    assert other.look(bench.ask, judge).snapshot is not None
    assert other.health().rate(bench.now) == FAILURES + 1
