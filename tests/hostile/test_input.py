"""What nobody should say to a scheduler: what a terminal obeys, odd environments."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import Hpc
from tests.support.refusals import OBEYED

EVIL = "\x1b]0;title\x07\u202e\nx"


def obeyed(said: subprocess.CompletedProcess[str]) -> frozenset[str]:
    """What of an answer a terminal would obey, but for the ends of lines."""
    return OBEYED & set(said.stdout + said.stderr) - {"\n"}


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    """A directory, and in it a script, whose names are of the worst kind."""
    directory = tmp_path / EVIL
    directory.mkdir()
    script = directory / f"{EVIL}.sh"
    script.write_text("#!/bin/sh\necho $HPC_JOB_NAME\nexit 3\n")
    return script


def test_nothing_that_a_terminal_obeys_is_ever_printed(hpc: Hpc, home: Path, evil: Path) -> None:
    told = [
        hpc("submit", evil.name, cwd=evil.parent),
        hpc("submit", "--", f"no-{EVIL}", cwd=evil.parent, env={EVIL: EVIL}),
        hpc("submit", "--hold", evil.name, EVIL, cwd=evil.parent),
        hpc("wait", "1", "2"),
    ]
    looks = "queue;show 1-3;show --story 1-3;history;events;explain 3;logs 1;logs 2;logs --path 1"
    told += [hpc(*words.split()) for words in (*looks.split(";"), "daemon logs", "resources")]
    told += [hpc("logs", "1", EVIL), hpc("show", EVIL), hpc(EVIL), hpc("submit", EVIL)]
    completing = {"_HPC_COMPLETE": "bash_complete", "COMP_WORDS": "hpc show ", "COMP_CWORD": "2"}
    told += [hpc(env=completing), hpc("cancel", "3")]
    assert [said for said in told if obeyed(said)] == []
    assert "Traceback" not in "".join(said.stderr for said in told)
    for log in (home / "state").glob("*.log"):
        assert OBEYED & set(log.read_text()) <= {"\n"}


def test_a_script_with_a_name_that_cannot_be_printed_runs_all_the_same(
    hpc: Hpc, evil: Path
) -> None:
    done = hpc("submit", "--wait", evil.name, cwd=evil.parent)
    assert done.returncode == 3
    assert r"\x1b]0;title\x07\u202e\x0ax.sh" in hpc("logs").stdout


@pytest.mark.parametrize("variable", ["PYTHONWARNINGS", "PYTHONDEVMODE"])
def test_what_is_set_for_other_programs_of_python_makes_no_noise(
    hpc: Hpc, variable: str, tmp_path: Path
) -> None:
    set_so = {variable: "1" if variable == "PYTHONDEVMODE" else "default"}
    assert hpc("submit", "--quiet", "--", "true", env=set_so, cwd=tmp_path).stderr == ""
    assert hpc("daemon", "stop", "--quiet", env=set_so).stderr == ""


def test_modules_in_the_working_directory_are_not_taken_for_ours(hpc: Hpc, tmp_path: Path) -> None:
    for name in ("json", "msgspec", "click", "hpcshell", "sqlite3"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)\n")
    assert hpc("run", "--", "true", cwd=tmp_path).returncode == 0


def test_variables_of_every_kind_reach_the_job_as_they_are(hpc: Hpc, tmp_path: Path) -> None:
    odd = {"NL": "a\nb", "COMMA": "c,d=e", "IFS": "x", "BASH_FUNC_f%%": "() {  echo exported\n}"}
    many = {f"VARIABLE_{number}": "x" for number in range(10_000)}
    words = ("bash", "-c", 'f; printf "%s;%s;" "$NL" "$COMMA"; env | grep -c ^VARIABLE_')
    done = hpc("run", "--", *words, env=odd | many, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "exported\na\nb;c,d=e;10000\n")
