"""What this machine has and how it is set up, read from its files directly. Sizes in bytes."""

from __future__ import annotations

import ctypes
import math
import os
import resource
import socket
from pathlib import Path
from typing import Final, NamedTuple

_PROC: Final = Path("/proc")
_CGROUPS: Final = Path("/sys/fs/cgroup")
_UNLIMITED: Final = 1 << 60
_NETWORK_FILE_SYSTEMS: Final = {
    0x6969: "NFS",
    0xFF534D42: "CIFS",
    0xFE534D42: "SMB2",
    0x517B: "SMB",
    0x0BD00BD0: "Lustre",
    0x47504653: "GPFS",
    0x00C36400: "Ceph",
    0x5346414F: "AFS",
    0x6B414653: "AFS",
    0x01021997: "9p",
    0x19830326: "BeeGFS",
    0x013111A8: "GlusterFS",
}


def hostname() -> str:
    """The node's short name."""
    return socket.gethostname().split(".", 1)[0] or "localhost"


def cpus() -> int:
    """CPUs this process may keep busy: its affinity, and the CPU quota of its cgroups. At least
    one.
    """
    allowed = len(os.sched_getaffinity(0))
    quota = cpu_quota()
    return allowed if quota is None else max(1, min(allowed, math.floor(quota)))


def cpu_quota() -> float | None:
    """CPUs' worth of time our cgroups are granted; None without a limit."""
    quotas = [
        int(words[0]) / int(words[1])
        for words in (text.split() for text in _in_cgroups("", "cpu.max"))
        if len(words) == 2 and words[0] != "max" and int(words[1])
    ]
    granted = _in_cgroups("cpu", "cpu.cfs_quota_us")
    periods = _in_cgroups("cpu", "cpu.cfs_period_us")
    for text, period in zip(granted, periods, strict=False):
        if int(text) > 0 and int(period) > 0:
            quotas.append(int(text) / int(period))
    return min(quotas, default=None)


def memory() -> int:
    """Bytes we and our children may use: what the machine has, within our cgroups' limits."""
    limits = [memory_total()]
    for text in (*_in_cgroups("", "memory.max"), *_in_cgroups("memory", "memory.limit_in_bytes")):
        if text.isdigit() and 0 < int(text) < _UNLIMITED:
            limits.append(int(text))
    return min(limits)


def memory_total() -> int:
    """Bytes of memory in the machine."""
    return _meminfo("MemTotal")


def memory_available() -> int:
    """Bytes that could be used now without swapping, as the kernel estimates it."""
    return _meminfo("MemAvailable")


def _meminfo(name: str) -> int:
    for line in _read(_PROC / "meminfo").splitlines():
        key, _, rest = line.partition(":")
        if key == name:
            return int(rest.split()[0]) * 1024
    return 0


def _in_cgroups(controller: str, name: str) -> list[str]:
    """What a file says in our cgroup and those above: version 2, or a controller of version 1."""
    for line in _read(_PROC / "self/cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if controller in controllers.split(",") if controller else number == "0":
            break
    else:
        return []
    below = [_CGROUPS / each for each in ([controller] if controller else ["unified", "."])]
    root = next((each for each in below if each.is_dir()), _CGROUPS)
    here = (root / path.lstrip("/")).resolve()
    # In a container the path may name what lies outside of it; then only the root can be seen.
    steps = [here, *here.parents] if here.is_dir() else [root]
    found = [_read(step / name).strip() for step in steps if step == root or root in step.parents]
    return [text for text in found if text]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def load_average() -> tuple[float, float, float]:
    """Runnable processes, averaged over 1, 5 and 15 minutes."""
    return os.getloadavg()


def network_file_system(path: str) -> str | None:
    """The kind of network file system this path (or its nearest existing parent) lies on; None:
    local.
    """
    while not os.path.exists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    # struct statfs begins with the type, one word long; 256 bytes hold it on every machine.
    block = ctypes.create_string_buffer(256)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.statfs(os.fsencode(path), block) != 0:
        return None
    word = ctypes.cast(block, ctypes.POINTER(ctypes.c_long)).contents.value
    return _NETWORK_FILE_SYSTEMS.get(word & 0xFFFFFFFF)


def free_space(path: str) -> int:
    """Bytes we may still write where this path lies."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def lingering(user: str) -> bool | None:
    """Whether systemd keeps this user's processes after logout; None where there is no
    systemd-logind.
    """
    if not Path("/run/systemd/system").is_dir():
        return None
    return Path("/var/lib/systemd/linger", user).exists()


class Limit(NamedTuple):
    """A soft and a hard limit; None is unlimited."""

    soft: int | None
    hard: int | None


def limits() -> dict[str, Limit]:
    """The limits that matter to a scheduler: open files, processes, file size, address space."""
    wanted = {
        "open files": resource.RLIMIT_NOFILE,
        "processes": resource.RLIMIT_NPROC,
        "file size": resource.RLIMIT_FSIZE,
        "address space": resource.RLIMIT_AS,
        "core size": resource.RLIMIT_CORE,
    }
    return {
        name: Limit(*(None if each == resource.RLIM_INFINITY else each for each in pair))
        for name, pair in ((name, resource.getrlimit(which)) for name, which in wanted.items())
    }
