"""Following a file of jobs: every new line becomes one job, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hpcshell
from hpcshell.client.client import Client
from hpcshell.core.errors import Refused
from hpcshell.core.jobsfile import JobLine
from hpcshell.gpu.lines import LineQueue
from hpcshell.gpu.memory import Memory
from hpcshell.gpu.watching import AGAIN, Told, Watcher
from hpcshell.jobs import call
from hpcshell.jobs.surroundings import here


class Lab:
    """A file of jobs beside the scripts that it names, and what is told of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.jobs = root / "jobs.txt"
        self.told: list[Told] = []
        self.time = 0.0
        for name in ("a.py", "b.py"):
            (root / name).write_text("pass\n")

    def memory(self) -> Memory:
        return Memory.of(str(self.jobs), here())

    def watcher(self, memory: Memory | None = None) -> Watcher:
        return Watcher(
            str(self.jobs),
            LineQueue(Client(here()), str(self.jobs)),
            memory or self.memory(),
            self.told.append,
            lambda: self.time,
        )

    def submitted(self) -> list[int]:
        """The numbers of the lines that became jobs."""
        return [one.number for one in self.told if one.what == "submitted"]

    def said(self) -> list[str]:
        return [f"{one.number} {one.text}" for one in self.told if one.what != "submitted"]

    def names(self) -> list[str]:
        """The jobs there are, ended or not."""
        asked: dict[str, Any] = {"tags": ["gpubox"], "limit": 100, "offset": 0}
        rows = [row for verb in ("queue", "history") for row in call(verb, **asked)["rows"]]
        return sorted({row["id"]: row["name"] for row in rows}.values())


# ------------------------------------------------------------------------------------------ laws


class Machine:
    """Jobs that outlive whoever submits them: a queue as the watcher sees one."""

    def __init__(self) -> None:
        self.jobs: list[str] = []
        self.left = 0
        """How many more may be submitted before whoever does is killed."""

    def known(self) -> dict[str, str]:
        return {key: str(number) for number, key in enumerate(self.jobs, 1)}

    def room(self) -> float:
        return float("inf")

    def submit(self, lines: Sequence[JobLine]) -> list[str]:
        self.jobs += [line.key for line in lines]
        self.left -= 1
        if self.left < 0:
            raise Killed
        return [self.known()[line.key] for line in lines]


class Killed(BaseException):
    """As kill -9: nothing is done any more, least of all in order."""


STEPS = st.lists(
    st.tuples(
        st.lists(st.sampled_from([f"1,{letter}.py" for letter in "abcdefgh"] + ["bad", ""])),
        st.integers(0, 4),
        st.booleans(),
    ),
    max_size=8,
)


@given(STEPS)
def test_whoever_is_killed_and_whatever_is_lost_each_line_becomes_one_job(
    steps: list[tuple[list[str], int, bool]],
):
    with tempfile.TemporaryDirectory() as directory:
        path, state = Path(directory, "jobs.txt"), Path(directory, "state.json")
        machine, written = Machine(), list[str]()
        for lines, left, lost in [*steps, ([], 1000, False)]:
            written += lines
            path.write_text("".join(f"{line}\n" for line in written))
            machine.left = left
            memory = Memory(str(path), str(state))
            watcher = Watcher(str(path), machine, memory, lambda told: None)
            memory.open()
            with contextlib.suppress(Killed):
                watcher.round()
            memory.close()
            if lost:
                state.unlink(missing_ok=True)
        meant = {line for line in written if line.endswith(".py")}
        assert len(machine.jobs) == len(set(machine.jobs)) == len(meant)


# ----------------------------------------------------------------------------------------- cases


