"""Searches: each trial is asked once, whatever was broken off in between."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.sweeps import searching
from hpcshell.sweeps.folder import Folder
from hpcshell.sweeps.ledger import Intent, Stopped, Taken, Target, Wanted
from hpcshell.sweeps.looking import look
from hpcshell.sweeps.searching import Turn, over, take_turn, trials
from hpcshell.sweeps.standing import UNKNOWN
from hpcshell.sweeps.warnings import warnings
from tests.sweeps.folders import folder

pytestmark = pytest.mark.usefixtures("home")

SEARCH = {
    "method": "random",
    "metric": "loss",
    "trials": 6,
    "parallel": 2,
    "seed": 3,
    "parameters": {"x": {"uniform": [0.0, 1.0]}},
}
EARLY = {"method": "asha", "resource": "step", "min": 1, "max": 9, "reduction": 3}


def searched(project: Path, **search: Any) -> Folder:
    """A search of which somebody wants trials."""
    made = folder(project, sweep=None, search={**SEARCH, **search})
    made.ledger().add(Wanted(points=(), targets=(Target(on="nowhere"),), time=0.0))
    return made


def turn(made: Folder, state: str = "RUNNING") -> Turn:
    """`state`: that of what has begun and not ended."""
    found = [replace(one, state=state) if one.state == UNKNOWN else one for one in look(made)]
    return take_turn(made, made.manifest(), made.ledger(), found)


def submit(made: Folder) -> list[Path]:
    """What is wanted goes to its place; the folders of these points."""
    ledger = made.ledger()
    found = [row for row in made.rows() if row.id in ledger.wanted]
    if found:
        key = f"k{len(ledger.intents)}"
        points = tuple(row.id for row in found)
        ledger.add(Intent(key=key, on="nowhere", points=points, time=0.0))
        ledger.add(Taken(key=key, on="nowhere", jobs=(key,)))
    for row in found:
        os.makedirs(made.directory(row))
    return [Path(made.directory(row)) for row in found]


def end(point: Path, loss: float | None, code: int = 0) -> None:
    if loss is not None:
        (point / "stdout").write_text(f"loss={loss}\n")
    (point / "run").write_text(f"start k.0 1.0\nend k.0 {code} 2.0\n")


def through(made: Folder) -> None:
    """Take turns until it is over; each trial ends between two of them."""
    for _ in range(50):
        if turn(made).done:
            return
        for number, point in enumerate(submit(made)):
            end(point, 0.1 * number)
    raise AssertionError("it is never over")


def test_each_trial_is_asked_once_and_told(tmp_path: Path) -> None:
    made = searched(tmp_path)
    through(made)
    told = trials(made)
    assert [row.params for row in made.rows()] == [one.params for one in told.values()]
    assert {one.state for one in told.values()} == {"complete"}
    assert len({row.id for row in made.rows()}) == SEARCH["trials"]
    assert over(made, made.manifest())


def test_no_more_run_at_once_than_may(tmp_path: Path) -> None:
    made = searched(tmp_path)
    turn(made)
    assert len(made.rows()) == len(made.ledger().wanted) == 2
    turn(made)
    assert len(made.rows()) == 2
    first, _ = submit(made)
    end(first, 1.0)
    turn(made)
    assert len(made.rows()) == 3


def test_of_whom_nothing_is_known_counts_as_running(tmp_path: Path) -> None:
    made = searched(tmp_path)
    turn(made)
    submit(made)
    for _ in range(3):
        assert not turn(made, UNKNOWN).done
    assert len(made.rows()) == 2


LOST = st.lists(st.sampled_from(["row", "want", "told", "torn"]), max_size=8)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lost=LOST)
def test_whatever_was_broken_off_no_trial_is_asked_twice_and_none_is_lost(
    tmp_path_factory: pytest.TempPathFactory, lost: list[str]
) -> None:
    """A trial is written down before its point is listed, and that before it is wanted: the last
    of these are taken away again."""
    made = searched(tmp_path_factory.mktemp("project"))
    for what in lost:
        turn(made)
        break_off(made, what)
        turn(made)
        for point in submit(made)[:1]:
            end(point, 1.0)
    for row in made.rows():
        point = Path(made.directory(row))
        if point.exists():
            end(point, 1.0)
    through(made)
    told = trials(made)
    assert [row.params for row in made.rows()] == [one.params for one in told.values()]
    assert len({json.dumps(row.params) for row in made.rows()}) == SEARCH["trials"]
    assert {one.state for one in told.values()} == {"complete"}


def break_off(made: Folder, what: str) -> None:
    wanted = set(made.ledger().wanted)
    jobs, points, log = (made.file(name) for name in ("jobs.jsonl", "points.jsonl", searching.LOG))
    if what == "torn":
        Path(log).write_bytes(Path(log).read_bytes() + b'{"number": 7, "par')
    if what == "told":
        drop_last(log, b'"complete"')
    if wanted and what in ("row", "want"):
        last = made.rows()[-1].id
        if last in wanted:
            drop_last(jobs, last.encode())
            if what == "row":
                drop_last(points, last.encode())


def drop_last(path: str, holding: bytes) -> None:
    """The last line, if this is in it."""
    lines = Path(path).read_bytes().splitlines(keepends=True)
    if holding in lines[-1]:
        Path(path).write_bytes(b"".join(lines[:-1]))


def test_a_trial_without_its_metric_has_failed(tmp_path: Path) -> None:
    made = searched(tmp_path, parallel=3)
    turn(made)
    first, second, third = submit(made)
    end(first, None)
    end(second, 1.0, code=3)
    end(third, float("nan"))
    turn(made)
    assert [one.state for one in trials(made).values()][:3] == ["failed"] * 3


def test_a_failed_trial_that_is_run_again_counts_as_it_ends_then(tmp_path: Path) -> None:
    made = searched(tmp_path)
    turn(made)
    first = submit(made)[0]
    end(first, None, code=3)
    turn(made)
    assert trials(made)[0].state == "failed"
    end(first, 0.5)
    turn(made)
    assert (trials(made)[0].state, trials(made)[0].values) == ("complete", (0.5,))


def test_once_it_is_stopped_nothing_is_asked(tmp_path: Path) -> None:
    made = searched(tmp_path)
    made.ledger().add(Stopped(why="enough", time=0.0))
    assert turn(made).done
    assert made.rows() == []


def test_who_does_worse_than_others_is_given_up_and_not_asked_again(tmp_path: Path) -> None:
    made = searched(tmp_path, early_stop=EARLY, parallel=3)
    turn(made)
    for loss, point in enumerate(submit(made)):
        (point / "run").write_text("start k.0 1.0\n")
        steps = "".join(f"step={step} loss={loss}\n" for step in (1, 3))
        (point / "stdout").write_text(steps)
    given_up = turn(made).stop
    assert given_up
    states = {one.id: one.state for one in look(made)}
    assert {states[one.id] for one in given_up} == {"PRUNED"}
    assert made.rows()[0].id not in {one.id for one in given_up}
    turn(made)
    assert not {one.id for one in given_up} & set(made.ledger().wanted)
    assert len(made.rows()) == 3 + len(given_up)


def test_completed_trials_without_their_metric_are_told(tmp_path: Path) -> None:
    made = searched(tmp_path)
    while not turn(made).done:
        for number, point in enumerate(submit(made)):
            end(point, None if number else 0.5, code=0)
    said = warned(made)
    assert said == ["3 completed points have no number for loss"]


def test_a_search_without_that_many_points_is_told(tmp_path: Path) -> None:
    made = searched(tmp_path, parameters={"x": {"choice": [1, 2, 3]}})
    through(made)
    [said] = warned(made)
    assert said.startswith("all 3 points that the search can have were tried")
    assert said.endswith("6 trials were wanted")


def test_of_a_search_that_goes_well_nothing_is_told(tmp_path: Path) -> None:
    made = searched(tmp_path)
    through(made)
    assert warned(made) == []


def warned(made: Folder) -> list[str]:
    return warnings(made, made.manifest(), look(made))
