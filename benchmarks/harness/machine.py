"""The machine the figures were measured on, and how busy others kept it meanwhile."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


def describe(state_directory: Path) -> dict[str, str | int | float]:
    """What a reader must know of the machine to compare figures with his own."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "virtual": "hypervisor" if _has_flag("hypervisor") else "no",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "filesystem": filesystem_of(state_directory, (PROC / "self/mounts").read_text()),
        "fdatasync_ms": round(_sync_ms(state_directory), 3),
        "load_average": os.getloadavg()[0],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def filesystem_of(path: Path, mounts: str) -> str:
    """The kind of the file system `path` lies on, given the text of `/proc/self/mounts`."""
    best, kind = "", "unknown"
    target = path.resolve()
    for line in mounts.splitlines():
        _, where, fstype, *_rest = line.split()
        if target.is_relative_to(where) and len(where) >= len(best):
            best, kind = where, fstype
    return kind


@dataclass(frozen=True)
class Busy:
    """Processor seconds of the whole machine since it started."""

    at: float
    used: float
    stolen: float

    @staticmethod
    def now() -> Busy:
        return parse_busy((PROC / "stat").read_text(), time.monotonic())


def parse_busy(text: str, at: float) -> Busy:
    """From the text of `/proc/stat`; guests' time is already within user time."""
    tick = os.sysconf("SC_CLK_TCK")
    user, nice, system, _idle, _wait, irq, soft, steal = map(int, text.split()[1:9])
    return Busy(at, (user + nice + system + irq + soft) / tick, steal / tick)


def others_share(before: Busy, after: Busy, own_cpu: float, cores: int) -> float:
    """The share of the machine (0 to 1) that others used, or the hypervisor kept, meanwhile."""
    wall = (after.at - before.at) * cores
    if wall <= 0:
        return 0.0
    spent = (after.used - before.used) - own_cpu + (after.stolen - before.stolen)
    return min(1.0, max(0.0, spent / wall))


def await_quiet(patience: float, limit: float = 0.15, window: float = 0.5) -> None:
    """Wait, `patience` seconds at most, until others use less than `limit` of the machine."""
    cores = len(os.sched_getaffinity(0))
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        before = Busy.now()
        time.sleep(window)
        if others_share(before, Busy.now(), 0.0, cores) < limit:
            return


def _cpu_model() -> str:
    for line in (PROC / "cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _has_flag(flag: str) -> bool:
    for line in (PROC / "cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return flag in line.split()
    return False


def _sync_ms(directory: Path, times: int = 40) -> float:
    """Median milliseconds to append 4 KiB and sync it: what durability costs here."""
    path = directory / ".sync-probe"
    took = []
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for _ in range(times):
            begun = time.perf_counter()
            os.write(fd, b"\0" * 4096)
            os.fdatasync(fd)
            took.append(time.perf_counter() - begun)
    finally:
        os.close(fd)
        path.unlink()
    return statistics.median(took) * 1000
