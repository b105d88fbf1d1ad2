"""CUDA's Multi-Process Service: whether its control daemon runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from hpcshell.machine import processes

DEFAULT_DIRECTORY: Final = "/tmp/nvidia-mps"
_COMMAND: Final = "nvidia-cuda-mps"
"""As much of the name of its programs as the kernel keeps."""
_PID_FILE: Final = "nvidia-cuda-mps-control.pid"
_LOCK: Final = "control_lock"


def pipe_directory(environ: Mapping[str, str]) -> str:
    """The directory of a control daemon that is alive, "" where there is none.

    It is not spoken to: each connection is a client to it, and it may not answer. A living process
    of its name in its pid file, or any that holds its lock, is the sign.
    """
    directory = environ.get("CUDA_MPS_PIPE_DIRECTORY") or DEFAULT_DIRECTORY
    if not os.path.exists(f"{directory}/control"):
        return ""
    return directory if _named(directory) or _locked(f"{directory}/{_LOCK}") else ""


def _named(directory: str) -> bool:
    row = None
    try:
        with open(f"{directory}/{_PID_FILE}", encoding="ascii") as file:
            row = processes.look(int(file.read(32)))
    except (OSError, ValueError):
        return False
    return row is not None and row.state not in processes.ZOMBIE and row.comm.startswith(_COMMAND)


def _locked(path: str) -> bool:
    """Whether anybody holds a lock of this file, as /proc/locks has it: `MAJOR:MINOR:INODE`."""
    try:
        found = os.stat(path)
        with open("/proc/locks", encoding="ascii") as file:
            held = file.read().split()
    except OSError:
        return False
    device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}"
    return f"{device}:{found.st_ino}" in held
