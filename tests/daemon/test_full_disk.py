"""P6: a full disk refuses new work loudly and harms nothing old."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcshell.client.client import Client
from hpcshell.core.errors import NotYet
from hpcshell.machine.paths import places
from tests.support.benches import Bench, Clock, submission
from tests.support.daemons import Daemon


@pytest.fixture
def bench(tmp_path: Path, clock: Clock) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def full(when: str, _count: int, _kind: str) -> None:
    """No write succeeds."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    raise error


def test_a_submit_is_refused_with_what_to_do_and_changes_nothing(bench: Bench) -> None:
    old = bench.submit("true", hold=True)
    bench.on_write = full
    with pytest.raises(NotYet) as caught:
        bench.submit("true")
    assert caught.value.exit_code == 75
    assert "full" in caught.value.message
    assert "df -h" in str(caught.value.hint)
    assert bench.state(old) == "PENDING"
    assert bench.ask("queue")["total"] == 1


def test_while_it_is_full_whoever_only_looks_is_answered(bench: Bench, clock: Clock) -> None:
    running, waiting = bench.submit("true"), bench.submit("true", request={"cpus": 4})
    bench.on_write = full
    bench.runner.end(bench.run_of(running), 7)
    bench.settle()
    assert bench.state(waiting) == "PENDING"
    assert bench.state(running) == "RUNNING", "what is not recorded is not told"
    assert "full" in bench.ask("hello")["trouble"]
    assert bench.runner.reports, "nor acknowledged"


@pytest.mark.parametrize("leap", [-3600.0, 3600.0])
def test_a_clock_that_is_set_meanwhile_is_minded_once_there_is_room(
    bench: Bench, clock: Clock, leap: float
) -> None:
    job = bench.submit("true")
    started = bench.show(job)["start_time"]
    bench.on_write = full
    clock.set_wall(leap)
    bench.settle()
    assert "full" in bench.ask("hello")["trouble"]
    assert bench.show(job)["start_time"] == started
    bench.on_write = None
    clock.pass_time(60.0)
    bench.settle()
    assert bench.show(job)["start_time"] == pytest.approx(started + leap)


def test_the_true_end_is_recorded_once_there_is_room(bench: Bench, clock: Clock) -> None:
    job = bench.submit("true")
    number = bench.send("wait", ids=[job])
    bench.on_write = full
    bench.runner.end(bench.run_of(job), 7)
    for _ in range(3):
        bench.settle()
        clock.pass_time(1.5)
    bench.on_write = None
    bench.settle()
    bench.tick()
    assert bench.answer(number)["done"][0]["exit_code"] == 7
    assert bench.show(job)["exit_code"] == 7
    assert bench.ask("hello")["trouble"] is None
    assert not bench.runner.reports


def test_the_end_is_recorded_too_when_the_daemon_dies_meanwhile(bench: Bench) -> None:
    job = bench.submit("true")
    bench.on_write = full
    bench.runner.end(bench.run_of(job), 7)
    bench.settle()
    bench.on_write = None
    bench.crash()
    bench.settle()
    assert bench.show(job)["exit_code"] == 7


def test_what_waits_starts_once_there_is_room(bench: Bench, clock: Clock) -> None:
    first = bench.submit("true", request={"cpus": 4})
    second = bench.submit("true")
    bench.on_write = full
    bench.runner.end(bench.run_of(first))
    bench.settle()
    bench.on_write = None
    clock.pass_time(1.5)
    bench.settle()
    assert bench.state(second) == "RUNNING"
    assert max(bench.runner.begun.values()) == 1


def test_a_stop_that_cannot_cancel_is_refused_and_the_daemon_goes_on(
    bench: Bench, clock: Clock
) -> None:
    bench.submit("true", hold=True)
    bench.on_write = full
    with pytest.raises(NotYet):
        bench.ask("stop", cancel=True)
    bench.on_write = None
    clock.pass_time(1.5)
    bench.settle()
    assert bench.state(bench.submit("true")) == "RUNNING"


