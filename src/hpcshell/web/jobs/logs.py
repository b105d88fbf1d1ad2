"""What jobs write, read where it lies: here, or on a cluster.

A path is always the scheduler's own record of the job. Here it is opened so that nothing but a
plain file is read, and no link that a job may have put in its place is followed.
"""

from __future__ import annotations

import os
from typing import Any, BinaryIO, Final, Protocol

from hpcshell.core.errors import NotFound, Wrong
from hpcshell.core.words import quote
from hpcshell.jobs.opened import door
from hpcshell.machine.beneath import open_beneath
from hpcshell.machine.tails import start_of_last

PIECE: Final = 1 << 18
"""Bytes that are read at once."""
LAST: Final = 1 << 24
"""Bytes of a file of this machine in which its last lines are looked for,"""
FAR_LAST: Final = 1 << 20
"""and of a file on a cluster."""

Row = dict[str, Any]


class Log(Protocol):
    """A file of a job, as it was when it was opened. For threads: everything may take its time."""

    size: int
    mark: int
    """What tells it from another file of the same name."""

    def read(self, offset: int, most: int) -> bytes:
        """A piece of it."""

    def start_of_last(self, lines: int) -> int:
        """Where its last lines begin."""

    def close(self) -> None:
        """It is not read any more."""


class Near:
    """A file of this machine."""

    def __init__(self, path: str) -> None:
        directory, name = os.path.split(path)
        try:
            descriptor = open_beneath(directory, name)
        except NotFound:
            raise NotFound(
                f"there is no file {quote(path, 200)}",
                "nothing was written, or it was moved or deleted after the job",
            ) from None
        self._file: BinaryIO = os.fdopen(descriptor, "rb", buffering=0)
        found = os.fstat(self._file.fileno())
        self.size, self.mark = found.st_size, found.st_ino

    def read(self, offset: int, most: int) -> bytes:
        return os.pread(self._file.fileno(), most, offset)

    def start_of_last(self, lines: int) -> int:
        return start_of_last(self._file, lines, LAST)

    def close(self) -> None:
        self._file.close()


class Far:
    """A file of a cluster."""

    mark = 0

    def __init__(self, path: str, cluster: str) -> None:
        self._door = door(cluster)
        self._where = {"cluster": cluster, "path": path}
        size = self._door.call("size", **self._where)["size"]
        if size is None:
            raise NotFound(f"there is no {path} on {cluster}", "it was moved or deleted")
        self.size: int = size

    def read(self, offset: int, most: int) -> bytes:
        found: bytes = self._door.call("read", **self._where, offset=offset, most=most)["bytes"]
        return found

    def start_of_last(self, lines: int) -> int:
        start = max(0, self.size - FAR_LAST)
        end = self.read(start, FAR_LAST)
        place = len(end) - end.endswith(b"\n")
        for _ in range(lines):
            place = end.rfind(b"\n", 0, max(place, 0))
            if place < 0:
                return start
        return start + place + 1 if lines else self.size

    def close(self) -> None:
        """Nothing is open."""


def row_of(id: str, on: str | None) -> Row:
    """Where the output of one job or element lies. Raises `Wrong` for an array as a whole."""
    rows: list[Row] = door(on).call("outputs", ids=[id])["outputs"]
    if len(rows) != 1:
        raise Wrong(f"job {id} has {len(rows):,} elements", f"name one of them, as in {id}_1")
    return rows[0]


def opened(row: Row, stream: str) -> Log:
    """What a job has written. Raises `NotFound` before it has begun."""
    if not row["run"]:
        raise NotFound(
            f"job {row['label']} has written nothing: it never began ({row['state']})",
            "the same address with /follow waits for it",
        )
    path, cluster = row[stream], row.get("cluster")
    return Far(path, cluster) if cluster else Near(path)
