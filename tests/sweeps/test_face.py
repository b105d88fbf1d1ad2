"""Sweeps for programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpcshell import sweeps
from hpcshell.core.errors import NotFound, Unreachable, WaitTimedOut, Wrong
from hpcshell.sweeps import submitting
from hpcshell.sweeps.ledger import Target, Wanted
from tests.sweeps.folders import PLAIN, folder, submitted

pytestmark = pytest.mark.usefixtures("home")
PATIENCE = 60.0


def created(project: Path, points: int = 3, **spec: object) -> sweeps.Sweep:
    document = {**PLAIN, "sweep": {"grid": {"n": list(range(points))}}, **spec}
    return sweeps.create(document, project=project)


def wanted_last(made: sweeps.Sweep) -> Target:
    last = made.folder.ledger().last
    assert last is not None
    return last.targets[0]


def test_what_is_created_is_found_and_nothing_of_it_runs(tmp_path: Path) -> None:
    made = created(tmp_path)
    assert sweeps.open_sweep(project=tmp_path).id == made.id == "study"
    assert sweeps.open_sweep("study", tmp_path).spec == made.spec
    assert sweeps.open_sweep(made.folder.path).id == "study"
    assert made.counts() == {"MISSING": 3}
    assert made.wait(0.0) == {"MISSING": 3}


def test_a_sweep_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no sweep in"):
        sweeps.open_sweep(project=tmp_path)
    created(tmp_path)
    with pytest.raises(NotFound) as raised:
        sweeps.open_sweep("studdy", tmp_path)
    assert "study" in str(raised.value.hint)


def test_the_latest_is_the_one_that_was_used_last(tmp_path: Path) -> None:
    first, second = created(tmp_path, name="first"), created(tmp_path, name="second")
    assert [one.id for one in sweeps.recent(tmp_path)] == ["second", "first"]
    assert sweeps.open_sweep(project=tmp_path).id == second.id
    first.run(on="local")
    assert sweeps.open_sweep(project=tmp_path).id == first.id
    first.wait(PATIENCE)


def test_a_file_that_is_missing_or_no_text_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"none\.yaml"):
        sweeps.load(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe9\n")
    with pytest.raises(Wrong, match="no text"):
        sweeps.load(tmp_path / "latin.yaml")


def test_a_study_runs_to_its_end(tmp_path: Path) -> None:
    made = created(tmp_path)
    done = made.run(on="local")
    assert len(done.step.taken) == 1
    assert made.wait(PATIENCE) == {"COMPLETED": 3}
    status = made.status()
    assert (status["live"], status["counts"], status["on"]) == (False, {"COMPLETED": 3}, ["local"])
    assert made.run(on="local").step.taken == ()


def test_a_place_whose_commands_are_missing_takes_nothing_and_the_next_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = created(tmp_path)
    with monkeypatch.context() as nowhere:
        nowhere.setenv("PATH", "/nowhere")
        with pytest.raises(Unreachable, match="command not found"):
            made.run(on="pbs")
    assert made.counts() == {"MISSING": 3}
    made.run(on="local")
    assert made.wait(PATIENCE) == {"COMPLETED": 3}


def test_what_may_or_may_not_have_been_taken_is_not_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = created(tmp_path)

    def unheard(*_: object, **__: object) -> None:
        raise Unreachable("no word came back", "ask again")

    with monkeypatch.context() as away:
        away.setattr(submitting, "_hand_over", unheard)
        told = made.run(on="local")
    assert (told.over, told.said) == (False, ("not submitted: no word came back",))
    made.run(on="local")
    assert made.wait(PATIENCE) == {"COMPLETED": 3}


def test_a_wait_ends_when_its_time_is_over(tmp_path: Path) -> None:
    made = created(tmp_path)
    made.run(on="local", options={"hold": True})
    with pytest.raises(WaitTimedOut, match="0 s"):
        made.wait(0.0)
    assert made.cancel() == []
    assert made.wait(PATIENCE) == {"CANCELLED": 3}


def test_what_can_never_run_is_refused_and_nothing_waits(tmp_path: Path) -> None:
    made = created(tmp_path)
    with pytest.raises(Wrong, match="900T"):
        made.run(on="local", options={"memory": "900T"})
    assert made.status()["waiting_here"] == 0
    made.run(on="local")
    assert made.wait(PATIENCE) == {"COMPLETED": 3}


def test_what_waits_here_goes_where_it_is_said_now(tmp_path: Path) -> None:
    made = created(tmp_path)
    points = tuple(row.id for row in made.folder.rows())
    elsewhere = Wanted(points=points, targets=(Target(on="nowhere"),), time=0.0)
    made.folder.ledger().add(elsewhere)
    made.resume(on="local")
    assert made.wait(PATIENCE) == {"COMPLETED": 3}


def test_what_cannot_be_called_back_stays_where_it_is(tmp_path: Path) -> None:
    made = sweeps.Sweep(submitted(folder(tmp_path), "7"))
    made.resume(on="local", move=True)
    assert made.counts() == {"UNKNOWN": 3}
    assert {one.on for one in made.standings()} == {"nowhere"}


def test_points_ask_for_what_is_said_now_over_what_the_specification_says(
    tmp_path: Path,
) -> None:
    made = created(tmp_path, resources={"cpus": 2, "memory": "32M"})
    made.run(on="local", options={"memory": "64M", "hold": True})
    target = wanted_last(made)
    assert (target.options["cpus"], target.options["memory"]) == (2, "64M")
    made.cancel()
    made.resume(options={"memory": "96M", "hold": False})
    target = wanted_last(made)
    assert (target.options["cpus"], target.options["memory"]) == (2, "96M")
    assert made.wait(PATIENCE) == {"COMPLETED": 3}


def test_a_folder_that_was_moved_is_found_by_its_path(tmp_path: Path) -> None:
    made = created(tmp_path)
    moved = tmp_path / "moved"
    Path(made.folder.path).rename(moved)
    assert sweeps.open_sweep(str(moved)).counts() == {"MISSING": 3}
