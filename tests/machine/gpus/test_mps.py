"""A control daemon of MPS is there when a living process says so by its files."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hpcshell.machine.gpus.mps import pipe_directory


@pytest.fixture
def pipes(tmp_path: Path) -> Path:
    (tmp_path / "control").touch()
    return tmp_path


def found(directory: Path) -> bool:
    told = pipe_directory({"CUDA_MPS_PIPE_DIRECTORY": str(directory)})
    assert told in ("", str(directory))
    return bool(told)


def named(directory: Path, pid: object) -> None:
    (directory / "nvidia-cuda-mps-control.pid").write_text(f"{pid}\n")


def test_without_files_there_is_none(tmp_path: Path, pipes: Path) -> None:
    assert not found(tmp_path / "none")
    assert not found(pipes)


def test_its_pid_file_names_a_living_process_of_its_name(pipes: Path) -> None:
    program = pipes / "nvidia-cuda-mps-control"
    shutil.copy(shutil.which("sleep") or "", program)
    with subprocess.Popen([program, "300"]) as daemon:
        named(pipes, daemon.pid)
        assert found(pipes)
        daemon.kill()
    assert not found(pipes)


@pytest.mark.parametrize("pid", [1, "", "nonsense", -1, 2**40])
def test_another_process_is_not_it(pipes: Path, pid: object) -> None:
    named(pipes, pid)
    assert not found(pipes)


@pytest.mark.parametrize("lock", [fcntl.flock, fcntl.lockf])
def test_its_lock_is_held_by_somebody(pipes: Path, lock: Callable[[int, int], None]) -> None:
    with (pipes / "control_lock").open("w") as file:
        assert not found(pipes)
        lock(file.fileno(), fcntl.LOCK_EX)
        assert found(pipes)
    assert not found(pipes)


def test_files_without_its_socket_are_left_overs(pipes: Path) -> None:
    (pipes / "control").unlink()
    with (pipes / "control_lock").open("w") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        assert not found(pipes)
