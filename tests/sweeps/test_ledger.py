"""What was done about a sweep, as its ledger tells it again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.sweeps.ledger import Intent, Ledger, Stopped, Taken, Target, Void, Wanted

POINTS = ("a", "b", "c")
SOME = st.lists(st.sampled_from(POINTS), min_size=1, unique=True).map(tuple)


def wanted(*points: str, on: str = "here", attempt: int = 0) -> Wanted:
    return Wanted(points=points, targets=(Target(on=on),), time=0.0, attempt=attempt)


def intent(key: str, *points: str, single: bool = False) -> Intent:
    return Intent(key=key, on="here", points=points, time=0.0, single=single)


def taken(key: str, *jobs: str) -> Taken:
    return Taken(key=key, on="here", jobs=jobs)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(str(tmp_path / "jobs.jsonl"))


@st.composite
def histories(draw: st.DrawFn) -> list[object]:
    """What may happen: points are wanted, handed over, taken all or some or not, stopped."""
    lines: list[object] = []
    for number in range(draw(st.integers(0, 6))):
        if draw(st.integers(0, 5)) == 0:
            lines.append(Stopped(why="enough", time=0.0))
        points = draw(SOME)
        lines += [wanted(*points), intent(f"k{number}", *points, single=draw(st.booleans()))]
        jobs = tuple(draw(st.sampled_from(["", f"{number}{point}"])) for point in points)
        match draw(st.sampled_from(["taken", "some", "void", "doubt"])):
            case "taken":
                lines.append(taken(f"k{number}", *map(str, range(len(points)))))
            case "some":
                lines[-1] = intent(f"k{number}", *points, single=True)
                lines.append(taken(f"k{number}", *jobs))
            case "void":
                lines.append(Void(key=f"k{number}"))
    return lines


def state(ledger: Ledger) -> tuple[object, ...]:
    return (ledger.wanted, ledger.parts(), ledger.in_doubt(), ledger.stopped, ledger.last)


@given(lines=histories())
def test_whoever_reads_it_anew_knows_what_was_known(
    tmp_path_factory: pytest.TempPathFactory, lines: list[object]
) -> None:
    path = str(tmp_path_factory.mktemp("ledger") / "jobs.jsonl")
    kept = Ledger(path)
    for line in lines:
        kept.add(line)  # type: ignore[arg-type]
        assert state(Ledger(path)) == state(kept)


@given(lines=histories())
def test_a_wanted_point_is_never_lost(
    tmp_path_factory: pytest.TempPathFactory, lines: list[object]
) -> None:
    """Unless it was stopped it waits, is in doubt, or was taken."""
    ledger = Ledger(str(tmp_path_factory.mktemp("ledger") / "jobs.jsonl"))
    asked: set[str] = set()
    for line in lines:
        ledger.add(line)  # type: ignore[arg-type]
        if isinstance(line, Wanted):
            asked |= set(line.points)
        if isinstance(line, Stopped):
            asked -= set(ledger.parts())
            asked.clear()
        assert asked <= {*ledger.wanted, *ledger.in_doubt(), *ledger.parts()}


def test_what_was_not_taken_is_wanted_as_before(ledger: Ledger) -> None:
    first = wanted("a", "b", attempt=1)
    ledger.add(first)
    ledger.add(intent("k", "a", "b"))
    assert (ledger.wanted, ledger.in_doubt()) == ({}, {"a": "here", "b": "here"})
    ledger.add(Void(key="k"))
    assert (ledger.wanted, ledger.in_doubt()) == ({"a": first, "b": first}, {})


def test_of_several_jobs_those_that_were_not_taken_are_wanted_again(ledger: Ledger) -> None:
    ledger.add(wanted("a", "b", "c"))
    ledger.add(intent("k", "a", "b", "c", single=True))
    ledger.add(taken("k", "7", "", "8"))
    assert set(ledger.wanted) == {"b"}
    assert {point: part.label for point, part in ledger.parts().items()} == {"a": "7", "c": "8"}


def test_elements_of_an_array_are_counted_from_0(ledger: Ledger) -> None:
    ledger.add(intent("k", "a", "b"))
    ledger.add(taken("k", "12"))
    assert {point: part.label for point, part in ledger.parts().items()} == {
        "a": "12_0",
        "b": "12_1",
    }


def test_what_counts_is_where_a_point_went_last(ledger: Ledger) -> None:
    for key, job in (("k", "1"), ("l", "2")):
        ledger.add(intent(key, "a"))
        ledger.add(taken(key, job))
    assert ledger.parts()["a"].label == "2_0"


def test_what_was_stopped_is_wanted_no_more_until_somebody_wants_it(ledger: Ledger) -> None:
    ledger.add(wanted("a"))
    ledger.add(intent("k", "a"))
    ledger.add(Stopped(why="enough", time=0.0))
    ledger.add(Void(key="k"))
    assert (ledger.wanted, ledger.stopped) == ({}, "enough")
    again = wanted("a")
    ledger.add(again)
    assert (ledger.wanted, ledger.stopped) == ({"a": again}, "")


def test_what_was_wanted_otherwise_meanwhile_stays_so(ledger: Ledger) -> None:
    ledger.add(wanted("a", on="here"))
    ledger.add(intent("k", "a"))
    later = wanted("a", on="there")
    ledger.add(later)
    ledger.add(Void(key="k"))
    assert ledger.wanted == {"a": later}


def test_a_line_that_was_torn_says_nothing(ledger: Ledger) -> None:
    ledger.add(wanted("a"))
    with open(ledger.path, "ab") as file:
        file.write(b'{"kind":"intent","key":"k","on":"he')
    read = Ledger(ledger.path)
    assert (set(read.wanted), read.intents) == ({"a"}, {})
    read.add(intent("l", "a"))
    assert set(Ledger(ledger.path).intents) == {"l"}


def test_what_was_refused_is_not_asked_for_again(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path / "jobs.jsonl"))
    good = Wanted(points=("a",), targets=(Target(on="local"),), time=1.0)
    bad = Wanted(points=("b",), targets=(Target(on="local", options={"gpus": 4}),), time=2.0)
    ledger.add(good)
    ledger.add(Intent(key="k0", on="local", points=("a",), time=1.0))
    ledger.add(Taken(key="k0", on="local", jobs=("7",)))
    ledger.add(bad)
    ledger.add(Intent(key="k1", on="local", points=("b",), time=2.0))
    ledger.add(Void(key="k1", why="no gpus"))
    ledger.add(Stopped(why="no gpus", time=2.0))
    assert ledger.last == Ledger(ledger.path).last == good
    assert not ledger.wanted
