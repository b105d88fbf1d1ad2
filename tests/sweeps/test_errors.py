"""Points that died of the same are in one group."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.sweeps.errors import END, errors, frame
from hpcshell.sweeps.standing import BAD, Standing
from tests.sweeps.made import leave, standing

TRACEBACK = """Traceback (most recent call last):
  File "{folder}/train.py", line 12, in step
    raise ValueError(loss)
ValueError: loss is {loss}
"""


@given(st.lists(st.sampled_from([*sorted(BAD), "COMPLETED", "RUNNING", "MISSING"])))
def test_every_point_that_ended_badly_is_in_one_group(states: list[str]) -> None:
    found = [
        Standing(index=at, id=str(at), params={}, state=state) for at, state in enumerate(states)
    ]
    members = [point for group in errors(found) for point in group.points]
    bad = [one.id for one in found if one.state in BAD]
    assert sorted(members) == sorted(bad)


def test_points_that_differ_in_numbers_and_folders_only_are_of_one_group(tmp_path: Path) -> None:
    found = [
        leave(
            standing(tmp_path, at, state="FAILED", exit_code=1),
            stderr=TRACEBACK.format(folder=f"/snap/{at}", loss=0.5 + at),
        )
        for at in range(3)
    ]
    found.append(leave(standing(tmp_path, 3, state="FAILED"), stderr="disk full\n"))
    first, second = errors(found)
    assert first.label == "train.py:12 in step: ValueError: loss is #"
    assert (first.count, first.example, second.label) == (3, found[0].id, "disk full")
    assert first.lines[-1] == "ValueError: loss is 0.5"
    assert first.points == tuple(one.id for one in found[:3])


@pytest.mark.parametrize(
    ("state", "code", "stdout", "stderr", "label"),
    [
        ("TIMEOUT", None, "", TRACEBACK, "TIMEOUT"),
        ("OUT_OF_MEMORY", 137, "", "Killed\n", "OUT_OF_MEMORY"),
        ("FAILED", 139, "", "", "killed by SIGSEGV"),
        ("FAILED", -9, "", "warning\n", "killed by SIGKILL"),
        ("FAILED", 3, "", "", "exit code 3"),
        ("FAILED", None, "", "", "no exit code"),
        ("FAILED", 1, "bye 3\n", "", "bye #"),
        ("FAILED", 1, "loss=1\n", "no such data\n", "no such data"),
        ("FAILED", 1, "loss=1\n", "", "exit code 1"),
        ("FAILED", 1, "loss=1\nbye\n", "", "bye"),
        ("FAILED", 75, "loss=1\n", "a warning\n",
         "exit code 75: another job runs this point already"),
        ("FAILED", 1, "Error in f(1) : bad\n", "a warning\n", "f(1): R: bad"),
        ("FAILED", 127, "", "run.sh: line 2: foo: command not found\n",
         "run.sh:2: foo: command not found"),
        ("FAILED", 1, "", "\r".join(f"{at}%" for at in range(END)), "#%"),
    ],
)  # fmt: skip
def test_what_a_point_died_of(
    tmp_path: Path, state: str, code: int | None, stdout: str, stderr: str, label: str
) -> None:
    found = standing(tmp_path, state=state, exit_code=code)
    assert frame(leave(found, stdout=stdout, stderr=stderr)).label == label


def test_a_disk_that_was_full_is_told_and_a_program_s_own_code_is_its_own(tmp_path: Path) -> None:
    found = leave(standing(tmp_path, state="FAILED", exit_code=74), run="start 1 2 3\n")
    assert "the disk is full" in frame(found).label
    assert frame(leave(found, run="start 1 2 3\nend 74 9\n")).label == "exit code 74"
