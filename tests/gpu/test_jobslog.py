"""The log of what becomes of the jobs of the box."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hpcshell.core.errors import NotFound, Unreachable
from hpcshell.gpu.jobslog import JobsLog
from hpcshell.machine.logfile import LogFile
from tests.support.refusals import refusal


class Desk:
    """A log of jobs: 1 is the box's, 2 is not, others are gone."""

    def __init__(self, path: Path, *, structured: bool = True, **more: Any) -> None:
        self.path = path
        self.asked: list[int] = []
        self.starts: list[dict[str, Any]] = []
        self.log = JobsLog(LogFile(path, **more), self.view_of, structured=structured)

    def view_of(self, job: int) -> dict[str, Any]:
        self.asked.append(job)
        if job not in (1, 2):
            raise NotFound(f"there is no job {job}", "look again")
        return {"tags": ["gpubox"] if job == 1 else [], "gpus": 1.5, "starts": self.starts}

    def tell(self, kind: str, state: str, job: int | None = 1, **more: Any) -> None:
        event = {"job": job, "element": None, "kind": kind, "state": state, "cause": "", "seq": 9}
        self.log.tell(event | more)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "gpu.log")


def test_a_line_has_nine_fields_and_says_on_which_cards_a_job_runs(desk: Desk):
    desk.tell("start", "RUNNING", detail={"gpus": [0, 1], "attempt": 1})
    (line,) = desk.lines()
    stamp = line.pop("timestamp")
    assert (stamp[10], stamp[-5], stamp[-1]) == ("T", ".", "Z")
    assert line == {
        "level": "INFO",
        "logger": "gpu_scheduler",
        "thread": "MainThread",
        "message": "Job assigned successfully",
        "job_id": "1",
        "gpu_ids": [0, 1],
        "required_gpus": 1.5,
        "attempt": 1,
    }


def test_cards_and_attempt_are_remembered_until_the_job_ends(desk: Desk):
    desk.tell("submit", "PENDING")
    desk.tell("start", "RUNNING", detail={"gpus": [3], "attempt": 2})
    desk.tell("end", "FAILED", cause="exit code 1")
    last = desk.lines()[-1]
    assert (last["gpu_ids"], last["attempt"]) == ([3], 2)
    assert (last["level"], last["message"]) == ("ERROR", "Job failed: exit code 1")
    assert desk.asked == [1], "it is asked once what a job is"


@pytest.mark.parametrize(
    ("kind", "state", "level", "message"),
    [
        ("submit", "PENDING", "INFO", "Job added to the queue"),
        ("requeue", "PENDING", "WARNING", "Job goes back into the queue"),
        ("end", "COMPLETED", "INFO", "Job completed successfully"),
        ("end", "CANCELLED", "WARNING", "Job was cancelled"),
        ("end", "TIMEOUT", "ERROR", "Job failed"),
        ("hold", "PENDING", "INFO", "Job: hold"),
    ],
)
def test_what_happens_is_said_in_words(desk: Desk, kind, state, level, message):
    desk.tell(kind, state)
    assert [(line["level"], line["message"]) for line in desk.lines()] == [(level, message)]


def test_other_jobs_and_the_machines_own_events_are_not_logged(desk: Desk):
    for job in (2, 3, None):
        desk.tell("start", "RUNNING", job)
    assert not desk.path.exists()


def test_what_is_not_about_a_job_has_null_there(desk: Desk):
    desk.log.say("error", "line 4: bad")
    (line,) = desk.lines()
    assert [line[name] for name in ("job_id", "gpu_ids", "required_gpus", "attempt")] == [None] * 4


def test_levels_below_the_least_are_left_out_and_files_are_rotated(tmp_path: Path):
    desk = Desk(tmp_path / "gpu.log", size=2000, files=3, least="warning")
    desk.tell("submit", "PENDING")
    for _ in range(100):
        desk.tell("end", "FAILED")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gpu.log", "gpu.log.1", "gpu.log.2"]
    assert {line["level"] for line in desk.lines()} == {"ERROR"}


def test_for_people_a_line_is_a_line(tmp_path: Path):
    desk = Desk(tmp_path / "gpu.log", structured=False)
    desk.tell("start", "RUNNING", detail={"gpus": [0], "attempt": 1})
    line = desk.path.read_text()
    assert line.endswith(
        "Z INFO Job assigned successfully job_id=1 gpu_ids=[0] required_gpus=1.5 attempt=1\n"
    )


def test_the_first_that_is_seen_of_a_job_may_be_its_end(desk: Desk):
    desk.starts = [
        {"seq": 3, "detail": {"gpus": [1], "attempt": 1}},
        {"seq": 5, "detail": {"gpus": [2, 3], "attempt": 2}},
        {"seq": 11, "detail": {"gpus": [4], "attempt": 3}},
    ]
    desk.tell("end", "FAILED", seq=9, time=1_790_000_000.25)
    (line,) = desk.lines()
    assert (line["gpu_ids"], line["attempt"]) == ([2, 3], 2)
    assert line["timestamp"] == "2026-09-21T14:13:20.250Z", "when it was, not when it is logged"


def test_while_nobody_tells_what_a_job_is_it_is_not_taken_for_another(desk: Desk):
    def away(job: int) -> dict[str, Any]:
        raise Unreachable("the daemon does not answer", "wait")

    there, desk.log.view_of = desk.log.view_of, away
    with pytest.raises(Unreachable):
        desk.tell("end", "COMPLETED")
    desk.log.view_of = there
    desk.tell("end", "COMPLETED")
    assert [line["job_id"] for line in desk.lines()] == ["1"]


def test_a_log_that_cannot_be_written_is_refused(tmp_path: Path):
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "log", tmp_path / "none" / "log"):
        error = refusal(Desk(path).log.open)
        assert error is not None
        assert f"the log '{path}' cannot be written: " in error.message
    Desk(tmp_path / "gpu.log").log.open()


def test_lines_that_are_lost_are_told_of_once_until_they_are_written_again(tmp_path: Path):
    desk = Desk(tmp_path / "later" / "gpu.log")
    said: list[str] = []
    desk.log.warn = said.append
    desk.tell("submit", "PENDING")
    desk.tell("start", "RUNNING", detail={"gpus": [0], "attempt": 1})
    assert len(said) == 1
    assert said[0].endswith("cannot be written: No such file or directory")
    desk.path.parent.mkdir()
    desk.tell("end", "COMPLETED")
    assert len(desk.lines()) == len(said) == 1
    desk.path.parent.rename(tmp_path / "away")
    desk.log.log.close()
    desk.tell("submit", "PENDING")
    assert len(said) == 2
