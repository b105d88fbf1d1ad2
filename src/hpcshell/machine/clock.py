"""The only place that knows what time it is."""

from __future__ import annotations

import functools
import os
import time


def now() -> float:
    """Unix seconds. Jumps when somebody sets the clock: for people, never for limits."""
    return time.time()


def monotonic() -> float:
    """CLOCK_MONOTONIC: seconds since boot, the same in every process here, never set."""
    return time.monotonic()


@functools.cache
def boot_id() -> str:
    """Which start of this machine we live in; '' where the kernel does not say."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


@functools.cache
def ticks_per_second() -> int:
    """The unit of the start times in /proc/PID/stat."""
    return os.sysconf("SC_CLK_TCK")


def boot_ticks() -> int:
    """Now, in the unit and from the origin of the start times in /proc/PID/stat."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * ticks_per_second())
