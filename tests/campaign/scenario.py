"""A small study run against a daemon that is being killed, and the laws that must hold afterwards.

Every run appends one line to a ledger, so what really happened is known without asking the
scheduler.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpcshell.client.client import Client
from hpcshell.core.errors import HpcError
from hpcshell.core.records import Job, Outcome, Run, State
from hpcshell.machine.paths import places
from hpcshell.store.reading import Reader
from hpcshell.store.rows import indices_of
from tests.support.daemons import PATIENCE, Daemon

CPUS = 2
LEDGER_LINE = 'echo "$HPC_RUN_ID $HPC_JOB_ID ${HPC_ARRAY_TASK_ID:--1}" >> ledger'


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
            self.daemon.start_if_dead()
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
        """Jobs of every kind and everything that can be done to them."""
        rush = self.submit("rush", "exit 0", array="0-15")  # brief: one follows the other
        self.call("wait", ids=[str(rush)])
        seven = self.submit("seven", "exit 7")
        array = self.submit("array", "exit $((HPC_ARRAY_TASK_ID % 2))", array="0-4%2")
        first = self.submit("good", "exit 0")
        for _ in range(3):
            first = self.submit("chained", "exit 0", dependency=f"afterok:{first}")
        self.submit("tail", "exit 0", dependency=f"afterany:{array}")
        self.submit("hopeless", "exit 0", dependency=f"afterok:{seven}")
        self.submit("retry", "exit 5", retry={"limit": 1, "delay": 0.01})
        self.submit("limited", "exec sleep 300", request={"time_limit": 0.1})
        self.change_while_held()
        self.put_back("requeued", "requeue", "ATTEMPT")
        self.put_back("preempted", "preempt", "RESTART_COUNT")
        self.pause()
        doomed = self.submit("doomed", "exec sleep 300")
        self.call("cancel", ids=[str(doomed)])
        self.call("wait", ids=[str(seven)])
        self.again(seven)

    def change_while_held(self) -> None:
        """Held, edited, one element cancelled, let go."""
        held = self.submit("edited", "exit 0", hold=True)
        picked = self.submit("picked", "exit 0", hold=True, array="0-3")
        self.call("edit", ids=[str(held)], changes={"cpus": 2, "priority": 600})
        self.call("cancel", ids=[f"{picked}_1"])
        self.call("hold", ids=[f"{picked}_2"])
        for job in (held, picked):
            self.call("release", ids=[str(job)])

    def put_back(self, kind: str, verb: str, count: str) -> None:
        """Its first attempt would not end: it is put back into the queue while it runs."""
        first = {"ATTEMPT": 1, "RESTART_COUNT": 0}[count]
        saves = {"checkpoint": {"number": 10, "before": 0.2}} if verb == "preempt" else {}
        script = f'[ "$HPC_{count}" -gt {first} ] || exec sleep 300'
        job = self.submit(kind, script, priority=900, **saves)
        for view in self.looks_at(job):
            if view["attempt"] > 1 or view["state"] == "COMPLETED":
                return
            if view["state"] == "RUNNING":
                self.call(verb, ids=[str(job)])
            else:
                self.call("wait", ids=[str(job)], timeout=0.02)

    def pause(self) -> None:
        """It is suspended while it runs, and something else in its place; then it goes on. Another
        is cancelled meanwhile."""
        job = self.submit("paused", "sleep 0.3; exit 3", priority=900, request={"cpus": 2})
        doomed = self.submit("doomed", "exec sleep 300", priority=950)
        suspended = False
        for view in self.looks_at(doomed):
            if view["state"] == "RUNNING":
                self.call("suspend", ids=[str(doomed)])
            if view["state"] == "SUSPENDED":
                self.call("cancel", ids=[str(doomed)])
            if view["state"] in ("COMPLETING", "CANCELLED"):
                break
        for view in self.looks_at(job):
            if view["state"] == "RUNNING" and not suspended:
                self.call("suspend", ids=[str(job)])
                self.submit("good", "exit 0", priority=960)
                suspended = True
            if view["state"] == "SUSPENDED":
                self.call("resume", ids=[str(job)])
            if view["state"] not in ("PENDING", "RUNNING", "SUSPENDED"):
                return

    def looks_at(self, job: int) -> Iterator[dict[str, Any]]:
        """Its document, time and again."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            [view] = self.call("show", ids=[str(job)])["jobs"]
            yield view
            self.cancel_strays()
            self.call("wait", ids=[str(job)], timeout=0.02)
        raise AssertionError(f"job {job} does not get on: {view}")

    def again(self, seven: int) -> None:
        answer = self.call("rerun", ids=[str(seven)])
        if answer is not None:
            self.acknowledged[answer["jobs"][0]["id"]] = "seven"

    def settle(self) -> None:
        """Wait until everything has ended; remember the ends seen."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            rows = self.cancel_strays()
            self.note_ends()
            if not rows:
                return
            ids = [str(row["id"]) for row in rows]
            self.call("wait", ids=ids, any=True, timeout=1.0)
        raise AssertionError("not everything has ended")

    def cancel_strays(self) -> list[dict[str, Any]]:
        """Cancel sleepers of which nobody has been told; all that had not ended."""
        rows: list[dict[str, Any]] = self.call("queue")["rows"]
        for row in rows:
            if row["name"] in STRAYS and row["id"] not in self.acknowledged:
                self.call("cancel", ids=[str(row["id"])])
        return rows

    def note_ends(self) -> None:
        """P4: what was once seen to have ended is remembered, to be compared at the end."""
        for row in self.call("history")["rows"]:
            end = (row["state"], row["exit_code"])
            assert self.seen_ended.setdefault(row["id"], end) == end, "an ended job changed"


STRAYS = ("doomed", "requeued", "preempted", "edited", "picked")
"""Kinds that do not end by themselves when their acknowledgement was lost."""

EXPECTED: dict[str, Callable[[int], tuple[Outcome, int | None]]] = {
    "rush": lambda index: (Outcome.COMPLETED, 0),
    "seven": lambda index: (Outcome.FAILED, 7),
    "array": lambda index: (Outcome.FAILED, 1) if index % 2 else (Outcome.COMPLETED, 0),
    "good": lambda index: (Outcome.COMPLETED, 0),
    "after": lambda index: (Outcome.COMPLETED, 0),
    "tail": lambda index: (Outcome.COMPLETED, 0),
    "retry": lambda index: (Outcome.FAILED, 5),
    "chained": lambda index: (Outcome.COMPLETED, 0),
    "hopeless": lambda index: (Outcome.CANCELLED, None),
    "limited": lambda index: (Outcome.TIMEOUT, None),
    "edited": lambda index: (Outcome.COMPLETED, 0),
    "picked": lambda index: (Outcome.CANCELLED, None) if index == 1 else (Outcome.COMPLETED, 0),
    "requeued": lambda index: (Outcome.COMPLETED, 0),
    "preempted": lambda index: (Outcome.COMPLETED, 0),
    "paused": lambda index: (Outcome.FAILED, 3),
}


def check_laws(study: Study, *, exit_codes_may_be_lost: bool = False) -> None:
    """P1 to P5 on what is left on disk, and that no daemon died by itself."""
    assert not study.daemon.complaints, "\n".join(study.daemon.complaints)
    store = Reader.of(Path(places(os.environ).database))
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
        for task in (store.task(job, index) for index in indices_of(_job(store, job))):
            assert task is not None
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


def _job(store: Reader, job: int) -> Job:
    stored = store.job(job)
    assert stored is not None
    return stored.job


def _never_too_many_at_once(store: Reader) -> None:
    changes: dict[float, int] = defaultdict(int)
    for stored in store.jobs(range(1, 200)):
        for index in indices_of(stored.job):
            for run in store.runs(stored.job.id, index):
                for begun, over in _held(store, run):
                    changes[begun] += run.claim.cpus
                    changes[max(over, begun)] -= run.claim.cpus
    used = 0
    for instant in sorted(changes):
        used += changes[instant]
        assert used <= CPUS, f"P5: {used} cpus were in use of {CPUS}"


def _held(store: Reader, run: Run) -> Iterator[tuple[float, float]]:
    """From when to when a run held its cpus: not while it was suspended, nor after that was ended
    by anything but a resume."""
    assert run.end_time is not None, "a run has no end"
    since: float | None = run.start_time
    for entry in store.story(run.job, run.index):
        if not run.start_time <= entry.time <= run.end_time:
            continue
        if entry.kind == "suspend" and since is not None:
            yield since, entry.time
            since = None
        if entry.kind == "resume":
            since = entry.time
    if since is not None:
        yield since, run.end_time


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
