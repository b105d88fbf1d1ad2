"""Whom signals reach: what a script has started, not its shell; or the first process alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Hpc
from tests.support.runners import eventually

PROGRAM = "trap 'echo caught > caught; exit 0' USR1; echo > ready; while :; do sleep 0.05; done"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "job.sh"
    path.write_text(f'#!/bin/bash\nsh -c "{PROGRAM}"\necho "the shell goes on"\n')
    return path


def warned(hpc: Hpc, where: Path, warning: str, *job: str | Path) -> int:
    """The exit code of a job that is warned of its time limit once it is ready for it."""
    words = ("--name", "w", "--time", "1h", "--signal", f"{warning}@600")
    hpc("submit", *words, *job, check=True, cwd=where)
    eventually((where / "ready").exists)
    hpc("edit", "w", "--time", "10m", check=True)
    return hpc("wait", "w").returncode


def test_a_warning_reaches_the_program_and_spares_the_shell(hpc: Hpc, script: Path) -> None:
    assert warned(hpc, script.parent, "USR1", script) == 0
    assert (script.parent / "caught").read_text() == "caught\n"
    assert "the shell goes on" in hpc("logs", "w", check=True).stdout


def test_a_warning_reaches_a_command_itself(hpc: Hpc, tmp_path: Path) -> None:
    assert warned(hpc, tmp_path, "USR1", "--", "sh", "-c", PROGRAM) == 0
    assert (tmp_path / "caught").exists()


def test_a_warning_for_the_first_process_reaches_a_script_that_traps_it(
    hpc: Hpc, tmp_path: Path
) -> None:
    (tmp_path / "own.sh").write_text(f"#!/bin/sh\n{PROGRAM}\n")
    assert warned(hpc, tmp_path, "B:USR1", "own.sh") == 0
    assert (tmp_path / "caught").exists()
