"""`hpc track files` and `hpc track fetch`: the artifacts and checkpoints of a run."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click

from hpcshell.cli import describe
from hpcshell.cli.table import Column, table
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.tracked import Opened, caught_up
from hpcshell.cli.verb import verb
from hpcshell.core.errors import NotFound, Refused
from hpcshell.core.words import nearest, quote, safe

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hpcshell.track.records import File

COLUMNS: Final = (
    Column("PATH", elastic=True),
    Column("KIND"),
    Column("SIZE", right=True),
    Column("STEP", right=True),
    Column("WHERE", elastic=True),
)
UPLOADED: Final = "uploaded"
STDOUT: Final = "-"
BLOCK: Final = 1 << 20
"""Bytes that are copied at a time."""


def line(file: File) -> str:
    """A file in a line."""
    step = "" if file.step is None else f", step {file.step}"
    return safe(f"{file.path} ({file.kind}{step}, {describe.size(file.size)}) {_where(file)}")


@verb("files", "hpc track files 3f2a90c1", "hpc track files @ --json")
@click.argument("run")
def files(talk: Talk, run: str) -> int:
    """List the artifacts and checkpoints of a run, uploaded ones and those that lie elsewhere.

    RUN is a run's id, so many of its first digits that no other has them, or @ for the latest.
    """
    from hpcshell.track.store.runs import meant

    with caught_up(talk).store as store, store.reading() as connection:
        rows = list(_every(connection, meant(connection, run)))
    if talk.json:
        talk.document({"schema": SCHEMA, "rows": rows})
    elif talk.quiet:
        talk.data(*(safe(row.path) for row in rows))
    elif rows:
        talk.data(*table(talk, COLUMNS, [_cells(row) for row in rows]))
    else:
        talk.say("the run has no files: run.artifact(PATH) names one")
    return 0


@verb(
    "fetch",
    "hpc track fetch 3f2a90c1 loss.png",
    "hpc track fetch @ models/best.pt --output best.pt",
    "hpc track fetch @ log.txt -o - | less",
)
@click.argument("run")
@click.argument("path")
@click.option("-o", "--output", metavar="FILE", help="Where to.  [default: its name, here]")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def fetch(talk: Talk, run: str, path: str, output: str | None, force: bool) -> int:
    """Fetch a file of a run: a copy of what was uploaded, or of what lies where it was named.

    PATH is as hpc track files lists it; FILE may be - for stdout.
    """
    from hpcshell.sweeps.exporting import pour
    from hpcshell.track.store.runs import meant

    target = output or os.path.basename(path)
    if target != STDOUT and os.path.lexists(target) and not force:
        raise Refused(f"{quote(target, 200)} is there already", "--force replaces it, or: -o FILE")
    source = caught_up(talk)
    with source.store as store, store.reading() as connection:
        file = _meant(connection, meant(connection, run), path)
    with _opened(source, file) as descriptor:
        pour(_blocks(descriptor), target)
    if talk.json and target != STDOUT:
        talk.document({"schema": SCHEMA, "output": target, "file": file})
    elif target != STDOUT:
        talk.data(safe(target))
    return 0


def _every(connection: Connection, run_id: str) -> Iterator[File]:
    from hpcshell.track.store import files
    from hpcshell.track.store.paging import MOST

    after: str | None = ""
    while after is not None:
        page = files.page(connection, run_id, limit=MOST, after=after)
        yield from page.rows
        after = page.next


def _meant(connection: Connection, run_id: str, path: str) -> File:
    """The file that is called so. Raises `NotFound`, with what is like it."""
    from hpcshell.track.store import files

    try:
        return files.show(connection, run_id, path)
    except NotFound as error:
        near = nearest(path, (file.path for file in _every(connection, run_id)))
        hint = f"did you mean {near}?" if near else f"hpc track files {run_id} lists them"
        raise NotFound(error.message, hint) from None


@contextlib.contextmanager
def _opened(source: Opened, file: File) -> Iterator[int]:
    """A descriptor of its content. Raises `NotFound` or `Refused`."""
    from hpcshell.jobs.surroundings import here
    from hpcshell.machine.beneath import open_beneath

    root = source.settings.track.artifacts or here().track.artifacts
    if file.uri is None:
        descriptor = open_beneath(os.path.join(root, file.run_id), file.path)
    else:
        descriptor = _open_named(file.uri)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open_named(uri: str) -> int:
    path = uri.removeprefix("file://")
    if not path.startswith("/"):
        raise Refused(f"the file lies at {quote(uri, 200)}", "fetch it from there by other means")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NotFound(
            f"{quote(path, 200)} is not there (any more)", "is it on another machine's disk?"
        ) from None
    except OSError as error:
        raise Refused(
            f"{quote(path, 200)} cannot be read: {error.strerror}", "ask its owner"
        ) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Refused(f"{quote(path, 200)} is no plain file", f"copy it: cp -r {quote(path, 200)}")
    return descriptor


def _blocks(descriptor: int) -> Iterator[bytes]:
    while block := os.read(descriptor, BLOCK):
        yield block


def _where(file: File) -> str:
    return UPLOADED if file.uri is None else file.uri


def _cells(file: File) -> list[str]:
    step = "-" if file.step is None else str(file.step)
    return [safe(file.path), file.kind, describe.size(file.size), step, safe(_where(file))]
