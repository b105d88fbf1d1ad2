"""The JSON configuration of a GPU box, as it lies on a machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from hpcshell.core.boxkeys import sample
from hpcshell.core.errors import NotFound, Wrong
from hpcshell.machine.boxfiles import missing_directories, put_box_file, read_box_file
from hpcshell.machine.configfiles import daemon_settings, user_settings
from hpcshell.machine.paths import Places, places


@pytest.fixture
def at(tmp_path: Path) -> Places:
    found = places({"HPCSHELL_HOME": str(tmp_path / "home")})
    os.makedirs(found.config)
    return found


@pytest.fixture
def given(tmp_path: Path) -> Path:
    path = tmp_path / "lab" / "config.json"
    path.parent.mkdir()
    path.write_text(sample())
    return path


def test_it_counts_once_it_is_put_into_its_place(at: Places, given: Path, tmp_path: Path):
    assert put_box_file(str(given), at)
    loaded = user_settings(at, {}, str(tmp_path), site="/nowhere")
    assert loaded.settings.gpus.count == daemon_settings(at, {}, "/nowhere").gpus.count == 8
    assert loaded.origins["gpus.count"] == f"{at.box_file} scheduler.num_gpus"


def test_it_is_stronger_than_the_users_toml_and_weaker_than_variables(at: Places, given: Path):
    Path(at.config_file).write_text("[gpus]\ncount = 2\nwindow = '5s'\n")
    put_box_file(str(given), at)
    assert daemon_settings(at, {}, "/nowhere").gpus.count == 8
    assert daemon_settings(at, {"HPC_GPUS__COUNT": "3"}, "/nowhere").gpus.count == 3


def test_nobody_else_reads_it_and_the_former_one_is_kept(at: Places, given: Path):
    put_box_file(str(given), at)
    former = Path(at.box_file).read_text()
    assert not put_box_file(str(given), at), "the same again changes nothing"
    given.write_text('{"scheduler": {"num_gpus": 4}}')
    assert put_box_file(str(given), at)
    assert Path(at.box_file + "~").read_text() == former
    for path in (at.box_file, at.box_file + "~"):
        assert os.stat(path).st_mode & 0o777 == 0o600
    assert sorted(os.listdir(at.config)) == ["gpu.json", "gpu.json~"]


def test_a_wrong_one_changes_nothing(at: Places, given: Path):
    put_box_file(str(given), at)
    given.write_text('{"scheduler": {"num_gpus": 400}}')
    with pytest.raises(Wrong, match="num_gpus"):
        put_box_file(str(given), at)
    assert daemon_settings(at, {}, "/nowhere").gpus.count == 8


def test_scripts_lie_in_directories_which_may_come_later(at: Places, given: Path):
    (given.parent / "a.py").touch()
    given.write_text('{"security": {"allowed_script_paths": ["a.py"]}}')
    with pytest.raises(Wrong, match=r"no directory: '.*a\.py'"):
        put_box_file(str(given), at)
    given.write_text('{"security": {"allowed_script_paths": [".", "later"]}}')
    assert put_box_file(str(given), at)
    assert missing_directories(read_box_file(str(given))) == [str(given.parent / "later")]
    (given.parent / "later").mkdir()
    assert missing_directories(read_box_file(str(given))) == []


def test_two_keys_that_name_one_file_are_refused(at: Places, given: Path):
    (given.parent / "link.txt").symlink_to("jobs.txt")
    for path in ("jobs.txt", "./x/../jobs.txt", "link.txt", str(given.parent / "jobs.txt")):
        for key in ("state_file", "log_file", "llm_config_file"):
            given.write_text(json.dumps({"files": {"jobs_file": "jobs.txt", key: path}}))
            with pytest.raises(Wrong, match=rf"files\.jobs_file and .*files\.{key} are one file"):
                put_box_file(str(given), at)
    assert not os.path.exists(at.box_file)


def test_files_count_from_its_own_directory(at: Places, given: Path):
    put_box_file(str(given), at)
    box = daemon_settings(at, {}, "/nowhere").box
    assert box.jobs_file == str(given.parent / "jobs.txt")
    assert box.log_file == str(given.parent / "gpu_scheduler.log")
    given.write_text('{"security": {"allowed_script_paths": ["scripts/", "/data"]}}')
    put_box_file(str(given), at)
    allowed = daemon_settings(at, {}, "/nowhere").security.allowed_script_paths
    assert allowed == (str(given.parent / "scripts"), "/data")


def test_what_cannot_be_read_is_said(tmp_path: Path):
    with pytest.raises(NotFound, match="there is no file"):
        read_box_file(str(tmp_path / "none.json"))
    with pytest.raises(Wrong, match="is a directory"):
        read_box_file(str(tmp_path))
    bad = tmp_path / "bad.json"
    bad.write_bytes(b'{"gpu":\n "\xff"}')
    with pytest.raises(Wrong, match=r"bad\.json line 2: it is not UTF-8"):
        read_box_file(str(bad))
    with bad.open("wb") as file:
        file.truncate(100 << 20)
    with pytest.raises(Wrong, match="larger than"):
        read_box_file(str(bad))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Wrong, match="no plain file"):
        read_box_file(str(tmp_path / "pipe"))
