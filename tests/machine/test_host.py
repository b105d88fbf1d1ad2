"""What the machine has is read right, limits of cgroups included."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpcshell.machine import clock, host


def test_the_machine_is_described() -> None:
    assert 1 <= host.cpus() <= (os.cpu_count() or 1)
    assert 0 < host.memory() <= host.memory_total()
    assert 0 < host.memory_available() <= host.memory_total()
    assert host.hostname()
    assert "." not in host.hostname()
    assert host.free_space("/tmp") > 0
    assert len(clock.boot_id()) == 36
    assert host.limits()["open files"].soft


def test_affinity_counts() -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert host.cpus() == 1
    finally:
        os.sched_setaffinity(0, allowed)


@pytest.fixture
def cgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    groups.mkdir()
    (proc / "meminfo").write_text("MemTotal:  8000 kB\nMemAvailable: 4000 kB\n")
    monkeypatch.setattr(host, "_PROC", proc)
    monkeypatch.setattr(host, "_CGROUPS", groups)
    return tmp_path


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_version_2_limits_of_every_level_count(cgroups: Path) -> None:
    put(cgroups / "proc/self/cgroup", "0::/user/job\n")
    put(cgroups / "cgroup/user/memory.max", "4096000\n")
    put(cgroups / "cgroup/user/job/memory.max", "max\n")
    put(cgroups / "cgroup/user/cpu.max", "max 100000\n")
    put(cgroups / "cgroup/user/job/cpu.max", "150000 100000\n")
    assert host.memory() == 4096000
    assert host.cpu_quota() == 1.5


def test_version_1_limits_count(cgroups: Path) -> None:
    put(cgroups / "proc/self/cgroup", "4:memory:/a\n1:cpu,cpuacct:/a\n")
    put(cgroups / "cgroup/memory/a/memory.limit_in_bytes", "2048000\n")
    put(cgroups / "cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    put(cgroups / "cgroup/cpu/a/cpu.cfs_quota_us", "400000\n")
    put(cgroups / "cgroup/cpu/a/cpu.cfs_period_us", "100000\n")
    assert host.memory() == 2048000
    assert host.cpu_quota() == 4.0


def test_no_limits_is_a_normal_answer(cgroups: Path) -> None:
    assert host.memory() == 8000 * 1024
    assert host.cpu_quota() is None


def test_local_file_systems_are_local() -> None:
    assert host.network_file_system("/proc") is None
    assert host.network_file_system("/tmp/not/yet/there") is None
