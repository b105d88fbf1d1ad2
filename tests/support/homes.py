"""A private HPCSHELL_HOME for a test, and the proof that nothing is left alive when it ends.

A process belongs to a home when its environment carries ``HPCSHELL_HOME=<home>`` or its command
line names the home: the daemon, the runner, its keeper, and every process of every job (also those
that double-forked away).
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HPC = str(Path(sys.executable).with_name("hpc"))
"""The installed command of the environment the tests run in."""

GRACE = 5.0
"""Seconds that processes get to be gone after `hpc daemon stop` has answered."""

_INHERITED = ("HPC_", "HPCSHELL_", "SLURM_", "PBS_", "LSB_", "SGE_")


def clean_environment() -> dict[str, str]:
    """This process's environment without what an outer job or a user's settings would leak in."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_INHERITED)}


@contextlib.contextmanager
def fresh_home() -> Iterator[Path]:
    """A new, short home directory; on leaving, its daemon is stopped and nothing of it is alive.

    Anything still alive then is killed, and the test fails with the list of what it was.
    """
    home = Path(tempfile.mkdtemp(prefix="hpc-", dir="/tmp"))  # short: a socket path has 108 bytes
    try:
        yield home
    finally:
        answer = stop_daemon(home)
        left = kill_strays(home)
        shutil.rmtree(home, ignore_errors=True)
        assert not left, "alive after `hpc daemon stop --cancel`:\n  " + "\n  ".join(
            [*left, f"(the stop said: {answer})"]
        )


def stop_daemon(home: Path, timeout: float = 60) -> str:
    """Stop the daemon of `home` and its jobs, if it ever had one; what the command said."""
    if not (home / "state" / "hpcd.lock").exists():
        return "no daemon was ever started"
    try:
        done = subprocess.run(
            [HPC, "daemon", "stop", "--cancel"],
            env=clean_environment() | {"HPCSHELL_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        return f"nothing within {timeout:g} s"
    return f"exit code {done.returncode}: {(done.stdout + done.stderr).strip()}"


def processes_of(home: Path) -> dict[int, str]:
    """Process id -> command line, of every living process that belongs to `home`."""
    setting = b"HPCSHELL_HOME=" + os.fsencode(home)
    found: dict[int, str] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            command = Path("/proc", entry, "cmdline").read_bytes()
            environment = Path("/proc", entry, "environ").read_bytes()
        except OSError:  # gone since, or another user's
            continue
        if setting in environment.split(b"\0") or os.fsencode(home) in command:
            found[int(entry)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def kill_strays(home: Path, grace: float = GRACE) -> list[str]:
    """Kill what is alive of `home` once `grace` seconds have passed; name each one killed."""
    deadline = time.monotonic() + grace
    while (alive := processes_of(home)) and (left := deadline - time.monotonic()) > 0:
        wait_for_exit(min(alive), left)
    killed: dict[int, str] = {}
    for _ in range(20):  # again: a process may have forked, or been between fork and exec
        alive = processes_of(home)
        for pid, command in alive.items():
            killed[pid] = f"{pid} {command}"
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in alive:
            wait_for_exit(pid, 1.0)
        if not alive:
            break
    return list(killed.values())


def wait_for_exit(pid: int, timeout: float) -> bool:
    """Whether the process (anybody's child) ended within `timeout` seconds."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], timeout)[0])
    finally:
        os.close(descriptor)
