"""Copies of a project: equal ones are one, and what is changed later does not reach them."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpcshell.core.errors import NotFound, Refused
from hpcshell.flow.spec import Snapshot
from hpcshell.sweeps import snapshots
from hpcshell.sweeps.disk import Unwritable
from hpcshell.sweeps.snapshots import SNAPSHOTS, take
from tests.support.disks import fill, small_disk

NAMES = st.sampled_from(["a", "b.py", "d/e", "d/f.py", "g/h/i"])
TREES = st.dictionaries(NAMES, st.binary(max_size=20), min_size=1)


def written(project: Path, tree: dict[str, bytes]) -> Path:
    for name, content in tree.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return project


def copied(project: Path, name: str) -> dict[str, bytes]:
    """What is in a copy."""
    root = project / SNAPSHOTS / name
    found = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def copies(project: Path) -> list[str]:
    return sorted(each.name for each in (project / SNAPSHOTS).iterdir())


@given(one=TREES, other=TREES)
def test_copies_have_one_name_if_and_only_if_they_are_equal(
    tmp_path_factory: pytest.TempPathFactory, one: dict[str, bytes], other: dict[str, bytes]
) -> None:
    first = written(tmp_path_factory.mktemp("one"), one)
    second = written(tmp_path_factory.mktemp("other"), other)
    names = take(str(first), Snapshot()), take(str(second), Snapshot())
    assert (names[0] == names[1]) == (one == other)
    assert copied(first, names[0]) == one


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES, name=NAMES)
def test_what_is_changed_later_is_in_a_later_copy_alone(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, bytes], name: str
) -> None:
    project = written(tmp_path_factory.mktemp("project"), tree)
    first = take(str(project), Snapshot())
    written(project, {name: b"changed since"})
    second = take(str(project), Snapshot())
    assert copied(project, first) == tree
    assert copied(project, second) == {**tree, name: b"changed since"}
    assert copies(project) == sorted({first, second})


def test_an_equal_project_is_not_copied_again(tmp_path: Path) -> None:
    project = written(tmp_path, {"train.py": b"1"})
    assert take(str(project), Snapshot()) == take(str(project), Snapshot())
    assert len(copies(project)) == 1


def test_whether_a_file_can_be_run_is_kept_and_counts(tmp_path: Path) -> None:
    project = written(tmp_path, {"run.sh": b"#!/bin/sh\n"})
    plain = take(str(project), Snapshot())
    (project / "run.sh").chmod(0o755)
    runs = take(str(project), Snapshot())
    assert plain != runs
    assert os.access(project / SNAPSHOTS / runs / "run.sh", os.X_OK)


def test_what_git_ignores_and_what_sweeps_wrote_is_left_out(tmp_path: Path) -> None:
    tree = {".gitignore": b"data\n", "train.py": b"1", "data/big": b"2", "new.py": b"3"}
    project = written(tmp_path, {**tree, "sweeps/outputs/s/points.jsonl": b"4"})
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    subprocess.run(["git", "-C", str(project), "add", "train.py"], check=True)
    name = take(str(project), Snapshot())
    assert set(copied(project, name)) == {".gitignore", "train.py", "new.py"}


def test_without_git_what_is_made_again_by_itself_is_left_out(tmp_path: Path) -> None:
    tree = {"train.py": b"1", "__pycache__/train.pyc": b"2", ".venv/bin/python": b"3"}
    project = written(tmp_path, {**tree, "sweeps/outputs/s/points.jsonl": b"4"})
    assert set(copied(project, take(str(project), Snapshot()))) == {"train.py"}


def test_patterns_say_what_is_copied(tmp_path: Path) -> None:
    project = written(tmp_path, {"a.py": b"1", "d/b.py": b"2", "d/c.txt": b"3", "e/f": b"4"})
    only = take(str(project), Snapshot(include=("*.py", "e/"), exclude=("d",)))
    assert set(copied(project, only)) == {"a.py", "e/f"}


def test_data_is_linked_and_does_not_count(tmp_path: Path) -> None:
    project = written(tmp_path, {"a.py": b"1", "data/x": b"2"})
    linked = Snapshot(link=("data",))
    name = take(str(project), linked)
    assert (project / SNAPSHOTS / name / "data").readlink() == project / "data"
    written(project, {"data/x": b"3", "data/y": b"4"})
    assert take(str(project), linked) == name


def test_a_link_to_nothing_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    project = written(tmp_path, {"a.py": b"1"})
    with pytest.raises(NotFound, match="dada"):
        take(str(project), Snapshot(link=("dada",)))
    assert copies(project) == []


def test_too_much_is_refused_with_what_is_largest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "MOST_BYTES", 100)
    project = written(tmp_path, {"a.py": b"1", "huge": bytes(200)})
    with pytest.raises(Refused, match="huge") as raised:
        take(str(project), Snapshot())
    assert "exclude" in str(raised.value.hint)
    assert take(str(project), Snapshot(exclude=("huge",)))


def test_several_at_once_make_one_copy(tmp_path: Path) -> None:
    project = written(tmp_path, {f"{n}.py": bytes([n]) for n in range(50)})
    names: list[str] = []
    threads = [
        threading.Thread(target=lambda: names.append(take(str(project), Snapshot())))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == 8
    assert copies(project) == [names[0]]


def test_on_a_full_disk_nothing_is_left_of_it(tmp_path: Path) -> None:
    with small_disk(tmp_path / "project") as project:
        written(project, {"a.py": bytes(10_000)})
        fill(project)
        with pytest.raises(Unwritable, match="No space left"):
            take(str(project), Snapshot(exclude=("ballast",)))
        assert not (project / SNAPSHOTS).exists() or copies(project) == []
        (project / "ballast").unlink()
        assert take(str(project), Snapshot())
