"""Batches of points on the disk: what each is to run, and an empty folder for it."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from typing import Final

import msgspec

from hpcshell.core.records import Record
from hpcshell.flow.arguments import Handed, handed
from hpcshell.sweeps import disk, wrapper
from hpcshell.sweeps.folder import Folder, Manifest, Row

LOG: Final = "log"
"""What the elements say before they have found their folders, one after the other."""
EARLIER: Final = (*("run", "outcome", "stdout", "stderr", "metrics.json", "metrics.jsonl"),)
"""What a new attempt begins without."""
RUN: Final = "run"
"""Below a batch for another machine: what goes there along with `points`."""


class Batch(Record, frozen=True, kw_only=True):
    """Some points, and how they are to run. `staged`: nothing there has the files of this machine,
    so `code`, the name of a snapshot, goes along."""

    key: str
    rows: tuple[Row, ...]
    staged: bool = False
    code: str = ""


def code_directory(manifest: Manifest, code: str) -> str:
    """The directory that points run in."""
    return f"{manifest.project}/sweeps/snapshots/{code}" if code else manifest.project


def lay_out(folder: Folder, manifest: Manifest, batch: Batch) -> None:
    """Write the fragments, and see that each point has a folder in which nothing is left of an
    earlier attempt. Raises `Unwritable`, and then nothing is left of the batch."""
    where = folder.batch(batch.key)
    fragments = f"{where}/{RUN}" if batch.staged else where
    found: list[str] = []
    try:
        os.makedirs(fragments)
        disk.put(f"{fragments}/point.sh", wrapper.SCRIPT.encode())
        for number, row in enumerate(batch.rows):
            _lay_point(folder, row)
            words = words_of(folder, manifest, batch, row)
            found.append(_fragment(folder, manifest, batch, number, words))
            _write_params(folder.directory(row), row, words)
            if batch.staged:
                there = f"{where}/points/{row.folder or row.id}"
                os.makedirs(there)
                _write_params(there, row, words)
        for first in range(0, len(found), wrapper.TOGETHER):
            some = found[first : first + wrapper.TOGETHER]
            disk.put(f"{fragments}/{first // wrapper.TOGETHER}", wrapper.together(some))
    except OSError as error:
        drop(folder, batch.key)
        raise disk.trouble(error.filename or where, error) from None


def drop(folder: Folder, key: str) -> None:
    """Take the fragments of a batch away that nobody has taken."""
    shutil.rmtree(folder.batch(key), ignore_errors=True)


def words_of(folder: Folder, manifest: Manifest, batch: Batch, row: Row) -> Handed:
    """What one point is to run."""
    directory = _directory(folder, batch, row)
    return handed(manifest.spec, row.params, directory, folder.id, row.id)


def _directory(folder: Folder, batch: Batch, row: Row) -> str:
    """A point's folder, where it runs."""
    if batch.staged:
        return f"{wrapper.HERE}/points/{row.folder or row.id}"
    return folder.directory(row)


def _fragment(folder: Folder, manifest: Manifest, batch: Batch, number: int, words: Handed) -> str:
    row = batch.rows[number]
    directory = _directory(folder, batch, row)
    cd = code_directory(manifest, batch.code)
    if batch.staged:
        cd = f"{wrapper.HERE}/{batch.code}"
    own = {"HPC_SWEEP_ID": folder.id, "HPC_SWEEP_POINT": row.id, "HPC_SWEEP_DIR": directory}
    return wrapper.fragment(
        number,
        directory=directory,
        me=f"{batch.key}.{number}",
        cd=cd,
        argv=words.argv,
        env={**words.env, **own},
        far=batch.staged,
    )


def _lay_point(folder: Folder, row: Row) -> None:
    path = folder.directory(row)
    try:
        os.mkdir(path)
    except FileNotFoundError:
        os.makedirs(path)
    except FileExistsError:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            raise OSError(errno.ENOTDIR, "something else has the name of a folder", path) from None
        _put_aside(path)


def _put_aside(path: str) -> None:
    """What an earlier attempt left, into `attempts/N`."""
    left = [name for name in EARLIER if os.path.lexists(f"{path}/{name}")]
    if not left:
        return
    number = 1
    while os.path.lexists(f"{path}/attempts/{number}"):
        number += 1
    os.makedirs(f"{path}/attempts/{number}")
    for name in left:
        os.rename(f"{path}/{name}", f"{path}/attempts/{number}/{name}")


def _write_params(path: str, row: Row, words: Handed) -> None:
    document = row.params if words.document is None else words.document
    disk.put(f"{path}/params.json", msgspec.json.encode(document))
