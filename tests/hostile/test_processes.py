"""Processes that die as they are born, or that somebody has stopped."""

from __future__ import annotations

import selectors
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from hpcshell.cli.daemon import _terminate
from hpcshell.daemon import attachment
from hpcshell.daemon.alarms import Alarms
from hpcshell.daemon.attachment import Attachment
from hpcshell.daemon.runner.link import RunnerLink
from hpcshell.machine import processes
from hpcshell.machine.logfile import LogFile
from tests.conftest import Hpc


class StillbornRunner:
    """A link to a runner that takes every connection and dies at once."""

    retry_after = 0.05
    wants_write = False

    def __init__(self) -> None:
        self.opened = 0
        self.connection: socket.socket | None = None

    @property
    def closed(self) -> bool:
        return self.connection is None

    def fileno(self) -> int:
        assert self.connection is not None
        return self.connection.fileno()

    def open(self) -> bool:
        self.opened += 1
        if self.opened == 1:
            raise OSError(24, "Too many open files")
        self.connection, other = socket.socketpair()
        other.close()
        return True

    def receive(self) -> list[object]:
        self.close()
        return []

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None


def test_runners_that_die_as_they_begin_are_waited_for_longer_and_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("hpcshell.machine.clock.monotonic", lambda: now[0])
    link, alarms = StillbornRunner(), Alarms()
    runner = Attachment(
        cast(RunnerLink, link),
        selectors.DefaultSelector(),
        alarms,
        LogFile(tmp_path / "log", 1 << 20, 1, "info"),
    )
    runner.open()
    while now[0] < 1060:
        if not link.closed:
            runner.hear(selectors.EVENT_READ)
        runner.tend()
        due = alarms.next_in()
        assert due is not None
        now[0] += max(due, 0.001)
        alarms.ring()
    assert 8 <= link.opened <= 60 / attachment.LONGEST_PAUSE + 12


def test_a_daemon_that_somebody_stopped_can_be_ended() -> None:
    process = subprocess.Popen(["sleep", "60"])
    try:
        process.send_signal(signal.SIGSTOP)
        assert _terminate(process.pid)
        assert process.wait(10) == -signal.SIGTERM
    finally:
        process.kill()
        process.wait()


def test_variables_that_no_program_could_have_set_do_not_keep_the_runner_from_starting(
    hpc: Hpc, tmp_path: Path
) -> None:
    strange = {"": "nameless", "BYTES": "\udcff\udcfe", "LINES OF": "a\nb", "IFS": "x"}
    done = hpc(
        "run",
        "--",
        "sh",
        "-c",
        'printf "%s" "$STAYS"',
        cwd=tmp_path,
        env=strange | {"STAYS": "a\nb"},
    )
    assert (done.returncode, done.stdout) == (0, "a\nb")


def test_a_job_that_stops_the_runner_does_not_stop_the_queue(hpc: Hpc, tmp_path: Path) -> None:
    words = ("submit", "--quiet", "--", "sh", "-c", "kill -STOP $PPID; exit 7")
    for _ in range(2):
        job = hpc(*words, cwd=tmp_path, check=True).stdout.strip()
        assert hpc("wait", "--propagate", "--timeout", "20s", job).returncode == 7


HIDES = """
import os, sys, time
if os.fork():
    while not os.path.exists("hidden"):
        pass
    sys.exit(3)
os.setsid()
if os.fork():
    os._exit(0)
os.execve("/bin/sh", ["sh", "-c", "echo $$ > hiding && mv hiding hidden; exec sleep 300"], {})
"""


def test_a_process_that_hides_every_trace_ends_with_its_job_while_others_run(
    hpc: Hpc, tmp_path: Path
) -> None:
    other = hpc("submit", "--quiet", "--", "sleep", "300", cwd=tmp_path, check=True).stdout.strip()
    assert hpc("run", "--", sys.executable, "-c", HIDES, cwd=tmp_path).returncode == 3
    hidden = processes.look(int((tmp_path / "hidden").read_text()))
    assert hidden is None or hidden.state in processes.ZOMBIE
    assert hpc("show", "--json", other, check=True).stdout.count('"RUNNING"')
