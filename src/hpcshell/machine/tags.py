"""Numbers that processes carry and hand down, by which it is known whose they are.

A number is kept in the soft limit of file locks, which Linux keeps and has ignored since 2.4
(setrlimit(2)). It survives `exec`, an emptied environment, new sessions and the death of every
parent, and can be read of a zombie, and of a process that hangs in the kernel. Its upper half says
whose runs are counted, its lower half which of them it is: two runners on one machine never mean
the same number.
"""

from __future__ import annotations

import contextlib
import os
import resource
import struct
import zlib
from typing import Final

_FILE_LOCKS: Final = 10
"""RLIMIT_LOCKS, for which Python has no name."""

RUN_BITS: Final = 31
NO_TAG: Final = 0
"""What a process without a number is said to carry; akin to none."""


def family(device: int, inode: int) -> int:
    """Whose numbers: 32 bits, never alike for two directories of one file system whose inodes have
    32 bits (a CRC finds every difference within as many neighbouring bits).
    """
    return zlib.crc32(struct.pack("=QQ", device, inode)) or 1


def home_family(state: str) -> int:
    """The family of the numbers that the runs of this state directory carry."""
    found = os.stat(state)
    return family(found.st_dev, found.st_ino)


def home_word(state: str) -> str:
    """The state directory as one word, the same as long as it lives: HPC_RUNNER_ID in the
    environment of its runs."""
    found = os.stat(state)
    return f"{found.st_dev:x}.{found.st_ino:x}"


def number(of: int, run: int) -> int:
    """The number of a run, unique among the 2^31 of one family that are nearest to it."""
    return of << RUN_BITS | run & (1 << RUN_BITS) - 1


def run_of(tag: int) -> int:
    """Which run a number is of, of the 2^31 first ones."""
    return tag & (1 << RUN_BITS) - 1


def akin(one: int, other: int) -> bool:
    """Whether two numbers are of one family."""
    return one >> RUN_BITS == other >> RUN_BITS != 0


def carry(tag: int) -> bool:
    """Have this process and all it makes from now on carry a number; False where a hard limit
    forbids it.
    """
    try:
        resource.setrlimit(_FILE_LOCKS, (tag, resource.RLIM_INFINITY))
    except (ValueError, OSError):
        return False
    return True


def drop() -> None:
    """Carry none any more."""
    with contextlib.suppress(ValueError, OSError):
        hard = resource.getrlimit(_FILE_LOCKS)[1]
        resource.setrlimit(_FILE_LOCKS, (hard, hard))


def can_carry(tag: int) -> bool:
    """Whether this process could carry a number; it carries what it did."""
    before = resource.getrlimit(_FILE_LOCKS)
    able = carry(tag)
    if able:
        resource.setrlimit(_FILE_LOCKS, before)
    return able


def carried_by(pid: int) -> int:
    """The number this process or zombie carries, or `NO_TAG`."""
    try:
        descriptor = os.open(f"/proc/{pid}/limits", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return NO_TAG
    try:
        text = os.read(descriptor, 4096)
    except OSError:
        return NO_TAG
    finally:
        os.close(descriptor)
    _, _, line = text.partition(b"Max file locks")
    soft = line.split(None, 1)[0] if line else b""
    return int(soft) if soft.isdigit() else NO_TAG
