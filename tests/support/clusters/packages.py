"""Installing packages: one at a time, for the workers of a run share one machine."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_LOCK = Path(tempfile.gettempdir()) / "hpcshell-tests-apt.lock"


def there(*programs: str) -> bool:
    """Whether all of these programs are installed."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    return all(shutil.which(program, path=path) for program in programs)


@contextmanager
def installing(*programs: str) -> Iterator[None]:
    """Nobody else installs anything while this is entered; where the programs are there already it
    waits for nobody."""
    if there(*programs):
        yield
        return
    with open(_LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def need(wanted: dict[str, str]) -> None:
    """Install what is missing of these programs (name -> package) where we may; a test is skipped
    only where it cannot be had."""
    missing = [package for program, package in wanted.items() if not there(program)]
    if not missing:
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        command = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing]
        with installing(*wanted):
            subprocess.run(["apt-get", "update", "-qq"], check=False, env=environment)
            subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    elif os.environ.get("CI"):
        pytest.fail(f"not installed: {', '.join(missing)}")
    else:
        pytest.skip(f"not installed, and only root can: {', '.join(missing)}")
