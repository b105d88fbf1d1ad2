"""The few Linux calls that Python has no name for."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import resource
import signal
import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_SFD_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_FALLOC_FL_KEEP_SIZE = 1
_WAITID: Final = {
    "x86_64": 247,
    "aarch64": 95,
    "riscv64": 95,
    "loongarch64": 95,
    "ppc64le": 272,
    "s390x": 281,
}
_PIDFD_GET_INFO: Final = (3 << 30) | (64 << 16) | (0xFF << 8) | 11
_PIDFD_INFO_EXIT: Final = 1 << 3


def _check(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def become_subreaper() -> None:
    """From now on orphaned descendants become our children instead of init's. Not inherited by
    fork.
    """
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def on_parent_death(number: int) -> None:
    """Be sent a signal when the parent dies; the caller checks `os.getppid()` afterwards for the
    race.
    """
    _check(_libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0))


def signal_descriptor(signals: Iterable[int]) -> int:
    """Block these signals and read them from the descriptor returned (128 bytes each, number
    first).
    """
    wanted = list(signals)
    signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    mask = ctypes.create_string_buffer(128)
    _libc.sigemptyset(mask)
    for number in wanted:
        _libc.sigaddset(mask, int(number))
    return _check(_libc.signalfd(-1, mask, _SFD_NONBLOCK_CLOEXEC))


def signals_read(descriptor: int) -> set[int]:
    """Take every signal that waits in a descriptor of `signal_descriptor`."""
    numbers: set[int] = set()
    while True:
        try:
            block = os.read(descriptor, 128 * 32)
        except BlockingIOError:
            return numbers
        numbers.update(struct.unpack_from("=I", block, at)[0] for at in range(0, len(block), 128))
        if len(block) < 128 * 32:
            return numbers


class Exit(NamedTuple):
    """How a child ended: `status` as wait(2) encodes it, seconds, bytes."""

    pid: int
    status: int
    cpu_user: float = 0.0
    cpu_system: float = 0.0
    max_rss: int = 0


def own_peak() -> int:
    """Our largest resident set so far, bytes. The kernel counts that of a child from before its
    `exec`, when it still had our memory: no child is told to have had less.
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


_siginfo = ctypes.create_string_buffer(128)
_rusage = ctypes.create_string_buffer(144)
_peek_flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
_waitid_number = _WAITID.get(platform.machine()) if struct.calcsize("P") == 8 else None
_clear_pid = struct.Struct("=i").pack_into
_read_siginfo = struct.Struct("=8xi4xiIi").unpack_from
_read_rusage = struct.Struct("=5q").unpack_from


def peek_child(pid: int = 0) -> Exit | None:
    """A child that has ended (any, or this one), left as a zombie; None when there is none.

    Leaving it lets the caller write down how it ended before the kernel forgets.
    """
    kind = os.P_PID if pid else os.P_ALL
    if _waitid_number is None:
        return _peek_plainly(kind, pid)
    _clear_pid(_siginfo, 16, 0)
    if _libc.syscall(_waitid_number, kind, pid, _siginfo, _peek_flags, _rusage) < 0:
        if ctypes.get_errno() in (errno.ECHILD, errno.EINTR):
            return None
        _check(-1)
    code, found, _uid, value = _read_siginfo(_siginfo)
    if found == 0:
        return None
    user, user_micro, system, system_micro, rss = _read_rusage(_rusage)
    status = _status(code, value)
    return Exit(found, status, user + user_micro / 1e6, system + system_micro / 1e6, rss * 1024)


def _peek_plainly(kind: int, pid: int) -> Exit | None:
    try:
        found = os.waitid(kind, pid, _peek_flags)
    except ChildProcessError:
        return None
    return found and Exit(found.si_pid, _status(found.si_code, found.si_status))


def _status(code: int, value: int) -> int:
    if code == os.CLD_EXITED:
        return value << 8
    return value | (0x80 if code == os.CLD_DUMPED else 0)


def exit_status_of(pidfd: int) -> int | None:
    """The wait status of a process that ended and was reaped by anybody; None before, or where the
    kernel (below 6.15) does not keep it.
    """
    block = bytearray(64)
    struct.pack_into("=Q", block, 0, _PIDFD_INFO_EXIT)
    try:
        fcntl.ioctl(pidfd, _PIDFD_GET_INFO, block)
    except OSError:
        return None
    if not struct.unpack_from("=Q", block, 0)[0] & _PIDFD_INFO_EXIT:
        return None
    return int(struct.unpack_from("=i", block, 60)[0])


def reserve(descriptor: int, offset: int, length: int) -> None:
    """Have the file system set this room aside without making the file longer; OSError(ENOSPC) if
    it cannot.

    File systems that know no such thing are left alone.
    """
    result = _libc.fallocate(
        descriptor, _FALLOC_FL_KEEP_SIZE, ctypes.c_longlong(offset), ctypes.c_longlong(length)
    )
    if result < 0 and ctypes.get_errno() not in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
        _check(-1)
