"""All the CPU time of one contender: its own, its children's, and its daemons'.

A daemon is nobody's child, so `wait4` does not see it. Three ways, best first:

* a control group of its own (version 2 `cpu.stat`, or version 1 `cpuacct.usage`): the kernel counts
  everything that was ever started below it, to the nanosecond;
* the process table: every process that descends from the contender or carries its mark in the
  environment, its own time and that of the children it has reaped. To the clock tick (10 ms), and
  blind to a process that was reaped by `init`.

Whichever is used is named in the results.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

MARK = "HPCBENCH_TURN"
TICK = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


class Meter(Protocol):
    """Counts the CPU seconds of a contender and knows its processes."""

    word: str

    def admit(self, pid: int) -> None:
        """Count this process and all that it will start."""

    def cpu_seconds(self) -> float:
        """CPU seconds used so far by everything admitted."""

    def pids(self) -> list[int]:
        """The processes alive now."""

    def close(self) -> None:
        """Give back what the meter holds; no process may be left."""


class ControlGroup:
    """A control group made for one contender."""

    def __init__(self, parent: Path, version: int, name: str) -> None:
        self.word = f"cgroup v{version} " + ("cpu.stat" if version == 2 else "cpuacct.usage")
        self.version = version
        self.path = parent / f"hpcbench-{name}"
        self.path.mkdir()

    def admit(self, pid: int) -> None:
        (self.path / "cgroup.procs").write_text(str(pid))

    def cpu_seconds(self) -> float:
        if self.version == 1:
            return int((self.path / "cpuacct.usage").read_text()) / 1e9
        return parse_cpu_stat((self.path / "cpu.stat").read_text())

    def pids(self) -> list[int]:
        found: list[int] = []
        for procs in self.path.rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                found += [int(word) for word in procs.read_text().split()]
        return found

    def close(self) -> None:
        inner = [path for path in self.path.rglob("*") if path.is_dir()]
        for path in [*sorted(inner, key=lambda p: -len(p.parts)), self.path]:
            _rmdir_patiently(path)


class ProcessTable:
    """The contender's processes, found by descent and by the mark in their environment."""

    word = "/proc/PID/stat (utime + stime + reaped children)"

    def __init__(self, name: str) -> None:
        self.mark = f"{MARK}={name}".encode()
        self.root: int | None = None

    def admit(self, pid: int) -> None:
        self.root = pid

    def cpu_seconds(self) -> float:
        parents = dict(_parents())
        return sum(_spent(pid) for pid in self._members(parents))

    def pids(self) -> list[int]:
        parents = dict(_parents())
        return [pid for pid in self._members(parents) if not _is_zombie(pid)]

    def close(self) -> None:
        return None

    def _members(self, parents: dict[int, int]) -> list[int]:
        marked = {pid for pid in parents if pid == self.root or self._carries_mark(pid)}
        return [pid for pid in parents if descends(pid, marked, parents)]

    def _carries_mark(self, pid: int) -> bool:
        try:
            return self.mark in (PROC / str(pid) / "environ").read_bytes().split(b"\0")
        except OSError:
            return False


def new_meter(name: str) -> Meter:
    """The best meter this machine allows, for a contender of this (unique) name."""
    for parent, version in _group_parents():
        with contextlib.suppress(OSError):
            return ControlGroup(parent, version, name)
    return ProcessTable(name)


def end_all(meter: Meter, patience: float = 5.0) -> int:
    """Kill whatever of the contender is still alive; how many processes there were."""
    ended: set[int] = set()
    deadline = time.monotonic() + patience
    while (alive := meter.pids()) and time.monotonic() < deadline:
        for pid in alive:
            ended.add(pid)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    return len(ended)


def parse_cpu_stat(text: str) -> float:
    """Seconds, from the text of a version 2 `cpu.stat`."""
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == "usage_usec":
            return int(value) / 1e6
    raise ValueError("cpu.stat has no usage_usec")


def parse_stat(text: str) -> tuple[int, int, float]:
    """(parent, state as ord, CPU seconds with reaped children) from `/proc/PID/stat`.

    The name, in brackets, may hold blanks and brackets: the fields are counted from the last one.
    """
    fields = text.rpartition(")")[2].split()
    ticks = sum(int(field) for field in fields[11:15])
    return int(fields[1]), ord(fields[0]), ticks / TICK


def descends(pid: int, roots: set[int], parents: dict[int, int]) -> bool:
    """Whether `pid` is one of `roots` or has one of them above it."""
    seen: set[int] = set()
    while pid in parents and pid not in seen:
        if pid in roots:
            return True
        seen.add(pid)
        pid = parents[pid]
    return False


def process_seconds(pid: int) -> float:
    """CPU seconds of one process, without its children: to the nanosecond where the kernel says."""
    try:
        threads = list((PROC / str(pid) / "task").iterdir())
        return sum(int((t / "schedstat").read_text().split()[0]) for t in threads) / 1e9
    except OSError:
        return _spent(pid)


def counted_with_us(pid: int) -> bool:
    """Whether a process is still below this one in every hierarchy that counts time."""
    own, its = _groups("self"), _groups(str(pid))
    return all(
        its.get(controllers, "").startswith(path)
        for controllers, path in own.items()
        if controllers == "" or "cpuacct" in controllers
    )


def _groups(pid: str) -> dict[str, str]:
    """The control group of a process in each hierarchy, by its controllers."""
    lines = (PROC / pid / "cgroup").read_text().splitlines()
    return {controllers: path for _, controllers, path in (line.split(":", 2) for line in lines)}


def _group_parents() -> Iterator[tuple[Path, int]]:
    """Directories under which a control group may be made: our own place in each hierarchy."""
    own = _groups("self")
    mounts = (PROC / "self/mounts").read_text().splitlines()
    for line in mounts:
        _, where, kind, *_rest = line.split()
        if kind == "cgroup2" and "" in own:
            yield Path(where + own[""]), 2
    for line in mounts:
        _, where, kind, options, *_rest = line.split()
        for controllers, path in own.items():
            if kind == "cgroup" and "cpuacct" in options.split(",") and "cpuacct" in controllers:
                yield Path(where + path), 1


def _parents() -> Iterator[tuple[int, int]]:
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(entry.name), parse_stat((entry / "stat").read_text())[0]


def _spent(pid: int) -> float:
    try:
        return parse_stat((PROC / str(pid) / "stat").read_text())[2]
    except OSError:
        return 0.0


def _is_zombie(pid: int) -> bool:
    try:
        return chr(parse_stat((PROC / str(pid) / "stat").read_text())[1]) in "ZX"
    except OSError:
        return True


def _rmdir_patiently(path: Path, patience: float = 2.0) -> None:
    """The kernel refuses for a moment after the last process of a group has gone."""
    deadline = time.monotonic() + patience
    while True:
        try:
            path.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                return
            time.sleep(0.02)
