"""How points stand, by their folders and by their schedulers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hpcshell
from hpcshell.sweeps.folder import Folder
from hpcshell.sweeps.looking import Outcome, keep, look, outcome_of, strays
from tests.sweeps.folders import folder, said, submitted

LINES = st.sampled_from(
    [
        *("start b.0 10.0", "start c.4 11.5", "end b.0 0 12.0", "end c.4 3 13.0"),
        *("cut c.4 0 12.5", "cut b.0 7 12.0", "end", "?"),
    ]
)


pytestmark = pytest.mark.usefixtures("home")


def states(made: Folder) -> list[str]:
    return [one.state for one in look(made)]


def test_what_was_never_submitted_is_missing(tmp_path: Path) -> None:
    assert states(folder(tmp_path)) == ["MISSING"] * 3


def test_what_a_point_wrote_counts(tmp_path: Path) -> None:
    made = submitted(folder(tmp_path, 4), "7")
    said(made, 0, "start k0.0 10.0\nend k0.0 0 12.5\n")
    said(made, 1, "start k0.1 10.0\nend k0.1 3 12.0\n")
    said(made, 2, "start k0.2 10.0\n")
    assert states(made) == ["COMPLETED", "FAILED", "UNKNOWN", "UNKNOWN"]
    first, second = look(made)[:2]
    assert first.end is not None
    assert first.start == pytest.approx(first.end - 2.5)
    assert (second.exit_code, second.job, second.on) == (3, "7_1", "nowhere")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(LINES, max_size=8), torn=st.sampled_from(["", "en", "end", "start b.0"]))
def test_the_last_run_counts_whatever_was_before(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], torn: str
) -> None:
    made = submitted(folder(tmp_path_factory.mktemp("project"), 1), "7")
    said(made, 0, "".join(f"{line}\n" for line in lines) + torn)
    marks = [line.split() for line in [*lines, torn] if len(line.split()) >= 2]
    expected, owner = "UNKNOWN", ""
    for word, who, *rest in marks:
        if word == "start":
            expected, owner = "UNKNOWN", who
        elif who == owner:
            done = {"end": "COMPLETED", "cut": "UNKNOWN"}[word]
            expected = done if rest[0] == "0" else "FAILED"
    assert states(made) == [expected]


def test_what_was_told_to_end_has_ended_as_its_scheduler_says(tmp_path: Path) -> None:
    made = submitted(folder(tmp_path, 1), "7")
    point = said(made, 0, "start k0.0 1.0\ncut k0.0 0 2.0\n")
    assert states(made) == ["UNKNOWN"]
    keep(str(point), Outcome(state="TIMEOUT"))
    assert states(made) == ["TIMEOUT"]


def test_what_has_run_has_run_though_the_ledger_is_lost(tmp_path: Path) -> None:
    made = submitted(folder(tmp_path), "7")
    said(made, 1, "start k0.1 10.0\nend k0.1 0 12.5\n")
    Path(made.file("jobs.jsonl")).unlink()
    assert states(made) == ["MISSING", "COMPLETED", "MISSING"]


def test_a_point_that_left_nothing_runs_again_though_its_job_completed(tmp_path: Path) -> None:
    mine = hpcshell.submit(["true"], chdir=str(tmp_path), tag=["batch=k0"])
    mine.wait(60)
    made = submitted(folder(tmp_path, 1), mine.label, on="local", single=True)
    assert [(one.state, one.reason) for one in look(made)] == [
        ("MISSING", "it left nothing in its folder")
    ]


def test_what_another_scheduler_has_is_not_run_again_by_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = submitted(folder(tmp_path), "7", on="local")
    ledger = Path(made.file("jobs.jsonl"))
    ledger.write_text(ledger.read_text().replace('"time"', '"scheduler":"far:/state","time"'))
    assert {(one.state, "far:/state" in one.reason) for one in look(made)} == {("UNKNOWN", True)}


def test_a_point_that_is_dropped_while_it_runs_is_a_stray(tmp_path: Path) -> None:
    job = hpcshell.submit(["sleep", "60"], chdir=str(tmp_path), tag=["batch=k0"])
    made = submitted(folder(tmp_path, 1), job.label, on="local", single=True)
    assert strays(made) == []
    made.write_rows(())
    assert [one.job for one in strays(made)] == [job.label]
    job.cancel()
    job.wait(60)
    assert strays(made) == []


def test_of_a_point_whose_folder_was_deleted_its_scheduler_is_asked(tmp_path: Path) -> None:
    made = submitted(folder(tmp_path), "7")
    shutil.rmtree(said(made, 1, "start k0.1 1\nend k0.1 0 2\n"))
    assert states(made) == ["UNKNOWN"] * 3


def test_of_what_may_have_been_taken_nothing_is_known(tmp_path: Path) -> None:
    made = submitted(folder(tmp_path))
    assert states(made) == ["UNKNOWN"] * 3
    assert {one.state for one in look(made, busy=True)} == {"PENDING"}


def test_what_its_scheduler_said_of_a_point_is_kept(tmp_path: Path) -> None:
    made = submitted(folder(tmp_path), "7")
    row = made.rows()[0]
    keep(made.directory(row), Outcome(state="TIMEOUT", reason="too long", start=1.0, end=2.0))
    one = look(made)[0]
    assert (one.state, one.reason, one.start, one.end) == ("TIMEOUT", "too long", 1.0, 2.0)
    said(made, 0, "start k0.0 1.0\nend k0.0 0 2.0\n")
    assert look(made)[0].state == "COMPLETED"


def test_what_cannot_be_read_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    made = submitted(folder(tmp_path), "7")
    point = said(made, 0, "\xff\xfe start")
    (point / "outcome").write_text("{")
    os.mkfifo(Path(made.directory(made.rows()[1]), "run"))
    Path(made.directory(made.rows()[2]), "run").symlink_to("/dev/zero")
    assert states(made) == ["UNKNOWN"] * 3


def test_where_a_cluster_is_not_known_any_more_nothing_is_known_of_its_points(
    tmp_path: Path,
) -> None:
    made = submitted(folder(tmp_path), "7")
    said(made, 0, "start k0.0 1.0\nend k0.0 0 2.0\n")
    found = look(made)
    assert [one.state for one in found] == ["COMPLETED", "UNKNOWN", "UNKNOWN"]
    assert "nowhere" in found[1].reason


def test_a_job_of_the_same_number_is_not_taken_for_that_of_a_point(tmp_path: Path) -> None:
    other = hpcshell.submit(["true"], chdir=str(tmp_path))
    made = submitted(folder(tmp_path, 1), other.label, on="local")
    assert states(made) == ["MISSING"]
    mine = hpcshell.submit(["false"], chdir=str(tmp_path), tag=["batch=k1"])
    mine.wait(60)
    submitted(made, mine.label, on="local", single=True)
    assert states(made) == ["FAILED"]


def test_what_no_scheduler_remembers_is_missing(tmp_path: Path) -> None:
    made = submitted(folder(tmp_path), "99", on="local")
    assert states(made) == ["MISSING"] * 3


@pytest.mark.parametrize("state", ["BOOT_FAIL", "DEADLINE", "a word of tomorrow"])
def test_a_job_in_no_state_of_ours_was_cancelled(state: str) -> None:
    assert outcome_of({"state": state}).state == "CANCELLED"


def test_a_signal_is_told_as_a_shell_does() -> None:
    assert outcome_of({"state": "FAILED", "signal": 9, "exit_code": None}).exit_code == 137
