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
_POLICY = Path("/usr/sbin/policy-rc.d")


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
    with _one_at_a_time():
        yield


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    with open(_LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def need(wanted: dict[str, str]) -> None:
    """Install what is missing of these programs (name -> package) where we may; a test is skipped
    only where it cannot be had."""
    missing = [package for program, package in wanted.items() if not there(program)]
    if not missing and not _halfway(*wanted.values()):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        with _one_at_a_time(), _no_service_started():
            _apt_get("update", check=False)
            _apt_get("install", "-y", "--no-install-recommends", *(missing or wanted.values()))
    elif os.environ.get("CI"):
        pytest.fail(f"not installed: {', '.join(missing)}")
    else:
        pytest.skip(f"not installed, and only root can: {', '.join(missing)}")


def _halfway(*packages: str) -> bool:
    """Whether some of these are being installed at the moment: their programs may be there already,
    and not run yet."""
    if not shutil.which("dpkg-query"):
        return False
    command = ["dpkg-query", "-W", "-f", "${db:Status-Status}\n", *packages]
    states = subprocess.run(command, capture_output=True, text=True).stdout.split()
    return bool({"half-installed", "unpacked", "half-configured"} & set(states))


@contextmanager
def _no_service_started() -> Iterator[None]:
    """Debian starts a service when it installs it: not here, where each test starts its own."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


def _apt_get(*words: str, check: bool = True) -> None:
    subprocess.run(
        ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", *words],
        check=check,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
