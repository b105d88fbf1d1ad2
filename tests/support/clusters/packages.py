"""Installing packages: one at a time, for the workers of a run share one machine."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
