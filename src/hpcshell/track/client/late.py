"""Spool files that nobody sends any more: of runs without a network, or that were killed.

for sent in send_late(files, target, pause): ...
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from hpcshell.track.client.addresses import Target
from hpcshell.track.client.delivery import Delivery, Step
from hpcshell.track.client.spool import spool_files
from hpcshell.track.client.wire import Server

TRIES: Final = 4
"""How often in a row a server may fail before its files wait for another time."""
LONGEST_PAUSE: Final = 10.0


class Late(msgspec.Struct, frozen=True, kw_only=True):
    """A spool file. `offset`: bytes that have been taken in, of `size`, `new` of them now;
    `trouble`: why not all."""

    file: str
    size: int
    offset: int = 0
    new: int = 0
    bad: int = 0
    """Lines that were not taken."""
    state: str = "waiting"
    """`taken`, `waiting` (for the server, or for the end of a line), or `refused`."""
    trouble: str = ""


def files_in(directories: Iterable[str]) -> Iterator[str]:
    """The spool files of directories; those that do not exist have none. Raises `OSError`."""
    for directory in dict.fromkeys(os.path.abspath(each) for each in directories):
        with contextlib.suppress(FileNotFoundError):
            yield from spool_files(directory)


def size_of(path: str) -> int:
    """Bytes of a file; of one that is gone meanwhile none. Raises `OSError`."""
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0


def send_late(
    files: Iterable[str], target: Target, pause: Callable[[float], None]
) -> Iterator[Late]:
    """Send what the server does not have; once it does not answer, the rest waits."""
    server = Server(target)
    trouble = ""
    try:
        for path in files:
            if trouble:
                yield Late(file=path, size=size_of(path), trouble=trouble)
                continue
            late, away = _send(path, server, pause)
            trouble = late.trouble if away else ""
            yield late
    finally:
        server.close()


def _send(path: str, server: Server, pause: Callable[[float], None]) -> tuple[Late, bool]:
    """What came of a file, and whether the server is of no use to others either."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        return Late(file=path, size=0, trouble=str(error.strerror)), False
    try:
        delivery = Delivery(file, os.path.basename(path).removesuffix(".jsonl"), server)
        last, known = _deliver(delivery, pause)
        size = delivery.offset + delivery.waiting
        state = "refused" if last.over else "waiting" if delivery.waiting else "taken"
        late = Late(
            file=path,
            size=size,
            offset=delivery.offset,
            new=delivery.offset - known,
            bad=delivery.bad,
            state=state,
            trouble=last.trouble,
        )
        return late, last.pause is not None or last.trouble[:3] in ("401", "403")
    finally:
        os.close(file)


def _deliver(delivery: Delivery, pause: Callable[[float], None]) -> tuple[Step, int]:
    """What the last try has come to, and how far the server had it before."""
    step = delivery.ask()
    known = delivery.offset
    while step.moved or (step.pause is not None and delivery.failures < TRIES):
        if step.pause is not None:
            pause(min(step.pause, LONGEST_PAUSE))
        step = delivery.step()
    return step, known
