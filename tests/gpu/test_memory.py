"""What is kept of a file of jobs, and where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpcshell.core.errors import HpcError, Refused
from hpcshell.core.settings_box import BoxSettings
from hpcshell.gpu.memory import Memory
from hpcshell.machine.paths import Places, places


@pytest.fixture
def at(tmp_path: Path) -> Places:
    return places({"HPCSHELL_HOME": str(tmp_path / "home")})


def kept(path: Path, jobs: Path) -> dict[str, str]:
    """What is kept there once one more line was submitted."""
    memory = Memory(str(jobs), str(path))
    memory.open()
    memory.remember(f"key{len(memory.submitted)}", "7")
    memory.save()
    memory.close()
    return memory.submitted


def test_it_goes_on_from_what_was_kept(tmp_path: Path):
    assert kept(tmp_path / "state.json", tmp_path / "jobs.txt") == {"key0": "7"}
    assert kept(tmp_path / "state.json", tmp_path / "jobs.txt") == {"key0": "7", "key1": "7"}


@pytest.mark.parametrize(
    "content", [b"MY PRECIOUS", b"{}", b'{"jobs": []}', b"1,a.py\n", b"\xff", b"[" * 100_000]
)
def test_a_file_that_is_something_else_is_refused_and_left_alone(tmp_path: Path, content: bytes):
    precious = tmp_path / "precious.txt"
    precious.write_bytes(content)
    with pytest.raises(Refused, match=r"precious\.txt.* it is not replaced"):
        kept(precious, tmp_path / "jobs.txt")
    assert precious.read_bytes() == content


def test_an_empty_file_may_become_one(tmp_path: Path):
    (tmp_path / "state.json").touch()
    assert kept(tmp_path / "state.json", tmp_path / "jobs.txt") == {"key0": "7"}


def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path):
        with pytest.raises(HpcError):
            kept(place, tmp_path / "jobs.txt")


def test_a_file_about_other_jobs_is_refused_unless_those_were_moved(tmp_path: Path):
    jobs, state = tmp_path / "jobs.txt", tmp_path / "state.json"
    jobs.touch()
    kept(state, jobs)
    with pytest.raises(Refused, match="is about another file of jobs"):
        kept(state, tmp_path / "other.txt")
    jobs.rename(tmp_path / "other.txt")
    assert kept(state, tmp_path / "other.txt") == {"key0": "7", "key1": "7"}


def test_the_place_configured_is_for_the_file_configured_or_for_any(tmp_path: Path, at: Places):
    jobs, state = str(tmp_path / "jobs.txt"), str(tmp_path / "s.json")
    (tmp_path / "link.txt").symlink_to(jobs)
    for_any = BoxSettings(state_file=state)
    for_one = BoxSettings(state_file=state, jobs_file=str(tmp_path / "link.txt"))
    assert Memory.of(jobs, at, for_any).path == Memory.of(jobs, at, for_one).path == state
    for box in (BoxSettings(), BoxSettings(state_file=state, jobs_file="other.txt")):
        assert os.path.dirname(Memory.of(jobs, at, box).path) == str(at.state)
