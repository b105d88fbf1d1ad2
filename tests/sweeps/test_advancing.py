"""The next step of a sweep: what is wanted goes to its places, a part at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpcshell.core.errors import NotFound, NotYet
from hpcshell.sweeps.advancing import Advancing, Step
from hpcshell.sweeps.folder import Folder
from hpcshell.sweeps.ledger import Target, Wanted
from hpcshell.sweeps.looking import look
from hpcshell.sweeps.standing import UNKNOWN
from tests.sweeps.folders import folder, submitted

pytestmark = pytest.mark.usefixtures("home")


def step(made: Folder, *targets: Target, most: int | None = None) -> Step:
    """All of its points are wanted there, and a step is taken."""
    ledger = made.ledger()
    points = tuple(row.id for row in made.rows())[:most]
    ledger.add(Wanted(points=points, targets=targets, time=0.0))
    return Advancing(made, made.manifest(), ledger).step(made.rows(), look(made))


def local(**options: Any) -> Target:
    return Target(on="local", options=options)


def test_one_place_gets_all_of_it_at_once(tmp_path: Path) -> None:
    done = step(folder(tmp_path), local())
    assert ([len(one.jobs) for one in done.taken], done.left) == ([1], 0)


def test_what_a_place_refuses_for_good_is_hopeless_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    made = folder(tmp_path)
    done = step(made, local(memory="900T"))
    assert done.hopeless
    assert "900T" in done.troubles[0].message
    assert done.left == 3
    assert list(Path(made.file("batches")).iterdir()) == []
    assert {one.state for one in look(made)} == {"MISSING"}


def test_as_long_as_another_place_may_take_them_it_is_not_hopeless(tmp_path: Path) -> None:
    made = folder(tmp_path, 40)
    there = Target(on="nowhere")
    done = step(made, local(hold=True), there)
    assert len(done.taken) == 1
    assert isinstance(done.troubles[0], NotFound)
    assert not done.hopeless
    assert not step(made, local(hold=True), there).hopeless


def test_what_is_refused_for_now_waits_here() -> None:
    assert not Step(troubles=(NotYet("not now", "later"),), left=3).hopeless
    assert not Step().hopeless


def test_a_place_of_which_nothing_is_known_gets_no_more(tmp_path: Path) -> None:
    made = submitted(folder(tmp_path, 40))
    assert {one.state for one in look(made)} == {UNKNOWN}
    done = step(made, Target(on="nowhere"), local(hold=True), most=20)
    assert [one.on for one in done.taken] == ["local"]
    assert done.troubles == ()


def test_no_more_points_are_in_flight_than_may_be(tmp_path: Path) -> None:
    made = folder(tmp_path, 40, throttle=5)
    done = step(made, local(hold=True), Target(on="nowhere"))
    (taken,) = done.taken
    assert len(made.ledger().intents[taken.key].points) <= 5
