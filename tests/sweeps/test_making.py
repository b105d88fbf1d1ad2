"""From a specification to the folder of a sweep."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hpcshell.core.errors import NotFound, Refused, Wrong
from hpcshell.flow.reading import from_document
from hpcshell.sweeps.folder import Folder, Manifest, Row
from hpcshell.sweeps.making import Source, id_of, make, with_care, with_snapshot
from tests.sweeps.folders import folder, source


def test_the_same_specification_makes_the_same_points(tmp_path: Path) -> None:
    first = folder(tmp_path).rows()
    assert folder(tmp_path).rows() == first
    assert [row.params for row in first] == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_a_study_that_has_grown_keeps_its_points(tmp_path: Path) -> None:
    before = [row.id for row in folder(tmp_path, 3).rows()]
    made = folder(tmp_path, 5)
    assert [row.id for row in made.rows()][:3] == before
    assert made.manifest().created == folder(tmp_path, 5).manifest().created


def test_another_command_makes_other_points(tmp_path: Path) -> None:
    one = {row.id for row in folder(tmp_path).rows()}
    assert not one & {row.id for row in folder(tmp_path, command="false").rows()}


def test_only_the_first_points_are_made_where_that_is_wanted(tmp_path: Path) -> None:
    whole = folder(tmp_path, 5).rows()
    assert make(source(5), str(tmp_path), limit=2).rows() == whole[:2]


def test_more_points_than_anybody_means_are_refused_with_their_number(tmp_path: Path) -> None:
    axes = {f"a{n}": {"range": [0, 1000]} for n in range(4)}
    many = source(sweep={"grid": axes})
    with pytest.raises(Refused, match="1,000,000,000,000 points"):
        make(many, str(tmp_path))
    assert len(make(many, str(tmp_path), limit=3).rows()) == 3


@pytest.mark.parametrize("limit", [0, -1])
def test_no_points_at_all_are_not_made(tmp_path: Path, limit: int) -> None:
    with pytest.raises(Wrong, match="runs nothing"):
        make(source(), str(tmp_path), limit=limit)


def test_a_script_that_is_missing_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"train\.py"):
        folder(tmp_path, command="python3 train.py")
    assert not (tmp_path / "sweeps").exists()


@pytest.mark.parametrize("name", [b"a\xff", b"a\nb", b"a\x1bb"])
def test_a_project_whose_path_cannot_be_printed_is_refused(tmp_path: Path, name: bytes) -> None:
    project = os.path.join(os.fsencode(tmp_path), name)
    os.mkdir(project)
    with pytest.raises(Wrong, match="cannot be printed"):
        make(source(), os.fsdecode(project))
    assert not os.listdir(project)


def test_a_folder_of_another_sweep_is_refused(tmp_path: Path) -> None:
    folder(tmp_path)
    other = replace_path(source(), str(tmp_path / "other.yaml"))
    with pytest.raises(Refused, match="a program") as raised:
        make(other, str(tmp_path))
    assert "--sweep-id" in str(raised.value.hint)


def replace_path(one: Source, path: str) -> Source:
    return Source(one.spec, path)


def test_points_without_their_sweep_are_not_taken_for_others(tmp_path: Path) -> None:
    made = folder(tmp_path)
    Path(made.directory(made.rows()[0])).mkdir()
    os.unlink(made.file("sweep.json"))
    with pytest.raises(Refused, match="not there any more"):
        folder(tmp_path)


def test_two_points_with_one_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Wrong):
        folder(tmp_path, output="same", sweep={"grid": {"n": [1, 2]}})


@pytest.mark.parametrize("name", ["a/b", "..", "", " x", "x" * 101, "a\nb", "-x"])
def test_what_cannot_name_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Wrong):
        make(source(), str(tmp_path), id=name)


def test_a_sweep_is_called_as_it_says_or_as_its_file_or_as_its_directory(tmp_path: Path) -> None:
    named = source()
    unnamed = replace(named.spec, name="")
    assert id_of(named, "/p/project") == "study"
    assert id_of(Source(unnamed, "/p/lr.yaml"), "/p/project") == "lr"
    assert id_of(Source(unnamed, "/p/sweep.yaml"), "/p/project") == "project"
    assert id_of(Source(unnamed), "/") == "sweep"


def test_a_damaged_manifest_is_said(tmp_path: Path) -> None:
    made = folder(tmp_path)
    Path(made.file("sweep.json")).write_text('{"schema": 1')
    with pytest.raises(Wrong, match=r"sweep\.json"):
        made.manifest()


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    made = folder(tmp_path, max_failures=3, resources={"cpus": 2}, snapshot=True)
    manifest = made.manifest()
    assert isinstance(manifest, Manifest)
    assert manifest.spec == source(max_failures=3, resources={"cpus": 2}, snapshot=True).spec
    assert (manifest.project, manifest.id, len(manifest.code)) == (str(tmp_path), "study", 16)


def test_what_is_said_at_the_prompt_wins() -> None:
    spec = source(max_failures=3, throttle=2).spec
    changed = with_care(spec, max_failures=5, throttle=None).care
    assert (changed.max_failures, changed.throttle) == (5, 2)
    assert with_snapshot(spec, None) == spec
    assert with_snapshot(with_snapshot(spec, True), False) == spec


def test_points_keep_their_folders_when_others_are_called_otherwise(tmp_path: Path) -> None:
    made = folder(tmp_path, 2)
    before = [made.directory(row) for row in made.rows()]
    folder(tmp_path, 3, output="n{n}")
    rows = made.rows()
    assert [made.directory(row) for row in rows[:2]] == before
    assert rows[2].folder == "n2"


SEARCH = {
    "method": "random",
    "metric": "loss",
    "trials": 3,
    "parameters": {"x": {"uniform": [0, 1]}},
}


def search(**changes: Any) -> Source:
    study = {"name": "study", "command": "true", "search": {**SEARCH, **changes}}
    return Source(from_document(study, "the test's"))


def test_a_search_of_other_points_does_not_go_on_with_those_of_this_one(tmp_path: Path) -> None:
    made = make(search(), str(tmp_path))
    made.add_row(Row(id="0" * 16, params={"x": 0.5}))
    make(search(trials=9), str(tmp_path))
    assert len(made.rows()) == 1
    with pytest.raises(Refused, match="another search"):
        make(search(parameters={"x": {"uniform": [5, 6]}}), str(tmp_path))


def test_a_project_that_was_moved_has_its_sweeps_with_it(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    folder(before)
    before.rename(after)
    moved = Folder(f"{after}/sweeps/outputs/study")
    assert moved.manifest().project == str(after)
    folder(after)
    assert len(moved.rows()) == 3


def test_points_that_are_missing_from_the_list_are_said(tmp_path: Path) -> None:
    made = folder(tmp_path, 3)
    made.check(made.manifest())
    path = Path(made.file("points.jsonl"))
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    with pytest.raises(Wrong, match="has 2 points, and had 3"):
        made.check(made.manifest())
    folder(tmp_path, 3)
    made.check(made.manifest())
