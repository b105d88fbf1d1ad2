"""`hpc logs`: what jobs have written."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from hpcshell.cli import describe, exits
from hpcshell.cli.follow import Following, Row, Tail
from hpcshell.cli.reach import door, ids_argument, selectors
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.client.client import Client
from hpcshell.core.errors import NotFound, NotYet
from hpcshell.core.words import safe
from hpcshell.machine.tails import start_of_last

if TYPE_CHECKING:
    from hpcshell.jobs.doors import Door

Copy = Callable[[Row, str, Callable[[bytes], None], int | None], None]
"""Passes on a file of an element, or the last lines of it."""


@verb(
    "logs",
    "hpc logs 12",
    "hpc logs -f @",
    "hpc logs --lines 20 7_3",
    "hpc logs --path 12",
    on=True,
)
@ids_argument()
@click.option("-f", "--follow", is_flag=True, help="Go on until it has ended, as it is written.")
@click.option("-n", "--lines", type=click.IntRange(0), help="Only the last so many lines.")
@click.option("--out", "which", flag_value="stdout", help="Only the standard output.")
@click.option("--err", "which", flag_value="stderr", help="Only the error output.")
@click.option("--path", is_flag=True, help="Print where the files lie instead.")
def command(talk: Talk, ids: tuple[str, ...], **chosen: Any) -> int:
    """Print what jobs have written.

    Without an ID, your last job. Of an array all elements that have begun are printed, each under
    a heading. Error output that has a file of its own goes to stderr. With --follow it begins
    before the job does, and goes on over retries.
    """
    named = selectors(ids, "@")
    if not named:
        return 0
    source = door()
    streams = (chosen["which"],) if chosen["which"] else ("stdout", "stderr")
    if chosen["follow"] and not (talk.json or chosen["path"]):
        if isinstance(source, Client):
            return _follow(Following(source, named, lambda row: []), streams, chosen["lines"])
        return _follow_far(source, named, streams, chosen["lines"])
    rows = source.call("outputs", ids=named)["outputs"]
    if talk.json:
        talk.document({"schema": SCHEMA, "outputs": rows})
    elif chosen["path"]:
        talk.data(*(safe(path) for row in rows for _, path in _files(row, streams)))
    else:
        _print(rows, streams, chosen["lines"], _copier(source))
    return 0


def _copier(source: Door) -> Copy:
    """How a file of what is behind this door is read."""
    if isinstance(source, Client):
        return _copy
    from hpcshell.cli import far

    return partial(far.copy, source)


def _follow_far(source: Door, ids: list[str], streams: tuple[str, ...], lines: int | None) -> int:
    from hpcshell.cli import far

    headed = Headed(streams, True)

    def tails(row: Row) -> list[far.FarTail]:
        headed.several = row["element"] is not None or len(ids) > 1
        return [
            far.FarTail(source, row, path, headed.sink(row["label"], stream), lines)
            for stream, path in _files(row, streams)
        ]

    far.follow(source, ids, tails)
    return exits.OK


def _files(row: Row, streams: tuple[str, ...]) -> list[tuple[str, str]]:
    """Stream and path of each file; joined streams are one."""
    paths: dict[str, str] = {}
    for stream in streams:
        paths.setdefault(row[stream], stream)
    return [(stream, path) for path, stream in paths.items()]


def _sink(stream: str, only_one: bool) -> BinaryIO:
    return sys.stderr.buffer if stream == "stderr" and not only_one else sys.stdout.buffer


class Headed:
    """Writes to the streams, and a heading whenever another element speaks."""

    def __init__(self, streams: tuple[str, ...], several: bool) -> None:
        self.streams = streams
        self.several = several
        self._last = ""

    def sink(self, label: str, stream: str) -> Callable[[bytes], None]:
        """Where the bytes of one file go."""
        out = _sink(stream, len(self.streams) == 1)

        def write(chunk: bytes) -> None:
            if self.several and label != self._last:
                gap = "\n" if self._last else ""
                sys.stdout.buffer.write(f"{gap}==> {label} <==\n".encode())
                self._last = label
            if out is not sys.stdout.buffer:
                sys.stdout.buffer.flush()
            out.write(chunk)
            out.flush()

        return write


def _follow(following: Following, streams: tuple[str, ...], lines: int | None) -> int:
    headed: list[Headed] = []

    def tails(row: Row) -> list[Tail]:
        if not headed:  # by now it is known how many there are
            headed.append(Headed(streams, len(following.rows) > 1 or row["element"] is not None))
        files = _files(row, streams)
        return [Tail(path, headed[0].sink(row["label"], stream), lines) for stream, path in files]

    following.tails = tails
    following.run()
    return exits.OK


def _print(rows: list[Row], streams: tuple[str, ...], lines: int | None, copy: Copy) -> None:
    begun = [row for row in rows if row["run"]]
    if not begun:
        _nothing(rows)
    headed = Headed(streams, len(rows) > 1)
    missing: list[NotFound] = []
    for row in begun:
        for stream, path in _files(row, streams):
            try:
                copy(row, path, headed.sink(row["label"], stream), lines)
            except FileNotFoundError:
                missing.append(_missing(row, path))
            except NotFound as nothing_kept:
                missing.append(nothing_kept)
    if missing:
        raise missing[0]


def _nothing(rows: list[Row]) -> None:
    """Say why there is nothing to print."""
    row = rows[0]
    if row["state"] in describe.LIVE:
        raise NotYet(
            f"job {row['label']} has not begun: there is no output yet",
            f"-f waits for it: hpc logs -f {row['label']}",
        )
    raise NotFound(
        f"job {row['label']} never began ({row['state']}): it has written nothing",
        f"see why: hpc show --story {row['label']}",
    )


def _missing(row: Row, path: str) -> NotFound:
    """A job that could not be started has its reason, and often no file."""
    return NotFound(
        f"there is no file {safe(path)}", _reason(row) or "it was moved or deleted after the job"
    )


def _reason(row: Row) -> str | None:
    if row["state"] in describe.LIVE or not row["reason"]:
        return None
    return f"job {row['label']} {row['state']}: {safe(row['reason'])}"


def _copy(row: Row, path: str, sink: Callable[[bytes], None], lines: int | None) -> None:
    # Only a plain file has an end: /dev/full can be read for ever, a pipe waits for a writer.
    mode = os.stat(path).st_mode
    if stat.S_ISCHR(mode):
        raise NotFound(f"{safe(path)} is a device and keeps nothing", "hpc submit --output FILE")
    if not stat.S_ISREG(mode):
        why = _reason(row) or "hpc submit --output FILE"
        raise NotFound(f"{safe(path)} is no plain file: nothing can be read of it", why)
    with open(path, "rb") as file:
        if lines is not None:
            file.seek(start_of_last(file, lines))
        while chunk := file.read(1 << 16):
            sink(chunk)
