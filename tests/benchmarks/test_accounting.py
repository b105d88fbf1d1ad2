"""Processor time is counted whole, daemons included."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.accounting import (
    MARK,
    ControlGroup,
    Meter,
    ProcessTable,
    descends,
    end_all,
    new_meter,
    parse_cpu_stat,
    parse_stat,
)
from harness.machine import Busy, filesystem_of, others_share, parse_busy

# Burns in a grandchild that has left its parent behind, as a daemon does, says so, and lives on.
BURN = (
    "import time\nwhile time.process_time() < 0.3: pass\nprint('burnt', flush=True)\ntime.sleep(60)"
)
DAEMON = f"import os, sys\nif os.fork(): sys.exit()\nos.setsid()\nif os.fork(): os._exit(0)\n{BURN}"


def test_a_name_with_blanks_and_brackets_does_not_shift_the_fields() -> None:
    tick = os.sysconf("SC_CLK_TCK")
    text = "42 (a) b (c) S 7 " + "0 " * 9 + f"{tick} {tick} {2 * tick} 0 20 0 1"
    assert parse_stat(text) == (7, ord("S"), 4.0)


def test_cpu_stat_is_read_in_microseconds() -> None:
    assert parse_cpu_stat("usage_usec 2500000\nuser_usec 1\n") == 2.5
    with pytest.raises(ValueError):
        parse_cpu_stat("nr_periods 0\n")


def test_descent_is_found_through_any_number_of_parents() -> None:
    parents = {2: 1, 3: 2, 4: 3, 9: 1}
    assert descends(4, {2}, parents)
    assert descends(2, {2}, parents)
    assert not descends(9, {2}, parents)
    assert not descends(6, {7}, {6: 5, 5: 6})  # pid reuse may tie a knot while we read


@pytest.fixture(params=["best", "process table"])
def meter(request: pytest.FixtureRequest) -> Iterator[Meter]:
    name = f"test-{uuid.uuid4().hex[:8]}"
    made: Meter = new_meter(name) if request.param == "best" else ProcessTable(name)
    os.environ[MARK] = name
    yield made
    del os.environ[MARK]
    end_all(made)
    made.close()


def test_a_daemon_is_counted_and_ended_though_nobody_is_its_parent(meter: Meter) -> None:
    gate = "import sys; sys.stdin.readline()\n"
    child = subprocess.Popen(
        [sys.executable, "-c", gate + DAEMON], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    meter.admit(child.pid)
    child.stdin.write(b"\n")
    child.stdin.close()
    assert child.stdout.readline() == b"burnt\n"
    child.wait()
    assert 0.25 < meter.cpu_seconds() < 3.0
    alive = meter.pids()
    assert alive
    assert child.pid not in alive
    assert end_all(meter) == len(alive)
    assert meter.pids() == []
    child.stdout.close()


def test_a_control_group_is_gone_when_closed() -> None:
    made = new_meter(f"test-{uuid.uuid4().hex[:8]}")
    if not isinstance(made, ControlGroup):
        pytest.skip("no control group may be made here")
    assert made.path.is_dir()
    made.close()
    assert not made.path.exists()


def test_the_filesystem_is_that_of_the_nearest_mount() -> None:
    mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\nsrv /tmp/far nfs4 rw 0 0\n"
    assert filesystem_of(Path("/tmp/near"), mounts) == "tmpfs"
    assert filesystem_of(Path("/tmp/far/x"), mounts) == "nfs4"
    assert filesystem_of(Path("/tmpfile"), mounts) == "ext4"


def test_what_others_used_is_what_the_contender_did_not() -> None:
    tick = os.sysconf("SC_CLK_TCK")
    before = parse_busy("cpu 0 0 0 0 0 0 0 0 0 0\n", 10.0)
    after = parse_busy(f"cpu {tick} 0 {tick} 5 5 0 0 0 0 0\n", 12.0)
    assert others_share(before, after, 1.0, cores=2) == pytest.approx(0.25)
    assert others_share(before, after, 9.0, cores=2) == 0.0
    assert others_share(Busy(1, 0, 0), Busy(1, 0, 0), 0.0, cores=2) == 0.0
