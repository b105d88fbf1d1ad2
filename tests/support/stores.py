"""New stores of the tracker in SQLite at the cost of a copy: the migrations run once a process."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from sqlalchemy import URL

from hpcshell.track.store.opening import open_store


def new_database(path: str | Path) -> URL:
    """The URL of a new database at `path`, empty but for its tables.

    All of them have the same keys: a test of what tells two databases apart has one made anew.
    """
    path = Path(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(_tables())
    return URL.create("sqlite", database=str(path))


@functools.cache
def _tables() -> bytes:
    with tempfile.TemporaryDirectory(prefix="hpc-tables-") as directory:
        path = Path(directory, "track.db")
        open_store(URL.create("sqlite", database=str(path))).close()
        return path.read_bytes()
