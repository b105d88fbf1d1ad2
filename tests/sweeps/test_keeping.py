"""Who stays with a sweep: one round after the other, whoever takes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import NotYet
from hpcshell.sweeps import disk
from hpcshell.sweeps.folder import Folder
from hpcshell.sweeps.keeping import LONGEST, needs_somebody, selectors, stay, take_round
from hpcshell.sweeps.ledger import Stopped, Target, Wanted
from tests.sweeps.folders import folder, said, submitted

ENDED = "start k0.0 1.0\nend k0.0 {} 2.0\n"


@given(numbers=st.lists(st.integers(0, 200), unique=True), plain=st.lists(st.integers(1, 9)))
def test_elements_of_a_job_are_named_in_one_word(numbers: list[int], plain: list[int]) -> None:
    labels = [*(f"12_{number}" for number in numbers), *map(str, plain)]
    words = selectors(labels)
    assert words[: len(plain)] == [str(number) for number in plain]
    assert len(words) == len(plain) + bool(numbers)


def test_neighbours_are_a_range() -> None:
    assert selectors(["12_0", "12_1", "12_2", "7", "13_5"]) == ["7", "12_[0-2]", "13_[5]"]


def failed(made: Folder, count: int) -> Folder:
    """So many of its points have failed, the others completed."""
    submitted(made, "7")
    for index in range(len(made.rows())):
        said(made, index, ENDED.format(3 if index < count else 0))
    return made


@pytest.mark.usefixtures("home")
def test_a_round_in_which_nothing_is_left_to_do_is_the_last(tmp_path: Path) -> None:
    made = failed(folder(tmp_path), 0)
    last = stay(made, pause=lambda seconds: pytest.fail("there is nothing to wait for"))
    assert last.over
    assert {one.state for one in last.standings} == {"COMPLETED"}


@pytest.mark.usefixtures("home")
def test_it_waits_for_what_cannot_be_asked_and_never_longer_than_it_may(tmp_path: Path) -> None:
    made = submitted(folder(tmp_path), "7")
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            for index in range(3):
                said(made, index, ENDED.format(0))

    assert stay(made, pause=pause).over
    assert len(pauses) == 3
    assert all(0 < seconds <= LONGEST for seconds in pauses)


@pytest.mark.usefixtures("home")
def test_what_is_said_again_and_again_is_told_once(tmp_path: Path) -> None:
    made = folder(tmp_path)
    points = tuple(row.id for row in made.rows())
    ledger = made.ledger()
    ledger.add(Wanted(points=points, targets=(Target(on="nowhere"),), time=0.0))
    told: list[str] = []
    assert stay(made, tell=told.append, pause=lambda seconds: None).over
    assert len(told) == len(set(told))
    assert "nowhere" in told[0]
    assert "nowhere" in made.ledger().stopped


def test_only_one_stays_with_a_sweep(tmp_path: Path) -> None:
    made = folder(tmp_path)
    with disk.locked(made.file("keeper.lock")), pytest.raises(NotYet):
        stay(made)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("count", [1, 2])
def test_after_so_many_failures_nothing_is_submitted_until_somebody_wants_it(
    tmp_path: Path, count: int
) -> None:
    made = failed(folder(tmp_path, max_failures=2), count)
    take_round(made)
    assert bool(made.ledger().stopped) == (count >= 2)


@pytest.mark.usefixtures("home")
def test_what_is_wanted_again_does_not_count_as_failed(tmp_path: Path) -> None:
    made = failed(folder(tmp_path, max_failures=2), 2)
    points = tuple(row.id for row in made.rows())[:2]
    ledger = made.ledger()
    ledger.add(Stopped(why="enough", time=0.0))
    ledger.add(Wanted(points=points, targets=(Target(on="local"),), time=0.0))
    done = take_round(made)
    assert (made.ledger().stopped, len(done.step.taken)) == ("", 1)


def test_who_asks_for_care_needs_somebody(tmp_path: Path) -> None:
    cares = [{}, {"max_failures": 2}, {"same_error": 2}, {"retries": 1}]
    made = [folder(tmp_path / str(n), **care) for n, care in enumerate(cares)]
    found = [needs_somebody(one.manifest(), one.ledger()) for one in made]
    assert found == [False, True, True, True]
