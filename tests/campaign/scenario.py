"""A small study run against a daemon that is being killed, and the laws that must hold afterwards.

Every run appends one line to a ledger, so what really happened is known without asking the
scheduler.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpcshell.client.client import Client
from hpcshell.core.errors import HpcError
from hpcshell.core.records import Outcome, State
from hpcshell.machine.paths import places
from hpcshell.store.reading import Reader
from hpcshell.store.rows import indices_of

CPUS = 2
PATIENCE = 60.0
LEDGER_LINE = 'echo "$HPC_RUN_ID $HPC_JOB_ID ${HPC_ARRAY_TASK_ID:--1}" >> ledger'


@dataclass
class Daemon:
    """The daemon of one home, started on purpose and killed on purpose."""

    home: Path
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    @property
    def complaints(self) -> str:
        """What daemons wrote before they died of something else than a kill."""
        path = self.home / "daemon.errors"
        return path.read_text() if path.exists() else ""

    def start(self, fault: str = "") -> None:
        """Start it, to die at `fault` (`before:7`) if one is given, and wait until it is ready or
        dead."""
        ready, told = os.pipe()
        environ = {**os.environ, "HPC_RESOURCES__CPUS": str(CPUS)}
        if fault:
            environ["HPCSHELL_FAULT"] = fault
        with open(self.home / "daemon.errors", "ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hpcshell.daemon.hpcd", "--ready-fd", str(told)],
                env=environ,
                pass_fds=(told,),
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        os.close(told)
        with os.fdopen(ready) as pipe:
            pipe.read()
        self.starts += 1

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@dataclass
class Study:
    """What was submitted and acknowledged, and what was seen to have ended."""

    home: Path
    work: Path
    daemon: Daemon
    acknowledged: dict[int, str] = field(default_factory=dict)
    seen_ended: dict[int, tuple[str, int | None]] = field(default_factory=dict)

    def call(self, verb: str, **args: Any) -> Any:
        """Ask the daemon, starting it again when it is dead. None: nobody knows whether it was
        done."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if not self.daemon.alive:
                self.daemon.start()
            client = Client(places(os.environ), autostart=False)
            try:
                return client.call(verb, **args)
            except HpcError as error:
                if error.kind != "unreachable":
                    raise
                if self.daemon.process is not None and verb == "submit":
                    return None
            finally:
                client.close()
        raise AssertionError(f"the daemon did not answer {verb} for {PATIENCE} s")

    def submit(self, kind: str, command: str, **more: Any) -> int:
        """Submit until it is acknowledged; an attempt whose answer was lost may exist besides."""
        submission = {
            "argv": ["sh", "-c", f"{LEDGER_LINE}; {command}"],
            "cwd": str(self.work),
            "env": {"PATH": os.environ["PATH"]},
            "stdout": "/dev/null",
            "name": kind,
            **more,
        }
        while True:
            answer = self.call("submit", submissions=[submission])
            if answer is not None:
                job = int(answer["jobs"][0]["id"])
                self.acknowledged[job] = kind
                return job

    def run(self) -> None:
        """Jobs of every kind: good and bad ends, an array, a chain, a retry, a cancelled one."""
        self.submit("seven", "exit 7")
        array = self.submit("array", "exit $((HPC_ARRAY_TASK_ID % 2))", array="0-4")
        first = self.submit("good", "exit 0")
        self.submit("after", "exit 0", dependency=f"afterok:{first}")
        self.submit("tail", "exit 0", dependency=f"afterany:{array}")
        self.submit("retry", "exit 5", retry={"limit": 1, "delay": 0.01})
        doomed = self.submit("doomed", "sleep 300")
        self.call("cancel", ids=[str(doomed)])

    def settle(self) -> None:
        """Wait until everything has ended, cancelling unacknowledged sleepers; remember the ends
        seen."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            rows = self.call("queue")["rows"]
            for row in rows:
                if row["name"] == "doomed" and row["state"] in ("PENDING", "RUNNING"):
                    self.call("cancel", ids=[str(row["id"])])
            self.note_ends()
            if not rows:
                return
            ids = [str(row["id"]) for row in rows]
            self.call("wait", ids=ids, any=True, timeout=1.0)
        raise AssertionError("not everything has ended")

    def note_ends(self) -> None:
        """P4: what was once seen to have ended is remembered, to be compared at the end."""
        for row in self.call("history")["rows"]:
            end = (row["state"], row["exit_code"])
            assert self.seen_ended.setdefault(row["id"], end) == end, "an ended job changed"


EXPECTED: dict[str, Callable[[int], tuple[Outcome, int | None]]] = {
    "seven": lambda index: (Outcome.FAILED, 7),
    "array": lambda index: (Outcome.FAILED, 1) if index % 2 else (Outcome.COMPLETED, 0),
    "good": lambda index: (Outcome.COMPLETED, 0),
    "after": lambda index: (Outcome.COMPLETED, 0),
    "tail": lambda index: (Outcome.COMPLETED, 0),
    "retry": lambda index: (Outcome.FAILED, 5),
}


def check_laws(study: Study, *, exit_codes_may_be_lost: bool = False) -> None:
    """P1 to P5 on what is left on disk, and that no daemon died by itself."""
    assert study.daemon.complaints == ""
    store = Reader.of(places(os.environ).database)
    try:
        ledger = [tuple(map(int, line.split())) for line in _lines(study.work / "ledger")]
        _nothing_was_lost(study, store)
        _every_run_was_started_once(ledger)
        _ends_are_true(study, store, exit_codes_may_be_lost)
        _never_too_many_at_once(store)
    finally:
        store.close()


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _nothing_was_lost(study: Study, store: Reader) -> None:
    found = {stored.job.id for stored in store.jobs(study.acknowledged)}
    assert found == set(study.acknowledged), "P1: an acknowledged job is gone"
    for stored in store.jobs(study.acknowledged):
        assert stored.summary is not None, f"job {stored.job.id} has not ended"
        assert sum(stored.summary.counts.values()) == len(indices_of(stored.job))


def _every_run_was_started_once(ledger: list[tuple[int, ...]]) -> None:
    twice = [run for run, count in Counter(line[0] for line in ledger).items() if count > 1]
    assert not twice, f"P2: runs {twice} were started more than once"


def _ends_are_true(study: Study, store: Reader, may_be_lost: bool) -> None:
    for job, kind in study.acknowledged.items():
        if kind not in EXPECTED:
            continue
        for task in store.tasks(job):
            assert task.state is State.ENDED
            wanted = EXPECTED[kind](task.index)
            lost = any(run.exit_code is None for run in store.runs(job, task.index))
            if not (may_be_lost and lost):
                assert (task.outcome, task.exit_code) == wanted, f"P3: {kind} {task}"
    for row in study.seen_ended:
        stored = store.job(row)
        assert stored is not None
        assert stored.summary is not None
        assert study.seen_ended[row] == (stored.summary.outcome.value, stored.summary.exit_code)


def _never_too_many_at_once(store: Reader) -> None:
    changes: dict[float, int] = defaultdict(int)
    for stored in store.jobs(range(1, 200)):
        for index in indices_of(stored.job):
            for run in store.runs(stored.job.id, index):
                assert run.end_time is not None, "a run has no end"
                changes[run.start_time] += run.claim.cpus
                changes[max(run.end_time, run.start_time)] -= run.claim.cpus
    used = 0
    for instant in sorted(changes):
        used += changes[instant]
        assert used <= CPUS, f"P5: {used} cpus were in use of {CPUS}"


def runner_processes(study: Study) -> list[int]:
    """The pids of worker and keeper, as far as the daemon knows them."""
    hello = study.call("hello")
    return [pid for pid in (hello["runner_pid"], hello["keeper_pid"]) if pid]


def kill(pid: int) -> None:
    """SIGKILL, if it is still there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
