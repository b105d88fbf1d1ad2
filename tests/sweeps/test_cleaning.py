"""Folders of sweeps that nobody needs any more."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from hpcshell.sweeps.cleaning import finish, removable, remove
from hpcshell.sweeps.face import listed, recent
from hpcshell.sweeps.snapshots import SNAPSHOTS
from tests.sweeps.folders import folder

FAR = 1e12
OUTPUTS = Path("sweeps/outputs")


def test_what_has_a_dot_before_its_name_is_no_sweep(tmp_path: Path) -> None:
    made = folder(tmp_path)
    shutil.copytree(made.path, tmp_path / OUTPUTS / ".bak")
    assert [one.id for one in recent(tmp_path)] == ["study"]


def test_a_damaged_sweep_is_told_and_the_others_are_there(tmp_path: Path) -> None:
    folder(tmp_path)
    Path(folder(tmp_path, name="other").path, "sweep.json").write_text("{")
    found, damaged = listed(tmp_path)
    assert [one.id for one in found] == ["study"]
    assert "damaged" in damaged["other"].message


def test_while_one_is_damaged_no_copy_of_the_project_is_deleted(tmp_path: Path) -> None:
    folder(tmp_path, snapshot=True)
    Path(folder(tmp_path, name="other", snapshot=True).path, "sweep.json").write_text("{")
    copies = sorted(os.listdir(tmp_path / SNAPSHOTS))
    [one] = removable(recent(tmp_path), before=FAR, keep_incomplete=False)
    remove(one)
    assert sorted(os.listdir(tmp_path / SNAPSHOTS)) == copies != []


def test_a_sweep_behind_a_link_stays_with_a_reason(tmp_path: Path) -> None:
    made = folder(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    os.rename(made.path, elsewhere)
    os.symlink(elsewhere, made.path)
    [one] = removable(recent(tmp_path), before=FAR, keep_incomplete=False)
    assert "link" in one.why


@pytest.mark.parametrize("link", [False, True])
def test_what_a_broken_deletion_left_is_deleted_and_no_link(tmp_path: Path, link: bool) -> None:
    made = folder(tmp_path)
    gone = tmp_path / OUTPUTS / ".gone-study-123"
    if link:
        os.symlink(made.path, gone)
    else:
        shutil.copytree(made.path, gone)
    finish(str(tmp_path))
    assert gone.exists() == link
    assert [one.id for one in recent(tmp_path)] == ["study"]