def test_a_stop_that_writes_nothing_is_obeyed(bench: Bench) -> None:
    job = bench.submit("true")
    bench.on_write = full
    bench.runner.end(bench.run_of(job))
    bench.settle()
    assert bench.ask("stop")["stopping"]


def test_whoever_was_refused_is_not_answered_a_second_time(bench: Bench, clock: Clock) -> None:
    job = bench.submit("true")
    bench.on_write = full
    bench.send("wait", ids=[job])
    bench.send("submit", submissions=[submission("true")])
    bench.tick()
    bench.on_write = None
    clock.pass_time(1.5)
    bench.settle()
    bench.finish(job)
    answers = [said["id"] for said in bench.heard()]
    assert len(answers) == len(set(answers))


def test_a_script_that_cannot_be_kept_is_refused_like_the_rest(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_room)
    script = {"script": "IyEvYmluL3NoCg=="}  # base64, as bytes travel in JSON
    with pytest.raises(NotYet) as caught:
        bench.ask("submit", submissions=[submission("go"), submission("go", **script)])
    assert "No space left" in caught.value.message
    monkeypatch.undo()
    assert bench.ask("queue")["total"] == 0
    assert not list(Path(bench.places.scripts).iterdir()), "nothing half is left lying"
    assert not bench.complaints()


def test_a_script_whose_copy_was_lost_is_put_back(bench: Bench) -> None:
    script = {"script": "IyEvYmluL3NoCg=="}
    bench.ask("submit", submissions=[submission("go", hold=True, **script)])
    [copy] = Path(bench.places.scripts).iterdir()
    content = copy.read_bytes()
    copy.write_bytes(b"")
    bench.ask("submit", submissions=[submission("go", hold=True, **script)])
    assert copy.read_bytes() == content == b"#!/bin/sh\n"


# -- a real one --------------------------------------------------------------------------------


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("cannot mount a file system")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room at all."""
    blob = disk / "blob"
    with open(blob, "wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size):
                    pass
    return blob


def submit_for_ever(client: Client, submission: dict[str, object]) -> None:
    while client.call("submit", submissions=[submission]):
        pass


def test_a_real_disk_fills_up_under_a_daemon_at_work(home: Path, tiny_disk: Path) -> None:
    state = Path(places(os.environ).state)
    state.parent.mkdir(exist_ok=True)
    state.symlink_to(tiny_disk)
    tiny_disk.chmod(0o700)
    daemon = Daemon(home, {"HPC_RESOURCES__CPUS": "2"})
    daemon.start()
    assert daemon.told == "ok"
    client = daemon.client()
    go = home / "go"
    os.mkfifo(go)
    common = {"cwd": str(home), "env": {}, "stdout": "/dev/null"}
    waits = {**common, "argv": ["sh", "-c", f"read line < {go}; exit 7"]}
    [job] = client.call("submit", submissions=[waits])["jobs"]
    while client.call("show", ids=[job["id"]])["jobs"][0]["pid"] is None:
        pass
    blob = fill(tiny_disk)
    with pytest.raises(NotYet):  # what the log has room for is accepted
        submit_for_ever(client, {**common, "argv": ["true"], "hold": True})
    accepted = client.call("queue", limit=10_000)["total"]
    go.write_text("go\n")
    assert client.call("wait", ids=[job["id"]], timeout=1.0)["timed_out"], "it cannot be recorded"
    blob.unlink()
    [end] = client.call("wait", ids=[job["id"]], timeout=30.0)["done"]
    assert end["exit_code"] == 7
    assert client.call("queue", limit=10_000)["total"] == accepted - 1
    [more] = client.call("submit", submissions=[{**common, "argv": ["true"]}])["jobs"]
    assert client.call("wait", ids=[more["id"]])["done"][0]["state"] == "COMPLETED"
    client.call("stop", cancel=True)
    assert daemon.ended() == 0
