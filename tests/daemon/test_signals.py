"""Whom signals reach: what a script has started, not its shell; or the first process alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Hpc

PROGRAM = "trap 'echo caught > caught; exit 0' USR1; echo > ready; while :; do sleep 0.05; done"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "job.sh"
    path.write_text(f'#!/bin/bash\nsh -c "{PROGRAM}"\necho "the shell goes on"\n')
    return path


def test_a_warning_reaches_the_program_and_spares_the_shell(hpc: Hpc, script: Path) -> None:
    hpc(
        "submit",
        "--name",
        "w",
        "--time",
        "4s",
        "--signal",
        "USR1@3",
        script,
        check=True,
        cwd=script.parent,
    )
    assert hpc("wait", "w").returncode == 0
    assert (script.parent / "caught").read_text() == "caught\n"
    assert "the shell goes on" in hpc("logs", "w", check=True).stdout


def test_a_warning_reaches_a_command_itself(hpc: Hpc, tmp_path: Path) -> None:
    command = ("--", "sh", "-c", PROGRAM)
    hpc(
        "submit",
        "--name",
        "c",
        "--time",
        "4s",
        "--signal",
        "USR1@3",
        *command,
        check=True,
        cwd=tmp_path,
    )
    assert hpc("wait", "c").returncode == 0
    assert (tmp_path / "caught").exists()


def test_a_warning_for_the_first_process_reaches_a_script_that_traps_it(
    hpc: Hpc, tmp_path: Path
) -> None:
    (tmp_path / "own.sh").write_text(f"#!/bin/sh\n{PROGRAM}\n")
    words = ("--name", "own", "--time", "4s", "--signal", "B:USR1@3", "own.sh")
    hpc("submit", *words, check=True, cwd=tmp_path)
    assert hpc("wait", "own").returncode == 0
    assert (tmp_path / "caught").exists()