@pytest.fixture
def lab(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("HPC_GPUS__PROVIDER", "fake")
    monkeypatch.setenv("HPC_GPUS__COUNT", "4")
    monkeypatch.setenv("HPC_RESOURCES__CPUS", "64")
    monkeypatch.chdir(tmp_path)
    return Lab(tmp_path)


def test_each_new_line_is_submitted_once(lab: Lab):
    lab.jobs.write_text("# jobs\n0,a.py,,--mode test,\n")
    with lab.watcher() as watcher:
        watcher.round()
        watcher.round()
        assert lab.submitted() == [2]
        with lab.jobs.open("a") as file:
            file.write("2,b.py,,,\n1,a.py,,,\n0,a.py,,  --mode   test,\n")
        watcher.round()
    assert lab.submitted() == [2, 3, 4]
    assert lab.said() == ["0 line 5 says the same as line 2: it is one job"]
    assert lab.names() == ["a.py", "a.py", "b.py"]


def test_a_job_is_what_its_line_says(lab: Lab):
    lab.jobs.write_text("0,a.py,,--mode test,\n")
    with lab.watcher() as watcher:
        watcher.round()
    view = hpcshell.job(lab.told[0].job).show()
    assert (view["priority"], view["name"], view["gpus"]) == (750, "a.py", 1)
    assert view["command"] == ["python3", str(lab.root / "a.py"), "--mode", "test"]
    assert view["cwd"] == str(lab.root)
    assert view["tags"][0] == "gpubox"


def test_what_was_submitted_is_remembered_by_the_next_one(lab: Lab):
    lab.jobs.write_text("1,a.py\n1,b.py\n")
    for _ in range(2):
        with lab.watcher() as watcher:
            watcher.round()
    assert lab.submitted() == [1, 2]


def test_and_found_in_the_queue_where_nothing_was_kept(lab: Lab):
    lab.jobs.write_text("1,a.py\n1,b.py\n")
    with lab.watcher() as watcher:
        watcher.round()
    for damage in (lambda path: path.unlink(), lambda path: path.write_text("{torn")):
        damage(Path(lab.memory().path))
        with lab.watcher() as watcher:
            watcher.round()
    assert lab.submitted() == [1, 2]


def test_who_is_killed_between_submitting_and_keeping_submits_nothing_twice(lab: Lab):
    lab.jobs.write_text("1,a.py\n1,b.py\n")

    class Fatal(Memory):
        def remember(self, key: str, job: str) -> None:
            os._exit(9)

    Client(here()).call("hello")
    child = os.fork()
    if child == 0:
        with lab.watcher(Fatal.of(str(lab.jobs), here())) as watcher:
            watcher.round()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert lab.names() == ["a.py", "b.py"]
    with lab.watcher() as watcher:
        watcher.round()
    assert lab.submitted() == []
    assert lab.names() == ["a.py", "b.py"]


def test_a_bad_line_is_told_once_and_stops_nothing(lab: Lab):
    lab.jobs.write_text("7,a.py\n1,none.py\n1,a.py\n")
    with lab.watcher() as watcher:
        watcher.round()
        watcher.round()
        lab.jobs.write_text("7,a.py\n1,none.py\n1,a.py\n1,b.py\n")
        watcher.round()
        assert watcher.bad == 2
    assert lab.submitted() == [3, 4]
    assert [line[:2] for line in lab.said()] == ["1 ", "2 "]
    assert "priority '7' is none of" in lab.said()[0]
    assert "there is no script" in lab.said()[1]
    assert lab.said()[1].endswith("; look at the spelling")


def test_a_script_that_comes_later_is_run_then(lab: Lab):
    lab.jobs.write_text("1,late.py\n")
    with lab.watcher() as watcher:
        watcher.round()
        (lab.root / "late.py").write_text("pass\n")
        watcher.round()
        assert lab.submitted() == []
        lab.time = AGAIN
        watcher.round()
    assert lab.submitted() == [1]


def test_lines_wait_while_the_queue_is_full(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HPC_BOX__QUEUE_LIMIT", "1")
    hpcshell.submit(["sleep", "600"], gpus=4)
    lab.jobs.write_text("1,a.py\n1,b.py\n")
    with lab.watcher() as watcher:
        watcher.round()
        watcher.round()
        assert lab.submitted() == [1]
        assert not watcher.done
        assert lab.said() == ["0 the queue is full: the other lines wait"]
        hpcshell.job(lab.told[0].job).cancel()
        watcher.round()
    assert lab.submitted() == [1, 2]


def test_only_one_follows_a_file(lab: Lab):
    lab.jobs.touch()
    with lab.watcher(), pytest.raises(Refused, match="another process follows"), lab.watcher():
        pass


def test_a_file_that_goes_away_is_told_and_waited_for(lab: Lab):
    with lab.watcher() as watcher:
        watcher.round()
        watcher.round()
        lab.jobs.write_text("1,a.py\n")
        watcher.round()
        lab.jobs.unlink()
        watcher.round()
    assert lab.submitted() == [1]
    assert len(lab.said()) == 2
    assert all("there is no file" in line for line in lab.said())


def test_a_daemon_that_cannot_be_reached_is_told_and_tried_again(lab: Lab):
    lab.jobs.write_text("1,a.py\n")
    with lab.watcher() as watcher:
        watcher.queue = LineQueue(Client(here(), autostart=False), str(lab.jobs))
        watcher.round()
        assert lab.said() == ["0 nothing is submitted: the daemon does not run"]
        watcher.queue = LineQueue(Client(here()), str(lab.jobs))
        watcher.round()
    assert lab.submitted() == [1]


def test_it_ends_when_it_is_told_to(lab: Lab):
    lab.jobs.write_text("1,a.py\n")
    stop = threading.Event()
    with lab.watcher() as watcher:
        thread = threading.Thread(target=watcher.follow, args=(3600.0, stop))
        thread.start()
        stop.set()
        thread.join(30)
        assert not thread.is_alive()
