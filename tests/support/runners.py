"""A runner of its own for a test, driven over its socket as the daemon drives it.

`Driver` keeps the daemon's side of the bargain: it connects again when the connection breaks and
orders again what a `Standing` shows was never begun.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hpcshell.daemon.runner import wire
from hpcshell.daemon.runner.link import RunnerLink
from hpcshell.machine.paths import places
from tests.support.homes import clean_environment, kill_strays

PATIENCE = 30.0


class Driver:
    """The daemon of one test."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.places = places({"HPCSHELL_HOME": str(home)})
        self.places.prepare()
        self.link = RunnerLink(self.places)
        self.ordered: dict[int, wire.Start] = {}
        self.reports: dict[int, wire.Report] = {}
        self.unknown: list[int] = []
        self.recalled: list[int] = []
        self.complaints: list[str] = []
        self.standings = 0
        self.missing: list[int] = []
        """Runs that were `Started` and that a later `Standing` did not know: must stay empty."""

    # -- saying ------------------------------------------------------------------------------

    def start(self, run: int, *argv: str, **more: object) -> None:
        """Order a run; one word is a shell script."""
        words = ["/bin/sh", "-c", argv[0]] if len(argv) == 1 else list(argv)
        env = {"PATH": os.environ["PATH"], "HPCSHELL_HOME": str(self.home)}
        settings = {"env": env, "cwd": str(self.home), "grace": 5.0} | more
        self.ordered[run] = wire.Start(run=run, argv=words, **settings)  # type: ignore[arg-type]
        self.say(self.ordered[run])

    def say(self, *orders: wire.AnyOrder) -> None:
        if not self.link.closed:
            self.link.send(orders)

    def order(self, *orders: wire.AnyOrder) -> None:
        """Say these and hear that they have been carried out."""
        before = self.standings
        self.say(*orders, wire.Inventory())
        self.hear_until(lambda: self.standings > before)

    # -- hearing -----------------------------------------------------------------------------

    def connect(self) -> None:
        """Connect anew and learn how everything stands."""
        self.link.close()
        before = self.standings
        self.hear_until(lambda: self.standings > before)

    def hear_until(self, true: Callable[[], object], patience: float = PATIENCE) -> None:
        """Listen until something has come true; the test fails when it does not."""
        deadline = time.monotonic() + patience
        while not true():
            left = deadline - time.monotonic()
            assert left > 0, f"not within {patience:g} s; heard so far: {self.reports}"
            if self.link.closed and not self.link.open():
                time.sleep(self.link.retry_after)
                continue
            writers = [self.link] if self.link.wants_write else []
            select.select([self.link], writers, [], left)
            self.hear_now()

    def hear_now(self) -> None:
        """Take in what has been said."""
        self.link.flush()
        for event in self.link.receive():
            self._hear(event)

    def ended(self, run: int, patience: float = PATIENCE) -> wire.Report:
        """Wait for the last word about a run."""
        self.hear_until(lambda: self.is_over(run), patience)
        return self.reports[run]

    def exit_code(self, run: int) -> int | None:
        """Wait for the end of a run that could be started, and say its exit code."""
        report = self.ended(run)
        assert isinstance(report, wire.Ended), report
        return report.exit_code

    def started(self, run: int) -> wire.Started:
        self.hear_until(lambda: run in self.reports)
        report = self.reports[run]
        assert isinstance(report, wire.Started), report
        return report

    def is_over(self, run: int) -> bool:
        report = self.reports.get(run)
        return report is not None and not isinstance(report, wire.Started)

    def _hear(self, event: wire.AnyEvent) -> None:
        match event:
            case wire.Standing():
                self._stand(event)
            case wire.Unknown():
                self.unknown.append(event.run)
            case wire.Complaint():
                self.complaints.append(event.message)
            case wire.Recalled():
                self.recalled.extend(event.runs)
            case _:
                old = self.reports.get(event.run)
                if old is None or isinstance(old, wire.Started):
                    self.reports[event.run] = event

    def _stand(self, standing: wire.Standing) -> None:
        self.standings += 1
        known = {report.run for report in standing.runs}
        for report in standing.runs:
            self._hear(report)
        for run, order in self.ordered.items():
            if run in known or self.is_over(run):
                continue
            if run in self.reports:
                self.missing.append(run)
            else:
                self.say(order)

    # -- killing -----------------------------------------------------------------------------

    def kill_worker(self) -> None:
        os.kill(self.link.runner_pid, signal.SIGKILL)

    def kill_keeper(self) -> None:
        os.kill(self.link.keeper_pid, signal.SIGKILL)

    def log(self) -> str:
        """What the runner wrote to its log: nothing, when all is well."""
        try:
            return Path(self.places.runner_log).read_text()
        except FileNotFoundError:
            return ""


def eventually(true: Callable[[], object], patience: float = PATIENCE) -> None:
    """Wait for something that nobody tells us of."""
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.01)


@contextlib.contextmanager
def running(disk: str = "") -> Iterator[Driver]:
    """A driver with a connection to a new runner; on leaving, nothing of either is alive.

    With `disk` (a size for tmpfs), the home is a small disk of its own; skipped where we may not
    mount one.
    """
    home = Path(tempfile.mkdtemp(prefix="hpc-", dir="/tmp"))
    if disk and not mounted(home, disk):
        home.rmdir()
        pytest.skip("a small disk cannot be mounted here")
    for name in os.environ.keys() - clean_environment().keys():
        del os.environ[name]
    os.environ["HPCSHELL_HOME"] = str(home)
    driver = Driver(home)
    try:
        driver.connect()
        yield driver
        if driver.link.closed:
            driver.connect()
        driver.say(wire.Shutdown(cancel=True, grace=0.0))
        if driver.link.launched:
            os.waitpid(driver.link.launched, 0)
    finally:
        del os.environ["HPCSHELL_HOME"]
        log = driver.log()
        left = kill_strays(home, 5.0)
        if disk:
            subprocess.run(["umount", "-l", str(home)], check=True)
        shutil.rmtree(home, ignore_errors=True)
    assert not left, left
    assert not log, log


def mounted(where: Path, size: str) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(where)]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False
