"""What jobs on clusters have written: read through the way to the cluster, as it grows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from hpcshell.cli import describe
from hpcshell.core.errors import NotFound
from hpcshell.core.words import safe

if TYPE_CHECKING:
    from hpcshell.jobs.doors import Door

_CHUNK: Final = 1 << 20
SHORTEST: Final = 0.5
LONGEST: Final = 5.0

Sink = Callable[[bytes], None]
Row = dict[str, Any]


class FarTail:
    """One growing file there. It may not exist yet."""

    def __init__(
        self, door: Door, row: Row, path: str, sink: Sink, lines: int | None = None
    ) -> None:
        self._door = door
        self._cluster = row["cluster"]
        self.path = path
        self._sink = sink
        self._lines = lines
        self._at = 0
        self.there = False

    def pump(self) -> bool:
        """Pass on what is new; whether there was anything."""
        moved = False
        for chunk in self._chunks():
            self._sink(chunk)
            moved = True
        return moved

    def _chunks(self) -> Iterator[bytes]:
        size = self._door.call("size", cluster=self._cluster, path=self.path)["size"]
        if size is None:
            return
        self.there = True
        if self._lines is not None:
            self._at, self._lines = self._start_of_last(size, self._lines), None
        self._at = 0 if size < self._at else self._at
        while self._at < size:
            chunk = self._read(self._at, min(_CHUNK, size - self._at))
            if not chunk:
                return
            self._at += len(chunk)
            yield chunk

    def _read(self, offset: int, most: int) -> bytes:
        where = {"cluster": self._cluster, "path": self.path}
        found: bytes = self._door.call("read", offset=offset, most=most, **where)["bytes"]
        return found

    def _start_of_last(self, size: int, lines: int) -> int:
        """Where the last `lines` lines begin, read from the end."""
        at, seen, end = size, 0, b""
        while at > 0 and lines:
            begin = max(0, at - _CHUNK)
            chunk = self._read(begin, at - begin)
            if not end and chunk.endswith(b"\n"):
                seen = -1
            end = chunk
            place = len(chunk)
            while (place := chunk.rfind(b"\n", 0, place)) >= 0:
                seen += 1
                if seen == lines:
                    return begin + place + 1
            at = begin
        return size if not lines else 0


def follow(
    door: Door,
    ids: list[str],
    tails: Callable[[Row], list[FarTail]],
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Pass on what the jobs write until all of them have ended."""
    known: dict[str, list[FarTail]] = {}
    over: set[str] = set()
    wait = SHORTEST
    while True:
        rows = door.call("outputs", ids=ids)["outputs"]
        moved = False
        for row in rows:
            label = row["label"]
            if label in over or not row["run"]:
                continue
            if label not in known:
                known[label] = tails(row)
            for tail in known[label]:
                moved = tail.pump() or moved
            if _over(row):
                over.add(label)
        if all(_over(row) for row in rows):
            return
        wait = SHORTEST if moved else min(wait * 1.5, LONGEST)
        pause(wait)


def _over(row: Row) -> bool:
    return row["state"] not in describe.LIVE and row["state"] != "UNKNOWN"


def copy(door: Door, row: Row, path: str, sink: Sink, lines: int | None) -> None:
    """All of a file there, or its last lines. Raises `NotFound` where there is none."""
    tail = FarTail(door, row, path, sink, lines)
    tail.pump()
    if not tail.there:
        raise NotFound(
            f"there is no file {safe(path)} on {safe(row['cluster'])}",
            "it has written nothing (yet), or it was moved or deleted after the job",
        )
